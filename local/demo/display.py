"""What a person sees of the demo: lines that stay, and one that moves where there is a terminal."""

import textwrap
import time
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status

WIDEST = 110
WITHOUT_TERMINAL = 100
CLOCK_WIDTH = 10


class Display:
    """Writes progress to one stream; plain lines where it is no terminal. Lines end between words."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._status: Status | None = None

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(f"[bold]{escape(text)}[/bold]")

    def line(self, text: str, style: str = "", indent: int = 0) -> None:
        """One line with the seconds since the start."""
        clock = f"{time.monotonic() - self._began:6.1f} s"
        first, *rest = self._wrapped(" " * indent + text, CLOCK_WIDTH, indent + 2)
        self._console.print(f"[dim]{clock}[/dim]  {_styled(first, style)}")
        for more in rest:
            self._console.print(" " * CLOCK_WIDTH + _styled(more, style))

    def plain(self, text: str = "", style: str = "") -> None:
        spaces = len(text) - len(text.lstrip())
        for line in self._wrapped(text, 0, spaces):
            self._console.print(_styled(line, style))

    def verbatim(self, text: str) -> None:
        """One line as it is, to be copied."""
        self._console.print(escape(text))

    def problem(self, text: str) -> None:
        for line in text.splitlines():
            self.plain(line, "bold red")

    def moving(self, text: str) -> None:
        """What is waited for at this moment: shown only where there is a terminal, on one line of it."""
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(escape(textwrap.shorten(text, self._console.width - 4, placeholder=" …")))

    def still(self) -> None:
        """Nothing moves any more."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _wrapped(self, text: str, used: int, hanging: int) -> list[str]:
        width = min(self._console.width, WIDEST) if self._console.is_terminal else WITHOUT_TERMINAL
        lines = textwrap.wrap(
            text,
            max(width - used, 40),
            subsequent_indent=" " * hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return lines or [""]


def _styled(text: str, style: str) -> str:
    return f"[{style}]{escape(text)}[/{style}]" if style else escape(text)

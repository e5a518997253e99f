"""What a person sees of the demo: lines that stay, and one that moves where there is a terminal."""

import time
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Display:
    """Writes progress to one stream; plain lines where it is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._status: Status | None = None

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(f"[bold]{escape(text)}[/bold]")

    def line(self, text: str, style: str = "") -> None:
        """One line with the seconds since the start."""
        clock = f"{time.monotonic() - self._began:6.1f} s"
        words = f"[{style}]{escape(text)}[/{style}]" if style else escape(text)
        self._console.print(f"[dim]{clock}[/dim]  {words}")

    def plain(self, text: str = "") -> None:
        self._console.print(escape(text))

    def problem(self, text: str) -> None:
        self._console.print(f"[bold red]{escape(text)}[/bold red]")

    def moving(self, text: str) -> None:
        """What is waited for at this moment: shown only where there is a terminal."""
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(escape(text))

    def still(self) -> None:
        """Nothing moves any more."""
        if self._status is not None:
            self._status.stop()
            self._status = None

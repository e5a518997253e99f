"""Markdown (CommonMark with GitHub's tables) out of text that others wrote: nothing in it can become markup.

What comes from outside is one line, has no character that begins markup unescaped, and never begins a line: the page's
own words stand before it, or a table's cell around it.
"""

import re
import unicodedata
from collections.abc import Sequence

_MARKS = re.compile(r"[\\`*\[\]<>|&~!#$]|(?<![^\W_])_|_(?![^\W_])|@")
"""Begins emphasis, code, links, HTML, entities, tables' columns, headings. ``_`` between letters or digits begins
nothing, and names are full of it."""
_ADDRESS = re.compile(r"(?i)(https?|ftp):|\bwww\.")
"""What GitHub makes links of by itself."""
_IN_CODE = re.compile(r"[^`|\\]+")
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_LONGEST = 2_000


def text(outside: str) -> str:
    """One line that reads as it was written, whatever was written."""
    escaped = _MARKS.sub(lambda mark: "&#64;" if mark[0] == "@" else f"\\{mark[0]}", one_line(outside))
    return _ADDRESS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", escaped)


def code(outside: str) -> str:
    """A name or an ID in code type; as escaped text where it holds what could end that."""
    line = one_line(outside)
    return f"`{line}`" if _IN_CODE.fullmatch(line) else text(line)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose columns stand in line in plain text, too. Cells are Markdown already."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lined = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    top = "| " + " | ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)) + " |"
    return [top, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lined]


def one_line(outside: str) -> str:
    """A text without line ends, and without what moves the cursor or turns the reading direction; cut where long."""
    shown = "".join(_shown(character) for character in outside[:_LONGEST])
    line = " ".join(shown.split())
    return line + (" …" if len(outside) > _LONGEST else "")


def _shown(character: str) -> str:
    """Line ends and control characters are spaces; what changes how others are read, or cannot be sent, is replaced."""
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp", "Zs"):
        return " "
    return _REPLACED if kind in ("Cf", "Cs", "Co", "Cn") else character

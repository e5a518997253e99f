"""Pages that lie here and not in docs/, because the app answers with their sections."""

import re
from collections.abc import Iterator
from pathlib import Path

PAGES = Path(__file__).parent

_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def sections(page: Path) -> Iterator[tuple[str, str]]:
    """Each code that has a section, with the section's text. Raises OSError where the page did not ship."""
    for section in re.split(r"^### ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, body = section.split("\n", 1)
        yield heading.strip(), re.split(r"^#", body, maxsplit=1, flags=re.MULTILINE)[0]


def in_a_line(text: str) -> str:
    """A part of a section in one line, links as their text alone."""
    return _LINK.sub(r"\1", " ".join(text.split()))

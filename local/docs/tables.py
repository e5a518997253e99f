"""Tables as Markdown writes them."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[str]) -> str:
    """A table with an empty line behind it, or nothing where it has no rows."""
    lines = "".join(rows)
    return f"{row(*columns)}{'|---' * len(columns)}|\n{lines}\n" if lines else ""


def row(*cells: str) -> str:
    """One line of a table. Cells that came from elsewhere go through ``cell`` first."""
    return f"| {' | '.join(cells)} |\n"


def cell(text: str) -> str:
    """A text as a cell can hold it: in one line, and without what would end the cell or begin an element."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

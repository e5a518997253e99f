"""docs/procedures.md says the same of what may be asked, and when, as the product's own table."""

from pathlib import Path

from cmg_core.domain.record import Ask
from cmg_core.domain.transitions import TABLE, Phase

PAGE = Path(__file__).resolve().parents[3] / "docs" / "procedures.md"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_and_the_table_are_one() -> None:
    section = PAGE.read_text().split("## What may be asked, and when")[1].split("\n## ")[0]
    head, _, *lines = [cells(line) for line in section.splitlines() if line.startswith("|")]
    asks = [Ask(name) for name in head[1:]]
    told = {
        (Phase(line[0].split("`")[1]), ask): cell for line in lines for ask, cell in zip(asks, line[1:], strict=True)
    }
    assert set(told) == set(TABLE)
    for (phase, ask), cell in told.items():
        allowed = "stopped" if ask is Ask.RESUME else "yes"
        assert cell == ("no" if TABLE[phase, ask] else allowed), (phase, ask)

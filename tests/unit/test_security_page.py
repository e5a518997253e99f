"""Each threat in docs/security.md names the tests that show what protects, and each of them exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def threats() -> list[tuple[str, str]]:
    """Each line of the table: the threat, and its cell of tests."""
    table = PAGE.read_text(encoding="utf-8").partition("\n## Threats\n")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert rows[0] == ["threat", "what protects", "tests"]
    return [(row[0], row[-1]) for row in rows[1:]]


def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_page_has_its_threats() -> None:
    told = [threat for threat, _ in threats()]
    assert len(told) >= 25 and len(set(told)) == len(told)


@pytest.mark.parametrize(("threat", "cell"), threats())
def test_each_threat_names_tests_that_exist(threat: str, cell: str) -> None:
    named = NAMED.findall(cell)
    assert named, f"«{threat}» names no test"
    assert "".join(NAMED.sub("", cell).split(",")).strip() == "", "the cell holds nothing but tests"
    missing = [f"{file}::{name}" for file, name in named if name and name not in names_in(file)]
    assert missing == [] and all(names_in(file) for file, _ in named)

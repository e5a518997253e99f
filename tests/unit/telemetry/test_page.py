"""The page of telemetry and the queries say what the code says."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = "".join(path.read_text() for path in (ROOT / "cmg_core").rglob("*.py"))
FIGURES = {*re.findall(r'\.(?:count|measure)\(\s*"(cmg\.[a-z_.]+)"', SOURCE)}
FACTS = {*re.findall(r'"(cmg\.[a-z_.]+)":', SOURCE)}


def test_the_page_names_every_figure_and_no_other() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text()
    table = page.split("\n## Figures\n", 1)[1].split("\n## ", 1)[0]
    named = {name for row in re.findall(r"(?m)^\| (`.+?) \|", table) for name in re.findall(r"`(cmg\.[a-z_.]+)`", row)}
    assert len(FIGURES) >= 11 and named == FIGURES
    by = {*re.findall(r"`(cmg\.[a-z_.]+)`", table)} - named
    assert by <= FACTS


def test_the_queries_ask_for_what_is_told() -> None:
    asked = 0
    for path in (ROOT / "infra" / "queries").glob("*.kql"):
        query = path.read_text()
        figures, facts = re.findall(r'Name == "(cmg\.[^"]+)"', query), re.findall(r'Properties\["([^"]+)"\]', query)
        assert {*figures} <= FIGURES and {*facts} <= FACTS, path.name
        asked += len(figures) + len(facts)
    assert asked >= 8

"""Each rule's page: its findings weigh what the code says, and its samples and tests are there, all of them."""

import re
from pathlib import Path

import pytest

from local.dev.processes import ROOT
from local.sample import SAMPLES
from tests.unit.test_findings_page import SOFTENED, told

PAGES = sorted((ROOT / "docs" / "rules").glob("s*.md"))
ROW = re.compile(r"^\| (?P<codes>`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \| (?P<weighs>[^|]*)\|", re.MULTILINE)
BESIDE = re.compile(r"`(?P<code>[a-z0-9]+(?:-[a-z0-9]+)+)` \((?P<weighs>blocks|warns|tells|unknown)\b")
FILE = re.compile(r"`((?:samples|tests|cmg_core)/[\w/.-]+\.\w+)`")
SEVERITY = re.compile(r"(?<!which )(?:blocks|warns|tells|unknown)")


def test_each_rule_has_its_page_and_the_site_has_each() -> None:
    assert [page.stem for page in PAGES] == [f"s{number:02}" for number in range(1, 11)]
    nav = (ROOT / "mkdocs.yml").read_text()
    assert [page.name for page in PAGES if f"rules/{page.name}" not in nav] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_finding_weighs_on_the_page_what_it_weighs_in_the_code(page: Path) -> None:
    text, severities = page.read_text(), told()
    weighed = [
        (code, set(SEVERITY.findall(row["weighs"])))
        for row in ROW.finditer(text)
        for code in re.findall(r"`([a-z0-9-]+)`", row["codes"])
        if SEVERITY.search(row["weighs"])
    ] + [(found["code"], {found["weighs"]}) for found in BESIDE.finditer(text)]
    assert weighed
    for code, written in weighed:
        assert code in severities, f"{code} is no finding"
        said = severities[code] - {"Finding", "Row"}
        # What is worked out, and what is handed on with another severity, cannot be read from the code.
        assert written <= said or said < severities[code] or code in SOFTENED, (code, written, said)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_samples_and_tests_are_there_and_no_sample_of_the_rule_is_left_out(page: Path) -> None:
    text = page.read_text()
    assert [name for name in FILE.findall(text) if not (ROOT / name).is_file()] == []
    samples = sorted(SAMPLES.glob(f"{page.stem}-*.json"))
    assert samples
    beginning = f"{page.stem}-own-domain"
    assert [
        sample.name
        for sample in samples
        # The second of a pair is written as «…-from-scale-set.json».
        if sample.name not in text and f"…{sample.name.removeprefix(beginning)}" not in text
    ] == []

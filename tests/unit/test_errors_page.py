"""Every problem that the product can tell has its section in the page of errors, where the problem's ``type`` leads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def codes_in(source: str) -> Iterator[str]:
    """The codes of all ``Problem(code=…)`` and ``Cause(code, …)``; one that is no literal as it is written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Problem", "Cause"):
            given = [word.value for word in node.keywords if word.arg == "code"] or node.args[:1]
            for code in given:
                if not (isinstance(code, ast.Attribute) and code.attr == "code"):
                    yield str(code.value) if isinstance(code, ast.Constant) else ast.unparse(code)


def test_each_code_has_one_section_and_each_section_a_code() -> None:
    told = {code for file in (ROOT / "cmg_core").rglob("*.py") for code in codes_in(file.read_text())}
    sections = re.findall(r"^### (.+)$", (ROOT / "cmg_core/description/errors.md").read_text(), re.MULTILINE)

    assert sorted(sections) == sorted(told)


def test_each_section_says_what_why_and_what_to_do() -> None:
    page = (ROOT / "cmg_core/description/errors.md").read_text()
    for section in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        for word in ("**What:**", "**Why:**", "**What to do:**"):
            assert word in section, section.splitlines()[0]

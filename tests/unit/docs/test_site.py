"""The documentation's site: it builds without a warning, opens without a request to any other host, and shows commands
as commands."""

import logging
import re
from pathlib import Path

import pytest

from local.dev.docs import build
from tests.unit.docs.commands import PAGES

FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"(?:https?:)?//[^\"]*\"")
CODE = re.compile(r"<(pre|script|style)\b.*?</\1>", re.DOTALL)
AS_TEXT = re.compile(r"^(?:\s*<(?:p|li|dd|td)>)*\s*(?:\$|az|azd|curl|python3) .*", re.MULTILINE)
"""A line that begins with a command and is no code: its block is not indented as far as the text that it belongs to, or
follows that text without an empty line. A command within a sentence begins with the tag of code."""


def test_it_builds_without_a_warning_fetches_nothing_and_has_no_command_as_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(tmp_path)
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []
    pages = {page: page.read_text() for page in tmp_path.rglob("*.html")}
    assert len(pages) > 25
    assert {page.name: found for page, text in pages.items() if (found := FETCHED.findall(text))} == {}
    assert {page.name: found for page, text in pages.items() if (found := commands_as_text(text))} == {}


def commands_as_text(page: str) -> list[str]:
    return [found.group().strip() for found in AS_TEXT.finditer(CODE.sub("", page))]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("1. Do:\n\n    ```sh\n    az login\n    ```\n", False),
        ("1. Do:\n\n       az login\n", True),
        ("1. Do:\n\n        az login\n", False),
        ("Do:\n\n    az login\n", False),
        ("Do:\n    az login\n", True),
        ("`azd up` makes it.\n", False),
        ("$ azd up\n", True),
    ],
)
def test_a_block_that_its_indentation_broke_is_found(written: str, found: bool) -> None:
    from markdown import markdown

    page = markdown(written, extensions=["pymdownx.superfences"])
    assert bool(commands_as_text(page)) == found, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_goes_on_in_a_list_is_indented_by_fours(page: Path) -> None:
    """At any other depth what follows an empty line ends the list, and the next item is number one again."""
    text = re.sub(r"^( *)```.*?^\1```", r"\1block", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"(?<=\n\n)(?: {4})* {1,3}\S.*", text) == []

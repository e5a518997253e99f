"""The documentation's site: it builds without a warning, and opens without a request to any other host."""

import logging
import re
from pathlib import Path

import pytest

from local.dev.docs import build

FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"(?:https?:)?//[^\"]*\"")


def test_it_builds_without_a_warning_and_fetches_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build(tmp_path)
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []
    pages = {page: page.read_text() for page in tmp_path.rglob("*.html")}
    assert len(pages) > 25
    assert {page.name: found for page, text in pages.items() if (found := FETCHED.findall(text))} == {}

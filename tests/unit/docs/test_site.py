"""The documentation's site: it builds without a warning, and opens without a request to any other host."""

import logging
import re
from pathlib import Path

import pytest

from cmg_core.settings import Settings
from local.dev.docs import build
from local.docs.reference import settings_page

FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"(?:https?:)?//[^\"]*\"")


def test_it_builds_without_a_warning_and_fetches_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build(tmp_path)
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []
    pages = {page: page.read_text() for page in tmp_path.rglob("*.html")}
    assert len(pages) > 25
    assert {page.name: found for page, text in pages.items() if (found := FETCHED.findall(text))} == {}


def test_every_setting_is_on_its_page() -> None:
    page = settings_page()
    assert [field.alias for field in Settings.model_fields.values() if f"| `{field.alias}` |" not in page] == []

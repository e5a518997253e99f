"""What a receiver's answer says of when to come back: its header is a stranger's text."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from cmg_core.notify.post import retry_after
from tests.fakes import NOW


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (" 90 ", timedelta(seconds=90)),
        (f"{NOW + timedelta(hours=2):%a, %d %b %Y %H:%M:%S GMT}", timedelta(hours=2)),
        (f"{NOW - timedelta(hours=2):%a, %d %b %Y %H:%M:%S GMT}", timedelta()),
        ("", None),
        ("soon", None),
    ],
)
def test_seconds_and_dates_are_understood(text: str, after: timedelta | None) -> None:
    assert retry_after(text, NOW) == after


@given(some.text())
@example("Mon, 99999999999999999999 Jan 2024 00:00:00 GMT")
@example("Mon, 01 Jan 2024 99999999999999999:00:00 GMT")
@example("Mon, 01 Jan 2024 00:00:00 +99999999999999999999")
@example("9" * 5000)
def test_no_text_stops_the_posting(text: str) -> None:
    found = retry_after(text, NOW)
    assert found is None or found >= timedelta()

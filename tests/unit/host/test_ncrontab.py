"""Schedules of timers: examples of Microsoft's page, and properties of the next occurrence."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.ncrontab import ScheduleError, parse

MOMENT = datetime(2026, 11, 23, 17, 28, 31, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("0 */5 * * * *", "2026-11-23T17:30:00"),
        ("*/5 * * * *", "2026-11-23T17:30:00"),
        ("0 0 * * * *", "2026-11-23T18:00:00"),
        ("0 0 9-17 * * *", "2026-11-24T09:00:00"),
        ("0 30 9 * * *", "2026-11-24T09:30:00"),
        ("0 30 9 * * 1-5", "2026-11-24T09:30:00"),
        ("0 30 9 * Jan Mon", "2027-01-04T09:30:00"),
        ("*/10 * * * * *", "2026-11-23T17:28:40"),
        ("5,20 * * * * *", "2026-11-23T17:29:05"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 13 * FRI", "2027-08-13T00:00:00"),
        ("0 10/20 * * * *", "2026-11-23T17:30:00"),
        ("0 0 12 * * sunday", "2026-11-29T12:00:00"),
    ],
)
def test_the_next_occurrence(text: str, following: str) -> None:
    assert parse(text).after(MOMENT) == datetime.fromisoformat(following).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * * *", "* * 24 * * *", "* * * 0 * *", "*/0 * * * * *", "5-1 * * * * *", "x * * * * *"],
)
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text)


def test_a_day_that_no_month_has_never_comes() -> None:
    with pytest.raises(ScheduleError, match="never"):
        parse("0 0 0 31 2 *").after(MOMENT)


fields = st.tuples(
    st.sets(st.integers(0, 59), min_size=1),
    st.sets(st.integers(0, 59), min_size=1),
    st.sets(st.integers(0, 23), min_size=1),
)


@given(fields, st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_next_occurrence_fits_and_nothing_between_does(
    chosen: tuple[set[int], set[int], set[int]], moment: datetime
) -> None:
    seconds, minutes, hours = chosen
    text = " ".join(",".join(map(str, sorted(field))) for field in chosen) + " * * *"
    following = parse(text).after(moment)

    def fits(at: datetime) -> bool:
        return at.second in seconds and at.minute in minutes and at.hour in hours

    assert fits(following)
    assert moment < following <= moment + timedelta(days=1)
    days = (moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=more) for more in (0, 1))
    all_times = (
        day.replace(hour=hour, minute=minute, second=second)
        for day in days
        for hour in sorted(hours)
        for minute in sorted(minutes)
        for second in sorted(seconds)
    )
    assert next(at for at in all_times if at > moment) == following


def test_the_gap_between_two_occurrences() -> None:
    assert parse("*/15 * * * * *").shortest_gap(MOMENT) == timedelta(seconds=15)
    assert parse("0 */5 * * * *").shortest_gap(MOMENT) == timedelta(minutes=5)

"""Back-off, budget and the order of events."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.record import Event, Happening
from cmg_core.notify.subscription import (
    BUDGET,
    FIRST_PAUSE,
    GONE,
    LONGEST_PAUSE,
    Subscription,
    SubscriptionState,
    before,
    numbered,
    pause_after,
)
from tests.records import NOW, an_event


def a_subscription(**changes: object) -> Subscription:
    made = Subscription("s1", "d1", "sealed", "https://hooks.contoso.com", (), "ann", NOW, next_try_at=NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_pauses_grow_from_seconds_to_an_hour_within_a_quarter(attempts: int, jitter: float) -> None:
    pause = pause_after(attempts, None, jitter)
    plain = min(FIRST_PAUSE * 2.0 ** min(attempts, 20), LONGEST_PAUSE)
    assert plain * 0.75 <= pause <= plain * 1.25
    assert pause_after(attempts + 1, None, jitter) >= pause


def test_the_first_pauses_are_ten_twenty_and_forty_seconds() -> None:
    assert [pause_after(n, None, 0.5).total_seconds() for n in range(3)] == [10, 20, 40]


@given(st.integers(0, 50), st.integers(0, 10**9))
def test_a_receiver_that_asks_for_time_gets_it_up_to_a_day(attempts: int, seconds: int) -> None:
    pause = pause_after(attempts, timedelta(seconds=seconds), 0.0)
    assert pause >= min(timedelta(seconds=seconds), BUDGET)
    assert pause <= max(BUDGET, LONGEST_PAUSE * 1.25)


def test_a_subscription_is_given_up_after_a_day_and_not_before() -> None:
    tried, now = a_subscription(), NOW
    while tried.state is not SubscriptionState.GIVEN_UP:
        assert now - NOW < timedelta(days=1, hours=2)
        pause = pause_after(tried.attempts, None, 0.5)
        tried = tried.failed(500, "the receiver answered 500", pause, now)
        assert tried.state is SubscriptionState.GIVEN_UP or tried.next_try_at == now + pause
        now += pause
    assert now - NOW >= BUDGET
    assert tried.rests and not tried.may_go_on and tried.next_try_at is None
    assert 30 < tried.attempts < 40


def test_one_delivery_ends_the_trouble() -> None:
    failing = a_subscription().failed(None, "silent", FIRST_PAUSE, NOW).failed(500, "500", FIRST_PAUSE, NOW)
    well = failing.delivered("0000000001000", 202, NOW)
    assert (well.state, well.attempts, well.failing_since) == (SubscriptionState.ACTIVE, 0, None)
    assert (well.last_status, well.last_error, well.cursor) == (202, "", "0000000001000")


def test_who_is_gone_hears_nothing_more_and_who_has_the_end_hears_what_goes_on() -> None:
    assert not a_subscription().gone(NOW).may_go_on
    ended = a_subscription(last_status=202).released(NOW, has_the_end=True)
    assert ended.rests and ended.may_go_on
    assert not ended.held(NOW).rests
    assert GONE == 410


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=20))
def test_sequences_are_unique_order_as_text_and_stay_when_the_history_grows(gaps: list[tuple[int, int]]) -> None:
    revision, events = 0, list[Event]()
    for gap, count in gaps:
        revision += gap
        events += [an_event(revision, str(number)) for number in range(count)]
    sequences = [sequence for sequence, _ in numbered(events)]
    assert sequences == sorted(set(sequences))
    assert {len(sequence) for sequence in sequences} == {13}
    assert [sequence for sequence, _ in numbered(events[:-1])] == sequences[:-1]
    assert all(before(sequence) < sequence for sequence in sequences)
    assert all(one <= before(other) for one, other in pairwise(sequences))


@pytest.mark.parametrize(("types", "wanted"), [((), True), ((Happening.ENDED,), False), ((Happening.PROGRESS,), True)])
def test_no_types_mean_all(types: tuple[Happening, ...], wanted: bool) -> None:
    assert a_subscription(types=types).wants(an_event(1)) is wanted

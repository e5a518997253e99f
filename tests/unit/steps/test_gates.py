"""How often the product looks again at what nobody is asked for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.gates import GateName, until_next_look
from cmg_core.domain.record import State, Waiting
from cmg_core.steps.gates import until_next_try
from tests.fakes import NOW, migration

STATE = State(migration())


def waiting_for(span: timedelta, gate: GateName | None = None) -> State:
    return replace(STATE, waiting=Waiting("The record leads elsewhere.", NOW - span, NOW, gate))


def test_it_looks_soon_at_first_and_each_minute_later() -> None:
    assert until_next_try(STATE, NOW) == timedelta(seconds=1)
    assert until_next_try(waiting_for(timedelta(seconds=10)), NOW) == timedelta(seconds=13)
    assert until_next_try(waiting_for(timedelta(minutes=5)), NOW) == timedelta(minutes=1)
    assert until_next_try(waiting_for(timedelta(days=3)), NOW) == timedelta(minutes=1)


def test_the_time_at_a_gate_does_not_count() -> None:
    assert until_next_try(waiting_for(timedelta(days=3), GateName.INSIDE_DNS), NOW) == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("waited", "pause"),
    [
        (timedelta(), timedelta(seconds=1)),
        (timedelta(seconds=1), timedelta(seconds=2)),
        (timedelta(seconds=3), timedelta(seconds=5)),
        (timedelta(seconds=8), timedelta(seconds=15)),
        (timedelta(seconds=23), timedelta(seconds=30)),
        (timedelta(seconds=53), timedelta(minutes=1)),
        (timedelta(minutes=59, seconds=59), timedelta(minutes=1)),
        (timedelta(hours=1), timedelta(minutes=15)),
        (timedelta(days=3), timedelta(minutes=15)),
    ],
)
def test_a_gate_is_looked_at_less_and_less_often(waited: timedelta, pause: timedelta) -> None:
    """engine-protocol, "Settings that matter": after 1, 2, 5, 15, 30 s, then each minute, later every 15 minutes."""
    assert until_next_look(waited) == pause

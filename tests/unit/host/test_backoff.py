"""The pause between two polls of a queue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.backoff import SHORTEST_S, Backoff


def test_an_idle_queue_is_asked_less_and_less_often() -> None:
    backoff = Backoff(longest_s=1.0, chance=lambda: 0.5)
    assert [backoff.empty() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.9, 1.0])


@given(st.lists(st.booleans()), st.floats(0, 1), st.floats(SHORTEST_S, 60))
def test_the_pause_stays_between_its_bounds_and_a_message_resets_it(
    polls: list[bool], chance: float, longest: float
) -> None:
    backoff = Backoff(longest, chance=lambda: chance)
    for found in polls:
        pause = backoff.found() if found else backoff.empty()
        assert SHORTEST_S <= pause <= longest
    backoff.found()
    assert backoff.empty() == SHORTEST_S

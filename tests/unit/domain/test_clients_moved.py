"""Whether the clients are over: what figures show, until when only figures count, and what a person is told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.clients_moved import deadline_of, seen_of, why_no_decision, why_not_enough
from cmg_core.domain.record import ClientFigures, State
from cmg_core.domain.requests import ClientsMoved
from tests.fakes import NOW, migration

SECOND = timedelta(seconds=1)


def figures(active: int, moved: int, **changes: object) -> ClientFigures:
    return replace(ClientFigures(NOW, "ann@contoso.com", active, moved), **changes)  # type: ignore[arg-type]  # each test knows its keys


def wanting(**clients_moved: object) -> State:
    """A deployment in its grace period, with that gate chosen; without keys, without that gate."""
    request = migration(gates={"clients-moved": clients_moved} if clients_moved else {})
    return State(request=request, grace_started_at=NOW)


@pytest.mark.parametrize(
    ("active", "moved", "lacking"),
    [
        (0, 0, "0 active clients"),
        (99, 99, "99 active clients are too few to say anything: 100"),
        (100, 97, "97 of 100 clients (97.0%) know the new gateway; 98.0% are asked for: 3 are missing"),
        (100, 98, ""),
        (100, 100, ""),
        (10_000, 9_799, "201 are missing"),
        (10_000, 9_800, ""),
    ],
)
def test_figures_suffice_from_the_share_and_the_sample_on_that_were_asked_for(
    active: int, moved: int, lacking: str
) -> None:
    found = why_not_enough(figures(active, moved), ClientsMoved(share=0.98, minimum_sample=100, active_days=14))
    assert lacking in found and bool(found) is bool(lacking)
    assert "too few" not in found or "14 days" in found


def test_a_person_may_go_on_without_the_stragglers_from_the_deadline_on_and_not_before() -> None:
    state, deadline = wanting(share=0.98, deadline="P14D"), NOW + timedelta(days=14)
    assert deadline_of(state) == deadline
    assert deadline.isoformat() in why_no_decision(state, deadline - SECOND)
    assert why_no_decision(state, deadline) == ""


def test_without_a_deadline_a_person_may_decide_at_any_time() -> None:
    unbegun = replace(wanting(share=0.98, deadline="P14D"), grace_started_at=None)
    for state in (wanting(share=0.98), wanting(), unbegun):
        assert deadline_of(state) is None and why_no_decision(state, NOW) == ""


def test_who_watches_the_gate_sees_the_last_figures_with_what_they_lack_and_who_is_silent() -> None:
    state = wanting(share=0.98)
    early = figures(1_000, 10, at=NOW - timedelta(days=3))
    few = replace(state, client_figures=(early, early, figures(1_000, 900, silent_since=NOW - timedelta(days=40))))
    for seen in ("2026-11-23 12:00", "900 of 1000", "100 are missing", "2026-10-14"):
        assert seen in seen_of(few)
    enough = seen_of(replace(state, client_figures=(early, figures(1_000, 990))))
    assert "99.0% of 1000 clients know the new gateway." in enough and enough.endswith("gateway.")
    for unknown in (state, replace(wanting(), client_figures=(early,))):
        assert seen_of(unknown) == "No figures have come yet."

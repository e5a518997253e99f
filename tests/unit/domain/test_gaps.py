"""How long an accepted gap lasts: usually, and at the longest."""

from datetime import timedelta

import pytest

from cmg_core.domain.cases import Case
from cmg_core.domain.gaps import judge_gap, longest_gap, usual_gap
from cmg_core.domain.gates import until_next_look
from cmg_core.domain.problems import Severity
from cmg_core.domain.record import MESSAGE_HOLD
from cmg_core.domain.requests import Request
from tests.fakes import deployment, migration

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
USUAL = 6 * MINUTE
HELD = migration(accept_gap="PT15M")
OF_OTHERS = migration(accept_gap="PT15M", dns=None)


def test_usually_it_lasts_until_the_connection_point_has_followed() -> None:
    assert usual_gap(HELD, Case.GAP_ACCEPTED, 5 * MINUTE) == 6 * MINUTE
    assert usual_gap(HELD, Case.GAP_CLOSED, 5 * MINUTE) == timedelta()


def test_clients_that_hold_the_old_answer_of_a_zone_of_others_wait_for_its_whole_ttl() -> None:
    inside = {**OF_OTHERS.old_gateway.model_dump(mode="json"), "inside_ttl": "PT1S"}
    request = migration(accept_gap="PT2H", dns=None, old_gateway=inside)
    assert usual_gap(request, Case.GAP_ACCEPTED, timedelta(hours=1)) == timedelta(hours=1)
    lowered = migration(accept_gap="PT2H", old_gateway=inside)
    assert usual_gap(lowered, Case.GAP_ACCEPTED, timedelta(hours=1)) == MINUTE + SECOND, "the app lowers its own ahead"


def test_at_the_longest_nobody_is_asked_before_a_dead_hosts_message_comes_again() -> None:
    assert longest_gap(HELD, USUAL) == USUAL + MESSAGE_HOLD == 16 * MINUTE


def test_where_others_change_the_record_the_app_may_see_it_as_late_as_at_its_next_look() -> None:
    rarest = until_next_look(timedelta(days=1))
    assert longest_gap(OF_OTHERS, USUAL) == USUAL + MESSAGE_HOLD + rarest


@pytest.mark.parametrize(("request_", "usual"), [(migration(), USUAL), (deployment(), USUAL), (HELD, timedelta())])
def test_where_no_gap_is_accepted_or_none_comes_nothing_is_said_of_one(request_: Request, usual: timedelta) -> None:
    assert judge_gap(request_, usual) == ()


def test_no_gap_gets_no_longer() -> None:
    assert longest_gap(HELD, timedelta()) == timedelta()


@pytest.mark.parametrize(
    ("accepted", "code", "severity", "pointer"),
    [
        ("PT15M59S", "gap-longer-than-accepted", Severity.BLOCKS, "/accept_gap"),
        ("PT16M", "gap-foretold", Severity.WARNS, ""),
    ],
)
def test_what_is_accepted_has_to_cover_the_longest(accepted: str, code: str, severity: Severity, pointer: str) -> None:
    [found] = judge_gap(migration(accept_gap=accepted), USUAL)
    assert (found.code, found.severity, found.pointer) == (code, severity, pointer)
    assert severity is Severity.WARNS or (accepted in found.seen and "PT16M" in found.cure)
    assert "PT6M" in found.seen and "PT16M" in found.seen and "PT10M later" in found.seen


def test_the_finding_says_that_a_check_looks_now_where_others_change_the_record() -> None:
    [found] = judge_gap(migration(accept_gap="PT31M", dns=None), USUAL)
    assert "PT15M later at the latest (`check` looks now)" in found.seen and "PT31M at the longest" in found.seen

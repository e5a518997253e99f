"""What may be asked of a deployment, for every phase, request and status: the table, exhaustively."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.gates import GateName
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Ask, Requested, State, Status
from cmg_core.domain.transitions import (
    RELEASE_NAME,
    ROLL_BACK,
    TABLE,
    Course,
    Phase,
    phase_of,
    possible,
    take_up,
    why_not,
)
from tests.fakes import NOW, FakeServices, migration
from tests.stories import ADDRESS, after_grace, before_cut_over, closed, parking

STEPS = (
    "preflight",
    "register-providers",
    "fetch-certificate",
    "provision-network",
    "provision-scale-set",
    "verify-gateway",
    "cut-over",
    "retire-old-gateway",
    ROLL_BACK,
    RELEASE_NAME,
)


def in_grace() -> State:
    state = after_grace(FakeServices())
    for gate in (GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED):
        state = closed(state, gate).with_gate(replace(state.gate(gate), asked_at=None, opened_at=None))  # type: ignore[type-var]  # it is there
    return state


def asked(ask: Ask, **changes: object) -> Requested:
    return Requested(ask, "ann@contoso.com", "because", NOW, **changes)  # type: ignore[arg-type]  # each test knows its keys


def test_the_table_knows_every_phase_and_every_request() -> None:
    assert set(TABLE) == {(phase, ask) for phase in Phase for ask in Ask}


def test_every_step_and_status_has_a_phase() -> None:
    found = {phase_of(Course(step, status, in_grace())) for step in STEPS for status in Status}
    assert found == {*Phase} - {Phase.RETIRING, Phase.PARKED}
    assert phase_of(Course("retire-old-gateway", Status.WAITING, after_grace(FakeServices()))) is Phase.RETIRING


@pytest.mark.parametrize(
    ("step", "offered"),
    [
        ("preflight", {Ask.CANCEL, Ask.CHECK}),
        ("provision-scale-set", {Ask.ROLLBACK, Ask.CHECK}),
        ("cut-over", {Ask.ROLLBACK, Ask.CHECK}),
        ("retire-old-gateway", {Ask.ROLLBACK, Ask.EXTEND, Ask.CHECK}),
        (ROLL_BACK, {Ask.CHECK}),
        (RELEASE_NAME, {Ask.CANCEL, Ask.CHECK}),
    ],
)
def test_what_a_person_is_offered_while_it_runs(step: str, offered: set[Ask]) -> None:
    assert set(possible(Course(step, Status.RUNNING, in_grace()))) == offered


@pytest.mark.parametrize("step", STEPS[1:-1])
def test_what_stopped_can_be_resumed_or_rolled_back_and_nothing_is_removed_unasked(step: str) -> None:
    course = Course(step, Status.NEEDS_ATTENTION, in_grace())
    assert Ask.RESUME in possible(course) and Ask.EXTEND not in possible(course)
    assert (Ask.ROLLBACK in possible(course)) is (step != ROLL_BACK)


def test_the_site_record_asked_for_is_the_point_of_no_return() -> None:
    state = in_grace()
    assert not why_not(Course("retire-old-gateway", Status.GRACE, state), Ask.ROLLBACK)
    gate = state.gate(GateName.SITE_RECORD_REMOVED)
    assert gate is not None
    beyond = state.with_gate(replace(gate, asked_at=NOW))
    for ask in (Ask.ROLLBACK, Ask.EXTEND, Ask.CANCEL):
        assert why_not(Course("retire-old-gateway", Status.WAITING, beyond), ask)
    assert why_not(
        Course("retire-old-gateway", Status.RUNNING, replace(state, operations={"id": "address"})), Ask.ROLLBACK
    )


@given(
    step=st.sampled_from(STEPS),
    status=st.sampled_from(Status),
    ask=st.sampled_from([ask for ask in Ask if ask is not Ask.OPEN_GATE]),
)
def test_a_request_that_comes_too_late_changes_nothing_and_says_so(step: str, status: Status, ask: Ask) -> None:
    course = Course(step, status, in_grace())
    after, told = take_up(course, asked(ask, until=NOW + timedelta(days=90)))
    assert "ann@contoso.com" in told
    if why_not(course, ask):
        assert after == course and "too late" in told


def test_cancel_before_the_first_write_ends_it() -> None:
    course, _ = take_up(Course("preflight", Status.WAITING, in_grace()), asked(Ask.CANCEL))
    assert course.status is Status.CANCELLED


def test_resume_begins_the_step_anew_without_the_problem() -> None:
    problem = Problem(code="c", title="t", detail="d", cure="do")
    stopped = Course("verify-gateway", Status.NEEDS_ATTENTION, replace(in_grace(), problem=problem, retries=20))
    course, _ = take_up(stopped, asked(Ask.RESUME))
    assert (course.step, course.status) == ("verify-gateway", Status.RUNNING)
    assert course.state.problem is None and course.state.retries == 0


def test_extend_only_makes_the_grace_period_longer() -> None:
    state = in_grace()
    assert state.grace_ends_at is not None
    course = Course("retire-old-gateway", Status.GRACE, state)
    longer, _ = take_up(course, asked(Ask.EXTEND, until=state.grace_ends_at + timedelta(days=1)))
    assert longer.state.grace_ends_at == state.grace_ends_at + timedelta(days=1)
    shorter, _ = take_up(course, asked(Ask.EXTEND, until=state.grace_ends_at - timedelta(seconds=1)))
    assert shorter == course


def test_rollback_asks_for_what_others_led_over_and_only_for_that() -> None:
    course, _ = take_up(Course("retire-old-gateway", Status.GRACE, in_grace()), asked(Ask.ROLLBACK))
    assert (course.step, course.status) == (ROLL_BACK, Status.RUNNING)
    inside = course.state.gate(GateName.INSIDE_DNS)
    assert inside is not None and not inside.is_open and "granitefalls.cloudapp.net" in inside.what_to_do
    cname = course.state.gate(GateName.CNAME)
    assert cname is not None and cname.is_open, "the zone is ours: no one else has to lead it back"
    early, _ = take_up(Course("cut-over", Status.WAITING, before_cut_over(FakeServices())), asked(Ask.ROLLBACK))
    assert early.state.roll_back is not None and not early.state.roll_back.inside_view


def test_rollback_waits_for_a_zone_of_others() -> None:
    state = after_grace(FakeServices(), migration(dns=None))
    unasked = [GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED]
    for gate in state.gates:
        if gate.name in unasked:
            state = state.with_gate(replace(gate, asked_at=None, opened_at=None))
    course, _ = take_up(Course("retire-old-gateway", Status.GRACE, state), asked(Ask.ROLLBACK))
    cname = course.state.gate(GateName.CNAME)
    assert cname is not None and not cname.is_open


def parked(status: Status = Status.SUCCEEDED, step: str = "retire-old-gateway", **changes: object) -> Course:
    return Course(step, status, replace(parking(FakeServices()), **changes))  # type: ignore[arg-type]  # each test knows its keys


def test_a_parked_name_can_be_released_once_and_only_after_success() -> None:
    assert set(possible(parked())) == {Ask.RELEASE_NAME}
    for status in {*Status} - {Status.SUCCEEDED}:
        assert why_not(parked(status), Ask.RELEASE_NAME)
    assert possible(parked(deleted=(ADDRESS,))) == ()
    begun, _ = take_up(parked(), asked(Ask.RELEASE_NAME))
    assert (begun.step, begun.status, phase_of(begun)) == (RELEASE_NAME, Status.RUNNING, Phase.RELEASING)
    assert why_not(begun, Ask.RELEASE_NAME)
    assert [line.name for line in begun.state.progress] == [RELEASE_NAME]


def test_a_release_that_stopped_can_be_given_up_and_asked_for_again() -> None:
    problem = Problem(code="c", title="t", detail="d", cure="do")
    stopped = parked(Status.NEEDS_ATTENTION, RELEASE_NAME, problem=problem)
    assert set(possible(stopped)) == {Ask.CANCEL, Ask.RESUME}
    kept, _ = take_up(stopped, asked(Ask.CANCEL))
    assert (kept.status, kept.state.problem, phase_of(kept)) == (Status.SUCCEEDED, None, Phase.PARKED)
    again, _ = take_up(kept, asked(Ask.RELEASE_NAME))
    assert [line.outcome for line in again.state.progress] == ["to-come"]
    deleting = parked(Status.RUNNING, RELEASE_NAME, operations={ADDRESS: "operation"})
    assert why_not(deleting, Ask.CANCEL)

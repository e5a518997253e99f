"""What may be asked of a deployment, for every phase, request and status: the table, exhaustively."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.clients_moved import KEPT
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.principals import NOBODY, Principal
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Ask, ClientFigures, Requested, RollBack, State, Status, StepProgress, Waiting
from cmg_core.domain.requests import RetirementRequest
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
    why_not_this_gate,
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


def retirement() -> RetirementRequest:
    body = migration().model_dump(mode="json", by_alias=True, exclude={"kind", "accept_gap"})
    return RetirementRequest.model_validate(body | {"provisioned_by": "existing"})


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
    assert found == {*Phase} - {Phase.RETIRING, Phase.PARKED, Phase.WATCHING}
    watching = replace(in_grace(), request=retirement())
    assert phase_of(Course("retire-old-gateway", Status.GRACE, watching)) is Phase.WATCHING
    assert set(possible(Course("retire-old-gateway", Status.GRACE, watching))) == {Ask.CANCEL, Ask.EXTEND, Ask.CHECK}
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


def test_under_a_new_name_whoever_holds_the_zone_is_told_to_remove_the_record() -> None:
    state = after_grace(FakeServices(), migration(dns=None))
    assert state.plan is not None and state.plan.old_gateway is not None
    old = state.plan.old_gateway.model_copy(update={"service_name": "old.contoso.com"})
    for change in ({"old_gateway": old}, {"old_gateway": None}):
        state = replace(state, plan=state.plan.model_copy(update=change), deleted=())
        course, _ = take_up(Course("cut-over", Status.WAITING, state), asked(Ask.ROLLBACK))
        cname = course.state.gate(GateName.CNAME)
        assert cname is not None and not cname.is_open
        assert "removes the record of GraniteFalls.Contoso.Com" in cname.what_to_do


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


LATER = NOW + timedelta(hours=1)
PROBLEM = Problem(code="c", title="t", detail="d", cure="do")
LINES = (
    StepProgress("preflight", "done", NOW, NOW, 1),
    StepProgress("cut-over", "running", NOW, None, 2),
    StepProgress("retire-old-gateway"),
)


def at_work(status: Status = Status.RUNNING, step: str = "cut-over", **changes: object) -> Course:
    """A deployment with everything noted that a request may have to clear away."""
    noted = replace(
        in_grace(),
        waiting=Waiting("for the world", NOW, NOW + timedelta(hours=12), GateName.READY_TO_CUT_OVER),
        operations={"id": "address"},
        retries=7,
        progress=LINES,
    )
    return Course(step, status, replace(noted, **changes))  # type: ignore[arg-type]  # each test knows its keys


def later(ask: Ask, **changes: object) -> Requested:
    return replace(asked(ask, **changes), at=LATER)


def test_a_cancelled_deployment_waits_for_nothing_and_its_other_steps_are_skipped() -> None:
    course = at_work(Status.WAITING, "preflight")
    after, _ = take_up(course, later(Ask.CANCEL))
    skipped = (LINES[0], replace(LINES[1], outcome="skipped", ended_at=LATER), replace(LINES[2], outcome="skipped"))
    state = replace(course.state, waiting=None, progress=skipped)
    assert after == Course("preflight", Status.CANCELLED, state)


def test_a_resumed_step_begins_without_what_stopped_it() -> None:
    course = at_work(Status.NEEDS_ATTENTION, problem=PROBLEM)
    stopped = replace(course.state, progress=(LINES[0], replace(LINES[1], outcome="failed", ended_at=NOW), LINES[2]))
    after, _ = take_up(replace(course, state=stopped), later(Ask.RESUME))
    again = (LINES[0], replace(LINES[1], started_at=None), LINES[2])
    state = replace(course.state, problem=None, waiting=None, operations={}, retries=0, progress=again)
    assert after == Course("cut-over", Status.RUNNING, state)


@pytest.mark.parametrize("waits", [True, False])
def test_a_check_and_an_extension_look_at_once(waits: bool) -> None:
    course = at_work(Status.GRACE, "retire-old-gateway", operations={})
    course = course if waits else replace(course, state=replace(course.state, waiting=None))
    waiting = replace(course.state.waiting, next_look=LATER) if course.state.waiting else None
    looked, _ = take_up(course, later(Ask.CHECK))
    assert looked == replace(course, state=replace(course.state, waiting=waiting))
    ends = course.state.grace_ends_at
    assert ends is not None
    longer, told = take_up(course, later(Ask.EXTEND, until=ends + timedelta(days=1)))
    state = replace(course.state, grace_ends_at=ends + timedelta(days=1), waiting=waiting)
    assert longer == replace(course, state=state) and "ann@contoso.com" in told and "because" in told


@pytest.mark.parametrize("until", [timedelta(), None])
def test_a_grace_period_is_not_extended_to_its_own_end_or_to_no_moment(until: timedelta | None) -> None:
    course = at_work(Status.GRACE, "retire-old-gateway", operations={})
    assert course.state.grace_ends_at is not None
    moment = None if until is None else course.state.grace_ends_at + until
    assert take_up(course, later(Ask.EXTEND, until=moment))[0] == course
    unbegun = replace(course, state=replace(course.state, grace_ends_at=None))
    assert take_up(unbegun, asked(Ask.EXTEND, until=LATER))[0] == unbegun


@pytest.mark.parametrize("step", STEPS[1:8])
def test_to_an_old_gateway_that_was_gone_nothing_goes_back_once_clients_are_led_over(step: str) -> None:
    state = in_grace()
    assert state.plan is not None and state.plan.old_gateway is not None
    old = state.plan.old_gateway.model_copy(update={"gone": True})
    gone = replace(state, plan=state.plan.model_copy(update={"old_gateway": old}))
    led_over = step in ("cut-over", "retire-old-gateway")
    taken = {Ask.ROLLBACK} if led_over else set()
    for status in (Status.RUNNING, Status.NEEDS_ATTENTION):
        assert set(possible(Course(step, status, gone))) == set(possible(Course(step, status, state))) - taken
    assert bool(why_not(Course(step, Status.RUNNING, gone), Ask.ROLLBACK)) is led_over


def with_gate(state: State, name: GateName, **changes: object) -> State:
    gate = state.gate(name)
    assert gate is not None
    return state.with_gate(replace(gate, **changes))  # type: ignore[arg-type]  # each test knows its keys


def test_a_gate_that_is_waited_at_opens_with_who_when_and_why_and_the_step_goes_on() -> None:
    name = GateName.READY_TO_CUT_OVER
    course = at_work(Status.WAITING)
    course = replace(course, state=with_gate(course.state, name, opened_at=None, opened_by="", reason=""))
    after, told = take_up(course, later(Ask.OPEN_GATE, gate=name))
    assert course.state.waiting is not None
    opened = with_gate(course.state, name, opened_at=LATER, opened_by="ann@contoso.com", reason="because")
    state = replace(opened, waiting=replace(course.state.waiting, next_look=LATER))
    assert after == Course("cut-over", Status.RUNNING, state) and name in told and "because" in told


def test_a_gate_opened_ahead_changes_nothing_of_what_is_waited_for() -> None:
    name = GateName.READY_TO_CUT_OVER
    course = at_work(Status.WAITING)
    assert course.state.waiting is not None
    elsewhere = replace(course.state.waiting, gate=GateName.CONNECTION_POINT_CONNECTED)
    closed_one = with_gate(course.state, name, opened_at=None, opened_by="", reason="", early=True, asked_at=None)
    for waiting in (elsewhere, None):
        state = replace(closed_one, waiting=waiting)
        after, _ = take_up(replace(course, state=state), later(Ask.OPEN_GATE, gate=name))
        opened = with_gate(state, name, opened_at=LATER, opened_by="ann@contoso.com", reason="because")
        assert after == Course("cut-over", Status.WAITING, opened)


@pytest.mark.parametrize(
    "changes",
    [
        {"opened_at": None, "asked_at": None, "early": False},
        {"opened_at": None, "asked_at": NOW, "opener": Opener.APP},
        {"opened_at": NOW, "opened_by": "bob@contoso.com"},
    ],
)
def test_a_gate_that_a_person_cannot_open_now_stays_as_it_is(changes: dict[str, object]) -> None:
    state = with_gate(at_work().state, GateName.READY_TO_CUT_OVER, **changes)
    course = at_work(gates=state.gates)
    assert take_up(course, later(Ask.OPEN_GATE, gate=GateName.READY_TO_CUT_OVER)) == (course, "")


def test_a_gate_that_the_plan_does_not_hold_opens_nothing() -> None:
    course = at_work()
    for gate in (GateName.APPROVAL, None):
        assert take_up(course, later(Ask.OPEN_GATE, gate=gate)) == (course, "")


def test_a_rollback_clears_what_was_under_way_and_shows_what_is_skipped() -> None:
    course = at_work(Status.NEEDS_ATTENTION, problem=PROBLEM)
    course = replace(course, state=with_gate(course.state, GateName.INSIDE_DNS, asked_at=NOW, opened_at=NOW))
    after, _ = take_up(course, later(Ask.ROLLBACK))
    assert (after.step, after.status) == (ROLL_BACK, Status.RUNNING)
    state = after.state
    assert (state.problem, state.waiting, state.operations, state.retries) == (None, None, {}, 0)
    assert state.roll_back == RollBack(LATER, inside_view=True)
    assert state.progress == (
        LINES[0],
        replace(LINES[1], outcome="skipped", ended_at=LATER),
        replace(LINES[2], outcome="skipped"),
        StepProgress(ROLL_BACK),
    )
    inside = state.gate(GateName.INSIDE_DNS)
    assert inside is not None and inside.opener is Opener.PERSON and inside.asked_at is None


def test_a_rollback_before_the_inside_view_was_asked_for_only_says_what_would_lead_it_back() -> None:
    course = at_work()
    course = replace(course, state=with_gate(course.state, GateName.INSIDE_DNS, asked_at=None, opened_at=None))
    after, _ = take_up(course, later(Ask.ROLLBACK))
    assert after.state.roll_back == RollBack(LATER, inside_view=False)
    gate = after.state.gate(GateName.INSIDE_DNS)
    assert gate is not None and (gate.asked_at, gate.opener) == (None, Opener.APP_OR_PERSON)
    assert "again on the original connection" in gate.what_to_do


def test_a_zone_of_others_is_led_back_by_its_holder_and_seen_by_the_app() -> None:
    state = replace(after_grace(FakeServices(), migration(dns=None)), deleted=())
    for name in (GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED):
        state = with_gate(state, name, asked_at=None, opened_at=None)
    after, _ = take_up(Course("retire-old-gateway", Status.GRACE, state), later(Ask.ROLLBACK))
    cname = after.state.gate(GateName.CNAME)
    assert cname is not None and cname.opener is Opener.APP
    for name in ("GraniteFalls.Contoso.Com", "granitefalls.cloudapp.net"):
        assert name in cname.what_to_do


def test_a_release_begins_with_a_line_of_its_own_and_no_try() -> None:
    course = replace(
        parked(), state=replace(parked().state, retries=3, progress=(*LINES, StepProgress(RELEASE_NAME, "skipped")))
    )
    begun, _ = take_up(course, later(Ask.RELEASE_NAME))
    assert begun.state == replace(course.state, retries=0, progress=(*LINES, StepProgress(RELEASE_NAME)))
    running = replace(
        begun.state, progress=(StepProgress(RELEASE_NAME, "running", NOW),), waiting=Waiting("", NOW, NOW)
    )
    kept, _ = take_up(Course(RELEASE_NAME, Status.RUNNING, running), later(Ask.CANCEL))
    line = StepProgress(RELEASE_NAME, "skipped", NOW, LATER)
    assert kept == Course(RELEASE_NAME, Status.SUCCEEDED, replace(running, waiting=None, progress=(line,)))


def test_both_last_gates_are_points_of_no_return() -> None:
    for name in (GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED):
        state = with_gate(in_grace(), name, asked_at=NOW)
        assert phase_of(Course("retire-old-gateway", Status.WAITING, state)) is Phase.RETIRING


def test_only_a_gate_that_is_asked_for_or_may_be_early_can_be_opened_by_a_person() -> None:
    course = at_work()
    gate, opens = Gate(GateName.READY_TO_CUT_OVER, Opener.PERSON, "Say so."), asked(Ask.OPEN_GATE)
    assert why_not_this_gate(course, gate, opens)
    assert not why_not_this_gate(course, replace(gate, asked_at=NOW), opens)
    assert not why_not_this_gate(course, replace(gate, early=True), opens)
    assert why_not_this_gate(course, replace(gate, asked_at=NOW, opener=Opener.APP), opens)
    assert why_not_this_gate(Course("cut-over", Status.SUCCEEDED, course.state), replace(gate, asked_at=NOW), opens)


def waiting_for_clients(deadline: str | None = "P14D", **changes: object) -> Course:
    """The grace period is over, and clients are waited for."""
    chosen = {"share": 0.98} if deadline is None else {"share": 0.98, "deadline": deadline}
    state = closed(after_grace(FakeServices(), migration(gates={"clients-moved": chosen})), GateName.CLIENTS_MOVED)
    for name in (GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED):
        state = with_gate(state, name, asked_at=None, opened_at=None)
    state = with_gate(state, GateName.CLIENTS_MOVED, opened_by="", reason="")
    waiting = Waiting("for clients", NOW, NOW + timedelta(hours=12), GateName.CLIENTS_MOVED)
    state = replace(state, grace_started_at=NOW, waiting=waiting)
    return Course("retire-old-gateway", Status.WAITING, replace(state, **changes))  # type: ignore[arg-type]  # each test knows its keys


def reported(active: int, moved: int, at: datetime = LATER) -> Requested:
    counted = ClientFigures(at, "ann@contoso.com", active, moved)
    return replace(asked(Ask.OPEN_GATE, gate=GateName.CLIENTS_MOVED, figures=counted), at=at)


def test_figures_that_suffice_open_the_gate_of_the_clients_and_are_kept() -> None:
    course, call = waiting_for_clients(), reported(10_000, 9_900)
    after, told = take_up(course, call)
    gate = after.state.gate(GateName.CLIENTS_MOVED)
    assert gate is not None and (gate.opened_at, gate.opened_by) == (LATER, "ann@contoso.com")
    assert after.state.client_figures == (call.figures,) and after.status is Status.RUNNING
    assert GateName.CLIENTS_MOVED in told


def test_figures_that_do_not_suffice_are_kept_and_told_and_open_nothing() -> None:
    course, call = waiting_for_clients(), reported(10_000, 9_000)
    after, told = take_up(course, call)
    assert after == replace(course, state=replace(course.state, client_figures=(call.figures,)))
    assert "ann@contoso.com" in told and "9000 of 10000" in told


def test_the_last_month_of_daily_figures_is_kept() -> None:
    course = waiting_for_clients()
    for day in range(KEPT + 2):
        course, _ = take_up(course, reported(10_000, 9_000 + day, LATER + timedelta(days=day)))
    assert [each.moved for each in course.state.client_figures] == list(range(9_002, 9_002 + KEPT))


def test_without_figures_the_gate_of_the_clients_opens_from_the_deadline_on() -> None:
    course, deadline = waiting_for_clients(), NOW + timedelta(days=14)
    call = asked(Ask.OPEN_GATE, gate=GateName.CLIENTS_MOVED)
    assert take_up(course, replace(call, at=deadline - timedelta(seconds=1))) == (course, "")
    after, _ = take_up(course, replace(call, at=deadline))
    gate = after.state.gate(GateName.CLIENTS_MOVED)
    assert gate is not None and gate.is_open and after.state.client_figures == ()
    undated, _ = take_up(waiting_for_clients(deadline=None), call)
    gate = undated.state.gate(GateName.CLIENTS_MOVED)
    assert gate is not None and gate.is_open


def test_another_gate_does_not_wait_for_that_deadline() -> None:
    course = waiting_for_clients()
    gate = course.state.gate(GateName.SITE_RECORD_REMOVED)
    assert gate is not None
    assert not why_not_this_gate(course, replace(gate, asked_at=NOW), asked(Ask.OPEN_GATE, gate=gate.name))


def test_clients_may_be_reported_once_the_grace_period_has_begun_and_nothing_else_is_confirmed_early() -> None:
    course = waiting_for_clients()
    course = replace(course, state=with_gate(course.state, GateName.CLIENTS_MOVED, asked_at=None))
    call = reported(10_000, 9_000)
    after, _ = take_up(course, call)
    assert after.state.client_figures == (call.figures,)
    unbegun = replace(course, state=replace(course.state, grace_started_at=None))
    assert take_up(unbegun, call) == (unbegun, "")
    without = replace(call, figures=None, at=NOW + timedelta(days=30))
    assert take_up(course, without) == (course, "")


def test_figures_of_clients_confirm_no_other_gate_before_it_is_asked_for() -> None:
    course = waiting_for_clients()
    call = replace(reported(10_000, 9_900), gate=GateName.SITE_RECORD_REMOVED)
    assert take_up(course, call) == (course, "")


@pytest.mark.parametrize("caller", [NOBODY, Principal("principal:ann", "Ann")])
def test_who_opened_a_gate_is_noted_as_far_as_it_was_verified(caller: Principal) -> None:
    name = GateName.READY_TO_CUT_OVER
    course = at_work(Status.WAITING)
    course = replace(course, state=with_gate(course.state, name, opened_at=None))
    after, _ = take_up(course, later(Ask.OPEN_GATE, gate=name, called_by=caller))
    gate = after.state.gate(name)
    assert gate is not None and gate.opened_as == (caller if caller.id else None)


MADE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/granitefalls"


def made_by_the_site(step: str = "provision-scale-set") -> Course:
    """Somebody is to make the new gateway in the console, and is waited for."""
    gate = Gate(GateName.GATEWAY_CREATED, Opener.PERSON, "Make it.", asked_at=NOW)
    state = before_cut_over(FakeServices(), migration(provisioned_by="site"))
    others = tuple(each for each in state.gates if each.name is not GateName.GATEWAY_CREATED)
    return Course(step, Status.WAITING, replace(state, gates=(gate, *others)))


def test_who_has_made_the_gateway_names_its_scale_set() -> None:
    course, name = made_by_the_site(), GateName.GATEWAY_CREATED
    assert take_up(course, asked(Ask.OPEN_GATE, gate=name)) == (course, "")
    after, _ = take_up(course, asked(Ask.OPEN_GATE, gate=name, made=MADE))
    assert after.state == replace(
        with_gate(course.state, name, opened_at=NOW, opened_by="ann@contoso.com", reason="because"),
        new=replace(course.state.new, named=MADE),
    )


def test_on_the_way_back_the_sites_administrator_removes_the_gateway_and_names_nothing() -> None:
    course = made_by_the_site("verify-gateway")
    course = replace(course, state=with_gate(course.state, GateName.GATEWAY_CREATED, opened_at=NOW, opened_by="ann"))
    back, _ = take_up(course, later(Ask.ROLLBACK))
    gate = back.state.gate(GateName.GATEWAY_CREATED)
    assert gate is not None and not gate.is_open and gate.asked_at is None and gate.opener is Opener.PERSON
    assert "removes the new gateway" in gate.what_to_do
    waits = replace(back, state=with_gate(back.state, GateName.GATEWAY_CREATED, asked_at=NOW))
    done, _ = take_up(waits, later(Ask.OPEN_GATE, gate=GateName.GATEWAY_CREATED))
    gate = done.state.gate(GateName.GATEWAY_CREATED)
    assert gate is not None and gate.is_open

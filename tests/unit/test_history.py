"""What each line of a history is to those who listen."""

from dataclasses import replace
from datetime import timedelta

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.gates import OBSERVATION, Gate, GateName, Opener
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.plans import Plan
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Ask, Event, Happening, Requested, State, Status
from cmg_core.engine import taken_up
from cmg_core.history import MOST_WARNINGS, Line, events_of, lines_of_run
from cmg_core.ledger.codec import EVENT
from cmg_core.steps.gates import opened_by_observation, wait_at
from tests.records import NOW, a_save, a_state

READY = Gate(GateName.READY_TO_CUT_OVER, Opener.PERSON, "Say so.", early=True)
CNAME = Gate(GateName.CNAME, Opener.APP, "Set the record.")
PROBLEM = Problem(code="x", title="It broke", detail="d", cure="c", findings=(blocks("f", "s", "c"),))


def lines(outcome: Outcome, before: State | None = None, *, ends: bool = False) -> list[tuple[str, Happening]]:
    found = lines_of_run(outcome, before or a_state(), "cut-over", ends=ends, waits_anew=True)
    return [(line.text, line.kind) for line in found]


def test_what_a_step_tells_is_progress_and_its_end_may_be_the_deployments() -> None:
    assert lines(Done(a_state(), ("made x",))) == [
        ("made x", Happening.PROGRESS),
        ("cut-over is done", Happening.PROGRESS),
    ]
    assert lines(Done(a_state()), ends=True) == [("cut-over is done", Happening.ENDED)]


def test_a_failure_needs_attention_unless_it_is_the_end() -> None:
    failed = Failed(a_state(), PROBLEM)
    assert lines(failed) == [("cut-over failed: It broke", Happening.NEEDS_ATTENTION)]
    assert lines(failed, ends=True) == [("cut-over failed: It broke", Happening.ENDED)]


def test_a_gate_that_waits_and_one_that_the_app_sees_open() -> None:
    state = a_state(gates=(CNAME, READY))
    (line,) = lines_of_run(wait_at(state, GateName.CNAME, NOW), state, "cut-over", ends=False, waits_anew=True)
    assert (line.kind, line.gate) == (Happening.GATE_WAITING, GateName.CNAME)
    opened = opened_by_observation(state, GateName.CNAME, NOW, "it leads there")
    first, last = lines_of_run(opened, state, "cut-over", ends=False, waits_anew=True)
    assert (first.kind, first.gate) == (Happening.GATE_OPENED, GateName.CNAME)
    assert first.text == "the gate cname is open: it leads there" and last.kind is Happening.PROGRESS


def test_a_gate_that_was_open_before_is_not_told_again() -> None:
    was_open = replace(CNAME, asked_at=NOW, opened_at=NOW, opened_by=OBSERVATION, reason="seen")
    state = a_state(gates=(was_open,))
    assert lines(Done(state, ("the gate cname is open: seen",)), state)[0][1] is Happening.PROGRESS


def test_a_wait_that_goes_on_tells_nothing_and_a_grace_period_is_progress() -> None:
    wait = Wait(a_state(), timedelta(minutes=1), "looks again", gate=GateName.CNAME)
    assert lines_of_run(wait, a_state(), "cut-over", ends=False, waits_anew=False) == ()
    grace = Wait(a_state(), timedelta(days=1), "grace", grace=True)
    assert lines(grace) == [("waits: grace", Happening.PROGRESS)]


def test_a_new_plans_warnings_are_told_once_and_nothing_else_of_it() -> None:
    findings = (tells("t", "told.", "c"), *(warns("w", f"seen {n}.", "Look.") for n in range(MOST_WARNINGS + 5)))
    planned = a_state(plan=Plan.model_construct(findings=findings))
    warned = [text for text, kind in lines(Done(planned)) if kind is Happening.WARNING]
    assert warned == [f"seen {n}. Look." for n in range(MOST_WARNINGS)]
    assert Happening.WARNING not in [kind for _, kind in lines(Done(planned), planned)]


def test_calls_from_outside_open_gates_and_end_deployments() -> None:
    asked = replace(READY, asked_at=NOW)
    change = a_save(2, state=a_state(gates=(asked,)))
    _, (opened,) = taken_up(change, (Requested(Ask.OPEN_GATE, "ann", "go", NOW, READY.name),))
    assert (opened.kind, opened.gate) == (Happening.GATE_OPENED, READY.name)
    _, (cancelled,) = taken_up(replace(change, step="preflight"), (Requested(Ask.CANCEL, "ann", "no window", NOW),))
    assert cancelled.kind is Happening.ENDED


def test_a_save_writes_status_gate_and_problem_and_an_end_that_was_taken_back_is_none() -> None:
    state = a_state(problem=PROBLEM)
    told = [Line("a"), Line("b", Happening.NEEDS_ATTENTION), Line("c", Happening.ENDED)]
    first, second, third = events_of(told, a_save(2, Status.NEEDS_ATTENTION, state), "cut-over", "c0ffee")
    assert [first.kind, second.kind, third.kind] == ["progress", "needs-attention", "progress"]
    assert {first.status, second.status} == {Status.NEEDS_ATTENTION} and first.correlation_id == "c0ffee"
    assert first.problem is None and second.problem is not None
    assert (second.problem.title, second.problem.findings) == ("It broke", ())
    assert events_of(told, a_save(2, Status.REFUSED, state), "preflight")[2].kind is Happening.ENDED


def test_a_failure_that_a_noted_rollback_took_up_calls_for_nobody() -> None:
    told = [Line("verify-gateway failed", Happening.NEEDS_ATTENTION), Line("asked back")]
    assert [each.kind for each in events_of(told, a_save(2, Status.RUNNING), "verify-gateway")] == ["progress"] * 2


def test_a_problem_as_long_as_many_locks_make_it_fits_into_a_row() -> None:
    state = a_state(problem=PROBLEM.model_copy(update={"detail": "The lock «ä» protects it. " * 5_000}))
    stops = [Line("x failed: " + "y" * 50_000, Happening.NEEDS_ATTENTION)]
    (event,) = events_of(stops, a_save(2, Status.NEEDS_ATTENTION, state), "retire-old-gateway")
    assert event.problem is not None and event.problem.detail.startswith("The lock «ä»")
    assert event.text.endswith("…") and len(EVENT.dump_json(event).decode()) < 32_768


def test_an_event_of_an_earlier_release_is_progress() -> None:
    old = b'{"at": "2026-11-23T09:30:15Z", "step": "preflight", "text": "accepted", "revision": 1}'
    read = EVENT.validate_json(old)
    assert (read.kind, read.status, read.gate, read.problem) == (Happening.PROGRESS, None, None, None)
    told = Event(NOW, "cut-over", "x", 2, "c", Happening.ENDED, Status.REFUSED, GateName.CNAME, PROBLEM)
    assert EVENT.validate_json(EVENT.dump_json(told)) == told

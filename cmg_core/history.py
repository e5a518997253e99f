"""What a deployment's history says of a run or a call, and what each line is to those who listen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cmg_core.domain.gates import Gate, GateName, seen_open
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.principals import NOBODY, Principal
from cmg_core.domain.problems import Problem, Severity
from cmg_core.domain.record import Event, Happening, State, Status
from cmg_core.domain.transitions import Course
from cmg_core.services import Save

MOST_WARNINGS = 20
"""Of one plan, so that a save stays one batch of at most a hundred rows."""
LONGEST_TEXT = 8_000
"""Characters of a line, and of a problem's detail beside it: both lie in one text of a row, which holds 32,768
(Microsoft Learn, "Understanding the Table service data model"). The record has the problem whole."""


@dataclass(frozen=True)
class Line:
    """A line before it is saved."""

    text: str
    kind: Happening = Happening.PROGRESS
    gate: GateName | None = None
    called_by: Principal = NOBODY
    """Whose call it tells of."""


def lines_of_run(outcome: Outcome, before: State, step: str, *, ends: bool, waits_anew: bool) -> tuple[Line, ...]:
    """What a step tells, what its plan warns of, and what a person would ask for. ``ends`` says whether the deployment
    ends with this run, ``waits_anew`` whether a wait is one that a person should see begin."""
    told = (*_steps_lines(outcome, before), *_warnings(before, outcome.state))
    match outcome:
        case Done():
            return (*told, Line(f"{step} is done", Happening.ENDED if ends else Happening.PROGRESS))
        case Failed():
            stops = Happening.ENDED if ends else Happening.NEEDS_ATTENTION
            return (*told, Line(f"{step} failed: {outcome.problem.title}", stops))
        case Wait() if waits_anew and (outcome.gate or outcome.grace):
            kind = Happening.GATE_WAITING if outcome.gate else Happening.PROGRESS
            return (*told, Line(f"waits: {outcome.reason}", kind, outcome.gate))
        case Wait():
            return told


def line_of_call(text: str, before: Course, after: Course, called_by: Principal) -> Line:
    """What a call from outside came to."""
    if after.status.is_end and not before.status.is_end:
        return Line(text, Happening.ENDED, called_by=called_by)
    opened = _newly_open(before.state, after.state)
    if opened:
        return Line(text, Happening.GATE_OPENED, opened[0].name, called_by)
    return Line(text, called_by=called_by)


def events_of(lines: Sequence[Line], saved: Save, step: str, correlation_id: str = "") -> list[Event]:
    """The lines as this save writes them. A run whose end or failure a noted call took back has not stopped the
    deployment."""
    taken_back = {
        *(() if saved.status.is_end else (Happening.ENDED,)),
        *(() if saved.status is Status.NEEDS_ATTENTION else (Happening.NEEDS_ATTENTION,)),
    }
    lines = [replace(line, kind=Happening.PROGRESS) if line.kind in taken_back else line for line in lines]
    return [
        Event(
            saved.updated_at,
            step,
            _shortened(line.text),
            saved.revision,
            correlation_id,
            line.kind,
            saved.status,
            line.gate,
            _in_short(saved.state.problem) if line.kind in _STOPS else None,
            line.called_by,
        )
        for line in lines
    ]


_STOPS = (Happening.NEEDS_ATTENTION, Happening.ENDED)


def _in_short(problem: Problem | None) -> Problem | None:
    """Without its findings, for which a row of the history has no room."""
    return problem.model_copy(update={"findings": (), "detail": _shortened(problem.detail)}) if problem else None


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _steps_lines(outcome: Outcome, before: State) -> Iterator[Line]:
    opened = {seen_open(gate.name, gate.reason): gate.name for gate in _newly_open(before, outcome.state)}
    for text in outcome.told:
        yield Line(text, Happening.GATE_OPENED, opened[text]) if text in opened else Line(text)


def _warnings(before: State, after: State) -> Iterable[Line]:
    if after.plan is None or before.plan is not None:
        return ()
    warned = [finding for finding in after.plan.findings if finding.severity is Severity.WARNS]
    return [Line(f"{finding.seen} {finding.cure}", Happening.WARNING) for finding in warned[:MOST_WARNINGS]]


def _newly_open(before: State, after: State) -> list[Gate]:
    closed = {gate.name for gate in before.gates if not gate.is_open}
    known = {gate.name for gate in before.gates}
    return [gate for gate in after.gates if gate.is_open and (gate.name in closed or gate.name not in known)]

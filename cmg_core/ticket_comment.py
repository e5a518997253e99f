"""A deployment as a ticket's comment: short plain text for people, in the same words each time.

Ticket systems give characters of a comment a meaning: ServiceNow's journal fields take «[code]» for HTML, Jira's wiki
markup links, embeds and mentions by brackets, braces, bars and exclamation marks, and its automation fills in what
stands in double braces. None of these characters is in a comment; what others wrote is shown with look-alikes.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from cmg_core.domain.gates import Opener
from cmg_core.domain.problems import Finding
from cmg_core.domain.record import Ask, Event, Record, State, Status
from cmg_core.domain.requests import ReplacementRequest
from cmg_core.domain.transitions import RELEASE_NAME, ROLL_BACK, Course, possible
from cmg_core.domain.values import Json, JsonObject, at, text_at
from cmg_core.plan_page.markdown import one_line
from cmg_core.plan_page.words import OPENERS, STEPS
from cmg_core.views import status_view

WIDTH = 100
"""Of a line; a resource ID stands whole on its own, so that it can be copied."""
LONGEST = 4_000
"""Of a comment: what a text of several lines holds in ServiceNow unless its dictionary says otherwise ("Journal field
type")."""
MOST_LISTED = 10
MOST_FINDINGS = 5

KINDS: Mapping[str, str] = {"migration": "Migration of", "deployment": "New gateway", "retirement": "Retirement of"}

HEADLINES: Mapping[Status, str] = {
    Status.RUNNING: "under way",
    Status.WAITING: "waiting",
    Status.GRACE: "in the grace period, both gateways stand",
    Status.NEEDS_ATTENTION: "stopped, a person is needed",
    Status.SUCCEEDED: "done",
    Status.REFUSED: "refused, nothing was begun",
    Status.CANCELLED: "cancelled, nothing was made",
    Status.ROLLED_BACK: "rolled back, what it made is removed",
}
BACK_TO_THE_OLD = "rolled back, the old gateway serves"

OUTCOMES: Mapping[str, str] = {
    "done": "Done",
    "running": "Under way",
    "failed": "Stopped at",
    "skipped": "Left out",
    "to-come": "To come",
}

_MEANT = str.maketrans({"[": "(", "]": ")", "{": "(", "}": ")", "<": "«", ">": "»", "|": "/", "\\": "/", "!": "."})


def ticket_comment(record: Record) -> str:
    """The comment: where the deployment is, what it waits for and who opens it, what stopped it with the cure, what
    comes next, what was made, kept and removed."""
    state, shown = record.state, status_view(record).model_dump(mode="json")
    sections = (
        _title(record),
        _waiting(record),
        _grace(state),
        _problem(record),
        _steps(record),
        _gates(record),
        _next(record, shown),
        _resources(record, shown),
        _asking(record),
    )
    lines = _wrapped(line for section in sections for line in section)
    last = f"All of it: GET /api/deployments/{record.id}"
    return "\n".join((*_fitting(lines, LONGEST - len(last) - 1), last)) + "\n"


def history_text(events: Sequence[Event]) -> str:
    """A deployment's history, a line an event, oldest first."""
    lines = _wrapped(f"{_moment(event.at)} {event.step}: {event.text}" for event in events)
    return "".join(f"{line}\n" for line in lines)


def _title(record: Record) -> Iterator[str]:
    state = record.state
    request, names = state.request, state.plan.names if state.plan else None
    name = names.service_name if names else ""
    if isinstance(request, ReplacementRequest):
        name = name or request.old_gateway.service_name
    ticket = f" ({request.external_reference})" if request.external_reference else ""
    yield f"{KINDS[request.kind]} {name or f'in {request.resource_group}'}{ticket}: {_headline(record)}"


def _headline(record: Record) -> str:
    match record.status, record.step:
        case Status.RUNNING | Status.WAITING, step if step == ROLL_BACK:
            return "being rolled back"
        case Status.RUNNING | Status.WAITING, step if step == RELEASE_NAME:
            return "done, its parked name is being released"
        case Status.ROLLED_BACK, _ if isinstance(record.state.request, ReplacementRequest):
            return BACK_TO_THE_OLD
    return HEADLINES[record.status]


def _waiting(record: Record) -> Iterator[str]:
    waiting = record.state.waiting
    if waiting is None or record.status.is_end or waiting.grace:
        return
    gate = record.state.gate(waiting.gate) if waiting.gate else None
    if gate is None:
        yield f"Waits since {_moment(waiting.since)}: {waiting.reason}"
        yield f"Looks again at {_moment(waiting.next_look)}."
        return
    yield f"Waits at the gate {gate.name} since {_moment(waiting.since)}: {waiting.reason}"
    yield f"Opened by {OPENERS[gate.opener]}."
    if gate.opener is not Opener.APP:
        yield "To open it, send by and reason:"
        yield f"POST /api/deployments/{record.id}/gates/{gate.name}"
    if gate.opener is not Opener.PERSON:
        yield "To have the app look now:"
        yield f"POST /api/deployments/{record.id}/check"


def _grace(state: State) -> Iterator[str]:
    if state.grace_ends_at is not None and not state.deleted:
        yield f"Grace period until {_moment(state.grace_ends_at)}: nothing of the old gateway is removed before."


def _problem(record: Record) -> Iterator[str]:
    problem, plan = record.state.problem, record.state.plan
    if problem is None:
        return
    place = f" at {problem.step}" if problem.step else ""
    yield f"Problem{place}: {problem.title}. {problem.detail}"
    if problem.resource:
        yield "Resource:"
        yield problem.resource
    yield f"What to do: {problem.cure}"
    yield from _findings(plan.blocked_by if plan and record.status is Status.REFUSED else problem.findings)


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings[:MOST_FINDINGS]:
        yield f"Finding {finding.code}: {finding.seen} What to do: {finding.cure}"
    if len(findings) > MOST_FINDINGS:
        yield f"Further findings: {len(findings) - MOST_FINDINGS}."


def _steps(record: Record) -> Iterator[str]:
    for outcome, heading in OUTCOMES.items():
        names = [line.name for line in record.state.progress if line.outcome == outcome]
        if names and not (outcome == "to-come" and record.status.is_end):
            yield f"{heading}: {', '.join(names)}."


def _gates(record: Record) -> Iterator[str]:
    closed = [f"{gate.name} ({gate.opener})" for gate in record.state.gates if not gate.is_open]
    if closed and not record.status.is_end:
        yield f"Gates still closed: {', '.join(closed)}."


def _next(record: Record, shown: JsonObject) -> Iterator[str]:
    step = text_at(shown, "next_step")
    if step and record.status is not Status.NEEDS_ATTENTION:
        yield f"Next: {step}. {STEPS.get(step, '')}"


def _resources(record: Record, shown: JsonObject) -> Iterator[str]:
    """What stands and what went. Of a deployment that never began to write only what it kept would be left: nothing."""
    ids = {key: _ids(at(shown, "resources", key)) for key in ("made", "perhaps_made", "deleted", "to_delete", "kept")}
    parked, gone = text_at(shown, "resources", "parked"), {*ids["deleted"]}
    yield from _listed("Made", [id for id in ids["made"] if id not in gone])
    yield from _listed("Perhaps made", ids["perhaps_made"])
    yield from _listed("Removed", ids["deleted"])
    if not record.status.is_end:
        yield from _listed("To be removed", ids["to_delete"])
    if record.status not in (Status.REFUSED, Status.CANCELLED):
        yield from _listed("Kept", [id for id in ids["kept"] if id != parked])
    yield from _listed("Kept for its name, until that is released", [parked] if parked else [])


def _ids(found: Json) -> list[str]:
    return [id for id in found if isinstance(id, str)] if isinstance(found, list) else []


def _listed(heading: str, ids: Sequence[str]) -> Iterator[str]:
    if ids:
        yield f"{heading}:"
        yield from ids[:MOST_LISTED]
    if len(ids) > MOST_LISTED:
        yield f"and {len(ids) - MOST_LISTED} more."


def _asking(record: Record) -> Iterator[str]:
    asks = [ask for ask in possible(Course(record.step, record.status, record.state)) if ask is not Ask.CHECK]
    if asks:
        yield f"Can be asked, with by and reason: {', '.join(asks)}."
        yield f"POST /api/deployments/{record.id}/{asks[0]}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _wrapped(lines: Iterable[str]) -> list[str]:
    told: list[str] = []
    for line in lines:
        plain = one_line(line).translate(_MEANT)
        told += textwrap.wrap(plain, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return told


def _fitting(lines: Sequence[str], room: int) -> Iterator[str]:
    """The first lines, as many as there is room for."""
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line

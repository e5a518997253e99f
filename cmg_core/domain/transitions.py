"""What may be asked of a deployment, and when: one table of phases and requests, tested exhaustively.

A request that comes in while a step holds its claim is noted and taken up when that step saves; the table is asked
again at that moment, because the deployment may have gone on.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from cmg_core.domain.clients_moved import KEPT, why_no_decision, why_not_enough
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.record import Ask, ClientFigures, Requested, RollBack, State, Status, StepProgress
from cmg_core.domain.requests import RetirementRequest

ROLL_BACK = "roll-back"
RELEASE_NAME = "release-name"


class Phase(StrEnum):
    """Where a deployment is, as far as it decides what may be asked of it."""

    LOOKING = "looking"
    """Preflight: nothing was written in Azure."""
    BUILDING = "building"
    CUTTING_OVER = "cutting-over"
    WATCHING = "watching"
    """A retirement before its removal: another gateway serves, and nothing was written in Azure."""
    GRACE = "grace"
    """Until the site's administrator is asked to remove the old gateway's record: everything can still go back."""
    RETIRING = "retiring"
    ROLLING_BACK = "rolling-back"
    PARKED = "parked"
    """It has succeeded, and the old gateway's address still keeps its name."""
    RELEASING = "releasing"
    ENDED = "ended"


@dataclass(frozen=True)
class Course:
    """Where a deployment stands and goes: what a request may change."""

    step: str
    status: Status
    state: State


_ALLOWED = ""
_ENDED = "The deployment has ended."
_NOTHING_MADE = "Nothing has been made yet. Cancel it instead: that leaves nothing behind."
_PERHAPS_MADE = "Resources may have been made already. Roll it back instead: that removes what this deployment made."
_ROLLS_BACK = "It is being rolled back."
_NO_WAY_BACK = (
    "The old gateway is being removed: its site record or its original connection point may be gone, and without them "
    "there is no gateway to go back to."
)
_NOT_SUCCEEDED = "A parked name can be released only when the deployment has succeeded."
_NOTHING_PARKED = "It keeps no name: none was parked, or it has been released."
_RELEASES = "The parked name is being released: the deployment itself has ended."
_RELEASE_BEGAN = "Azure is deleting the address already."
_NOTHING_LED_OVER = (
    "It leads nobody over and makes nothing: there is nothing to take back. Cancel it instead, and the old gateway "
    "stays."
)
_OLD_GATEWAY_GONE = "The old gateway was gone before the plan was made: there is none to go back to."
_NO_GRACE = "No grace period runs. Before it begins, a longer one can only be asked for in a new request."

TABLE: dict[tuple[Phase, Ask], str] = {
    (Phase.LOOKING, Ask.CANCEL): _ALLOWED,
    (Phase.LOOKING, Ask.ROLLBACK): _NOTHING_MADE,
    (Phase.LOOKING, Ask.RESUME): _ALLOWED,
    (Phase.LOOKING, Ask.EXTEND): _NO_GRACE,
    (Phase.LOOKING, Ask.CHECK): _ALLOWED,
    (Phase.LOOKING, Ask.OPEN_GATE): _ALLOWED,
    (Phase.BUILDING, Ask.CANCEL): _PERHAPS_MADE,
    (Phase.BUILDING, Ask.ROLLBACK): _ALLOWED,
    (Phase.BUILDING, Ask.RESUME): _ALLOWED,
    (Phase.BUILDING, Ask.EXTEND): _NO_GRACE,
    (Phase.BUILDING, Ask.CHECK): _ALLOWED,
    (Phase.BUILDING, Ask.OPEN_GATE): _ALLOWED,
    (Phase.CUTTING_OVER, Ask.CANCEL): _PERHAPS_MADE,
    (Phase.CUTTING_OVER, Ask.ROLLBACK): _ALLOWED,
    (Phase.CUTTING_OVER, Ask.RESUME): _ALLOWED,
    (Phase.CUTTING_OVER, Ask.EXTEND): _NO_GRACE,
    (Phase.CUTTING_OVER, Ask.CHECK): _ALLOWED,
    (Phase.CUTTING_OVER, Ask.OPEN_GATE): _ALLOWED,
    (Phase.WATCHING, Ask.CANCEL): _ALLOWED,
    (Phase.WATCHING, Ask.ROLLBACK): _NOTHING_LED_OVER,
    (Phase.WATCHING, Ask.RESUME): _ALLOWED,
    (Phase.WATCHING, Ask.EXTEND): _ALLOWED,
    (Phase.WATCHING, Ask.CHECK): _ALLOWED,
    (Phase.WATCHING, Ask.OPEN_GATE): _ALLOWED,
    (Phase.GRACE, Ask.CANCEL): _PERHAPS_MADE,
    (Phase.GRACE, Ask.ROLLBACK): _ALLOWED,
    (Phase.GRACE, Ask.RESUME): _ALLOWED,
    (Phase.GRACE, Ask.EXTEND): _ALLOWED,
    (Phase.GRACE, Ask.CHECK): _ALLOWED,
    (Phase.GRACE, Ask.OPEN_GATE): _ALLOWED,
    (Phase.RETIRING, Ask.CANCEL): _NO_WAY_BACK,
    (Phase.RETIRING, Ask.ROLLBACK): _NO_WAY_BACK,
    (Phase.RETIRING, Ask.RESUME): _ALLOWED,
    (Phase.RETIRING, Ask.EXTEND): _NO_WAY_BACK,
    (Phase.RETIRING, Ask.CHECK): _ALLOWED,
    (Phase.RETIRING, Ask.OPEN_GATE): _ALLOWED,
    (Phase.ROLLING_BACK, Ask.CANCEL): _ROLLS_BACK,
    (Phase.ROLLING_BACK, Ask.ROLLBACK): _ROLLS_BACK,
    (Phase.ROLLING_BACK, Ask.RESUME): _ALLOWED,
    (Phase.ROLLING_BACK, Ask.EXTEND): _ROLLS_BACK,
    (Phase.ROLLING_BACK, Ask.CHECK): _ALLOWED,
    (Phase.ROLLING_BACK, Ask.OPEN_GATE): _ALLOWED,
    **{(phase, Ask.RELEASE_NAME): _NOT_SUCCEEDED for phase in Phase},
    **{(phase, ask): _ENDED for phase in (Phase.PARKED, Phase.ENDED) for ask in Ask},
    (Phase.PARKED, Ask.RELEASE_NAME): _ALLOWED,
    (Phase.ENDED, Ask.RELEASE_NAME): _NOTHING_PARKED,
    (Phase.RELEASING, Ask.CANCEL): _ALLOWED,
    (Phase.RELEASING, Ask.ROLLBACK): _RELEASES,
    (Phase.RELEASING, Ask.RESUME): _ALLOWED,
    (Phase.RELEASING, Ask.EXTEND): _RELEASES,
    (Phase.RELEASING, Ask.CHECK): _ALLOWED,
    (Phase.RELEASING, Ask.OPEN_GATE): _RELEASES,
    (Phase.RELEASING, Ask.RELEASE_NAME): _RELEASES,
}
"""Phase and request to why not; an empty text allows it."""


def phase_of(course: Course) -> Phase:
    """Where a deployment is."""
    if course.status.is_end:
        return Phase.PARKED if course.status is Status.SUCCEEDED and course.state.parked else Phase.ENDED
    is_retirement = isinstance(course.state.request, RetirementRequest)
    match course.step:
        case "preflight":
            return Phase.LOOKING
        case "retire-old-gateway" if _removal_has_begun(course.state):
            return Phase.RETIRING
        case _ if is_retirement and course.step != RELEASE_NAME:
            return Phase.WATCHING
        case "cut-over":
            return Phase.CUTTING_OVER
        case "retire-old-gateway":
            return Phase.GRACE
        case _ if course.step == ROLL_BACK:
            return Phase.ROLLING_BACK
        case _ if course.step == RELEASE_NAME:
            return Phase.RELEASING
        case _:
            return Phase.BUILDING


def _removal_has_begun(state: State) -> bool:
    last = (state.gate(GateName.SITE_RECORD_REMOVED), state.gate(GateName.CONNECTION_POINT_REMOVED))
    return bool(state.deleted or state.operations) or any(gate is not None and gate.asked_at for gate in last)


def why_not(course: Course, ask: Ask) -> str:
    """Why a request is not possible now; empty where it is."""
    refused = TABLE[phase_of(course), ask]
    if refused:
        return refused
    if ask is Ask.EXTEND and course.state.grace_ends_at is None:
        return _NO_GRACE
    if ask is Ask.ROLLBACK and _is_gone(course.state) and phase_of(course) in (Phase.CUTTING_OVER, Phase.GRACE):
        return _OLD_GATEWAY_GONE
    if ask is Ask.CANCEL and course.step == RELEASE_NAME and course.state.operations:
        return _RELEASE_BEGAN
    needs_a_person = course.status is Status.NEEDS_ATTENTION
    if ask is Ask.RESUME and not needs_a_person:
        return f"It is {course.status}, not stopped: there is nothing to resume."
    if ask in (Ask.CHECK, Ask.OPEN_GATE, Ask.EXTEND) and needs_a_person:
        return "It stopped and needs attention. Cure the cause and resume it, or take it back where that is possible."
    return ""


def _is_gone(state: State) -> bool:
    return state.plan is not None and state.plan.old_gateway is not None and state.plan.old_gateway.gone


def possible(course: Course) -> tuple[Ask, ...]:
    """What may be asked now, gates apart."""
    return tuple(ask for ask in Ask if ask is not Ask.OPEN_GATE and not why_not(course, ask))


def why_not_this_gate(course: Course, gate: Gate, requested: Requested) -> str:
    """Why a person cannot open a gate now, with what they say; empty where that is possible."""
    if refused := why_not(course, Ask.OPEN_GATE):
        return refused
    if gate.opener is Opener.APP:
        return "It opens by what the app observes itself, not by a call."
    if gate.name is GateName.CLIENTS_MOVED and requested.figures is None:
        refused = why_no_decision(course.state, requested.at)
    if gate.name is GateName.GATEWAY_CREATED and not requested.made and course.step != ROLL_BACK:
        refused = 'Name the scale set that the site has made: `payload` {"resource_id": "…"}.'
    counts_clients = gate.name is GateName.CLIENTS_MOVED and requested.figures is not None
    is_report = counts_clients and course.state.grace_started_at is not None
    if not gate.early and gate.asked_at is None and not is_report:
        return "The deployment has not come to it yet: what it confirms cannot be true before."
    return refused


def take_up(course: Course, requested: Requested) -> tuple[Course, str]:
    """The course after a request, and what the history says of it. What is not possible any more changes nothing."""
    refused = why_not(course, requested.ask)
    if refused:
        return course, f"{requested.by} asked to {requested.ask}, too late: {refused}"
    told = f"{requested.by}: {requested.ask}. {requested.reason}"
    state = course.state
    match requested.ask:
        case Ask.OPEN_GATE:
            return _opened(course, requested)
        case Ask.CANCEL if course.step == RELEASE_NAME:
            kept = _left_undone(replace(state, waiting=None, problem=None), requested.at)
            return Course(course.step, Status.SUCCEEDED, kept), told
        case Ask.RELEASE_NAME:
            lines = [line for line in state.progress if line.name != RELEASE_NAME]
            begun = replace(state, retries=0, progress=(*lines, StepProgress(RELEASE_NAME)))
            return Course(RELEASE_NAME, Status.RUNNING, begun), told
        case Ask.CANCEL:
            return Course(course.step, Status.CANCELLED, _left_undone(replace(state, waiting=None), requested.at)), told
        case Ask.RESUME:
            line = replace(_line(state, course.step), outcome="running", started_at=None, ended_at=None)
            resumed = replace(state, problem=None, waiting=None, retries=0, operations={})
            return Course(course.step, Status.RUNNING, resumed.with_progress(line)), told
        case Ask.EXTEND:
            return _extended(course, requested)
        case Ask.ROLLBACK:
            return _rolling_back(course, requested.at), told
        case Ask.CHECK:
            waiting = replace(state.waiting, next_look=requested.at) if state.waiting else None
            return replace(course, state=replace(state, waiting=waiting)), told


def _opened(course: Course, requested: Requested) -> tuple[Course, str]:
    state = course.state
    gate = state.gate(requested.gate) if requested.gate else None
    if gate is None or gate.is_open or why_not_this_gate(course, gate, requested):
        return course, ""
    if requested.figures is not None:
        course, lacking = _reported(course, requested.figures)
        state = course.state
        if lacking:
            return course, f"{requested.by} reported figures of clients: {lacking}"
    opened_as = requested.called_by if requested.called_by.id else None
    opened = replace(gate, opened_at=requested.at, opened_by=requested.by, reason=requested.reason, opened_as=opened_as)
    state = state.with_gate(opened)
    if requested.made:
        state = replace(state, new=replace(state.new, named=requested.made))
    status = course.status
    if state.waiting is not None and state.waiting.gate == gate.name:
        state, status = replace(state, waiting=replace(state.waiting, next_look=requested.at)), Status.RUNNING
    return Course(course.step, status, state), f"{requested.by} opened the gate {gate.name}: {requested.reason}"


def _reported(course: Course, figures: ClientFigures) -> tuple[Course, str]:
    """The course with figures of clients, and what they lack."""
    state, wanted = course.state, course.state.request.gates.clients_moved
    kept = (*state.client_figures, figures)[-KEPT:]
    course = replace(course, state=replace(state, client_figures=kept))
    return course, why_not_enough(figures, wanted) if wanted else ""


def _extended(course: Course, requested: Requested) -> tuple[Course, str]:
    ends_at, until = course.state.grace_ends_at, requested.until
    if ends_at is None or until is None or until <= ends_at:
        return course, f"{requested.by} asked to extend the grace period to a moment that is no later than its end"
    waiting = course.state.waiting
    state = replace(
        course.state, grace_ends_at=until, waiting=replace(waiting, next_look=requested.at) if waiting else None
    )
    told = f"{requested.by} extended the grace period to {until.isoformat()}: {requested.reason}"
    return replace(course, state=state), told


def _rolling_back(course: Course, at: datetime) -> Course:
    """On the way back. What others lead over has to be led back by them: those gates close again. One that nobody has
    been asked at may be true all the same: a run that died after it had changed the record could not ask."""
    state = _left_undone(course.state, at)
    inside = any(gate.name is GateName.INSIDE_DNS and gate.asked_at is not None for gate in state.gates)
    for gate in state.gates:
        if gate.name is GateName.INSIDE_DNS:
            # The app goes on by itself where nobody was asked to lead the inside view over, and it has not followed.
            opener = Opener.PERSON if inside else Opener.APP_OR_PERSON
            state = state.with_gate(Gate(gate.name, opener, _inside_view_back(state)))
        elif gate.name is GateName.CNAME and state.request.dns is None:
            state = state.with_gate(Gate(gate.name, Opener.APP, _record_back(state)))
        elif gate.name is GateName.GATEWAY_CREATED:
            state = state.with_gate(Gate(gate.name, Opener.PERSON, _GATEWAY_REMOVED))
    state = replace(
        state,
        problem=None,
        waiting=None,
        retries=0,
        operations={},
        roll_back=RollBack(at, inside_view=inside),
        progress=(*state.progress, StepProgress(ROLL_BACK)),
    )
    return Course(ROLL_BACK, Status.RUNNING, state)


def _left_undone(state: State, at: datetime) -> State:
    """The steps that do not end any more are skipped, in the progress that people see."""
    lines = [
        replace(line, outcome="skipped", ended_at=at if line.started_at else None)
        if line.outcome in ("to-come", "running")
        else line
        for line in state.progress
    ]
    return replace(state, progress=tuple(lines))


_GATEWAY_REMOVED = (
    "The site's administrator removes the new gateway and its connection point in the console, as far as they were "
    "made, and confirms it: nobody is led to it any more."
)


def _inside_view_back(state: State) -> str:
    return (
        f"Whoever holds the inside DNS lets {_service_name(state)} lead to {_old_name(state)} again on the original "
        "connection point's server (a hosts entry does), and confirms it. A second connection point, where there is "
        "one, stays until the rollback is over."
    )


def _record_back(state: State) -> str:
    if state.plan and (state.plan.has_two_names or state.plan.old_gateway is None):
        return (
            f"Whoever holds the public zone removes the record of {_service_name(state)}, if there is one: it would "
            "lead to a name that anybody could claim once the new gateway is gone, so that one stays until then. "
            "Opens when no public server leads there any more."
        )
    return (
        f"Whoever holds the public zone points {_service_name(state)} at {_old_name(state)} again, once that gateway "
        "relays. Opens when the public servers show it."
    )


def _service_name(state: State) -> str:
    return state.plan.names.service_name if state.plan and state.plan.names else "the service name"


def _old_name(state: State) -> str:
    return state.plan.old_gateway.deployment_name if state.plan and state.plan.old_gateway else "the old gateway"


def _line(state: State, step: str) -> StepProgress:
    return next((line for line in state.progress if line.name == step), StepProgress(step))

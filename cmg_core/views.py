"""A deployment as callers see it: for people, for pollers, in lists. Secrets cannot be here: the record holds none."""

from collections.abc import Collection
from datetime import timedelta

from pydantic import TypeAdapter

from cmg_core.domain.clients_moved import RESCUE_ROUTE, deadline_of
from cmg_core.domain.durations import Timetable, timetable
from cmg_core.domain.gates import Gate
from cmg_core.domain.old_connections import why_not_counted
from cmg_core.domain.plans import Plan
from cmg_core.domain.prices import ParallelCost, parallel_cost
from cmg_core.domain.record import ConnectionCount, Event, Record, State, Status, StepProgress
from cmg_core.domain.requests import ClientsMoved, ReplacementRequest, Request
from cmg_core.domain.transitions import RELEASE_NAME, Course, possible
from cmg_core.domain.values import Json, JsonObject
from cmg_core.domain.way_back import WayBack, way_back
from cmg_core.plan import step_after
from cmg_core.services import ActiveRow

_JSON = TypeAdapter[Json](Json)
_DURATION = TypeAdapter(timedelta)
_GATES = TypeAdapter(tuple[Gate, ...])
_PROGRESS = TypeAdapter(tuple[StepProgress, ...])
_EVENTS = TypeAdapter(tuple[Event, ...])
_COUNTS = TypeAdapter(tuple[ConnectionCount, ...])
_TIMETABLE = TypeAdapter(Timetable)
_COST = TypeAdapter(ParallelCost | None)
_WAY_BACK = TypeAdapter(WayBack)


def plan_view(plan: Plan, request: Request) -> Json:
    """The plan as ``POST /api/plans`` answers it: with how long it takes, what it costs, and the way back."""
    cost = parallel_cost(request, plan.gates)
    besides = {
        "can_start": not plan.blocked_by,
        "durations": _TIMETABLE.dump_python(timetable(request, plan), mode="json"),
        "parallel_cost": _COST.dump_python(cost, mode="json"),
        "rollback": _WAY_BACK.dump_python(way_back(plan), mode="json"),
    }
    return _JSON.validate_python(plan.model_dump(mode="json") | besides)


def status_view(record: Record) -> JsonObject:
    """Where a deployment is, what it waits for and who opens it, what can be asked of it, what was made and removed."""
    state, request, plan = record.state, record.state.request, record.state.plan
    view: JsonObject = {
        "id": record.id,
        "kind": request.kind,
        "status": record.status,
        "step": record.step,
        "next_step": None if record.status.is_end else step_after(record.step, request),
        "can": list(possible(Course(record.step, record.status, record.state))),
        "revision": record.revision,
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "external_reference": request.external_reference,
        "provisioned_by": request.provisioned_by,
        "waits_for": _waits_for(record),
        "problem": state.problem.as_problem_details(f"/api/deployments/{record.id}") if state.problem else None,
        "steps": _PROGRESS.dump_python(state.progress, mode="json"),
        "gates": _GATES.dump_python(state.gates, mode="json"),
        "requested": [
            {
                "ask": asked.ask,
                "gate": asked.gate,
                "until": asked.until.isoformat() if asked.until else None,
                "by": asked.by,
                "reason": asked.reason,
                "at": asked.at.isoformat(),
            }
            for asked in record.requested
        ],
        "resources": _resources(state),
        "case": plan.case if plan else None,
        "foretold_gap_s": plan.foretold_gap.total_seconds() if plan else 0.0,
        "names": plan.names.model_dump(mode="json") if plan and plan.names else None,
        "findings": [finding.model_dump(mode="json") for finding in plan.findings] if plan else [],
    }
    if isinstance(request, ReplacementRequest):
        view["grace"] = {
            "period": request.model_dump(mode="json")["grace_period"],
            "started_at": state.grace_started_at.isoformat() if state.grace_started_at else None,
            "ends_at": state.grace_ends_at.isoformat() if state.grace_ends_at else None,
        }
        view["old_gateway_connections"] = _connections(state)
        if request.gates.clients_moved is not None:
            view["clients"] = _clients(state, request.gates.clients_moved)
    return view


def _clients(state: State, wanted: ClientsMoved) -> JsonObject:
    """How many clients know the new gateway, over time; how many are missing, since when, and how to reach them."""
    figures, deadline = state.client_figures, deadline_of(state)
    last = figures[-1] if figures else None
    return {
        "wanted_share": wanted.share,
        "active_days": wanted.active_days,
        "minimum_sample": wanted.minimum_sample,
        "deadline": deadline.isoformat() if deadline else None,
        "figures": [
            {
                "at": each.at.isoformat(),
                "by": each.by,
                "active": each.active,
                "moved": each.moved,
                "share": round(each.share, 4),
            }
            for each in figures
        ],
        "missing": last.missing if last else None,
        "silent_since": last.silent_since.isoformat() if last and last.silent_since else None,
        "rescue_route": RESCUE_ROUTE,
    }


def _connections(state: State) -> JsonObject:
    """What the old gateway still gets, over time, or why nobody can say: evidence for people, no gate opens by it."""
    return {
        "counts": _COUNTS.dump_python(state.connections, mode="json"),
        "why_not": why_not_counted(state.plan) if state.plan else "",
    }


def _resources(state: State) -> JsonObject:
    """What was made and perhaps made so far, what is still to go, what went, what stays.

    On the way back it is the new gateway that goes, as far as this deployment made it.
    """
    plan, made = state.plan, state.new.created
    at_work = {line.name for line in state.progress if line.outcome in ("running", "failed", "skipped")}
    perhaps = tuple(id for id in _aimed_at(plan, at_work) if id not in made)
    goes, stays = (tuple(part.id for part in plan.delete), plan.keep) if plan else ((), ())
    if state.roll_back is not None:
        goes, stays = (*made, *perhaps), (*goes, *stays)
    return {
        "made": list(made),
        "perhaps_made": [id for id in perhaps if id not in state.deleted],
        "to_delete": [id for id in goes if id not in state.deleted],
        "deleted": list(state.deleted),
        "kept": [id for id in stays if id not in state.deleted],
        "parked": state.parked.id if state.parked else None,
    }


def _aimed_at(plan: Plan | None, steps: Collection[str]) -> tuple[str, ...]:
    """What steps that are not done were to make: as far as they came, it exists."""
    if plan is None or plan.make is None:
        return ()
    network = tuple(id for id in plan.make.ids if id != plan.make.scale_set) if "provision-network" in steps else ()
    return (*network, plan.make.scale_set) if "provision-scale-set" in steps else network


def _waits_for(record: Record) -> Json:
    waiting = record.state.waiting
    if waiting is None or record.status.is_end:
        return None
    gate = record.state.gate(waiting.gate) if waiting.gate else None
    return {
        "reason": waiting.reason,
        "since": waiting.since.isoformat(),
        "next_look": waiting.next_look.isoformat(),
        "gate": gate.name if gate else None,
        "opened_by": gate.opener if gate else None,
    }


def operation_has_ended(record: Record) -> bool:
    """Whether a poller is told the result: at the deployment's end, or after cut-over where the request says so. What
    ended stays ended while a parked name is released."""
    if record.status.is_end or record.step == RELEASE_NAME:
        return True
    cut_over = next((line for line in record.state.progress if line.name == "cut-over"), None)
    done = cut_over is not None and cut_over.outcome == "done"
    return record.state.request.operation_ends == "cut-over" and done


def operation_view(record: Record) -> JsonObject:
    """An operation as pollers see it."""
    ended = operation_has_ended(record)
    failed = record.status in (Status.REFUSED, Status.CANCELLED, Status.ROLLED_BACK)
    problem = None if record.step == RELEASE_NAME else record.state.problem
    return {
        "id": record.id,
        "status": ("failed" if failed else "succeeded") if ended else "running",
        "deployment_status": record.status,
        "step": record.step,
        "deployment": f"/api/deployments/{record.id}",
        "problem": problem.as_problem_details(f"/api/operations/{record.id}") if problem else None,
    }


def events_view(events: tuple[Event, ...]) -> Json:
    """A deployment's history, oldest first."""
    return _JSON.validate_python(_EVENTS.dump_python(events, mode="json"))


def row_view(row: ActiveRow) -> JsonObject:
    """A deployment in a list."""
    return {
        "id": row.id,
        "status": row.status,
        "step": row.step,
        "gateway": row.gateway,
        **{key: row.summary.get(key) for key in ("service_name", "external_reference", "subscription_id")},
        "updated_at": row.updated_at.isoformat(),
    }


def duration_view(span: timedelta) -> Json:
    """A span of time as an ISO 8601 duration."""
    return _JSON.validate_python(_DURATION.dump_python(span, mode="json"))

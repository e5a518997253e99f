"""A deployment as callers see it: for people, for pollers, in lists. Secrets cannot be here: the record holds none."""

from collections.abc import Collection

from cmg_core.answers import (
    ClientsOver,
    Connections,
    Counted,
    DeploymentAnswer,
    EventsAnswer,
    Grace,
    NotedRequest,
    OperationAnswer,
    PlanAnswer,
    Resources,
    Row,
    WaitsFor,
)
from cmg_core.domain.clients_moved import RESCUE_ROUTE, deadline_of
from cmg_core.domain.durations import timetable
from cmg_core.domain.old_connections import why_not_counted
from cmg_core.domain.plans import Plan
from cmg_core.domain.prices import parallel_cost
from cmg_core.domain.record import Event, Record, State, Status
from cmg_core.domain.requests import ClientsMoved, ReplacementRequest, Request
from cmg_core.domain.transitions import RELEASE_NAME, Course, possible
from cmg_core.domain.way_back import way_back
from cmg_core.plan import step_after
from cmg_core.services import ActiveRow


def plan_view(plan: Plan, request: Request) -> PlanAnswer:
    """The plan as ``POST /api/plans`` answers it: with how long it takes, what it costs, and the way back."""
    besides = {
        "can_start": not plan.blocked_by,
        "durations": timetable(request, plan),
        "parallel_cost": parallel_cost(request, plan.gates),
        "rollback": way_back(plan),
    }
    return PlanAnswer.model_validate(dict(plan) | besides)


def status_view(record: Record) -> DeploymentAnswer:
    """Where a deployment is, what it waits for and who opens it, what can be asked of it, what was made and removed."""
    state, request, plan = record.state, record.state.request, record.state.plan
    return DeploymentAnswer(
        id=record.id,
        kind=request.kind,
        status=record.status,
        step=record.step,
        next_step=None if record.status.is_end else step_after(record.step, request),
        can=possible(Course(record.step, record.status, record.state)),
        revision=record.revision,
        created_at=record.created_at,
        updated_at=record.updated_at,
        external_reference=request.external_reference,
        asked_by=record.asked_by,
        provisioned_by=request.provisioned_by,
        waits_for=_waits_for(record),
        problem=state.problem.details(f"/api/deployments/{record.id}") if state.problem else None,
        steps=state.progress,
        gates=state.gates,
        requested=tuple(
            NotedRequest(
                ask=asked.ask,
                gate=asked.gate,
                until=asked.until,
                by=asked.by,
                reason=asked.reason,
                called_by=asked.called_by,
                at=asked.at,
            )
            for asked in record.requested
        ),
        resources=_resources(state),
        case=plan.case if plan else None,
        foretold_gap_s=plan.foretold_gap.total_seconds() if plan else 0.0,
        names=plan.names if plan else None,
        findings=plan.findings if plan else (),
        grace=_grace(state, request) if isinstance(request, ReplacementRequest) else None,
        old_gateway_connections=_connections(state) if isinstance(request, ReplacementRequest) else None,
        clients=_clients(state, request),
    )


def _connections(state: State) -> Connections:
    return Connections(counts=state.connections, why_not=why_not_counted(state.plan) if state.plan else "")


def _grace(state: State, request: ReplacementRequest) -> Grace:
    return Grace(period=request.grace_period, started_at=state.grace_started_at, ends_at=state.grace_ends_at)


def _clients(state: State, request: Request) -> ClientsOver | None:
    """How many clients know the new gateway, over time; how many are missing, since when, and how to reach them."""
    wanted: ClientsMoved | None = request.gates.clients_moved
    if wanted is None or not isinstance(request, ReplacementRequest):
        return None
    last = state.client_figures[-1] if state.client_figures else None
    return ClientsOver(
        wanted_share=wanted.share,
        active_days=wanted.active_days,
        minimum_sample=wanted.minimum_sample,
        deadline=deadline_of(state),
        figures=tuple(
            Counted(at=each.at, by=each.by, active=each.active, moved=each.moved, share=round(each.share, 4))
            for each in state.client_figures
        ),
        missing=last.missing if last else None,
        silent_since=last.silent_since if last else None,
        rescue_route=RESCUE_ROUTE,
    )


def _resources(state: State) -> Resources:
    """What was made and perhaps made so far, what is still to go, what went, what stays.

    On the way back it is the new gateway that goes, as far as this deployment made it.
    """
    plan, made = state.plan, state.new.created
    at_work = {line.name for line in state.progress if line.outcome in ("running", "failed", "skipped")}
    perhaps = tuple(id for id in _aimed_at(plan, at_work) if id not in made)
    goes, stays = (tuple(part.id for part in plan.delete), plan.keep) if plan else ((), ())
    if state.roll_back is not None:
        goes, stays = (*made, *perhaps), (*goes, *stays)
    return Resources(
        made=made,
        perhaps_made=tuple(id for id in perhaps if id not in state.deleted),
        to_delete=tuple(id for id in goes if id not in state.deleted),
        deleted=state.deleted,
        kept=tuple(id for id in stays if id not in state.deleted),
        parked=state.parked.id if state.parked else None,
    )


def _aimed_at(plan: Plan | None, steps: Collection[str]) -> tuple[str, ...]:
    """What steps that are not done were to make: as far as they came, it exists."""
    if plan is None or plan.make is None:
        return ()
    network = tuple(id for id in plan.make.ids if id != plan.make.scale_set) if "provision-network" in steps else ()
    return (*network, plan.make.scale_set) if "provision-scale-set" in steps else network


def _waits_for(record: Record) -> WaitsFor | None:
    waiting = record.state.waiting
    if waiting is None or record.status.is_end:
        return None
    gate = record.state.gate(waiting.gate) if waiting.gate else None
    return WaitsFor(
        reason=waiting.reason,
        since=waiting.since,
        next_look=waiting.next_look,
        gate=gate.name if gate else None,
        opened_by=gate.opener if gate else None,
    )


def operation_has_ended(record: Record) -> bool:
    """Whether a poller is told the result: at the deployment's end, or after cut-over where the request says so. What
    ended stays ended while a parked name is released."""
    if record.status.is_end or record.step == RELEASE_NAME:
        return True
    cut_over = next((line for line in record.state.progress if line.name == "cut-over"), None)
    done = cut_over is not None and cut_over.outcome == "done"
    return record.state.request.operation_ends == "cut-over" and done


def operation_view(record: Record) -> OperationAnswer:
    """An operation as pollers see it."""
    ended = operation_has_ended(record)
    failed = record.status in (Status.REFUSED, Status.CANCELLED, Status.ROLLED_BACK)
    problem = None if record.step == RELEASE_NAME else record.state.problem
    return OperationAnswer(
        id=record.id,
        status=("failed" if failed else "succeeded") if ended else "running",
        deployment_status=record.status,
        step=record.step,
        deployment=f"/api/deployments/{record.id}",
        problem=problem.details(f"/api/operations/{record.id}") if problem else None,
    )


def events_view(events: tuple[Event, ...]) -> EventsAnswer:
    """A deployment's history, oldest first."""
    return EventsAnswer(events=events)


def row_view(row: ActiveRow) -> Row:
    """A deployment in a list."""
    told = {key: row.summary.get(key) for key in ("service_name", "external_reference", "subscription_id")}
    return Row.model_validate(
        {
            "id": row.id,
            "status": row.status,
            "step": row.step,
            "gateway": row.gateway,
            **told,
            "updated_at": row.updated_at,
        }
    )

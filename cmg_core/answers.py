"""What the app answers, type by type: ``views`` makes these, the HTTP edge writes them as JSON, and the description at
``/api/openapi.json`` is generated from them."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, WithJsonSchema

from cmg_core.domain.cases import Case
from cmg_core.domain.durations import Timetable
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.plans import Names, Plan
from cmg_core.domain.prices import ParallelCost
from cmg_core.domain.principals import Principal
from cmg_core.domain.problems import BriefFinding, Finding, ProblemDetails
from cmg_core.domain.record import Ask, ConnectionCount, Event, Status, StepProgress
from cmg_core.domain.values import Frozen
from cmg_core.domain.way_back import WayBack
from cmg_core.notify.subscription import SubscriptionState


def _is_none(value: object) -> bool:
    return value is None


def _written(moment: datetime) -> str:
    return moment.isoformat()


Written = Annotated[
    datetime,
    PlainSerializer(_written),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A moment with its offset in digits, «+00:00»."""


class PlanAnswer(Plan):
    """The plan of a request: everything that will be made, kept and deleted, and everything that was found."""

    can_start: bool
    """Whether nothing stands against it: no finding `blocks`, and none is `unknown`."""
    durations: Timetable
    parallel_cost: ParallelCost | None
    """What the days with two gateways cost; null where no gateway is replaced."""
    rollback: WayBack


class WaitsFor(Frozen):
    """What a deployment waits for."""

    reason: str
    since: Written
    next_look: Written
    """When the app looks again by itself."""
    gate: GateName | None
    opened_by: Opener | None
    """Who or what opens the gate."""


class NotedRequest(Frozen):
    """A call that a running step takes up when it saves."""

    ask: Ask
    gate: GateName | None
    until: Written | None
    by: str
    reason: str
    called_by: Principal
    """Who called, as far as that was verified."""
    at: Written


class Resources(Frozen):
    """Azure resources by full ID: what was made, what is still to go, what went, what stays."""

    made: tuple[str, ...]
    perhaps_made: tuple[str, ...]
    """What a step that is not done was to make: as far as it came, it exists."""
    to_delete: tuple[str, ...]
    deleted: tuple[str, ...]
    kept: tuple[str, ...]
    parked: str | None
    """The old gateway's address that keeps its name."""


class Grace(Frozen):
    """The time for which the old gateway stays after the cut-over."""

    period: timedelta
    started_at: Written | None
    ends_at: Written | None


class Counted(Frozen):
    """What the site counted at one moment."""

    at: Written
    by: str
    active: int
    moved: int
    share: float
    """Of the active clients, those that have moved: 0 to 1."""


class ClientsOver(Frozen):
    """How many clients know the new gateway, over time; how many are missing, and how to reach them."""

    wanted_share: float
    active_days: int
    minimum_sample: int
    deadline: Written | None
    figures: tuple[Counted, ...]
    """Oldest first."""
    missing: int | None
    silent_since: Written | None
    rescue_route: str


class Connections(Frozen):
    """What the old gateway still gets, over time: evidence for people, no gate opens by it."""

    counts: tuple[ConnectionCount, ...]
    """Oldest first."""
    why_not: str
    """Why nobody can say; empty where there are counts, or will be."""


class DeploymentAnswer(Frozen):
    """Where a deployment is, what it waits for, what can be asked of it, what was made and removed."""

    id: str
    kind: Literal["deployment", "migration", "retirement"]
    status: Status
    step: str
    next_step: str | None
    can: tuple[Ask, ...]
    """What can be asked of it at this moment."""
    revision: int
    """Counts the changes."""
    created_at: Written
    updated_at: Written
    external_reference: str | None
    asked_by: Principal
    """Who asked for the deployment, as far as that was verified."""
    provisioned_by: Literal["automation", "site", "existing"]
    waits_for: WaitsFor | None
    problem: ProblemDetails | None
    """Why it was refused or needs attention."""
    steps: tuple[StepProgress, ...]
    gates: tuple[Gate, ...]
    requested: tuple[NotedRequest, ...]
    resources: Resources
    case: Case | None
    foretold_gap_s: float
    """For how many seconds clients may find no gateway, at the longest."""
    names: Names | None
    findings: tuple[Finding, ...]
    grace: Annotated[Grace | None, Field(exclude_if=_is_none)] = None
    """Only where an old gateway goes."""
    old_gateway_connections: Annotated[Connections | None, Field(exclude_if=_is_none)] = None
    """Only where an old gateway goes."""
    clients: Annotated[ClientsOver | None, Field(exclude_if=_is_none)] = None
    """Only where the gate `clients-moved` was asked for."""


class OperationAnswer(Frozen):
    """An operation as pollers see it."""

    id: str
    """Also the deployment's ID."""
    status: Literal["running", "succeeded", "failed"]
    deployment_status: Status
    step: str
    deployment: str
    """The deployment's path."""
    problem: ProblemDetails | None


class EventsAnswer(Frozen):
    """A deployment's history, oldest first."""

    events: tuple[Event, ...]


class Row(Frozen):
    """A deployment in a list."""

    id: str
    status: Status
    step: str
    gateway: str
    """What it holds alone while it is active."""
    service_name: str | None
    external_reference: str | None
    subscription_id: str | None
    updated_at: Written


class DeploymentsAnswer(Frozen):
    """One page of deployments: those under way, then those that have ended, each kind with the one that changed last
    first. A page with fewer than a hundred is the last one."""

    deployments: tuple[Row, ...]
    continuation: str | None
    """Asks for the next page; null on the last one."""


class SubscriptionAnswer(Frozen):
    """Somebody who has a deployment's events posted, and how delivery stands."""

    id: str
    deployment: str
    """The deployment's path."""
    callback_host: str
    """Of the address only scheme and host: the rest is a secret."""
    types: tuple[str, ...]
    """Which events are posted; none named means all."""
    by: str
    state: SubscriptionState
    cursor: str | None
    """The last event that was delivered."""
    attempts: int
    """Of the event that is due."""
    created_at: Written
    failing_since: Written | None
    next_try_at: Written | None
    last_delivery_at: Written | None
    last_status: int | None
    last_error: str | None


class SubscriptionsAnswer(Frozen):
    """Who has a deployment's events posted, the first one first."""

    subscriptions: tuple[SubscriptionAnswer, ...]


class HealthAnswer(Frozen):
    """Whether the app can work, as far as it knows without asking anybody."""

    status: Literal["healthy", "unhealthy"]
    version: str
    minimum_grace: timedelta | None
    problems: tuple[BriefFinding, ...]
    """Settings that are wrong or missing, never their values."""


class FindingCodeAnswer(Frozen):
    """What a finding's code means."""

    code: str
    weighs: str
    """What it weighs, and where the check is made."""
    seen: str
    why: str
    what_to_do: str


class ProblemTypeAnswer(Frozen):
    """What a type of problem means."""

    code: str
    what: str
    why: str
    what_to_do: str
    calls: tuple[str, ...]
    """The calls that can be answered with it, by `operationId`; none where it only stops deployments."""

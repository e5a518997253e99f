"""A deployment's record, its state and the message that carries it on (engine-protocol: "Record", "Message")."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import StringConstraints, TypeAdapter, ValidationError

from cmg_core.domain.errors import ClaimRunsOut
from cmg_core.domain.gates import OBSERVATION, Gate, GateName
from cmg_core.domain.plans import Part, PinnedCertificate, Plan, StandingGateway
from cmg_core.domain.principals import NOBODY, Principal
from cmg_core.domain.problems import Problem
from cmg_core.domain.requests import Request
from cmg_core.domain.values import GUID, Moment

SCHEMA = 2
DeploymentId = Annotated[str, StringConstraints(pattern=f"^{GUID.pattern}$")]
"""As a queue may name it: whatever else stands there would be somebody's own text in the log."""
LONGEST_CALL = timedelta(seconds=60)
"""One call's time-out: a claim that does not last this long is not enough to write under."""


def longest_call(claim: timedelta) -> timedelta:
    """One call's time-out under claims of this length: never more than a third, so that short ones serve, too."""
    return min(LONGEST_CALL, claim / 3)


class Status(StrEnum):
    """Where a deployment is (architecture, "HTTP surface")."""

    RUNNING = "running"
    WAITING = "waiting"
    GRACE = "grace"
    NEEDS_ATTENTION = "needs-attention"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled-back"

    @property
    def is_end(self) -> bool:
        return self in (Status.SUCCEEDED, Status.REFUSED, Status.CANCELLED, Status.ROLLED_BACK)

    @property
    def rests(self) -> bool:
        """Whether nothing runs before a person asks for it."""
        return self.is_end or self is Status.NEEDS_ATTENTION


MESSAGE_HOLD = timedelta(minutes=10)
"""How long the queue trigger hides a message while a function works on it; claims must end sooner (engine protocol)."""


@dataclass(frozen=True)
class Claim:
    """The right to write in Azure for one deployment, until a moment (engine-protocol, rule 1)."""

    invocation: str
    message_id: str
    until: datetime

    def is_live(self, now: datetime) -> bool:
        return now < self.until

    def ensure_covers_a_call(self, now: datetime, call: timedelta = LONGEST_CALL) -> None:
        """Raise ClaimRunsOut when less than one call's time-out is left (rule 2)."""
        if self.until - now < call:
            raise ClaimRunsOut(f"the claim ends at {self.until.isoformat()}: too soon for another write")


@dataclass(frozen=True)
class StepProgress:
    """One step of a deployment, laid out up front so that a person sees what is still to come."""

    name: str
    outcome: Literal["to-come", "running", "done", "failed", "skipped"] = "to-come"
    started_at: Moment | None = None
    ended_at: Moment | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Waiting:
    """What a deployment waits for, since when, and when it looks again."""

    reason: str
    since: Moment
    next_look: Moment
    gate: GateName | None = None
    grace: bool = False


@dataclass(frozen=True)
class NewGateway:
    """The new gateway as far as it stands."""

    address: str = ""
    created: tuple[str, ...] = ()
    verified_at: Moment | None = None
    named: str = ""
    """The scale set that a person says the site has made."""
    standing: StandingGateway | None = None
    """That gateway, once it was looked at."""
    scale_set_written_again_at: Moment | None = None
    """When Azure was last asked to go on with a scale set that it had left failed."""


@dataclass(frozen=True)
class Target:
    """The new gateway's machines: which scale set, how many, and whether it reports their health."""

    scale_set: str
    instances: int
    health_extension: bool


@dataclass(frozen=True)
class CutOver:
    """The change of the service name's record, moment by moment."""

    ttl_before: timedelta | None = None
    """The longest TTL that the old answer had before this deployment touched the record."""
    ttl_lowered_at: Moment | None = None
    flipped_at: Moment | None = None
    ttl_at_flip: timedelta | None = None
    """The TTL that resolvers may still hold the old answer for, once no server gives it any more."""
    shown_at: Moment | None = None
    """Since when every server that answers shows the new target."""


@dataclass(frozen=True)
class ClientFigures:
    """How many internet clients were active lately, and how many of them know or have used the new gateway. Figures
    only: never the names of devices."""

    at: Moment
    by: str
    active: int
    moved: int
    silent_since: Moment | None = None
    """Since when the longest silent of the others has not been heard of, where the site says so."""

    @property
    def share(self) -> float:
        """Nought of nought is nothing."""
        return self.moved / self.active if self.active else 0.0

    @property
    def missing(self) -> int:
        return self.active - self.moved


@dataclass(frozen=True)
class ConnectionCount:
    """How many connections the old gateway's load balancer got in a span of time, as Azure Monitor counted them."""

    begins: Moment
    ends: Moment
    count: int | None
    """None where it could not be had."""
    why_not: str = ""


@dataclass(frozen=True)
class RollBack:
    """The way back, moment by moment."""

    asked_at: Moment
    record_back_at: Moment | None = None
    """When the service name's record led to the old gateway again, or was found never to have left it."""
    ttl_at_change: timedelta = timedelta()
    """How long, from then on, resolvers may hold the new gateway's name."""
    inside_view: bool = False
    """Whether the inside view had been asked for, so that it has to be led back."""


@dataclass(frozen=True)
class State:
    """Everything that a deployment knows. Steps hand on a new one, they never change it."""

    request: Request
    plan: Plan | None = None
    certificate: PinnedCertificate | None = None
    new: NewGateway = NewGateway()
    gates: tuple[Gate, ...] = ()
    cut_over: CutOver = CutOver()
    grace_started_at: Moment | None = None
    grace_ends_at: Moment | None = None
    roll_back: RollBack | None = None
    client_figures: tuple[ClientFigures, ...] = ()
    """What the site has counted, oldest first."""
    connections: tuple[ConnectionCount, ...] = ()
    """What the old gateway still gets, oldest first: evidence only."""
    deleted: tuple[str, ...] = ()
    waiting: Waiting | None = None
    problem: Problem | None = None
    progress: tuple[StepProgress, ...] = ()
    operations: dict[str, str] = field(default_factory=dict)
    """Resource ID to the address of its running operation: at most four, only to save time."""
    retries: int = 0
    """How often in a row the world said «try again»."""

    def facts(self) -> "State":
        """The state without what may be lost in a crash at no cost."""
        return replace(self, operations={}, retries=0, progress=(), waiting=None)

    @property
    def relaying_attested(self) -> bool:
        """Whether a person vouched that the new gateway relays (with the console's connection analyzer, for example).

        A gateway may answer a probe without a token itself, though a connection point is connected.
        """
        gate = self.gate(GateName.CONNECTION_POINT_CONNECTED)
        return gate is not None and gate.is_open and gate.opened_by != OBSERVATION

    @property
    def standing(self) -> StandingGateway | None:
        """The new gateway where the site made it, before the plan or since; None before it stands."""
        return self.new.standing or (self.plan.standing if self.plan else None)

    @property
    def target(self) -> Target | None:
        """The new gateway's machines; None before it is known where they will stand."""
        if standing := self.standing:
            return Target(standing.scale_set.id, standing.instances, standing.health_extension)
        if self.plan is None or self.plan.make is None:
            return None
        return Target(self.plan.make.scale_set, self.request.instances, health_extension=True)

    @property
    def parked(self) -> Part | None:
        """The old gateway's address that keeps its name, until it is released; None where the plan parks none."""
        part = self.plan.parked if self.plan and self.roll_back is None else None
        return part if part is not None and part.id not in self.deleted else None

    def gate(self, name: GateName) -> Gate | None:
        return next((gate for gate in self.gates if gate.name == name), None)

    def with_progress(self, changed: StepProgress) -> "State":
        return replace(self, progress=tuple(changed if line.name == changed.name else line for line in self.progress))

    def with_gate(self, changed: Gate) -> "State":
        return replace(self, gates=tuple(changed if gate.name == changed.name else gate for gate in self.gates))


class Ask(StrEnum):
    """What may be asked of a deployment (architecture, "HTTP surface")."""

    CANCEL = "cancel"
    ROLLBACK = "rollback"
    RESUME = "resume"
    EXTEND = "extend"
    CHECK = "check"
    OPEN_GATE = "open-gate"
    RELEASE_NAME = "release-name"


@dataclass(frozen=True)
class Requested:
    """A call from outside; noted in the record while a step holds its claim (rule 12)."""

    ask: Ask
    by: str
    reason: str
    at: Moment
    gate: GateName | None = None
    """Which gate, for ``open-gate``."""
    until: Moment | None = None
    """Until when the grace period is to last, for ``extend``."""
    made: str = ""
    """The full ID of the scale set that the site has made, for the gate ``gateway-created``."""
    figures: ClientFigures | None = None
    """What the site counted, for the gate ``clients-moved``."""
    called_by: Principal = NOBODY
    """Who called, as far as it was verified: ``by`` is what people write."""


@dataclass(frozen=True)
class Record:
    """The ledger's truth about one deployment. ``revision`` counts saves."""

    id: str
    revision: int
    step: str
    status: Status
    state: State
    created_at: datetime
    updated_at: datetime
    gateway: str
    """What this deployment holds alone while it is active."""
    body_hash: str
    wake_at: datetime | None = None
    sends: int = 0
    saved_by: str = ""
    claim: Claim | None = None
    requested: tuple[Requested, ...] = ()
    asked_by: Principal = NOBODY
    """Who asked for the deployment, as far as it was verified."""
    schema: int = SCHEMA
    subscribed: bool = False
    """Whether anybody listens to its events."""


class Happening(StrEnum):
    """What an event is to those who listen."""

    PROGRESS = "progress"
    GATE_WAITING = "gate-waiting"
    GATE_OPENED = "gate-opened"
    WARNING = "warning"
    NEEDS_ATTENTION = "needs-attention"
    ENDED = "ended"


@dataclass(frozen=True)
class Event:
    """One line of a deployment's history."""

    at: Moment
    step: str
    text: str
    revision: int
    correlation_id: str = ""
    kind: Happening = Happening.PROGRESS
    status: Status | None = None
    """The deployment's, once this had happened; None in what earlier releases wrote."""
    gate: GateName | None = None
    problem: Problem | None = None
    """What stopped the deployment, without its findings: those are the record's."""
    called_by: Principal = NOBODY
    """Whose call the line tells of, as far as it was verified."""


@dataclass(frozen=True)
class Message:
    """What a queue carries: a copy of the record's state that saves a read, never the truth."""

    deployment_id: DeploymentId
    step: str
    revision: int
    etag: str
    state: State | None = None
    schema: int = SCHEMA
    subscribed: bool = False
    """The record's; where it is out of date, so is the ETag, and the record is read."""
    seal: str = ""
    """What proves that this product wrote it; without a good one its state is not used (engine-protocol, "Seals")."""


@dataclass(frozen=True)
class _Header:
    """What every message has, whatever release wrote it."""

    schema: int


STATE = TypeAdapter(State)
MESSAGE = TypeAdapter(Message)
_HEADER = TypeAdapter(_Header)


def schema_of(body: str) -> int:
    """The schema of a message's text, also where nothing else of it is understood; 0 for what is no message."""
    try:
        return _HEADER.validate_json(body).schema
    except ValidationError:
        return 0

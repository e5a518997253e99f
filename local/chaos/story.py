"""What was seen of one run: plain data, so that a judge needs nothing of the product to read it.

All moments are the world's own time, whatever a host's clock said. ``n`` orders what was seen; resource IDs are in
lower case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cmg_core.domain.values import Json, JsonObject


@dataclass(frozen=True)
class Disturbance:
    """Something that happened to the world, the hosts or the people besides the product's own doing."""

    at: datetime
    what: str
    until: datetime | None = None
    """When it was over; None where it lasts."""
    cuts_clients: bool = False
    """Whether clients may find no gateway because of it, whatever the product does."""
    stops: bool = False
    """Whether the product may rightly call for a person because of it."""
    bends_time: bool = False
    """Whether a host's clock differed by so much that claims overlap in its eyes."""
    removes: frozenset[str] = frozenset()
    """Resources that somebody else removed or made anew."""


@dataclass(frozen=True)
class LedgerState:
    """The ledger's record after one change of it, with the view that people are given of it."""

    n: int
    at: datetime
    record: JsonObject
    view: JsonObject


@dataclass(frozen=True)
class Run:
    """One invocation of a function: the message's step and revision, and when it began."""

    began: datetime
    step: str
    revision: int


@dataclass(frozen=True)
class Look:
    """The truth about the world at the moment of a DELETE, right before it."""

    new_relays: bool
    """Whether the new gateway answers for the management point under its own name."""
    healthy: int
    public_target: str
    """Where the service name's alias leads in public."""
    leading_to_old: tuple[str, ...]
    """Names of records that lead to the old deployment name."""
    locked: bool


@dataclass(frozen=True)
class Write:
    """A request to Azure that is to change something. ``status`` is None where the connection was cut."""

    n: int
    at: datetime
    method: str
    path: str
    status: int | None
    invocation: str
    look: Look | None = None

    @property
    def was_taken(self) -> bool:
        return self.status is not None and self.status < 300


@dataclass(frozen=True)
class Asked:
    """A call of a person and its answer: the problem details where it was refused. A call that a killed host did not
    answer may have been taken up: it counts as one that was not refused."""

    at: datetime
    what: str
    refusal: JsonObject | None = None


@dataclass(frozen=True)
class Story:
    """One run, whole."""

    request: JsonObject
    service_name: str
    old_name: str
    """The old gateway's deployment name; empty for a new deployment."""
    to_delete: frozenset[str]
    """What the request's own sample says will be deleted."""
    parked: str
    """The address that the request keeps with its name when the old gateway goes; empty where it keeps none."""
    before: Mapping[str, JsonObject]
    """Resources at the beginning: lower-case ID to body."""
    after: Mapping[str, JsonObject]
    public_target: str
    """Where the service name leads in public at the end."""
    minimum_grace: timedelta
    began_at: datetime
    ended_at: datetime
    deployment_id: str
    ledger: tuple[LedgerState, ...]
    events: tuple[JsonObject, ...]
    queued: int
    """Messages that were still in a queue."""
    runs: Mapping[str, Run]
    writes: tuple[Write, ...]
    dns_changes: tuple[tuple[datetime, str], ...]
    """When the service name's public target changed, and to what."""
    failed_at: tuple[datetime, ...]
    """When an attempt of a client found no gateway that relays."""
    attempts: int
    asked: tuple[Asked, ...]
    errors: tuple[str, ...]
    """What invocations raised."""
    secrets: frozenset[str]
    """Every secret that went over a wire."""
    told: Mapping[str, str] = field(repr=False)
    """All texts that leave the product or are kept by it, by where they were found."""
    disturbances: tuple[Disturbance, ...] = ()

    @property
    def record(self) -> JsonObject:
        """The ledger's last word."""
        return self.ledger[-1].record

    @property
    def view(self) -> JsonObject:
        """What people are told at the end."""
        return self.ledger[-1].view

    @property
    def outcome(self) -> Json:
        return self.record["status"]

"""What was seen of one run: plain data, so that a judge needs nothing of the product to read it.

All moments are the world's own time, whatever a host's clock said. ``n`` orders what was seen; resource IDs are in
lower case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cmg_core.domain.values import Json, JsonObject
from local.chaos.cases import Case


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
    """The truth about the world right before a deletion, a change of a record, or a request to the site."""

    new_relays: bool
    """Whether the new gateway answers for the management point under its public name."""
    connected: bool
    """Whether it does when it is dialed at its own address, wherever its public name leads."""
    old_relays: bool
    """Whether the old gateway does, dialed by its own name."""
    connected_when_dialed: bool
    """Whether it did when the run that is at work last dialed a gateway."""
    healthy: int
    expected: int
    """How many instances the new gateway is to have."""
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
    target: str = ""
    """Where an alias is to lead; empty for anything but a change of one."""

    @property
    def was_taken(self) -> bool:
        return self.status is not None and self.status < 300


@dataclass(frozen=True)
class Asked:
    """A call of a person, when it began, and its answer: the problem details where it was refused. A call that a killed
    host did not answer may have been taken up: it counts as one that was not refused."""

    at: datetime
    what: str
    refusal: JsonObject | None = None
    payload: JsonObject | None = None
    """What a gate was told, where it takes more than a word."""


@dataclass(frozen=True)
class AskedOfSite:
    """The product asks the site's administrator to remove something of the old gateway: the gate that it waits at from
    then on, and the truth about the world at that moment."""

    n: int
    at: datetime
    gate: str
    invocation: str
    look: Look | None


@dataclass(frozen=True)
class Story:
    """One run, whole."""

    request: JsonObject
    case: Case
    to_be_refused: bool
    """Whether the sample says that nobody can carry this out."""
    service_name: str
    """What clients of the new gateway dial."""
    old_name: str
    """The old gateway's deployment name; empty for a new deployment."""
    record_id: str
    """The record of the service name, where the request says that the app may change it; else empty."""
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
    """When the service name's public target changed, and to what; the first is what it was at the beginning."""
    inside_changes: tuple[tuple[datetime, str], ...]
    """The same of the company's inside view."""
    relayed_at: datetime | None
    """When the new gateway was first seen to relay under its public name."""
    connected_at: datetime | None
    """When it was first seen to relay at its own address."""
    failed_at: tuple[datetime, ...]
    """When an attempt of a client found no gateway that relays."""
    attempts: int
    asked: tuple[Asked, ...]
    asked_of_site: tuple[AskedOfSite, ...]
    made_by_others: frozenset[str]
    """What the site made meanwhile."""
    hindered: bool
    """Whether hosts, messages or calls were hindered, so that the product may have been slow."""
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
    def target_before(self) -> str:
        """Where the service name led in public at the beginning; empty where it led nowhere."""
        return self.dns_changes[0][1]

    @property
    def old_is_gone(self) -> bool:
        """Whether Azure held the old gateway no more when all began."""
        old = self.request.get("old_gateway")
        return isinstance(old, dict) and bool(old.get("gone"))

    @property
    def outcome(self) -> Json:
        return self.record["status"]

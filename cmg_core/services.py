"""What steps may use: ports, said in the product's own words. ``wiring.py`` puts the real parts behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from cmg_core.domain.clouds import CloudName
from cmg_core.domain.record import SCHEMA, Claim, Event, Message, Record, Requested, State, Status
from cmg_core.domain.roles import BY_KEYS, CallerRules, Claims
from cmg_core.domain.tenants import ONE_TENANT, Identities, Tenant
from cmg_core.domain.values import JsonObject, subscription_of
from cmg_core.notify.ports import Callbacks
from cmg_core.telemetry.port import Telemetry


class Clock(Protocol):
    """The one source of the present moment (invariant 7: pure code never asks for now)."""

    def now(self) -> datetime:
        """This moment in UTC, with its offset."""
        ...


# --- Azure -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """Azure's answer to a write: the body it gave, and the operation that goes on behind it, if any."""

    body: JsonObject
    operation: str = ""
    """Address of the running operation; empty when the write is complete."""
    look_after: timedelta = timedelta()
    """Azure's ``Retry-After``: no look before."""


class OperationState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class OperationLook:
    """One look at a running operation. ``code`` and ``message`` are Azure's, where it failed or was cancelled."""

    state: OperationState
    look_after: timedelta = timedelta()
    code: str = ""
    message: str = ""


class ResourceManager(Protocol):
    """Azure Resource Manager, for one subscription with the credential for its own tenant.

    Bodies are JSON as the REST API speaks it. Every call but ``time`` may raise TryAgain (throttled, busy, cut off) or
    AzureRefused; conditional writes raise ChangedMeanwhile. Writes take the claim they stand under and raise
    ClaimRunsOut when it does not last for the call.
    """

    def time(self) -> datetime | None:
        """Azure's present time: the ``Date`` of its latest answer, carried on by a clock that no change of the host's
        time moves. None before the first answer."""
        ...

    async def subscription(self) -> JsonObject:
        """The subscription itself: ``state``, ``tenantId``."""
        ...

    async def providers(self) -> Mapping[str, str]:
        """Each resource provider's namespace with its registration state."""
        ...

    async def register_provider(self, claim: Claim, namespace: str) -> None: ...

    async def group(self, name: str) -> JsonObject | None:
        """A resource group, or None where there is none."""
        ...

    async def put_group(self, claim: Claim, name: str, body: JsonObject) -> None: ...

    async def resources_in_group(self, name: str) -> Sequence[JsonObject]:
        """The group's resources (id, type, location, tags): none where the group is missing."""
        ...

    async def find(self, type: str, name: str) -> JsonObject | None:
        """The resource of that type and name anywhere in the subscription (its short form), or None."""
        ...

    async def get(self, id: str) -> JsonObject | None:
        """A resource by its full ID (any type that a gateway is made of, record sets too), or None."""
        ...

    async def put(self, claim: Claim, id: str, body: JsonObject, etag: str = "") -> Started:
        """Create or replace a resource; with ``etag`` only while it is unchanged (ChangedMeanwhile otherwise)."""
        ...

    async def delete(self, claim: Claim, id: str, etag: str = "") -> Started:
        """Begin to delete a resource, with ``etag`` only while that holds; one that is gone already is complete.

        Raises ChangedMeanwhile where it does not hold any more.
        """
        ...

    async def operation(self, address: str) -> OperationLook:
        """Look at an operation. Raises ValueError when the address is not the cloud's Resource Manager."""
        ...

    async def instances(self, scale_set_id: str) -> Sequence[JsonObject]:
        """A scale set's instances with their instance views: none where the scale set is missing."""
        ...

    async def sizes(self, region: str) -> Sequence[JsonObject]:
        """The virtual machine sizes offered in a region, with their zones and restrictions."""
        ...

    async def usages(self, region: str) -> Sequence[JsonObject]:
        """Compute usages and limits in a region."""
        ...

    async def network_usages(self, region: str) -> Sequence[JsonObject]:
        """Usages and limits of network resources in a region."""
        ...

    async def permissions(self, scope: str) -> Sequence[JsonObject]:
        """What the app's identity may do at a scope: one entry (``actions``, ``notActions``) for each role it holds."""
        ...

    async def role_assignments(self) -> Sequence[JsonObject]:
        """The role assignments of the app's identity and of its groups in the subscription, with their conditions."""
        ...

    async def policy_assignments(self) -> Sequence[JsonObject]:
        """Every policy assignment that reaches the subscription or anything in it."""
        ...

    async def policy_restrictions(self, scope: str, content: JsonObject) -> JsonObject:
        """What policies say of a resource that would be made in a scope (a resource group or the subscription).
        ``content`` is its body with ``type`` and ``name``."""
        ...

    async def vault_name(self, name: str) -> JsonObject:
        """Whether a name for a vault is free in all of Azure: ``nameAvailable``, ``reason``, ``message``."""
        ...

    async def storage_name(self, name: str) -> JsonObject:
        """The same of a storage account's name."""
        ...

    async def deleted_vault(self, name: str) -> JsonObject | None:
        """The subscription's soft-deleted vault of that name in whatever region, or None."""
        ...

    async def label_is_free(self, region: str, label: str) -> bool:
        """Whether a DNS label for a public address is free in a region."""
        ...

    async def metric(self, id: str, name: str, begins: datetime, ends: datetime, interval: timedelta) -> JsonObject:
        """What Azure Monitor counted of a resource in a span of time, as totals of intervals (Metrics - List)."""
        ...

    async def records(self, zone_id: str) -> Sequence[JsonObject]:
        """All record sets of a public DNS zone."""
        ...

    async def locks(self) -> Sequence[JsonObject]:
        """Every resource lock of the subscription, whatever its scope."""
        ...


@dataclass(frozen=True)
class VaultCertificate:
    """A certificate as Key Vault shows it without its key."""

    leaf: bytes
    """DER."""
    version: str
    secret_id: str
    """Versioned address under ``/secrets/``."""
    enabled: bool
    exportable: bool
    key_type: str
    key_size: int | None
    content_type: str


class Vaults(Protocol):
    """Key Vault's data plane: certificates, never secrets or keys."""

    async def certificate(self, tenant: Tenant, vault: str, name: str) -> VaultCertificate | None:
        """The newest version in a vault of that tenant, or None where it holds none of that name. Raises TryAgain,
        AzureRefused."""
        ...


# --- The world as a client sees it -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class NameView:
    """What one DNS server says of a name. ``failure`` is set where it did not answer."""

    server: str
    targets: tuple[str, ...] = ()
    """The CNAME chain in lower case without trailing dots; empty where the name is no alias."""
    addresses: tuple[str, ...] = ()
    """Of version 4; of version 6 where there are no others and no alias."""
    ttl: timedelta = timedelta()
    """The longest of the chain's links, any of which may change; of the address where there is no chain."""
    failure: str = ""
    authoritative: bool = False
    """Whether the server says that it is an authority for the name, so that it speaks from no cache (RFC 1035, 4.1.1,
    ``AA``)."""


class PublicDns(Protocol):
    """DNS as the internet sees it: the zone's authoritative servers and the public resolvers of the settings."""

    async def views(self, name: str) -> Sequence[NameView]:
        """One view a server, at least one. Never raises for a server's silence: that is a view with a failure."""
        ...


@dataclass(frozen=True)
class Dialed:
    """What came of dialing a gateway. ``failure`` is set where no TLS session or no answer was had."""

    leaf: bytes = b""
    chain: tuple[bytes, ...] = ()
    status: int = 0
    status_text: str = ""
    failure: str = ""


class GatewayDialer(Protocol):
    """Dials a gateway as a client does, without a token."""

    async def dial(self, host: str, service_name: str) -> Dialed:
        """TLS to ``host`` on 443 with ``service_name`` as server name, then one probe request.

        Never raises for a silent gateway: that is an answer with a failure.
        """
        ...


# --- Ledger and queues -----------------------------------------------------------------------------------------------


class LedgerConflict(Exception):
    """A conditional ledger write found another ETag (HTTP 412), or a row that exists already (409)."""


@dataclass(frozen=True)
class Stored:
    """A record with the ETag of its row."""

    record: Record
    etag: str


@dataclass(frozen=True)
class Save:
    """What a save changes: revision up by one, claim and noted requests cleared, sends back to nought."""

    revision: int
    step: str
    status: Status
    state: State
    wake_at: datetime | None
    saved_by: str
    updated_at: datetime


@dataclass(frozen=True)
class ActiveRow:
    """What ``wake-due`` and lists read of a deployment without its state."""

    id: str
    step: str
    status: Status
    gateway: str
    wake_at: datetime | None
    updated_at: datetime
    summary: JsonObject
    """service name, external reference, subscription: what lists show and filter by."""
    schema: int = SCHEMA


@dataclass(frozen=True)
class Throttle:
    """Until when Azure serves no call of a subscription, as one of its deployments was told."""

    until: datetime
    told: timedelta
    """Azure's ``Retry-After``."""


class Ledger(Protocol):
    """The truth. Every method may raise TryAgain when storage does not answer; writes raise LedgerConflict."""

    async def create(self, record: Record, events: Sequence[Event]) -> str:
        """Insert record, events and active row in one batch; the record's ETag. LedgerConflict where the ID exists."""
        ...

    async def read(self, deployment_id: str) -> Stored | None: ...

    async def claim(self, deployment_id: str, etag: str, claim: Claim) -> str:
        """Note a claim while the ETag holds, without a new revision; the new ETag."""
        ...

    async def save(self, deployment_id: str, etag: str, save: Save, events: Sequence[Event]) -> str:
        """Record, events and active row in one batch while the ETag holds; the new ETag. An ended deployment's active
        row becomes a row of its month of ending."""
        ...

    async def reopen(self, ended: Record, etag: str, save: Save, events: Sequence[Event]) -> str:
        """As ``save``, of a deployment that has ended and goes on: the row of its month becomes an active row again."""
        ...

    async def note_request(self, deployment_id: str, etag: str, requested: Sequence[Requested]) -> str:
        """Replace the noted requests while the ETag holds, without a new revision; the new ETag."""
        ...

    async def touch(self, deployment_id: str, etag: str, wake_at: datetime, sends: int) -> str:
        """Push the wake-up back and count sends while the ETag holds, without a new revision; the new ETag."""
        ...

    async def note_subscribed(self, deployment_id: str) -> None:
        """Note that somebody listens to a deployment, without a new revision. The ETag changes, so that whoever has
        read the record before reads it again when it saves. LedgerConflict where there is no record."""
        ...

    async def events(self, deployment_id: str) -> Sequence[Event]: ...

    async def active(self) -> Sequence[ActiveRow]:
        """All deployments that have not ended; a row that this release cannot read is left out and told to the log."""
        ...

    async def unlisted(self) -> Sequence[str]:
        """Deployments that have not ended and that ``active`` does not show: the table was changed by hand."""
        ...

    async def ended(self, oldest: str, newest: str) -> Sequence[ActiveRow]:
        """Those that ended from one month to another (``2026-09``, ``2026-11``), both included."""
        ...

    async def holder(self, gateway: str) -> tuple[str, str] | None:
        """The deployment that reserved a gateway, with the reservation's ETag."""
        ...

    async def reserve(self, gateway: str, deployment_id: str, etag: str = "") -> None:
        """Reserve a gateway; with an ETag, take over that reservation. LedgerConflict where somebody was faster."""
        ...

    async def throttles(self) -> Mapping[str, Throttle]:
        """The latest note of each subscription that was ever throttled, by its ID in lower case."""
        ...

    async def note_throttle(self, subscription_id: str, throttle: Throttle) -> None:
        """Note a throttled subscription, in place of its note before."""
        ...


class Queues(Protocol):
    """The way to the next step. A message never expires (``time_to_live=-1``)."""

    async def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        """To queue ``cmg-<step>``, without its state where the body would exceed a queue message's 49,152 bytes.
        Raises TryAgain."""
        ...

    def vouch_for(self, message: Message) -> bool:
        """Whether this product sealed the message as it is: who may write to a queue may lay anything into it."""
        ...

    async def notify(self, deployment_id: str, delay: timedelta = timedelta()) -> None:
        """Say in queue ``cmg-notify`` that a deployment has news for those who listen; at most an hour ahead. Such a
        message is a hint and may be lost: it expires an hour after it became visible. Raises TryAgain."""
        ...


# --- All together ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """The settings that steps obey."""

    minimum_grace: timedelta
    claim: timedelta
    gateway_software: JsonObject = field(repr=False)
    """The VM extension that turns an instance into a gateway, as the scale set's extension profile takes it."""
    identities: Identities = ONE_TENANT
    """Who the app is, at home and in customers' tenants."""
    cloud: CloudName = CloudName.PUBLIC
    """Where the app works."""
    callers: CallerRules = BY_KEYS
    """How callers are told apart, and what function keys may."""


class Tokens(Protocol):
    """Microsoft Entra ID's tokens for this app."""

    async def claims(self, token: str) -> Claims:
        """What a bearer token says, verified. Raises NotSignedIn for one that is no good, TryAgain where the keys that
        it must be signed with cannot be had."""
        ...


class Services(Protocol):
    """Everything that a step may reach."""

    clock: Clock
    limits: Limits
    ledger: Ledger
    queues: Queues
    vaults: Vaults
    dns: PublicDns
    dialer: GatewayDialer
    tokens: Tokens
    callbacks: Callbacks
    telemetry: Telemetry

    def azure(self, tenant: Tenant, subscription_id: str) -> ResourceManager:
        """The resource manager of one subscription, with the credential for that tenant and no other."""
        ...


def azure_of(services: Services, tenant: Tenant, id: str) -> ResourceManager:
    """The resource manager of the subscription that a resource or a scope lies in, with the credential for that tenant
    and no other: a zone or an old gateway may lie in another subscription than the new gateway."""
    return services.azure(tenant, subscription_of(id))

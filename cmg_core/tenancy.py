"""Tenants do not see each other's deployments: what callers of a customer's tenant are given to work with.

Whatever answers such a caller works on these services, so that no call can show or touch more by forgetting to ask.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Claim, Event, Record, Requested
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.roles import GUIDE, Caller
from cmg_core.domain.tenants import Tenant
from cmg_core.domain.values import ResourceId, text_at
from cmg_core.notify.ports import Callbacks, StoredSubscription, Subscriptions
from cmg_core.notify.subscription import Subscription
from cmg_core.refusals import CallRefused, held_by_another
from cmg_core.services import (
    ActiveRow,
    Clock,
    GatewayDialer,
    Ledger,
    LedgerConflict,
    Limits,
    PublicDns,
    Queues,
    ResourceManager,
    Save,
    Services,
    Stored,
    Throttle,
    Tokens,
    Vaults,
)
from cmg_core.telemetry.port import Telemetry


def services_for(caller: Caller, services: Services) -> Services:
    """What a caller's call may reach: everything at home, a customer's own elsewhere."""
    return CustomersServices(services, caller) if caller.customer else services


async def ensure_theirs(caller: Caller, request: Request, services: Services) -> None:
    """Raise CallRefused (403) where a customer's caller asks for what lies outside of its tenant.

    The subscription's tenant is what Azure says it is, not what the request says.
    """
    if not caller.customer:
        return
    if request.tenant_id != caller.customer or any(_is_elsewhere(id, request) for id in _named(request)):
        raise CallRefused(_of_another_tenant())
    try:
        body = await services.azure(request.tenant, request.subscription_id).subscription()
    except AzureRefused:
        raise CallRefused(_of_another_tenant()) from None
    if text_at(body, "tenantId").lower() != caller.customer:
        raise CallRefused(_of_another_tenant())


def _named(request: Request) -> Iterator[str]:
    """Every resource that a request names by its full ID."""
    if isinstance(request, ReplacementRequest):
        yield from (
            request.old_gateway.resource_id,
            *request.old_gateway.also_delete,
            *request.old_gateway.confirmed_parts,
        )
    if request.new_gateway is not None:
        yield request.new_gateway.resource_id
    if request.dns is not None:
        yield request.dns.zone_id


def _is_elsewhere(id: str, request: Request) -> bool:
    return ResourceId.parse(id).subscription_id.lower() != request.subscription_id


def _of_another_tenant() -> Problem:
    return Problem(
        code="another-tenant",
        title="The request goes beyond the caller's tenant",
        detail="A customer's callers ask for subscriptions of their own tenant only, with everything that the request "
        "names in that subscription; and this app must be let in there to see that it is so.",
        cure=f"Give a subscription of the caller's tenant, or have the app's operators send the request ({GUIDE}).",
        status=403,
    )


class CustomersServices:
    """The ports, with a ledger of one tenant, and Azure in that tenant only."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services, self._caller = services, caller
        self.clock: Clock = services.clock
        self.limits: Limits = services.limits
        self.ledger: Ledger = CustomersLedger(services.ledger, caller)
        self.queues: Queues = services.queues
        self.vaults: Vaults = services.vaults
        self.dns: PublicDns = services.dns
        self.dialer: GatewayDialer = services.dialer
        self.tokens: Tokens = services.tokens
        self.telemetry: Telemetry = services.telemetry
        self.callbacks: Callbacks = replace(
            services.callbacks, subscriptions=CustomersSubscriptions(services.callbacks.subscriptions, self.ledger)
        )

    def azure(self, tenant: Tenant, subscription_id: str) -> ResourceManager:
        """See ``Services``. Raises CallRefused (403) for another tenant."""
        if not self._caller.sees(tenant.id):
            raise CallRefused(_of_another_tenant())
        return self._services.azure(tenant, subscription_id)


class CustomersSubscriptions:
    """Who listens, as a customer's caller sees it: nobody does to other tenants' deployments."""

    def __init__(self, subscriptions: Subscriptions, ledger: Ledger) -> None:
        self._subscriptions, self._ledger = subscriptions, ledger

    async def add(self, subscription: Subscription) -> None:
        await self._subscriptions.add(subscription)

    async def of(self, deployment_id: str) -> Sequence[StoredSubscription]:
        seen = await self._ledger.read(deployment_id) is not None
        return await self._subscriptions.of(deployment_id) if seen else ()

    async def save(self, stored: StoredSubscription, changed: Subscription) -> StoredSubscription:
        return await self._subscriptions.save(stored, changed)

    async def remove(self, subscription: Subscription) -> None:
        await self._subscriptions.remove(subscription)

    async def live(self) -> Sequence[Subscription]:
        return [each for each in await self._subscriptions.live() if await self._ledger.read(each.deployment_id)]


class CustomersLedger:
    """The ledger as a customer's caller sees it: other tenants' deployments are not there.

    Rows of lists that an earlier release wrote do not say their tenant; they are not shown.
    """

    def __init__(self, ledger: Ledger, caller: Caller) -> None:
        self._ledger, self._caller = ledger, caller

    async def create(self, record: Record, events: Sequence[Event]) -> str:
        self._ensure_own(record)
        return await self._ledger.create(record, events)

    async def read(self, deployment_id: str) -> Stored | None:
        stored = await self._ledger.read(deployment_id)
        return stored if stored is not None and self._caller.sees(stored.record.state.request.tenant_id) else None

    async def claim(self, deployment_id: str, etag: str, claim: Claim) -> str:
        await self._ensure_seen(deployment_id)
        return await self._ledger.claim(deployment_id, etag, claim)

    async def save(self, deployment_id: str, etag: str, save: Save, events: Sequence[Event]) -> str:
        await self._ensure_seen(deployment_id)
        return await self._ledger.save(deployment_id, etag, save, events)

    async def reopen(self, ended: Record, etag: str, save: Save, events: Sequence[Event]) -> str:
        self._ensure_own(ended)
        return await self._ledger.reopen(ended, etag, save, events)

    async def note_request(self, deployment_id: str, etag: str, requested: Sequence[Requested]) -> str:
        await self._ensure_seen(deployment_id)
        return await self._ledger.note_request(deployment_id, etag, requested)

    async def note_subscribed(self, deployment_id: str) -> None:
        await self._ensure_seen(deployment_id)
        await self._ledger.note_subscribed(deployment_id)

    async def touch(self, deployment_id: str, etag: str, wake_at: datetime, sends: int) -> str:
        await self._ensure_seen(deployment_id)
        return await self._ledger.touch(deployment_id, etag, wake_at, sends)

    async def events(self, deployment_id: str) -> Sequence[Event]:
        return await self._ledger.events(deployment_id) if await self.read(deployment_id) else []

    async def active(self) -> Sequence[ActiveRow]:
        return self._own(await self._ledger.active())

    async def unlisted(self) -> Sequence[str]:
        return [id for id in await self._ledger.unlisted() if await self.read(id)]

    async def ended(self, oldest: str, newest: str) -> Sequence[ActiveRow]:
        return self._own(await self._ledger.ended(oldest, newest))

    async def holder(self, gateway: str) -> tuple[str, str] | None:
        return await self._ledger.holder(gateway)

    async def reserve(self, gateway: str, deployment_id: str, etag: str = "") -> None:
        """See ``Ledger``. Raises CallRefused (409) where another tenant's active deployment holds the gateway: its
        record, which is not there for the caller, decides all the same."""
        held = await self._ledger.holder(gateway) if etag else None
        if held is not None and held[1] != etag:
            raise LedgerConflict(gateway)
        other = await self._ledger.read(held[0]) if held is not None else None
        if other is not None and not other.record.status.is_end:
            raise held_by_another()
        await self._ledger.reserve(gateway, deployment_id, etag)

    async def throttles(self) -> Mapping[str, Throttle]:
        return await self._ledger.throttles()

    async def note_throttle(self, subscription_id: str, throttle: Throttle) -> None:
        await self._ledger.note_throttle(subscription_id, throttle)

    def _own(self, rows: Sequence[ActiveRow]) -> list[ActiveRow]:
        return [row for row in rows if self._caller.sees(row.summary.get("tenant_id"))]

    def _ensure_own(self, record: Record) -> None:
        if not self._caller.sees(record.state.request.tenant_id):
            raise CallRefused(_of_another_tenant())

    async def _ensure_seen(self, deployment_id: str) -> None:
        if await self.read(deployment_id) is None:
            raise LedgerConflict(deployment_id)

"""Calls as the Functions host hands them in, and services in memory to answer them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import azure.functions as func

from cmg_core.domain.roles import CallerRules, Role
from cmg_core.domain.tenants import Tenant
from cmg_core.domain.values import JsonObject
from cmg_core.notify.ports import Callbacks
from cmg_core.services import Limits
from cmg_core.telemetry.port import UNTOLD, Telemetry
from cmg_core.triggers.answering import Route, answering
from cmg_core.triggers.http import ROUTES
from local.inprocess.listeners import KEYS, MemorySubscriptions
from local.inprocess.memory import MemoryLedger, MemoryQueues
from local.inprocess.tape import Tape
from tests.fakes import FakeAzure, FakeClock, FakeDialer, FakeDns, FakePoster, FakeTokens, FakeVaults

HOST = "https://cmg.contoso.example"
KEY = "the-key-of-the-ticket-system"


@dataclass
class MemoryServices:
    """All ports: ledger and queues in memory, the rest from dictionaries."""

    clock: FakeClock = field(default_factory=FakeClock)
    limits: Limits = field(
        default_factory=lambda: Limits(
            timedelta(hours=24), timedelta(minutes=5), {"name": "gateway"}, callers=CallerRules(frozenset(Role))
        )
    )
    vaults: FakeVaults = field(default_factory=FakeVaults)
    dns: FakeDns = field(default_factory=FakeDns)
    dialer: FakeDialer = field(default_factory=FakeDialer)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    resource_manager: FakeAzure = field(default_factory=FakeAzure)
    telemetry: Telemetry = UNTOLD
    poster: FakePoster = field(default_factory=FakePoster)

    def __post_init__(self) -> None:
        tape = Tape()
        self.ledger = MemoryLedger(tape)
        self.queues = MemoryQueues(self.clock, tape)
        self.subscriptions = MemorySubscriptions(tape)
        self.callbacks = Callbacks(self.subscriptions, self.poster, KEYS)

    def azure(self, tenant: Tenant, subscription_id: str) -> FakeAzure:
        """Any subscription that a caller names is there, with the same things in it."""
        return replace(self.resource_manager, subscription_id=subscription_id.lower())


@dataclass(frozen=True)
class Answer:
    """What a caller gets. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> JsonObject:
        body: JsonObject = json.loads(self.text)
        return body


def call(
    services: MemoryServices,
    route: str,
    body: object = None,
    *,
    raw: bytes | None = None,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    url: str = "",
) -> Answer:
    """Call the function of that name as the host does. ``raw`` stands for ``body`` where that is no JSON."""
    found = next(known for known in ROUTES if known.name == route)
    filled = found.path
    for name, value in (path or {}).items():
        filled = filled.replace(f"{{{name}}}", value)
    request = func.HttpRequest(
        found.method,
        url or f"{HOST}/api/{filled}",
        headers={"x-functions-key": KEY, **(headers or {})},
        params=query or {},
        route_params=path or {},
        body=json.dumps(body).encode() if raw is None else raw,
    )
    given = asyncio.run(_answered(found, services, request))
    shown = {name.lower(): value for name, value in given.headers.items()} | {"content-type": given.mimetype}
    return Answer(given.status_code, shown, given.get_body().decode())


async def _answered(route: Route, services: MemoryServices, request: func.HttpRequest) -> func.HttpResponse:
    return await answering(route, lambda: services)(request)

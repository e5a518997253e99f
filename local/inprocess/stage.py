"""The stage of a story in one process: a world, the product that is wired to it, and its clients."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import azure.functions as func
from azure.keyvault.certificates._shared import http_challenge_cache
from pydantic import TypeAdapter

from cmg_core.azure.cloud import CLOUDS
from cmg_core.azure.connections import Connections
from cmg_core.azure.signing_keys import SigningKeys
from cmg_core.azure.tokens import EntraTokens
from cmg_core.backpressure import Backpressure
from cmg_core.domain.roles import CallerRules, Role
from cmg_core.domain.tenants import Identities, Tenant
from cmg_core.domain.values import JsonObject
from cmg_core.engine import Engine
from cmg_core.ledger.queues import NOTIFY
from cmg_core.notify.ports import Callbacks
from cmg_core.services import (
    Clock,
    GatewayDialer,
    Ledger,
    Limits,
    PublicDns,
    Queues,
    ResourceManager,
    Services,
    Tokens,
    Vaults,
)
from cmg_core.telemetry.outward import TracedDialer, TracedDns, TracedPoster
from cmg_core.telemetry.port import UNTOLD, Telemetry
from cmg_core.triggers.callbacks import run_notify
from local.azure.clients import KINDS, SyntheticClient, WorldTransport, run_clients
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.azure.world import World
from local.dev.environment import SOFTWARE
from local.inprocess.hosting import Function
from local.inprocess.listeners import KEYS, MemorySubscriptions, SimulatedPoster
from local.inprocess.loop import EPOCH, VirtualClock
from local.inprocess.memory import MemoryLedger, MemoryQueues
from local.inprocess.outside import SimulatedDialer, SimulatedDns, SimulatedDocuments, TapedTransport
from local.inprocess.tape import Tape
from local.inprocess.transport import SimulatorCredential
from local.sample import Sample

QUIET = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
TOP_LEVEL = 9
"""Parts of the ID of a resource that is no part of another one."""


@dataclass(frozen=True)
class Settings:
    """How a story is told. Azure's durations scale, everything else is virtual real time."""

    time_scale: float = 0.01
    attempt_interval: timedelta = timedelta(milliseconds=500)
    """Between two attempts of a client. Besides, all try right after each change of the world. When nothing has changed
    for ``QUIET``, they wait as long again, but not longer than ``LONGEST_PAUSE``."""
    minimum_grace: timedelta = timedelta(seconds=1)
    claim: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(days=60)
    """A story that has no end by then has none."""


@dataclass
class WiredServices:
    """The ``Services`` port."""

    clock: Clock
    limits: Limits
    ledger: Ledger
    queues: Queues
    vaults: Vaults
    dns: PublicDns
    dialer: GatewayDialer
    tokens: Tokens
    callbacks: Callbacks
    azure: Callable[[Tenant, str], ResourceManager]
    telemetry: Telemetry = UNTOLD


class InProcess:
    """The stage: world, product and clients, to be made inside the running loop, virtual or not.

    ``begin`` is the moment at which the world is made. Raises what ``build_world`` raises.
    """

    def __init__(self, sample: Sample, tape: Tape, settings: Settings, begin: datetime = EPOCH) -> None:
        self.telemetry: Telemetry = UNTOLD
        # Each story is a process of its own; this cache of the vault client would outlive it.
        http_challenge_cache.clear()
        self.sample, self.tape, self.settings = sample, tape, settings
        self.clock = VirtualClock(begin)
        self.world = build_world(sample.world, time_scale=settings.time_scale, now=begin)
        self.simulator = Simulator(self.world)
        for fault in sample.faults:
            self.simulator.add_fault(dict(fault))
        self.ledger, self.queues = self.storage()
        self.subscriptions = MemorySubscriptions(self.tape)
        self.before = resources(self.world)
        self.clients = self._make_clients()
        self._connections: list[Connections] = []
        self._stirred, self._stirred_at = asyncio.Event(), begin

    def storage(self) -> tuple[MemoryLedger, MemoryQueues]:
        """Ledger and queues, for all hosts."""
        return MemoryLedger(self.tape), MemoryQueues(self.clock, self.tape)

    @property
    def identities(self) -> Identities:
        """Who the product is in this world, as its settings would say."""
        return Identities(self.world.identity.tenant, self.world.identity.customer_app.client_id)

    @property
    def callers(self) -> CallerRules:
        """Who may call, as its settings would say: people open gates by the function key here."""
        api, home = self.world.identity.api, self.world.identity.tenant
        return CallerRules(
            frozenset(Role), home=home, tenants=frozenset({home, *(each.tenant for each in api.callers)})
        )

    def _tokens(self, clock: Clock) -> EntraTokens:
        api, authority = self.world.identity.api, CLOUDS[self.sample.cloud].authority
        keys = SigningKeys(authority, clock, SimulatedDocuments(self.simulator, self.clock).fetch)
        return EntraTokens(authority, (api.uri, api.client_id), self.callers.tenants, clock, keys)

    def transport(self, clock: Clock) -> TapedTransport:
        """The way to Azure."""
        return TapedTransport(self.simulator, clock, self.tape, self.all_try)

    def wire(self, clock: Clock) -> WiredServices:
        """One process's services, by its own clock; Azure and DNS have the world's."""
        connections = Connections(
            CLOUDS[self.sample.cloud],
            clock,
            backpressure=Backpressure(self.ledger, clock),
            transport=lambda: self.transport(self.clock),
            identities=self.identities,
            telemetry=self.telemetry,
            credential=lambda sign_in: SimulatorCredential(self.simulator, self.clock.now, sign_in),
        )
        self._connections.append(connections)
        software = TypeAdapter(JsonObject).validate_python(SOFTWARE)
        return WiredServices(
            clock=clock,
            limits=Limits(
                self.settings.minimum_grace,
                self.settings.claim,
                software,
                self.identities,
                self.sample.cloud,
                self.callers,
            ),
            ledger=self.ledger,
            queues=self.queues,
            vaults=connections.vaults,
            dns=TracedDns(SimulatedDns(self.world, self.clock, self.tape), self.telemetry),
            dialer=TracedDialer(SimulatedDialer(self.world, self.clock, self.tape), self.telemetry),
            tokens=self._tokens(clock),
            callbacks=Callbacks(
                self.subscriptions,
                TracedPoster(SimulatedPoster(self.world, self.clock, self.tape), self.telemetry),
                KEYS,
            ),
            azure=connections.resource_manager,
            telemetry=self.telemetry,
        )

    async def close(self) -> None:
        """Close what the services hold open."""
        for connections in self._connections:
            await connections.aclose()

    async def all_try(self) -> None:
        """Let every client try now: the world has changed."""
        self._stirred_at = self.clock.now()
        self._stirred.set()
        self._stirred.clear()
        for client in self.clients:
            await client.attempt()

    async def live(self, stop: asyncio.Event) -> None:
        """Let the clients live until stopped."""
        interval = self.settings.attempt_interval.total_seconds()
        await run_clients(self.clients, interval, stop, self._unix_time, self._pause)

    async def _pause(self, seconds: float) -> None:
        quiet = self.clock.now() - self._stirred_at
        if quiet < QUIET:
            await asyncio.sleep(seconds)
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), min(quiet, LONGEST_PAUSE).total_seconds())

    def _make_clients(self) -> list[SyntheticClient]:
        site = self.world.site
        if site is None:
            return []
        transport = WorldTransport(self.world, self._unix_time)
        return [
            SyntheticClient(
                f"client-{number}",
                KINDS[number % len(KINDS)],
                site.clients.knows,
                transport,
                self._unix_time,
                location_interval_s=site.clients.location_interval_s,
                begin_when_relaying=not self.sample.is_served_before,
            )
            for number in range(site.clients.count)
        ]

    def _unix_time(self) -> float:
        return self.clock.now().timestamp()


def function_of(engine: Engine, services: Services) -> Function:
    """What the app does for a message in any of its queues."""

    async def work(step: str, body: str, message_id: str, invocation_id: str) -> None:
        if step == NOTIFY:
            await run_notify(lambda: services, func.QueueMessage(body=body.encode()))
        else:
            await engine.handle(step, body, message_id, invocation_id)

    return work


def resources(world: World) -> dict[str, str]:
    """The resources that are no part of another one: lower-case ID to ID."""
    return {key: each.id for key, each in world.resources.items() if len(each.id.split("/")) == TOP_LEVEL}

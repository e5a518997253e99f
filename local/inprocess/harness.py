"""A whole story in one process on virtual time: world, product, host, people, site and clients, with one fault or none.

report = run(load(Path("samples/s07-own-domain-from-classic.json")))
worse = run(sample, Fault(at=17, harm=Harm.CRASH_AFTER))
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from azure.keyvault.certificates._shared import http_challenge_cache
from pydantic import TypeAdapter

from cmg_core import calls
from cmg_core.azure.cloud import CLOUDS, CloudName
from cmg_core.azure.connections import Connections
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.record import Event, Record, Status
from cmg_core.domain.validation import read_request
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.engine import Engine
from cmg_core.services import Clock, GatewayDialer, Ledger, Limits, PublicDns, Queues, ResourceManager, Stored, Vaults
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.clients import KINDS, SyntheticClient, Tally, WorldTransport, run_clients
from local.azure.dns import DnsLogEntry
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.azure.site import apply_site
from local.azure.world import LoggedRequest, World
from local.dev.environment import SOFTWARE
from local.inprocess.hosting import Host
from local.inprocess.loop import EPOCH, VirtualClock
from local.inprocess.loop import run as run_virtually
from local.inprocess.memory import MemoryLedger, MemoryQueues, Waiting
from local.inprocess.outside import SimulatedDialer, SimulatedDns, TapedTransport
from local.inprocess.tape import Call, Fault, Tape
from local.inprocess.transport import SimulatorCredential
from local.sample import Call as HttpCall
from local.sample import Sample, Then

AFTER_THE_END = timedelta(minutes=1)
"""How long clients go on after the end."""
LEFTOVERS = timedelta(minutes=30)
"""How long the host goes on after the end, so that messages that are left show what they do."""
QUIET = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
PATIENCE = timedelta(seconds=30)
"""After which people send a call again that got no answer."""
GATE = re.compile(r"/api/deployments/\{id\}/gates/(?P<gate>[a-z-]+)")
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


@dataclass(frozen=True)
class RunReport:
    """What came of a story. Resource IDs are in lower case."""

    outcome: Status
    record: Record
    events: tuple[Event, ...]
    created: frozenset[str]
    deleted: frozenset[str]
    kept: frozenset[str]
    tally: Tally
    """Sums over all clients; the gap is the longest of any."""
    calls: tuple[Call, ...]
    idle_polls: int
    struck: Call | None
    """The call that the fault met; None where there was none so late."""
    poison: tuple[Waiting, ...]
    errors: tuple[str, ...]
    """What invocations raised, and calls of people that were refused."""
    undone: tuple[Then, ...]
    """What people had no occasion to do."""
    lasted: timedelta
    world: World

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request to the simulated Azure with its answer."""
        return self.world.log

    @property
    def dns_log(self) -> list[DnsLogEntry]:
        """Every public answer that differs from the one before."""
        return self.world.dns_log


class StoryFailed(Exception):
    """A story that does not come to an end."""


def run(sample: Sample, fault: Fault | None = None, settings: Settings | None = None) -> RunReport:
    """Tell a sample's story from the request to the end. Raises StoryFailed where it has none."""
    return run_virtually(InProcess(sample, fault, settings or Settings()).play())


@dataclass
class _Services:
    clock: Clock
    limits: Limits
    ledger: Ledger
    queues: Queues
    vaults: Vaults
    dns: PublicDns
    dialer: GatewayDialer
    azure: Callable[[str, str], ResourceManager]


class InProcess:
    """One story, to be made inside the running virtual-time loop."""

    def __init__(self, sample: Sample, fault: Fault | None, settings: Settings) -> None:
        self._sample, self._settings = sample, settings
        self._tape = Tape(fault)
        self._stirred, self._stirred_at = asyncio.Event(), EPOCH

    async def play(self) -> RunReport:
        # Each story is a process of its own; this cache of the vault client would outlive it.
        http_challenge_cache.clear()
        clock = self._clock = VirtualClock()
        world = self._world = build_world(self._sample.world, time_scale=self._settings.time_scale, now=EPOCH)
        simulator = Simulator(world)
        self._ledger, self._queues = MemoryLedger(self._tape), MemoryQueues(clock, self._tape)
        connections = Connections(
            CLOUDS[CloudName.PUBLIC],
            clock,
            transport=lambda: TapedTransport(simulator, clock, self._tape, self._all_try),
            credential=lambda _: SimulatorCredential(simulator, clock.now),
        )
        software = TypeAdapter(JsonObject).validate_python(SOFTWARE)
        self._services = _Services(
            clock=clock,
            limits=Limits(self._settings.minimum_grace, self._settings.claim, software),
            ledger=self._ledger,
            queues=self._queues,
            vaults=connections.vaults,
            dns=SimulatedDns(world, clock, self._tape),
            dialer=SimulatedDialer(world, clock, self._tape),
            azure=connections.resource_manager,
        )
        engine = Engine(self._services, jitter=lambda: 0.5)
        self._host = Host(clock, self._queues, engine.handle, lambda: wake_due(self._services))
        before = _resources(world)
        self._clients = self._make_clients()
        try:
            async with asyncio.TaskGroup() as group:
                hosting = group.create_task(self._host.run())
                stored, undone = await self._tell()
                await asyncio.sleep(LEFTOVERS.total_seconds())
                hosting.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        finally:
            await connections.aclose()
        return self._report(stored, undone, before)

    async def _tell(self) -> tuple[Stored, tuple[Then, ...]]:
        """From the request to the end, with clients all the time."""
        stop = asyncio.Event()
        interval = self._settings.attempt_interval.total_seconds()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_clients(self._clients, interval, stop, self._unix_time, self._pause))
            try:
                async with asyncio.timeout(self._settings.longest.total_seconds()):
                    deployment_id = await self._ask()
                    stored, undone = await self._follow(deployment_id)
            except TimeoutError:
                raise StoryFailed(f"no end after {self._settings.longest}") from None
            await asyncio.sleep(AFTER_THE_END.total_seconds())
            stop.set()
        return stored, undone

    async def _all_try(self) -> None:
        """Let every client try now: the world has changed."""
        self._stirred_at = self._clock.now()
        self._stirred.set()
        self._stirred.clear()
        for client in self._clients:
            await client.attempt()

    async def _pause(self, seconds: float) -> None:
        quiet = self._clock.now() - self._stirred_at
        if quiet < QUIET:
            await asyncio.sleep(seconds)
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), min(quiet, LONGEST_PAUSE).total_seconds())

    async def _ask(self) -> str:
        """Send the request until it is accepted; the deployment's ID."""
        body = self._sample.request
        request = read_request(body, "migration" if self._sample.is_migration else "deployment")
        asked = calls.Asked("ticket", "CHG0031337", hashlib.sha256(json.dumps(body).encode()).hexdigest())
        answers: list[str] = []

        async def call() -> None:
            answers.append((await calls.accept(self._services, request, asked)).id)

        await self._insist("POST", call)
        return answers[-1]

    async def _insist(self, name: str, call: Callable[[], Awaitable[None]]) -> None:
        """Call until there is an answer, as people do when the app is down."""
        while True:
            try:
                if await self._host.call(name, call):
                    return
            except TryAgain:
                pass
            await asyncio.sleep(PATIENCE.total_seconds())

    async def _follow(self, deployment_id: str) -> tuple[Stored, tuple[Then, ...]]:
        """Do what people and the site do when their moment comes, until the end."""
        left = list(self._sample.then)
        while True:
            self._ledger.changed.clear()
            stored = self._ledger.peek(deployment_id)
            if stored is None:
                raise StoryFailed("the ledger has lost the deployment")
            if stored.record.status.is_end or stored.record.status is Status.NEEDS_ATTENTION:
                return stored, tuple(left)
            if left and left[0].when.has_come(status_view(stored.record)):
                await self._do(left.pop(0), deployment_id)
                continue
            await self._ledger.changed.wait()

    async def _do(self, then: Then, deployment_id: str) -> None:
        if then.world is not None:
            apply_site(self._world, then.world, self._clock.now())
            await self._all_try()
        if then.call is not None:
            await self._insist(then.call.path, self._gate_call(then.call, deployment_id))

    def _gate_call(self, call: HttpCall, deployment_id: str) -> Callable[[], Awaitable[None]]:
        path = GATE.fullmatch(call.path)
        if path is None:
            raise StoryFailed(f"stories in process know gates only, not {call.path}")
        body = call.body or {}

        async def open_gate() -> None:
            await calls.open_gate(
                self._services, deployment_id, path["gate"], text_at(body, "by"), text_at(body, "reason")
            )

        return open_gate

    def _make_clients(self) -> list[SyntheticClient]:
        site = self._world.site
        if site is None:
            return []
        transport = WorldTransport(self._world, self._unix_time)
        return [
            SyntheticClient(
                f"client-{number}",
                KINDS[number % len(KINDS)],
                site.clients.knows,
                transport,
                self._unix_time,
                location_interval_s=site.clients.location_interval_s,
                begin_when_relaying=not self._sample.is_migration,
            )
            for number in range(site.clients.count)
        ]

    def _unix_time(self) -> float:
        return self._clock.now().timestamp()

    def _report(self, stored: Stored, undone: tuple[Then, ...], before: Mapping[str, str]) -> RunReport:
        after = _resources(self._world)
        tallies = [client.tally for client in self._clients]
        final = self._ledger.peek(stored.record.id) or stored
        return RunReport(
            outcome=final.record.status,
            record=final.record,
            events=self._ledger.history(stored.record.id),
            created=frozenset(after.keys() - before.keys()),
            deleted=frozenset(before.keys() - after.keys()),
            kept=frozenset(before.keys() & after.keys()),
            tally=Tally(
                attempts=sum(tally.attempts for tally in tallies),
                failures=sum(tally.failures for tally in tallies),
                longest_gap_s=max((tally.longest_gap_s for tally in tallies), default=0.0),
            ),
            calls=tuple(self._tape.calls),
            idle_polls=self._tape.idle_polls,
            struck=self._tape.struck,
            poison=tuple(self._queues.poison),
            errors=tuple(self._host.errors),
            undone=undone,
            lasted=final.record.updated_at - EPOCH,
            world=self._world,
        )


def _first(error: BaseException) -> BaseException:
    """What went wrong inside of groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _resources(world: World) -> dict[str, str]:
    """The resources that are no part of another one: lower-case ID to ID."""
    return {key: each.id for key, each in world.resources.items() if len(each.id.split("/")) == TOP_LEVEL}

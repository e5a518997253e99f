"""A whole story in one process on virtual time: world, product, host, people, site and clients, with one fault or none.

report = run(load(Path("samples/s07-own-domain-from-classic.json")))
worse = run(sample, Fault(at=17, harm=Harm.CRASH_AFTER))
back = run(sample, aside=Aside(at=64, call=Call(path="/api/deployments/{id}/rollback", body={"by": …, "reason": …})))
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
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
from cmg_core.domain.problems import PROBLEM_TYPES
from cmg_core.domain.record import Event, Record, Status
from cmg_core.domain.roles import CallerRules, Role
from cmg_core.domain.tenants import Identities, Tenant
from cmg_core.domain.values import Json, JsonObject, text_at
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
    Stored,
    Tokens,
    Vaults,
)
from cmg_core.telemetry.outward import TracedDialer, TracedDns, TracedPoster
from cmg_core.telemetry.port import UNTOLD, Telemetry
from cmg_core.triggers.answering import answering
from cmg_core.triggers.callbacks import run_notify
from cmg_core.triggers.http import ROUTES
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.clients import KINDS, SyntheticClient, Tally, WorldTransport, run_clients
from local.azure.dns import DnsLogEntry
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.azure.site import apply_site
from local.azure.world import LoggedRequest, World
from local.dev.environment import SOFTWARE
from local.host import routes
from local.inprocess.hosting import Function, Host
from local.inprocess.listeners import KEYS, MemorySubscriptions, SimulatedPoster
from local.inprocess.loop import EPOCH, VirtualClock
from local.inprocess.loop import run as run_virtually
from local.inprocess.memory import MemoryLedger, MemoryQueues, Waiting
from local.inprocess.outside import SimulatedDialer, SimulatedDns, SimulatedDocuments, TapedTransport
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
TRY_AGAIN = ("try-again", "changed-meanwhile")
"""Problems that ask for the same call again."""
HOST = "http://localhost"
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
class Aside:
    """A call of a person right before the product's outward call number ``at`` goes out: in the midst of its work.

    Where it is accepted and ``then`` is given, people do that from that moment on, and nothing of the sample any more.
    """

    at: int
    call: HttpCall
    then: tuple[Then, ...] | None = None


@dataclass(frozen=True)
class Answered:
    """What a person's call was answered."""

    path: str
    status: int
    problem: str = ""
    """The problem's code, where it was refused."""


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
    """What invocations raised."""
    answers: tuple[Answered, ...]
    """What people's calls were answered in the end, in order."""
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


type Starting = Callable[["InProcess", Services, Host], Awaitable[str]]
"""How a sample's request is sent; gives the deployment's ID. Tasks that it starts may go on beside the story."""


def run(
    sample: Sample,
    fault: Fault | None = None,
    settings: Settings | None = None,
    aside: Aside | None = None,
    stage: "Callable[[Sample, Tape, Settings], InProcess] | None" = None,
    starting: Starting | None = None,
) -> RunReport:
    """Tell a sample's story from the request to the end. Raises StoryFailed where it has none."""

    async def play() -> RunReport:
        made = (stage or InProcess)(sample, Tape(fault), settings or Settings())
        return await _Story(made, aside, starting).play()

    return run_virtually(play())


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
        self.before = _resources(self.world)
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


class _Story:
    """A sample's story on its stage, told once."""

    def __init__(self, stage: InProcess, aside: Aside | None, starting: Starting | None) -> None:
        self._stage, self._aside, self._starting = stage, aside, starting or _ask
        if aside is not None:
            stage.tape.aside = (aside.at, self._interject)
        self._left, self._answers = list(stage.sample.then), list[Answered]()
        self._deployment_id = ""
        self._services = stage.wire(stage.clock)
        engine = Engine(self._services, jitter=lambda: 0.5)
        function = function_of(engine, self._services)
        self._host = Host(stage.clock, stage.queues, function, lambda: wake_due(self._services))

    async def play(self) -> RunReport:
        try:
            async with asyncio.TaskGroup() as group:
                hosting = group.create_task(self._host.run())
                stored = await self._tell()
                await asyncio.sleep(LEFTOVERS.total_seconds())
                hosting.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            await self._stage.close()
        return self._report(stored)

    async def _tell(self) -> Stored:
        """From the request to the end, with clients all the time."""
        stop, longest = asyncio.Event(), self._stage.settings.longest
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stage.live(stop))
            try:
                async with asyncio.timeout(longest.total_seconds()):
                    self._deployment_id = await self._starting(self._stage, self._services, self._host)
                    stored = await self._follow()
            except TimeoutError:
                raise StoryFailed(f"no end after {longest}") from None
            await asyncio.sleep(AFTER_THE_END.total_seconds())
            stop.set()
        return stored

    async def _follow(self) -> Stored:
        """Do what people and the site do when their moment comes, until the end, or until a person is needed."""
        ledger = self._stage.ledger
        while True:
            ledger.changed.clear()
            stored = ledger.peek(self._deployment_id)
            if stored is None:
                raise StoryFailed("the ledger has lost the deployment")
            status, following = stored.record.status, self._left[0].when if self._left else None
            rests = status.is_end or status is Status.NEEDS_ATTENTION
            if rests and (following is None or following.status != status):
                return stored
            if following is not None and following.has_come(status_view(stored.record).model_dump(mode="json")):
                await self._do(self._left.pop(0))
                continue
            await ledger.changed.wait()

    async def _do(self, then: Then) -> None:
        if then.world is not None:
            apply_site(self._stage.world, then.world, self._stage.clock.now())
            await self._stage.all_try()
        if then.call is not None:
            await self._call(then.call)

    async def _interject(self) -> None:
        if self._aside is None:
            return
        accepted = (await self._call(self._aside.call)).status == 200
        if accepted and self._aside.then is not None:
            self._left = list(self._aside.then)

    async def _call(self, call: HttpCall) -> Answered:
        answer = await insist(self._host, call.path, http_call(self._services, call, self._deployment_id))
        self._answers.append(Answered(call.path, answer.status_code, _code(answer)))
        return self._answers[-1]

    def _report(self, stored: Stored) -> RunReport:
        stage = self._stage
        after, before = _resources(stage.world), stage.before
        tallies = [client.tally for client in stage.clients]
        final = stage.ledger.peek(stored.record.id) or stored
        return RunReport(
            outcome=final.record.status,
            record=final.record,
            events=stage.ledger.history(stored.record.id),
            created=frozenset(after.keys() - before.keys()),
            deleted=frozenset(before.keys() - after.keys()),
            kept=frozenset(before.keys() & after.keys()),
            tally=Tally(
                attempts=sum(tally.attempts for tally in tallies),
                failures=sum(tally.failures for tally in tallies),
                longest_gap_s=max((tally.longest_gap_s for tally in tallies), default=0.0),
                failed_at=sorted(at for tally in tallies for at in tally.failed_at),
            ),
            calls=tuple(stage.tape.calls),
            idle_polls=stage.tape.idle_polls,
            struck=stage.tape.struck,
            poison=tuple(stage.queues.poison),
            errors=tuple(self._host.errors),
            answers=tuple(self._answers),
            undone=tuple(self._left),
            lasted=final.record.updated_at - EPOCH,
            world=stage.world,
        )


def function_of(engine: Engine, services: Services) -> Function:
    """What the app does for a message in any of its queues."""

    async def work(step: str, body: str, message_id: str, invocation_id: str) -> None:
        if step == NOTIFY:
            await run_notify(lambda: services, body.encode())
        else:
            await engine.handle(step, body, message_id, invocation_id)

    return work


async def _ask(stage: InProcess, services: Services, host: Host) -> str:
    return await ask(stage.sample, services, host)


async def ask(sample: Sample, services: Services, host: Host) -> str:
    """Send a sample's request until it is accepted; the deployment's ID. Raises StoryFailed where it is refused."""
    path = sample.path
    call = http_call(services, HttpCall(path=path, body=sample.request), headers={"Idempotency-Key": "CHG0031337"})
    answer = await insist(host, path, call)
    if answer.status_code != 202:
        raise StoryFailed(f"the request was not accepted: {answer.get_body().decode()}")
    return text_at(_body(answer), "id")


async def insist(host: Host, name: str, call: Callable[[], Awaitable[func.HttpResponse]]) -> func.HttpResponse:
    """Call until there is an answer that does not ask for another try, as people do when the app is down."""
    answers: list[func.HttpResponse] = []

    async def note() -> None:
        answers.append(await call())

    while True:
        if await host.call(name, note) and _code(answers[-1]) not in TRY_AGAIN:
            return answers[-1]
        await asyncio.sleep(PATIENCE.total_seconds())


def http_call(
    services: Services,
    call: HttpCall,
    deployment_id: str = "",
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Callable[[], Awaitable[func.HttpResponse]]:
    """A call to the product's own HTTP function. Raises StoryFailed where there is none for it."""
    path = call.path.removeprefix("/api/").replace("{id}", deployment_id)
    fitting = ((route, routes.match(routes.parse(route.path), path)) for route in ROUTES if route.method == call.method)
    route, values = next(((route, found) for route, found in fitting if found is not None), (None, None))
    if route is None:
        raise StoryFailed(f"the product knows no {call.method} {call.path}")
    body = b"" if call.body is None else json.dumps(call.body).encode()
    request = func.HttpRequest(
        call.method, f"{HOST}/api/{path}", headers=headers or {}, params=params or {}, route_params=values, body=body
    )
    answer = answering(route, lambda: services)
    return lambda: answer(request)


def _body(answer: func.HttpResponse) -> Json:
    body: Json = json.loads(answer.get_body())
    return body


def _code(answer: func.HttpResponse) -> str:
    """The code of the problem that an answer tells; empty where it tells none."""
    return text_at(_body(answer), "type").removeprefix(PROBLEM_TYPES)


def first_of(error: BaseException) -> BaseException:
    """What went wrong inside of groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _resources(world: World) -> dict[str, str]:
    """The resources that are no part of another one: lower-case ID to ID."""
    return {key: each.id for key, each in world.resources.items() if len(each.id.split("/")) == TOP_LEVEL}

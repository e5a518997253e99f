"""One run in one process: a sample's story on virtual time with its mischief, seen whole."""

import asyncio
import base64
import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from pydantic import TypeAdapter

from cmg_core import calls
from cmg_core.calls import Says
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.gates import GateName, Opener
from cmg_core.domain.record import MESSAGE, Ask, Event, Record, Status
from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at
from cmg_core.engine import Engine
from cmg_core.refusals import CallRefused
from cmg_core.services import Clock
from cmg_core.triggers.bodies import FiguresPayload
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure import operations
from local.azure.dns import normal
from local.azure.messages import Request
from local.azure.site import SiteError, advance, apply_site
from local.chaos import troubles
from local.chaos.guarding import LAST_GATES
from local.chaos.instruments import (
    BentClock,
    ChaoticQueues,
    ChaoticTape,
    WatchedDialer,
    WatchedLedger,
    WatchedSimulator,
    invocation_of,
)
from local.chaos.mischief import HINDERING, Kind, Mischief
from local.chaos.reading import ADDRESS, NEW_TYPES, type_of
from local.chaos.story import Asked, AskedOfSite, Disturbance, LedgerState, Look, Run, Story
from local.chaos.troubles import Surroundings, Trouble
from local.chaos.truth import Truth
from local.inprocess.harness import (
    AFTER_THE_END,
    LEFTOVERS,
    InProcess,
    Settings,
    WiredServices,
    ask,
    first_of,
    function_of,
)
from local.inprocess.hosting import Function, Host
from local.inprocess.loop import EPOCH
from local.inprocess.loop import run as run_virtually
from local.inprocess.tape import RUNNING
from local.sample import Call, Sample, Then

RECORD = TypeAdapter(Record)
EVENT = TypeAdapter(Event)
JSON = TypeAdapter[Json](Json)
LONGEST = timedelta(days=12)
"""A run that has no end by then waits: the judge says whether it may."""
MOST_RESUMES = 4
LATEST, STRIDE = 220, 3
"""What the world is not ready for yet is tried again every few calls, until so many have gone by."""
ASKS = {
    Kind.ROLLBACK: Ask.ROLLBACK,
    Kind.CANCEL: Ask.CANCEL,
    Kind.RESUME: Ask.RESUME,
    Kind.EXTEND: Ask.EXTEND,
    Kind.CHECK: Ask.CHECK,
    Kind.RELEASE_NAME: Ask.RELEASE_NAME,
}
PERSON = "somebody@contoso.com"
LED_BACK = ("inside-dns", "cname", "gateway-created")
"""The gates at which a rollback waits for people."""


def play(sample: Sample, mischief: tuple[Mischief, ...], seed: int, settings: Settings | None = None) -> Story:
    """Tell a sample's story with this mischief. The same arguments tell the same story."""

    async def told() -> Story:
        return await _Stage(sample, mischief, Random(seed), settings or Settings()).play()

    return run_virtually(told())


@dataclass
class _Server:
    """A host with its own clock, started again when it is killed."""

    name: str
    clock: BentClock
    host: Host | None = None
    dies: asyncio.Event = field(default_factory=asyncio.Event)
    down_for: float = 1.0


class _Stage(InProcess):
    def __init__(self, sample: Sample, mischief: tuple[Mischief, ...], random: Random, settings: Settings) -> None:
        self._numbers = itertools.count(1)
        self._random, self._put_off = random, [each for each in mischief if each.put_off]
        self._wants_release = any(each.kind is Kind.RELEASE_NAME for each in mischief)
        self._runs: dict[str, Run] = {}
        self._ledger_states: list[LedgerState] = []
        self._asked: list[Asked] = []
        self._errors: list[str] = []
        self._troubles: list[Trouble] = []
        self._dns_changes: list[tuple[datetime, str]] = []
        self._inside_changes: list[tuple[datetime, str]] = []
        self._timer_missed_until = EPOCH
        self._slowness, self._twice = 0.0, False
        self._deployment_id = ""
        super().__init__(sample, ChaoticTape(random=Random(random.getrandbits(32))), settings)
        self.simulator = self._watched = WatchedSimulator(self.world, self._numbers, self._look)
        self._place = Surroundings(self.world, sample)
        self._old_name = self._place.old_name(EPOCH)
        self._truth = Truth(self._place, self._old_name)
        self._asked_of_site: list[AskedOfSite] = []
        self._made_by_others: set[str] = set()
        self._hindered = any(each.kind in HINDERING for each in mischief)
        self._bodies_before: dict[str, JsonObject] = self._bodies()
        self._servers = [_Server("host-1:", BentClock(self.clock))]
        self._services = self.wire(self.clock)
        self._background: list[asyncio.Task[None]] = []
        self._log = _Heard()
        self._group: asyncio.TaskGroup | None = None
        for each in mischief:
            if not each.put_off:
                self._prepare(each)

    def storage(self) -> tuple[WatchedLedger, ChaoticQueues]:
        assert isinstance(self.tape, ChaoticTape)
        queues = ChaoticQueues(self.clock, self.tape, random=Random(self._random.getrandbits(32)))
        return WatchedLedger(self.tape, self._note), queues

    # --- The run -----------------------------------------------------------------------------------------------------

    async def play(self) -> Story:
        """From the request to the end."""
        stop = asyncio.Event()
        logging.getLogger("cmg").addHandler(self._log)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._background += [group.create_task(self._serve(server)) for server in self._servers]
                await asyncio.sleep(0)  # the hosts are up before anybody calls
                clients = group.create_task(self.live(stop))
                with suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST.total_seconds()):
                        self._deployment_id = await ask(self.sample, self._services, self._front)
                        await self._follow()
                await asyncio.sleep(AFTER_THE_END.total_seconds())
                stop.set()
                self._stirred.set()
                await clients
                await asyncio.sleep(LEFTOVERS.total_seconds())
                for task in self._background:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            logging.getLogger("cmg").removeHandler(self._log)
            await self.close()
        return self._story()

    async def _serve(self, server: _Server) -> None:
        """Keep a host going, whatever becomes of it."""
        for start in itertools.count(1):
            services = self.wire(server.clock)
            engine = Engine(services, jitter=lambda: 0.5)
            name = f"{server.name}{start}:"
            server.host = Host(
                self.clock, self.queues, self._noting(function_of(engine, services)), self._timer(services), name=name
            )
            server.dies.clear()
            serving = asyncio.ensure_future(server.host.run())
            dying = asyncio.ensure_future(server.dies.wait())
            try:
                await asyncio.wait((serving, dying), return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
            finally:
                self._errors += server.host.errors
                serving.cancel()
                dying.cancel()
                await asyncio.gather(serving, dying, return_exceptions=True)
            await asyncio.sleep(server.down_for)

    def _noting(self, work: Function) -> Function:
        async def function(step: str, body: str, message_id: str, invocation_id: str) -> None:
            with suppress(ValueError):
                message = MESSAGE.validate_json(body)
                self._runs[invocation_id] = Run(self.clock.now(), step, message.revision)
            await work(step, body, message_id, invocation_id)

        return function

    def _timer(self, services: WiredServices) -> Callable[[], Awaitable[None]]:
        async def tick() -> None:
            if self.clock.now() >= self._timer_missed_until:
                await wake_due(services)

        return tick

    # --- Mischief ----------------------------------------------------------------------------------------------------

    def _prepare(self, mischief: Mischief) -> None:
        tape, queues, random = self.tape, self.queues, Random(mischief.seed)
        assert isinstance(tape, ChaoticTape) and isinstance(queues, ChaoticQueues)
        at = mischief.at
        match mischief.kind:
            case Kind.CALL:
                tape.harmed.add(at)
            case Kind.BURST:
                tape.harmed |= {at + random.randint(0, 15) for _ in range(random.randint(2, 8))}
            case Kind.SLOW:
                for each in range(at, at + random.randint(1, 20)):
                    tape.pauses[each] = (False, random.uniform(1, 45))
            case Kind.FROZEN:
                tape.pauses[at] = (True, random.uniform(200, 900))
            case Kind.DUPLICATED:
                queues.twice = random.uniform(0.1, 0.7)
            case Kind.DELAYED:
                queues.late = random.uniform(0.1, 0.7)
            case Kind.SEVERAL_HOSTS:
                for number in range(2, random.randint(2, 3) + 1):
                    error = timedelta(seconds=random.uniform(-4, 4))
                    self._servers.append(_Server(f"host-{number}:", BentClock(self.clock, error)))
            case Kind.LATE:
                self._slowness = random.uniform(600, 36_000)
            case Kind.TWICE:
                self._twice = True
            case _:
                tape.due.setdefault(at, []).append(lambda: self._begin(mischief, random))

    def _begin(self, mischief: Mischief, random: Random) -> None:
        """Do what begins at one moment. Called in the middle of an outward call of the product."""
        now = self.clock.now()
        match mischief.kind:
            case Kind.HOST_KILLED:
                self._kill(random)
            case Kind.TIMER_MISSED:
                self._timer_missed_until = now + timedelta(minutes=random.uniform(5, 300))
            case Kind.CLOCK_JUMP:
                self._bend(random, now)
            case Kind.STALE:
                self._slip_in(self._sent())
            case Kind.FORGED:
                self._slip_in([_forged(step, text, random) for step, text in self._sent()[-1:]])
            case Kind.EARLY:
                self._later(0.0, lambda: self._try_gate(random))
            case kind if kind in ASKS:
                self._later(random.uniform(0, 5), lambda: self._ask_for(ASKS[kind], random))
            case kind:
                keys = set(self.world.resources)
                trouble = troubles.make(kind, self._place, self._old_name, random, now)
                if trouble is None and mischief.at < LATEST:
                    self._when_it_can(replace(mischief, at=mischief.at + STRIDE), random)
                elif trouble is not None:
                    self._has(trouble)
                    came = self.world.resources.keys() - keys
                    self._bodies_before |= {id: body for id, body in self._bodies().items() if id in came}

    def _when_it_can(self, mischief: Mischief, random: Random) -> None:
        assert isinstance(self.tape, ChaoticTape)
        due = self.tape.due.setdefault(self.tape.arrived + STRIDE, [])
        due.append(lambda: self._begin(mischief, random))

    def _kill(self, random: Random) -> None:
        running = RUNNING.get()
        server = next((each for each in self._servers if each.host and running in each.host.running), self._servers[0])
        server.down_for = random.choice((0.5, 30.0, 400.0, 3600.0))
        if server.host is not None:
            server.host.kill()
        server.dies.set()

    def _bend(self, random: Random, now: datetime) -> None:
        server = random.choice(self._servers)
        server.clock.error = random.choice(
            (timedelta(minutes=-20), timedelta(minutes=-3), timedelta(minutes=3), timedelta(hours=2), timedelta(days=2))
        )
        told = Disturbance(now, f"{server.name} is {server.clock.error} off", bends_time=True)
        lasts = timedelta(minutes=random.uniform(1, 600))

        def back(_: datetime) -> None:
            server.clock.error = timedelta()

        self._has(Trouble(told, back, now + lasts))

    def _has(self, trouble: Trouble) -> None:
        self._troubles.append(trouble)
        self._later(0.0, self.all_try)
        if trouble.over_at is not None:
            left = (trouble.over_at - self.clock.now()).total_seconds()
            self._later(left, lambda: self._cure(trouble))

    async def _cure(self, trouble: Trouble) -> None:
        if trouble.cure is not None and trouble.told.until is None:
            now = self.clock.now()
            advance(self.world, now)
            if not (trouble.leads_over and self._record().state.roll_back is not None):
                trouble.cure(now)
            trouble.told = replace(trouble.told, until=now)
            await self.all_try()

    def _sent(self) -> list[tuple[str, str]]:
        assert isinstance(self.queues, ChaoticQueues)
        return list(self.queues.sent_texts)

    def _slip_in(self, messages: list[tuple[str, str]]) -> None:
        assert isinstance(self.queues, ChaoticQueues)
        for step, text in messages:
            self.queues.slip_in(step, text)

    def _later(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        async def wait_and_do() -> None:
            await asyncio.sleep(seconds)
            await do()

        assert self._group is not None
        outside = copy_context()
        outside.run(RUNNING.set, None)
        self._background.append(self._group.create_task(wait_and_do(), context=outside))

    # --- People ------------------------------------------------------------------------------------------------------

    @property
    def _front(self) -> Host:
        """The host that answers HTTP."""
        host = self._servers[0].host
        assert host is not None
        return host

    async def _follow(self) -> None:
        """Do what people and the site do when their moment comes, and see to troubles, until the end."""
        left, resumes = list(self.sample.then), 0
        while True:
            self.ledger.changed.clear()
            record = self._record()
            if record.status.is_end:
                if not self._wants_release:
                    return
                self._wants_release = False
                await self._release()
                continue
            if record.status is Status.NEEDS_ATTENTION:
                if resumes == MOST_RESUMES:
                    return
                resumes += 1
                await self._see_to_it(resumes)
                continue
            if record.state.roll_back is not None:
                if await self._lead_back(record):
                    continue
            elif await self._act(left):
                continue
            await self.ledger.changed.wait()

    async def _act(self, left: list[Then]) -> bool:
        """Do the first thing whose moment has come, if it has not passed again by then; whether there was one."""

        def due() -> Then | None:
            view = status_view(self._record()).model_dump(mode="json")
            return next((then for then in left if then.when.has_come(view)), None)

        then = due()
        if then is None:
            return False
        await asyncio.sleep(self._slowness)
        if self._record().state.roll_back is None and due() is then:
            left.remove(then)
            await self._do(then)
        return True

    async def _release(self) -> None:
        """Somebody looks whether all has ended and, at once or a day later, wants the parked name given free. What was
        put off until then begins with the look or on the way."""
        assert isinstance(self.tape, ChaoticTape)
        for each in self._put_off:
            self._prepare(replace(each, at=self.tape.arrived + each.at))
        await self._call("look", lambda: calls.find(self._services, self._deployment_id))
        await asyncio.sleep(self._random.choice((1.0, 600.0, 90_000.0)))
        await self._ask(Ask.RELEASE_NAME)

    def _record(self) -> Record:
        stored = self.ledger.peek(self._deployment_id)
        assert stored is not None, "the ledger has lost the deployment"
        return stored.record

    async def _see_to_it(self, times: int) -> None:
        """What a person does who is called: put right what can be, then resume; at last perhaps go back."""
        await asyncio.sleep(60.0 + self._slowness)
        for trouble in self._troubles:
            await self._cure(trouble)
        await asyncio.sleep(60.0)
        last = times == MOST_RESUMES and self._random.random() < 0.5
        back = Ask.CANCEL if self._record().step == Ask.RELEASE_NAME else Ask.ROLLBACK
        await self._ask(back if last else Ask.RESUME)

    async def _lead_back(self, record: Record) -> bool:
        """What a rollback asks of people; whether there was anything."""
        asked = {str(each.name): each.opener for each in record.state.gates if each.asked_at and not each.is_open}
        name = next((name for name in LED_BACK if name in asked), None)
        if name is None:
            return False
        await asyncio.sleep(self._slowness)
        if not self._is_led_back(name):
            for change in self._ways_back(name):
                with suppress(SiteError):
                    apply_site(self.world, change, self.clock.now())
                    await self.all_try()
            if name == "gateway-created":
                self._remove_made()
                await self.all_try()
            await asyncio.sleep(5.0)
        if asked[name] is Opener.APP:
            return False
        await self._open(name)
        return True

    def _is_led_back(self, gate: str) -> bool:
        """Whether people have done what a gate that the app opens asks of them: they do it once."""
        return gate == "cname" and self._place.target(self.clock.now()) in ("", self._old_name)

    def _ways_back(self, gate: str) -> list[JsonObject]:
        """What people change, one after the other, when a rollback waits at this gate."""
        name = self._place.service_name
        match gate:
            case "inside-dns":
                return [{"set_inside_dns": [{"name": name, "type": "CNAME", "value": self._old_name, "ttl": 1}]}]
            case "cname":
                return [{"set_public_dns": [{"name": name, "value": self._old_name, "ttl": 4}]}]
            case _:
                site = self.world.site
                gateways = site.gateways.values() if site else ()
                points = site.connection_points.values() if site else ()
                named = [each.name for each in gateways if normal(each.service_name) == name]
                linked = [each.server for each in points if each.gateway in named]
                unlinked: list[JsonObject] = [{"remove_connection_point": server} for server in linked]
                return unlinked + [{"remove_gateway_record": record} for record in named]

    def _remove_made(self) -> None:
        """In the console: the site removes the gateway that it has made."""
        for id in self._made_by_others:
            resource = self.world.resource(id)
            if resource is not None:
                operations.forget(self.world, resource)

    async def _do(self, then: Then) -> None:
        if then.world is not None:
            before = self._bodies().keys()
            with suppress(SiteError):
                apply_site(self.world, then.world, self.clock.now())
            self._made_by_others |= self._bodies().keys() - before
            await self.all_try()
        if then.call is not None:
            for _ in range(2 if self._twice else 1):
                await self._do_call(then.call)

    async def _do_call(self, call: Call) -> None:
        what = call.path.rsplit("/", 1)[-1]
        if "/gates/" in call.path:
            await self._open(what, _object(at(call.body, "payload")))
        else:
            await self._ask(Ask(what))

    async def _try_gate(self, random: Random) -> None:
        """Somebody opens a gate that is not asked for, or one that is for the app to open, or none."""
        asked = {gate.name for gate in self._record().state.gates if gate.asked_at} if self._deployment_id else set()
        await self._open(random.choice([*(name for name in GateName if name not in asked), "no-such-gate"]))

    async def _open(self, gate: str, payload: JsonObject | None = None) -> None:
        reason, says = "the change plan says so", _says(payload or {})
        await self._call(
            f"open {gate}",
            lambda: calls.open_gate(self._services, self._deployment_id, gate, PERSON, reason, says),
            payload,
        )

    async def _ask_for(self, wanted: Ask, random: Random) -> None:
        if self._deployment_id:
            await self._ask(wanted, timedelta(seconds=random.uniform(-5, 20_000)))

    async def _ask(self, wanted: Ask, longer: timedelta = timedelta()) -> None:
        until = (self._record().state.grace_ends_at or self.clock.now()) + longer if wanted is Ask.EXTEND else None
        await self._call(
            str(wanted),
            lambda: calls.ask_for(self._services, self._deployment_id, wanted, PERSON, "as agreed", until),
        )

    async def _call(self, what: str, call: Callable[[], Awaitable[object]], payload: JsonObject | None = None) -> None:
        """Call until there is an answer; note what it was."""

        async def discarding() -> None:
            await call()

        for _ in range(20):
            began = self.clock.now()
            try:
                answered = await self._front.call(what, discarding)
                self._asked.append(Asked(began, what, payload=payload))
                if answered:
                    return
            except TryAgain:
                pass
            except CallRefused as refused:
                details = refused.problem.as_problem_details(f"/api/deployments/{self._deployment_id}")
                self._asked.append(Asked(began, what, details, payload))
                return
            await asyncio.sleep(30.0)

    # --- What was seen -----------------------------------------------------------------------------------------------

    def _note(self, record: Record) -> None:
        content, now = RECORD.dump_python(record, mode="json"), self.clock.now()
        before = self._ledger_states[-1].record if self._ledger_states else {}
        view = status_view(record).model_dump(mode="json")
        self._ledger_states.append(LedgerState(next(self._numbers), now, content, view))
        for gate in sorted(_asked_gates(content) - _asked_gates(before)):
            if gate in LAST_GATES:
                running = RUNNING.get()
                asked = AskedOfSite(next(self._numbers), now, gate, invocation_of(running), self._look_now())
                self._asked_of_site.append(asked)

    def _look(self, request: Request) -> Look:
        """How the world stands as a deletion or a change of a record comes in."""
        return self._look_now(request.path.lower())

    def _look_now(self, path: str = "") -> Look:
        now = self.clock.now()
        self._note_dns(now)
        return self._truth.look(now, path, invocation_of(RUNNING.get()))

    def _note_dns(self, now: datetime) -> None:
        inside = self._place.inside_target(now)
        if not self._inside_changes or self._inside_changes[-1][1] != inside:
            self._inside_changes.append((now, inside))
        target = self._place.target(now)
        if not self._dns_changes or self._dns_changes[-1][1] != target:
            self._dns_changes.append((now, target))
            if len(self._dns_changes) > 1 and self._place.case.moves_the_name:
                self._nobody_misses_the_old_one(now)

    def _nobody_misses_the_old_one(self, now: datetime) -> None:
        for trouble in self._troubles:
            if trouble.cure is None and trouble.told.until is None:
                trouble.told = replace(trouble.told, until=now)

    async def all_try(self) -> None:
        self._note_dns(self.clock.now())
        await super().all_try()
        if all(set(client.knows) - {self._place.old_service_name} for client in self.clients):
            self._nobody_misses_the_old_one(self.clock.now())
        self._watch_gateway()

    def wire(self, clock: Clock) -> WiredServices:
        dialer = WatchedDialer(self.world, self.clock, self.tape, self._note_dial)
        return replace(super().wire(clock), dialer=dialer)

    def _note_dial(self) -> None:
        self._truth.note_dialed(invocation_of(RUNNING.get()), self.clock.now())
        self._watch_gateway()

    def _watch_gateway(self) -> None:
        self._truth.watch(self.clock.now())

    def _bodies(self) -> dict[str, JsonObject]:
        """Every resource that is no part of another one: a copy of its body."""
        return {
            key: deepcopy(each.body)
            for key, each in self.world.resources.items()
            if len(key.split("/")) == 9 and "/microsoft.authorization/" not in key
        }

    def _story(self) -> Story:
        now = self.clock.now()
        self._note_dns(now)
        request = self.sample.request
        failed = [datetime.fromtimestamp(at, UTC) for client in self.clients for at in client.tally.failed_at]
        events = tuple(EVENT.dump_python(each, mode="json") for each in self.ledger.history(self._deployment_id))
        return Story(
            request=request,
            case=self._place.case,
            to_be_refused=self.sample.expect.outcome == Status.REFUSED,
            service_name=self._place.service_name,
            old_name=self._old_name,
            record_id=self._place.record_id,
            to_delete=self._to_delete(),
            parked=self._parked(),
            before=self._bodies_before,
            after=self._bodies(),
            public_target=self._place.target(now),
            minimum_grace=self.settings.minimum_grace,
            began_at=EPOCH,
            ended_at=now,
            deployment_id=self._deployment_id,
            ledger=tuple(self._ledger_states),
            events=events,
            queued=len(self.queues.waiting),
            runs=self._runs,
            writes=tuple(self._watched.writes),
            dns_changes=tuple(self._dns_changes),
            inside_changes=tuple(self._inside_changes),
            relayed_at=self._truth.relayed_at,
            connected_at=self._truth.connected_at,
            failed_at=tuple(sorted(failed)),
            attempts=sum(client.tally.attempts for client in self.clients),
            asked=tuple(self._asked),
            asked_of_site=tuple(self._asked_of_site),
            made_by_others=frozenset(self._made_by_others),
            hindered=self._hindered,
            errors=tuple(self._errors),
            secrets=frozenset(self._watched.secrets),
            told=self._told(),
            disturbances=tuple(trouble.told for trouble in self._troubles),
        )

    def _to_delete(self) -> frozenset[str]:
        """What the sample says will go; else the parts of a gateway that stand in the old one's group."""
        if self.sample.expect.deleted is not None:
            return frozenset(id.lower() for id in self.sample.expect.deleted)
        group = f"{self._place.old_group.lower()}/providers/"
        return frozenset(id for id in self._bodies_before if id.startswith(group) and type_of(id) in NEW_TYPES)

    def _parked(self) -> str:
        """The old gateway's address, where the request keeps its name."""
        if not self.sample.request.get("park_old_name"):
            return ""
        group = f"{self._place.old_group.lower()}/providers/"
        return next(id for id in self._bodies_before if id.startswith(group) and type_of(id) == ADDRESS)

    def _told(self) -> dict[str, str]:
        """Every text that the product keeps or shows."""
        return {
            "the ledger": JSON.dump_json([each.record for each in self._ledger_states]).decode(),
            "what people are shown": JSON.dump_json([each.view for each in self._ledger_states]).decode(),
            "the history": repr(self.ledger.history(self._deployment_id)),
            "the queues": " ".join(base64.b64decode(text).decode() for _, text in self._sent()),
            "what calls were answered": repr(self._asked),
            "what invocations raised": repr(self._errors),
            "the log": "\n".join(self._log.lines),
        }


class _Heard(logging.Handler):
    """Keeps what the product logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def _forged(step: str, text: str, random: Random) -> tuple[str, str]:
    """A message as somebody with the storage account's key could write it, on the pattern of a real one."""
    content = json.loads(base64.b64decode(text))
    match random.randint(0, 5):
        case 0:
            content["revision"] += random.randint(1, 3)
        case 1:
            content["etag"] = 'W/"forged"'
        case 2:
            content["deployment_id"] = "00000000-0000-4000-8000-000000000000"
        case 3:
            step = content["step"] = "retire-old-gateway"
        case 4:
            return step, base64.b64encode(base64.b64decode(text)[:-20]).decode()
        case _:
            return step, base64.b64encode(b"not a message").decode()
    return step, base64.b64encode(json.dumps(content).encode()).decode()


def _asked_gates(record: JsonObject) -> set[str]:
    """The gates that are asked for."""
    return {text_at(gate, "name") for gate in objects_at(record, "state", "gates") if gate.get("asked_at")}


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _says(payload: JsonObject) -> Says:
    """What a person says at a gate, as the HTTP function would read it."""
    counted = FiguresPayload.model_validate(payload) if "active" in payload else None
    return Says(made=text_at(payload, "resource_id"), figures=counted)

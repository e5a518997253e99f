"""Ledger, queues, tape, simulator and clocks that do what a run's mischief wants, and note what they see."""

import asyncio
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from cmg_core.domain.record import Record
from cmg_core.domain.values import text_at
from cmg_core.services import Clock, Dialed
from local.azure.messages import Request, Response, is_change
from local.azure.simulator import Simulator
from local.azure.world import World
from local.chaos.story import Look, Write
from local.inprocess.memory import MemoryLedger, MemoryQueues
from local.inprocess.outside import SimulatedDialer
from local.inprocess.tape import IDLE, RUNNING, Call, Harm, Invocation, Port, Tape

_ALIAS = re.compile(r"/dnszones/[^/]+/cname/[^/]+$", re.IGNORECASE)
LOUD = (Harm.CRASH_BEFORE, Harm.CRASH_AFTER, Harm.LOST_ANSWER, Harm.REPEATED)


@dataclass
class BentClock:
    """A host's own clock: the true time and an error."""

    true: Clock
    error: timedelta = timedelta()

    def now(self) -> datetime:
        return self.true.now() + self.error


@dataclass
class ChaoticTape(Tape):
    """Counts calls as they arrive, starts what is due at each, and harms those that are to be harmed."""

    random: Random = field(default_factory=Random)
    due: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    """What to do when call number so and so arrives."""
    harmed: set[int] = field(default_factory=set)
    pauses: dict[int, tuple[bool, float]] = field(default_factory=dict)
    """Call number to whether only reads are held up, and for how many seconds."""
    arrived: int = 0

    async def pass_on[T](self, port: Port, name: str, writes: bool, effect: Callable[[], Awaitable[T]]) -> T:
        if name == IDLE:
            return await super().pass_on(port, name, writes, effect)
        self.arrived += 1
        begun = self.due.pop(self.arrived, [])
        for begin in begun:
            begin()
        only_reads, pause = self.pauses.pop(self.arrived, (False, 0.0))
        if begun or (pause and not (only_reads and writes)):
            await asyncio.sleep(0.0 if only_reads and writes else pause)
        return await super().pass_on(port, name, writes, effect)

    def harm_to(self, call: Call) -> Harm | None:
        if call.number not in self.harmed or RUNNING.get() is None:
            return None
        self.struck = call
        harms = [harm for harm in call.harms if harm in LOUD] if self.random.random() < 0.5 else list(call.harms)
        return self.random.choice(harms)


class WatchedLedger(MemoryLedger):
    """Tells of each change of a record."""

    def __init__(self, tape: Tape, watch: Callable[[Record], None]) -> None:
        super().__init__(tape)
        self._watch = watch

    def note(self, deployment_id: str) -> None:
        super().note(deployment_id)
        stored = self.peek(deployment_id)
        if stored is not None:
            self._watch(stored.record)


@dataclass
class ChaoticQueues(MemoryQueues):
    """Delivers some messages late and some twice. ``late`` and ``twice`` are probabilities."""

    random: Random = field(default_factory=Random)
    late: float = 0.0
    twice: float = 0.0
    sent_texts: list[tuple[str, str]] = field(default_factory=list)
    """Step and text of every message of the product."""

    def put(self, step: str, text: str, delay: timedelta = timedelta()) -> None:
        self.sent_texts.append((step, text))
        if self.random.random() < self.late:
            delay += timedelta(seconds=self.random.choice((1, 30, 400, 1200)))
        super().put(step, text, delay)
        if self.random.random() < self.twice:
            super().put(step, text, delay + timedelta(seconds=self.random.choice((0, 1, 30, 660, 7200))))

    def slip_in(self, step: str, text: str) -> None:
        """A message that the product did not send."""
        super().put(step, text)


class WatchedDialer(SimulatedDialer):
    """Tells of each look at a gateway, right after it."""

    def __init__(self, world: World, clock: Clock, tape: Tape, watch: Callable[[], None]) -> None:
        super().__init__(world, clock, tape)
        self._watch = watch

    async def dial(self, host: str, service_name: str) -> Dialed:
        dialed = await super().dial(host, service_name)
        self._watch()
        return dialed


class WatchedSimulator(Simulator):
    """Notes each write with who sent it and how the world stood, and every secret that comes over the wire."""

    def __init__(self, world: World, numbers: "itertools.count[int]", look: Callable[[Request], Look | None]) -> None:
        super().__init__(world)
        self.writes: list[Write] = []
        self.secrets: set[str] = set()
        self._numbers, self._look = numbers, look

    def handle(self, request: Request, now: datetime) -> Response:
        self.secrets.update(_secrets(request))
        if not is_change(request.method, request.path) or _is_other_post(request):
            return super().handle(request, now)
        takes_away = request.method == "DELETE" or _ALIAS.search(request.path)
        look = self._look(request) if takes_away else None
        status = None
        try:
            response = super().handle(request, now)
            status = response.status
        finally:
            invocation = invocation_of(RUNNING.get())
            self.writes.append(
                Write(
                    next(self._numbers),
                    now,
                    request.method,
                    request.path.lower(),
                    status,
                    invocation,
                    look,
                    _alias_target(request),
                )
            )
        return response


def invocation_of(running: Invocation | None) -> str:
    """The invocation that is at work; empty where none is."""
    return running.name.rsplit(" ", 1)[-1] if running else ""


def _alias_target(request: Request) -> str:
    """Where a change of an alias leads it; empty for anything else."""
    if request.method == "DELETE" or not _ALIAS.search(request.path):
        return ""
    return text_at(json.loads(request.body), "properties", "CNAMERecord", "cname").rstrip(".").lower()


def _is_other_post(request: Request) -> bool:
    """A call by POST that concerns sign-in or the simulator: the one that changes Azure registers a provider."""
    return request.method == "POST" and not request.path.endswith("/register")


def _secrets(request: Request) -> set[str]:
    found = {request.headers["authorization"].removeprefix("Bearer ")} if "authorization" in request.headers else set()
    if b"adminPassword" in request.body:
        found |= {value for value in _members(json.loads(request.body), "adminPassword") if value}
    return found


def _members(value: object, name: str) -> list[str]:
    """Every string member of that name, however deep."""
    if isinstance(value, dict):
        own = [value[name]] if isinstance(value.get(name), str) else []
        return own + [each for child in value.values() for each in _members(child, name)]
    return [each for child in value for each in _members(child, name)] if isinstance(value, list) else []

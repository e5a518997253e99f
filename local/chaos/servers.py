"""The hosts of a run, each with its own clock, started again whatever becomes of them."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from cmg_core.domain.record import MESSAGE
from cmg_core.engine import Engine
from cmg_core.wake import wake_due
from local.chaos.instruments import BentClock
from local.chaos.story import Disturbance, Run
from local.chaos.troubles import Trouble
from local.chaos.witness import Witness
from local.inprocess.hosting import Function, Host
from local.inprocess.loop import EPOCH
from local.inprocess.stage import InProcess, WiredServices, function_of
from local.inprocess.tape import RUNNING


@dataclass
class _Server:
    """A host with its own clock, started again when it is killed."""

    name: str
    clock: BentClock
    host: Host | None = None
    dies: asyncio.Event = field(default_factory=asyncio.Event)
    down_for: float = 1.0


class Servers:
    """All hosts of a run, on the same queues; one from the beginning."""

    def __init__(self, stage: InProcess, witness: Witness) -> None:
        self._stage, self._witness = stage, witness
        self._all: list[_Server] = []
        self._timer_missed_until = EPOCH
        self.add()

    def add(self, clock_error: timedelta = timedelta()) -> None:
        """One more, from the beginning on."""
        self._all.append(_Server(f"host-{len(self._all) + 1}:", BentClock(self._stage.clock, clock_error)))

    @property
    def front(self) -> Host:
        """The host that answers HTTP."""
        host = self._all[0].host
        assert host is not None
        return host

    def serve(self, group: asyncio.TaskGroup) -> "list[asyncio.Task[None]]":
        """Start them all; each task goes on until it is cancelled."""
        return [group.create_task(self._keep_going(server)) for server in self._all]

    def kill(self, down_for: float) -> None:
        """Kill the host whose work this is called in the midst of; it is down for so many seconds."""
        running = RUNNING.get()
        server = next((each for each in self._all if each.host and running in each.host.running), self._all[0])
        server.down_for = down_for
        if server.host is not None:
            server.host.kill()
        server.dies.set()

    def miss_timer(self, lasts: timedelta) -> None:
        """wake-due does not run on any of them for so long."""
        self._timer_missed_until = self._stage.clock.now() + lasts

    def bend_clock(self, random: Random) -> Trouble:
        """One host's clock is off from now on: the trouble that this is."""
        now, server = self._stage.clock.now(), random.choice(self._all)
        server.clock.error = random.choice(
            (timedelta(minutes=-20), timedelta(minutes=-3), timedelta(minutes=3), timedelta(hours=2), timedelta(days=2))
        )
        told = Disturbance(now, f"{server.name} is {server.clock.error} off", bends_time=True)
        lasts = timedelta(minutes=random.uniform(1, 600))

        def back(_: object) -> None:
            server.clock.error = timedelta()

        return Trouble(told, back, now + lasts)

    async def _keep_going(self, server: _Server) -> None:
        stage = self._stage
        for start in itertools.count(1):
            services = stage.wire(server.clock)
            function = self._noting(function_of(Engine(services, jitter=lambda: 0.5), services))
            server.host = Host(
                stage.clock, stage.queues, function, self._timer(services), name=f"{server.name}{start}:"
            )
            server.dies.clear()
            serving = asyncio.ensure_future(server.host.run())
            dying = asyncio.ensure_future(server.dies.wait())
            try:
                await asyncio.wait((serving, dying), return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
            finally:
                self._witness.errors += server.host.errors
                serving.cancel()
                dying.cancel()
                await asyncio.gather(serving, dying, return_exceptions=True)
            await asyncio.sleep(server.down_for)

    def _noting(self, work: Function) -> Function:
        async def function(step: str, body: str, message_id: str, invocation_id: str) -> None:
            with suppress(ValueError):
                message = MESSAGE.validate_json(body)
                self._witness.runs[invocation_id] = Run(self._stage.clock.now(), step, message.revision)
            await work(step, body, message_id, invocation_id)

        return function

    def _timer(self, services: WiredServices) -> Callable[[], Awaitable[None]]:
        async def tick() -> None:
            if self._stage.clock.now() >= self._timer_missed_until:
                await wake_due(services)

        return tick

"""One run in one process: a sample's story on virtual time with its mischief, seen whole."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from random import Random

from cmg_core.services import Clock
from local.chaos.curing import Troubles
from local.chaos.injecting import Injector
from local.chaos.instruments import ChaoticQueues, ChaoticTape, WatchedDialer, WatchedLedger
from local.chaos.mischief import HINDERING, Kind, Mischief
from local.chaos.people import People
from local.chaos.servers import Servers
from local.chaos.story import Story
from local.chaos.surroundings import Surroundings
from local.chaos.witness import Witness
from local.inprocess.harness import AFTER_THE_END, LEFTOVERS, first_of
from local.inprocess.loop import EPOCH
from local.inprocess.loop import run as run_virtually
from local.inprocess.stage import InProcess, Settings, WiredServices
from local.inprocess.tape import RUNNING
from local.sample import Sample

LONGEST = timedelta(days=12)
"""A run that has no end by then waits: the judge says whether it may."""


def play(sample: Sample, mischief: tuple[Mischief, ...], seed: int, settings: Settings | None = None) -> Story:
    """Tell a sample's story with this mischief. The same arguments tell the same story."""

    async def told() -> Story:
        return await _Stage(sample, mischief, Random(seed), settings or Settings()).play()

    return run_virtually(told())


class _Stage(InProcess):
    """Brings together who has a part in a run: hosts, people, what goes wrong, and a witness of it all."""

    def __init__(self, sample: Sample, mischief: tuple[Mischief, ...], random: Random, settings: Settings) -> None:
        self._mischief, self._random = mischief, random
        tape = ChaoticTape(random=Random(random.getrandbits(32)))
        super().__init__(sample, tape, settings)
        self._background: list[asyncio.Task[None]] = []
        self._group: asyncio.TaskGroup | None = None
        self._place = Surroundings(self.world, sample)
        old_name = self._place.old_name(EPOCH)
        self._troubles = Troubles(self, self._place, old_name, self._later, lambda: self._people.rolls_back)
        self._witness = Witness(self, self._queues, self._place, self._troubles)
        self.simulator = self._witness.simulator
        self._servers = Servers(self, self._witness)
        services = self.wire(self.clock)
        self._people = People(self, services, self._servers, self._witness, self._troubles, self._place, random)
        self._injector = Injector(tape, self._queues, self._servers, self._people, self._troubles, self._later)
        self._injector.prepare(each for each in mischief if not each.put_off)

    def storage(self) -> tuple[WatchedLedger, ChaoticQueues]:
        self._queues = ChaoticQueues(self.clock, self.tape, random=Random(self._random.getrandbits(32)))
        return WatchedLedger(self.tape, lambda record: self._witness.note_record(record)), self._queues

    def wire(self, clock: Clock) -> WiredServices:
        dialer = WatchedDialer(self.world, self.clock, self.tape, self._witness.note_dialed)
        return replace(super().wire(clock), dialer=dialer)

    async def play(self) -> Story:
        """From the request to the end."""
        stop = asyncio.Event()
        logging.getLogger("cmg").addHandler(self._witness.log)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._background += self._servers.serve(group)
                await asyncio.sleep(0)  # the hosts are up before anybody calls
                clients = group.create_task(self.live(stop))
                with suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST.total_seconds()):
                        await self._tell()
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
            logging.getLogger("cmg").removeHandler(self._witness.log)
            await self.close()
        hindered = any(each.kind in HINDERING for each in self._mischief)
        return self._witness.story(self._people.deployment_id, hindered=hindered)

    async def _tell(self) -> None:
        await self._people.begin()
        await self._people.follow()
        if self._people.record.status.is_end and any(each.kind is Kind.RELEASE_NAME for each in self._mischief):
            # What was put off until then begins with the look that precedes the release, or on the way.
            self._injector.prepare(each for each in self._mischief if each.put_off)
            await self._people.release()
            await self._people.follow()

    async def all_try(self) -> None:
        self._witness.note_dns()
        await super().all_try()
        if all(set(client.knows) - {self._place.old_service_name} for client in self.clients):
            self._troubles.nobody_misses_the_old_one()
        self._witness.watch_gateway()

    def _later(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        async def wait_and_do() -> None:
            await asyncio.sleep(seconds)
            await do()

        assert self._group is not None
        outside = copy_context()
        outside.run(RUNNING.set, None)
        self._background.append(self._group.create_task(wait_and_do(), context=outside))

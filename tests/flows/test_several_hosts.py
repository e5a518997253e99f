"""The same queues served by three hosts: fences hold, and one host's wrong clock ends nothing early."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from cmg_core.domain.record import Record, Status
from cmg_core.engine import Engine
from cmg_core.services import Services
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.site import apply_site
from local.chaos.instruments import BentClock
from local.inprocess.calling import ask, http_call, insist
from local.inprocess.hosting import Host
from local.inprocess.loop import run
from local.inprocess.memory import MemoryLedger, MemoryQueues, Waiting
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Tape
from local.sample import Sample, load

SAMPLE = Path("samples/s07-own-domain-from-classic.json")
MONTH = timedelta(days=30)
LONGEST = timedelta(days=70)
ON_TIME = timedelta()


@dataclass
class Scattered(MemoryQueues):
    """Any host may get the next message, and some come twice."""

    random: Random = field(default_factory=Random)
    twice: float = 0.0

    def put(self, step: str, text: str, delay: timedelta = timedelta()) -> None:
        for _ in range(2 if self.random.random() < self.twice else 1):
            super().put(step, text, delay)

    def receive(self, most: int, hidden_for: timedelta) -> list[Waiting]:
        return super().receive(1, hidden_for) if self.random.random() < 0.5 else []


class Stage(InProcess):
    """A world whose hosts share scattered queues."""

    def __init__(self, sample: Sample, seed: int, twice: float) -> None:
        self._seed, self._twice = seed, twice
        super().__init__(sample, Tape(), Settings())

    def storage(self) -> tuple[MemoryLedger, MemoryQueues]:
        queues = Scattered(self.clock, self.tape, random=Random(self._seed), twice=self._twice)
        return MemoryLedger(self.tape), queues


@dataclass(frozen=True)
class Told:
    """What came of a story: its record, every write that Azure took with its moment, and how often each host worked."""

    record: Record
    writes: Sequence[tuple[str, datetime]]
    worked: Counter[int]

    def counted(self) -> Counter[str]:
        return Counter(write for write, _ in self.writes)


async def tell(sample: Sample, clocks: Sequence[timedelta], seed: int = 0, twice: float = 0.0) -> Told:
    """Carry a sample out on hosts whose clocks are off by so much each."""
    stage, worked = Stage(sample, seed, twice), Counter[int]()

    def host_of(number: int, services: Services) -> Host:
        engine = Engine(services, jitter=lambda: 0.5)

        async def work(step: str, body: str, message_id: str, invocation_id: str) -> None:
            worked[number] += 1
            await engine.handle(step, body, message_id, invocation_id)

        return Host(stage.clock, stage.queues, work, lambda: wake_due(services), name=f"host-{number} ")

    wired = [stage.wire(BentClock(stage.clock, error)) for error in clocks]
    hosts = [host_of(number, services) for number, services in enumerate(wired)]
    hosting = [asyncio.create_task(host.run()) for host in hosts]
    try:
        async with asyncio.timeout(LONGEST.total_seconds()):
            id = await ask(sample, wired[0], hosts[0])
            left = list(sample.then)
            while True:
                stage.ledger.changed.clear()
                stored = stage.ledger.peek(id)
                assert stored is not None
                if stored.record.status.is_end or stored.record.status is Status.NEEDS_ATTENTION:
                    break
                if left and left[0].when.has_come(status_view(stored.record).model_dump(mode="json")):
                    then = left.pop(0)
                    if then.world is not None:
                        apply_site(stage.world, then.world, stage.clock.now())
                    if then.call is not None:
                        await insist(hosts[0], then.call.path, http_call(wired[0], then.call, id))
                    continue
                await stage.ledger.changed.wait()
    finally:
        for task in hosting:
            task.cancel()
        await stage.close()
    assert [error for host in hosts for error in host.errors] == []
    writes = [
        (f"{entry.request.method} {entry.request.path}".lower(), entry.at)
        for entry in stage.world.log
        if entry.request.method in ("PUT", "DELETE") and entry.response is not None and entry.response.status < 300
    ]
    return Told(stored.record, writes, worked)


@pytest.mark.parametrize("seed", range(3))
def test_three_hosts_write_what_one_writes_though_messages_come_twice(seed: int) -> None:
    sample = load(SAMPLE)
    alone = run(tell(sample, [ON_TIME]))
    together = run(tell(sample, [ON_TIME] * 3, seed=seed, twice=0.5))
    assert together.record.status is alone.record.status is Status.SUCCEEDED
    assert together.counted() == alone.counted()
    assert set(together.worked) == {0, 1, 2}


@pytest.mark.parametrize("error", [MONTH, -MONTH], ids=["ahead", "behind"])
def test_one_host_that_is_a_month_off_ends_no_grace_period_early_and_does_not_draw_it_out(error: timedelta) -> None:
    sample = load(SAMPLE)
    sample = sample.model_copy(update={"request": sample.request | {"grace_period": "P1D"}})
    told = run(tell(sample, [ON_TIME, error, ON_TIME]))
    assert told.record.status is Status.SUCCEEDED
    deleted_at = min(at for write, at in told.writes if write.startswith("delete"))
    led_over_at = max(at for write, at in told.writes if "/cname/" in write and at < deleted_at)
    assert timedelta(days=1) <= deleted_at - led_over_at < timedelta(days=1, minutes=10)

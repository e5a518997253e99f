"""The host in memory treats messages as the real queue trigger does."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.record import Claim, Message
from cmg_core.services import LedgerConflict
from local.inprocess.hosting import Host
from local.inprocess.loop import EPOCH, VirtualClock, run
from local.inprocess.memory import MemoryLedger, MemoryQueues
from local.inprocess.tape import Fault, Harm, Tape
from tests.records import NOW, a_record

MESSAGE = Message("d", "preflight", 1, "e")


@dataclass
class Stage:
    """A host with one function, and what happened on it: when each delivery came."""

    tape: Tape
    queues: MemoryQueues
    ledger: MemoryLedger
    clock: VirtualClock
    delivered: list[timedelta] = field(default_factory=list)


async def played(
    function: Callable[[Stage], Awaitable[None]], lasts: timedelta, fault: Fault | None = None, send: bool = True
) -> Stage:
    tape, clock = Tape(fault), VirtualClock()
    stage = Stage(tape, MemoryQueues(clock, tape), MemoryLedger(tape), clock)

    async def work(step: str, body: str, message_id: str, invocation_id: str) -> None:
        stage.delivered.append(clock.now() - EPOCH)
        await function(stage)

    async def wake_due() -> None:
        await stage.ledger.active()

    if send:
        await stage.queues.send(MESSAGE)
    host = asyncio.create_task(Host(clock, stage.queues, work, wake_due).run())
    await asyncio.sleep(lasts.total_seconds())
    host.cancel()
    await asyncio.gather(host, return_exceptions=True)
    return stage


def seconds(*numbers: int) -> list[timedelta]:
    return [timedelta(seconds=number) for number in numbers]


async def nothing(_: Stage) -> None:
    pass


def test_a_message_that_is_done_is_gone() -> None:
    stage = run(played(nothing, timedelta(hours=1)))
    assert stage.delivered == seconds(0)
    assert (stage.queues.waiting, stage.queues.poison) == ([], [])


def test_a_failing_one_comes_five_times_and_then_stays_as_evidence() -> None:
    async def fails(_: Stage) -> None:
        raise TryAgain("no")

    stage = run(played(fails, timedelta(hours=1)))
    assert stage.delivered == seconds(0, 5, 10, 15, 20)
    assert [message.step for message in stage.queues.poison] == ["preflight"]


def test_a_slow_function_keeps_its_message() -> None:
    async def slow(_: Stage) -> None:
        await asyncio.sleep(45 * 60)

    stage = run(played(slow, timedelta(hours=2)))
    assert stage.delivered == seconds(0)
    assert stage.queues.waiting == []


@pytest.mark.parametrize("harm", [Harm.CRASH_BEFORE, Harm.CRASH_AFTER])
def test_a_killed_one_comes_back_after_the_hold_and_nothing_more_is_heard_of_the_dead(harm: Harm) -> None:
    after: list[datetime] = []

    async def claims_twice(stage: Stage) -> None:
        stored = stage.ledger.peek("d")
        etag = stored.etag if stored else await stage.ledger.create(a_record("d"), [])
        try:
            await asyncio.gather(stage.ledger.claim("d", etag, Claim("i", "m", NOW)), asyncio.sleep(1))
        finally:
            await stage.ledger.note_request("d", etag, [])
        after.append(stage.clock.now())

    async def swallows(stage: Stage) -> None:
        try:
            await claims_twice(stage)
        except LedgerConflict:
            after.append(stage.clock.now())

    stage = run(played(swallows, timedelta(hours=1), Fault(3, harm)))
    assert stage.tape.struck is not None
    assert stage.delivered == seconds(0, 600)
    assert len(after) == 1
    assert [call.name for call in stage.tape.calls[:4]] == ["cmg-preflight", "create", "claim", "claim"]


def test_each_harm_shows_as_storage_shows_it() -> None:
    async def claimed(harm: Harm) -> tuple[str, bool]:
        ledger = MemoryLedger(Tape(Fault(2, harm)))
        etag = await ledger.create(a_record("d"), [])
        try:
            await ledger.claim("d", etag, Claim("i", "m", NOW))
        except (TryAgain, LedgerConflict) as error:
            stored = ledger.peek("d")
            assert stored is not None
            return type(error).__name__, stored.record.claim is not None
        return "", True

    assert run(claimed(Harm.ERROR)) == ("TryAgain", False)
    assert run(claimed(Harm.LOST_ANSWER)) == ("TryAgain", True)
    assert run(claimed(Harm.REPEATED)) == ("LedgerConflict", True)


def test_a_repeated_message_lies_there_twice() -> None:
    stage = run(played(nothing, timedelta(minutes=1), Fault(1, Harm.REPEATED)))
    assert stage.delivered == seconds(0, 0)


def test_the_timer_fires_each_minute_and_is_counted_apart() -> None:
    stage = run(played(nothing, timedelta(hours=1, seconds=1), send=False))
    assert (stage.tape.idle_polls, stage.tape.calls) == (60, [])

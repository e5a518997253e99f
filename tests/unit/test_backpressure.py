"""What one deployment is told of a throttled subscription holds for all of that subscription's, in every process."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from cmg_core.backpressure import READ_EVERY, Backpressure
from cmg_core.domain.errors import Throttled, TryAgain
from cmg_core.services import Clock, Throttle
from local.inprocess.loop import VirtualClock, run
from local.inprocess.memory import MemoryLedger
from local.inprocess.tape import Tape

SUBSCRIPTION = "5F0C9D6A-1b1e-4a52-9a51-0f6d0d7e4c11"
TEN_MINUTES = timedelta(minutes=10)
MONTH = timedelta(days=30)


@dataclass
class Off:
    """A host's clock that is wrong."""

    by: timedelta
    true: Clock

    def now(self) -> datetime:
        return self.true.now() + self.by


async def left(process: Backpressure, subscription_id: str = SUBSCRIPTION) -> timedelta:
    try:
        await process.ensure_open(subscription_id)
    except Throttled as throttled:
        assert not throttled.asked
        return throttled.after
    return timedelta()


async def after_a_read(process: Backpressure) -> timedelta:
    await asyncio.sleep(READ_EVERY.total_seconds())
    return await left(process)


def played(story: Callable[[MemoryLedger, Tape], Awaitable[None]]) -> None:
    async def play() -> None:
        tape = Tape()
        await story(MemoryLedger(tape), tape)

    run(play())


def test_who_was_told_knows_at_once_and_others_by_the_ledger() -> None:
    async def story(ledger: MemoryLedger, _: Tape) -> None:
        told, other = (Backpressure(ledger, VirtualClock()) for _ in range(2))
        assert await left(other) == timedelta()
        await told.note(SUBSCRIPTION.lower(), TEN_MINUTES)
        assert await left(told) == TEN_MINUTES
        assert await left(told, "another") == timedelta()
        assert await after_a_read(other) == TEN_MINUTES - READ_EVERY
        restarted = Backpressure(ledger, VirtualClock())
        assert timedelta() < await left(restarted) <= TEN_MINUTES
        await asyncio.sleep(TEN_MINUTES.total_seconds())
        assert [await left(each) for each in (told, other)] == [timedelta()] * 2

    played(story)


def test_the_ledger_is_read_seldom_and_never_by_two_at_a_time() -> None:
    async def story(ledger: MemoryLedger, tape: Tape) -> None:
        process = Backpressure(ledger, VirtualClock())
        for _ in range(4 * 60):
            await asyncio.gather(*(left(process, f"subscription-{number}") for number in range(20)))
            await asyncio.sleep(0.25)
        assert len(tape.calls) == 60 / READ_EVERY.total_seconds()

    played(story)


def test_a_wave_of_refusals_is_noted_once() -> None:
    async def story(ledger: MemoryLedger, tape: Tape) -> None:
        process = Backpressure(ledger, VirtualClock())
        await asyncio.gather(*(process.note(SUBSCRIPTION, TEN_MINUTES) for _ in range(5)))
        assert [call.name for call in tape.calls] == ["note_throttle"]

    played(story)


@pytest.mark.parametrize(("writer", "reader"), [(MONTH, timedelta()), (timedelta(), -MONTH)], ids=["ahead", "behind"])
def test_hosts_whose_clocks_differ_hold_a_subscription_up_no_longer_than_azure_said(
    writer: timedelta, reader: timedelta
) -> None:
    async def story(ledger: MemoryLedger, _: Tape) -> None:
        clock = VirtualClock()
        await Backpressure(ledger, Off(writer, clock)).note(SUBSCRIPTION, TEN_MINUTES)
        other = Backpressure(ledger, Off(reader, clock))
        assert await left(other) == TEN_MINUTES
        for _number in range(int(TEN_MINUTES / READ_EVERY)):
            await after_a_read(other)
        assert await left(other) == timedelta()

    played(story)


def test_storage_that_does_not_answer_stops_no_call_to_azure() -> None:
    class Silent(MemoryLedger):
        async def throttles(self) -> Mapping[str, Throttle]:
            raise TryAgain("no answer")

        async def note_throttle(self, subscription_id: str, throttle: Throttle) -> None:
            raise TryAgain("no answer")

    class Slow(MemoryLedger):
        async def throttles(self) -> Mapping[str, Throttle]:
            await asyncio.sleep(3600)
            return {}

    async def story() -> None:
        process = Backpressure(Silent(), VirtualClock())
        assert await left(process) == timedelta()
        await process.note(SUBSCRIPTION, TEN_MINUTES)
        assert await left(process) == TEN_MINUTES
        clock = VirtualClock()
        begun = clock.now()
        assert await left(Backpressure(Slow(), clock)) == timedelta()
        assert clock.now() - begun <= timedelta(seconds=5)

    run(story())

"""Virtual time passes only when everybody waits."""

import asyncio
import time
from datetime import timedelta

import pytest

from local.inprocess.loop import EPOCH, Stalled, VirtualClock, run


def test_thirty_days_pass_in_an_instant_and_to_the_microsecond() -> None:
    async def story() -> None:
        clock = VirtualClock()
        for _ in range(30 * 24):
            await asyncio.sleep(3600)
        assert clock.now() == EPOCH + timedelta(days=30)

    began = time.monotonic()
    run(story())
    assert time.monotonic() - began < 2


def test_sleepers_wake_in_the_order_of_their_time() -> None:
    async def story() -> list[int]:
        woken: list[int] = []

        async def sleeper(seconds: int) -> None:
            await asyncio.sleep(seconds)
            woken.append(seconds)

        await asyncio.gather(*map(sleeper, (86_400, 1, 60)))
        return woken

    assert run(story()) == [1, 60, 86_400]


def test_a_time_out_strikes_at_its_time() -> None:
    async def story() -> None:
        clock = VirtualClock()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(90):
                await asyncio.sleep(91)
        assert clock.now() == EPOCH + timedelta(seconds=90)

    run(story())


def test_a_wait_without_end_is_told() -> None:
    async def story() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stalled):
        run(story())

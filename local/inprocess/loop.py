"""An event loop whose time is virtual: when nothing is ready, it jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
"""When stories begin: a Monday morning."""
RESOLUTION_SECONDS = 1e-7
"""Timers this close together are due together; a double keeps it for months."""


class Stalled(Exception):
    """Nothing is ready and no timer is set: the story would wait for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Sleeps cost nothing: thirty days pass in milliseconds. Time begins at 0.

    For code without threads and without sockets to other processes: time does not wait for them.
    """

    def __init__(self) -> None:
        self._passed = 0.0
        super().__init__(_Jumping(self._jump))
        self._clock_resolution = RESOLUTION_SECONDS

    def time(self) -> float:
        return self._passed

    def _jump(self, seconds: float) -> None:
        self._passed += seconds


class _Jumping(selectors.SelectSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Stalled("nothing is ready and no timer is set")
        if not ready and timeout:
            self._jump(timeout)
        return ready


class VirtualClock:
    """The ``Clock`` port on the running loop's time."""

    def __init__(self, begin: datetime = EPOCH) -> None:
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._offset = self._loop.time()

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self._loop.time() - self._offset)


def run[T](story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on virtual time, as ``asyncio.run`` does on real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(story)

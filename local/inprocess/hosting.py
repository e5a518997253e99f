"""The Functions host on virtual time: delivers queue messages and fires the timer, and survives killed invocations."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta

from cmg_core.services import Clock
from local.inprocess.memory import MemoryQueues, Waiting
from local.inprocess.tape import RUNNING, Invocation

log = logging.getLogger("cmg.local.inprocess")

HOLD = timedelta(minutes=10)
"""How long the queue trigger hides a message at a time while it works on it (fixed in the real one)."""
BATCH = 16
MOST_TRIES = 5
PAUSE_AFTER_FAILURE = timedelta(seconds=5)
"""``batchSize``, ``maxDequeueCount`` and ``visibilityTimeout`` of host.json."""
TIMER = timedelta(minutes=1)
"""How often wake-due is started."""

type Function = Callable[[str, str, str, str], Awaitable[None]]
"""A queue-triggered function: step, body, message ID, invocation ID."""


@dataclass(frozen=True)
class Host:
    """Runs functions as the real host does. ``hold`` is shortened together with the claim only."""

    clock: Clock
    queues: MemoryQueues
    function: Function
    wake_due: Callable[[], Awaitable[object]]
    hold: timedelta = HOLD
    name: str = ""
    """Tells its invocations from those of other hosts on the same queues."""
    errors: list[str] = field(default_factory=list)
    """What functions have raised, in order."""
    running: set[Invocation] = field(default_factory=set)
    """Invocations that go on at this moment."""

    async def run(self) -> None:
        """Serve until cancelled."""
        numbers = itertools.count(1)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(numbers))
            while True:
                self.queues.sent.clear()
                for message in self.queues.receive(BATCH, self.hold):
                    group.create_task(self._work(message, f"{self.name}invocation-{next(numbers)}"))
                due = self.queues.next_visible()
                pause = None if due is None else max(0.0, (due - self.clock.now()).total_seconds())
                try:
                    await asyncio.wait_for(self.queues.sent.wait(), pause)
                except TimeoutError:
                    continue

    async def call(self, name: str, run: Callable[[], Awaitable[None]]) -> bool:
        """Run a function as an invocation of its own; False where it was killed. Raises what it raises."""
        invocation = Invocation(name)
        context = copy_context()
        context.run(RUNNING.set, invocation)
        invocation.task = asyncio.create_task(_awaited(run), context=context)
        self.running.add(invocation)
        try:
            await invocation.task
        except asyncio.CancelledError:
            if not invocation.killed:
                invocation.task.cancel()
                raise
            return False
        finally:
            self.running.discard(invocation)
        return True

    def kill(self) -> None:
        """End everything that runs, as SIGKILL would. Whoever runs the host cancels it besides."""
        for invocation in self.running:
            invocation.kill()

    async def _work(self, message: Waiting, invocation_id: str) -> None:
        receipt = message.receipt
        renewing = asyncio.create_task(self._renew(message, receipt))
        try:
            lived = await self.call(
                f"{message.step} {invocation_id}",
                lambda: self.function(message.step, message.body, message.id, invocation_id),
            )
        except Exception as error:
            self._note(f"{message.step}, try {message.dequeued}", error)
            if message.dequeued >= MOST_TRIES:
                self.queues.move_to_poison(message)
            else:
                self.queues.show_again(message, receipt, PAUSE_AFTER_FAILURE)
        else:
            if lived:
                self.queues.delete(message, receipt)
        finally:
            renewing.cancel()

    def _note(self, where: str, error: Exception) -> None:
        self.errors.append(f"{where}: {type(error).__name__}: {error}")
        log.warning("%s failed: %s", where, error, exc_info=error)

    async def _renew(self, message: Waiting, receipt: int) -> None:
        while True:
            await asyncio.sleep(self.hold.total_seconds() / 2)
            self.queues.show_again(message, receipt, self.hold)

    async def _tick(self, numbers: "itertools.count[int]") -> None:
        while True:
            await asyncio.sleep(TIMER.total_seconds())
            try:
                await self.call(f"wake-due {self.name}{next(numbers)}", _discarding(self.wake_due))
            except Exception as error:
                self._note("wake-due", error)


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _discarding(run: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def discard() -> None:
        await run()

    return discard

"""Counts every call that leaves the product, and makes one of them go wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum


class Harm(StrEnum):
    """What can happen to one outward call."""

    CRASH_BEFORE = "crash-before"
    """The process dies before the call goes out."""
    CRASH_AFTER = "crash-after"
    """The call has its effect, the process dies before it hears so."""
    ERROR = "error"
    """The service is in trouble and does nothing (HTTP 500; storage: after all of the client's retries)."""
    BUSY = "busy"
    """HTTP 503, nothing done."""
    THROTTLED = "throttled"
    """HTTP 429 with Retry-After, nothing done."""
    CUT_BEFORE = "cut-before"
    """The connection breaks before the service has the call."""
    LOST_ANSWER = "lost-answer"
    """The call has its effect, the connection breaks before the answer."""
    REPEATED = "repeated"
    """The client repeats a call whose answer was lost: a conditional write meets its own, a message goes twice."""

    @property
    def has_effect(self) -> bool:
        """Whether the call does what it was to do all the same."""
        return self in (Harm.CRASH_AFTER, Harm.LOST_ANSWER, Harm.REPEATED)


class Port(StrEnum):
    """Where calls go."""

    AZURE = "azure"
    DNS = "dns"
    DIAL = "dial"
    LEDGER = "ledger"
    QUEUE = "queue"
    POST = "post"
    """To those who listen."""


@dataclass(frozen=True)
class Call:
    """One outward call: ``number`` counts from 1, ``name`` says what was called."""

    number: int
    port: Port
    name: str
    writes: bool

    @property
    def harms(self) -> tuple[Harm, ...]:
        """What can happen to it, without what would come to the same: a sweep tries each."""
        harms = [Harm.CRASH_BEFORE, Harm.ERROR]
        if self.port is Port.AZURE:
            harms += [Harm.BUSY, Harm.THROTTLED, Harm.CUT_BEFORE]
        if self.writes:
            harms += [Harm.CRASH_AFTER, Harm.LOST_ANSWER]
        if self.writes and self.port in (Port.LEDGER, Port.QUEUE):
            harms += [Harm.REPEATED]
        return tuple(harms)


@dataclass(frozen=True)
class Fault:
    """Harm to call number ``at``."""

    at: int
    harm: Harm


class Harmed(Exception):
    """A call met harm; its port shows it in its own words."""

    def __init__(self, harm: Harm) -> None:
        super().__init__(harm)
        self.harm = harm


@dataclass(eq=False)
class Invocation:
    """One run of a function, so that it can be killed."""

    name: str
    task: "asyncio.Task[None] | None" = None
    killed: bool = False

    def kill(self) -> None:
        """Nothing of it happens any more."""
        self.killed = True
        if self.task is not None:
            self.task.cancel()


RUNNING: ContextVar[Invocation | None] = ContextVar("running", default=None)
"""The invocation that the current task belongs to."""

IDLE = "active"
"""The ledger call by which the timer sees whether anything is due: made each minute, so it is counted apart."""


@dataclass
class Tape:
    """The order of all outward calls. ``fault`` strikes once, ``aside`` happens once."""

    fault: Fault | None = None
    aside: tuple[int, Callable[[], Awaitable[None]]] | None = None
    """What somebody else does right before the call of that number goes out."""
    calls: list[Call] = field(default_factory=list)
    idle_polls: int = 0
    struck: Call | None = None

    async def pass_on[T](self, port: Port, name: str, writes: bool, effect: Callable[[], Awaitable[T]]) -> T:
        """Count a call and let it happen as far as the fault lets it. Raises Harmed, or ends the whole invocation."""
        harm = self._count(port, name, writes)
        if self.aside is not None and self.aside[0] == len(self.calls) and name != IDLE:
            act, self.aside = self.aside[1], None
            await act()
        if harm is Harm.CRASH_BEFORE:
            await _kill()
        if harm is not None and not harm.has_effect:
            raise Harmed(harm)
        result = await effect()
        if harm is Harm.CRASH_AFTER:
            await _kill()
        if harm is not None:
            raise Harmed(harm)
        return result

    def _count(self, port: Port, name: str, writes: bool) -> Harm | None:
        invocation = RUNNING.get()
        if invocation and invocation.killed:
            raise asyncio.CancelledError
        if name == IDLE:
            self.idle_polls += 1
            return None
        call = Call(len(self.calls) + 1, port, name, writes)
        self.calls.append(call)
        return self.harm_to(call)

    def harm_to(self, call: Call) -> Harm | None:
        """What happens to this call. Raises ValueError where the fault is none that it can meet."""
        if self.fault is None or self.fault.at != call.number:
            return None
        if self.fault.harm not in call.harms:
            raise ValueError(f"«{self.fault.harm}» does not happen to {call}")
        self.struck = call
        return self.fault.harm


async def _kill() -> None:
    """End the invocation as SIGKILL would: nothing of it happens after this."""
    invocation = RUNNING.get()
    if invocation is None or invocation.task is None:
        raise RuntimeError("only an invocation can be killed: this call was made outside of one")
    invocation.kill()
    await asyncio.get_running_loop().create_future()

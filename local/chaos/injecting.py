"""How a run's mischief begins: on calls, messages, hosts and clocks, by people, and in the world."""

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from random import Random

from cmg_core.domain.record import Ask
from local.chaos.curing import Later, Troubles
from local.chaos.instruments import ChaoticQueues, ChaoticTape
from local.chaos.mischief import Kind, Mischief
from local.chaos.people import People
from local.chaos.servers import Servers

LATEST, STRIDE = 220, 3
"""What the world is not ready for yet is tried again every few calls, until so many have gone by."""
ASKS = {
    Kind.ROLLBACK: Ask.ROLLBACK,
    Kind.CANCEL: Ask.CANCEL,
    Kind.RESUME: Ask.RESUME,
    Kind.EXTEND: Ask.EXTEND,
    Kind.CHECK: Ask.CHECK,
    Kind.RELEASE_NAME: Ask.RELEASE_NAME,
}


class Injector:
    """Prepares mischief, and begins what begins at one moment."""

    def __init__(
        self,
        tape: ChaoticTape,
        queues: ChaoticQueues,
        servers: Servers,
        people: People,
        troubles: Troubles,
        later: Later,
    ) -> None:
        self._tape, self._queues, self._servers = tape, queues, servers
        self._people, self._troubles, self._later = people, troubles, later

    def prepare(self, mischief: Iterable[Mischief]) -> None:
        """Have each begin at its call; calls count from now on."""
        for each in mischief:
            self._prepare(replace(each, at=self._tape.arrived + each.at))

    def _prepare(self, mischief: Mischief) -> None:
        tape, queues, random = self._tape, self._queues, Random(mischief.seed)
        at = mischief.at
        match mischief.kind:
            case Kind.CALL:
                tape.harmed.add(at)
            case Kind.BURST:
                tape.harmed |= {at + random.randint(0, 15) for _ in range(random.randint(2, 8))}
            case Kind.SLOW:
                for each in range(at, at + random.randint(1, 20)):
                    tape.pauses[each] = (False, random.uniform(1, 45))
            case Kind.FROZEN:
                tape.pauses[at] = (True, random.uniform(200, 900))
            case Kind.DUPLICATED:
                queues.twice = random.uniform(0.1, 0.7)
            case Kind.DELAYED:
                queues.late = random.uniform(0.1, 0.7)
            case Kind.SEVERAL_HOSTS:
                for _ in range(random.randint(2, 3) - 1):
                    self._servers.add(timedelta(seconds=random.uniform(-4, 4)))
            case Kind.LATE:
                self._people.slowness = random.uniform(600, 36_000)
            case Kind.TWICE:
                self._people.twice = True
            case _:
                tape.due.setdefault(at, []).append(lambda: self._begin(mischief, random))

    def _begin(self, mischief: Mischief, random: Random) -> None:
        """Do what begins at one moment. Called in the middle of an outward call of the product."""
        match mischief.kind:
            case Kind.HOST_KILLED:
                self._servers.kill(random.choice((0.5, 30.0, 400.0, 3600.0)))
            case Kind.TIMER_MISSED:
                self._servers.miss_timer(timedelta(minutes=random.uniform(5, 300)))
            case Kind.CLOCK_JUMP:
                self._troubles.add(self._servers.bend_clock(random))
            case Kind.STALE:
                self._slip_in(list(self._queues.sent_texts))
            case Kind.FORGED:
                self._slip_in([_forged(step, text, random) for step, text in self._queues.sent_texts[-1:]])
            case Kind.EARLY:
                self._later(0.0, lambda: self._people.try_gate(random))
            case kind if kind in ASKS:
                self._later(random.uniform(0, 5), lambda: self._people.ask_for(ASKS[kind], random))
            case kind:
                if not self._troubles.begin(kind, random) and mischief.at < LATEST:
                    self._when_it_can(replace(mischief, at=mischief.at + STRIDE), random)

    def _when_it_can(self, mischief: Mischief, random: Random) -> None:
        due = self._tape.due.setdefault(self._tape.arrived + STRIDE, [])
        due.append(lambda: self._begin(mischief, random))

    def _slip_in(self, messages: list[tuple[str, str]]) -> None:
        for step, text in messages:
            self._queues.slip_in(step, text)


def _forged(step: str, text: str, random: Random) -> tuple[str, str]:
    """A message as somebody with the storage account's key could write it, on the pattern of a real one."""
    content = json.loads(base64.b64decode(text))
    match random.randint(0, 5):
        case 0:
            content["revision"] += random.randint(1, 3)
        case 1:
            content["etag"] = 'W/"forged"'
        case 2:
            content["deployment_id"] = "00000000-0000-4000-8000-000000000000"
        case 3:
            step = content["step"] = "retire-old-gateway"
        case 4:
            return step, base64.b64encode(base64.b64decode(text)[:-20]).decode()
        case _:
            return step, base64.b64encode(b"not a message").decode()
    return step, base64.b64encode(json.dumps(content).encode()).decode()

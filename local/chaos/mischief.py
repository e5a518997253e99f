"""What can be done to a run, and the seeded choice of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

CALLS = 150
"""Outward calls of an undisturbed migration, roughly: mischief begins at one of them."""
MOST = 4
GRACES = ("PT4S", "PT1H", "P1D")


class Kind(StrEnum):
    """One kind of mischief. It begins at an outward call of the product, so that every phase meets it."""

    CALL = "call"
    """A crash, an error, a cut connection or a lost answer at one call."""
    BURST = "burst"
    """The same at several calls in a row, or nearly."""
    SLOW = "slow"
    """Calls that take nearly as long as their time-out allows."""
    FROZEN = "frozen"
    """The process stands still for minutes before a read, longer than its claim lasts."""
    OPERATION_FAILS = "operation-fails"
    """Azure takes a write and fails to carry it out."""
    THROTTLED = "throttled"
    """Azure answers 429 with Retry-After again and again."""
    FORBIDDEN = "forbidden"
    """Azure answers 403, as when a role assignment is taken away for a while."""
    DUPLICATED = "duplicated"
    """Messages come twice, at once or hours later."""
    DELAYED = "delayed"
    """Messages come late, and so in another order."""
    STALE = "stale"
    """Every message so far comes once more."""
    FORGED = "forged"
    """Somebody writes messages of their own into the queues."""
    SEVERAL_HOSTS = "several-hosts"
    """Two or three hosts serve the same queues; their clocks differ by seconds."""
    CLOCK_JUMP = "clock-jump"
    """One host's clock is minutes or days ahead or behind for a while."""
    HOST_KILLED = "host-killed"
    """Everything that runs on one host dies; it is started again after a while."""
    TIMER_MISSED = "timer-missed"
    """wake-due does not run for a while."""
    LATE = "late"
    """People take hours for everything."""
    TWICE = "twice"
    """People open each gate twice."""
    EARLY = "early"
    """Somebody tries gates that are not asked for, or that there are not."""
    ROLLBACK = "rollback"
    CANCEL = "cancel"
    RESUME = "resume"
    EXTEND = "extend"
    CHECK = "check"
    LOCK = "lock"
    """Somebody protects the old gateway, its group or the subscription."""
    RECORD_BACK = "record-back"
    """Somebody points the service name at the old gateway again."""
    FORGOTTEN_RECORD = "forgotten-record"
    """Another record leads to the old gateway's name."""
    OLD_SCALED = "old-scaled"
    OLD_RECREATED = "old-recreated"
    """The old gateway is made anew under its name: another resource to Azure."""
    OLD_REMOVED = "old-removed"
    STRANGER = "stranger"
    """Somebody puts a resource of their own into the old gateway's group."""
    SICK_INSTANCE = "sick-instance"
    CONNECTION_POINT_LOST = "connection-point-lost"
    """The second connection point loses its way for a while."""


@dataclass(frozen=True)
class Mischief:
    """One thing to be done: from outward call ``at`` on, its details from ``seed``."""

    kind: Kind
    at: int
    seed: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.at}"


@dataclass(frozen=True)
class Draw:
    """What one run of a campaign is: a sample's name, its grace period, and the mischief."""

    sample: str
    grace: str
    mischief: tuple[Mischief, ...]
    seed: int

    def __str__(self) -> str:
        return f"{self.sample} {self.grace} {' '.join(map(str, self.mischief))}"


def draw(seed: int, number: int, samples: Sequence[str]) -> Draw:
    """Run so and so of a campaign: one to four kinds of mischief, each at its own moment."""
    random = Random(f"{seed}/{number}")
    kinds = random.sample(list(Kind), random.randint(1, MOST))
    mischief = tuple(Mischief(kind, random.randint(2, CALLS), random.getrandbits(32)) for kind in kinds)
    return Draw(random.choice(samples), random.choice(GRACES), mischief, random.getrandbits(32))

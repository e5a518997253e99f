"""What can be done to a run, and the seeded choice of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

CALLS = 150
"""Outward calls of an undisturbed migration, roughly: mischief begins at one of them."""
RELEASE_CALLS = 12
"""Outward calls of the release of a parked name."""
MOST = 4
GRACES = ("PT4S", "PT1H", "P1D")
PARKING = "parked-name.json"
"""The sample in which a name stays parked."""
MOSTLY = 0.75


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
    RELEASE_NAME = "release-name"
    """Somebody asks for the release of a parked name: once on the way, and once more when all has ended."""
    LOCK = "lock"
    """Somebody protects the old gateway, its group or the subscription."""
    RECORD_BACK = "record-back"
    """Somebody points the service name at the old gateway again."""
    FORGOTTEN_RECORD = "forgotten-record"
    """Another record leads to the old gateway's name."""
    OLD_SCALED = "old-scaled"
    OLD_RECREATED = "old-recreated"
    """The old gateway, or the address that keeps its name, is made anew: another resource to Azure."""
    OLD_REMOVED = "old-removed"
    STRANGER = "stranger"
    """Somebody puts a resource of their own into the old gateway's group."""
    SICK_INSTANCE = "sick-instance"
    CONNECTION_POINT_LOST = "connection-point-lost"
    """The second connection point loses its way for a while."""
    ORIGINAL_POINT_LOST = "original-point-lost"
    """The original one does: while it has no way, there is none back either."""


HINDERING = frozenset(
    (
        *(Kind.CALL, Kind.BURST, Kind.SLOW, Kind.FROZEN, Kind.OPERATION_FAILS, Kind.THROTTLED, Kind.FORBIDDEN),
        *(Kind.DELAYED, Kind.SEVERAL_HOSTS, Kind.CLOCK_JUMP, Kind.HOST_KILLED, Kind.TIMER_MISSED),
    )
)
"""What may keep the product from doing something at once."""


@dataclass(frozen=True)
class Mischief:
    """One thing to be done: from outward call ``at`` on, its details from ``seed``. Where it is put off, calls count
    from the deployment's end on, when the release of the parked name is to come: the first one is before that."""

    kind: Kind
    at: int
    seed: int
    put_off: bool = False

    def __str__(self) -> str:
        return f"{self.kind}@{'release+' if self.put_off else ''}{self.at}"


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
    """Run so and so of a campaign: one to four kinds of mischief, each at its own moment.

    A name is released mostly in samples that park one, and there half of the other mischief meets the release.
    """
    random = Random(f"{seed}/{number}")
    kinds = random.sample(list(Kind), random.randint(1, MOST))
    releases = Kind.RELEASE_NAME in kinds and random.random() < MOSTLY
    sample = random.choice([each for each in samples if Path(each).name == PARKING] or samples if releases else samples)
    mischief = tuple(_moment(kind, random, releases=releases) for kind in kinds)
    return Draw(sample, random.choice(GRACES), mischief, random.getrandbits(32))


def _moment(kind: Kind, random: Random, *, releases: bool) -> Mischief:
    put_off = releases and kind not in (Kind.RELEASE_NAME, Kind.SEVERAL_HOSTS) and random.random() < 0.5
    at = random.choice((1, random.randint(2, RELEASE_CALLS))) if put_off else random.randint(2, CALLS)
    return Mischief(kind, at, random.getrandbits(32), put_off)

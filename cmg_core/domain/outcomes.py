"""What a step answers. Waiting is data, never an exception (architecture, "The way of a request")."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cmg_core.domain.gates import GateName
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State


@dataclass(frozen=True)
class Done:
    """The step has reached its end; ``told`` are lines for the history."""

    state: State
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wait:
    """Look again after a while. ``gate`` and ``grace`` say what a person sees the deployment waiting at."""

    state: State
    after: timedelta
    reason: str
    gate: GateName | None = None
    grace: bool = False
    told: tuple[str, ...] = ()
    until: datetime | None = None
    """The moment that is waited for, where it is one: the ledger's wake-up then does not hang on this host's clock."""


@dataclass(frozen=True)
class Failed:
    """The step cannot go on without a person."""

    state: State
    problem: Problem
    told: tuple[str, ...] = ()


type Outcome = Done | Wait | Failed

"""How long an idle queue is left alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import random
from typing import Final

SHORTEST_S: Final = 0.1
SPREAD: Final = 0.2


@dataclass
class Backoff:
    """Random exponential back-off between 100 ms and the longest interval, in seconds.

    Source: "Azure Queue storage trigger", polling algorithm; the formula and its spread of ±20 % are those of the
    WebJobs SDK's RandomizedExponentialBackoffStrategy.
    """

    longest_s: float
    chance: Callable[[], float] = random
    _empty: int = field(default=0, init=False)

    def found(self) -> float:
        """The pause after a poll that brought messages."""
        self._empty = 0
        return SHORTEST_S

    def empty(self) -> float:
        """The pause after a poll that brought none: longer each time."""
        pause = SHORTEST_S
        if self._empty:
            pause += SHORTEST_S * 2 ** (self._empty - 1) * (1 - SPREAD + 2 * SPREAD * self.chance())
        if pause >= self.longest_s:
            return self.longest_s
        self._empty += 1
        return pause

"""A subscription of a deployment's events: what it wants, how far it got, and when it is tried again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cmg_core.domain.record import Event, Happening
from cmg_core.domain.values import Moment

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)
BUDGET = timedelta(days=1)
"""How long one event is tried before the subscription is given up (Standard Webhooks asks for days of retries; a
migration's news is stale after one)."""
QUIET = timedelta(minutes=15)
"""After which a subscription is looked at though nothing was heard: a message may have been lost."""
HOLD = timedelta(seconds=60)
"""How long one run may post before it shows that it lives."""
ONE_POST = timedelta(seconds=30)
"""One post with what surrounds it: a hold that does not last so long is over."""
GONE = 410
NOTHING = ""
"""The cursor before the first event."""


class SubscriptionState(StrEnum):
    """How a subscription stands."""

    ACTIVE = "active"
    FAILING = "failing"
    """The receiver did not take the next event; it is tried again."""
    GIVEN_UP = "given-up"
    """Nothing is sent until somebody asks for redelivery."""
    ENDED = "ended"
    """The receiver has the deployment's end, or said that it is gone (410)."""


@dataclass(frozen=True)
class Subscription:
    """Who listens to a deployment. ``sealed`` is the address, which only the callback keys open."""

    id: str
    deployment_id: str
    sealed: str
    shown: str
    """Scheme and host: all that is told of the address."""
    types: tuple[Happening, ...]
    """What is posted; empty for everything."""
    by: str
    created_at: Moment
    cursor: str = NOTHING
    """The sequence of the last event that is dealt with."""
    state: SubscriptionState = SubscriptionState.ACTIVE
    next_try_at: Moment | None = None
    """When it is looked at again at the latest; None where it rests."""
    attempts: int = 0
    """How often in a row the next event was not taken."""
    failing_since: Moment | None = None
    held_until: Moment | None = None
    """Until when one run posts alone: so events keep their order though several hosts serve the queue."""
    last_status: int | None = None
    last_error: str = ""
    last_delivery_at: Moment | None = None

    @property
    def rests(self) -> bool:
        """Whether nothing is sent and nobody looks."""
        return self.state in (SubscriptionState.GIVEN_UP, SubscriptionState.ENDED)

    @property
    def may_go_on(self) -> bool:
        """Whether a further event is posted: also of a deployment that goes on after its end."""
        return not self.rests or (self.state is SubscriptionState.ENDED and self.last_status != GONE)

    def wants(self, event: Event) -> bool:
        return not self.types or event.kind in self.types

    def is_held(self, now: datetime) -> bool:
        """Whether another run is posting."""
        return self.held_until is not None and now < self.held_until

    def is_paused(self, now: datetime) -> bool:
        """Whether its receiver is in trouble, and left alone for a while."""
        return self.state is SubscriptionState.FAILING and self.next_try_at is not None and now < self.next_try_at

    def held(self, now: datetime) -> "Subscription":
        """Taken by one run. Whoever finds it afterwards, the run being dead, looks when the hold is over."""
        goes_on = SubscriptionState.ACTIVE if self.state is SubscriptionState.ENDED else self.state
        return replace(self, state=goes_on, held_until=now + HOLD, next_try_at=now + HOLD)

    def delivered(self, sequence: str, status: int, now: datetime) -> "Subscription":
        """One event further, the hold renewed."""
        return replace(
            self.held(now),
            cursor=sequence,
            state=SubscriptionState.ACTIVE,
            attempts=0,
            failing_since=None,
            last_status=status,
            last_error="",
            last_delivery_at=now,
        )

    def passed_over(self, sequence: str) -> "Subscription":
        """Past events that it does not want."""
        return replace(self, cursor=max(self.cursor, sequence))

    def released(self, now: datetime, *, has_the_end: bool) -> "Subscription":
        """Nothing is left to post for now; or for good, where the receiver has the deployment's end."""
        if has_the_end:
            return replace(self, state=SubscriptionState.ENDED, next_try_at=None, held_until=None)
        return replace(self, next_try_at=now + QUIET, held_until=None)

    def gone(self, now: datetime) -> "Subscription":
        """The receiver wants nothing more (410)."""
        ended = replace(self, state=SubscriptionState.ENDED, next_try_at=None, held_until=None)
        return replace(ended, last_status=GONE, last_error="the receiver is gone", last_delivery_at=now)

    def failed(self, status: int | None, error: str, pause: timedelta, now: datetime) -> "Subscription":
        """The next event was not taken: tried again after a pause, or given up."""
        since = self.failing_since or now
        tried = replace(
            self,
            attempts=self.attempts + 1,
            failing_since=since,
            held_until=None,
            last_status=status,
            last_error=error,
        )
        if now - since >= BUDGET:
            return replace(tried, state=SubscriptionState.GIVEN_UP, next_try_at=None)
        return replace(tried, state=SubscriptionState.FAILING, next_try_at=now + pause)

    def again_from(self, cursor: str, now: datetime) -> "Subscription":
        """Posted anew after that cursor, whatever became of it before."""
        return replace(
            self,
            cursor=cursor,
            state=SubscriptionState.ACTIVE,
            attempts=0,
            failing_since=None,
            held_until=None,
            next_try_at=now,
        )


def pause_after(attempts: int, asked: timedelta | None, jitter: float) -> timedelta:
    """How long to leave a receiver alone after so many tries in a row: twice as long each time, up to an hour, with
    ``jitter`` (from 0 to 1) of a quarter either way; never shorter than its Retry-After, up to the whole budget."""
    grown = min(FIRST_PAUSE * 2.0 ** min(attempts, 20), LONGEST_PAUSE) * (0.75 + jitter / 2)
    return max(grown, min(asked or timedelta(), BUDGET))


def numbered(events: Sequence[Event]) -> list[tuple[str, Event]]:
    """A deployment's whole history with the sequence of each event: revision and place among that revision's events.
    It never changes, and orders as text does."""
    sequences, last, number = list[tuple[str, Event]](), 0, 0
    for event in events:
        number = number + 1 if event.revision == last else 0
        last = event.revision
        sequences.append((f"{event.revision:010}{number:03}", event))
    return sequences


def before(sequence: str) -> str:
    """The cursor that lets this event be the next."""
    return f"{max(int(sequence) - 1, 0):013}"

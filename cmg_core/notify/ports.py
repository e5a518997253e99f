"""What posting events needs from outside, in the product's own words; ``wiring.py`` puts the real parts behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from cmg_core.notify.addresses import CallbackUrl, HostPattern
from cmg_core.notify.keys import CallbackKeys
from cmg_core.notify.subscription import Subscription


@dataclass(frozen=True)
class StoredSubscription:
    """A subscription with the ETag of its row."""

    subscription: Subscription
    etag: str


class Subscriptions(Protocol):
    """Who listens to which deployment. Every method may raise TryAgain."""

    async def add(self, subscription: Subscription) -> None:
        """LedgerConflict where it is there already."""
        ...

    async def of(self, deployment_id: str) -> Sequence[StoredSubscription]:
        """A deployment's, those that rest among them."""
        ...

    async def save(self, stored: StoredSubscription, changed: Subscription) -> StoredSubscription:
        """Write it while its ETag holds. Raises LedgerConflict."""
        ...

    async def remove(self, subscription: Subscription) -> None:
        """Nothing happens where it is gone already."""
        ...

    async def live(self) -> Sequence[Subscription]:
        """All that do not rest: one read."""
        ...


@dataclass(frozen=True)
class Posted:
    """What came of posting an event. ``status`` 0: no answer was had, and ``failure`` says why."""

    status: int = 0
    retry_after: timedelta | None = None
    failure: str = ""


class Poster(Protocol):
    """Posts to a caller's address. Never raises for a silent or a troubled receiver."""

    async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """To exactly that IP address, which must hold a certificate for the URL's host. No redirect is followed."""
        ...


@dataclass(frozen=True)
class Callbacks:
    """Everything that posting events needs besides the ledger. Without keys nobody can listen."""

    subscriptions: Subscriptions
    poster: Poster
    keys: CallbackKeys | None = None
    hosts: tuple[HostPattern, ...] = ()
    """Where callbacks may go; empty for any public host."""

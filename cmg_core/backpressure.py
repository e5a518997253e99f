"""Throttled subscriptions: who was told to wait tells the others by the ledger, and none of them calls before.

Azure Resource Manager throttles by subscription, and a call before its ``Retry-After`` is over is not served (Microsoft
Learn, "Understand how Azure Resource Manager throttles requests").
"""

import asyncio
import logging
from datetime import timedelta

from cmg_core.domain.errors import AzureRefused, Throttled, TryAgain
from cmg_core.services import Clock, Ledger, Throttle

log = logging.getLogger("cmg.backpressure")

READ_EVERY = timedelta(seconds=15)
"""How old this process's view of the ledger's notes may be: its own 429s it knows at once."""
LONGEST_READ = timedelta(seconds=5)
"""A read may come between the look at a claim and the write under it: it has to be short."""


class Backpressure:
    """What one process knows of throttled subscriptions. The ledger is the truth; where storage does not answer, Azure
    itself tells.

    A note is believed for as long as Azure had said, from when this process sees it first: hosts whose clocks differ
    can not hold a subscription up for longer.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._notes: dict[str, Throttle] = {}
        self._over_at: dict[str, float] = {}
        """Subscription ID in lower case to the event loop's time at which it may be called again."""
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def ensure_open(self, subscription_id: str) -> None:
        """Raise Throttled, without a call to Azure, while a subscription is throttled."""
        async with self._reading:
            if self._now() - self._read_at >= READ_EVERY.total_seconds():
                await self._read()
        left = timedelta(seconds=self._over_at.get(subscription_id.lower(), 0.0) - self._now())
        if left > timedelta():
            raise Throttled(f"Azure throttles subscription {subscription_id}", left, asked=False)

    async def note(self, subscription_id: str, after: timedelta) -> None:
        """Tell every host that a subscription is throttled for a while."""
        known = self._over_at.get(subscription_id.lower(), 0.0)
        if known - self._now() >= after.total_seconds():
            return
        self._hold(subscription_id.lower(), after)
        try:
            await self._ledger.note_throttle(subscription_id.lower(), Throttle(self._clock.now() + after, after))
        except (TryAgain, AzureRefused) as reason:
            log.warning("other hosts are not told that subscription %s is throttled: %s", subscription_id, reason)

    async def _read(self) -> None:
        self._read_at = self._now()
        try:
            async with asyncio.timeout(LONGEST_READ.total_seconds()):
                notes = await self._ledger.throttles()
        except (TryAgain, AzureRefused, TimeoutError) as reason:
            log.warning("which subscriptions are throttled could not be read: %s", reason)
            return
        for subscription_id, throttle in notes.items():
            if self._notes.get(subscription_id) != throttle:
                self._notes[subscription_id] = throttle
                self._hold(subscription_id, min(throttle.until - self._clock.now(), throttle.told))

    def _hold(self, subscription_id: str, span: timedelta) -> None:
        over_at = self._now() + span.total_seconds()
        self._over_at[subscription_id] = max(over_at, self._over_at.get(subscription_id, 0.0))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

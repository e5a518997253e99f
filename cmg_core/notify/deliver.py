"""Posts a deployment's news to those who listen: in order, at least once, never in a migration's way.

One subscription is posted to by one run at a time: a hold in its row, taken and renewed by conditional writes, as
claims are (docs/engine-protocol.md). Whatever gets lost, the row says when it is looked at again.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.record import Event, Record
from cmg_core.notify.addresses import CallbackUrl, NotAllowed, why_not_reached
from cmg_core.notify.cloud_events import MEDIA_TYPE, body_of, cloud_event, event_id
from cmg_core.notify.keys import CallbackKeys, NotSealedHere
from cmg_core.notify.ports import Posted, StoredSubscription
from cmg_core.notify.subscription import (
    GONE,
    ONE_POST,
    Subscription,
    SubscriptionState,
    numbered,
    pause_after,
)
from cmg_core.services import LedgerConflict, NameView, Services

log = logging.getLogger("cmg.notify")

WITHIN = timedelta(minutes=2)
"""How long one run posts to one receiver; the rest is left to the next, long before the host ends the function."""
NEVER_BEGUN = timedelta(days=1)
"""After which a subscription of a deployment that was never written down is dropped."""
LOOK_UP = timedelta(seconds=10)
"""How long the receiver's address is looked for, along all aliases: look and post together must end within
``ONE_POST``, or a second run would post beside the first one."""
LONGEST_CHAIN = 8
"""Aliases that are followed from answer to answer."""
BUSY = (429, 503)
"""Statuses whose ``Retry-After`` is obeyed (RFC 6585, section 4; RFC 9110, section 15.6.4)."""
LONGEST_DELAY = timedelta(hours=1)


async def deliver(services: Services, deployment_id: str, jitter: Callable[[], float] = random.random) -> None:
    """Post what each of a deployment's subscriptions has not had yet. Raises TryAgain where storage does not answer."""
    stored = await services.callbacks.subscriptions.of(deployment_id)
    waiting = [each for each in stored if each.subscription.may_go_on]
    if not waiting:
        return None
    found = await services.ledger.read(deployment_id)
    if found is None:
        return await _drop_orphans(services, waiting)
    events = numbered(await services.ledger.events(deployment_id))
    runs = [_Run(services, found.record, events, each, jitter).post_all() for each in waiting]
    with services.telemetry.working(deployment_id, "notify", {"cmg.listeners": len(waiting)}):
        failures = [each for each in await asyncio.gather(*runs, return_exceptions=True) if each is not None]
    for failure in failures:
        if not isinstance(failure, LedgerConflict):
            raise failure
        log.info("deployment %s: a subscription was changed by another run", deployment_id)


async def _drop_orphans(services: Services, stored: Sequence[StoredSubscription]) -> None:
    """A request that was refused, or whose host was killed, after its subscription was written down."""
    for each in stored:
        if services.clock.now() - each.subscription.created_at >= NEVER_BEGUN:
            await services.callbacks.subscriptions.remove(each.subscription)


@dataclass
class _Run:
    """One run's posts to one receiver."""

    services: Services
    record: Record
    events: Sequence[tuple[str, Event]]
    stored: StoredSubscription
    jitter: Callable[[], float]

    async def post_all(self) -> None:
        """Post event after event, until there is none left or one is not taken. Raises LedgerConflict where another
        run or a person changed the subscription meanwhile: theirs is the newer word."""
        subscription, now = self.stored.subscription, self.services.clock.now()
        if subscription.is_held(now):
            return await self._look_again(subscription.held_until)
        if subscription.is_paused(now):
            return None
        pending = [(sequence, event) for sequence, event in self.events if sequence > subscription.cursor]
        wanted = [(sequence, event) for sequence, event in pending if subscription.wants(event)]
        if wanted:
            await self._save(subscription.held(now))
            for sequence, event in wanted:
                if not self._may_post(now):
                    return await self._look_again(self.services.clock.now())
                if not await self._post(sequence, event):
                    return None
        return await self._release(pending, now)

    def _may_post(self, began: datetime) -> bool:
        """Whether hold and function last for one more post."""
        now, held_until = self.services.clock.now(), self.stored.subscription.held_until
        return held_until is not None and held_until - now >= ONE_POST and now - began < WITHIN

    async def _post(self, sequence: str, event: Event) -> bool:
        """Post one event and note what came of it: whether the next may follow."""
        posted = await self._try(sequence, event)
        subscription, now = self.stored.subscription, self.services.clock.now()
        if 200 <= posted.status < 300:
            await self._save(subscription.delivered(sequence, posted.status, now))
            return True
        if posted.status == GONE:
            await self._save(subscription.gone(now))
            return False
        asked = posted.retry_after if posted.status in BUSY else None
        pause = pause_after(subscription.attempts, asked, self.jitter())
        error = posted.failure or _said(posted.status)
        await self._save(subscription.failed(posted.status or None, error, pause, now))
        if self.stored.subscription.state is SubscriptionState.GIVEN_UP:
            told = {"deployment_id": self.record.id}
            text = "the events of deployment %s were not taken by %s for a day and are given up: %s"
            log.warning(text, self.record.id, subscription.shown, error, extra=told)
        else:
            await self._look_again(now + pause)
        return False

    async def _try(self, sequence: str, event: Event) -> Posted:
        """Look where the receiver is, and post to there and nowhere else."""
        callbacks, clock = self.services.callbacks, self.services.clock
        try:
            url = self._url(callbacks.keys)
            async with asyncio.timeout(LOOK_UP.total_seconds()):
                address = await public_address(self.services, url.host)
        except (NotAllowed, NotSealedHere) as reason:
            return Posted(failure=str(reason))
        except TimeoutError:
            return Posted(failure="public DNS did not tell in time where the host is")
        assert callbacks.keys is not None  # or there would be no URL
        body = body_of(cloud_event(self.record, sequence, event))
        id, timestamp = event_id(self.record.id, sequence), int(clock.now().timestamp())
        headers = {
            "Content-Type": MEDIA_TYPE,
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": callbacks.keys.signature(id, timestamp, body),
        }
        return await callbacks.poster.post(url, address, headers, body)

    def _url(self, keys: CallbackKeys | None) -> CallbackUrl:
        if keys is None:
            raise NotSealedHere("the setting CMG_CALLBACK_KEYS was taken away")
        return CallbackUrl.parse(keys.unseal(self.stored.subscription.sealed), self.services.callbacks.hosts)

    async def _release(self, pending: Sequence[tuple[str, Event]], began: datetime) -> None:
        """Past what nobody wants; at rest where the receiver has the end. Nothing is written where nothing changed."""
        subscription, now = self.stored.subscription, self.services.clock.now()
        if pending:
            subscription = subscription.passed_over(pending[-1][0])
        due = subscription.next_try_at is None or subscription.next_try_at <= began
        if pending or due or self.record.status.is_end:
            released = subscription.released(now, has_the_end=self.record.status.is_end)
            if released != self.stored.subscription:
                await self._save(released)

    async def _look_again(self, at: datetime | None) -> None:
        """Have this deployment looked at again; where the queue does not answer, ``wake-due`` does so."""
        delay = max((at or self.services.clock.now()) - self.services.clock.now(), timedelta())
        if delay > LONGEST_DELAY:
            return
        try:
            await self.services.queues.notify(self.record.id, delay)
        except TryAgain as reason:
            log.warning("the listeners of deployment %s wait for wake-due: %s", self.record.id, reason)

    async def _save(self, changed: Subscription) -> None:
        self.stored = await self.services.callbacks.subscriptions.save(self.stored, changed)


async def public_address(services: Services, host: str) -> str:
    """An address of the host, each of which was found to be public. Raises NotAllowed.

    Whoever connects must use this very address: a name may lead elsewhere at the next look.
    """
    name = host
    for _ in range(LONGEST_CHAIN):
        views = await services.dns.views(name)
        found = sorted({address for view in views for address in view.addresses})
        alias = next((view.targets[-1] for view in views if view.targets), None)
        if found or alias is None:
            if why := why_not_reached(found):
                raise NotAllowed(why + _failures(views))
            return found[0]
        name = alias
    raise NotAllowed("the host leads from alias to alias without an end")


def _failures(views: Sequence[NameView]) -> str:
    failures = "; ".join(f"{view.server}: {view.failure}" for view in views if view.failure)
    return f" ({failures})" if failures else ""


def _said(status: int) -> str:
    if 300 <= status < 400:
        return f"the receiver answered {status}: redirects are not followed"
    return f"the receiver answered {status}"

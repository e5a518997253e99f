"""Subscriptions in memory behind the product's port, and receivers of webhooks as the world has them, over the tape."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cmg_core.domain.errors import TryAgain
from cmg_core.ledger import codec
from cmg_core.notify.addresses import CallbackUrl
from cmg_core.notify.keys import CallbackKeys
from cmg_core.notify.ports import Posted, StoredSubscription
from cmg_core.notify.post import ALL_SECONDS, retry_after
from cmg_core.notify.subscription import Subscription
from cmg_core.services import Clock, LedgerConflict
from local.azure.messages import Request
from local.azure.receivers import receiver_at
from local.azure.world import World
from local.inprocess.tape import Harm, Harmed, Port, Tape

KEYS = CallbackKeys((b"callback key of in-process runs!",))


@dataclass
class _Row:
    columns: codec.Columns
    etag: str


class MemorySubscriptions:
    """The ``Subscriptions`` port. Rows are kept as the table keeps them, through the same codec."""

    def __init__(self, tape: Tape | None = None) -> None:
        self.tape = tape or Tape()
        self._rows: dict[tuple[str, str], _Row] = {}
        self._etags = (f'W/"{number}"' for number in itertools.count(1))

    async def add(self, subscription: Subscription) -> None:
        async def put() -> None:
            key = (subscription.deployment_id, subscription.id)
            if key in self._rows:
                raise LedgerConflict("the subscription exists")
            self._put(subscription)

        await self._ask("subscribe", True, put)

    async def of(self, deployment_id: str) -> Sequence[StoredSubscription]:
        async def look() -> Sequence[StoredSubscription]:
            return self.peek(deployment_id)

        return await self._ask("subscriptions", False, look)

    def peek(self, deployment_id: str) -> Sequence[StoredSubscription]:
        """What ``of`` gives, for those who watch the story from outside."""
        rows = [row for (of, _), row in self._rows.items() if of == deployment_id]
        return [StoredSubscription(codec.subscription_of(row.columns), row.etag) for row in rows]

    async def save(self, stored: StoredSubscription, changed: Subscription) -> StoredSubscription:
        async def put() -> StoredSubscription:
            row = self._rows.get((changed.deployment_id, changed.id))
            if row is None or row.etag != stored.etag:
                raise LedgerConflict("the subscription changed meanwhile")
            return StoredSubscription(changed, self._put(changed))

        return await self._ask("save-subscription", True, put)

    async def remove(self, subscription: Subscription) -> None:
        async def take_out() -> None:
            self._rows.pop((subscription.deployment_id, subscription.id), None)

        await self._ask("unsubscribe", True, take_out)

    async def live(self) -> Sequence[Subscription]:
        """Not on the tape: the timer asks each minute, whatever the story."""
        found = (codec.subscription_of(row.columns) for row in self._rows.values())
        return [subscription for subscription in found if not subscription.rests]

    def _put(self, subscription: Subscription) -> str:
        row = _Row(codec.subscription_columns(subscription), next(self._etags))
        self._rows[subscription.deployment_id, subscription.id] = row
        return row.etag

    async def _ask[T](self, name: str, writes: bool, effect: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self.tape.pass_on(Port.LEDGER, name, writes, effect)
        except Harmed as harmed:
            if harmed.harm is Harm.REPEATED:
                raise LedgerConflict(f"«{name}», repeated by the client, met its own doing") from None
            raise TryAgain(f"storage did not take «{name}»") from None


class SimulatedPoster:
    """The ``Poster`` port: what the receiver at an address answers, without TLS."""

    def __init__(self, world: World, clock: Clock, tape: Tape) -> None:
        self._world, self._clock, self._tape = world, clock, tape

    async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
        async def send() -> Posted:
            receiver = receiver_at(self._world, address)
            if receiver is None or not receiver.is_up(self._clock.now()):
                return Posted(failure="the receiver was not reached: nobody answers")
            if receiver.host != url.host:
                return Posted(failure="the receiver shows no certificate that is good for its name")
            sent = {name.lower(): value for name, value in headers.items()} | {"host": url.authority}
            request = Request("POST", url.host, urlsplit(url.target).path, headers=sent, body=body)
            answer = receiver.answer(request, self._clock.now())
            await asyncio.sleep(min(answer.delay_s, ALL_SECONDS))
            if answer.delay_s >= ALL_SECONDS:
                return Posted(failure=f"the receiver did not answer within {ALL_SECONDS:.0f} s")
            return Posted(answer.status, retry_after(answer.header("Retry-After") or "", self._clock.now()))

        try:
            return await self._tape.pass_on(Port.POST, url.host, True, send)
        except Harmed:
            return Posted(failure="the receiver was not reached: made up")

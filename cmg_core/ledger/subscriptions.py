"""Subscriptions in the product's table: one partition, so that all of those that do not rest are one read.

Rows: ``l:<deployment>:<subscription>`` live, ``z:…`` resting. A subscription changes its row in one batch.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from cmg_core.ledger import codec
from cmg_core.ledger.rows import Operation, Rows, etag_of, merged
from cmg_core.notify.ports import StoredSubscription
from cmg_core.notify.subscription import Subscription

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient

CALLBACKS = "callbacks"
LIVE, RESTING = "l:", "z:"


class TableSubscriptions(Rows):
    """The ``Subscriptions`` port over one storage account."""

    async def add(self, subscription: Subscription) -> None:
        row = _row(subscription)
        await self.ask("a new subscription", lambda table: table.create_entity(row))

    async def of(self, deployment_id: str) -> Sequence[StoredSubscription]:
        kinds = (LIVE, RESTING)
        found = await asyncio.gather(*(self.range(CALLBACKS, f"{kind}{deployment_id}:") for kind in kinds))
        rows = (row for rows_of_kind in found for row in rows_of_kind)
        return [StoredSubscription(subscription, etag_of(row)) for subscription, row in codec.subscriptions_of(rows)]

    async def save(self, stored: StoredSubscription, changed: Subscription) -> StoredSubscription:
        new = _row(changed)
        if changed.rests == stored.subscription.rests:
            return StoredSubscription(changed, await self.batch("a subscription", merged(new, stored.etag)))
        made: Operation = ("create", new, {})
        return StoredSubscription(changed, await self.batch("a subscription", made, _deleted(stored)))

    async def remove(self, subscription: Subscription) -> None:
        # An absent row is no error to this client ("azure.data.tables", delete_entity).
        for key in (_key(subscription, LIVE), _key(subscription, RESTING)):
            await self.ask("a subscription's end", partial(_delete, key))

    async def live(self) -> Sequence[Subscription]:
        return [found for found, _ in codec.subscriptions_of(await self.range(CALLBACKS, LIVE))]


def _key(subscription: Subscription, kind: str) -> str:
    return f"{kind}{subscription.deployment_id}:{subscription.id}"


def _row(subscription: Subscription) -> codec.Columns:
    key = _key(subscription, RESTING if subscription.rests else LIVE)
    return {"PartitionKey": CALLBACKS, "RowKey": key, **codec.subscription_columns(subscription)}


async def _delete(key: str, table: "TableClient") -> None:
    await table.delete_entity(CALLBACKS, key)


def _deleted(stored: StoredSubscription) -> Operation:
    from azure.core import MatchConditions

    row = _row(stored.subscription)
    return "delete", row, {"etag": stored.etag, "match_condition": MatchConditions.IfNotModified}

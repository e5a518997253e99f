"""The ledger in Azure Table storage (engine-protocol, "Storage shape").

One table, one of 64 partitions for each deployment, so that a save is one batch. Rows: ``r:<id>`` record,
``e:<id>:<revision>.<n>`` event, ``a:<id>`` active deployment, ``m:<yyyymm>:<id>`` ended one. A reservation has a
partition of its own, throttled subscriptions share one.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from cmg_core.domain.record import Claim, Event, Record, Requested
from cmg_core.ledger import codec
from cmg_core.ledger.rows import Operation, Rows, etag_of, merged
from cmg_core.services import ActiveRow, Save, Stored, Throttle

SHARDS = 64
THROTTLES = "throttled"
"""The partition of throttled subscriptions: all of them are one read."""
AT_ONCE = 16
"""How many partitions are read at the same time."""


class TableLedger(Rows):
    """The ``Ledger`` port over one storage account."""

    async def create(self, record: Record, events: Sequence[Event]) -> str:
        active = _row(record.id, f"a:{record.id}", codec.active_columns(record))
        return await self.batch(
            "a new deployment",
            ("create", _row(record.id, f"r:{record.id}", codec.created_columns(record)), {}),
            ("create", active, {}),
            *_insert_events(record.id, events),
        )

    async def read(self, deployment_id: str) -> Stored | None:
        row = await self.get(partition(deployment_id), f"r:{deployment_id}")
        return None if row is None else Stored(codec.record_of(deployment_id, row), etag_of(row))

    async def claim(self, deployment_id: str, etag: str, claim: Claim) -> str:
        return await self._merge(deployment_id, etag, codec.claim_columns(claim))

    async def save(self, deployment_id: str, etag: str, save: Save, events: Sequence[Event]) -> str:
        """One batch, as the port says. An ended deployment has no active row left: LedgerConflict when saved again."""
        listed = f"a:{deployment_id}"
        columns = codec.active_columns(save)
        moved: list[Operation] = (
            [
                ("delete", _row(deployment_id, listed, {}), {}),
                ("create", _row(deployment_id, _ended_key(deployment_id, save.updated_at), columns), {}),
            ]
            if save.status.is_end
            else [merged(_row(deployment_id, listed, columns))]
        )
        record = _row(deployment_id, f"r:{deployment_id}", codec.saved_columns(save))
        return await self.batch("a save", merged(record, etag), *moved, *_insert_events(deployment_id, events))

    async def reopen(self, ended: Record, etag: str, save: Save, events: Sequence[Event]) -> str:
        return await self.batch(
            "an ended deployment taken up again",
            merged(_row(ended.id, f"r:{ended.id}", codec.saved_columns(save)), etag),
            ("delete", _row(ended.id, _ended_key(ended.id, ended.updated_at), {}), {}),
            ("create", _row(ended.id, f"a:{ended.id}", codec.active_columns(save)), {}),
            *_insert_events(ended.id, events),
        )

    async def note_request(self, deployment_id: str, etag: str, requested: Sequence[Requested]) -> str:
        columns: codec.Columns = {"requested": codec.REQUESTED.dump_json(tuple(requested)).decode()}
        return await self._merge(deployment_id, etag, columns)

    async def touch(self, deployment_id: str, etag: str, wake_at: datetime, sends: int) -> str:
        columns = codec.touched_columns(wake_at, sends)
        return await self.batch(
            "a later wake-up",
            merged(_row(deployment_id, f"r:{deployment_id}", columns), etag),
            merged(_row(deployment_id, f"a:{deployment_id}", {"wake_at": columns["wake_at"]})),
        )

    async def note_subscribed(self, deployment_id: str) -> None:
        row = _row(deployment_id, f"r:{deployment_id}", codec.subscribed_columns())
        await self.batch("a first subscription", merged(row))

    async def events(self, deployment_id: str) -> Sequence[Event]:
        rows = await self.range(partition(deployment_id), f"e:{deployment_id}:")
        return [codec.event_of(deployment_id, row) for row in rows]

    async def active(self) -> Sequence[ActiveRow]:
        return await self._list("a:")

    async def unlisted(self) -> Sequence[str]:
        async def ids(shard: str, prefix: str, *, at_work: bool = False) -> set[str]:
            rows = await self.range(shard, prefix, columns=["RowKey", "status"])
            return {row["RowKey"].removeprefix(prefix) for row in rows if not at_work or codec.is_at_work(row)}

        async def one(shard: str) -> set[str]:
            # Between two reads a deployment may end: what is missing is looked for twice.
            missing = await ids(shard, "r:", at_work=True) - await ids(shard, "a:")
            return missing & (await ids(shard, "r:", at_work=True) - await ids(shard, "a:")) if missing else missing

        return sorted(id for ids_of_one in await _of_all_shards(one) for id in ids_of_one)

    async def ended(self, oldest: str, newest: str) -> Sequence[ActiveRow]:
        first, last = (f"m:{month.replace('-', '')}:" for month in (oldest, newest))
        return await self._list(first, last)

    async def holder(self, gateway: str) -> tuple[str, str] | None:
        row = await self.get(reservation_partition(gateway), "g")
        return None if row is None else (codec.holder_of(gateway, row), etag_of(row))

    async def reserve(self, gateway: str, deployment_id: str, etag: str = "") -> None:
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        row = {
            "PartitionKey": reservation_partition(gateway),
            "RowKey": "g",
            "gateway": gateway,
            "deployment": deployment_id,
        }
        if not etag:
            await self.ask("a reservation", lambda table: table.create_entity(row))
            return
        await self.ask(
            "a reservation taken over",
            lambda table: table.update_entity(
                row, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
            ),
        )

    async def throttles(self) -> Mapping[str, Throttle]:
        rows = await self.range(THROTTLES, "s:")
        return codec.throttles_of((row["RowKey"].removeprefix("s:"), row) for row in rows)

    async def note_throttle(self, subscription_id: str, throttle: Throttle) -> None:
        row = {"PartitionKey": THROTTLES, "RowKey": f"s:{subscription_id}", **codec.throttle_columns(throttle)}
        await self.ask("a throttled subscription", lambda table: table.upsert_entity(row))

    async def _merge(self, deployment_id: str, etag: str, columns: codec.Columns) -> str:
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        row = _row(deployment_id, f"r:{deployment_id}", columns)
        answer = await self.ask(
            "a note in the ledger",
            lambda table: table.update_entity(
                row, mode=UpdateMode.MERGE, etag=etag, match_condition=MatchConditions.IfNotModified
            ),
        )
        return str(answer["etag"])

    async def _list(self, first: str, last: str = "") -> Sequence[ActiveRow]:
        async def one(shard: str) -> list[ActiveRow]:
            rows = await self.range(shard, first, last)
            return codec.listed((row["RowKey"].rpartition(":")[2], row) for row in rows)

        return [row for rows in await _of_all_shards(one) for row in rows]


async def _of_all_shards[T](one: Callable[[str], Awaitable[T]]) -> list[T]:
    """What is found in each shard, a few of them at the same time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def in_turn(shard: int) -> T:
        async with gate:
            return await one(f"{shard:02}")

    return await asyncio.gather(*map(in_turn, range(SHARDS)))


def partition(deployment_id: str) -> str:
    """The partition of a deployment: one of 64, by hash."""
    return f"{hashlib.sha256(deployment_id.encode()).digest()[0] % SHARDS:02}"


def reservation_partition(gateway: str) -> str:
    """The partition of a gateway's reservation; a hash, because keys may not hold slashes."""
    return f"g:{hashlib.sha256(gateway.encode()).hexdigest()}"


def _row(deployment_id: str, row_key: str, columns: codec.Columns) -> codec.Columns:
    return {"PartitionKey": partition(deployment_id), "RowKey": row_key, **columns}


def _ended_key(deployment_id: str, at: datetime) -> str:
    return f"m:{at:%Y%m}:{deployment_id}"


def _insert_events(deployment_id: str, events: Sequence[Event]) -> list[Operation]:
    return [
        (
            "create",
            _row(
                deployment_id,
                f"e:{deployment_id}:{event.revision:010}.{number:03}",
                {"event": codec.EVENT.dump_json(event).decode()},
            ),
            {},
        )
        for number, event in enumerate(events)
    ]

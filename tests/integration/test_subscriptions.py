"""One contract for both homes of subscriptions: the table's and the one in memory."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.record import Happening
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.queues import StorageQueues
from cmg_core.ledger.seals import Seals
from cmg_core.ledger.subscriptions import TableSubscriptions
from cmg_core.ledger.table import TableLedger
from cmg_core.notify.ports import StoredSubscription, Subscriptions
from cmg_core.notify.subscription import GONE, Subscription, SubscriptionState
from cmg_core.services import LedgerConflict
from local.inprocess.listeners import MemorySubscriptions
from tests.integration.openings import BOTH, opening_of
from tests.records import NOW, a_record, a_save, an_event

type Opening = Callable[[], AbstractAsyncContextManager[Subscriptions]]


@pytest.fixture(params=BOTH)
def opening(request: pytest.FixtureRequest) -> Opening:
    return opening_of(request, MemorySubscriptions, TableSubscriptions)


@pytest.fixture
def made() -> Subscription:
    return Subscription(
        id=str(uuid.uuid4()),
        deployment_id=str(uuid.uuid4()),
        sealed="gAAAAA",
        shown="https://hooks.contoso.com",
        types=(Happening.ENDED, Happening.GATE_WAITING),
        by="ann@contoso.com",
        created_at=NOW,
        next_try_at=NOW,
    )


def played(opening: Opening, story: Callable[[Subscriptions], Awaitable[None]]) -> None:
    async def play() -> None:
        async with opening() as subscriptions:
            await story(subscriptions)

    asyncio.run(play())


async def only(subscriptions: Subscriptions, made: Subscription) -> StoredSubscription:
    (stored,) = await subscriptions.of(made.deployment_id)
    return stored


def test_a_subscription_comes_back_as_it_was_made_and_nobody_has_two(opening: Opening, made: Subscription) -> None:
    async def story(subscriptions: Subscriptions) -> None:
        await subscriptions.add(made)
        with pytest.raises(LedgerConflict):
            await subscriptions.add(made)
        assert (await only(subscriptions, made)).subscription == made
        assert made in await subscriptions.live()
        assert list(await subscriptions.of(str(uuid.uuid4()))) == []

    played(opening, story)


def test_of_two_writers_the_slower_one_is_told(opening: Opening, made: Subscription) -> None:
    async def story(subscriptions: Subscriptions) -> None:
        await subscriptions.add(made)
        read = await only(subscriptions, made)
        held = await subscriptions.save(read, made.held(NOW))
        with pytest.raises(LedgerConflict):
            await subscriptions.save(read, made.held(NOW))
        again = await subscriptions.save(held, held.subscription.delivered("0000000001000", 202, NOW))
        assert await only(subscriptions, made) == again
        with pytest.raises(LedgerConflict):
            await subscriptions.save(held, made)

    played(opening, story)


def test_what_rests_is_not_among_the_live_and_can_be_taken_up(opening: Opening, made: Subscription) -> None:
    async def story(subscriptions: Subscriptions) -> None:
        await subscriptions.add(made)
        before = await only(subscriptions, made)
        rests = await subscriptions.save(before, made.gone(NOW))
        assert (await only(subscriptions, made)).subscription.last_status == GONE
        assert made.id not in {each.id for each in await subscriptions.live()}
        for old in (before, rests):
            changed = replace(old.subscription, state=SubscriptionState.ACTIVE, by="other")
            if old is before:
                with pytest.raises(LedgerConflict):
                    await subscriptions.save(old, changed)
            else:
                assert await subscriptions.save(old, changed) == await only(subscriptions, made)
        assert made.id in {each.id for each in await subscriptions.live()}

    played(opening, story)


def test_what_was_removed_is_gone_wherever_it_lay(opening: Opening, made: Subscription) -> None:
    async def story(subscriptions: Subscriptions) -> None:
        await subscriptions.remove(made)
        for changed in (made, made.gone(NOW)):
            await subscriptions.add(changed)
            stored = await only(subscriptions, made)
            await subscriptions.remove(made)
            assert list(await subscriptions.of(made.deployment_id)) == []
            with pytest.raises(LedgerConflict):
                await subscriptions.save(stored, made.held(NOW))

    played(opening, story)


def test_noting_that_somebody_listens_is_seen_by_whoever_saves_next(azurite: str) -> None:
    async def story() -> None:
        ledger, id = TableLedger(StorageConnection(azurite)), str(uuid.uuid4())
        try:
            with pytest.raises(LedgerConflict):
                await ledger.note_subscribed(id)
            etag = await ledger.create(a_record(id), [an_event(1)])
            await ledger.note_subscribed(id)
            with pytest.raises(LedgerConflict):
                await ledger.save(id, etag, a_save(2), [])
            stored = await ledger.read(id)
            assert stored is not None and stored.record == replace(a_record(id), subscribed=True)
            await ledger.save(id, stored.etag, a_save(2), [an_event(2)])
            saved = await ledger.read(id)
            assert saved is not None and saved.record.subscribed, "a save leaves it as it is"
        finally:
            await ledger.close()

    asyncio.run(story())


def test_a_notice_waits_as_asked_and_does_not_live_for_ever(azurite: str) -> None:
    from azure.storage.queue.aio import QueueServiceClient

    async def story() -> None:
        queues, id = StorageQueues(StorageConnection(azurite), Seals()), str(uuid.uuid4())
        try:
            await queues.notify(id)
            await queues.notify(id, timedelta(minutes=30))
        finally:
            await queues.close()
        async with QueueServiceClient.from_connection_string(azurite) as service:
            found = [each async for each in service.get_queue_client("cmg-notify").receive_messages()]
        assert len(found) == 1, "the later one is hidden"
        inserted, expires = found[0].inserted_on, found[0].expires_on
        assert inserted and expires and expires - inserted == timedelta(hours=1)

    asyncio.run(story())

"""One contract for both ledgers: the table's and the one in memory, on which hundreds of stories rest."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import AzureRefused, NewerSchema, TooLarge, TryAgain
from cmg_core.domain.gates import GateName
from cmg_core.domain.record import SCHEMA, Ask, Claim, Requested, State, Status
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.rows import TABLE
from cmg_core.ledger.table import TableLedger, partition
from cmg_core.services import ActiveRow, Ledger, LedgerConflict, Throttle
from local.inprocess.memory import MemoryLedger
from tests.integration.openings import BOTH, asked_of_storage, opened, opening_of
from tests.records import NOW, a_record, a_save, a_state, an_event

type Opening = Callable[[], AbstractAsyncContextManager[Ledger]]


def table(connection: str) -> AbstractAsyncContextManager[TableLedger]:
    return opened(TableLedger(StorageConnection(connection)))


@pytest.fixture(params=BOTH)
def opening(request: pytest.FixtureRequest) -> Opening:
    return opening_of(request, MemoryLedger, TableLedger)


@pytest.fixture
def id() -> str:
    return str(uuid.uuid4())


def played(opening: Opening, story: Callable[[Ledger], Awaitable[None]]) -> None:
    async def play() -> None:
        async with opening() as ledger:
            await story(ledger)

    asyncio.run(play())


def test_a_record_comes_back_as_it_was_made(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        made = a_record(id)
        etag = await ledger.create(made, [an_event(1)])
        stored = await ledger.read(id)
        assert stored is not None
        assert (stored.record, stored.etag) == (made, etag)
        assert await ledger.events(id) == [an_event(1)] or await ledger.events(id) == (an_event(1),)

    played(opening, story)


def test_nobody_has_two_records(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        await ledger.create(a_record(id), [an_event(1)])
        with pytest.raises(LedgerConflict):
            await ledger.create(a_record(id), [an_event(1)])
        assert len(await ledger.events(id)) == 1

    played(opening, story)


def test_there_is_no_record_of_what_was_never_made(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        assert await ledger.read(id) is None
        assert list(await ledger.events(id)) == []
        with pytest.raises(LedgerConflict):
            await ledger.claim(id, "W/\"datetime'2026-11-23T09%3A30%3A15.0000000Z'\"", Claim("i1", "m1", NOW))

    played(opening, story)


def test_a_claim_is_kept_apart_from_the_revision(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        claim = Claim("i1", "m1", NOW + timedelta(minutes=5))
        first = await ledger.create(a_record(id), [])
        second = await ledger.claim(id, first, claim)
        stored = await ledger.read(id)
        assert stored is not None
        assert (stored.etag, stored.record) == (second, replace(a_record(id), claim=claim))
        with pytest.raises(LedgerConflict):
            await ledger.claim(id, first, Claim("i2", "m2", NOW))
        assert await ledger.read(id) == stored

    played(opening, story)


def test_a_save_clears_claim_and_requests_and_leaves_the_first_day_alone(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        etag = await ledger.create(a_record(id), [an_event(1)])
        etag = await ledger.claim(id, etag, Claim("i1", "m1", NOW + timedelta(minutes=5)))
        asked = Requested(Ask.OPEN_GATE, "ann@contoso.com", "CAB", NOW, GateName.APPROVAL)
        etag = await ledger.note_request(id, etag, [asked])
        stored = await ledger.read(id)
        assert stored is not None
        assert stored.record.requested == (asked,)
        etag = await ledger.touch(id, etag, NOW + timedelta(hours=1), 3)
        state = a_state(deleted=("/subscriptions/x",), retries=2)
        etag = await ledger.save(id, etag, a_save(2, state=state), [an_event(2, "one"), an_event(2, "two")])
        stored = await ledger.read(id)
        assert stored is not None
        save = a_save(2, state=state)
        assert stored.etag == etag
        assert stored.record == replace(
            a_record(id),
            revision=2,
            step=save.step,
            state=state,
            wake_at=save.wake_at,
            saved_by="m1",
            updated_at=save.updated_at,
        )
        assert [event.text for event in await ledger.events(id)] == ["accepted", "one", "two"]

    played(opening, story)


def test_a_save_with_an_old_etag_changes_nothing(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        old = await ledger.create(a_record(id), [an_event(1)])
        await ledger.save(id, old, a_save(2), [an_event(2)])
        before = await ledger.read(id), list(await ledger.events(id)), await listed(ledger, id)
        with pytest.raises(LedgerConflict):
            await ledger.save(id, old, a_save(2, Status.REFUSED), [an_event(2, "never")])
        with pytest.raises(LedgerConflict):
            await ledger.touch(id, old, NOW, 9)
        with pytest.raises(LedgerConflict):
            await ledger.note_request(id, old, [])
        assert (await ledger.read(id), list(await ledger.events(id)), await listed(ledger, id)) == before

    played(opening, story)


def test_lists_show_active_and_ended_apart(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        etag = await ledger.create(a_record(id), [])
        (active,) = await listed(ledger, id)
        assert (active.step, active.status, active.gateway) == ("preflight", Status.RUNNING, a_record(id).gateway)
        assert active.wake_at == a_record(id).wake_at
        assert active.summary["service_name"] == "GraniteFalls.Contoso.Com"
        assert active.summary["external_reference"] == "CHG0031337"

        etag = await ledger.touch(id, etag, NOW + timedelta(days=2), 1)
        (active,) = await listed(ledger, id)
        assert active.wake_at == NOW + timedelta(days=2)

        etag = await ledger.save(id, etag, a_save(2, Status.WAITING), [])
        (active,) = await listed(ledger, id)
        assert (active.status, active.updated_at) == (Status.WAITING, a_save(2).updated_at)

        await ledger.save(id, etag, a_save(3, Status.SUCCEEDED), [])
        assert await listed(ledger, id) == []
        (ended,) = await listed_as_ended(ledger, id, "2026-11", "2026-11")
        assert (ended.status, ended.gateway) == (Status.SUCCEEDED, a_record(id).gateway)
        assert await listed_as_ended(ledger, id, "2025-11", "2026-11") == [ended]
        assert await listed_as_ended(ledger, id, "2026-11", "2027-01") == [ended]
        assert await listed_as_ended(ledger, id, "2025-11", "2026-10") == []
        assert await listed_as_ended(ledger, id, "2026-12", "2026-12") == []

    played(opening, story)


def test_an_ended_deployment_is_not_saved_again(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        etag = await ledger.create(a_record(id), [])
        etag = await ledger.save(id, etag, a_save(2, Status.SUCCEEDED), [])
        before = await ledger.read(id)
        with pytest.raises(LedgerConflict):
            await ledger.save(id, etag, a_save(3, Status.SUCCEEDED), [])
        assert await ledger.read(id) == before

    played(opening, story)


def test_an_ended_deployment_is_taken_up_again_as_a_whole(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        etag = await ledger.create(a_record(id), [])
        etag = await ledger.save(id, etag, a_save(2, Status.WAITING), [])
        stored = await ledger.read(id)
        assert stored is not None
        with pytest.raises(LedgerConflict):
            await ledger.reopen(stored.record, etag, a_save(3), [])
        old, etag = etag, await ledger.save(id, etag, a_save(3, Status.SUCCEEDED), [])
        stored = await ledger.read(id)
        assert stored is not None
        with pytest.raises(LedgerConflict):
            await ledger.reopen(stored.record, old, a_save(4), [an_event(4, "never")])
        assert await ledger.read(id) == stored and await listed(ledger, id) == []
        etag = await ledger.reopen(stored.record, etag, a_save(4), [an_event(4, "again")])
        (active,) = await listed(ledger, id)
        assert active.status is Status.RUNNING
        assert await listed_as_ended(ledger, id, "2026-11", "2026-11") == []
        stored = await ledger.read(id)
        assert stored is not None and (stored.etag, stored.record.revision) == (etag, 4)
        assert [event.text for event in await ledger.events(id)] == ["again"]
        await ledger.save(id, etag, a_save(5, Status.SUCCEEDED), [])
        assert len(await listed_as_ended(ledger, id, "2026-11", "2026-11")) == 1

    played(opening, story)


def test_of_many_who_claim_one_wins(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        etag = await ledger.create(a_record(id), [])
        claims = [Claim(f"i{n}", "m1", NOW + timedelta(minutes=n)) for n in range(8)]
        answers = await asyncio.gather(*(ledger.claim(id, etag, claim) for claim in claims), return_exceptions=True)
        (winner,) = [claim for claim, answer in zip(claims, answers, strict=True) if isinstance(answer, str)]
        assert all(isinstance(answer, str | LedgerConflict) for answer in answers)
        stored = await ledger.read(id)
        assert stored is not None
        assert stored.record.claim == winner

    played(opening, story)


def test_a_gateway_is_reserved_once(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        gateway = f"/subscriptions/s/resourcegroups/g/providers/x/y/{id}#?"
        assert await ledger.holder(gateway) is None
        await ledger.reserve(gateway, "first")
        with pytest.raises(LedgerConflict):
            await ledger.reserve(gateway, "second")
        held = await ledger.holder(gateway)
        assert held is not None
        assert held[0] == "first"
        await ledger.reserve(gateway, "second", held[1])
        with pytest.raises(LedgerConflict):
            await ledger.reserve(gateway, "third", held[1])
        held = await ledger.holder(gateway)
        assert held is not None
        assert held[0] == "second"

    played(opening, story)


def test_a_newer_release_is_left_alone(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        await ledger.create(replace(a_record(id), schema=SCHEMA + 1), [])
        with pytest.raises(NewerSchema, match="newer release"):
            await ledger.read(id)

    played(opening, story)


def test_a_large_state_is_compressed_and_one_too_large_refused(opening: Opening, id: str) -> None:
    def of_size(parts: int, text: Callable[[int], str]) -> State:
        return a_state(deleted=tuple(text(n) for n in range(parts)))

    async def story(ledger: Ledger) -> None:
        large = of_size(2000, lambda n: f"/subscriptions/s/resourceGroups/rg-old/providers/p/t/{n}")
        etag = await ledger.create(a_record(id, large), [])
        stored = await ledger.read(id)
        assert stored is not None
        assert stored.record.state == large
        with pytest.raises(TooLarge, match="65536"):
            await ledger.save(id, etag, a_save(2, state=of_size(4000, lambda _: uuid.uuid4().hex)), [])

    played(opening, story)


async def listed(ledger: Ledger, id: str) -> list[ActiveRow]:
    return [row for row in await ledger.active() if row.id == id]


async def listed_as_ended(ledger: Ledger, id: str, oldest: str, newest: str) -> list[ActiveRow]:
    return [row for row in await ledger.ended(oldest, newest) if row.id == id]


def test_silent_storage_is_worth_another_try() -> None:
    async def story() -> None:
        nobody = (
            "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
            "TableEndpoint=http://127.0.0.1:1/nobody;QueueEndpoint=http://127.0.0.1:1/nobody"
        )
        async with table(nobody) as ledger:
            with pytest.raises(TryAgain, match="no answer"):
                await ledger.claim("d", "e", Claim("i", "m", NOW))

    asyncio.run(story())


def test_a_wrong_key_is_no_reason_to_wait(azurite: str) -> None:
    async def story() -> None:
        parts = [part if not part.startswith("AccountKey") else "AccountKey=d3Jvbmc=" for part in azurite.split(";")]
        async with table(";".join(parts)) as ledger:
            with pytest.raises(AzureRefused) as refused:
                await ledger.read("d")
        assert refused.value.status == 403
        assert "d3Jvbmc" not in str(refused.value)

    asyncio.run(story())


def test_a_save_is_one_transaction(azurite: str, id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_of_storage(monkeypatch)

    async def story() -> None:
        async with table(azurite) as ledger:
            etag = await ledger.create(a_record(id), [an_event(1)])
            asked.clear()
            etag = await ledger.save(id, etag, a_save(2), [an_event(2)])
            await ledger.save(id, etag, a_save(3, Status.SUCCEEDED), [an_event(3)])

    asyncio.run(story())
    assert asked == ["POST $batch", "POST $batch"]


def test_the_latest_note_of_a_throttled_subscription_is_there_for_all(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        first, later = (Throttle(NOW + timedelta(minutes=n), timedelta(minutes=n)) for n in (10, 2))
        await ledger.note_throttle(id, first)
        await ledger.note_throttle(f"{id}-2", first)
        await ledger.note_throttle(id, later)
        noted = await ledger.throttles()
        assert (noted[id], noted[f"{id}-2"]) == (later, first)

    played(opening, story)


def test_an_ordinary_ledger_has_no_deployment_that_no_list_shows(opening: Opening, id: str) -> None:
    async def story(ledger: Ledger) -> None:
        etag = await ledger.create(a_record(id), [])
        await ledger.create(a_record(f"{id}-2"), [])
        await ledger.save(id, etag, a_save(2, Status.SUCCEEDED), [])
        assert not {id, f"{id}-2"} & set(await ledger.unlisted())

    played(opening, story)


def test_a_record_whose_row_somebody_took_away_is_found(azurite: str, id: str) -> None:
    async def story() -> None:
        from azure.data.tables.aio import TableClient

        async with table(azurite) as ledger, TableClient.from_connection_string(azurite, TABLE) as by_hand:
            await ledger.create(a_record(id), [])
            await by_hand.delete_entity(partition(id), f"a:{id}")
            assert id in await ledger.unlisted()
            await by_hand.delete_entity(partition(id), f"r:{id}")

    asyncio.run(story())


def test_a_row_that_cannot_be_read_hides_no_other(azurite: str, id: str) -> None:
    async def story() -> None:
        from azure.data.tables.aio import TableClient

        async with table(azurite) as ledger, TableClient.from_connection_string(azurite, TABLE) as by_hand:
            for each in (id, f"{id}-2"):
                await ledger.create(a_record(each), [])
            broken = {"PartitionKey": partition(id), "RowKey": f"a:{id}", "status": "parked"}
            await by_hand.update_entity(broken)
            shown = {row.id for row in await ledger.active()}
            assert f"{id}-2" in shown and id not in shown

    asyncio.run(story())

"""Lists from the table as it is: what one ticket asked for is found on the first page, at a known cost."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core import listing
from cmg_core.domain.record import Status
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.table import SHARDS, TableLedger
from tests.integration.openings import asked_of_storage, opened
from tests.records import a_record, a_save, a_state
from tests.unit.triggers.callers import MemoryServices


def test_what_a_ticket_asked_for_long_ago_is_on_the_first_page(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ticket, ids = asked_of_storage(monkeypatch), f"CHG-{uuid.uuid4()}", [str(uuid.uuid4()) for _ in range(3)]
    state, services = a_state(), MemoryServices()
    state = replace(state, request=state.request.model_copy(update={"external_reference": ticket}))

    async def story() -> listing.Page:
        async with opened(TableLedger(StorageConnection(azurite))) as ledger:
            services.ledger = ledger  # type: ignore[assignment]  # the real one in the place of the one in memory
            for id, days in zip(ids, (30, 200, 340), strict=True):
                etag = await ledger.create(a_record(id, state), [])
                ended = replace(a_save(2, Status.SUCCEEDED, state), updated_at=services.clock.now() - timedelta(days))
                await ledger.save(id, etag, ended, [])
            asked.clear()
            return await listing.page(services, listing.Filters(external_reference=ticket))

    page = asyncio.run(story())
    assert ([row.id for row in page.rows], page.continuation) == (ids, "")
    assert len(asked) == 2 * SHARDS

"""A port's two implementations, for tests that hold both to the same contract: in memory, and the table on Azurite."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import aiohttp
import pytest

from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.rows import Rows

BOTH = ("memory", "table")
"""What a fixture is asked for."""


@asynccontextmanager
async def opened[Table: Rows](table: Table) -> AsyncIterator[Table]:
    """A table that is closed in the end."""
    try:
        yield table
    finally:
        await table.close()


def opening_of[Memory, Table: Rows](
    request: pytest.FixtureRequest, memory: Callable[[], Memory], table: Callable[[StorageConnection], Table]
) -> Callable[[], AbstractAsyncContextManager[Memory | Table]]:
    """Opens the one of ``BOTH`` that the fixture is asked for."""
    if request.param == "memory":
        return lambda: nullcontext(memory())
    connection = StorageConnection(request.getfixturevalue("azurite"))
    return lambda: opened(table(connection))


def asked_of_storage(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What tables that are opened from now on ask storage, such as «POST $batch»: each is a transaction."""
    asked: list[str] = []

    async def note(_: object, __: object, request: aiohttp.TraceRequestStartParams) -> None:
        asked.append(f"{request.method} {request.url.path.rsplit('/', 1)[-1]}")

    def open_watched() -> aiohttp.ClientSession:
        watching = aiohttp.TraceConfig()
        watching.on_request_start.append(note)
        return aiohttp.ClientSession(trace_configs=[watching], auto_decompress=False)

    monkeypatch.setattr("cmg_core.ledger.rows.open_session", open_watched)
    return asked

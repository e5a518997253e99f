"""A port's two implementations, for tests that hold both to the same contract: in memory, and the table on Azurite."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

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

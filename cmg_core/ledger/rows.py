"""Rows of the product's one table, whatever they hold: the connection to it, and the few ways to ask it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cmg_core.ledger.connection import StorageConnection, error_code, told_plainly, transport
from cmg_core.outbound.sessions import open_session
from cmg_core.services import LedgerConflict

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.data.tables import TableEntity
    from azure.data.tables.aio import TableClient

TABLE = "CmgLedger"

# Operations of a batch: the client's name for each, the row, and its options.
type Operation = tuple[str, Mapping[str, object], Mapping[str, object]]


class Rows:
    """The table in one storage account. Close it at the end of the process."""

    def __init__(self, connection: StorageConnection) -> None:
        self._connection = connection
        self._session: ClientSession | None = None
        self._table: TableClient | None = None

    async def close(self) -> None:
        """Close the connections; the ledger may be used again afterwards."""
        if self._table and self._session:
            await self._table.close()
            await self._session.close()
            self._table = self._session = None

    def _client(self) -> "TableClient":
        from azure.data.tables.aio import TableServiceClient

        if self._table is None:
            self._session = open_session()
            connection = self._connection
            settings: dict[str, Any] = {
                "transport": transport(self._session, connection.telemetry, "tables"),
                "retry_backoff_factor": 0.2,
            }
            service = (
                TableServiceClient.from_connection_string(connection.connection_string, **settings)
                if connection.connection_string
                else TableServiceClient(connection.table_service, credential=connection.credential, **settings)
            )
            self._table = service.get_table_client(TABLE)
        return self._table

    async def ask[T](self, what: str, ask: "Callable[[TableClient], Awaitable[T]]") -> T:
        """Ask the table, which is made when its absence is noticed."""
        from azure.core.exceptions import HttpResponseError, ResourceExistsError

        table = self._client()
        async with told_plainly(what):
            try:
                return await ask(table)
            except HttpResponseError as error:
                if error_code(error) != "TableNotFound":
                    raise
            with suppress(ResourceExistsError):
                await table.create_table()
            return await ask(table)

    async def batch(self, what: str, *operations: Operation) -> str:
        """Send one transaction; the ETag of its first row."""
        answers = await self.ask(what, lambda table: table.submit_transaction(operations))
        return str(answers[0]["etag"])

    async def get(self, partition_key: str, row_key: str) -> "TableEntity | None":
        try:
            return await self.ask("a look into the ledger", lambda table: table.get_entity(partition_key, row_key))
        except LedgerConflict:
            return None

    async def range(
        self, partition_key: str, prefix: str, last: str = "", columns: list[str] | None = None
    ) -> "list[TableEntity]":
        """The rows of a partition whose key begins with ``prefix``, or with anything from it to ``last``, in order; all
        columns, or those named."""
        last = last or prefix
        keys = {"partition": partition_key, "first": prefix, "beyond": last[:-1] + chr(ord(last[-1]) + 1)}
        rows = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @beyond"

        async def all_rows(table: "TableClient") -> "list[TableEntity]":
            return [row async for row in table.query_entities(rows, parameters=keys, select=columns)]

        return await self.ask("a list from the ledger", all_rows)


def merged(row: Mapping[str, object], etag: str = "") -> Operation:
    """A row's columns merged into what stands, with an ETag only while that holds."""
    from azure.core import MatchConditions
    from azure.data.tables import UpdateMode

    condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
    return "update", row, {"mode": UpdateMode.MERGE, **condition}


def etag_of(row: "TableEntity") -> str:
    """The ETag of a row as the client gave it."""
    return str(row.metadata["etag"])

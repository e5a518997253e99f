"""`python3 dev.py ledger`: copy the rows of the ledger to a file, and put them back where they are lost.

Storage has no point in time to restore tables to. Signed in as the Azure CLI is; CmgStorage with a connection string
wins, for a local Azure.
"""

import argparse
import asyncio
import base64
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmg_core.domain.clouds import DOMAINS, CloudName
from cmg_core.domain.values import JsonObject
from cmg_core.ledger.rows import TABLE

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.data.tables.aio import TableClient

AT_ONCE = 16
"""How many rows are put back at the same time."""
CONNECTION = "CmgStorage"
"""The app's own setting."""
KEYS = ("PartitionKey", "RowKey")
CURES = {
    "TableNotFound": "See that it is the account of the app (AZURE_STORAGE_NAME), and its cloud.",
    "TableBeingDeleted": "Azure takes some time to delete a table, 40 seconds at least: start this again in a minute.",
    "AuthorizationPermissionMismatch": "This needs «Storage Table Data Contributor» on the account; a role given "
    "minutes ago may not hold yet.",
    "AuthorizationFailure": "Storage in a private network answers in that network only.",
}
"""What to do about storage's codes (Microsoft Learn, "Table Storage error codes" and "Delete Table", "Common REST API
error codes")."""


class CannotCopy(Exception):
    """Why nothing was copied: the text says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Save or restore; the exit code."""
    options = _options(arguments)
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)  # what it would say is told below, in one line
    from azure.core.exceptions import AzureError

    try:
        return asyncio.run(_save(options) if options.what == "save" else _restore(options))
    except CannotCopy as error:
        why = str(error)
    except AzureError as error:
        why = _told(error)
    print(f"dev.py ledger: {why}", file=sys.stderr)
    return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py ledger", description=__doc__, epilog="docs/operations.md says when and how: stop the app first."
    )
    parser.add_argument("what", choices=("save", "restore"), help="save: table to file; restore: file to table")
    parser.add_argument("file", type=Path, metavar="FILE", help="one row a line, as JSON")
    parser.add_argument("--account", metavar="NAME", help="the storage account")
    parser.add_argument(
        "--cloud",
        choices=[cloud.value for cloud in CloudName],
        default=CloudName.PUBLIC.value,
        help="the cloud that the account lies in (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        metavar="ID",
        help="the rows of this deployment alone; with restore those that are missing, into a table that has others",
    )
    return parser.parse_args(arguments)


async def _save(options: argparse.Namespace) -> int:
    if options.file.exists():  # it may be the one copy of what is lost since
        raise CannotCopy(f"{options.file} is there already, and no copy is written over: say another name.")
    async with _table(options) as table:
        lines = [json.dumps(_in_text(row)) async for row in table.list_entities() if _is_wanted(row, options.only)]
    if not lines:  # the wrong account, or what was to be put back
        raise CannotCopy(f"the table {TABLE} holds no row of that kind: nothing was saved.")
    _write(options.file, "".join(f"{line}\n" for line in lines))
    print(f"{len(lines)} rows saved in {options.file}")
    return 0


async def _restore(options: argparse.Namespace) -> int:
    from azure.core.exceptions import ResourceExistsError

    rows = [row for row in _rows_in(options.file) if _is_wanted(row, options.only)]
    if not rows:
        raise CannotCopy(f"{options.file} holds no row of that kind: nothing was changed.")
    room = asyncio.Semaphore(AT_ONCE)
    async with _table(options) as table:
        await _make(table)
        if not options.only and await _holds_rows(table):
            raise CannotCopy(
                f"the table {TABLE} holds rows, which may be newer than the copy: nothing was changed. Restore into a "
                "new account or after the table was deleted; for the missing rows of one deployment say --only ID."
            )

        async def put_back(row: Mapping[str, Any]) -> bool:
            async with room:
                try:
                    await table.create_entity(dict(row))
                except ResourceExistsError:  # what stands is newer
                    return False
            return True

        put = await asyncio.gather(*map(put_back, rows))
    print(f"{sum(put)} of {len(rows)} rows put back; the others are there")
    return 0


async def _make(table: "TableClient") -> None:
    from azure.core.exceptions import ResourceExistsError

    with suppress(ResourceExistsError):
        await table.create_table()


async def _holds_rows(table: "TableClient") -> bool:
    async for _ in table.list_entities(results_per_page=1):
        return True
    return False


@asynccontextmanager
async def _table(options: argparse.Namespace) -> "AsyncIterator[TableClient]":
    """The ledger's table, which need not be there."""
    from azure.data.tables.aio import TableServiceClient
    from azure.identity.aio import AzureCliCredential

    if connection := os.environ.get(CONNECTION):
        try:
            service = TableServiceClient.from_connection_string(connection)
        except ValueError:
            raise CannotCopy(f"{CONNECTION} is no connection string of a storage account.") from None
        async with service:
            yield service.get_table_client(TABLE)
    elif options.account:
        endpoint = table_endpoint(options.account, CloudName(options.cloud))
        async with AzureCliCredential() as credential, TableServiceClient(endpoint, credential=credential) as service:
            yield service.get_table_client(TABLE)
    else:
        raise CannotCopy("say which account: --account NAME")


def table_endpoint(account: str, cloud: CloudName) -> str:
    """Where an account's tables answer. Tokens for storage are made out to the same audience in both clouds (Microsoft
    Learn, "Authorize access to blob data with Microsoft Entra ID using a client library")."""
    return f"https://{account}.table.{DOMAINS[cloud].storage}"


def _told(error: "AzureError") -> str:
    """What storage, or the sign-in, says, and what helps where that is known."""
    code = getattr(error, "error_code", "")
    code = getattr(code, "value", code)
    said = (error.message.strip() or type(error).__name__).splitlines()[0]
    return f"{said} [{code}] {CURES.get(code, '')}".rstrip() if code else said


def _is_wanted(row: Mapping[str, Any], only: str | None) -> bool:
    return only is None or only in row["RowKey"].split(":") or row.get("deployment") == only


def _rows_in(file: Path) -> list[dict[str, str | int | bytes]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [_as_row(json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise CannotCopy(f"{file} holds no copy of a ledger: {error}") from None


def _write(file: Path, text: str) -> None:
    """A new file, for its owner alone from the first byte on: it says what may be deleted."""
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(text, encoding="utf-8")


def _in_text(row: Mapping[str, Any]) -> JsonObject:
    """A row as JSON: texts and whole numbers as they are, bytes in base64. Raises CannotCopy for any other kind."""
    made: JsonObject = {}
    for column, value in row.items():
        match value:
            case bytes():
                made[column] = {"base64": base64.b64encode(value).decode("ascii")}
            case str() | int():
                made[column] = value
            case _:
                place = "/".join(row[key] for key in KEYS)
                raise CannotCopy(f"the row {place} holds a {type(value).__name__} in {column}, which no release wrote.")
    return made


def _as_row(line: Mapping[str, Any]) -> dict[str, str | int | bytes]:
    """The row of a line. Raises ValueError, TypeError, AttributeError or KeyError for one that is none of ``save``."""
    if not all(isinstance(line[key], str) for key in KEYS):
        raise ValueError("a key is no text")
    return {
        column: base64.b64decode(value["base64"], validate=True) if isinstance(value, dict) else value
        for column, value in line.items()
    }


if __name__ == "__main__":
    sys.exit(main())

"""The one way to the storage account: endpoints, credential, transport, and what its errors mean."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cmg_core.domain.errors import AzureRefused, TryAgain
from cmg_core.outbound.sessions import Transport
from cmg_core.services import LedgerConflict
from cmg_core.telemetry.outward import watched
from cmg_core.telemetry.port import UNTOLD, Telemetry

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import HttpResponseError

BUSY = (408, 429)


@dataclass(frozen=True)
class StorageConnection:
    """Where the product's storage account is: a connection string, or its services' addresses and a credential."""

    connection_string: str = field(default="", repr=False)
    table_service: str = ""
    queue_service: str = ""
    credential: "AsyncTokenCredential | None" = field(default=None, repr=False)
    telemetry: Telemetry = field(default=UNTOLD, repr=False)

    def __post_init__(self) -> None:
        by_identity = bool(self.table_service and self.queue_service and self.credential)
        if bool(self.connection_string) == by_identity:
            raise ValueError(
                "give the storage account either by connection string (CmgStorage), or by CmgStorage__tableServiceUri, "
                "CmgStorage__queueServiceUri and a credential"
            )


def transport(session: "ClientSession", telemetry: Telemetry, service: str) -> Transport:
    """The clients' transport over a session that outlives them; ``service`` names it to telemetry."""
    from azure.core.pipeline.transport import AioHttpTransport

    return watched(AioHttpTransport(session=session, session_owner=False), telemetry, lambda host: service)


def error_code(error: "HttpResponseError") -> str:
    """Storage's own code of an error, empty where it gave none; some clients leave it in the header."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    found = getattr(error, "error_code", None) or headers.get("x-ms-error-code", "")
    return str(getattr(found, "value", found))


@asynccontextmanager
async def told_plainly(what: str) -> AsyncIterator[None]:
    """Turn the storage clients' errors into the product's.

    LedgerConflict for 412, 409 and a row that is gone; TryAgain for no answer, a busy service or one in trouble;
    AzureRefused for the rest.
    """
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        status = error.status_code
        if status in (404, 409, 412):
            raise LedgerConflict(f"{what}: HTTP {status}") from error
        if status is None or status >= 500 or status in BUSY:
            raise TryAgain(f"storage did not take «{what}» (HTTP {status})") from error
        raise AzureRefused(
            status=status, code=error_code(error), message=error.reason or "", target=f"storage, {what}"
        ) from error
    except AzureError as error:
        raise TryAgain(f"storage gave no answer to «{what}»") from error

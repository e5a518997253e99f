"""The host's own clients of the storage account, and what they count."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from azure.core.pipeline.transport import AioHttpTransport

from local.host.connections import Connection
from local.host.settings import HostError

if TYPE_CHECKING:
    from azure.identity.aio import ManagedIdentityCredential
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueServiceClient

FIRST_RETRY_S: Final = 0.2


@dataclass
class Tally:
    """Counts the storage transactions that the host makes for itself: empty polls and the timers' own.

    With a file, one byte is appended for each empty poll, so that the figure outlives a killed host.
    """

    file: Path | None = None
    idle_polls: int = 0
    timer_transactions: int = 0
    _handle: int | None = field(default=None, init=False)

    def idle_poll(self) -> None:
        self.idle_polls += 1
        if self.file is not None:
            if self._handle is None:
                self._handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(self._handle, b".")

    def timer_transaction(self, _: object) -> None:
        """A response hook of the storage clients."""
        self.timer_transactions += 1


class Storage:
    """One client for each connection and service, one credential for each identity; close it at the end."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._queues: dict[Connection, QueueServiceClient] = {}
        self._blobs: dict[Connection, BlobServiceClient] = {}
        self._credentials: dict[str, ManagedIdentityCredential] = {}
        self._sessions: list[ClientSession] = []

    def _transport(self) -> AioHttpTransport:
        """Closes an idle connection before Azurite does (after 5 s), so that no request goes into a dead one."""
        connector = TCPConnector(limit=0, keepalive_timeout=3)
        session = ClientSession(trust_env=True, cookie_jar=DummyCookieJar(), auto_decompress=False, connector=connector)
        self._sessions.append(session)
        return AioHttpTransport(session=session, session_owner=False)

    def _identity(self, client_id: str) -> "ManagedIdentityCredential":
        from azure.identity.aio import ManagedIdentityCredential

        if client_id not in self._credentials:
            self._credentials[client_id] = ManagedIdentityCredential(client_id=client_id or None)
        return self._credentials[client_id]

    def queues(self, connection: Connection) -> "QueueServiceClient":
        """The queue service's client. Raises HostError where the connection does not name that service."""
        from azure.storage.queue.aio import QueueServiceClient

        if connection not in self._queues:
            self._queues[connection] = self._client(QueueServiceClient, connection, connection.queue_service)
        return self._queues[connection]

    def blobs(self, connection: Connection) -> "BlobServiceClient":
        """The blob service's client. Raises HostError where the connection does not name that service."""
        from azure.storage.blob.aio import BlobServiceClient

        if connection not in self._blobs:
            hook = self._tally.timer_transaction
            self._blobs[connection] = self._client(
                BlobServiceClient, connection, connection.blob_service, raw_response_hook=hook
            )
        return self._blobs[connection]

    def _client[Client: (QueueServiceClient, BlobServiceClient)](
        self, kind: type[Client], connection: Connection, address: str, **more: object
    ) -> Client:
        options = {
            "transport": self._transport(),
            "initial_backoff": FIRST_RETRY_S,
            "increment_base": 2,
            "retry_total": 5,
            **more,
        }
        if connection.connection_string:
            return kind.from_connection_string(connection.connection_string, **options)
        if not address:
            raise HostError(f"{kind.__name__}: the connection by identity names no address of that service")
        return kind(address, credential=self._identity(connection.client_id), **options)

    async def close(self) -> None:
        for queues in self._queues.values():
            await queues.close()
        for blobs in self._blobs.values():
            await blobs.close()
        for credential in self._credentials.values():
            await credential.close()
        for session in self._sessions:
            await session.close()

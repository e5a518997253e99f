"""The way to the next step: Azure Queue storage, one queue a step (engine-protocol, "Settings that matter")."""

import math
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.record import Message
from cmg_core.ledger.codec import message_text, notice_text
from cmg_core.ledger.connection import StorageConnection, told_plainly, transport
from cmg_core.ledger.seals import Seals
from cmg_core.outbound.sessions import open_session
from cmg_core.services import LedgerConflict

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.storage.queue.aio import QueueServiceClient


NOTIFY = "notify"
"""The queue of news for those who listen, named as steps are."""
NEVER = -1
HINT = timedelta(hours=1)
"""How long a message lives that may be lost."""


def queue_name(step: str) -> str:
    """The queue of a step."""
    return f"cmg-{step}"


class StorageQueues:
    """The ``Queues`` port over one storage account. Close it at the end of the process."""

    def __init__(self, connection: StorageConnection, seals: Seals) -> None:
        self._connection, self._seals = connection, seals
        self._session: ClientSession | None = None
        self._service: QueueServiceClient | None = None

    async def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        await self._put(queue_name(message.step), message_text(message, self._seals), delay, NEVER)

    async def notify(self, deployment_id: str, delay: timedelta = timedelta()) -> None:
        await self._put(
            queue_name(NOTIFY), notice_text(deployment_id), delay, math.ceil((delay + HINT).total_seconds())
        )

    async def _put(self, name: str, text: str, delay: timedelta, seconds: int) -> None:
        """Send a message that expires after so many seconds, to a queue that is made when its absence is noticed."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        queue = self._client().get_queue_client(name)
        times = {"visibility_timeout": math.ceil(delay.total_seconds()), "time_to_live": seconds}
        try:
            async with told_plainly(f"a message for {name}"):
                try:
                    await queue.send_message(text, **times)
                    return
                except ResourceNotFoundError:
                    pass
                with suppress(ResourceExistsError):
                    await queue.create_queue()
                await queue.send_message(text, **times)
        except LedgerConflict as error:
            raise TryAgain(f"queue {name} is being deleted or made at this moment") from error

    def vouch_for(self, message: Message) -> bool:
        return self._seals.are_on(message)

    async def close(self) -> None:
        """Close the connections; the queues may be used again afterwards."""
        if self._service and self._session:
            await self._service.close()
            await self._session.close()
            self._service = self._session = None

    def _client(self) -> "QueueServiceClient":
        from azure.storage.queue.aio import QueueServiceClient

        if self._service is None:
            self._session = open_session()
            settings: dict[str, Any] = {
                "transport": transport(self._session, self._connection.telemetry, "queues"),
                "initial_backoff": 0.2,
                "increment_base": 2,
                "random_jitter_range": 0.1,
                "retry_total": 5,
            }
            connection = self._connection
            self._service = (
                QueueServiceClient.from_connection_string(connection.connection_string, **settings)
                if connection.connection_string
                else QueueServiceClient(connection.queue_service, credential=connection.credential, **settings)
            )
        return self._service

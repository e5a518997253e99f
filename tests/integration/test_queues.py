"""Messages as the queue really holds them."""

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta

from azure.storage.queue.aio import QueueServiceClient

from cmg_core.domain.record import MESSAGE, Message
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.queues import StorageQueues
from cmg_core.ledger.seals import Seals
from tests.fakes import DEPLOYMENT
from tests.records import a_state

SEALS = Seals.of_a_new_key()


async def sent(connection: str, *messages: Message, delay: timedelta = timedelta()) -> list[tuple[str, bool]]:
    """Send messages; what lies in the queue of the first one: text, and whether it never expires."""
    queues = StorageQueues(StorageConnection(connection), SEALS)
    try:
        for message in messages:
            await queues.send(message, delay)
    finally:
        await queues.close()
    async with QueueServiceClient.from_connection_string(connection) as service:
        queue = service.get_queue_client(f"cmg-{messages[0].step}")
        received = [message async for message in queue.receive_messages()]
        await queue.delete_queue()
    return [(message.content, bool(message.expires_on and message.expires_on.year == 9999)) for message in received]


def test_a_message_is_base64_and_never_expires(azurite: str) -> None:
    message = Message(DEPLOYMENT, "register-providers", 2, 'W/"1"', a_state())
    ((text, for_ever),) = asyncio.run(sent(azurite, message))
    assert MESSAGE.validate_json(base64.b64decode(text)) == SEALS.sealed(message)
    assert for_ever


def test_a_queue_is_made_once_and_found_again(azurite: str) -> None:
    message = Message(DEPLOYMENT, "fetch-certificate", 2, 'W/"1"')
    assert len(asyncio.run(sent(azurite, message, replace(message, revision=3)))) == 2


def test_a_delayed_message_is_hidden(azurite: str) -> None:
    message = Message(DEPLOYMENT, "provision-network", 2, 'W/"1"')
    assert asyncio.run(sent(azurite, message, delay=timedelta(minutes=59))) == []


def test_the_largest_body_is_taken(azurite: str) -> None:
    message = SEALS.sealed(Message(DEPLOYMENT, "verify-gateway", 2, "", a_state()))
    room = 49_152 - len(MESSAGE.dump_json(message, by_alias=True))
    ((text, _),) = asyncio.run(sent(azurite, replace(message, etag="e" * room)))
    body = base64.b64decode(text)
    assert len(body) == 49_152
    assert MESSAGE.validate_json(body).state is not None

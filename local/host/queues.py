"""Queue triggers: polls a queue, works on its messages, and decides what becomes of each.

Source: "Azure Queue storage trigger for Azure Functions"; the order of things is that of the WebJobs SDK's
QueueListener and QueueProcessor. A message is hidden for ten minutes while its function works (fixed in the real
trigger), and the hold is renewed at half time.
"""

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from azure.core.exceptions import AzureError, ResourceExistsError
from azure_functions_runtime.bindings.datumdef import Datum

from local.host.backoff import Backoff
from local.host.settings import Queues
from local.host.storage import Tally
from local.host.worker import Function, invoke

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueClient, QueueServiceClient

log = logging.getLogger("local.host")

HOLD: Final = timedelta(minutes=10)
NEVER_EXPIRES: Final = -1


class Undecodable(ValueError):
    """The body is not what `messageEncoding` says."""


def decode(body: str, encoding: str) -> str:
    """The text of a message as the function gets it. Raises Undecodable."""
    if encoding == "none":
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Undecodable(str(error)) from error


def metadata(message: "QueueMessage") -> dict[str, Datum]:
    """What the trigger tells the function about its message, as the real host sends it."""

    def moment(value: datetime | None) -> str | None:
        return None if value is None else value.isoformat()

    values = {
        "Id": message.id,
        "PopReceipt": message.pop_receipt,
        "InsertionTime": moment(message.inserted_on),
        "ExpirationTime": moment(message.expires_on),
        "NextVisibleTime": moment(message.next_visible_on),
        "DequeueCount": message.dequeue_count,
    }
    return {name: Datum(json.dumps(value), "json") for name, value in values.items() if value is not None}


@dataclass
class Held:
    """A message that this host holds; its pop receipt changes with each renewal."""

    message: "QueueMessage"
    receipt: str


class QueueListener:
    """Serves one queue-triggered function until it is stopped."""

    def __init__(
        self,
        function: Function,
        name: str,
        service: "QueueServiceClient",
        settings: Queues,
        timeout: timedelta | None,
        hold: timedelta,
        tally: Tally,
    ) -> None:
        self._function = function
        self._name = name
        self._queue: QueueClient = service.get_queue_client(name)
        self._poison: QueueClient = service.get_queue_client(f"{name}-poison")
        self._settings = settings
        self._timeout = timeout
        self._hold = hold
        self._tally = tally
        self._stopping = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()

    async def prepare(self) -> None:
        """Makes the queue where it is missing."""
        with suppress(ResourceExistsError):
            await self._queue.create_queue()

    async def listen(self) -> None:
        """Polls until `stop`; a storage that does not answer is asked again as an empty queue is."""
        backoff = Backoff(self._settings.max_polling_interval.total_seconds())
        reachable = True
        while not self._stopping.is_set():
            try:
                messages = await self._receive()
                reachable = True
            except AzureError as error:
                if reachable:
                    log.warning("queue %s cannot be read, asking on: %s", self._name, error.message)
                reachable, messages = False, []
            if self._stopping.is_set():
                await self._give_back(messages)
                return
            for message in messages:
                self._start(message)
            if messages:
                await self._wait_for_room()
            await self._pause(backoff.found() if messages else backoff.empty())

    async def stop(self, patience_s: float) -> None:
        """Lets running functions end; those that do not in time are cancelled, and their messages appear again."""
        self._stopping.set()
        self._room.set()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _receive(self) -> "list[QueueMessage]":
        pages = self._queue.receive_messages(
            messages_per_page=self._settings.batch_size, visibility_timeout=int(self._hold.total_seconds())
        ).by_page()
        async for page in pages:
            messages = [message async for message in page]
            if messages:
                return messages
            break
        self._tally.idle_poll()
        return []

    async def _give_back(self, messages: "list[QueueMessage]") -> None:
        """Shows messages at once that came in while the host was ending; else they would stay hidden for the hold."""
        for message in messages:
            with suppress(AzureError):
                await self._queue.update_message(message.id, message.pop_receipt, visibility_timeout=0)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _wait_for_room(self) -> None:
        while len(self._running) > self._settings.refill_at and not self._stopping.is_set():
            self._room.clear()
            await self._room.wait()

    def _start(self, message: "QueueMessage") -> None:
        task = asyncio.create_task(self._work(message))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("a message of queue %s stays as it is", self._name, exc_info=task.exception())

    async def _work(self, message: "QueueMessage") -> None:
        held = Held(message, str(message.pop_receipt))
        attempts = int(message.dequeue_count or 1)
        try:
            text = decode(message.content or "", self._settings.message_encoding)
        except Undecodable as error:
            log.error(
                "message %s of queue %s is not %s: %s", message.id, self._name, self._settings.message_encoding, error
            )
            await self._to_poison(held)
            return
        if attempts > self._settings.max_dequeue_count:
            await self._to_poison(held)
            return
        ok = False
        try:
            async with self._held(held):
                ok = (await invoke(self._function, Datum(text, "string"), metadata(message), self._timeout)).ok
        finally:
            if not ok and attempts < self._settings.max_dequeue_count:
                delay = int(self._settings.visibility_timeout.total_seconds())
                await self._queue.update_message(message.id, held.receipt, visibility_timeout=delay)
        if ok:
            await self._queue.delete_message(message.id, held.receipt)
        elif attempts >= self._settings.max_dequeue_count:
            await self._to_poison(held)

    @asynccontextmanager
    async def _held(self, held: Held) -> AsyncIterator[None]:
        """Renews the hold at half time for as long as the block runs.

        A renewal under way is awaited, never cancelled: it may have changed the receipt already.
        """
        ended = asyncio.Event()
        renewing = asyncio.create_task(self._renew(held, ended))
        try:
            yield
        finally:
            ended.set()
            await renewing

    async def _renew(self, held: Held, ended: asyncio.Event) -> None:
        seconds = self._hold.total_seconds()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), seconds / 2)
                return
            try:
                kept = await self._queue.update_message(held.message.id, held.receipt, visibility_timeout=int(seconds))
                held.receipt = str(kept.pop_receipt)
            except AzureError as error:
                log.warning(
                    "message %s of queue %s could not be held longer: %s", held.message.id, self._name, error.message
                )

    async def _to_poison(self, held: Held) -> None:
        """Moves the body as it is; a poison message is evidence, so it does not expire."""
        with suppress(ResourceExistsError):
            await self._poison.create_queue()
        await self._poison.send_message(held.message.content or "", time_to_live=NEVER_EXPIRES)
        await self._queue.delete_message(held.message.id, held.receipt)
        log.error("message %s moved to queue %s", held.message.id, f"{self._name}-poison")

"""Ledger and queues in memory behind the product's ports, with storage's manners: ETags, visibility, poison."""

import asyncio
import base64
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.record import Claim, Event, Message, Record, Requested
from cmg_core.ledger import codec
from cmg_core.ledger.queues import NOTIFY, queue_name
from cmg_core.ledger.seals import Seals
from cmg_core.services import ActiveRow, Clock, LedgerConflict, Save, Stored, Throttle
from local.inprocess.tape import Harm, Harmed, Port, Tape


@dataclass
class _Row:
    columns: codec.Columns
    etag: str


type _Method[**P, R] = Callable[Concatenate["MemoryLedger", P], Coroutine[Any, Any, R]]


def _asks[**P, R](method: _Method[P, R]) -> _Method[P, R]:
    return _through_tape(method, writes=False)


def _writes[**P, R](method: _Method[P, R]) -> _Method[P, R]:
    return _through_tape(method, writes=True)


def _overwrites[**P, R](method: _Method[P, R]) -> _Method[P, R]:
    return _through_tape(method, writes=True, conditional=False)


def _through_tape[**P, R](method: _Method[P, R], writes: bool, conditional: bool = True) -> _Method[P, R]:
    """Let a method's calls pass over the tape, and show its harm as the table's client would."""
    name = method.__name__

    @wraps(method)
    async def call(self: "MemoryLedger", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await self.tape.pass_on(Port.LEDGER, name, writes, lambda: method(self, *args, **kwargs))
        except Harmed as harmed:
            if harmed.harm is Harm.REPEATED and not conditional:
                return await method(self, *args, **kwargs)
            if harmed.harm is Harm.REPEATED:
                raise LedgerConflict(f"«{name}», repeated by the client, met its own doing") from None
            raise TryAgain(f"storage did not take «{name}»") from None

    return call


class MemoryLedger:
    """The ``Ledger`` port. Rows are kept as the table keeps them, through the same codec."""

    def __init__(self, tape: Tape | None = None) -> None:
        self.tape = tape or Tape()
        self.changed = asyncio.Event()
        """Set by each change; whoever waits for one clears it."""
        self._records: dict[str, _Row] = {}
        self._active: dict[str, codec.Columns] = {}
        self._ended: dict[tuple[str, str], codec.Columns] = {}
        self._events: dict[str, list[Event]] = {}
        self._reservations: dict[str, _Row] = {}
        self._throttles: dict[str, codec.Columns] = {}
        self._etags = (f'W/"{number}"' for number in itertools.count(1))

    @_writes
    async def create(self, record: Record, events: Sequence[Event]) -> str:
        if record.id in self._records:
            raise LedgerConflict(f"deployment {record.id} exists")
        row = _Row(codec.created_columns(record), next(self._etags))
        self._records[record.id], self._active[record.id] = row, codec.active_columns(record)
        self._events[record.id] = list(events)
        self.note(record.id)
        return row.etag

    @_asks
    async def read(self, deployment_id: str) -> Stored | None:
        return self.peek(deployment_id)

    def peek(self, deployment_id: str) -> Stored | None:
        """What ``read`` gives, for those who watch the story from outside."""
        row = self._records.get(deployment_id)
        return None if row is None else Stored(codec.record_of(deployment_id, row.columns), row.etag)

    def note(self, deployment_id: str) -> None:
        """Called after each change of a record."""
        self.changed.set()

    def history(self, deployment_id: str) -> tuple[Event, ...]:
        """What ``events`` gives, for those who watch the story from outside."""
        return tuple(self._events.get(deployment_id, ()))

    @_writes
    async def claim(self, deployment_id: str, etag: str, claim: Claim) -> str:
        return self._merge(deployment_id, etag, codec.claim_columns(claim))

    @_writes
    async def save(self, deployment_id: str, etag: str, save: Save, events: Sequence[Event]) -> str:
        columns, active = codec.saved_columns(save), codec.active_columns(save)
        if deployment_id not in self._active:
            raise LedgerConflict(f"deployment {deployment_id} has ended or does not exist")
        new = self._merge(deployment_id, etag, columns)
        if save.status.is_end:
            del self._active[deployment_id]
            self._ended[f"{save.updated_at:%Y-%m}", deployment_id] = active
        else:
            self._active[deployment_id] = active
        self._events[deployment_id] += events
        return new

    @_writes
    async def reopen(self, ended: Record, etag: str, save: Save, events: Sequence[Event]) -> str:
        month = f"{ended.updated_at:%Y-%m}", ended.id
        columns, active = codec.saved_columns(save), codec.active_columns(save)
        if month not in self._ended:
            raise LedgerConflict(f"deployment {ended.id} has not ended")
        new = self._merge(ended.id, etag, columns)
        del self._ended[month]
        self._active[ended.id] = active
        self._events[ended.id] += events
        return new

    @_writes
    async def note_request(self, deployment_id: str, etag: str, requested: Sequence[Requested]) -> str:
        return self._merge(deployment_id, etag, {"requested": codec.REQUESTED.dump_json(tuple(requested)).decode()})

    @_writes
    async def touch(self, deployment_id: str, etag: str, wake_at: datetime, sends: int) -> str:
        columns = codec.touched_columns(wake_at, sends)
        new = self._merge(deployment_id, etag, columns)
        self._active[deployment_id] |= {"wake_at": columns["wake_at"]}
        return new

    @_overwrites
    async def note_subscribed(self, deployment_id: str) -> None:
        if deployment_id not in self._records:
            raise LedgerConflict(f"deployment {deployment_id} does not exist")
        self._merge(deployment_id, self._records[deployment_id].etag, codec.subscribed_columns())

    @_asks
    async def events(self, deployment_id: str) -> Sequence[Event]:
        return self.history(deployment_id)

    @_asks
    async def active(self) -> Sequence[ActiveRow]:
        return codec.listed(self._active.items())

    async def unlisted(self) -> Sequence[str]:
        """Not on the tape: the timer asks each hour, whatever the story."""
        return [id for id, row in self._records.items() if codec.is_at_work(row.columns) and id not in self._active]

    @_asks
    async def ended(self, oldest: str, newest: str) -> Sequence[ActiveRow]:
        return codec.listed((id, row) for (month, id), row in self._ended.items() if oldest <= month <= newest)

    @_asks
    async def holder(self, gateway: str) -> tuple[str, str] | None:
        row = self._reservations.get(gateway)
        return None if row is None else (codec.holder_of(gateway, row.columns), row.etag)

    @_writes
    async def reserve(self, gateway: str, deployment_id: str, etag: str = "") -> None:
        held = self._reservations.get(gateway)
        if (held.etag if held else "") != etag:
            raise LedgerConflict(f"{gateway} is reserved by somebody else")
        self._reservations[gateway] = _Row({"deployment": deployment_id}, next(self._etags))

    @_asks
    async def throttles(self) -> Mapping[str, Throttle]:
        return codec.throttles_of(self._throttles.items())

    @_overwrites
    async def note_throttle(self, subscription_id: str, throttle: Throttle) -> None:
        self._throttles[subscription_id] = codec.throttle_columns(throttle)

    def _merge(self, deployment_id: str, etag: str, columns: codec.Columns) -> str:
        row = self._records.get(deployment_id)
        if row is None or row.etag != etag:
            raise LedgerConflict(f"deployment {deployment_id} changed meanwhile")
        self._records[deployment_id] = _Row({**row.columns, **columns}, next(self._etags))
        self.note(deployment_id)
        return self._records[deployment_id].etag


@dataclass
class Waiting:
    """A message in a queue: hidden until ``visible_at``, received ``dequeued`` times."""

    id: str
    step: str
    text: str
    visible_at: datetime
    dequeued: int = 0
    receipt: int = 0

    @property
    def body(self) -> str:
        """What the function is given."""
        return base64.b64decode(self.text).decode()


@dataclass
class MemoryQueues:
    """The ``Queues`` port, and the host's side of it."""

    clock: Clock
    tape: Tape = field(default_factory=Tape)
    waiting: list[Waiting] = field(default_factory=list)
    poison: list[Waiting] = field(default_factory=list)
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each change that may make a message visible sooner; whoever waits for one clears it."""
    seals: Seals = field(default_factory=Seals.of_a_new_key)

    def __post_init__(self) -> None:
        self._ids = (f"message-{number}" for number in itertools.count(1))

    async def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        await self._send(message.step, codec.message_text(message, self.seals), delay)

    async def notify(self, deployment_id: str, delay: timedelta = timedelta()) -> None:
        await self._send(NOTIFY, codec.notice_text(deployment_id), delay)

    async def _send(self, step: str, text: str, delay: timedelta) -> None:
        async def put() -> None:
            self.put(step, text, delay)

        try:
            await self.tape.pass_on(Port.QUEUE, queue_name(step), True, put)
        except Harmed as harmed:
            if harmed.harm is not Harm.REPEATED:
                raise TryAgain(f"queue {queue_name(step)} did not answer") from None
            await put()

    def vouch_for(self, message: Message) -> bool:
        return self.seals.are_on(message)

    def put(self, step: str, text: str, delay: timedelta = timedelta()) -> None:
        """Lay a message's text into a step's queue, as anybody with a key could."""
        self.waiting.append(Waiting(next(self._ids), step, text, self.clock.now() + delay))
        self.sent.set()

    def receive(self, most: int, hidden_for: timedelta) -> list[Waiting]:
        """Visible messages, hidden for a while from everybody else."""
        now = self.clock.now()
        found = [message for message in self.waiting if message.visible_at <= now][:most]
        for message in found:
            message.dequeued += 1
            message.receipt += 1
            message.visible_at = now + hidden_for
        return found

    def next_visible(self) -> datetime | None:
        """When the next message can be received."""
        return min((message.visible_at for message in self.waiting), default=None)

    def show_again(self, message: Waiting, receipt: int, after: timedelta) -> None:
        """Make a received message visible after a while; one received by another meanwhile stays theirs."""
        if message.receipt == receipt:
            message.visible_at = self.clock.now() + after
            self.sent.set()

    def delete(self, message: Waiting, receipt: int) -> None:
        """Delete a received message; one received by another meanwhile stays theirs."""
        if message.receipt == receipt and message in self.waiting:
            self.waiting.remove(message)

    def move_to_poison(self, message: Waiting) -> None:
        """Keep a message as evidence."""
        self.waiting.remove(message)
        self.poison.append(message)

"""``wake-due``: one timer for everything that waits long or got lost (engine-protocol, rule 11)."""

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cmg_core.domain.errors import NewerSchema, TryAgain, UnreadableRow
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import SCHEMA, Happening, Message, Record, Status
from cmg_core.engine import OVERDUE, tell_listeners
from cmg_core.history import Line, events_of
from cmg_core.observing import Observed
from cmg_core.services import ActiveRow, LedgerConflict, Save, Services, Stored

log = logging.getLogger("cmg.wake")

SENDS_WITHOUT_PROGRESS = 5
AT_ONCE = 16
"""How many deployments are looked at at the same time."""
WITHIN = timedelta(seconds=45)
"""What is not begun by then is left to the next minute's run: nothing is cut off between its record and its message."""
REMIND_EACH = timedelta(days=1)
"""How often the log names a deployment that needs attention."""
SOON = timedelta(days=1)
"""How long before its end the log names a grace period, each hour: the last chance to extend it, or to roll back."""


class Came(StrEnum):
    """What came of one deployment's look."""

    SENT = "sent"
    CALLED_FOR_ATTENTION = "called for attention"
    REMINDED = "reminded"
    NOT_DUE = "not due any more"
    HELD_UP = "held up"
    NEWER = "of a newer release"
    UNREADABLE = "that cannot be read"
    WITHOUT_RECORD = "without a record"
    LEFT = "left to the next run"


@dataclass(frozen=True)
class Tally:
    """What a run came to. ``unlisted`` are records that no list shows, looked for in an hour's first minute."""

    came: Counter[Came]
    unlisted: Sequence[str] = ()
    listened_to: int = 0
    """Deployments whose listeners were due."""

    @property
    def sent(self) -> int:
        return self.came[Came.SENT]

    def __str__(self) -> str:
        counted = [f"{count} {came}" for came, count in sorted(self.came.items())]
        listened_to = [f"{self.listened_to} listened to"] if self.listened_to else []
        unlisted = [f"{len(self.unlisted)} records without a row"] if self.unlisted else []
        return ", ".join([*counted, *listened_to, *unlisted])


async def wake_due(services: Services) -> Tally:
    """Re-send what is due and under no live claim, remind of what needs attention, report what fits nothing.

    The longest overdue come first. One deployment that cannot be looked at holds up no other; another host's faster
    hand is no error. Raises TryAgain where storage gives no list.
    """
    now, came = services.clock.now(), Counter[Came]()
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + WITHIN.total_seconds()
    active = await services.ledger.active()
    due = [row for row in active if _wants_a_look(row, now)]
    waiting = iter(sorted(due, key=lambda row: row.wake_at or row.updated_at))

    async def work() -> None:
        for row in waiting:
            came[await _look(services, row) if loop.time() < ends_at else Came.LEFT] += 1

    await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(due)))))
    overdue = await _notify_overdue(services, now)
    unlisted: Sequence[str] = ()
    if _is_hours_first(now):
        _tell_of_grace(active, now)
        unlisted = await services.ledger.unlisted()
    for deployment_id in unlisted:
        log.error(
            "deployment %s has a record and no row among the active ones: nothing wakes it. Somebody changed the table "
            "by hand; put the row a:%s back",
            deployment_id,
            deployment_id,
            extra={"deployment_id": deployment_id},
        )
    return Tally(came, unlisted, overdue)


async def _notify_overdue(services: Services, now: datetime) -> int:
    """Have each deployment looked at whose listeners should have heard something; how many there are."""
    if services.callbacks.keys is None:
        return 0
    live = await services.callbacks.subscriptions.live()
    due = {each.deployment_id for each in live if each.next_try_at is None or each.next_try_at <= now}
    for deployment_id in sorted(due):
        await tell_listeners(services, deployment_id, subscribed=True)
    return len(due)


def _is_hours_first(now: datetime) -> bool:
    """Whether this is the run that reports what cannot be repaired: each minute would be too often."""
    return now.minute == 0


def _tell_of_grace(active: Sequence[ActiveRow], now: datetime) -> None:
    """Name the grace periods that end soon."""
    for row in active:
        ends_at = _grace_ends_at(row)
        if row.status is Status.GRACE and ends_at is not None and now < ends_at <= now + SOON:
            log.warning(
                "deployment %s: its grace period ends by %s, after which the old gateway is removed",
                row.id,
                ends_at.isoformat(),
                extra={"deployment_id": row.id},
            )


def _grace_ends_at(row: ActiveRow) -> datetime | None:
    """What the row says; where it says nothing, an earlier release wrote it, which woke no deployment before the
    end."""
    try:
        return datetime.fromisoformat(str(row.summary["grace_ends_at"]))
    except (KeyError, ValueError):
        return row.wake_at


def _wants_a_look(row: ActiveRow, now: datetime) -> bool:
    if row.status is Status.NEEDS_ATTENTION:
        return row.wake_at is None or row.wake_at <= now
    return row.wake_at is not None and row.wake_at <= now


async def _look(services: Services, row: ActiveRow) -> Came:
    told = {"deployment_id": row.id}
    report = log.warning if _is_hours_first(services.clock.now()) else log.debug
    if row.schema > SCHEMA:
        report("deployment %s is a newer release's (schema %d): it is left alone", row.id, row.schema, extra=told)
        return Came.NEWER
    try:
        stored = await services.ledger.read(row.id)
        if stored is None:
            report("deployment %s has a row among the active ones and no record", row.id, extra=told)
            return Came.WITHOUT_RECORD
        return await _wake(services, stored)
    except NewerSchema as reason:
        report("deployment %s: %s", row.id, reason, extra=told)
        return Came.NEWER
    except UnreadableRow as reason:
        report("%s", reason, extra=told)
        return Came.UNREADABLE
    except (LedgerConflict, TryAgain) as reason:
        log.warning("deployment %s could not be woken now: %s", row.id, reason, extra=told)
    except Exception:  # one record that cannot be read must not hold up all the others
        log.exception("deployment %s could not be woken", row.id, extra=told)
    return Came.HELD_UP


async def _wake(services: Services, stored: Stored) -> Came:
    record, now = stored.record, services.clock.now()
    if record.status is Status.NEEDS_ATTENTION:
        return await _remind(services, stored)
    if record.wake_at is None or record.wake_at > now or _may_be_claimed(record, services):
        return Came.NOT_DUE
    with services.telemetry.working(record.id, "wake", {"cmg.sends": record.sends}, record.revision):
        return await _wake_now(services, stored, now)


async def _wake_now(services: Services, stored: Stored, now: datetime) -> Came:
    record = stored.record
    if record.sends >= SENDS_WITHOUT_PROGRESS:
        await _call_for_attention(services, stored)
        return Came.CALLED_FOR_ATTENTION
    etag = await services.ledger.touch(record.id, stored.etag, now + OVERDUE, record.sends + 1)
    # A message does not carry noted calls: the run that is to take them up has to read the ledger.
    state = None if record.requested else record.state
    message = Message(record.id, record.step, record.revision, etag, state, subscribed=record.subscribed)
    await services.queues.send(message)
    return Came.SENT


def _may_be_claimed(record: Record, services: Services) -> bool:
    """Whether a claim may be live by the clock of the host that holds it (engine-protocol, "Clocks")."""
    return record.claim is not None and record.claim.is_live(services.clock.now() - services.limits.claim)


async def _remind(services: Services, stored: Stored) -> Came:
    """Name a deployment that needs attention, and note when to do so again."""
    record, now = stored.record, services.clock.now()
    if record.wake_at is not None and record.wake_at > now:
        return Came.NOT_DUE
    problem = record.state.problem
    log.warning(
        "deployment %s needs attention since %s, at step %s: %s",
        record.id,
        record.updated_at.isoformat(),
        record.step,
        problem.title if problem else "no problem was noted",
        extra={"deployment_id": record.id, "code": problem.code if problem else ""},
    )
    await services.ledger.touch(record.id, stored.etag, now + REMIND_EACH, record.sends)
    return Came.REMINDED


async def _call_for_attention(services: Services, stored: Stored) -> None:
    record, now = stored.record, services.clock.now()
    title = f"Step {record.step} was started {record.sends} times and got nowhere"
    problem = Problem(
        code="no-progress",
        title=title,
        detail="Each run ended without saving a result: the host was killed, or the step met an unknown error.",
        cure="Look in the application's log for this deployment and step, and into the step's poison queue.",
        step=record.step,
        at=now,
    )
    save = Save(
        revision=record.revision + 1,
        step=record.step,
        status=Status.NEEDS_ATTENTION,
        state=replace(record.state, problem=problem, waiting=None),
        wake_at=None,
        saved_by=f"wake-due:{uuid.uuid4()}",
        updated_at=now,
    )
    line = Line(title, Happening.NEEDS_ATTENTION)
    await services.ledger.save(record.id, stored.etag, save, events_of([line], save, record.step))
    Observed(record.id, record.state, save).tell(services.telemetry)
    await tell_listeners(services, record.id, record.subscribed)

"""``wake-due``: one timer for everything that waits long or got lost (engine-protocol, rule 11)."""

import logging
import uuid
from dataclasses import replace

from cmg_core.domain.errors import NewerSchema, TryAgain
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Event, Message, Record, Status
from cmg_core.engine import OVERDUE
from cmg_core.services import LedgerConflict, Save, Services, Stored

log = logging.getLogger("cmg.wake")

SENDS_WITHOUT_PROGRESS = 5


async def wake_due(services: Services) -> int:
    """Re-send what is due and under no live claim; how many were sent. Another host's faster hand is no error."""
    now = services.clock.now()
    sent = 0
    for row in await services.ledger.active():
        if row.wake_at is None or row.wake_at > now:
            continue
        try:
            stored = await services.ledger.read(row.id)
            if stored is not None and _is_due(stored.record, services):
                sent += await _wake(services, stored)
        except (LedgerConflict, TryAgain, NewerSchema) as reason:
            log.warning("deployment %s could not be woken now: %s", row.id, reason)
        except Exception:  # one record that cannot be read must not hold up all the others
            log.exception("deployment %s could not be woken", row.id)
    return sent


def _is_due(record: Record, services: Services) -> bool:
    now = services.clock.now()
    claimed = record.claim is not None and record.claim.is_live(now)
    return record.wake_at is not None and record.wake_at <= now and not claimed


async def _wake(services: Services, stored: Stored) -> int:
    record, now = stored.record, services.clock.now()
    if record.sends >= SENDS_WITHOUT_PROGRESS:
        await _call_for_attention(services, stored)
        return 0
    etag = await services.ledger.touch(record.id, stored.etag, now + OVERDUE, record.sends + 1)
    # A message does not carry noted calls: the run that is to take them up has to read the ledger.
    state = None if record.requested else record.state
    await services.queues.send(Message(record.id, record.step, record.revision, etag, state))
    return 1


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
    await services.ledger.save(record.id, stored.etag, save, [Event(now, record.step, title, save.revision)])

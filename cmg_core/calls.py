"""What a caller may ask for: accept a request, make a plan, open a gate, look. HTTP itself lies in ``triggers/``."""

import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from cmg_core import refusals
from cmg_core.correlation import correlation_id
from cmg_core.domain.errors import TooLarge, TryAgain
from cmg_core.domain.gates import Gate, GateName
from cmg_core.domain.plans import Plan
from cmg_core.domain.principals import NOBODY, Principal
from cmg_core.domain.record import Ask, ClientFigures, Event, Message, Record, Requested, State, Status, StepProgress
from cmg_core.domain.requests import LONGEST_SPAN, Request, held_gateway
from cmg_core.domain.roles import is_same
from cmg_core.domain.transitions import Course, why_not, why_not_this_gate
from cmg_core.engine import taken_up, tell_listeners
from cmg_core.history import events_of
from cmg_core.observing import Observed
from cmg_core.plan import FIRST_STEP, steps_of
from cmg_core.services import LedgerConflict, Save, Services, Stored
from cmg_core.steps.preflight import look

log = logging.getLogger("cmg.calls")

DEPLOYMENTS = uuid.UUID("6f0c3f0e-6a67-5d0e-9d2c-2a3f6a1c8b11")
"""Namespace of deployment IDs that are made from a caller and its Idempotency-Key (engine-protocol, rule 13)."""

UNSENT = timedelta(minutes=2)
"""When a request whose first message was never sent is started all the same: its first step only looks, so a second
message beside a late first one does no harm."""
TRIES = 5


@dataclass(frozen=True)
class Asked:
    """Who asks for a deployment, and what makes a repeated request the same one."""

    by: Principal
    idempotency_key: str
    body_hash: str


type Leave = Callable[[], Awaitable[None]]
"""Takes a subscription back that this very call has made."""
type Listener = Callable[[str], Awaitable[Leave]]
"""Subscribes to the events of a deployment, by its ID."""


async def make_plan(services: Services, request: Request) -> Plan:
    """The plan of a request, with every finding. Changes nothing. Raises TryAgain where Azure does not answer."""
    plan = await look(request, services, deployment_id="")
    return plan.model_copy(update={"steps": steps_of(request)})


async def accept(services: Services, request: Request, asked: Asked, listener: Listener | None = None) -> Record:
    """Write the request down, start its first step, and return the deployment's record.

    The same caller with the same key and body gets the same deployment. ``listener`` subscribes to its events before
    there is any, so that none is lost. Raises CallRefused: 422 for the same key with another body, 409 while the
    gateway has another active deployment, 422 where duties are separate and the request leaves the gate ``approval``
    out.
    """
    deployment_id = str(uuid.uuid4())
    if asked.idempotency_key:
        deployment_id = str(uuid.uuid5(DEPLOYMENTS, f"{asked.by.id}\n{asked.idempotency_key}"))
        known = await services.ledger.read(deployment_id)
        if known is not None:
            return _replayed(known.record, request, asked)
    if services.limits.callers.separate_duties and not request.gates.approval:
        raise refusals.without_approval()
    await _reserve(services, held_gateway(request), deployment_id, request.tenant_id)
    now = services.clock.now()
    state = State(request, progress=tuple(StepProgress(name) for name in steps_of(request)))
    record = Record(
        id=deployment_id,
        revision=1,
        step=FIRST_STEP,
        status=Status.RUNNING,
        state=state,
        created_at=now,
        updated_at=now,
        gateway=held_gateway(request),
        body_hash=asked.body_hash,
        wake_at=now + UNSENT,
        saved_by=f"http:{uuid.uuid4()}",
        asked_by=asked.by,
        subscribed=listener is not None,
    )
    accepted = Event(now, FIRST_STEP, "accepted", 1, correlation_id(), status=Status.RUNNING, called_by=asked.by)
    leave = await listener(deployment_id) if listener is not None else None
    try:
        etag = await services.ledger.create(record, [accepted])
    except LedgerConflict:
        known = await services.ledger.read(deployment_id)
        if known is None:
            raise
        if leave is not None and not _is_replay(known.record, request, asked):
            await leave()
        return _replayed(known.record, request, asked)
    except TooLarge:
        if leave is not None:
            await leave()
        raise
    services.telemetry.accepted(deployment_id, {"cmg.kind": request.kind})
    await _send(services, Message(deployment_id, FIRST_STEP, 1, etag, state, subscribed=record.subscribed))
    await tell_listeners(services, deployment_id, record.subscribed)
    return record


def _is_replay(record: Record, request: Request, asked: Asked) -> bool:
    """A migration and a retirement can have the same body: they are two requests all the same."""
    return record.body_hash == asked.body_hash and record.state.request.kind == request.kind


def _replayed(record: Record, request: Request, asked: Asked) -> Record:
    """The deployment that the same request has begun. Raises CallRefused (422) for another request."""
    if _is_replay(record, request, asked):
        return record
    raise refusals.key_reused(record)


async def _reserve(services: Services, gateway: str, deployment_id: str, tenant_id: str) -> None:
    """Hold the gateway. The reservation is a hint: the record that it names decides."""
    for _ in range(TRIES):
        held = await services.ledger.holder(gateway)
        try:
            if held is None:
                return await services.ledger.reserve(gateway, deployment_id)
            holder, etag = held
            if holder == deployment_id:
                return None
            other = await services.ledger.read(holder)
            if other is not None and not other.record.status.is_end:
                same_tenant = other.record.state.request.tenant_id == tenant_id
                raise refusals.busy(other.record) if same_tenant else refusals.held_by_another()
            return await services.ledger.reserve(gateway, deployment_id, etag)
        except LedgerConflict:
            continue
    raise refusals.changes_too_fast(deployment_id)


async def find(services: Services, deployment_id: str) -> Stored:
    """A deployment's record. Raises CallRefused (404) where there is none."""
    stored = await services.ledger.read(deployment_id)
    if stored is None:
        raise refusals.no_such_deployment(f"The ledger holds no deployment {deployment_id}.")
    return stored


async def history(services: Services, deployment_id: str) -> Sequence[Event]:
    """A deployment's events in order. Raises CallRefused (404)."""
    await find(services, deployment_id)
    return await services.ledger.events(deployment_id)


class Counted(Protocol):
    """How many clients were active, and how many of them have moved."""

    @property
    def active(self) -> int: ...

    @property
    def moved(self) -> int: ...

    @property
    def silent_since(self) -> datetime | None: ...


@dataclass(frozen=True)
class Says:
    """What a person says at a gate that takes more than a reason."""

    made: str = ""
    """The full ID of the scale set that the site has made."""
    figures: Counted | None = None


async def open_gate(
    services: Services,
    deployment_id: str,
    name: str,
    by: str,
    reason: str,
    says: Says = Says(),
    called_by: Principal = NOBODY,
) -> Record:
    """Open a gate for a person, and start the step that waits at it. Opening it again changes nothing; figures that do
    not suffice are kept, and the gate waits on.

    Raises CallRefused: 404 for a gate that the plan does not hold, 409 for one that opens by observation, is not asked
    for yet, or belongs to a deployment that has ended, 403 for an approval by the one who asked for the deployment,
    where duties are separate.
    """

    def wish(record: Record, now: datetime) -> Requested | None:
        counted = says.figures
        figures = (
            ClientFigures(now, by, counted.active, counted.moved, counted.silent_since) if counted is not None else None
        )
        gate = _gate(record, name)
        if gate.is_open:
            return None
        if services.limits.callers.separate_duties and gate.name is GateName.APPROVAL:
            _ensure_another(record, called_by)
        requested = Requested(
            Ask.OPEN_GATE, by, reason, now, gate.name, made=says.made, figures=figures, called_by=called_by
        )
        _ensure_may_open(record, gate, requested)
        return requested

    return await _ask(services, deployment_id, wish)


async def ask_for(
    services: Services,
    deployment_id: str,
    ask: Ask,
    by: str,
    reason: str,
    until: datetime | None = None,
    called_by: Principal = NOBODY,
) -> Record:
    """Ask for a cancellation, a rollback, a resumption, a longer grace period, the release of a parked name, or a look
    now (nothing where the deployment is at work already).

    Raises CallRefused: 409 with the reason where the deployment's phase does not allow it
    (``domain/transitions.py``), 422 for a grace period that would not be longer, or end too far ahead.
    """

    def wish(record: Record, now: datetime) -> Requested | None:
        course = Course(record.step, record.status, record.state)
        refused = why_not(course, ask)
        if refused:
            raise refusals.not_possible(record, course, ask, refused)
        ends_at = record.state.grace_ends_at
        if ask is Ask.EXTEND and (until is None or ends_at is None or until <= ends_at):
            raise refusals.grace_not_longer(record)
        if until is not None and until > now + LONGEST_SPAN:
            raise refusals.grace_too_long(record, LONGEST_SPAN)
        waiting = record.state.waiting
        if ask is Ask.CHECK and (waiting is None or waiting.next_look <= now):
            return None
        return Requested(ask, by, reason, now, until=until, called_by=called_by)

    return await _ask(services, deployment_id, wish)


async def _ask(services: Services, deployment_id: str, wish: Callable[[Record, datetime], Requested | None]) -> Record:
    """Take a call up, or leave it for the run that holds the claim (engine-protocol, rule 12)."""
    for _ in range(TRIES):
        stored = await find(services, deployment_id)
        record, now = stored.record, services.clock.now()
        requested = wish(record, now)
        if requested is None:
            return record
        name, facts = f"call {requested.ask}", {"cmg.gate": requested.gate or "", "cmg.step": record.step}
        try:
            with services.telemetry.working(deployment_id, name, facts, record.revision):
                if record.claim is not None and record.claim.is_live(now):
                    return await _note(services, stored, requested)
                return await _take_up(services, stored, requested, now)
        except LedgerConflict:
            continue
    raise refusals.changes_too_fast(deployment_id)


async def _take_up(services: Services, stored: Stored, requested: Requested, now: datetime) -> Record:
    """Save what the call changes, and start the step that goes on. Raises LedgerConflict."""
    record = stored.record
    unchanged = Save(
        revision=record.revision + 1,
        step=record.step,
        status=record.status,
        state=record.state,
        wake_at=record.wake_at,
        saved_by=f"http:{uuid.uuid4()}",
        updated_at=now,
    )
    save, told = taken_up(unchanged, (*record.requested, requested))
    events = events_of(told, save, record.step, correlation_id())
    if record.status.is_end:
        etag = await services.ledger.reopen(record, stored.etag, save, events)
    else:
        etag = await services.ledger.save(record.id, stored.etag, save, events)
    Observed(record.id, record.state, save).tell(services.telemetry)
    if not save.status.is_end:
        message = Message(record.id, save.step, save.revision, etag, save.state, subscribed=record.subscribed)
        await _send(services, message)
    await tell_listeners(services, record.id, record.subscribed)
    return replace(record, revision=save.revision, step=save.step, status=save.status, state=save.state)


async def _note(services: Services, stored: Stored, requested: Requested) -> Record:
    """Leave the call for the run that holds the claim: it takes it up when it saves."""
    record = stored.record
    if any(
        replace(old, at=requested.at, by=requested.by, reason=requested.reason) == requested for old in record.requested
    ):
        return record
    noted = (*record.requested, requested)
    await services.ledger.note_request(record.id, stored.etag, noted)
    return replace(record, requested=noted)


async def _send(services: Services, message: Message) -> None:
    """Send what the ledger says already. Where the queue does not answer nothing is lost: ``wake-due`` sends again."""
    try:
        await services.queues.send(message)
    except TryAgain as reason:
        log.warning("deployment %s waits for wake-due: %s", message.deployment_id, reason)


def _gate(record: Record, name: str) -> Gate:
    """A gate of the plan. Raises CallRefused."""
    gate = next((gate for gate in record.state.gates if gate.name == name), None)
    if gate is None:
        raise refusals.no_such_gate(record)
    return gate


def _ensure_may_open(record: Record, gate: Gate, requested: Requested) -> None:
    """Raises CallRefused where a person cannot open the gate now."""
    why = why_not_this_gate(Course(record.step, record.status, record.state), gate, requested)
    if why:
        raise refusals.gate_cannot_open(record, gate, why)


def _ensure_another(record: Record, caller: Principal) -> None:
    """Raises CallRefused (403) unless both who asked and who approves are known, and not the same."""
    if not record.asked_by.id or not caller.id or is_same(record.asked_by, caller):
        raise refusals.same_person(record)


def look_again_after(record: Record, services: Services) -> timedelta:
    """When a poller should ask again: soon while steps run, up to five minutes while something is waited for."""
    waiting = record.state.waiting
    if waiting is None:
        return timedelta(seconds=2)
    left = waiting.next_look - services.clock.now()
    return min(max(left, timedelta(seconds=2)), timedelta(minutes=5))

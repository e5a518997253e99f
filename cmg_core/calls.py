"""What a caller may ask for: accept a request, make a plan, open a gate, look. HTTP itself lies in ``triggers/``."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.plans import Plan
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Event, GateRequest, Message, Record, State, Status, StepProgress
from cmg_core.domain.requests import Request, held_gateway
from cmg_core.engine import OVERDUE, with_requested
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


class CallRefused(Exception):
    """The call cannot be answered as asked; the problem says why, and ``problem.status`` is its HTTP status."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


@dataclass(frozen=True)
class Asked:
    """Who asks for a deployment, and what makes a repeated request the same one."""

    caller: str
    idempotency_key: str
    body_hash: str


async def make_plan(services: Services, request: Request) -> Plan:
    """The plan of a request, with every finding. Changes nothing. Raises TryAgain where Azure does not answer."""
    plan = await look(request, services, deployment_id="")
    return plan.model_copy(update={"steps": steps_of(request)})


async def accept(services: Services, request: Request, asked: Asked) -> Record:
    """Write the request down, start its first step, and return the deployment's record.

    The same caller with the same key and body gets the same deployment. Raises CallRefused: 422 for the same key with
    another body, 409 while the gateway has another active deployment.
    """
    deployment_id = str(uuid.uuid4())
    if asked.idempotency_key:
        deployment_id = str(uuid.uuid5(DEPLOYMENTS, f"{asked.caller}\n{asked.idempotency_key}"))
        known = await services.ledger.read(deployment_id)
        if known is not None:
            return _replayed(known.record, asked)
    await _reserve(services, held_gateway(request), deployment_id)
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
    )
    try:
        etag = await services.ledger.create(record, [Event(now, FIRST_STEP, "accepted", 1)])
    except LedgerConflict:
        known = await services.ledger.read(deployment_id)
        if known is None:
            raise
        return _replayed(known.record, asked)
    await _send(services, Message(deployment_id, FIRST_STEP, 1, etag, state))
    return record


def _replayed(record: Record, asked: Asked) -> Record:
    if record.body_hash == asked.body_hash:
        return record
    raise CallRefused(
        Problem(
            code="idempotency-key-reused",
            title="This Idempotency-Key was used with another body",
            detail=f"Deployment {record.id} was started with the same key and a different request.",
            cure="Send the first request again to get its answer, or choose a new key for a new request.",
            status=422,
        )
    )


async def _reserve(services: Services, gateway: str, deployment_id: str) -> None:
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
                raise CallRefused(_busy(other.record))
            return await services.ledger.reserve(gateway, deployment_id, etag)
        except LedgerConflict:
            continue
    raise CallRefused(_changes_too_fast(deployment_id))


def _busy(other: Record) -> Problem:
    return Problem(
        code="another-deployment-is-active",
        title="This gateway has another active deployment",
        detail=f"Deployment {other.id} is at step {other.step} ({other.status}).",
        cure=f"Follow that deployment at /api/deployments/{other.id}, and ask again when it has ended.",
        status=409,
    )


def _changes_too_fast(deployment_id: str) -> Problem:
    return Problem(
        code="changed-meanwhile",
        title="The deployment changed while the call was answered",
        detail=f"Deployment {deployment_id} is being changed by others at this moment.",
        cure="Send the same call again in a few seconds.",
        status=409,
    )


async def find(services: Services, deployment_id: str) -> Stored:
    """A deployment's record. Raises CallRefused (404) where there is none."""
    stored = await services.ledger.read(deployment_id)
    if stored is None:
        raise CallRefused(
            Problem(
                code="no-such-deployment",
                title="There is no such deployment",
                detail=f"The ledger holds no deployment {deployment_id}.",
                cure="GET /api/deployments lists those that there are.",
                status=404,
            )
        )
    return stored


async def history(services: Services, deployment_id: str) -> Sequence[Event]:
    """A deployment's events in order. Raises CallRefused (404)."""
    await find(services, deployment_id)
    return await services.ledger.events(deployment_id)


async def open_gate(services: Services, deployment_id: str, name: str, by: str, reason: str) -> Record:
    """Open a gate for a person, and start the step that waits at it (rule 12). Opening it again changes nothing.

    Raises CallRefused: 404 for a gate that the plan does not hold, 409 for one that opens by observation, is not asked
    for yet, or belongs to a deployment that has ended.
    """
    for _ in range(TRIES):
        stored = await find(services, deployment_id)
        record, now = stored.record, services.clock.now()
        gate = _gate_to_open(record, name)
        if gate.is_open:
            return record
        request = GateRequest(gate.name, by, reason, now)
        try:
            if record.claim is not None and record.claim.is_live(now):
                return await _note(services, stored, request)
            state = with_requested(record.state, (*record.requested, request))
            status = Status.RUNNING if _goes_on(record, gate.name) else record.status
            save = Save(
                revision=record.revision + 1,
                step=record.step,
                status=status,
                state=state,
                wake_at=now + OVERDUE,
                saved_by=f"http:{uuid.uuid4()}",
                updated_at=now,
            )
            event = Event(now, record.step, f"{by} opened the gate {name}: {reason}", save.revision)
            etag = await services.ledger.save(deployment_id, stored.etag, save, [event])
        except LedgerConflict:
            continue
        await _send(services, Message(deployment_id, save.step, save.revision, etag, state))
        return replace(record, revision=save.revision, status=status, state=state)
    raise CallRefused(_changes_too_fast(deployment_id))


async def _note(services: Services, stored: Stored, request: GateRequest) -> Record:
    """Leave the call for the run that holds the claim: it takes it up when it saves."""
    record = stored.record
    if any(noted.gate is request.gate for noted in record.requested):
        return record
    requested = (*record.requested, request)
    await services.ledger.note_request(record.id, stored.etag, requested)
    return replace(record, requested=requested)


async def _send(services: Services, message: Message) -> None:
    """Send what the ledger says already. Where the queue does not answer nothing is lost: ``wake-due`` sends again."""
    try:
        await services.queues.send(message)
    except TryAgain as reason:
        log.warning("deployment %s waits for wake-due: %s", message.deployment_id, reason)


def _goes_on(record: Record, gate: GateName) -> bool:
    return record.state.waiting is not None and record.state.waiting.gate == gate


def _gate_to_open(record: Record, name: str) -> Gate:
    """The gate that a person may open now. Raises CallRefused."""
    gate = next((gate for gate in record.state.gates if gate.name == name), None)
    known = ", ".join(gate.name for gate in record.state.gates) or "none before its plan is made"
    if gate is None:
        raise CallRefused(
            Problem(
                code="no-such-gate",
                title="This deployment has no such gate",
                detail=f"Its gates: {known}.",
                cure="See the deployment's «gates» for those that its plan holds.",
                status=404,
            )
        )
    if gate.is_open:
        return gate
    why = ""
    if record.status.is_end or record.status is Status.NEEDS_ATTENTION:
        why = f"The deployment is {record.status}."
    elif gate.opener is Opener.APP:
        why = "It opens by what the app observes itself, not by a call."
    elif not gate.early and gate.asked_at is None:
        why = "The deployment has not come to it yet: what it confirms cannot be true before."
    if why:
        raise CallRefused(
            Problem(
                code="gate-cannot-open",
                title=f"The gate {name} cannot be opened now",
                detail=why,
                cure=gate.what_to_do,
                step=record.step,
                status=409,
            )
        )
    return gate


def look_again_after(record: Record, services: Services) -> timedelta:
    """When a poller should ask again: soon while steps run, up to five minutes while something is waited for."""
    waiting = record.state.waiting
    if waiting is None:
        return timedelta(seconds=2)
    left = waiting.next_look - services.clock.now()
    return min(max(left, timedelta(seconds=2)), timedelta(minutes=5))

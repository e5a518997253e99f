"""Message in, fence, run step, save, send: docs/engine-protocol.md, whose rules' numbers stand beside the code."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from cmg_core.domain.azure_causes import problem_of
from cmg_core.domain.errors import (
    AzureRefused,
    ChangedMeanwhile,
    ClaimRunsOut,
    NewerSchema,
    StepFailed,
    Superseded,
    Throttled,
    TryAgain,
    UnreadableMessage,
)
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import (
    MESSAGE,
    SCHEMA,
    Claim,
    Event,
    Message,
    Record,
    Requested,
    State,
    Status,
    StepProgress,
    Waiting,
    schema_of,
)
from cmg_core.domain.transitions import Course, take_up
from cmg_core.history import Line, events_of, line_of_call, lines_of_run
from cmg_core.observing import Observed
from cmg_core.plan import STEPS, PlannedStep, step_after
from cmg_core.services import LedgerConflict, Save, Services
from cmg_core.steps.context import Step, StepContext
from cmg_core.telemetry.port import Facts

log = logging.getLogger("cmg.engine")

SLEPT_THROUGH = timedelta(seconds=20)
"""Waits up to this long, in all, stay in the function (engine-protocol, "Settings that matter")."""
LONGEST_DELAY = timedelta(hours=1)
"""Longer waits have no message: ``wake_at`` in the ledger and the timer."""
OVERDUE = timedelta(minutes=15)
"""How long after its due time a message counts as lost: longer than the host's hold on a message (10 min)."""
RETRIES = 20
"""How often in a row a step may be told to try again: with the pauses below, more than an hour."""
LONGEST_PAUSE = timedelta(minutes=5)
SPREAD = timedelta(seconds=10)
"""The deployments of a subscription come back from a common wait within this time, not all at once."""
CLAIM_TRIES = 3
SAVE_PAUSES = (1.0, 4.0, 15.0)
"""Seconds between tries of a save that storage does not take, beyond what its client tries by itself."""


class Engine:
    """Carries deployments on, one message at a time."""

    def __init__(
        self,
        services: Services,
        steps: tuple[PlannedStep, ...] = STEPS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._services = services
        self._steps = steps
        self._jitter = jitter

    async def handle(self, step: str, body: str, message_id: str, invocation_id: str) -> None:
        """Run the step that a queue message asks for. Returning deletes the message, raising keeps it.

        Raises UnreadableMessage for a message that is none or has no record (the host's poison queue keeps it as
        evidence), NewerSchema for a message or a record that only a newer release understands, UnreadableRow for a
        record that none does: neither is touched. TryAgain when storage does not answer, ClaimRunsOut when a slow run
        may not write any more.
        """
        if (schema := schema_of(body)) > SCHEMA:
            raise NewerSchema(f"queue cmg-{step} holds a message of a newer release (schema {schema}, not {SCHEMA})")
        try:
            message = MESSAGE.validate_json(body)
        except ValidationError as error:
            raise UnreadableMessage(
                f"queue cmg-{step} holds a message that is none: {error.error_count()} errors"
            ) from None
        if message.step not in {known.name for known in self._steps}:
            raise UnreadableMessage(f"queue cmg-{step} holds a message for a step that there is not")
        if message.step != step:
            raise UnreadableMessage(f"queue cmg-{step} holds a message for step «{message.step}»")
        if message.state is not None and not self._services.queues.vouch_for(message):
            log.warning("deployment %s: the message's state is not sealed, the ledger's is used", message.deployment_id)
            message = replace(message, state=None)
        run = _Run(self._services, self._steps, self._jitter, message, message_id, invocation_id)
        telemetry, facts = self._services.telemetry, {"cmg.step": step, "cmg.invocation": invocation_id}
        with telemetry.working(message.deployment_id, f"run {step}", facts, message.revision) as span:
            try:
                outcome = await run.carry_on()
            except Superseded as reason:
                span.tell({"cmg.outcome": "superseded"})
                log.info("deployment %s, step %s: %s", message.deployment_id, step, reason)
            else:
                span.tell(_facts_of(outcome))


@dataclass
class _Run:
    """One invocation's way through the protocol."""

    services: Services
    steps: tuple[PlannedStep, ...]
    jitter: Callable[[], float]
    message: Message
    message_id: str
    invocation_id: str
    claim: Claim | None = None
    etag: str = ""
    requested: tuple[Requested, ...] = ()
    """Calls that the record noted when it was last read: this run's save takes them up, whoever's claim they met."""
    subscribed: bool = False
    """Whether anybody listens, as the message or the record last read has it."""
    has_told: bool = False
    """Whether this run's save has something for them."""

    async def carry_on(self) -> Outcome:
        self.etag, self.subscribed = self.message.etag, self.message.subscribed
        before = _begun(await self._state(), self.message.step, self.services.clock.now())
        outcome = await self._run_step(before)
        change = self._change(outcome, before)
        lines = lines_of_run(
            outcome,
            before,
            self.message.step,
            ends=change.status.is_end,
            waits_anew=isinstance(outcome, Wait) and _waits_anew(outcome, before),
        )
        saved = await self._save(change, lines)
        if saved is not None:
            Observed(self.message.deployment_id, before, saved[0]).tell(self.services.telemetry)
            await self._send(*saved)
            await self._tell()
        return outcome

    async def _state(self) -> State:
        """The message's copy; the ledger's where there is none, or where the step trusts nothing else."""
        if self.message.state is not None and not self._step.reads_ledger:
            return self.message.state
        record = await self._fresh_record()
        if record.claim and record.claim.is_live(self.services.clock.now()):
            raise Superseded("another run holds the claim")
        return record.state

    @property
    def _step(self) -> PlannedStep:
        return next(step for step in self.steps if step.name == self.message.step)

    async def _fresh_record(self) -> Record:
        """The ledger's record at this message's revision, its ETag kept (rules 3 and 4). Raises Superseded, also where
        nothing is to run."""
        stored = await self.services.ledger.read(self.message.deployment_id)
        if stored is None:
            raise self._without_record()
        if stored.record.revision != self.message.revision:
            if self._is_my_save(stored.record):
                self.subscribed = self.has_told = stored.record.subscribed
                await self._send(stored.record, stored.etag)
                await self._tell()
            raise Superseded("a newer revision is under way")
        if stored.record.step != self.message.step:
            raise Superseded(f"the ledger is at step {stored.record.step}")
        if stored.record.status.rests:
            # No message of this product's own has such a revision: a forged one would undo what a person decided.
            raise Superseded(f"the deployment rests ({stored.record.status})")
        self.etag, self.requested = stored.etag, stored.record.requested
        self.subscribed = stored.record.subscribed
        return stored.record

    def _without_record(self) -> UnreadableMessage:
        return UnreadableMessage(f"queue cmg-{self.message.step} holds a message for a deployment that has no record")

    def _is_my_save(self, record: Record) -> bool:
        return (
            record.revision == self.message.revision + 1 and record.claim is None and record.saved_by == self.message_id
        )

    async def _take_claim(self) -> Claim:
        """The right to write (rules 1 to 7)."""
        if self.claim is not None:
            return self.claim
        now = self.services.clock.now()
        wanted = Claim(self.invocation_id, self.message_id, now + self.services.limits.claim)
        for _ in range(CLAIM_TRIES):
            try:
                self.etag = await self.services.ledger.claim(self.message.deployment_id, self.etag, wanted)
                self.claim = wanted
                return wanted
            except LedgerConflict:
                record = await self._fresh_record()
                held = record.claim
            self._ensure_true_copy(record)
            if held is not None and held.invocation == self.invocation_id:
                if not held.is_live(self.services.clock.now()):
                    raise ClaimRunsOut("this run's claim is over")
                self.claim = held
                return held
            if held is not None and held.is_live(self.services.clock.now()):
                raise Superseded("another run holds the claim")
        raise TryAgain("the ledger's record changes faster than it can be claimed")

    async def _run_step(self, before: State) -> Outcome:
        """Run the step, and again after each short wait that brings nothing new."""
        state, slept, told = before, timedelta(), tuple[str, ...]()
        while True:
            context = StepContext(self.message.deployment_id, state, self.services, self._take_claim)
            outcome = await self._attempt(self._step.run, context)
            told = (*told, *outcome.told)
            outcome = replace(outcome, told=told)
            if not isinstance(outcome, Wait) or slept + outcome.after > SLEPT_THROUGH:
                return outcome
            if _shows_something_new(outcome, before):
                return outcome
            await asyncio.sleep(outcome.after.total_seconds())
            slept += outcome.after
            state = outcome.state

    async def _attempt(self, run: Step, context: StepContext) -> Outcome:
        try:
            outcome = await run(context)
        except TryAgain as error:
            return self._again_later(error, context.state)
        except ChangedMeanwhile:
            return self._again_later(
                TryAgain("a resource was changed by somebody else at the same moment"), context.state
            )
        except AzureRefused as error:
            return Failed(context.state, problem_of(error, self.message.step))
        except StepFailed as error:
            return Failed(context.state, error.problem)
        return replace(outcome, state=replace(outcome.state, retries=0))

    def _again_later(self, error: TryAgain, state: State) -> Outcome:
        """A pause that grows, with jitter, never shorter than Azure's ``Retry-After``, within a budget."""
        known = isinstance(error, Throttled) and not error.asked
        why = "throttled" if isinstance(error, Throttled) else "no answer"
        self.services.telemetry.count("cmg.retries", {"cmg.step": self.message.step, "cmg.why": why})
        if state.retries >= RETRIES and not known:
            return Failed(
                state,
                Problem(
                    code="gave-up-trying",
                    title="The step was tried again and again without success",
                    detail=f"After {RETRIES} tries in a row the last answer was: {error.reason}",
                    cure="Find out why the service named here does not answer; nothing that was made is removed.",
                    step=self.message.step,
                ),
            )
        grown = min(timedelta(seconds=2.0**state.retries), LONGEST_PAUSE)
        pause = max(error.after, grown * (0.5 + self.jitter() / 2))
        if isinstance(error, Throttled):
            pause = max(pause, error.after + SPREAD * self.jitter())
        # Waiting for what Azure has announced is no try.
        return Wait(replace(state, retries=state.retries + (0 if known else 1)), pause, f"trying again: {error.reason}")

    def _change(self, outcome: Outcome, before: State) -> Save:
        """What the ledger will say of this run."""
        now = self.services.clock.now()
        step, status, state = self.message.step, Status.RUNNING, outcome.state
        wake_at: datetime | None = now + OVERDUE
        match outcome:
            case Done():
                state = _ended(state, step, "done", now)
                following = step_after(step, state.request, self.steps)
                state = replace(state, waiting=None, operations={})
                if following is None:
                    status, wake_at = self._step.ends_as, None
                else:
                    step = following
            case Wait():
                state = replace(state, waiting=_waiting(outcome, before.waiting, now))
                status = Status.GRACE if outcome.grace else Status.WAITING if outcome.gate else Status.RUNNING
                wake_at = outcome.until or now + outcome.after
                wake_at += timedelta() if outcome.after > LONGEST_DELAY else OVERDUE
            case Failed():
                state = _ended(state, step, "failed", now)
                problem = outcome.problem.model_copy(
                    update={"step": step, "at": now, "correlation_id": self.invocation_id}
                )
                state = replace(state, waiting=None, problem=problem)
                status = Status.REFUSED if self._step is self.steps[0] else Status.NEEDS_ATTENTION
                wake_at = None
        return Save(
            revision=self.message.revision + 1,
            step=step,
            status=status,
            state=state,
            wake_at=wake_at,
            saved_by=self.message_id,
            updated_at=now,
        )

    async def _save(self, change: Save, lines: tuple[Line, ...]) -> tuple[Save | Record, str] | None:
        """Rule 8. What the ledger holds now with its ETag, or None where somebody else carried the deployment on."""
        requested = self.requested
        for _ in range(CLAIM_TRIES):
            saved, asked = taken_up(change, requested)
            events = events_of((*lines, *asked), saved, self.message.step, self.invocation_id)
            self.has_told = bool(events)
            try:
                return saved, await self._write(saved, events)
            except LedgerConflict:
                stored = await self.services.ledger.read(self.message.deployment_id)
            if stored is None:
                raise self._without_record()
            record = stored.record
            if self._is_my_save(record):
                self.subscribed = record.subscribed
                return record, stored.etag
            if record.revision != self.message.revision or not self._may_save_over(record.claim):
                return None
            self._ensure_true_copy(record)
            requested, self.etag, self.subscribed = record.requested, stored.etag, record.subscribed
        raise TryAgain("the ledger's record changes faster than it can be saved")

    async def _write(self, saved: Save, events: list[Event]) -> str:
        """The save's ETag. A run that may have written in Azure tries it several times: left unsaved, its message would
        come again, meet its claim, and nobody would go on before ``wake-due`` does. Raises LedgerConflict, TryAgain."""
        for pause in SAVE_PAUSES if self.claim is not None else ():
            try:
                return await self.services.ledger.save(self.message.deployment_id, self.etag, saved, events)
            except TryAgain as reason:
                log.warning("deployment %s: saving again in %s s: %s", self.message.deployment_id, pause, reason)
                await asyncio.sleep(pause)
        return await self.services.ledger.save(self.message.deployment_id, self.etag, saved, events)

    def _ensure_true_copy(self, record: Record) -> None:
        """Raise UnreadableMessage where the message says of the record's revision what the ledger does not: it is
        forged, and neither acted upon nor saved."""
        if record.step != self.message.step or self.message.state not in (None, record.state):
            raise UnreadableMessage(f"deployment {record.id}: the message's copy of the state is not the ledger's")

    def _may_save_over(self, claim: Claim | None) -> bool:
        """A run that wrote saves under its own claim; one that only looked, also over what a dead holder left."""
        if claim is not None and claim.invocation == self.invocation_id:
            return True
        return self.claim is None and (claim is None or not claim.is_live(self.services.clock.now()))

    async def _send(self, saved: Save | Record, etag: str) -> None:
        """Rule 9: no message where nothing is to be done, or not within the hour."""
        if saved.status.rests:
            return
        waiting = saved.state.waiting
        delay = max(waiting.next_look - self.services.clock.now(), timedelta()) if waiting else timedelta()
        if delay > LONGEST_DELAY:
            return
        message = Message(
            self.message.deployment_id, saved.step, saved.revision, etag, saved.state, subscribed=self.subscribed
        )
        await self.services.queues.send(message, delay)

    async def _tell(self) -> None:
        await tell_listeners(self.services, self.message.deployment_id, self.subscribed and self.has_told)


async def tell_listeners(services: Services, deployment_id: str, subscribed: bool) -> None:
    """Have what the history now says posted to those who listen. Never holds anything up: where the queue does not
    answer, ``wake-due`` finds what is overdue."""
    if not subscribed:
        return
    try:
        await services.queues.notify(deployment_id)
    except TryAgain as reason:
        log.warning("the listeners of deployment %s wait for wake-due: %s", deployment_id, reason)


def taken_up(change: Save, requested: tuple[Requested, ...]) -> tuple[Save, tuple[Line, ...]]:
    """The save after the calls from outside (rule 12), and what the history says of them."""
    if not requested:
        return change, ()
    course, told = Course(change.step, change.status, change.state), list[Line]()
    for request in requested:
        before = course
        course, text = take_up(course, request)
        if text:
            told.append(line_of_call(text, before, course, request.called_by))
    wake_at = None if course.status.rests else change.updated_at + OVERDUE
    taken = replace(change, step=course.step, status=course.status, state=course.state, wake_at=wake_at)
    return taken, tuple(told)


def _facts_of(outcome: Outcome) -> Facts:
    """What operators see of a run's end."""
    match outcome:
        case Done():
            return {"cmg.outcome": "done"}
        case Wait():
            return {"cmg.outcome": "waits", "cmg.reason": outcome.reason}
        case Failed():
            return {"cmg.outcome": "failed", "cmg.problem": outcome.problem.code}


def _waiting(outcome: Wait, before: Waiting | None, now: datetime) -> Waiting:
    goes_on = before is not None and (before.gate, before.grace) == (outcome.gate, outcome.grace)
    since = before.since if before is not None and goes_on else now
    return Waiting(outcome.reason, since, now + outcome.after, outcome.gate, outcome.grace)


def _shows_something_new(outcome: Wait, before: State) -> bool:
    """Whether a wait is worth a save at once: a fact, or a gate or grace period that a person should see begin."""
    if outcome.state.facts() != before.facts():
        return True
    seen = (before.waiting.gate, before.waiting.grace) if before.waiting else (None, False)
    return (outcome.gate is not None or outcome.grace) and seen != (outcome.gate, outcome.grace)


def _waits_anew(outcome: Wait, before: State) -> bool:
    """Whether a person should see this wait begin: not where the same one goes on, whatever was counted meanwhile."""
    seen = before.waiting
    goes_on = seen is not None and (seen.gate, seen.grace, seen.reason) == (outcome.gate, outcome.grace, outcome.reason)
    return not goes_on and _shows_something_new(outcome, before)


def _begun(state: State, step: str, now: datetime) -> State:
    """The state with this run counted in the step's line of the progress."""
    return _with_line(
        state,
        step,
        lambda line: replace(line, outcome="running", started_at=line.started_at or now, attempts=line.attempts + 1),
    )


def _ended(state: State, step: str, outcome: Literal["done", "failed"], now: datetime) -> State:
    return _with_line(state, step, lambda line: replace(line, outcome=outcome, ended_at=now))


def _with_line(state: State, step: str, change: Callable[[StepProgress], StepProgress]) -> State:
    return replace(state, progress=tuple(change(line) if line.name == step else line for line in state.progress))

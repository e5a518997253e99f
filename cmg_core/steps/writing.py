"""How steps write in Azure: look at what still runs, start one wave of writes, and say when to look again.

A step knows what it wants by resource ID alone; the operations that a state carries only save it looks (invariant 3).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from cmg_core.domain.azure_causes import problem_of
from cmg_core.domain.errors import AzureRefused, StepFailed, TryAgain
from cmg_core.domain.gateway_resources import OWNER_TAG, Blueprint, holds
from cmg_core.domain.outcomes import Failed, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Claim, State
from cmg_core.domain.values import JsonObject, ResourceId, tags_of, text_at
from cmg_core.services import OperationLook, OperationState, Started
from cmg_core.steps.context import StepContext

type Write = Callable[[Claim], Awaitable[Started]]

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_SHORT_PAUSE = timedelta(seconds=20)
LONGEST_PAUSE = timedelta(seconds=30)
SHORT_FOR = timedelta(minutes=4)
"""Nearly every scale set is made in this time: until then pauses are short enough to be slept through."""


async def together[T](awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all, when all have ended. Raises the first error, but never while another is still under way."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    fine = [result for result in results if not isinstance(result, BaseException)]
    if len(fine) < len(results):
        raise next(result for result in results if isinstance(result, BaseException))
    return fine


def blueprint(context: StepContext) -> Blueprint:
    """What this deployment's gateway is to be. Only steps after preflight may ask: it has fixed the names."""
    request, plan = context.state.request, context.state.plan
    assert plan is not None and plan.names is not None and plan.make is not None
    return Blueprint(context.deployment_id, request.region, request.size, request.instances, plan.names, plan.make)


def elapsed(context: StepContext, step: str) -> timedelta:
    """How long this step has been at work; nothing where its beginning is not known."""
    started = next((each.started_at for each in context.state.progress if each.name == step), None)
    return context.services.clock.now() - started if started else timedelta()


def pause(context: StepContext, step: str, look_after: timedelta = timedelta()) -> timedelta:
    """How long to wait until the next look: half of the time that the step has taken, never less than Azure asks.

    So something that takes long is looked at rarely and something quick soon, always far below the 45 looks a minute
    that Azure Compute allows for one operation ("Compute throttling limits").
    """
    taken = elapsed(context, step)
    longest = LONGEST_SHORT_PAUSE if taken < SHORT_FOR else LONGEST_PAUSE
    return max(min(max(taken / 2, SHORTEST_PAUSE), longest), look_after)


# --- Operations that run ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Looked:
    """What the running operations say. ``state`` keeps those that run on; ``ended`` are the others, by resource ID."""

    state: State
    ended: Mapping[str, OperationLook]
    look_after: timedelta = timedelta()

    @property
    def succeeded(self) -> frozenset[str]:
        return frozenset(id for id, look in self.ended.items() if look.state is OperationState.SUCCEEDED)

    @property
    def failed(self) -> Mapping[str, OperationLook]:
        return {id: look for id, look in self.ended.items() if look.state is OperationState.FAILED}


async def look_at_operations(context: StepContext) -> Looked:
    """Look at every operation that the state carries. One that Azure has forgotten leaves the state without a word: its
    resource tells the rest."""
    state = context.state
    looks = await together(_look(context, address) for address in state.operations.values())
    known = {id: look for id, look in zip(state.operations, looks, strict=True) if look is not None}
    running = {id: look for id, look in known.items() if look.state is OperationState.RUNNING}
    return Looked(
        state=replace(state, operations={id: state.operations[id] for id in running}),
        ended={id: look for id, look in known.items() if id not in running},
        look_after=max((look.look_after for look in running.values()), default=timedelta()),
    )


async def _look(context: StepContext, address: str) -> OperationLook | None:
    try:
        return await context.azure.operation(address)
    except ValueError:
        return None
    except AzureRefused as error:
        if error.status in (404, 410):
            return None
        raise


def refusal_of(id: str, look: OperationLook) -> AzureRefused:
    """A failed operation as the refusal that it is (Azure answers a look at it with 200)."""
    return AzureRefused(status=200, code=look.code, message=look.message, target=id)


# --- A wave of writes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wave:
    """What came of a wave: ``state`` has the operations that run now, ``complete`` are the writes without one."""

    state: State
    complete: tuple[str, ...] = ()
    look_after: timedelta = timedelta()
    started: int = 0
    error: TryAgain | AzureRefused | None = None
    """The first refusal or delay of the wave; the other writes stand nevertheless."""


async def start(context: StepContext, state: State, writes: Mapping[str, Write]) -> Wave:
    """Start writes that do not depend on each other, all at once, under the claim. Raises what stops a run at once:
    ClaimRunsOut, Superseded, ChangedMeanwhile."""
    claim = await context.claim()
    results = await asyncio.gather(*(write(claim) for write in writes.values()), return_exceptions=True)
    started: dict[str, Started] = {}
    errors: list[TryAgain | AzureRefused] = []
    for id, result in zip(writes, results, strict=True):
        if isinstance(result, TryAgain | AzureRefused):
            errors.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            started[id] = result
    running = {id: answer.operation for id, answer in started.items() if answer.operation}
    return Wave(
        state=replace(state, operations=state.operations | running),
        complete=tuple(id for id in started if id not in running),
        look_after=max((answer.look_after for answer in started.values()), default=timedelta()),
        started=len(started),
        error=next((error for error in errors if isinstance(error, AzureRefused)), errors[0] if errors else None),
    )


def after_wave(context: StepContext, step: str, wave: Wave, reason: str) -> Wait | Failed:
    """How a step goes on after a wave. Raises TryAgain where nothing was started, so that it counts as a retry."""
    if isinstance(wave.error, AzureRefused):
        return Failed(wave.state, problem_of(wave.error, step))
    if wave.error and not wave.started:
        raise wave.error
    delay = wave.error.after if wave.error else timedelta()
    return Wait(wave.state, pause(context, step, max(wave.look_after, delay)), reason)


# --- What stands -----------------------------------------------------------------------------------------------------


class Standing(StrEnum):
    """How a resource of ours stands against what is wanted."""

    MISSING = "missing"
    WRONG = "wrong"
    BUSY = "busy"
    RIGHT = "right"


def ensure_ours(found: JsonObject, deployment_id: str) -> None:
    """Raise StepFailed when a resource that stands where ours should does not carry this deployment's tag."""
    owner = tags_of(found).get(OWNER_TAG, "")
    if owner == deployment_id:
        return
    id = text_at(found, "id")
    raise StepFailed(
        Problem(
            code="belongs-to-someone-else",
            title="A resource of that name belongs to someone else",
            detail=f"«{ResourceId.parse(id).name}» exists already and "
            + (f"was made by deployment {owner}." if owner else f"does not carry the tag {OWNER_TAG}.")
            + " It was left as it is.",
            cure="Ask again with another resource group or first label; or, where nobody needs the resource, have its "
            "owner remove it, then resume.",
            resource=id,
        )
    )


async def standing(context: StepContext, id: str, wanted: JsonObject) -> Standing:
    """Look at one resource. Raises StepFailed where it belongs to someone else."""
    found = await context.azure.get(id)
    if found is None:
        return Standing.MISSING
    ensure_ours(found, context.deployment_id)
    match text_at(found, "properties", "provisioningState").lower():
        case "succeeded" | "":
            return Standing.RIGHT if holds(found, wanted) else Standing.WRONG
        case "failed" | "canceled":
            return Standing.WRONG
        case _:
            return Standing.BUSY

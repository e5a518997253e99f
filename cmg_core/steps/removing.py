"""How steps remove resources: one after the other, each only after a look of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from cmg_core.domain.errors import StepFailed
from cmg_core.domain.outcomes import Done, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State
from cmg_core.domain.values import JsonObject
from cmg_core.services import OperationState
from cmg_core.steps.context import StepContext

SHORTEST_PAUSE = timedelta(seconds=1)


async def remove(
    context: StepContext,
    state: State,
    ids: Sequence[str],
    look_first: Callable[[State, JsonObject], Awaitable[Wait | None]],
    is_left: Callable[[JsonObject], bool] = lambda _: False,
) -> Done | Wait:
    """Begin to delete the first resource that is still there; Done when none is.

    ``look_first`` is asked right before each DELETE, with the resource as Azure shows it: a Wait holds it up.
    ``is_left`` names those that are not this deployment's to delete. Raises StepFailed where Azure does not delete.
    """
    told = tuple[str, ...]()
    for id in ids:
        if id in state.deleted:
            continue
        if running := state.operations.get(id):
            look = await context.azure_of(id).operation(running)
            if look.state is OperationState.RUNNING:
                return Wait(state, max(look.look_after, SHORTEST_PAUSE), f"Azure deletes {id}.", told=told)
            state = replace(state, operations={})
            if look.state is OperationState.FAILED:
                raise StepFailed(_not_deleted(id, f"{look.code}: {look.message}"))
        body = await context.azure_of(id).get(id)
        if body is not None and is_left(body):
            continue
        if body is None:
            state, told = replace(state, deleted=(*state.deleted, id)), (*told, f"{id} is gone")
            continue
        claim = await context.claim()  # first, so that nothing comes between the look and the DELETE
        if held_up := await look_first(state, body):
            return replace(held_up, told=(*told, *held_up.told))
        started = await context.azure_of(id).delete(claim, id)
        state = replace(state, operations={id: started.operation} if started.operation else {})
        pause = max(started.look_after, SHORTEST_PAUSE)
        return Wait(state, pause, f"Azure deletes {id}.", told=(*told, f"began to delete {id}"))
    return Done(state, told)


def _not_deleted(id: str, answer: str) -> Problem:
    return Problem(
        code="not-deleted",
        title="Azure did not delete a resource",
        detail=answer,
        cure="See what holds the resource, have it released, then resume. Nothing else was touched meanwhile.",
        resource=id,
    )

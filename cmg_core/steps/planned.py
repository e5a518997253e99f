"""What steps after preflight may count on, and how a step takes its parts in turn."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from cmg_core.domain.cases import Case, case_of
from cmg_core.domain.outcomes import Done, Wait
from cmg_core.domain.plans import Names, NewResources, Plan
from cmg_core.domain.record import State, Target
from cmg_core.steps.context import StepContext

type Part = Callable[[StepContext, State], Awaitable[Done | Wait]]


async def take_in_turn(context: StepContext, parts: Sequence[Part]) -> Done | Wait:
    """Take each part, as far as the world allows: the first that waits ends the run. Raises what the parts raise."""
    state, told = context.state, tuple[str, ...]()
    for part in parts:
        outcome = await part(context, state)
        state, told = outcome.state, (*told, *outcome.told)
        if isinstance(outcome, Wait):
            return replace(outcome, told=told)
    return Done(state, told)


def plan_of(state: State) -> Plan:
    """The plan that preflight made. Raises ValueError before there is one."""
    if state.plan is None:
        raise ValueError("this step needs the plan that preflight makes")
    return state.plan


def case_of_state(state: State) -> Case:
    """The case that the plan carries out; plans of the release before do not say it. Raises ValueError without one."""
    case = plan_of(state).case or case_of(state.request, names_of(state).service_name)
    if case is None:
        raise ValueError("this step needs a plan that can be carried out")
    return case


def names_of(state: State) -> Names:
    """The names that preflight fixed. Raises ValueError before it did."""
    names = plan_of(state).names
    if names is None:
        raise ValueError("this step needs the names that preflight fixes")
    return names


def target_of(state: State) -> Target:
    """The new gateway's machines. Raises ValueError before it is known where they stand."""
    target = state.target
    if target is None:
        raise ValueError("this step needs to know where the new gateway stands")
    return target


def made_by(state: State) -> NewResources:
    """What this deployment makes, by full ID. Raises ValueError before preflight named it."""
    make = plan_of(state).make
    if make is None:
        raise ValueError("this step needs the IDs that preflight names")
    return make

"""A look at how many connections the old gateway's load balancer still gets. What comes of it is shown, and nothing
depends on it: a look that fails is noted and delays nothing."""

from dataclasses import replace

from cmg_core.domain.errors import AzureRefused, TryAgain
from cmg_core.domain.old_connections import (
    METRIC,
    balancer_of,
    count_in,
    interval_of,
    is_due,
    span_of,
    why_not_counted,
    with_count,
)
from cmg_core.domain.record import ConnectionCount, State
from cmg_core.steps.context import StepContext
from cmg_core.steps.planned import plan_of

NO_VALUES = "Azure Monitor holds no values for this time: nothing came, or nothing was kept."


async def counted(context: StepContext, state: State) -> State:
    """The state with another count, where one can be had and is due."""
    now, plan = context.services.clock.now(), plan_of(state)
    if plan.old_gateway is None or why_not_counted(plan) or not is_due(state, now):
        return state
    begins, ends = span_of(state, now)
    balancer = balancer_of(plan.old_gateway)
    count, why_not = None, ""
    try:
        answer = await context.azure_of(balancer).metric(balancer, METRIC, begins, ends, interval_of(begins, ends))
        count = count_in(answer)
        why_not = "" if count is not None else NO_VALUES
    except TryAgain as busy:
        why_not = f"Azure Monitor did not answer: {busy.reason}"
    except AzureRefused as refused:
        why_not = f"Azure Monitor refused (Microsoft.Insights/metrics/read): {refused.status} {refused.code}"
    return replace(state, connections=with_count(state.connections, ConnectionCount(begins, ends, count, why_not)))

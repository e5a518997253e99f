"""release-name: give a parked name free, by deleting the one address that keeps it (architecture, invariant 8).

Only on request, after a migration that succeeded. The state comes from the ledger only.
"""

import asyncio

from cmg_core.domain.errors import StepFailed
from cmg_core.domain.guard import judge_release
from cmg_core.domain.outcomes import Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State
from cmg_core.domain.values import JsonObject
from cmg_core.steps.context import StepContext
from cmg_core.steps.leading import both_names, led_to
from cmg_core.steps.planned import plan_of
from cmg_core.steps.removing import remove


async def release_name(context: StepContext) -> Outcome:
    """Delete the parked address while nothing leads to its name and nothing uses it.

    Raises TryAgain, AzureRefused, StepFailed, Superseded and ClaimRunsOut.
    """
    old, parked = plan_of(context.state).old_gateway, plan_of(context.state).parked
    if old is None or parked is None:
        raise ValueError("release-name needs a plan that parks a name")

    async def under_guard(_: State, body: JsonObject) -> Wait | None:
        locks, leading = await asyncio.gather(
            context.azure_of(parked.id).locks(), led_to(context, old, both_names(context, old))
        )
        findings = judge_release(parked, body, locks, leading)
        if findings:
            raise StepFailed(
                Problem(
                    code="name-not-released",
                    title="The parked name was not released",
                    detail=" ".join(f"{finding.seen} {finding.resource}".strip() for finding in findings),
                    cure="Cure each finding and resume; or cancel: then the name stays parked. Nothing was deleted.",
                    findings=findings,
                    resource=parked.id,
                )
            )
        return None

    return await remove(context, context.state, [parked.id], under_guard)

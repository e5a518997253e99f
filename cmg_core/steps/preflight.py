"""preflight: look at everything that decides, touch nothing, and say all of it at once.

The plan that comes of it is what the later steps obey, and what POST /api/plans shows.
"""

from dataclasses import replace

from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Done, Failed, Outcome
from cmg_core.domain.plans import Plan
from cmg_core.domain.problems import Problem
from cmg_core.domain.requests import Request
from cmg_core.looks.survey import survey
from cmg_core.services import Services
from cmg_core.steps.context import StepContext
from cmg_core.steps.gates import is_closed, wait_at


async def preflight(context: StepContext) -> Outcome:
    """Make the plan; wait at the gate ``approval`` where it was asked for.

    A plan that is made already is what a person may have approved: it stays. Raises TryAgain where a look brought no
    answer and nothing else stands against the plan.
    """
    state, services = context.state, context.services
    if state.plan is None:
        surveyed = await survey(state.request, services, context.deployment_id)
        plan = surveyed.plan
        if surveyed.busy and not set(plan.blocked_by) - {miss.finding for miss in surveyed.busy}:
            raise surveyed.busy[0].reason
        if plan.blocked_by:
            return Failed(replace(state, plan=plan), _refusal(plan))
        state = replace(state, plan=plan, gates=plan.gates)
    if is_closed(state, GateName.APPROVAL):
        return wait_at(state, GateName.APPROVAL, services.clock.now())
    return Done(state)


async def look(request: Request, services: Services, deployment_id: str) -> Plan:
    """The plan of a request, with everything that was found. Looks that brought no answer are findings of it."""
    return (await survey(request, services, deployment_id)).plan


def _refusal(plan: Plan) -> Problem:
    codes = ", ".join(dict.fromkeys(finding.code for finding in plan.blocked_by))
    return Problem(
        code="plan-blocked",
        title="The plan cannot be carried out as it is",
        detail=f"Against it stands: {codes}. Nothing was changed in Azure.",
        cure="Cure each finding that blocks and each check that could not be made (severity «unknown»), look at the "
        "plan again with POST /api/plans, and send the request anew with another Idempotency-Key.",
        findings=plan.findings,
    )

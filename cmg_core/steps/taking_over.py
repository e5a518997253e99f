"""How provision-scale-set takes over a gateway that the site makes or has made: it looks, and changes nothing."""

from collections.abc import Sequence
from dataclasses import replace

from cmg_core.domain.errors import StepFailed
from cmg_core.domain.findings import blocks
from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.plans import StandingGateway
from cmg_core.domain.problems import Finding, Problem, Severity
from cmg_core.domain.record import State
from cmg_core.domain.values import subscription_of
from cmg_core.looks.standing import (
    StandingFacts,
    judge_not_the_old_one,
    judge_standing,
    standing_facts,
    standing_gateway,
)
from cmg_core.steps.context import StepContext
from cmg_core.steps.gates import is_closed, wait_at
from cmg_core.steps.planned import names_of, plan_of


async def take_standing(context: StepContext) -> Outcome:
    """Done when the gateway stands: the one of the plan, or the one that a person names at the gate
    ``gateway-created``, which closes again where that is not the gateway. Raises TryAgain, AzureRefused, StepFailed."""
    state, plan = context.state, plan_of(context.state)
    if is_closed(state, GateName.GATEWAY_CREATED):
        return wait_at(state, GateName.GATEWAY_CREATED, context.services.clock.now())
    id = plan.standing.scale_set.id if plan.standing else state.new.named
    # Nobody looks into another subscription, perhaps another customer's, for whoever opens the gate.
    is_here = subscription_of(id) == state.request.subscription_id
    facts = await standing_facts(context.azure, id) if is_here else StandingFacts(None)
    found = standing_gateway(facts)
    against = [
        finding
        for finding in (*judge_standing(facts, state.request, id), *_judge_against_plan(state, found))
        if finding.severity is Severity.BLOCKS
    ]
    if found is None or against:
        return _refuse(context, state, id, against)
    names = names_of(state).model_copy(update={"deployment_name": found.deployment_name})
    told = f"takes over {id}: {found.instances} instances behind {found.deployment_name} ({found.address})"
    taken = replace(
        state, plan=plan.model_copy(update={"names": names}), new=replace(state.new, standing=found, named="")
    )
    return Done(taken, (told,))


def _judge_against_plan(state: State, found: StandingGateway | None) -> tuple[Finding, ...]:
    """Whether it is the gateway that the plan is made for."""
    plan = plan_of(state)
    if found is None:
        return ()
    old, planned = plan.old_gateway, plan.standing
    findings = list(judge_not_the_old_one(found, old.resource_id, old.parts)) if old else []
    if not names_of(state).has_own_domain and found.deployment_name != names_of(state).deployment_name.lower():
        findings.append(
            blocks(
                "new-gateway-other-name",
                f"Its name is «{found.deployment_name}», and clients will dial «{names_of(state).service_name}».",
                "Name the gateway that has the certificate's name.",
                resource=found.scale_set.id,
            )
        )
    if planned is not None and found.scale_set.immutable_id != planned.scale_set.immutable_id:
        findings.append(
            blocks(
                "new-gateway-made-anew",
                "The scale set was made anew after the plan.",
                "Ask for a new plan: what was approved is not what stands.",
                resource=found.scale_set.id,
            )
        )
    return tuple(findings)


def _refuse(context: StepContext, state: State, id: str, against: Sequence[Finding]) -> Wait:
    """Ask the person again who named it. Raises StepFailed where the request did."""
    seen = " ".join(finding.seen for finding in against)
    gate = state.gate(GateName.GATEWAY_CREATED)
    if gate is not None:
        again = replace(gate, opened_at=None, opened_by="", reason="")
        asked = replace(state.with_gate(again), new=replace(state.new, named=""))
        told = f"«{id}» is not taken for the gateway: {seen}"
        return replace(wait_at(asked, gate.name, context.services.clock.now(), told), told=(told,))
    raise StepFailed(
        Problem(
            code="not-the-gateway",
            title="What stands is not the gateway that the plan was made for",
            detail=seen,
            cure=" ".join(dict.fromkeys(finding.cure for finding in against)),
            resource=id,
            findings=tuple(against),
        )
    )

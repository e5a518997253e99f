"""Register the resource providers that a gateway needs (S1), and wait until each says Registered."""

from datetime import timedelta

from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.steps.context import StepContext
from cmg_core.steps.writing import elapsed, pause, together

STEP = "register-providers"
PROVIDERS = ("Microsoft.KeyVault", "Microsoft.Storage", "Microsoft.Network", "Microsoft.Compute")
"""Configuration Manager docs, "Configure Microsoft Entra ID for CMG": register these in the subscription first."""
LONGEST = timedelta(hours=1)
"""Registering takes a minute or two; one that takes hours needs Microsoft's help."""


async def register_providers(context: StepContext) -> Outcome:
    """Done when all four are registered. What is being registered or unregistered by anybody is waited for."""
    states = {namespace.lower(): state.lower() for namespace, state in (await context.azure.providers()).items()}
    now = {namespace: states.get(namespace.lower(), "notregistered") for namespace in PROVIDERS}
    behind = [namespace for namespace, state in now.items() if state != "registered"]
    if not behind:
        return Done(context.state, (f"Registered in the subscription: {', '.join(PROVIDERS)}.",))
    if elapsed(context, STEP) > LONGEST:
        return Failed(context.state, _too_long(context, behind))
    missing = [namespace for namespace in behind if now[namespace] in ("notregistered", "unregistered")]
    if missing:
        claim = await context.claim()
        await together(context.azure.register_provider(claim, namespace) for namespace in missing)
    return Wait(context.state, pause(context, STEP), f"Azure registers {', '.join(behind)} in the subscription")


def _too_long(context: StepContext, behind: list[str]) -> Problem:
    return Problem(
        code="providers-not-registered",
        title="Azure does not finish the registration of resource providers",
        detail=f"Not registered after {LONGEST}: {', '.join(behind)}.",
        cure="Look at the subscription's resource providers in the portal; unregister and register the ones that hang, "
        "or ask Microsoft's support. Then resume.",
        step=STEP,
        resource=f"/subscriptions/{context.state.request.subscription_id}",
    )

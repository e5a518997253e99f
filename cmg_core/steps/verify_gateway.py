"""See the new gateway as its clients will: every instance healthy, the name resolves, TLS shows the certificate."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from cmg_core.domain.certificates import fingerprint
from cmg_core.domain.health import causes, health_of
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State, Target
from cmg_core.domain.relay import is_gateway, relays, shows_certificate
from cmg_core.domain.shown_chain import CODE, chain_finding
from cmg_core.services import Dialed, NameView
from cmg_core.steps.context import StepContext
from cmg_core.steps.planned import names_of, target_of
from cmg_core.steps.writing import elapsed, pause

STEP = "verify-gateway"
LONGEST = timedelta(minutes=45)
"""Instances come up in minutes; a public resolver may remember for a while that the name did not exist."""


async def verify_gateway(context: StepContext) -> Outcome:
    """Done when nothing is missing. Relaying is not asked for: no connection point is connected yet."""
    state, target, names = context.state, target_of(context.state), names_of(context.state)
    name = names.deployment_name
    instances = await context.azure.instances(target.scale_set)
    views, dialed = await asyncio.gather(
        context.services.dns.views(name),
        context.services.dialer.dial(name, names.service_name),
    )
    health = health_of(instances, target.instances, health_extension=target.health_extension)
    address = state.standing.address if state.standing else state.new.address
    missing = [*health.missing, *_unresolved(views, name, address), *_silence(dialed)]
    if missing and elapsed(context, STEP) <= LONGEST:
        return Wait(state, pause(context, STEP), f"The new gateway is not ready: {'; '.join(missing)}")
    if missing:
        return Failed(state, _too_long(target, [*missing, *causes(instances)]))
    assert state.certificate is not None
    if not shows_certificate(dialed, state.certificate):
        return Failed(state, _other_certificate(target, state.certificate.fingerprint, fingerprint(dialed.leaf)))
    return Done(
        _verified(context, target, dialed),
        (
            f"{health.healthy} of {health.expected} instances are healthy; {name} resolves to {address} and "
            f"shows the expected certificate. It answers {dialed.status} {dialed.status_text}: "
            + ("it relays." if relays(dialed) else "whether it relays is still to be seen."),
        ),
    )


def _unresolved(views: Sequence[NameView], name: str, address: str) -> list[str]:
    """What the name still lacks: every server that answers must show the address, and one must answer."""
    answers = [view for view in views if not view.failure]
    wrong = [view.server for view in answers if view.addresses != (address,)]
    if wrong:
        return [f"{name} does not resolve to {address} yet at {', '.join(wrong)}"]
    return [] if answers else [f"no DNS server answers for {name}: " + ", ".join(view.failure for view in views)]


def _silence(dialed: Dialed) -> list[str]:
    """What the gateway lacks as a server. A 5xx of its own is fine: without a connection point it cannot relay."""
    if dialed.failure or not dialed.leaf:
        return [f"no answer on 443: {dialed.failure or 'no certificate shown'}"]
    if dialed.status >= 500 and not is_gateway(dialed):
        return [f"443 answers {dialed.status} {dialed.status_text}, which is not the gateway's software"]
    return []


def _verified(context: StepContext, target: Target, dialed: Dialed) -> State:
    state, plan = context.state, context.state.plan
    assert plan is not None
    finding = chain_finding(dialed.leaf, dialed.chain, target.scale_set)
    findings = (*(each for each in plan.findings if each.code != CODE), finding)
    return replace(
        state,
        plan=plan.model_copy(update={"findings": findings}),
        new=replace(state.new, verified_at=context.services.clock.now()),
    )


def _too_long(target: Target, missing: list[str]) -> Problem:
    return Problem(
        code="gateway-not-healthy",
        title="The new gateway did not become ready",
        detail=f"After {LONGEST}: {'; '.join(missing)}.",
        cure="Look at the instances in the portal (extensions, boot diagnostics) and at the network security group, "
        "cure what is named here, then resume. The old gateway is untouched.",
        step=STEP,
        resource=target.scale_set,
    )


def _other_certificate(target: Target, expected: str, shown: str) -> Problem:
    return Problem(
        code="wrong-certificate",
        title="The new gateway shows another certificate than the expected one",
        detail=f"SHA-256 expected {expected}, shown {shown}.",
        cure="See whether a proxy in between breaks TLS open for this app, or whether the instance software binds "
        "another certificate to 443. Then resume. The old gateway is untouched.",
        step=STEP,
        resource=target.scale_set,
    )

"""retire-old-gateway: after the grace period, remove what the plan named and nothing else.

The guard looks anew before the site's record goes, before the original connection point goes and before each DELETE
(architecture, invariant 4). The state comes from the ledger only.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from cmg_core.domain.clients_moved import seen_of
from cmg_core.domain.errors import StepFailed
from cmg_core.domain.gates import GateName
from cmg_core.domain.guard import Seen, Verdict, judge
from cmg_core.domain.health import health_of
from cmg_core.domain.old_connections import LOOK_EVERY
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.plans import OldGateway, Plan
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State
from cmg_core.domain.record_sets import RecordSet
from cmg_core.domain.relay import relays, shows_certificate
from cmg_core.domain.values import JsonObject
from cmg_core.steps.clocks import azure_time, left_until
from cmg_core.steps.context import StepContext
from cmg_core.steps.counting import counted
from cmg_core.steps.gates import is_closed, wait_at
from cmg_core.steps.leading import both_names, led_to
from cmg_core.steps.planned import names_of, plan_of, target_of
from cmg_core.steps.removing import remove

GATES_BEFORE_GRACE = (
    GateName.CONNECTION_POINT_CONNECTED,
    GateName.CONTENT_READY,
    GateName.READY_TO_CUT_OVER,
    GateName.CNAME,
    GateName.INSIDE_DNS,
)
LOOK_AGAIN = timedelta(minutes=1)
PATIENCE = timedelta(hours=1)
"""How long a finding that may cure itself is waited for before a person is called."""


async def retire_old_gateway(context: StepContext) -> Outcome:
    """Wait for the end of the grace period, pass the last gates under the guard, delete part by part, look once more.

    Raises TryAgain, AzureRefused, StepFailed, Superseded and ClaimRunsOut.
    """
    state, now = context.state, context.services.clock.now()
    if state.grace_ends_at is None:
        raise StepFailed(_no_grace())
    left, ends = await left_until(context, state.grace_ends_at), state.grace_ends_at
    state = await counted(context, state)
    if left:
        is_last = not state.connections or left <= LOOK_EVERY
        waiting = Wait(state, left, f"The grace period ends at {ends.isoformat()}.", grace=True, until=ends)
        return waiting if is_last else replace(waiting, after=LOOK_EVERY, until=None)
    if is_closed(state, GateName.CLIENTS_MOVED):
        return wait_at(state, GateName.CLIENTS_MOVED, now, seen_of(state))
    passed: tuple[GateName, ...] = (*GATES_BEFORE_GRACE, GateName.CLIENTS_MOVED)
    for gate in (GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED):
        if is_closed(state, gate):
            parts = await _parts(context, state)
            verdict = await _guard(context, state, passed, parts, about_to_delete=False)
            return wait_at(state, gate, now) if verdict.is_clear else _held_up(state, verdict, context)
        passed = (*passed, gate)
    return await _delete(context, state, passed)


async def _delete(context: StepContext, state: State, passed: tuple[GateName, ...]) -> Outcome:
    """Delete part by part, each under the guard, and finish when none is left."""

    async def under_guard(state: State, body: JsonObject) -> Wait | None:
        verdict = await _guard(context, state, passed, [body], about_to_delete=True)
        return None if verdict.is_clear else _held_up(state, verdict, context)

    outcome = await remove(context, state, [part.id for part in plan_of(state).delete], under_guard)
    return outcome if isinstance(outcome, Wait) else await _finish(context, outcome.state, outcome.told)


async def _finish(context: StepContext, state: State, told: tuple[str, ...]) -> Outcome:
    """The new gateway still relays; its record gets its TTL back."""
    names = names_of(state)
    dialed = await context.services.dialer.dial(names.service_name, names.service_name)
    if not relays(dialed, state.relaying_attested):
        answer = dialed.failure or f"{dialed.status} {dialed.status_text}"
        if not _is_patient(context, state):
            raise StepFailed(_relays_no_more(names.service_name, answer))
        return Wait(state, LOOK_AGAIN, f"Looking whether {names.service_name} still relays: {answer}", told=told)
    record = plan_of(state).record
    if record is not None:
        azure = context.azure_of(record.id)
        body = await azure.get(record.id)
        current = RecordSet.of(body) if body is not None else None
        if current is not None and current.ttl_before is not None and current.points_at(names.deployment_name):
            claim = await context.claim()
            await azure.put(claim, current.id, current.with_ttl_restored().body(), etag=current.etag)
            told = (*told, f"set the TTL of {names.service_name} back")
    return Done(state, told)


async def _parts(context: StepContext, state: State) -> list[JsonObject]:
    """Those parts of the old gateway that Azure still holds."""
    bodies = await asyncio.gather(*(context.azure_of(part.id).get(part.id) for part in plan_of(state).delete))
    return [body for body in bodies if body is not None]


async def _guard(
    context: StepContext,
    state: State,
    gates_before: tuple[GateName, ...],
    parts: Sequence[JsonObject],
    *,
    about_to_delete: bool,
) -> Verdict:
    """Look at everything anew. ``parts`` are those of the old gateway that are to go next, as Azure shows them now."""
    services, plan, names = context.services, plan_of(state), names_of(state)
    if plan.old_gateway is None:
        raise ValueError("retire-old-gateway needs the plan of a migration or a retirement")
    target = target_of(state)
    instances, locks, leading, dialed = await asyncio.gather(
        context.azure.instances(target.scale_set),
        context.azure_of(plan.old_gateway.resource_id).locks(),
        _leading_to_old(context, plan, plan.old_gateway, about_to_delete=about_to_delete),
        # The old gateway relays with the same certificate: only its own name tells the new one from it.
        asyncio.gather(
            services.dialer.dial(names.deployment_name, names.service_name),
            services.dialer.dial(names.service_name, names.service_name),
        ),
    )
    seen = Seen(
        now=services.clock.now(),
        azure_now=await azure_time(context),
        health=health_of(instances, target.instances, health_extension=target.health_extension),
        shows_expected_certificate=all(
            state.certificate is not None and shows_certificate(each, state.certificate) for each in dialed
        ),
        relays=all(relays(each, state.relaying_attested) for each in dialed),
        relay_answer=", ".join(each.failure or f"{each.status} {each.status_text}" for each in dialed),
        locks=locks,
        still_there=parts,
        pointing_at_old_name=leading,
    )
    return judge(state, plan, gates_before, seen)


async def _leading_to_old(context: StepContext, plan: Plan, old: OldGateway, *, about_to_delete: bool) -> Sequence[str]:
    """Names that still lead to the old gateway and must not any more. Under two names clients may dial its own until
    the site has forgotten it: that one holds up only what is deleted."""
    if not old.deployment_name:
        return ()
    own_name_counts = about_to_delete or not plan.has_two_names
    dialed = both_names(context, old) if own_name_counts else (names_of(context.state).service_name,)
    return await led_to(context, old, dialed, by_records=own_name_counts and plan.parked is None)


def _held_up(state: State, verdict: Verdict, context: StepContext) -> Wait:
    """Wait for what may cure itself, within limits; raise StepFailed for what needs a person."""
    findings = (*verdict.standing, *verdict.passing)
    seen = " ".join(f"{finding.seen} {finding.resource}".strip() for finding in findings)
    if not verdict.standing and _is_patient(context, state):
        return Wait(state, LOOK_AGAIN, f"Nothing is removed while this stands: {seen}")
    raise StepFailed(
        Problem(
            code="removal-stopped",
            title="The old gateway was not removed",
            detail=f"The deletion guard found: {seen}",
            cure="Cure each finding. Nothing more was deleted, and the new gateway stays as it is.",
            findings=findings,
        )
    )


def _is_patient(context: StepContext, state: State) -> bool:
    """Whether what may cure itself is still waited for."""
    waiting = state.waiting if state.waiting and not state.waiting.gate and not state.waiting.grace else None
    return waiting is None or context.services.clock.now() - waiting.since < PATIENCE


def _relays_no_more(service_name: str, answer: str) -> Problem:
    return Problem(
        code="relays-no-more",
        title="The old gateway is gone, and the new one does not relay",
        detail=f"For {PATIENCE} {service_name} has answered: {answer}",
        cure="Clients are cut off: see at once whether a connection point is connected to the new gateway and whether "
        f"{service_name} leads to it. Then resume.",
    )


def _no_grace() -> Problem:
    return Problem(
        code="no-grace-period",
        title="The grace period never began",
        detail="The ledger holds no end of the grace period, so nothing may be removed.",
        cure="This is a defect of the product: report it with the deployment's history.",
    )

"""roll-back: the way back, as long as the old gateway is whole (docs/procedures.md, "Rollback").

The inside view goes back first, so that the old gateway relays again; then the record; its TTL runs out; the old
gateway relays under its public name; only then what this deployment made is removed, and nothing else.
"""

from dataclasses import replace
from datetime import timedelta

from cmg_core.domain.cases import Case
from cmg_core.domain.errors import StepFailed
from cmg_core.domain.gates import GateName
from cmg_core.domain.gateway_resources import OWNER_TAG
from cmg_core.domain.old_gateway import immutable_id
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.plans import OldGateway
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import RollBack, State
from cmg_core.domain.record_sets import RecordSet, record_set_id
from cmg_core.domain.relay import in_words, relays
from cmg_core.domain.values import JsonObject, tags_of, text_at
from cmg_core.steps.clocks import beginning, left_until
from cmg_core.steps.context import StepContext
from cmg_core.steps.gates import is_closed, opened_by_observation, until_next_try, wait_at
from cmg_core.steps.planned import case_of_state, made_by, names_of, plan_of, take_in_turn
from cmg_core.steps.removing import remove


async def roll_back(context: StepContext) -> Outcome:
    """Take each part of the way back in turn, as far as the world allows.

    Raises TryAgain, AzureRefused, ChangedMeanwhile, StepFailed, Superseded and ClaimRunsOut.
    """
    parts = (_inside_view, _old_name_serves, _record_back, _old_gateway_serves, _remove_new, _restore_ttl)
    return await take_in_turn(context, parts)


async def _inside_view(context: StepContext, state: State) -> Done | Wait:
    """What was led over on the inside is led back first: the old gateway needs its connection point."""
    if _way(state).inside_view and is_closed(state, GateName.INSIDE_DNS):
        return wait_at(state, GateName.INSIDE_DNS, context.services.clock.now())
    return Done(state)


async def _old_name_serves(context: StepContext, state: State) -> Done | Wait:
    """Under a new name clients may know both: nothing of the new one goes, its record neither, while the old gateway
    does not relay under its own."""
    gate, old = state.gate(GateName.CONNECTION_POINT_CONNECTED), plan_of(state).old_gateway
    nobody_has_learned_of_the_new_one = gate is None or gate.asked_at is None
    if old is None or case_of_state(state) is not Case.NEW_NAME or nobody_has_learned_of_the_new_one:
        return Done(state)
    dialed = await context.services.dialer.dial(old.service_name, old.service_name)
    if not relays(dialed, state.relaying_attested):
        return Wait(
            state, _pause(context, state), f"The old gateway does not relay as {old.service_name}. {in_words(dialed)}"
        )
    return Done(state)


async def _record_back(context: StepContext, state: State) -> Done | Wait:
    """Point the record at the old gateway again, while that one relays, and anew where somebody has led it over once
    more; the record of a new deployment goes."""
    old = plan_of(state).old_gateway if case_of_state(state).moves_the_name else None
    was_back = _way(state).record_back_at is not None and not (old is not None and await _leads_over(context, state))
    if was_back or not names_of(state).has_own_domain:
        return Done(state)
    if state.request.dns is None:
        must_change = old is not None or _new_one_goes(state)
        return await _watch_record(context, state) if must_change else Done(await _back(context, state, timedelta()))
    record = await _record(context, state)
    if record is None or not record.points_at(names_of(state).deployment_name):
        held = record.ttl if record is not None and _may_have_led_over(state) else timedelta()
        return Done(await _back(context, state, held))
    if old is None and plan_of(state).record is not None:
        return Done(await _back(context, state, timedelta()))  # it stood before: not this deployment's to remove
    if old is None:
        await context.azure_of(record.id).delete(await context.claim(), record.id, etag=record.etag)
        return Done(await _back(context, state, timedelta()), (f"removed the record {names_of(state).service_name}",))
    await _ensure_whole(context, old)
    dialed = await context.services.dialer.dial(old.deployment_name, names_of(state).service_name)
    if not relays(dialed, state.relaying_attested):
        return _wait_for_the_old_one(context, state, in_words(dialed))
    seen = _seen_open(context, state, GateName.INSIDE_DNS, in_words(dialed))
    target = plan_of(state).record
    back = record.pointing_at(target.target if target else old.deployment_name)
    await context.azure_of(record.id).put(await context.claim(), record.id, back.body(), etag=record.etag)
    told = f"changed the record {names_of(state).service_name} back from {record.target} to {back.target}"
    return Done(await _back(context, seen.state, record.ttl), (*seen.told, told))


def _wait_for_the_old_one(context: StepContext, state: State, seen: str) -> Wait:
    """Where nobody was asked to lead the inside view over, and it has followed the record by itself, somebody has to
    be asked to lead it back: at a gate, since nobody would know otherwise."""
    told = f"The record goes back only while the old gateway relays. {seen}"
    if is_closed(state, GateName.INSIDE_DNS):
        return wait_at(state, GateName.INSIDE_DNS, context.services.clock.now(), told)
    return Wait(state, _pause(context, state), told)


def _seen_open(context: StepContext, state: State, name: GateName, seen: str) -> Done:
    """The gate at which somebody was asked is open, since what was asked for is so."""
    gate = state.gate(name)
    if gate is None or gate.is_open or gate.asked_at is None:
        return Done(state)
    return opened_by_observation(state, gate.name, context.services.clock.now(), seen)


async def _leads_over(context: StepContext, state: State) -> bool:
    """Whether the record, where it is the app's to change, leads to the new gateway."""
    record = await _record(context, state) if names_of(state).has_own_domain else None
    return record is not None and record.points_at(names_of(state).deployment_name)


async def _watch_record(context: StepContext, state: State) -> Done | Wait:
    """Somebody else's record: open when no server shows the new gateway any more."""
    new_name, now = names_of(state).deployment_name.lower(), context.services.clock.now()
    views = await context.services.dns.views(names_of(state).service_name)
    answered = [view for view in views if not view.failure]
    if len(answered) * 2 > len(views) and not any(new_name in view.targets for view in answered):
        noted = state.cut_over
        held = max(noted.ttl_at_flip or timedelta(), noted.ttl_before or timedelta())
        open = _seen_open(context, state, GateName.CNAME, f"No public server leads to {new_name} any more.")
        held = held if case_of_state(state).moves_the_name else timedelta()
        return Done(await _back(context, open.state, held), open.told)
    if is_closed(state, GateName.CNAME):
        return wait_at(state, GateName.CNAME, now)
    return Wait(
        state, _pause(context, state), f"Public servers still lead {names_of(state).service_name} to {new_name}."
    )


def _new_one_goes(state: State) -> bool:
    """Whether the new gateway is removed, by the app or by whoever made it: one that existed before stays."""
    return plan_of(state).make is not None or state.gate(GateName.GATEWAY_CREATED) is not None


async def _old_gateway_serves(context: StepContext, state: State) -> Done | Wait:
    """Nobody can hold the new gateway's name any more, and the old one relays under the public name."""
    way, names, old = _way(state), names_of(state), plan_of(state).old_gateway
    if way.record_back_at is None or old is None or not way.ttl_at_change:
        return Done(state)
    views = await context.services.dns.views(names.service_name)
    if any(names.deployment_name.lower() in view.targets for view in views):
        # Whoever asks such a server now holds its answer for the full TTL: that counts from the next look on.
        pause = _pause(context, state)
        later = replace(way, record_back_at=await beginning(context) + pause)
        reason = f"Public servers still lead {names.service_name} to {names.deployment_name}."
        return Wait(replace(state, roll_back=later), pause, reason)
    forgotten_at = way.record_back_at + way.ttl_at_change
    if left := await left_until(context, forgotten_at):
        told = f"Until {forgotten_at.isoformat()} clients may hold the new answer."
        return Wait(state, left, told, until=forgotten_at)
    for host in (old.deployment_name, names.service_name):
        dialed = await context.services.dialer.dial(host, names.service_name)
        if not relays(dialed, state.relaying_attested):
            return Wait(state, _pause(context, state), f"The old gateway does not relay as {host}. {in_words(dialed)}")
    return Done(state)


def _may_have_led_over(state: State) -> bool:
    """Whether the record may have led to the new gateway: a run that died after the change could not note it."""
    return state.cut_over.ttl_before is not None or state.cut_over.flipped_at is not None


async def _remove_new(context: StepContext, state: State) -> Done | Wait:
    """Remove what carries this deployment's tag, machines first; the resource group stays. What the site made, its
    administrator removes."""
    if is_closed(state, GateName.GATEWAY_CREATED):
        return wait_at(state, GateName.GATEWAY_CREATED, context.services.clock.now())
    if plan_of(state).make is None:
        return Done(state)
    made = made_by(state)
    ids = (
        made.scale_set,
        made.load_balancer,
        made.public_address,
        made.virtual_network,
        made.network_security_group,
    )

    async def nothing_leads_here(state: State, _: JsonObject) -> Wait | None:
        return await _leads_here(context, state)

    def is_left(body: JsonObject) -> bool:
        return tags_of(body).get(OWNER_TAG) != context.deployment_id

    return await remove(context, state, ids, nothing_leads_here, is_left)


async def _restore_ttl(context: StepContext, state: State) -> Done | Wait:
    if state.request.dns is None or not names_of(state).has_own_domain:
        return Done(state)
    record = await _record(context, state)
    if record is None or record.ttl_before is None or record.points_at(names_of(state).deployment_name):
        return Done(state)
    restored = record.with_ttl_restored()
    await context.azure_of(record.id).put(await context.claim(), record.id, restored.body(), etag=record.etag)
    return Done(state, (f"set the TTL of {names_of(state).service_name} back",))


async def _ensure_whole(context: StepContext, old: OldGateway) -> None:
    """Raise StepFailed where the old gateway is not the one that the plan saw."""
    body = await context.azure_of(old.resource_id).get(old.resource_id)
    planned = next((part.immutable_id for part in old.parts if part.id.lower() == old.resource_id.lower()), "")
    if body is None or (planned and immutable_id(body) != planned):
        raise StepFailed(
            Problem(
                code="no-way-back",
                title="There is no old gateway to go back to",
                detail=f"{old.resource_id} is gone, or was made anew after the plan.",
                cure="The new gateway stays and serves. Find out who removed the old one.",
                resource=old.resource_id,
            )
        )


async def _leads_here(context: StepContext, state: State) -> Wait | None:
    """Wait while a public server still gives the name that will become free; nobody may be using it (invariant 8).

    Raises StepFailed while a record of the zone leads to it: that does not pass by itself.
    """
    if not names_of(state).has_own_domain:
        return None
    name = names_of(state).deployment_name
    zone = state.request.dns.zone_id if state.request.dns else ""
    records = await context.azure_of(zone).records(zone) if zone else []
    views = await context.services.dns.views(names_of(state).service_name)
    leading = [text_at(body, "name") for body in records if RecordSet.of(body).points_at(name)]
    if leading:
        raise StepFailed(
            Problem(
                code="name-would-dangle",
                title="A record still leads to the new gateway's name",
                detail=f"{', '.join(leading)} would lead to a name that anybody could claim once it is free.",
                cure="Point these records elsewhere or remove them, then resume.",
                resource=made_by(state).public_address,
            )
        )
    if any(name.lower() in view.targets for view in views):
        reason = f"Nothing is removed while public servers lead {names_of(state).service_name} to {name}."
        return Wait(state, _pause(context, state), reason)
    return None


async def _record(context: StepContext, state: State) -> RecordSet | None:
    if state.request.dns is None:
        return None
    id = record_set_id(state.request.dns.zone_id, names_of(state).service_name)
    body = await context.azure_of(id).get(id)
    return RecordSet.of(body) if body is not None else None


async def _back(context: StepContext, state: State, held: timedelta) -> State:
    way = replace(_way(state), record_back_at=await beginning(context), ttl_at_change=held)
    return replace(state, roll_back=way)


def _pause(context: StepContext, state: State) -> timedelta:
    """Until the next look at what nobody is asked for."""
    return until_next_try(state, context.services.clock.now())


def _way(state: State) -> RollBack:
    if state.roll_back is None:
        raise ValueError("roll-back begins with a request")
    return state.roll_back

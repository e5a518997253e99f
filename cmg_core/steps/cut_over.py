"""cut-over: bring clients to the new gateway without a moment in which none relays, but for a gap that was accepted.

The orders are those of docs/procedures.md. Where clients are led over by the record of a name that they dial already
(case 2), the new gateway relays before the record changes, both ends are held until the old answer has run out
everywhere, and the inside view follows last; where a gap was accepted, the connection point follows the record. Under a
new name (case 1) both gateways serve side by side. A new deployment (case 4) only sets its record and waits for its
connection point where that was asked for.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cmg_core.domain.cases import Case
from cmg_core.domain.errors import StepFailed
from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.plans import PinnedCertificate
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State
from cmg_core.domain.record_sets import RecordSet, low_ttl, record_set_id
from cmg_core.domain.relay import in_words, is_gateway, relays, shows_certificate
from cmg_core.domain.requests import ReplacementRequest
from cmg_core.domain.values import iso_duration
from cmg_core.services import Dialed, NameView
from cmg_core.steps.clocks import beginning, left_until
from cmg_core.steps.context import StepContext
from cmg_core.steps.gates import is_closed, opened_by_observation, until_next_try, wait_at
from cmg_core.steps.planned import Part, case_of_state, names_of, plan_of, take_in_turn

NEW_RECORD_TTL = timedelta(minutes=5)


async def cut_over(context: StepContext) -> Outcome:
    """Take each part in turn, as far as the world allows.

    Raises TryAgain, AzureRefused, ChangedMeanwhile, StepFailed, Superseded and ClaimRunsOut.
    """
    return await take_in_turn(context, ORDERS[case_of_state(context.state)])


async def _lower_ttl(context: StepContext, state: State) -> Done | Wait:
    """Lower the record's TTL ahead, so that the old answer is soon forgotten once it changes."""
    names = names_of(state)
    if state.cut_over.ttl_before is not None or not _zone_is_ours(state):
        return Done(state)
    record = await _record(context, state)
    if record is None:
        raise StepFailed(_changed(state, "the record is gone"))
    if record.points_at(names.deployment_name):
        return Done(state)
    # The note of an earlier, unfinished deployment may be older than what somebody has set since.
    before = max(record.ttl, record.ttl_before or timedelta())
    lowered = low_ttl(before)
    if record.ttl > lowered:
        await _put(context, record.with_ttl(lowered, before))
    longest_held = max(before, plan_of(state).record_ttl)
    cut_over = replace(state.cut_over, ttl_before=longest_held, ttl_lowered_at=await beginning(context))
    told = f"lowered the TTL of {names.service_name} from {_seconds(before)} to {_seconds(lowered)}"
    return Done(replace(state, cut_over=cut_over), (told,))


async def _connection_point(context: StepContext, state: State) -> Done | Wait:
    """Open when the new gateway relays: dialed by its own name, since clients may still go to the old one."""
    if not is_closed(state, GateName.CONNECTION_POINT_CONNECTED):
        return Done(state)
    dialed, now = await _dial_new(context, state), context.services.clock.now()
    if not _relays(state, dialed):
        seen = f"{_seen(state, dialed)} {_overrun(state, now)}".strip()
        return wait_at(state, GateName.CONNECTION_POINT_CONNECTED, now, seen)
    done = opened_by_observation(state, GateName.CONNECTION_POINT_CONNECTED, now, _seen(state, dialed))
    return replace(done, told=(*done.told, *_gap_told(state, now)))


def _overrun(state: State, now: datetime) -> str:
    """What to do where an accepted gap lasts longer than it usually does."""
    plan, since = plan_of(state), state.cut_over.flipped_at
    usual = plan.usual_gap or plan.foretold_gap
    if not usual or since is None or now - since <= usual:
        return ""
    return (
        f"The gap lasts since {since.isoformat()}, longer than the usual {iso_duration(usual)}: see to the "
        "connection point at once, or roll back."
    )


def _gap_told(state: State, now: datetime) -> tuple[str, ...]:
    foretold, since = plan_of(state).foretold_gap, state.cut_over.flipped_at
    if not foretold or since is None:
        return ()
    gap = timedelta(seconds=round((now - since).total_seconds()))
    return (
        f"the new gateway relays {iso_duration(gap)} after the record was seen to lead to it; foretold at the longest "
        f"{iso_duration(foretold)}",
    )


async def _content(context: StepContext, state: State) -> Done | Wait:
    """A person confirms that the new gateway serves what the old one does."""
    return _at_persons_gate(context, state, GateName.CONTENT_READY)


async def _ask_inside_view(context: StepContext, state: State) -> Done | Wait:
    """The inside view is to follow at once, while the app looks whether the new gateway relays: nobody waits in turn
    while a gap lasts."""
    gate = state.gate(GateName.INSIDE_DNS)
    if gate is None or gate.asked_at is not None:
        return Done(state)
    return Done(state.with_gate(replace(gate, asked_at=context.services.clock.now())))


def _at_persons_gate(context: StepContext, state: State, name: GateName) -> Done | Wait:
    return wait_at(state, name, context.services.clock.now()) if is_closed(state, name) else Done(state)


async def _ready(context: StepContext, state: State) -> Done | Wait:
    """The last word of a person, and the moment before which nothing may change."""
    now = context.services.clock.now()
    if is_closed(state, GateName.READY_TO_CUT_OVER):
        return wait_at(state, GateName.READY_TO_CUT_OVER, now)
    not_before = state.request.cut_over_not_before
    if not_before is None or state.cut_over.flipped_at is not None:
        return Done(state)
    if left := await left_until(context, not_before):
        told = f"The request allows the cut-over from {not_before.isoformat()} on."
        return Wait(state, left, told, until=not_before)
    return Done(state)


async def _change_record(context: StepContext, state: State) -> Done | Wait:
    """Point the service name at the new gateway, once nobody holds the old answer for longer than the low TTL."""
    if state.cut_over.flipped_at is not None or not _zone_is_ours(state):
        return Done(state)
    names, now, noted = names_of(state), context.services.clock.now(), state.cut_over
    if noted.ttl_before is not None and noted.ttl_lowered_at is not None:
        forgotten_at = noted.ttl_lowered_at + noted.ttl_before
        if left := await left_until(context, forgotten_at):
            reason = f"Until {forgotten_at.isoformat()} resolvers may hold the record's old TTL."
            return Wait(state, left, reason, until=forgotten_at)
    if state.certificate is not None and state.certificate.not_after <= now:
        raise StepFailed(_expired(state.certificate))
    case = case_of_state(state)
    if case.moves_the_name and (lacking := _lacks_for(case, state, await _dial_new(context, state))):
        return Wait(state, until_next_try(state, now), lacking)
    record = await _record(context, state)
    if record is None and (not case.moves_the_name or plan_of(state).record is None):
        record = RecordSet.alias(_record_id(state), NEW_RECORD_TTL, names.deployment_name)
        await _put(context, record)
        told = (f"made the record {names.service_name} → {names.deployment_name}",)
        flipped = replace(noted, flipped_at=await beginning(context), ttl_at_flip=timedelta())
        return Done(replace(state, cut_over=flipped), told)
    if record is None:
        raise StepFailed(_changed(state, "the record is gone"))
    if not record.points_at(names.deployment_name):
        old = plan_of(state).record
        if old is None or not record.points_at(old.target):
            raise StepFailed(_changed(state, f"it points at {record.target or 'no name'} now"))
        await _put(context, record.pointing_at(names.deployment_name))
        told = (f"changed the record {names.service_name} from {record.target} to {names.deployment_name}",)
    else:
        told = (f"the record {names.service_name} leads to {names.deployment_name} already; since when is not known",)
    longest_held = record.ttl if noted.ttl_lowered_at else max(record.ttl, plan_of(state).record_ttl)
    cut_over = replace(noted, flipped_at=await beginning(context), ttl_at_flip=longest_held)
    return Done(replace(state, cut_over=cut_over), told)


async def _public_view(context: StepContext, state: State) -> Done | Wait:
    """Open when the world sees the new target and nobody can hold the old one any more.

    Some of the zone's servers may give the old answer for a while after the change, and somebody may set it back: the
    old answer's TTL counts from the first look at which no server gives it any more.
    """
    if not is_closed(state, GateName.CNAME):
        return Done(state)
    target = names_of(state).deployment_name
    views, noted = await context.services.dns.views(names_of(state).service_name), state.cut_over
    now = context.services.clock.now()
    if not _all_show(views, target):
        longest = max((view.ttl for view in views if not _shows(view, target)), default=timedelta())
        if noted.flipped_at is None:
            noted = replace(noted, ttl_before=max(noted.ttl_before or timedelta(), longest))
        else:
            noted = replace(noted, shown_at=None, ttl_at_flip=max(noted.ttl_at_flip or timedelta(), longest))
        return wait_at(replace(state, cut_over=noted), GateName.CNAME, now, _shown(views))
    if noted.flipped_at is None:
        known = (noted.ttl_before or timedelta(), plan_of(state).record_ttl, *(view.ttl for view in views))
        noted = replace(noted, flipped_at=now, ttl_at_flip=max(known))
    shown_at = noted.shown_at or await beginning(context)
    state = replace(state, cut_over=replace(noted, shown_at=shown_at))
    forgotten_at = shown_at + (noted.ttl_at_flip or timedelta())
    if left := await left_until(context, forgotten_at):
        waiting = wait_at(
            state, GateName.CNAME, now, f"Until {forgotten_at.isoformat()} clients may hold the old answer."
        )
        return replace(waiting, after=left, until=forgotten_at)
    return opened_by_observation(state, GateName.CNAME, now, _shown(views))


async def _seen_publicly(context: StepContext, state: State) -> Done | Wait:
    """Where somebody else changes the record and a gap begins with that: wait until it is seen, for nothing more."""
    if _zone_is_ours(state) or state.cut_over.flipped_at is not None or not is_closed(state, GateName.CNAME):
        return Done(state)
    looked = await _public_view(context, state)
    has_changed = looked.state.cut_over.flipped_at is not None
    return Done(looked.state) if has_changed else looked


async def _inside_view(context: StepContext, state: State) -> Done | Wait:
    """A person confirms that the company's inside view has followed: connection points dial by it."""
    return _at_persons_gate(context, state, GateName.INSIDE_DNS)


async def _start_grace(context: StepContext, state: State) -> Done | Wait:
    """The grace period starts when the new gateway relays under its public name (procedures, case 1 step 11)."""
    request = state.request
    if not isinstance(request, ReplacementRequest) or state.grace_ends_at is not None:
        return Done(state)
    service_name, target = names_of(state).service_name, names_of(state).deployment_name
    try_again = until_next_try(state, context.services.clock.now())
    views = await context.services.dns.views(service_name) if names_of(state).has_own_domain else ()
    if names_of(state).has_own_domain and not _all_show(views, target):
        return Wait(state, try_again, f"{service_name} does not lead to {target} everywhere. {_shown(views)}")
    # The old gateway relays with the same certificate: only its own name tells the new one from it.
    for host in dict.fromkeys((target.lower(), service_name.lower())):
        dialed = await context.services.dialer.dial(host, service_name)
        if not _relays(state, dialed):
            return Wait(state, try_again, f"The new gateway does not relay as {host} yet. {_seen(state, dialed)}")
    now = await beginning(context)
    ends_at = now + request.grace_period
    told = f"the new gateway relays under {service_name}; the grace period lasts until {ends_at.isoformat()}"
    return Done(replace(state, grace_started_at=now, grace_ends_at=ends_at), (told,))


_CONNECTION_POINT_FOLLOWS: tuple[Part, ...] = (
    _ready,
    _change_record,
    _seen_publicly,
    _ask_inside_view,
    _connection_point,
    _inside_view,
    _public_view,
    _start_grace,
)
ORDERS: dict[Case, tuple[Part, ...]] = {
    Case.GAP_CLOSED: (
        _lower_ttl,
        _connection_point,
        _content,
        _ready,
        _change_record,
        _public_view,
        _inside_view,
        _start_grace,
    ),
    Case.GAP_ACCEPTED: (_lower_ttl, _content, *_CONNECTION_POINT_FOLLOWS),
    Case.SAME_NAME_ALONE: (_content, *_CONNECTION_POINT_FOLLOWS),
    Case.NEW_NAME: (_change_record, _public_view, _connection_point, _content, _ready, _start_grace),
    Case.NEW_DEPLOYMENT: (_ready, _change_record, _public_view, _connection_point),
    Case.RETIREMENT: (_connection_point, _content, _ready, _start_grace),
}
"""What is done in turn, by case of docs/procedures.md."""


async def _dial_new(context: StepContext, state: State) -> Dialed:
    names = names_of(state)
    return await context.services.dialer.dial(names.deployment_name, names.service_name)


async def _record(context: StepContext, state: State) -> RecordSet | None:
    id = _record_id(state)
    body = await context.azure_of(id).get(id)
    return RecordSet.of(body) if body is not None else None


async def _put(context: StepContext, record: RecordSet) -> None:
    await context.azure_of(record.id).put(await context.claim(), record.id, record.body(), etag=record.etag)


def _record_id(state: State) -> str:
    if state.request.dns is None:
        raise ValueError("the zone is not the app's to change")
    return record_set_id(state.request.dns.zone_id, names_of(state).service_name)


def _zone_is_ours(state: State) -> bool:
    return state.request.dns is not None and names_of(state).has_own_domain


def _all_show(views: Sequence[NameView], target: str) -> bool:
    """Whether the servers that answer all show the target, and most of them answer."""
    answered = [view for view in views if not view.failure]
    return len(answered) * 2 > len(views) and all(_shows(view, target) for view in answered)


def _shows(view: NameView, target: str) -> bool:
    return target.lower() in view.targets


def _shown(views: Sequence[NameView]) -> str:
    return "; ".join(f"{view.server}: {view.failure or ' → '.join(view.targets) or 'no alias'}" for view in views)


def _lacks_for(case: Case, state: State, dialed: Dialed) -> str:
    """Why clients cannot be led to the new gateway now; empty where they can."""
    if case is Case.GAP_CLOSED:
        ready, wanted = _relays(state, dialed), "relays"
    else:
        ready, wanted = is_gateway(dialed) and _shows_its_certificate(state, dialed), "answers as a gateway"
    return "" if ready else f"The record changes only while the new gateway {wanted}. {_seen(state, dialed)}"


def _relays(state: State, dialed: Dialed) -> bool:
    """Whether the gateway relays, and shows the certificate that clients trust: others answer on 443 as well."""
    return relays(dialed, state.relaying_attested) and _shows_its_certificate(state, dialed)


def _shows_its_certificate(state: State, dialed: Dialed) -> bool:
    return state.certificate is not None and shows_certificate(dialed, state.certificate)


def _seen(state: State, dialed: Dialed) -> str:
    if state.certificate is not None and dialed.leaf and not shows_certificate(dialed, state.certificate):
        return "What answered shows another certificate than the gateway's."
    return in_words(dialed)


def _seconds(ttl: timedelta) -> str:
    return f"{ttl.total_seconds():.0f} s"


def _expired(certificate: PinnedCertificate) -> Problem:
    return Problem(
        code="certificate-ended-meanwhile",
        title="The new gateway's certificate expired before the cut-over",
        detail=f"It ended on {certificate.not_after:%Y-%m-%d %H:%M} UTC. The record of the service name was left as it "
        "is: no client trusts the new gateway.",
        cure="Roll this deployment back, put a renewed certificate into the vault, and ask anew.",
        resource=certificate.vault_id,
    )


def _changed(state: State, what: str) -> Problem:
    return Problem(
        code="record-changed",
        title="The record of the service name is not what the plan saw",
        detail=f"{names_of(state).service_name}: {what}. Changed after the plan was made; it was left as it is.",
        cure="Find out who changed it. Set it back to the plan's target, or ask for a new plan.",
        resource=_record_id(state),
    )

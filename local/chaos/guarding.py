"""What the judge says of removals: what goes, under which guard, and what is asked of the site before."""

from collections.abc import Iterator
from datetime import datetime

from cmg_core.domain.values import at, objects_at
from local.chaos.cases import Case, gates_of
from local.chaos.reading import (
    RELEASE,
    ROLL_BACK,
    SCALE_SET,
    changed_meanwhile,
    duration,
    granted,
    removed_by_others,
    state_at,
    step_at,
    type_of,
)
from local.chaos.story import AskedOfSite, Look, Story, Write

LAST_GATES = ("site-record-removed", "connection-point-removed")
"""What is asked of the site's administrator before anything goes: in this order."""
BEFORE_GRACE = ("connection-point-connected", "content-ready", "ready-to-cut-over", "cname", "inside-dns")
BEFORE_SITE = (*BEFORE_GRACE, "clients-moved")
READY = "ready-to-cut-over"
PERSONS = ("content-ready", READY, "inside-dns")
"""Those that only a person opens."""


def deleted_by_plan(story: Story) -> Iterator[str]:
    """Nothing is deleted that the plan did not name; on the way back only what this deployment made."""
    for write in story.writes:
        if write.method != "DELETE" or write.status is None:
            continue
        if write.path == story.parked:
            yield from _released_unasked(story, write)
        elif write.path in story.to_delete:
            if step_at(story, write) == ROLL_BACK:
                yield f"the rollback deleted the old gateway's {write.path}"
        elif write.path in story.before and "/dnszones/" not in write.path:
            yield f"{write.path} was deleted, and no plan named it"
        elif step_at(story, write) != ROLL_BACK:
            yield f"{write.path} of the new gateway was deleted, and nobody rolled it back"
    strangers = story.before.keys() - story.after.keys() - story.to_delete - {story.parked} - removed_by_others(story)
    if strangers:
        yield f"{sorted(strangers)} are gone"


def others_left_alone(story: Story) -> Iterator[str]:
    """What stood before, and what the site makes, is never changed; who does not make the gateway makes nothing."""
    for write in story.writes:
        if not type_of(write.path):
            continue
        where = f"{write.method} {write.path} at {write.at}"
        if write.path in story.made_by_others:
            yield f"{where}: the site had made that"
        elif write.method != "DELETE" and write.path in story.before:
            yield f"{where}: that stood before"
        elif write.method != "DELETE" and story.request.get("provisioned_by") != "automation":
            yield f"{where}: this app makes nothing where the gateway is the site's"


def _released_unasked(story: Story, write: Write) -> Iterator[str]:
    """A parked name goes in a release of its own, which a person asks for after the success."""
    succeeded = [state.at for state in story.ledger if state.record["status"] == "succeeded" and state.n < write.n]
    if step_at(story, write) != RELEASE or not succeeded:
        yield f"{write.path} keeps a parked name and was deleted at {write.at} by {step_at(story, write)}"
    elif not any(then >= succeeded[0] for then in granted(story, RELEASE)):
        yield f"{write.path} keeps a parked name and was deleted at {write.at}; nobody had asked for that"


def deleted_under_guard(story: Story) -> Iterator[str]:
    """Invariants 4, 5 and 8 at the very moment of each DELETE of the old gateway, but for what changed in between."""
    for write in story.writes:
        look, goes = write.look, story.to_delete | {story.parked}
        if write.method != "DELETE" or write.path not in goes or look is None:
            continue
        if not write.was_taken or changed_meanwhile(story, write):
            continue
        where = f"{write.path} was deleted at {write.at}"
        if leading := _led_astray(story, look, parked=bool(story.parked) and write.path != story.parked):
            yield f"{where} while {', '.join(leading)} led to {story.old_name}"
        if look.locked:
            yield f"{where} though a lock protected it"
        if write.path in _made_anew_after_the_plan(story):
            yield f"{where}, but it was made anew by somebody after the plan"
        if write.path != story.parked:
            yield from (f"{where} {what}" for what in _against(story, write, look, (*BEFORE_SITE, *LAST_GATES)))


def _made_anew_after_the_plan(story: Story) -> frozenset[str]:
    """What was made anew before the plan was saved may be what the plan saw."""
    planned = next(
        (state.at for state in story.ledger if at(state.record, "state", "plan") is not None), story.ended_at
    )
    return frozenset().union(*(each.removes for each in story.disturbances if each.at > planned))


def asked_under_guard(story: Story) -> Iterator[str]:
    """The guard holds before the site's record goes and before the original connection point goes, too."""
    for asked in story.asked_of_site:
        if asked.look is None or changed_meanwhile(story, asked):
            continue
        before = LAST_GATES[: LAST_GATES.index(asked.gate)]
        where = f"{asked.gate} was asked for at {asked.at}"
        yield from (f"{where} {what}" for what in _against(story, asked, asked.look, (*BEFORE_SITE, *before)))
        # Under two names clients may be led to the old one's until the site has forgotten it.
        if story.case.moves_the_name and (leading := _led_astray(story, asked.look, parked=bool(story.parked))):
            yield f"{where} while {', '.join(leading)} led to {story.old_name}"


def _against(story: Story, moment: Write | AskedOfSite, look: Look, gates: tuple[str, ...]) -> Iterator[str]:
    """What stands against removing anything at that moment."""
    if shortfall := _grace_missing(story, moment):
        yield shortfall
    if closed := _closed_gates(story, moment, gates):
        yield f"while {', '.join(closed)} were closed"
    if not 0 < look.expected == look.healthy:
        yield f"while {look.healthy} of {look.expected} new instances were healthy"
    if not look.new_relays:
        yield "while the new gateway did not relay"


def _led_astray(story: Story, look: Look, *, parked: bool) -> list[str]:
    """Records that may not lead to the old name any more. While that stays parked, others than the clients' may."""
    if not parked:
        return list(look.leading_to_old)
    label = story.service_name.split(".")[0]
    return [name for name in look.leading_to_old if name.rsplit("/")[-1].lower() == label]


def _grace_missing(story: Story, moment: Write | AskedOfSite) -> str:
    """By the world's own record: how long the new gateway had been the one that clients are led to."""
    wanted = max(duration(str(story.request.get("grace_period", "PT24H"))), story.minimum_grace)
    began = max(_beginnings(story, moment.at))
    if moment.at - began < wanted:
        return f"{moment.at - began} after the cut-over; the grace period is {wanted}"
    ends = state_at(story, moment).get("grace_ends_at")
    if not isinstance(ends, str) or moment.at < datetime.fromisoformat(ends):
        return f"and the ledger says that the grace period ends at {ends}"
    return ""


def _beginnings(story: Story, before: datetime) -> Iterator[datetime]:
    """What must have been before a grace period begins, each at its earliest: the new gateway relays under its public
    name, the record leads there, and people have opened what is theirs. What never was counts as being so only now."""
    yield story.relayed_at or before
    if story.case.moves_the_name:
        over = (then for then, target in story.dns_changes if target != story.old_name and then <= before)
        yield next(over, before)
    for gate in gates_of(story.request, story.case, story.service_name).intersection(PERSONS):
        yield min(granted(story, f"open {gate}"), default=before)


def _closed_gates(story: Story, moment: Write | AskedOfSite, gates: tuple[str, ...]) -> list[str]:
    listed = objects_at(state_at(story, moment), "gates")
    return [str(gate["name"]) for gate in listed if gate["name"] in gates and not gate.get("opened_at")]


def taken_back_rightly(story: Story) -> Iterator[str]:
    """Rollback: only where there is a way back, and the new gateway goes only while the old one relays for all."""
    if story.outcome == "rolled-back" and story.case is Case.RETIREMENT:
        yield "a retirement was rolled back, and it had led nobody over"
    for write in story.writes:
        look = write.look
        if write.method != "DELETE" or type_of(write.path) != SCALE_SET or write.path in story.before:
            continue
        if look is None or not write.was_taken or changed_meanwhile(story, write) or not _had_led_over(story, write):
            continue
        where = f"{write.path} was taken back at {write.at}"
        if story.old_is_gone:
            yield f"{where}, and there is no old gateway to go back to"
        elif not look.old_relays:
            yield f"{where} while the old gateway did not relay"
        elif story.case.moves_the_name and look.public_target not in (story.target_before, ""):
            yield f"{where} while {story.service_name} led to {look.public_target}"


def _had_led_over(story: Story, write: Write) -> bool:
    """Whether clients of an old gateway may know the new one."""
    if story.case is Case.NEW:
        return False
    if story.case.moves_the_name:
        return any(then <= write.at and target not in (story.old_name, "") for then, target in story.dns_changes)
    return story.relayed_at is not None and story.relayed_at <= write.at


def records_changed_rightly(story: Story) -> Iterator[str]:
    """The one record that is changed is the new gateway's own, when its case allows; the old one's stays as it is."""
    for write in story.writes:
        if "/dnszones/" not in write.path or not write.was_taken:
            continue
        where = f"{write.method} {write.path} at {write.at}"
        if write.path != story.record_id or story.case is Case.RETIREMENT:
            yield f"{where}: no plan changes that record"
        elif write.look is not None and not changed_meanwhile(story, write):
            yield from (f"{where}: {what}" for what in _led_rightly(story, write, write.look))


def _led_rightly(story: Story, write: Write, look: Look) -> Iterator[str]:
    """A change of where the name leads; the case says what must be so at that moment."""
    if write.target == look.public_target:
        return  # its TTL alone
    if step_at(story, write) == ROLL_BACK:
        if write.target != story.target_before:
            yield f"the way back leads to {write.target or 'nothing'}, it was {story.target_before or 'nothing'}"
        if story.case is not Case.NEW and not story.old_is_gone and not look.old_relays:
            yield "it goes back while the old gateway does not relay"
        return
    if write.target in ("", story.old_name):
        yield f"it is led to {write.target or 'nothing'}, and nobody rolled back"
    if story.case is Case.GAP_CLOSED and not look.connected:
        yield "it leads over while the new gateway does not relay"
    is_ready = not _closed_gates(story, write, (READY,)) and any(
        at <= write.at for at in granted(story, f"open {READY}")
    )
    if story.case.moves_the_name and READY in gates_of(story.request, story.case, story.service_name) and not is_ready:
        yield "it leads over before anybody was ready"

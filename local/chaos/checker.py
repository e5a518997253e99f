"""The judge of a run, by the procedures and the invariants of the architecture, not by the product's code.

It reads what was seen (``story.py``) and says what should not have been, each with the rule that was broken. It knows
the product's words (status, gates, tags), never its reasons.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cmg_core.domain.values import JsonObject
from local.chaos.story import Disturbance, LedgerState, Look, Story, Write

ENDS = ("succeeded", "refused", "cancelled", "rolled-back")
OWNER_TAG = "cmg-deployment"
ADDRESS = "microsoft.network/publicipaddresses"
NEW_TYPES = (
    "microsoft.network/networksecuritygroups",
    "microsoft.network/virtualnetworks",
    ADDRESS,
    "microsoft.network/loadbalancers",
    "microsoft.compute/virtualmachinescalesets",
)
"""What a gateway on a scale set is made of: one of each."""
BEFORE_GRACE = ("connection-point-connected", "content-ready", "ready-to-cut-over", "cname", "inside-dns")
BEFORE_REMOVAL = (*BEFORE_GRACE, "clients-moved", "site-record-removed", "connection-point-removed")
"""The gates that stand before the first DELETE (procedures, cases 1 and 2)."""
RELEASE = "release-name"
"""The step and the request that give a parked name free."""
AFTERMATH = timedelta(seconds=90)
"""How long after a disturbance clients may still feel it: caches, and a connection point's next checks."""
TRIED_AGAIN = ("TryAgain", "ClaimRunsOut", "UnreadableMessage")
"""What an invocation may raise: the message is tried again, and one that is none goes to poison."""
DURATION = re.compile(r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>[\d.]+)S)?)?")
KEYS = re.compile(r"-----BEGIN|PRIVATE KEY|\bMII[A-Za-z0-9+/]{200,}|\beyJ[\w-]{20,}\.[\w-]{20,}\.")
"""PEM, a PFX in base64, a signed token."""


@dataclass(frozen=True)
class Violation:
    """What should not have been, and the rule that forbids it."""

    rule: str
    what: str


def judge(story: Story) -> list[Violation]:
    """Everything that was wrong with a run; nothing where all was well."""
    return [Violation(rule, what) for rule, check in CHECKS.items() for what in check(story)]


def ended_or_waits(story: Story) -> Iterator[str]:
    """Every accepted request ends, waits for a named thing, or calls for a person who can see why."""
    if story.outcome in ENDS:
        return
    if story.outcome == "needs-attention":
        yield from _called_rightly(story)
        return
    waits = story.view.get("waits_for")
    if not isinstance(waits, dict) or not waits.get("reason"):
        yield f"at {story.ended_at} it was {story.outcome} at {story.record['step']} and waited for nothing"
        return
    if not story.queued and not story.record.get("wake_at"):
        yield f"it waits for «{waits['reason']}», but neither a message nor a wake-up will ever look again"
    lately = story.ended_at - timedelta(days=1)
    if not any(each.stops and (each.until is None or each.until > lately) for each in story.disturbances):
        yield f"it still waits for «{waits['reason']}», and nobody keeps that from coming"


def _called_rightly(story: Story) -> Iterator[str]:
    if not any(each.stops for each in story.disturbances):
        problem = story.record["state"].get("problem") if isinstance(story.record["state"], dict) else None
        yield f"a person was called though nothing happened that needs one: {problem}"


def ended_rightly(story: Story) -> Iterator[str]:
    """Each end is one that the request or a person asked for, and the world looks like it."""
    wanted = {each.what for each in story.asked if each.refusal is None}
    gone = story.before.keys() - story.after.keys()
    removed_by_others = _removed_by_others(story)
    match story.outcome:
        case "succeeded":
            if missed := story.to_delete & story.after.keys() - removed_by_others:
                yield f"it succeeded, but {sorted(missed)} are still there"
            yield from _parked_or_released(story)
        case "cancelled" | "rolled-back":
            if {"cancelled": "cancel", "rolled-back": "rollback"}[str(story.outcome)] not in wanted:
                yield f"it was {story.outcome}, and nobody asked for that"
            if lost := gone - removed_by_others:
                yield f"it was {story.outcome}, but {sorted(lost)} are gone"
            if story.old_name and story.public_target != story.old_name and not _dns_was_touched(story):
                yield f"it was {story.outcome}, but {story.service_name} leads to {story.public_target}"
        case "refused":
            if not any(each.stops for each in story.disturbances):
                yield "it was refused though nothing stood against it"
    if story.outcome in ("refused", "cancelled") and (taken := [write for write in story.writes if write.was_taken]):
        yield f"it was {story.outcome}, but {taken[0].method} {taken[0].path} was sent before"


def _parked_or_released(story: Story) -> Iterator[str]:
    """Invariant 8: the address stays alone with its label until its release; then it is gone, unless given up."""
    if not story.parked or story.parked in _removed_by_others(story):
        return
    address = story.after.get(story.parked)
    released = any(state.record["step"] == RELEASE for state in story.ledger)
    given_up = any(each.what == "cancel" and each.refusal is None for each in story.asked)
    if address is None:
        if not released:
            yield f"{story.parked} is gone, and its name was to stay parked"
        return
    if released and not given_up:
        yield f"the name was released, but {story.parked} is still there"
    properties, label = _properties(address), _properties(story.before[story.parked]).get("dnsSettings")
    if properties.get("ipConfiguration") or properties.get("dnsSettings") != label:
        yield f"{story.parked} does not stand alone with its label"


def deleted_by_plan(story: Story) -> Iterator[str]:
    """Nothing is deleted that the plan did not name; on the way back only what this deployment made."""
    for write in story.writes:
        if write.method != "DELETE" or write.status is None:
            continue
        if write.path == story.parked:
            yield from _released_unasked(story, write)
        elif write.path in story.to_delete:
            if _step_at(story, write) == "roll-back":
                yield f"the rollback deleted the old gateway's {write.path}"
        elif write.path in story.before and "/dnszones/" not in write.path:
            yield f"{write.path} was deleted, and no plan named it"
        elif _step_at(story, write) != "roll-back":
            yield f"{write.path} of the new gateway was deleted, and nobody rolled it back"
    strangers = story.before.keys() - story.after.keys() - story.to_delete - {story.parked} - _removed_by_others(story)
    if strangers:
        yield f"{sorted(strangers)} are gone"


def _released_unasked(story: Story, write: Write) -> Iterator[str]:
    """A parked name goes in a release of its own, which a person asks for after the success."""
    succeeded = [state.at for state in story.ledger if state.record["status"] == "succeeded" and state.n < write.n]
    if _step_at(story, write) != RELEASE or not succeeded:
        yield f"{write.path} keeps a parked name and was deleted at {write.at} by {_step_at(story, write)}"
    elif not any(each.what == RELEASE and each.refusal is None and each.at >= succeeded[0] for each in story.asked):
        yield f"{write.path} keeps a parked name and was deleted at {write.at}; nobody had asked for that"


def deleted_under_guard(story: Story) -> Iterator[str]:
    """Invariants 4, 5 and 8 at the very moment of each DELETE of the old gateway, but for what changed in between."""
    for write in story.writes:
        look, goes = write.look, story.to_delete | {story.parked}
        if write.method != "DELETE" or write.path not in goes or look is None:
            continue
        if not write.was_taken or _changed_meanwhile(story, write):
            continue
        where = f"{write.path} was deleted at {write.at}"
        if leading := _led_astray(story, write, look):
            yield f"{where} while {', '.join(leading)} led to {story.old_name}"
        if look.locked:
            yield f"{where} though a lock protected it"
        if write.path in _removed_by_others(story):
            yield f"{where}, but it was made anew by somebody after the plan"
        if write.path == story.parked:
            continue
        if shortfall := _grace_missing(story, write):
            yield f"{where}, {shortfall}"
        if closed := _closed_gates(story, write):
            yield f"{where} while {', '.join(closed)} were closed"
        if look.healthy != story.request.get("instances"):
            yield f"{where} while {look.healthy} of {story.request.get('instances')} new instances were healthy"
        if not look.new_relays:
            yield f"{where} while the new gateway did not relay"


def _led_astray(story: Story, write: Write, look: Look) -> list[str]:
    """Records that may not lead to the old name any more. While that stays parked, others than the clients' may."""
    if not story.parked or write.path == story.parked:
        return list(look.leading_to_old)
    label = story.service_name.split(".")[0]
    return [name for name in look.leading_to_old if name.rsplit("/")[-1].lower() == label]


def _grace_missing(story: Story, write: Write) -> str:
    """By the world's own record of DNS: how long the service name led elsewhere than to the old gateway."""
    wanted = max(duration(str(story.request.get("grace_period", "PT24H"))), story.minimum_grace)
    changes = [at for at, target in story.dns_changes if target != story.old_name and at <= write.at]
    first_over = changes[0] if changes else write.at
    if write.at - first_over < wanted:
        return f"{write.at - first_over} after the cut-over; the grace period is {wanted}"
    ends = _state_at(story, write).get("grace_ends_at")
    if not isinstance(ends, str) or write.at < datetime.fromisoformat(ends):
        return f"and the ledger says that the grace period ends at {ends}"
    return ""


def _closed_gates(story: Story, write: Write) -> list[str]:
    gates = _state_at(story, write).get("gates")
    listed = [gate for gate in gates if isinstance(gate, dict)] if isinstance(gates, list) else []
    return [str(gate["name"]) for gate in listed if gate["name"] in BEFORE_REMOVAL and not gate.get("opened_at")]


def always_relayed(story: Story) -> Iterator[str]:
    """A client whose gateway relayed before finds one at every moment after, but for what others did."""
    cuts = [each for each in story.disturbances if each.cuts_clients]
    unexplained = [at for at in _failures(story) if not any(_covers(cut, at) for cut in cuts)]
    if unexplained:
        yield f"{len(unexplained)} attempts of clients found no gateway, the first at {unexplained[0]}"
    if story.old_name and story.attempts < 20:
        yield f"only {story.attempts} attempts of clients were seen: too few to say anything"


def _failures(story: Story) -> list[datetime]:
    """Attempts that failed, but for those after somebody had the only gateway taken back: a new one has none to
    go back to."""
    taken_back = [each.at for each in story.asked if each.what == "rollback" and each.refusal is None]
    if story.old_name or not taken_back:
        return list(story.failed_at)
    return [at for at in story.failed_at if at < taken_back[0]]


def no_stale_write(story: Story) -> Iterator[str]:
    """Invariant 1: who writes in Azure holds the claim, at the revision of its message, at that moment."""
    for write in story.writes:
        run, state = story.runs.get(write.invocation), _ledger_at(story, write)
        where = f"{write.method} {write.path} at {write.at} by {write.invocation}"
        if run is None or state is None:
            yield f"{where}: it came from no message"
            continue
        claim = state.record.get("claim")
        if state.record["revision"] != run.revision:
            yield f"{where}: its message has revision {run.revision}, the ledger {state.record['revision']}"
        elif not isinstance(claim, dict) or claim["invocation"] != write.invocation:
            if not _time_is_bent(story, write.at):
                yield f"{where}: the claim is {claim['invocation'] if isinstance(claim, dict) else 'nobody'}'s"
        elif datetime.fromisoformat(str(claim["until"])) <= write.at and not _time_is_bent(story, write.at):
            yield f"{where}: its claim ended at {claim['until']}"


def revisions_grow_by_one(story: Story) -> Iterator[str]:
    """Each save is made on the record before it. An ended deployment is saved again only to release a parked name."""
    for before, after in pairwise(story.ledger):
        grown = _revision(after) - _revision(before)
        if grown not in (0, 1):
            yield f"revision {_revision(before)} was followed by {_revision(after)}"
        is_release = before.record["status"] == "succeeded" and after.record["step"] == RELEASE and story.parked
        if grown and before.record["status"] in ENDS and not is_release:
            yield f"it was saved as {after.record['status']} after it had ended {before.record['status']}"


def no_secret(story: Story) -> Iterator[str]:
    """Invariant 6."""
    for where, text in story.told.items():
        if found := KEYS.search(text):
            yield f"{where} holds what looks like a secret: {found.group()[:12]}…"
        if any(secret in text for secret in story.secrets):
            yield f"{where} holds a password or token that went over the wire"


def no_orphan(story: Story) -> Iterator[str]:
    """What carries the deployment's tag exists exactly if the outcome says so; never two of a kind."""
    ours = [id for id, body in story.after.items() if _owner(body) == story.deployment_id]
    types = sorted(type_of(id) for id in ours)
    if story.outcome == "succeeded" and types != sorted(NEW_TYPES):
        yield f"it succeeded, and of its own there are {sorted(ours)}"
    if story.outcome in ("refused", "cancelled", "rolled-back") and ours:
        yield f"it was {story.outcome} and left {sorted(ours)} behind"
    if len(set(types)) != len(types):
        yield f"there are two of a kind: {sorted(ours)}"
    made = [
        write.path
        for write in story.writes
        if write.method == "PUT" and write.status == 201 and type_of(write.path) == NEW_TYPES[-1]
    ]
    if len(made) > 1:
        yield f"a scale set was made {len(made)} times: {made}"


def explained(story: Story) -> Iterator[str]:
    """Every failure tells what happened, where, and what to do next; no call ends without a reason."""
    for state in story.ledger:
        if state.record["status"] in ("refused", "needs-attention"):
            yield from _unexplained(f"status {state.record['status']}", state.view.get("problem"))
    final = story.record["status"]
    if final == "needs-attention" and not story.view.get("can"):
        yield "it needs attention, and nothing is offered that could be asked of it"
    for call in story.asked:
        if call.refusal is not None:
            yield from _unexplained(f"the refusal of «{call.what}»", call.refusal)
    for error in story.errors:
        if not any(known in error for known in TRIED_AGAIN):
            yield f"an invocation raised what nobody foresaw: {error[:300]}"


def _unexplained(where: str, problem: object) -> Iterator[str]:
    if not isinstance(problem, dict):
        yield f"{where} comes without a problem"
        return
    missing = [member for member in ("title", "detail", "cure") if not str(problem.get(member) or "").strip()]
    if missing:
        yield f"{where}, «{problem.get('title')}», lacks {', '.join(missing)}"
    if "Traceback" in str(problem):
        yield f"{where} shows a traceback"


CHECKS: dict[str, Callable[[Story], Iterable[str]]] = {
    "every request ends or waits for a named thing": ended_or_waits,
    "each end is right": ended_rightly,
    "nothing deleted outside the plan": deleted_by_plan,
    "nothing deleted but under the guard": deleted_under_guard,
    "a gateway relayed at every moment": always_relayed,
    "no write with an old revision": no_stale_write,
    "revisions grow by one": revisions_grow_by_one,
    "no secret anywhere": no_secret,
    "no orphan resource": no_orphan,
    "every failure is explained": explained,
}


def duration(text: str) -> timedelta:
    """An ISO 8601 duration of days and shorter. Raises ValueError for anything else."""
    found = DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"«{text}» is no duration")
    return timedelta(**{name: float(value) for name, value in found.groupdict().items() if value})


def _ledger_at(story: Story, write: Write) -> LedgerState | None:
    return next((state for state in reversed(story.ledger) if state.n < write.n), None)


def _step_at(story: Story, write: Write) -> str:
    state = _ledger_at(story, write)
    return str(state.record["step"]) if state else ""


def _state_at(story: Story, write: Write) -> JsonObject:
    state = _ledger_at(story, write)
    found = state.record["state"] if state else {}
    return found if isinstance(found, dict) else {}


def _properties(body: JsonObject) -> JsonObject:
    found = body.get("properties")
    return found if isinstance(found, dict) else {}


def _revision(state: LedgerState) -> int:
    revision = state.record["revision"]
    return revision if isinstance(revision, int) else -1


def _changed_meanwhile(story: Story, write: Write) -> bool:
    """Whether something happened between the run's beginning and its DELETE: no look can see that."""
    run = story.runs.get(write.invocation)
    return run is not None and any(run.began <= each.at <= write.at for each in story.disturbances)


def _covers(disturbance: Disturbance, at: datetime) -> bool:
    until = disturbance.until or datetime.max.replace(tzinfo=at.tzinfo)
    return disturbance.at <= at and at - AFTERMATH <= until


def _time_is_bent(story: Story, at: datetime) -> bool:
    return any(each.bends_time and _covers(each, at) for each in story.disturbances)


def _dns_was_touched(story: Story) -> bool:
    return any("record" in each.what for each in story.disturbances)


def _removed_by_others(story: Story) -> frozenset[str]:
    return frozenset().union(*(each.removes for each in story.disturbances))


def _owner(body: JsonObject) -> object:
    tags = body.get("tags")
    return tags.get(OWNER_TAG) if isinstance(tags, dict) else None


def type_of(id: str) -> str:
    """A top-level resource's type; empty for anything else."""
    parts = id.split("/")
    return "/".join(parts[6:8]) if len(parts) == 9 else ""

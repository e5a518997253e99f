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
from local.chaos.gates import gates_of_the_case, opened_rightly
from local.chaos.guarding import (
    asked_under_guard,
    deleted_by_plan,
    deleted_under_guard,
    others_left_alone,
    records_changed_rightly,
    taken_back_rightly,
)
from local.chaos.reading import (
    ENDS,
    NEW_TYPES,
    RELEASE,
    SCALE_SET,
    covers,
    granted,
    ledger_at,
    owner,
    removed_by_others,
    type_of,
)
from local.chaos.relaying import always_relayed, gap_as_consented
from local.chaos.story import LedgerState, Story

TRIED_AGAIN = ("TryAgain", "ClaimRunsOut", "UnreadableMessage")
"""What an invocation may raise: the message is tried again, and one that is none goes to poison."""
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
    gone = story.before.keys() - story.after.keys()
    by_others = removed_by_others(story)
    match story.outcome:
        case "succeeded":
            if missed := story.to_delete & story.after.keys() - by_others:
                yield f"it succeeded, but {sorted(missed)} are still there"
            yield from _parked_or_released(story)
        case "cancelled" | "rolled-back":
            if not any(granted(story, {"cancelled": "cancel", "rolled-back": "rollback"}[str(story.outcome)])):
                yield f"it was {story.outcome}, and nobody asked for that"
            if lost := gone - by_others:
                yield f"it was {story.outcome}, but {sorted(lost)} are gone"
            is_ours = story.record_id or story.case.moves_the_name
            if is_ours and story.public_target != story.target_before and not _dns_was_touched(story):
                yield f"it was {story.outcome}, but {story.service_name} leads to {story.public_target or 'nothing'}"
        case "refused":
            if not story.to_be_refused and not any(each.stops for each in story.disturbances):
                yield "it was refused though nothing stood against it"
    if story.to_be_refused and story.record["step"] != "preflight":
        yield f"it came to {story.record['step']}, and was to be refused"
    if story.outcome in ("refused", "cancelled") and (taken := [write for write in story.writes if write.was_taken]):
        yield f"it was {story.outcome}, but {taken[0].method} {taken[0].path} was sent before"


def _parked_or_released(story: Story) -> Iterator[str]:
    """Invariant 8: the address stays alone with its label until its release; then it is gone, unless given up."""
    if not story.parked or story.parked in removed_by_others(story):
        return
    address = story.after.get(story.parked)
    released = any(state.record["step"] == RELEASE for state in story.ledger)
    given_up = any(granted(story, "cancel"))
    if address is None:
        if not released:
            yield f"{story.parked} is gone, and its name was to stay parked"
        return
    if released and not given_up:
        yield f"the name was released, but {story.parked} is still there"
    properties, label = _properties(address), _properties(story.before[story.parked]).get("dnsSettings")
    if properties.get("ipConfiguration") or properties.get("dnsSettings") != label:
        yield f"{story.parked} does not stand alone with its label"


def no_stale_write(story: Story) -> Iterator[str]:
    """Invariant 1: who writes in Azure holds the claim, at the revision of its message, at that moment."""
    for write in story.writes:
        run, state = story.runs.get(write.invocation), ledger_at(story, write)
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
    ours = [id for id, body in story.after.items() if owner(body) == story.deployment_id]
    types = sorted(type_of(id) for id in ours)
    makes = sorted(NEW_TYPES) if story.request.get("provisioned_by") == "automation" else []
    if story.outcome == "succeeded" and types != makes:
        yield f"it succeeded, and of its own there are {sorted(ours)}"
    if story.outcome in ("refused", "cancelled", "rolled-back") and ours:
        yield f"it was {story.outcome} and left {sorted(ours)} behind"
    if len(set(types)) != len(types):
        yield f"there are two of a kind: {sorted(ours)}"
    made = [
        write.path
        for write in story.writes
        if write.method == "PUT" and write.status == 201 and type_of(write.path) == SCALE_SET
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
    "nothing asked of the site but under the guard": asked_under_guard,
    "nothing of others changed": others_left_alone,
    "records change only as the case allows": records_changed_rightly,
    "the way back is safe": taken_back_rightly,
    "the gates are the case's": gates_of_the_case,
    "gates open when it is so": opened_rightly,
    "a gateway relayed at every moment": always_relayed,
    "a gap only as foretold and accepted": gap_as_consented,
    "no write with an old revision": no_stale_write,
    "revisions grow by one": revisions_grow_by_one,
    "no secret anywhere": no_secret,
    "no orphan resource": no_orphan,
    "every failure is explained": explained,
}


def _properties(body: JsonObject) -> JsonObject:
    found = body.get("properties")
    return found if isinstance(found, dict) else {}


def _revision(state: LedgerState) -> int:
    revision = state.record["revision"]
    return revision if isinstance(revision, int) else -1


def _time_is_bent(story: Story, at: datetime) -> bool:
    return any(each.bends_time and covers(each, at) for each in story.disturbances)


def _dns_was_touched(story: Story) -> bool:
    return any("record" in each.what for each in story.disturbances)

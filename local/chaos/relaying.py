"""What the judge says of clients: one finds a gateway that relays at every moment, but for a gap that was foretold,
consented to, and no longer than that."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cmg_core.domain.values import at, text_at
from local.chaos.cases import Case
from local.chaos.gates import asked_since
from local.chaos.reading import between, covers, duration, granted
from local.chaos.story import Disturbance, Story

CHANNEL_CHECK = timedelta(minutes=1)
"""How often a connection point looks whether its channel stands: so long it may take to follow a name."""
HOLD = timedelta(minutes=10)
"""How long a dead host's message stays hidden: so long nobody is asked to let the inside view follow."""
LONGEST_LOOK = timedelta(minutes=15)
"""How long the change of a record that is others' to change may go unseen."""
AT_ONCE = timedelta(seconds=30)
"""Within which a gap's other end is to be asked for."""
FEWEST_ATTEMPTS = 20


def always_relayed(story: Story) -> Iterator[str]:
    """A client whose gateway relayed before finds one at every moment after, but for what others did, and for a gap
    that was consented to."""
    cuts = [each for each in story.disturbances if each.cuts_clients or _met_the_change(story, each)]
    gaps = _gaps(story)
    unexplained = [
        moment
        for moment in _failures(story)
        if not any(covers(cut, moment) for cut in cuts) and not any(began <= moment <= ends for began, ends in gaps)
    ]
    if unexplained:
        yield f"{len(unexplained)} attempts of clients found no gateway, the first at {unexplained[0]}"
    if story.old_name and not story.old_is_gone and story.attempts < FEWEST_ATTEMPTS:
        yield f"only {story.attempts} attempts of clients were seen: too few to say anything"


def _met_the_change(story: Story, disturbance: Disturbance) -> bool:
    """Whether it came after a run's look and before that run led the record over: no look can see that."""
    return any(
        write.look.connected_when_dialed and between(story, disturbance, write)
        for write in story.writes
        if write.path == story.record_id and write.was_taken and write.look is not None
        if write.target not in ("", write.look.public_target)
    )


def _failures(story: Story) -> list[datetime]:
    """Attempts that failed, but for those after somebody had the only gateway taken back: a new one has none to
    go back to."""
    taken_back = list(granted(story, "rollback"))
    if (story.old_name and not story.old_is_gone) or not taken_back:
        return list(story.failed_at)
    return [moment for moment in story.failed_at if moment < taken_back[0]]


def _gaps(story: Story) -> list[tuple[datetime, datetime]]:
    """When clients may find none because somebody consented to that: from the moment at which the public and the inside
    view part, until both agree again and the time is over that following takes."""
    if story.case is not Case.GAP_ACCEPTED:
        return []
    # Of one moment the public view's come first, each view's in their order: the inside view follows.
    changes = sorted(
        [(moment, "public", target) for moment, target in story.dns_changes]
        + [(moment, "inside", target) for moment, target in story.inside_changes],
        key=lambda change: change[0],
    )
    views, gaps, since = {"public": story.old_name, "inside": story.old_name}, [], None
    for moment, view, target in changes:
        views[view] = target
        if views["public"] != views["inside"]:
            since = since or moment
        elif since is not None:
            gaps.append((since, moment + usual(story)))
            since = None
    return [*gaps, (since, story.ended_at)] if since is not None else gaps


def foretold(story: Story) -> timedelta:
    """How long a gap the plan foretold, at the longest."""
    told = story.view.get("foretold_gap_s")
    return timedelta(seconds=told if isinstance(told, int | float) else 0)


def usual(story: Story) -> timedelta:
    """How long following takes, as the plan foretold it."""
    return duration(text_at(story.record, "state", "plan", "usual_gap") or "PT0S")


def gap_as_consented(story: Story) -> Iterator[str]:
    """A gap only where somebody accepted it; foretold as the procedures count it, and not longer than was accepted.
    The product does not make it longer than people and connection points do."""
    if story.outcome == "refused" or at(story.record, "state", "plan") is None:
        return
    gap = foretold(story)
    if story.case is not Case.GAP_ACCEPTED:
        if gap:
            yield f"a gap of {gap} was foretold where there is none: {story.case}"
        return
    accepted = duration(str(story.request["accept_gap"]))
    if gap > accepted:
        yield f"a gap of {gap} was foretold, and {accepted} were accepted"
    held = duration(str(at(story.request, "old_gateway", "inside_ttl") or "PT0S"))
    if usual(story) < held + CHANNEL_CHECK:
        yield f"a gap of {usual(story)} was foretold; until a connection point follows it takes {held + CHANNEL_CHECK}"
    unasked = HOLD if story.record_id else HOLD + LONGEST_LOOK
    if gap < usual(story) + unasked:
        yield f"a gap of {gap} was foretold; where a host dies, nobody is asked to follow for {unasked} more"
    yield from _prolonged(story)


def _prolonged(story: Story) -> Iterator[str]:
    if story.hindered or story.disturbances:
        return
    flipped = next((moment for moment, target in story.dns_changes if target not in ("", story.old_name)), None)
    asked = asked_since(story, "inside-dns")
    if flipped is not None and (asked is None or asked - flipped > AT_ONCE):
        yield f"the gap began at {flipped}; the inside view was asked to follow at {asked}"

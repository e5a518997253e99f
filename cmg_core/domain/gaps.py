"""The gap that somebody may accept: how long clients may find no gateway that relays.

docs/procedures.md, "With a gap that was accepted".
"""

from datetime import timedelta

from cmg_core.domain.cases import Case
from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.gates import LONGEST_LOOK
from cmg_core.domain.problems import Finding
from cmg_core.domain.record import MESSAGE_HOLD
from cmg_core.domain.record_sets import low_ttl
from cmg_core.domain.requests import MigrationRequest, Request
from cmg_core.domain.values import iso_duration

CHANNEL_CHECK = timedelta(minutes=1)
"""How often a connection point checks its channel (security-and-privacy-for-cmg): so long it may take to follow."""


def usual_gap(request: Request, case: Case | None, record_ttl: timedelta) -> timedelta:
    """How long clients may find no gateway that relays, where the inside view follows at once: nothing but where a gap
    is accepted.

    Clients that have the new answer wait until the connection point has forgotten the old one and has dialed anew;
    those that still hold the old answer find nobody there from then on until it has run out.
    """
    if case is not Case.GAP_ACCEPTED or not isinstance(request, MigrationRequest):
        return timedelta()
    inside = request.old_gateway.inside_ttl or record_ttl
    outside = low_ttl(record_ttl) if request.dns is not None else record_ttl
    return max(inside + CHANNEL_CHECK, outside)


def longest_gap(request: Request, usual: timedelta) -> timedelta:
    """How long it may last at the longest: a host that dies between the change of the record and its save has asked
    nobody to let the inside view follow, and another one goes on when the hold on the message ends.

    Where others change the record, the app may see it as late as at its next look.
    """
    if not usual:
        return timedelta()
    seen = timedelta() if request.dns is not None else LONGEST_LOOK
    return usual + seen + MESSAGE_HOLD


def judge_gap(request: Request, usual: timedelta) -> tuple[Finding, ...]:
    """Whether the gap that is foretold is one that somebody has accepted, at its longest."""
    if not usual or not isinstance(request, MigrationRequest) or request.accept_gap is None:
        return ()
    gap = longest_gap(request, usual)
    how = (
        "Until the connection point has followed the name to the new gateway, that one cannot relay. Where the inside "
        f"view follows at the moment at which the record changes, that takes up to {iso_duration(usual)}. "
        f"{_what_makes_it_longer(request)}"
    )
    ways = (
        "Without `accept_gap` the gap is closed beforehand by a second connection point. Lower the inside view's TTL "
        "ahead and say so in `old_gateway.inside_ttl` to make it shorter, and let the inside view follow as soon as "
        "the public record has changed, without waiting to be asked."
    )
    if gap > request.accept_gap:
        return (
            blocks(
                "gap-longer-than-accepted",
                f"{how} At the longest {iso_duration(gap)}; accepted are {iso_duration(request.accept_gap)}.",
                f"Accept at least {iso_duration(gap)}. {ways}",
                pointer="/accept_gap",
            ),
        )
    return (warns("gap-foretold", f"{how} Clients may find no gateway for {iso_duration(gap)} at the longest.", ways),)


def _what_makes_it_longer(request: Request) -> str:
    hold = f"{iso_duration(MESSAGE_HOLD)} later"
    if request.dns is not None:
        return f"A host that dies at that moment has not asked for it yet: another one does, {hold}."
    return (
        f"The app asks for it when it sees the change: {iso_duration(LONGEST_LOOK)} later at the latest (`check` looks "
        f"now), or, where a host dies at that moment, another {hold}."
    )

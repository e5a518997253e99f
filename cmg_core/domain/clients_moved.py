"""Whether the clients are over: the evidence behind the gate ``clients-moved`` (docs/procedures.md; rule S9).

Figures only, never names of devices. The denominator are internet clients that were active lately, the numerator those
of them that know the new gateway or have used it.
"""

from datetime import datetime

from cmg_core.domain.record import ClientFigures, State
from cmg_core.domain.requests import ClientsMoved

KEPT = 30
"""How many reports a deployment keeps: a month of daily ones."""

RESCUE_ROUTE = (
    "A client that knows no gateway any more reads the value CMGFQDNs (REG_SZ, «https://» and the new service name) "
    "below HKLM\\SOFTWARE\\Microsoft\\CCM every 25 hours, when its service starts and when its network changes: set it "
    "by Intune or any other tool that reaches the device."
)
"""configure-clients-for-cmg: the way back for devices that were off too long."""


def why_not_enough(figures: ClientFigures, wanted: ClientsMoved) -> str:
    """What the figures lack; empty where they show that the clients are over. Nought of nought shows nothing."""
    if figures.active < wanted.minimum_sample:
        return (
            f"{figures.active} active clients are too few to say anything: {wanted.minimum_sample} are asked for "
            f"(active within {wanted.active_days} days)."
        )
    if figures.share < wanted.share:
        return (
            f"{figures.moved} of {figures.active} clients ({figures.share:.1%}) know the new gateway; "
            f"{wanted.share:.1%} are asked for: {figures.missing} are missing."
        )
    return ""


def deadline_of(state: State) -> datetime | None:
    """From when on a person may go on without the stragglers; None where that needs no waiting, or has not begun."""
    wanted, began = state.request.gates.clients_moved, state.grace_started_at
    return began + wanted.deadline if wanted and wanted.deadline and began else None


def why_no_decision(state: State, at: datetime) -> str:
    """Why a person may not go on without figures at that moment; empty where they may."""
    deadline = deadline_of(state)
    if deadline is None or at >= deadline:
        return ""
    return (
        f"Until {deadline.isoformat()} only figures open it: send `payload` with `active` and `moved`. After that a "
        "person may decide to go on without the clients that are missing."
    )


def seen_of(state: State) -> str:
    """What the last figures say, for a person who watches the gate."""
    wanted = state.request.gates.clients_moved
    if wanted is None or not state.client_figures:
        return "No figures have come yet."
    last = state.client_figures[-1]
    lacking = why_not_enough(last, wanted) or f"{last.share:.1%} of {last.active} clients know the new gateway."
    silent = f" The longest silent was last heard of on {last.silent_since:%Y-%m-%d}." if last.silent_since else ""
    return f"At {last.at:%Y-%m-%d %H:%M} UTC: {lacking}{silent}"

"""How to go back from a plan, and until when (docs/procedures.md, "Rollback"). One place for every case."""

from dataclasses import dataclass
from datetime import timedelta

from cmg_core.domain.cases import Case
from cmg_core.domain.durations import in_words
from cmg_core.domain.gates import GateName
from cmg_core.domain.plans import Plan


@dataclass(frozen=True)
class WayBack:
    """``possible_until`` is empty where there is none; ``why_not`` says why there is none, or none after that."""

    possible_until: str
    why_not: str
    how: tuple[str, ...] = ()
    """What happens, in order; each part begins only when the one before it is true."""


MADE_ON_THE_WAY = ("provision-network", "provision-scale-set")
REMOVES = "retire-old-gateway"

_NOT_LATER = (
    "From then on the old gateway's record in the site, its connection point or its resources may be gone: without "
    "them there is no gateway to go back to."
)


_NOTHING_LED_OVER = (
    "The plan only removes: it leads nobody over and makes nothing. Until the removal begins it can be cancelled, and "
    "the old gateway stays."
)


def way_back(plan: Plan) -> WayBack:
    """The way back that a plan leaves, by its steps and gates."""
    if plan.case is Case.RETIREMENT:
        return WayBack("", _NOTHING_LED_OVER)
    if plan.old_gateway is not None and plan.old_gateway.gone:
        return WayBack(
            "the cut-over begins",
            "The old gateway was gone before the plan was made: once clients are led over there is none to go back to.",
            _made_goes(makes=any(step in plan.steps for step in MADE_ON_THE_WAY)),
        )
    if not plan.steps:
        return WayBack("", "The plan has no steps: there is nothing to go back from.")
    makes = any(step in plan.steps for step in MADE_ON_THE_WAY)
    if REMOVES not in plan.steps:
        return WayBack(
            "the deployment has succeeded",
            "After that nothing of it is removed by the app: the gateway serves.",
            (*_record_away(plan), *_made_goes(makes=makes)),
        )
    return WayBack(_until(plan), _NOT_LATER, (*_to_the_old_one(plan), *_made_goes(makes=makes)))


def _until(plan: Plan) -> str:
    asked = _first_of_no_return(plan)
    when = f"the gate {asked} is asked for" if asked else "the removal of the old gateway begins"
    grace = plan.grace_period or timedelta()
    return f"{when}: not before the grace period of {in_words(grace)} is over" if grace else when


def _first_of_no_return(plan: Plan) -> GateName | None:
    """The first gate in the plan with which something of the old gateway goes."""
    last = (GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED)
    return next((gate.name for gate in plan.gates if gate.name in last), None)


def _to_the_old_one(plan: Plan) -> tuple[str, ...]:
    gates = {gate.name for gate in plan.gates}
    inside = "Whoever holds the inside DNS leads the service name to the old gateway again, where it had followed."
    public = (
        "The service name's record leads to the old gateway again: the app changes it back, or the zone's holder does. "
        "Then the new answer's TTL runs out."
    )
    if plan.has_two_names:
        return (
            "The app sees that the old gateway relays under its own service name: clients know both.",
            *_record_away(plan),
        )
    gap = (f"Clients may find no gateway for up to {in_words(plan.foretold_gap)} again.",) if plan.foretold_gap else ()
    return (
        *gap,
        *((inside,) if GateName.INSIDE_DNS in gates else ()),
        "The app sees that the old gateway is the one of the plan and relays.",
        *((public,) if GateName.CNAME in gates else ()),
        "The app sees that the old gateway relays under its service name.",
    )


def _record_away(plan: Plan) -> tuple[str, ...]:
    if not any(gate.name is GateName.CNAME for gate in plan.gates):
        return ()
    return ("The new service name's record goes: the app removes it, or the zone's holder does.",)


def _made_goes(*, makes: bool) -> tuple[str, ...]:
    if not makes:
        return ("The new gateway stays: this deployment did not make it.",)
    return (
        "What this deployment made and tagged is removed, never while a record leads to it. Resource group, registered "
        "providers, vault and everything of the old gateway stay.",
    )

"""How the judge reads a story: what the ledger said at a moment, which of the calls were granted, what is excused."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from cmg_core.domain.values import JsonObject, objects_at
from local.chaos.story import AskedOfSite, Disturbance, LedgerState, Story, Write

ENDS = ("succeeded", "refused", "cancelled", "rolled-back")
OWNER_TAG = "cmg-deployment"
ADDRESS = "microsoft.network/publicipaddresses"
SCALE_SET = "microsoft.compute/virtualmachinescalesets"
NEW_TYPES = (
    "microsoft.network/networksecuritygroups",
    "microsoft.network/virtualnetworks",
    ADDRESS,
    "microsoft.network/loadbalancers",
    SCALE_SET,
)
"""What a gateway on a scale set is made of: one of each."""
RELEASE, ROLL_BACK = "release-name", "roll-back"
"""The steps that give a parked name free, and that take back; the first is a person's word, too."""
AFTERMATH = timedelta(seconds=90)
"""How long after a disturbance clients may still feel it: caches, and a connection point's next checks."""
DURATION = re.compile(r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>[\d.]+)S)?)?")


def duration(text: str) -> timedelta:
    """An ISO 8601 duration of days and shorter. Raises ValueError for anything else."""
    found = DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"«{text}» is no duration")
    return timedelta(**{name: float(value) for name, value in found.groupdict().items() if value})


def ledger_at(story: Story, moment: Write | AskedOfSite) -> LedgerState | None:
    """What the ledger held at that moment."""
    return next((state for state in reversed(story.ledger) if state.n < moment.n), None)


def step_at(story: Story, moment: Write | AskedOfSite) -> str:
    """The step that the ledger named at that moment."""
    state = ledger_at(story, moment)
    return str(state.record["step"]) if state else ""


def state_at(story: Story, moment: Write | AskedOfSite) -> JsonObject:
    """The deployment's state at that moment."""
    found = ledger_at(story, moment)
    state = found.record["state"] if found else {}
    return state if isinstance(state, dict) else {}


def gates_in(state: LedgerState) -> list[JsonObject]:
    """The gates of one record."""
    return objects_at(state.record, "state", "gates")


def granted(story: Story, what: str) -> Iterator[datetime]:
    """When somebody asked for this and was not refused."""
    return (each.at for each in story.asked if each.what == what and each.refusal is None)


def changed_meanwhile(story: Story, moment: Write | AskedOfSite) -> bool:
    """Whether something happened between the run's beginning and this: no look can see that."""
    return any(between(story, each, moment) for each in story.disturbances)


def between(story: Story, disturbance: Disturbance, moment: Write | AskedOfSite) -> bool:
    """Whether this one did."""
    run = story.runs.get(moment.invocation)
    return run is not None and run.began <= disturbance.at <= moment.at


def covers(disturbance: Disturbance, at: datetime) -> bool:
    """Whether something that happened may still be felt at that moment."""
    until = disturbance.until or datetime.max.replace(tzinfo=at.tzinfo)
    return disturbance.at <= at and at - AFTERMATH <= until


def removed_by_others(story: Story) -> frozenset[str]:
    """What somebody else removed or made anew."""
    return frozenset().union(*(each.removes for each in story.disturbances))


def owner(body: JsonObject) -> object:
    """The deployment whose tag a resource carries."""
    tags = body.get("tags")
    return tags.get(OWNER_TAG) if isinstance(tags, dict) else None


def type_of(id: str) -> str:
    """A top-level resource's type; empty for anything else."""
    parts = id.split("/")
    return "/".join(parts[6:8]) if len(parts) == 9 else ""

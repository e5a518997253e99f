"""What the judge says of gates: a plan has those of its case, and they open only when what they stand for is so."""

from collections.abc import Iterator
from datetime import datetime

from cmg_core.domain.values import Json, JsonObject, at
from local.chaos.cases import gates_of
from local.chaos.reading import ROLL_BACK, duration, gates_in
from local.chaos.story import Asked, LedgerState, Story

OBSERVED = "observation"
SMALLEST_SAMPLE = 20
"""Active clients, below which figures say nothing, where the request does not name a number."""


def gates_of_the_case(story: Story) -> Iterator[str]:
    """A plan that can be carried out holds exactly the gates of its case, at every moment."""
    expected = gates_of(story.request, story.case, story.service_name)
    for state in story.ledger:
        if at(state.record, "state", "plan") is None or state.record["status"] == "refused":
            continue
        names = [str(gate["name"]) for gate in gates_in(state)]
        if sorted(names) != sorted(expected):
            yield f"{story.case} has the gates {sorted(expected)}; at {state.at} there were {sorted(names)}"
            return


def opened_rightly(story: Story) -> Iterator[str]:
    """What the app saw was so, and what people open somebody has opened."""
    seen = set[tuple[str, str]]()
    for state in story.ledger:
        for gate in gates_in(state):
            name, opened_at = str(gate["name"]), str(gate.get("opened_at") or "")
            if not opened_at or (name, opened_at) in seen:
                continue
            seen.add((name, opened_at))
            if not _is_so(story, name, gate.get("opened_by"), state):
                yield f"the gate {name} was opened by {gate.get('opened_by')} at {state.at}, and it was not so"


def _is_so(story: Story, name: str, opened_by: Json, state: LedgerState) -> bool:
    if opened_by != OBSERVED:
        calls = [each for each in story.asked if each.what == f"open {name}" and each.refusal is None]
        return any(each.at <= state.at and _suffices(story, name, each) for each in calls)
    if name == "connection-point-connected":
        return story.connected_at is not None and story.connected_at <= state.at
    if name == "cname":
        on_the_way_back = state.record["step"] == ROLL_BACK
        led_over = (then for then, target in story.dns_changes if target not in ("", story.old_name))
        return on_the_way_back or any(then <= state.at for then in led_over)
    return False


def _suffices(story: Story, name: str, call: Asked) -> bool:
    """Whether the figures of a call show that the clients are over; after the deadline a person may go on without."""
    wanted = at(story.request, "gates", "clients-moved")
    if name != "clients-moved" or not isinstance(wanted, dict):
        return True
    if call.payload is not None:
        return _shows(wanted, call.payload)
    deadline = wanted.get("deadline")
    return deadline is None or (story.relayed_at is not None and call.at >= story.relayed_at + duration(str(deadline)))


def _shows(wanted: JsonObject, figures: JsonObject) -> bool:
    """Nought of nought shows nothing, nor does a handful."""
    active, moved = _number(figures.get("active")), _number(figures.get("moved"))
    return active >= max(_number(wanted.get("minimum_sample")) or SMALLEST_SAMPLE, 1) and moved >= active * _number(
        wanted["share"]
    )


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def asked_since(story: Story, gate: str) -> datetime | None:
    """When the ledger first showed that a gate was asked for."""
    asked = (
        state.at for state in story.ledger for each in gates_in(state) if each["name"] == gate and each.get("asked_at")
    )
    return next(asked, None)

"""How a step waits at a gate, and how it notes one that it saw open."""

from dataclasses import replace
from datetime import datetime, timedelta

from cmg_core.domain.gates import OBSERVATION, Gate, GateName, Opener, seen_open, until_next_look
from cmg_core.domain.outcomes import Done, Wait
from cmg_core.domain.record import State

PERSONS_LOOK = timedelta(hours=12)
"""A person's call sends its own message; this look only proves that the deployment is alive."""

LONGEST_TRY = timedelta(minutes=1)


def is_closed(state: State, name: GateName) -> bool:
    """Whether the plan holds this gate and it is not open yet."""
    gate = state.gate(name)
    return gate is not None and not gate.is_open


def wait_at(state: State, name: GateName, now: datetime, seen: str = "") -> Wait:
    """Wait at a closed gate of the plan. ``seen`` is what the app observed, where it observes."""
    gate = state.gate(name)
    if gate is None:
        raise ValueError(f"the plan has no gate {name}")
    asked: Gate = gate if gate.asked_at else replace(gate, asked_at=now)
    state = state.with_gate(asked)
    waited = now - (asked.asked_at or now)
    after = PERSONS_LOOK if gate.opener is Opener.PERSON else until_next_look(waited)
    return Wait(state, after, f"{gate.what_to_do} {seen}".strip(), gate=name)


def until_next_try(state: State, now: datetime) -> timedelta:
    """How long to wait before looking again at what nobody is asked for: the longer it lasts, the longer, at most
    ``LONGEST_TRY``."""
    waiting = state.waiting
    goes_on = waiting is not None and waiting.gate is None and not waiting.grace
    since = waiting.since if waiting is not None and goes_on else now
    return min(until_next_look(now - since), LONGEST_TRY)


def opened_by_observation(state: State, name: GateName, now: datetime, seen: str) -> Done:
    """Go on past a gate that the app saw open, and tell so."""
    gate = state.gate(name)
    if gate is None:
        return Done(state)
    opened = replace(gate, asked_at=gate.asked_at or now, opened_at=now, opened_by=OBSERVATION, reason=seen)
    return Done(state.with_gate(opened), (seen_open(name, seen),))

"""The deletion guard: what must hold at the very moment before anything of the old gateway goes (invariants 4, 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cmg_core.domain.gates import GateName
from cmg_core.domain.health import Health
from cmg_core.domain.locks import locks_against_deletion
from cmg_core.domain.old_gateway import immutable_id, users_of
from cmg_core.domain.plans import Part, Plan
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.record import State
from cmg_core.domain.values import JsonObject, same_id, text_at


@dataclass(frozen=True)
class Seen:
    """What one look at the world found, as plain facts."""

    now: datetime
    """By this host's clock."""
    azure_now: datetime
    """By Azure's."""
    health: Health
    shows_expected_certificate: bool
    relays: bool
    relay_answer: str
    locks: Sequence[JsonObject]
    still_there: Sequence[JsonObject]
    """Those parts of the old gateway that Azure still holds, as a GET answers them."""
    pointing_at_old_name: Sequence[str]
    """Names of records, in any zone or view that can be seen, which still lead to the old deployment name; where the
    plan parks that name, the service name alone counts."""


@dataclass(frozen=True)
class Verdict:
    """``passing`` may cure itself and is waited for; ``standing`` needs a person."""

    passing: tuple[Finding, ...] = ()
    standing: tuple[Finding, ...] = ()

    @property
    def is_clear(self) -> bool:
        return not self.passing and not self.standing


def judge(state: State, plan: Plan, gates_before: Sequence[GateName], seen: Seen) -> Verdict:
    """Everything that stands against removing the old gateway now, all at once.

    Under two names the old one's record is taken out only after the site has forgotten the old gateway: that is waited
    for.
    """
    leading = _leading_names(plan, seen.pointing_at_old_name)
    return Verdict(
        passing=(
            *_time_and_gates(state, gates_before, seen),
            *_new_gateway(seen),
            *(leading if plan.has_two_names else ()),
        ),
        standing=(
            *_certificate_end(state, seen),
            *_locks(plan.delete, seen.locks),
            *_identities(plan.delete, seen.still_there),
            *_other_users(plan.delete, seen.still_there),
            *(() if plan.has_two_names else leading),
            *_own_resources(state, plan),
        ),
    )


def judge_release(
    parked: Part, body: JsonObject, locks: Sequence[JsonObject], pointing_at_it: Sequence[str]
) -> tuple[Finding, ...]:
    """Everything that stands against giving a parked name free now. ``body`` is its address as a GET answers it."""
    return (
        *_locks([parked], locks),
        *_identities([parked], [body]),
        *_other_users([parked], [body]),
        *_dangling_names(pointing_at_it),
    )


def _blocks(code: str, seen: str, cure: str, resource: str = "") -> Finding:
    return Finding(code=code, severity=Severity.BLOCKS, seen=seen, cure=cure, resource=resource)


def _time_and_gates(state: State, gates_before: Sequence[GateName], seen: Seen) -> list[Finding]:
    findings = []
    if state.grace_ends_at is None or min(seen.now, seen.azure_now) < state.grace_ends_at:
        ends = state.grace_ends_at.isoformat() if state.grace_ends_at else "has not begun"
        findings.append(_blocks("grace-period-runs", f"The grace period: {ends}.", "Wait; nothing is to be done."))
    for name in gates_before:
        gate = state.gate(name)
        if gate is not None and not gate.is_open:
            findings.append(_blocks("gate-closed", f"The gate {name} is not open.", gate.what_to_do))
    return findings


def _new_gateway(seen: Seen) -> list[Finding]:
    findings = []
    if not seen.health.is_whole:
        findings.append(
            _blocks(
                "new-gateway-unhealthy",
                f"{seen.health.healthy} of {seen.health.expected} expected instances are healthy: "
                f"{'; '.join(seen.health.missing)}.",
                "Look at the new scale set's instances. The old gateway stays until all are healthy.",
            )
        )
    if not seen.shows_expected_certificate:
        findings.append(
            _blocks(
                "new-gateway-certificate",
                "The new gateway does not show the expected server authentication certificate.",
                "Find out what answers on its address. The old gateway stays meanwhile.",
            )
        )
    if not seen.relays:
        findings.append(
            _blocks(
                "new-gateway-relays-not",
                f"The new gateway does not relay: {seen.relay_answer}",
                "See to its connection point. The old gateway stays meanwhile.",
            )
        )
    return findings


def _certificate_end(state: State, seen: Seen) -> list[Finding]:
    if state.certificate is None or seen.now < state.certificate.not_after:
        return []
    return [
        _blocks(
            "new-gateway-certificate-expired",
            f"The new gateway's certificate expired on {state.certificate.not_after:%Y-%m-%d %H:%M} UTC.",
            "No client trusts the new gateway any more: the old one stays. Ask anew with a renewed certificate.",
        )
    ]


def _locks(parts: Sequence[Part], locks: Sequence[JsonObject]) -> list[Finding]:
    return [
        _blocks(
            "locked",
            f"The {lock.level} lock {lock.id} protects it.",
            "Ask who set the lock whether it may go, and remove the lock.",
            part.id,
        )
        for part in parts
        for lock in locks_against_deletion(locks, part.id)
    ]


def _identities(parts: Sequence[Part], bodies: Sequence[JsonObject]) -> list[Finding]:
    findings = []
    for body in bodies:
        planned = next(part for part in parts if same_id(part.id, text_at(body, "id")))
        found = immutable_id(body)
        if planned.immutable_id and found != planned.immutable_id:
            findings.append(
                _blocks(
                    "not-the-planned-resource",
                    f"It was made anew after the plan: its own ID was {planned.immutable_id} and is {found or 'none'}.",
                    "Nothing was deleted. Find out who made it and for what; remove the old gateway's rest by hand.",
                    planned.id,
                )
            )
    return findings


def _other_users(parts: Sequence[Part], bodies: Sequence[JsonObject]) -> list[Finding]:
    """What has come into use by others since the plan was made: it is no longer the old gateway's alone."""
    return [
        _blocks(
            "used-by-others",
            f"Since the plan was made it is used by {', '.join(others)} as well.",
            "Move what uses it elsewhere, or keep it: then remove the old gateway's rest by hand.",
            text_at(body, "id"),
        )
        for body in bodies
        if (others := [user for user in users_of(body) if not any(same_id(user, part.id) for part in parts)])
    ]


def _leading_names(plan: Plan, pointing: Sequence[str]) -> list[Finding]:
    """A name that stays parked does not dangle; yet clients that follow it find no gateway there any more."""
    if plan.parked is None:
        return _dangling_names(pointing)
    return [
        _blocks(
            "clients-led-to-old-name",
            f"«{name}» still leads clients to the old gateway's name, behind which no gateway will be.",
            "Point that record at the new gateway, then go on.",
        )
        for name in pointing
    ]


def _dangling_names(pointing: Sequence[str]) -> list[Finding]:
    return [
        _blocks(
            "name-would-dangle",
            f"«{name}» still leads to the old gateway's name, which anybody could claim once it is free.",
            "Point that record elsewhere or remove it, then go on.",
        )
        for name in pointing
    ]


def _own_resources(state: State, plan: Plan) -> list[Finding]:
    standing = state.standing
    made = (*(plan.make.ids if plan.make else ()), *(standing.parts if standing else ()))
    return [
        _blocks(
            "part-of-the-new-gateway",
            "The plan names it for deletion and for the new gateway.",
            "Ask for a new plan.",
            part.id,
        )
        for part in plan.delete
        if any(same_id(part.id, own) for own in made)
    ]

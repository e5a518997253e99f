"""Why a call cannot be answered as asked, in the words that its caller gets."""

from datetime import timedelta

from cmg_core.domain.gates import Gate, Opener
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Ask, Record
from cmg_core.domain.transitions import Course, possible


class CallRefused(Exception):
    """The call cannot be answered as asked; the problem says why, and ``problem.status`` is its HTTP status."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


# --- Requests --------------------------------------------------------------------------------------------------------


def key_reused(record: Record) -> CallRefused:
    """That an Idempotency-Key stands for another request already."""
    return CallRefused(
        Problem(
            code="idempotency-key-reused",
            title="This Idempotency-Key was used with another body",
            detail=f"Deployment {record.id} was started with the same key and a different request.",
            cure="Send the first request again to get its answer, or choose a new key for a new request.",
            status=422,
        )
    )


def busy(other: Record) -> CallRefused:
    """That another deployment holds the gateway."""
    return _held(
        f"Deployment {other.id} is at step {other.step} ({other.status}).",
        f"Follow that deployment at /api/deployments/{other.id}, and ask again when it has ended.",
    )


def held_by_another() -> CallRefused:
    """That a deployment holds the gateway that is not named, because it lies in another tenant."""
    return _held(
        "It was asked for with another tenant.",
        "Have the app's operators look for it, and ask again when it has ended.",
    )


def _held(detail: str, cure: str) -> CallRefused:
    return CallRefused(
        Problem(
            code="another-deployment-is-active",
            title="This gateway has another active deployment",
            detail=detail,
            cure=cure,
            status=409,
        )
    )


def without_approval() -> CallRefused:
    """That a request leaves the approval out where duties are separate."""
    return CallRefused(
        Problem(
            code="approval-left-out",
            title="The request leaves the approval out",
            detail="This app keeps asking and approving apart (CMG_SEPARATE_DUTIES), so each deployment has the gate "
            "«approval».",
            cure="Give `gates` with `approval` true. Somebody else than the one who asks opens that gate.",
            status=422,
        )
    )


# --- Deployments -----------------------------------------------------------------------------------------------------


def no_such_deployment(why: str) -> CallRefused:
    """That there is none."""
    return CallRefused(
        Problem(
            code="no-such-deployment",
            title="There is no such deployment",
            detail=why,
            cure="GET /api/deployments lists those that there are.",
            status=404,
        )
    )


def changes_too_fast(deployment_id: str) -> CallRefused:
    """That others change the deployment at the same moment, again and again."""
    return CallRefused(
        Problem(
            code="changed-meanwhile",
            title="The deployment changed while the call was answered",
            detail=f"Deployment {deployment_id} is being changed by others at this moment.",
            cure="Send the same call again in a few seconds.",
            status=409,
        )
    )


def not_possible(record: Record, course: Course, ask: Ask, why: str) -> CallRefused:
    """That something cannot be asked of the deployment where it stands."""
    others = ", ".join(possible(course)) or "nothing more"
    return CallRefused(
        Problem(
            code="not-possible-now",
            title=f"Not possible now: {ask}",
            detail=why,
            cure=f"What can be asked of it at this point: {others}.",
            step=record.step,
            status=409,
        )
    )


def grace_not_longer(record: Record) -> CallRefused:
    """That a grace period would not become longer."""
    ends_at = record.state.grace_ends_at
    return CallRefused(
        Problem(
            code="grace-not-longer",
            title="The grace period can only become longer",
            detail=f"It ends at {ends_at.isoformat() if ends_at else 'no known moment'}.",
            cure="Give «until» as a moment after that, with its offset from UTC.",
            step=record.step,
            status=422,
        )
    )


def grace_too_long(record: Record, longest: timedelta) -> CallRefused:
    """That a grace period would end too far ahead."""
    return CallRefused(
        Problem(
            code="grace-too-long",
            title="The grace period cannot be extended that far",
            detail=f"It can end at most {longest.days} days from now.",
            cure="Give an earlier moment in «until»; it can be extended again later.",
            step=record.step,
            status=422,
        )
    )


# --- Gates -----------------------------------------------------------------------------------------------------------


def no_such_gate(record: Record) -> CallRefused:
    """That the deployment's plan holds no such gate."""
    known = ", ".join(gate.name for gate in record.state.gates) or "none before its plan is made"
    return CallRefused(
        Problem(
            code="no-such-gate",
            title="This deployment has no such gate",
            detail=f"Its gates: {known}.",
            cure="See the deployment's «gates» for those that its plan holds.",
            status=404,
        )
    )


def gate_cannot_open(record: Record, gate: Gate, why: str) -> CallRefused:
    """That a person cannot open the gate now."""
    return CallRefused(
        Problem(
            code="gate-cannot-open",
            title=f"The gate {gate.name} cannot be opened now",
            detail=why,
            cure=_instead_of_opening(gate),
            step=record.step,
            status=409,
        )
    )


def _instead_of_opening(gate: Gate) -> str:
    if gate.asked_at:
        return gate.what_to_do
    if gate.opener is Opener.APP:
        return "Do nothing: the app opens it itself, when the deployment has come to it. `waits_for` names what is due."
    return "Do nothing yet: `waits_for` names the gate to open."


def same_person(record: Record) -> CallRefused:
    """That who asked for the deployment, or may have, does not approve it."""
    known = "The caller asked for this deployment itself." if record.asked_by.id else "Nobody noted who asked for it."
    return CallRefused(
        Problem(
            code="same-person",
            title="Who asks for a deployment does not approve it",
            detail=f"{known} This app keeps the two apart (CMG_SEPARATE_DUTIES).",
            cure="Have somebody else with the role approver open the gate, as a caller of its own.",
            step=record.step,
            status=403,
        )
    )

"""What an error is to a caller: an RFC 9457 problem with a status, never a text that nobody wrote for callers."""

import math
from datetime import timedelta

from cmg_core.domain.azure_causes import problem_of as refusal_of
from cmg_core.domain.errors import AzureRefused, NewerSchema, NotSignedIn, StepFailed, TooLarge, TryAgain, UnreadableRow
from cmg_core.domain.findings import blocks
from cmg_core.domain.problems import Finding, Problem
from cmg_core.domain.validation import InvalidRequest
from cmg_core.refusals import CallRefused
from cmg_core.services import LedgerConflict
from cmg_core.settings import SettingsError

SHORTEST_RETRY = timedelta(seconds=5)


def problem_of(error: Exception) -> Problem | None:
    """The problem that a known error makes of a call; None for an error that this product does not know."""
    match error:
        case CallRefused() | StepFailed():
            return error.problem
        case InvalidRequest():
            return _invalid(error)
        case NotSignedIn():
            return Problem(
                code="token-refused",
                title="The caller's token is no good",
                detail=error.reason,
                cure="Get a new token for this app, in the tenant that the caller belongs to, and send the call again.",
                status=401,
            )
        case TryAgain():
            return Problem(
                code="try-again",
                title="The call could not be carried out now",
                detail=error.reason,
                cure="Send the same call again after Retry-After, a POST with the same Idempotency-Key.",
                status=503,
            )
        case AzureRefused():
            return refusal_of(error, step="").model_copy(update={"status": 502})
        case LedgerConflict():
            return Problem(
                code="changed-meanwhile",
                title="The deployment changed while the call was answered",
                detail="Somebody else changed it at the same moment.",
                cure="Send the same call again in a few seconds.",
            )
        case NewerSchema():
            return Problem(
                code="newer-release",
                title="A newer release of this app wrote the deployment",
                detail="This release does not know everything that the record says, and leaves it alone.",
                cure="Finish the app's update (or take the roll-back of the app back), and send the call again.",
                status=503,
            )
        case UnreadableRow():
            return Problem(
                code="unreadable-row",
                title="The ledger holds something that no release of this app wrote",
                detail=f"{error}.",
                cure="Find out who changed the table, and put the row back as it was; every other deployment goes on.",
                status=503,
            )
        case TooLarge():
            return Problem(
                code="state-too-large",
                title="The request does not fit into the ledger",
                detail="What has to be remembered of it takes more than one row of the table holds.",
                cure="Shorten the longest lists and texts of the request.",
                status=413,
            )
        case SettingsError():
            return Problem(
                code="wrong-settings",
                title="The app's settings are not right",
                detail="The app does nothing before they are: see the findings.",
                cure="Change the settings that the findings name, and restart the app.",
                status=503,
                findings=findings_of(error),
            )
    return None


def findings_of(error: SettingsError) -> tuple[Finding, ...]:
    """One finding a setting that cannot be obeyed: its name and the cure, never its value."""
    return tuple(
        blocks("wrong-setting", f"The setting {problem.name} cannot be obeyed.", problem.cure, resource=problem.name)
        for problem in error.problems
    )


def unknown_problem() -> Problem:
    """The problem of an error that this product does not know: the log has the rest."""
    return Problem(
        code="internal-error",
        title="The app met an error that it does not know",
        detail="The app's log tells more under the correlation ID of this answer.",
        cure="Send the call again, a POST with the same Idempotency-Key. If it fails again, look into the log.",
        status=500,
    )


def retry_after(error: Exception) -> int | None:
    """Whole seconds until a caller should try again, where that helps."""
    return in_seconds(max(error.after, SHORTEST_RETRY)) if isinstance(error, TryAgain) else None


def in_seconds(span: timedelta) -> int:
    """A ``Retry-After``: whole seconds, rounded up (RFC 9110, section 10.2.3)."""
    return math.ceil(span.total_seconds())


def _invalid(error: InvalidRequest) -> Problem:
    count = len(error.findings)
    return Problem(
        code="invalid-request",
        title="The request has a mistake" if count == 1 else f"The request has {count} mistakes",
        detail="Nothing was begun. Each finding names its place and the cure.",
        cure="Cure what the findings name, and send the request again.",
        status=422,
        findings=error.findings,
    )

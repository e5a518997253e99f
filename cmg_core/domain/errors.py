"""What can go wrong between a step and the world. Adapters map every error of a library to one of these."""

from collections.abc import Sequence
from datetime import timedelta

from cmg_core.domain.problems import Problem


class AzureRefused(Exception):
    """Azure answered a call with a refusal that asking again does not cure.

    ``status``, ``code`` and ``message`` are Azure's own (azure-behaviour: branch on status before code).
    """

    def __init__(self, *, status: int, code: str, message: str, target: str) -> None:
        super().__init__(f"{status} {code} at {target}: {message}")
        self.status, self.code, self.message, self.target = status, code, message, target


class TryAgain(Exception):
    """Nothing is wrong that waiting does not cure: throttling, another operation, a cut connection, a 5xx."""

    def __init__(self, reason: str, after: timedelta = timedelta()) -> None:
        super().__init__(reason)
        self.reason, self.after = reason, after


class Throttled(TryAgain):
    """Azure serves no call for a while. ``asked`` tells whether it was asked, or the wait was known beforehand."""

    def __init__(self, reason: str, after: timedelta = timedelta(), *, asked: bool = True) -> None:
        super().__init__(reason, after)
        self.asked = asked


class NotSignedIn(Exception):
    """Nobody knows who calls: the token is no good. ``reason`` says why, and repeats nothing of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChangedMeanwhile(Exception):
    """A conditional write found something newer (HTTP 412)."""


class ClaimRunsOut(Exception):
    """The claim does not last for one more call: stop, the message stays and comes back."""


class Superseded(Exception):
    """Somebody else has carried this deployment on; this run ends without a trace."""


class StepFailed(Exception):
    """The step cannot reach its end without a person."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


class UnreadableMessage(Exception):
    """A queue held something that is no message of this product: it goes to the poison queue, as evidence."""


class NewerSchema(Exception):
    """A record was written by a newer release than this one: it is left alone until that release runs here."""


class UnreadableRow(Exception):
    """A row of the ledger is none that any release wrote: it is left alone until somebody puts it right.

    Its columns' names are told, never what they hold.
    """

    def __init__(self, what: str, columns: Sequence[str]) -> None:
        super().__init__(f"{what} cannot be read ({', '.join(columns)}): it was left alone")


class TooLarge(Exception):
    """A deployment's state does not fit into the ledger."""

"""What the product tells a person: findings of a look, and problems that stop a deployment."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cmg_core.domain.makers import ABOUT
from cmg_core.domain.values import Frozen, JsonObject, Moment


class Severity(StrEnum):
    """How much a finding weighs. ``unknown`` is a check that could not be made: never taken for fine."""

    BLOCKS = "blocks"
    WARNS = "warns"
    TELLS = "tells"
    UNKNOWN = "unknown"


FINDING_CODES = "/api/findings/"
"""Where the app says what a finding's code means: a relative reference with its full path, as a problem's ``type``."""


def section_of(code: str) -> str:
    """Where a finding's code has its section."""
    return f"{FINDING_CODES}{code}"


class Finding(Frozen):
    """One thing that a look found: what was seen, where, and the cure."""

    code: str
    severity: Severity
    seen: str
    cure: str
    resource: str = ""
    pointer: str = ""
    """JSON pointer (RFC 6901) into the request, where the finding is about the request."""
    link: str = Field(default_factory=lambda given: section_of(given["code"]))
    """Where more is said of it."""
    applies_to: tuple[str, ...] = Field(default_factory=lambda given: ABOUT.get(given["code"], ()))
    """The values of ``provisioned_by`` that it is about; empty for all."""


def _is_empty(value: object) -> bool:
    return not value


class BriefFinding(Finding):
    """A finding as a problem tells it: what is empty is left out."""

    resource: Annotated[str, Field(exclude_if=_is_empty)] = ""
    pointer: Annotated[str, Field(exclude_if=_is_empty)] = ""
    """JSON pointer (RFC 6901) into the request, where the finding is about the request."""
    applies_to: Annotated[tuple[str, ...], Field(exclude_if=_is_empty)] = ()
    """The values of ``provisioned_by`` that it is about; left out for all."""


def brief(finding: Finding) -> BriefFinding:
    """The finding without what is empty."""
    return BriefFinding.model_validate(dict(finding))


PROBLEM_TYPES = "/api/problems/"
"""Where the app itself says more of each problem. A relative reference with its full path, as RFC 9457, section 3.1.1
recommends: it leads to the release that answered, at any address and without the internet."""


def problem_type(code: str) -> str:
    """The ``type`` of a problem: an address that leads to what the page of errors says of it."""
    return f"{PROBLEM_TYPES}{code}"


class ProblemDetails(Frozen):
    """Why a call or a deployment stopped, and the cure (RFC 9457). What is empty is left out."""

    type: str
    """Stable: branch on it. GET it to read what it means and what to do."""
    title: str
    status: int
    """The HTTP status; 409 where a deployment stopped."""
    detail: str
    """What happened this time."""
    instance: str
    """The path that was called, or the deployment that stopped."""
    cure: str
    """What to do next."""
    retried: bool
    """Whether the app itself will try again."""
    step: Annotated[str, Field(exclude_if=_is_empty)] = ""
    resource: Annotated[str, Field(exclude_if=_is_empty)] = ""
    """The Azure resource that it is about, by full ID."""
    findings: Annotated[tuple[BriefFinding, ...], Field(exclude_if=_is_empty)] = ()
    """Every mistake or obstacle, all at once."""
    correlation_id: Annotated[str, Field(exclude_if=_is_empty)] = ""
    """By which the app's log is searched."""


class Problem(Frozen):
    """Why something stopped, as RFC 9457 problem details carry it."""

    code: str
    title: str
    detail: str
    cure: str
    step: str = ""
    resource: str = ""
    retried: bool = False
    status: int = 409
    findings: tuple[Finding, ...] = ()
    correlation_id: str = ""
    at: Moment | None = None

    def details(self, instance: str) -> ProblemDetails:
        """The body of RFC 9457 (``application/problem+json``)."""
        return ProblemDetails(
            type=problem_type(self.code),
            title=self.title,
            status=self.status,
            detail=self.detail,
            instance=instance,
            cure=self.cure,
            retried=self.retried,
            step=self.step,
            resource=self.resource,
            findings=tuple(brief(finding) for finding in self.findings),
            correlation_id=self.correlation_id,
        )

    def as_problem_details(self, instance: str) -> JsonObject:
        """``details`` as JSON."""
        return self.details(instance).model_dump(mode="json")

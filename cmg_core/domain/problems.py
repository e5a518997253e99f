"""What the product tells a person: findings of a look, and problems that stop a deployment."""

from enum import StrEnum

from pydantic import Field

from cmg_core.domain.makers import ABOUT
from cmg_core.domain.values import Frozen, JsonObject, Moment


class Severity(StrEnum):
    """How much a finding weighs. ``unknown`` is a check that could not be made: never taken for fine."""

    BLOCKS = "blocks"
    WARNS = "warns"
    TELLS = "tells"
    UNKNOWN = "unknown"


def section_of(code: str) -> str:
    """Where a finding's code has its section."""
    return f"docs/findings.md#{code}"


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

    def as_problem_details(self, instance: str) -> JsonObject:
        """The RFC 9457 body (``application/problem+json``); ``type`` leads to the docs' page of errors."""
        body: JsonObject = self.model_dump(mode="json", exclude={"code", "at"}, exclude_defaults=True)
        body |= {
            "type": f"docs/errors.md#{self.code}",
            "title": self.title,
            "status": self.status,
            "instance": instance,
            "retried": self.retried,
        }
        return body

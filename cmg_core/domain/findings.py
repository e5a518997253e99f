"""Short ways to say a finding, by how much it weighs."""

from functools import partial

from cmg_core.domain.problems import Finding, Severity


def _say(
    severity: Severity,
    code: str,
    seen: str,
    cure: str,
    *,
    resource: str = "",
    pointer: str = "",
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        seen=seen,
        cure=cure,
        resource=resource,
        pointer=pointer,
    )


blocks = partial(_say, Severity.BLOCKS)
"""Nothing begins until this is cured."""
warns = partial(_say, Severity.WARNS)
"""A person should look at this; the plan can be carried out."""
tells = partial(_say, Severity.TELLS)
"""Worth knowing."""
unknown = partial(_say, Severity.UNKNOWN)
"""The check could not be made: never taken for fine."""

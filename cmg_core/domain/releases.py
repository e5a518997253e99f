"""Releases of Configuration Manager and Azure's retirements, as far as they decide or inform a plan."""

from datetime import date

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.problems import Finding

FIRST_WITH_SCALE_SETS = "2010"
"""plan-cloud-management-gateway: scale sets came as a pre-release feature, for CSP subscriptions only."""
FIRST_WITH_SCALE_SETS_FOR_ALL = "2107"
"""plan-cloud-management-gateway, modify-cloud-management-gateway: out of pre-release; mixed models; convert."""
FIRST_WITHOUT_CLASSIC = "2403"
"""whats-new-in-version-2403: a classic gateway is unsupported and blocks the upgrade to this release."""

CLASSIC_RETIRED = date(2024, 8, 31)
"""Azure/EOL service list: Cloud Services (classic)."""
SIZES_RETIRE = date(2028, 11, 15)
"""Azure/EOL service list: Av2 and B-series virtual machines, which are all three sizes of a gateway."""


def judge_release(release: str | None, *, from_classic: bool) -> tuple[Finding, ...]:
    """What the site's release means for a gateway on a scale set. Releases compare as year and month (``2503``)."""
    if release is None:
        return ()
    where = "/configmgr_release"
    if release < FIRST_WITH_SCALE_SETS:
        return (
            blocks(
                "release-without-scale-sets",
                f"Release {release} knows no gateway on a scale set.",
                f"Update the site to {FIRST_WITH_SCALE_SETS_FOR_ALL} or later first.",
                pointer=where,
            ),
        )
    if release < FIRST_WITH_SCALE_SETS_FOR_ALL:
        return (
            warns(
                "release-pre-release",
                f"In release {release} a gateway on a scale set is a pre-release feature, and every gateway of "
                "the site must "
                "use the same model.",
                f"Update the site to {FIRST_WITH_SCALE_SETS_FOR_ALL} or later first where you can.",
                pointer=where,
            ),
        )
    if from_classic and release >= FIRST_WITHOUT_CLASSIC:
        return (
            warns(
                "release-without-classic",
                f"A site with a classic gateway cannot have reached release {release}.",
                "Check `configmgr_release`, and whether the site's record of the old gateway is the one that you mean.",
                pointer=where,
            ),
        )
    return ()


def tell_retirements(*, from_classic: bool) -> tuple[Finding, ...]:
    """The dates that a person should know; none is a reason to move by itself while source and target share it."""
    sizes = tells(
        "sizes-retire",
        f"Azure retires all sizes that a gateway can have on {SIZES_RETIRE:%d %B %Y}.",
        "Nothing now: no supported target outlives that date.",
    )
    if not from_classic:
        return (sizes,)
    return (
        tells(
            "classic-retired",
            f"Azure retired classic cloud services on {CLASSIC_RETIRED:%d %B %Y}.",
            f"From release {FIRST_WITH_SCALE_SETS_FOR_ALL} on the console can also convert a classic gateway "
            "in place: a "
            "smaller change, without a way back.",
        ),
        sizes,
    )

"""Releases of Configuration Manager and Azure's retirements, as far as they decide or inform a plan.

One table: each row says from which release until which it holds, for whom, how much it weighs, and where it is written.
Releases compare as year and month (``2503``). Sources are the titles of Microsoft's pages.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from cmg_core.domain.findings import tells, unknown
from cmg_core.domain.problems import Finding, Severity

FIRST_WITH_SCALE_SETS = "2010"
FIRST_WITH_SCALE_SETS_FOR_ALL = "2107"
FIRST_WITH_GOVERNMENT = "2111"
FIRST_WITHOUT_NEW_CLASSIC = "2203"
FIRST_WITH_SIZE_IN_CMDLET = "2207"
FIRST_WITHOUT_CLASSIC = "2403"
LAST_KNOWN = "2603"
"""The latest release that this table knows."""

RELEASE = re.compile(r"\d\d(0[1-9]|1[0-2])")

CLASSIC_RETIRED = date(2024, 8, 31)
"""Azure/EOL service list: Cloud Services (classic)."""
SIZES_RETIRE = date(2028, 11, 15)
"""Azure/EOL service list: Av2 and B-series virtual machines, which are all three sizes of a gateway."""

PLAN = "Plan for the cloud management gateway"
MODIFY = "Modify a CMG"
DEPRECATED = "Removed and deprecated features for Configuration Manager"
WHERE = "/configmgr_release"


def _new_in(release: str) -> str:
    return f"What's new in version {release} of Configuration Manager current branch"


@dataclass(frozen=True)
class Circumstances:
    """What a release's rules depend on, besides the release."""

    site_makes_it: bool = False
    """Whether the site is still to make the gateway (`provisioned_by` «site»)."""
    has_scale_set: bool = False
    """Whether the site has a gateway on a scale set already: so old a release is ruled out then."""
    from_classic: bool = False
    to_classic: bool = False
    government: bool = False
    csp: bool | None = None
    """Whether the subscription is a CSP's; None where it could not be seen, which counts as no."""
    hierarchy: str | None = None
    """«standalone-primary» or «cas»; None where nobody told."""
    zonal: bool = False
    """Whether the public address is, or would be, in availability zones."""
    group_exists: bool = False


@dataclass(frozen=True)
class Row:
    """One rule. ``since`` is the first release with it, ``until`` the first without; empty for no end."""

    code: str
    severity: Severity
    since: str
    until: str
    applies: Callable[[Circumstances], bool]
    seen: str
    cure: str
    source: str

    def holds_in(self, release: str) -> bool:
        """Whether the release lies between its ends."""
        return self.since <= release and (not self.until or release < self.until)

    @property
    def is_limit(self) -> bool:
        """Whether it keeps a plan from being carried out."""
        return self.severity in (Severity.BLOCKS, Severity.UNKNOWN)


_UPDATE = f"Update the site to {FIRST_WITH_SCALE_SETS_FOR_ALL} or later first."

TABLE = (
    Row(
        "release-without-scale-sets",
        Severity.BLOCKS,
        since="",
        until=FIRST_WITH_SCALE_SETS,
        applies=lambda told: not told.has_scale_set,
        seen="The release knows no gateway on a scale set.",
        cure=_UPDATE,
        source=PLAN,
    ),
    Row(
        "release-preview-csp-only",
        Severity.BLOCKS,
        since=FIRST_WITH_SCALE_SETS,
        until=FIRST_WITH_SCALE_SETS_FOR_ALL,
        applies=lambda told: not told.csp,
        seen="In the preview only subscriptions of Cloud Solution Providers may hold a gateway on a scale set "
        "(`quotaId` begins with «CSP_»), and this one is not seen to be one.",
        cure=_UPDATE,
        source=PLAN,
    ),
    Row(
        "release-preview-standalone-only",
        Severity.BLOCKS,
        since=FIRST_WITH_SCALE_SETS,
        until=FIRST_WITH_SCALE_SETS_FOR_ALL,
        applies=lambda told: told.hierarchy == "cas",
        seen="The preview works in a standalone primary site only, and this hierarchy has a central administration "
        "site.",
        cure=_UPDATE,
        source=PLAN,
    ),
    Row(
        "release-preview-hierarchy-not-told",
        Severity.UNKNOWN,
        since=FIRST_WITH_SCALE_SETS,
        until=FIRST_WITH_SCALE_SETS_FOR_ALL,
        applies=lambda told: told.hierarchy is None,
        seen="The preview works in a standalone primary site only, and the request does not say what kind of site it "
        "is.",
        cure=f"Give `site.hierarchy` as «standalone-primary» where it is one. Else: {_UPDATE}",
        source=PLAN,
    ),
    Row(
        "release-preview-one-model",
        Severity.BLOCKS,
        since=FIRST_WITH_SCALE_SETS,
        until=FIRST_WITH_SCALE_SETS_FOR_ALL,
        applies=lambda told: told.from_classic,
        seen="In the preview every gateway of the site must use the same deployment model: a scale set beside the "
        "classic gateway is not allowed.",
        cure=_UPDATE,
        source=PLAN,
    ),
    Row(
        "release-pre-release",
        Severity.WARNS,
        since=FIRST_WITH_SCALE_SETS,
        until=FIRST_WITH_SCALE_SETS_FOR_ALL,
        applies=lambda told: True,
        seen="A gateway on a scale set is a pre-release feature: it must be turned on first, and does not enforce "
        "TLS 1.2.",
        cure=_UPDATE,
        source=PLAN,
    ),
    Row(
        "release-without-government",
        Severity.BLOCKS,
        since=FIRST_WITH_SCALE_SETS,
        until=FIRST_WITH_GOVERNMENT,
        applies=lambda told: told.government,
        seen="The release has no gateway on a scale set in Azure US Government.",
        cure=f"Update the site to {FIRST_WITH_GOVERNMENT} or later first.",
        source=PLAN,
    ),
    Row(
        "release-storage-tls",
        Severity.TELLS,
        since=FIRST_WITH_SCALE_SETS_FOR_ALL,
        until=FIRST_WITH_GOVERNMENT,
        applies=lambda told: told.site_makes_it,
        seen="The gateway reaches its storage with TLS 1.2 only with update rollup KB11121541, and storage accounts "
        "take nothing older.",
        cure="Install the rollup, or update the site.",
        source=PLAN,
    ),
    Row(
        "release-without-new-classic",
        Severity.BLOCKS,
        since=FIRST_WITHOUT_NEW_CLASSIC,
        until="",
        applies=lambda told: told.to_classic,
        seen="The release makes no new gateway on a classic cloud service.",
        cure="Leave `deployment_model` out: a scale set is the default.",
        source=DEPRECATED,
    ),
    Row(
        "release-cmdlet-without-size",
        Severity.WARNS,
        since=FIRST_WITH_SCALE_SETS,
        until=FIRST_WITH_SIZE_IN_CMDLET,
        applies=lambda told: told.site_makes_it,
        seen="New-CMCloudManagementGateway takes no size for a scale set in this release.",
        cure="Make the gateway in the console, or let the site change the size afterwards.",
        source="Configuration Manager PowerShell release notes, version 2207",
    ),
    Row(
        "release-update-application-settings",
        Severity.TELLS,
        since="2309",
        until="",
        applies=lambda told: told.site_makes_it,
        seen="Signing in to make a gateway uses the tenant's own app. A site updated from an earlier release must have "
        "its application settings updated once (redirect URI http://localhost).",
        cure="Run «Update application settings» in the console, or Set-UpdateServerApplication.",
        source=_new_in("2309"),
    ),
    Row(
        "release-blocked-by-classic",
        Severity.TELLS,
        since="",
        until=FIRST_WITHOUT_CLASSIC,
        applies=lambda told: told.from_classic,
        seen=f"As long as the site has a classic gateway, it cannot be updated to {FIRST_WITHOUT_CLASSIC} or later.",
        cure="Update the site when the site's record of the classic gateway is removed.",
        source=_new_in("2403"),
    ),
    Row(
        "release-without-classic",
        Severity.WARNS,
        since=FIRST_WITHOUT_CLASSIC,
        until="",
        applies=lambda told: told.from_classic,
        seen="A site with a classic gateway cannot have reached this release.",
        cure="Check `configmgr_release`, and whether the site's record of the old gateway is the one that you mean.",
        source=_new_in("2403"),
    ),
    Row(
        "release-managed-identity",
        Severity.TELLS,
        since="2409",
        until="",
        applies=lambda told: told.site_makes_it,
        seen="New gateways reach their storage by managed identity, with account keys off. The server app's secret "
        "can be renewed unless it was made to last more than 800 days.",
        cure="See that no policy forbids managed identities, and look when the secret ends.",
        source=_new_in("2409"),
    ),
    Row(
        "release-zonal-maintenance",
        Severity.WARNS,
        since="2503",
        until="2509",
        applies=lambda told: told.site_makes_it and told.zonal,
        seen="The site's maintenance of a gateway whose public address lies in zones fails every 20 minutes; clients "
        "are served nevertheless.",
        cure="Install KB35958849, or update the site to 2509.",
        source="KB35958849; Public IP creation error (Configuration Manager support articles)",
    ),
    Row(
        "release-existing-group",
        Severity.WARNS,
        since=FIRST_WITH_SCALE_SETS,
        until="2603",
        applies=lambda told: told.site_makes_it and told.group_exists,
        seen="New-CMCloudManagementGateway cannot sign in without a person and use a resource group that exists.",
        cure="Name a resource group that does not exist, or make the gateway in the console.",
        source=_new_in("2603"),
    ),
    Row(
        "release-policy-fix",
        Severity.TELLS,
        since=FIRST_WITH_SCALE_SETS,
        until="2603",
        applies=lambda told: told.site_makes_it,
        seen="Under Azure Policy the site's template can fail on the size's capacity type, and conditions on role "
        "assignments are not named where they refuse.",
        cure="Look at policies and conditions before the site makes the gateway.",
        source=_new_in("2603"),
    ),
)
"""What each release allows and brings, the oldest first."""


def judge_release(release: str | None, told: Circumstances) -> tuple[Finding, ...]:
    """What the site's release means for this gateway. Release unknown: the strictest rules, and said so."""
    rows = [row for row in TABLE if row.applies(told)]
    if release is None or not RELEASE.fullmatch(release):
        return (_release_unknown(release, [row for row in rows if row.is_limit]),)
    found = [_finding(row, release) for row in rows if row.holds_in(release)]
    if release > LAST_KNOWN:
        seen = f"Release {release} is newer than what this app knows: its rules end with {LAST_KNOWN}."
        found.append(tells("release-newer", seen, "Read what is new in the release.", pointer=WHERE))
    return tuple(found)


def _finding(row: Row, release: str) -> Finding:
    return Finding(
        code=row.code,
        severity=row.severity,
        seen=f"Release {release}: {row.seen} (Source: {row.source}.)",
        cure=row.cure,
        pointer=WHERE,
    )


def _release_unknown(release: str | None, limits: list[Row]) -> Finding:
    seen = "The request does not tell the site's release" if release is None else f"«{release}» is no release"
    cure = "Give `configmgr_release` (console: About Configuration Manager), such as «2503»."
    if not limits:
        return tells("release-unknown", f"{seen}. No release that may be meant stands against it.", cure, pointer=WHERE)
    would = " ".join(f"{_span(row)}: {row.seen}" for row in limits)
    return unknown(
        "release-unknown", f"{seen}, so every rule that a release may bring counts. {would}", cure, pointer=WHERE
    )


def _span(row: Row) -> str:
    if not row.until:
        return f"From {row.since} on"
    return f"From {row.since} to before {row.until}" if row.since else f"Before {row.until}"


def tell_retirements(*, from_classic: bool) -> tuple[Finding, ...]:
    """The dates that a person should know; none is a reason to move by itself while source and target share it."""
    sizes = tells(
        "sizes-retire",
        f"Azure retires all sizes that a gateway can have on {SIZES_RETIRE:%d %B %Y}.",
        "Nothing now: no supported target outlives that date, so it is no reason to move.",
    )
    if not from_classic:
        return (sizes,)
    return (
        tells(
            "classic-retired",
            f"Azure retired classic cloud services on {CLASSIC_RETIRED:%d %B %Y}.",
            "Go on: a scale set is what replaces them.",
        ),
        sizes,
    )

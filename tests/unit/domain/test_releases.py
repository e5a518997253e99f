"""The release decides: limits of the preview, the end of classic, later blocks and fixes; unknown is the strictest."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmg_core.domain.problems import Severity
from cmg_core.domain.releases import LAST_KNOWN, RELEASE, TABLE, Circumstances, judge_release, tell_retirements

RELEASES = [f"{year:02}{month:02}" for year in range(15, 28) for month in range(1, 13)]
ANY_CIRCUMSTANCES = st.builds(
    Circumstances,
    site_makes_it=st.booleans(),
    has_scale_set=st.booleans(),
    from_classic=st.booleans(),
    to_classic=st.booleans(),
    government=st.booleans(),
    csp=st.none() | st.booleans(),
    hierarchy=st.sampled_from([None, "standalone-primary", "cas"]),
    zonal=st.booleans(),
    group_exists=st.booleans(),
)
CSP = {"csp": True, "hierarchy": "standalone-primary"}
SITE = {"site_makes_it": True}


def codes(release: str | None, told: Circumstances, *severities: Severity) -> set[str]:
    return {each.code for each in judge_release(release, told) if each.severity in (severities or tuple(Severity))}


def against(release: str | None, told: Circumstances) -> set[str]:
    return codes(release, told, Severity.BLOCKS, Severity.UNKNOWN)


@pytest.mark.parametrize(
    ("code", "circumstances", "since", "last"),
    [
        ("release-without-scale-sets", {}, "1501", "2009"),
        ("release-preview-csp-only", {}, "2010", "2106"),
        ("release-preview-csp-only", {"csp": False}, "2010", "2106"),
        ("release-preview-standalone-only", {"hierarchy": "cas"}, "2010", "2106"),
        ("release-preview-hierarchy-not-told", {"csp": True}, "2010", "2106"),
        ("release-preview-one-model", {"from_classic": True}, "2010", "2106"),
        ("release-pre-release", CSP, "2010", "2106"),
        ("release-without-government", {"government": True}, "2010", "2110"),
        ("release-storage-tls", SITE, "2107", "2110"),
        ("release-without-new-classic", {"to_classic": True}, "2203", "2712"),
        ("release-cmdlet-without-size", SITE, "2010", "2206"),
        ("release-update-application-settings", SITE, "2309", "2712"),
        ("release-blocked-by-classic", {"from_classic": True}, "1501", "2402"),
        ("release-without-classic", {"from_classic": True}, "2403", "2712"),
        ("release-managed-identity", SITE, "2409", "2712"),
        ("release-zonal-maintenance", SITE | {"zonal": True}, "2503", "2508"),
        ("release-existing-group", SITE | {"group_exists": True}, "2010", "2602"),
        ("release-policy-fix", SITE, "2010", "2602"),
        ("release-newer", {}, "2604", "2712"),
    ],
)
def test_each_row_holds_in_its_releases_and_in_no_other(
    code: str, circumstances: dict[str, object], since: str, last: str
) -> None:
    told = Circumstances(**circumstances)  # type: ignore[arg-type]  # a test names the facts that it changes
    assert [release for release in RELEASES if code in codes(release, told)] == [
        release for release in RELEASES if since <= release <= last
    ]


def test_every_row_has_a_test_above_and_a_source() -> None:
    marks = test_each_row_holds_in_its_releases_and_in_no_other.pytestmark  # type: ignore[attr-defined]
    assert {row.code for row in TABLE} == {case[0] for case in marks[0].args[1]} - {"release-newer"}
    assert all(row.source and row.cure for row in TABLE)


def test_the_page_shows_the_table() -> None:
    page = (Path(__file__).parents[3] / "docs/rules/s10.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| \w+(?: \(unknown\)|, which blocks)? \| (\d*) \| (\d*) \|", page, re.MULTILINE)
    assert rows == [(row.code, row.since, row.until) for row in TABLE]


def test_the_preview_passes_for_a_csp_in_a_standalone_primary_site() -> None:
    told = Circumstances(csp=True, hierarchy="standalone-primary")
    assert against("2103", told) == set()
    assert codes("2103", told) == {"release-pre-release"}


@pytest.mark.parametrize("release", [None, "2513", "0000", "9999"])
def test_without_a_release_every_limit_counts_and_is_named(release: str | None) -> None:
    told = Circumstances(from_classic=True, government=True)
    (finding,) = judge_release(release, told)
    assert (finding.code, finding.severity) == ("release-unknown", Severity.UNKNOWN)
    for part in ("Before 2010", "From 2010 to before 2107", "same deployment model", "Government"):
        assert part in finding.seen


def test_without_a_release_and_without_a_limit_it_is_told_only() -> None:
    told = Circumstances(has_scale_set=True, csp=True, hierarchy="standalone-primary")
    (finding,) = judge_release(None, told)
    assert (finding.code, finding.severity) == ("release-unknown", Severity.TELLS)


@settings(max_examples=1000)
@given(st.none() | st.sampled_from(RELEASES) | st.text("0123456789", min_size=4, max_size=4), ANY_CIRCUMSTANCES)
def test_any_release_in_any_circumstances_is_judged(release: str | None, told: Circumstances) -> None:
    for finding in judge_release(release, told):
        assert finding.seen and finding.cure and finding.pointer == "/configmgr_release"
        assert release is None or release in finding.seen
        assert "None" not in finding.seen
    if release is not None and RELEASE.fullmatch(release) and against(release, told):
        assert against(None, told) == {"release-unknown"}, "unknown is the strictest"


@settings(max_examples=500)
@given(st.sampled_from(RELEASES), st.sampled_from(RELEASES), ANY_CIRCUMSTANCES)
def test_a_later_release_allows_no_less(one: str, other: str, told: Circumstances) -> None:
    earlier, later = sorted((one, other))
    if not told.to_classic and not against(earlier, told):
        # What the preview allows to some ends with it; before scale sets nothing is allowed but what stands.
        assert not against(later, told) or (earlier < "2010" <= later < "2111")


def test_retirements_name_their_dates_and_the_classic_one_to_classic_sources_only() -> None:
    assert [each.code for each in tell_retirements(from_classic=False)] == ["sizes-retire"]
    classic, sizes = tell_retirements(from_classic=True)
    assert "31 August 2024" in classic.seen and "15 November 2028" in sizes.seen
    assert re.fullmatch(r"\d{4}", LAST_KNOWN)

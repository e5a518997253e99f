"""What public servers say of a name: which views are one, and what an address in place of an alias means."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.plans import Names
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.public_views import judge_addresses, judge_agreement
from cmg_core.domain.zones_of_others import judge_foreign_zone
from cmg_core.services import NameView

NAME, OLD, NEW = "granitefalls.contoso.com", "granitefalls.cloudapp.net", "granitefalls2.eastus.cloudapp.azure.com"
NAMES = Names(service_name=NAME, label="granitefalls2", deployment_name=NEW)
OLD_ADDRESS, PROXY = "203.0.113.7", "198.51.100.80"


def authority(*targets: str, addresses: tuple[str, ...] = (), ttl: int = 300, server: str = "ns1") -> NameView:
    return NameView(server, targets, addresses, timedelta(seconds=ttl), authoritative=True)


def resolver(*targets: str, addresses: tuple[str, ...] = (), ttl: int = 300, server: str = "9.9.9.9") -> NameView:
    return NameView(server, targets, addresses, timedelta(seconds=ttl))


def codes(found: Iterable[Finding]) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in found]


SPLIT, LAGS = ("split-horizon", Severity.WARNS), ("public-dns-lags", Severity.WARNS)


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ([authority(OLD), resolver(OLD, addresses=(OLD_ADDRESS,), ttl=30)], []),
        ([authority(OLD), authority(OLD, server="ns2"), NameView("8.8.8.8", failure="timed out")], []),
        ([resolver(OLD), resolver("other.example", server="8.8.8.8")], [LAGS]),
        ([authority(addresses=("192.0.2.1",)), resolver(addresses=("192.0.2.2",))], []),
        ([authority(addresses=("192.0.2.1",)), resolver()], [LAGS]),
        ([authority(OLD), authority("other.example", server="ns2")], [SPLIT]),
        ([authority(OLD), authority(server="ns2")], [SPLIT]),
        ([authority(OLD, ttl=60), resolver("other.example", ttl=61)], [SPLIT]),
        ([authority(OLD, ttl=60), resolver("other.example", ttl=60)], [LAGS]),
        ([authority(OLD, ttl=60), resolver(ttl=0)], [LAGS]),
        ([authority(OLD, ttl=60), resolver("other.example", "far.example", ttl=3600)], [LAGS]),
    ],
)
def test_views_that_differ_are_told_by_whether_a_ttl_explains_it(
    views: list[NameView], expected: list[tuple[str, Severity]]
) -> None:
    found = [*judge_agreement(NAME, views)]
    assert codes(found) == expected
    assert all(NAME in each.seen for each in found)


def test_views_that_differ_are_shown_with_how_long_an_older_answer_may_be_held() -> None:
    views = [authority(OLD, ttl=60), resolver(addresses=(PROXY,), ttl=61), resolver(server="8.8.8.8", ttl=0)]
    [split] = judge_agreement(NAME, views)
    for seen in (f"ns1 says {OLD}", f"9.9.9.9 says {PROXY}", "60 s", "61 s"):
        assert seen in split.seen
    [lags] = judge_agreement(NAME, [authority(OLD, ttl=60), resolver(ttl=7, server="8.8.8.8"), resolver(OLD, ttl=50)])
    assert "8.8.8.8 says nothing" in lags.seen and "7 s" in lags.cure


@given(st.lists(st.sampled_from([authority(OLD), resolver(OLD, ttl=5), NameView("a", failure="timed out")])))
def test_one_view_is_never_told_as_two(views: list[NameView]) -> None:
    assert codes(judge_agreement(NAME, views)) == []


@pytest.mark.parametrize(
    ("views", "code", "severity"),
    [
        ([authority(addresses=(OLD_ADDRESS,))], "record-is-address", Severity.WARNS),
        ([authority(addresses=(PROXY, OLD_ADDRESS))], "record-is-address", Severity.WARNS),
        ([authority(addresses=(PROXY,))], "name-behind-proxy", Severity.BLOCKS),
        ([authority(addresses=("2001:db8::1",))], "name-behind-proxy", Severity.BLOCKS),
        ([authority(), resolver(addresses=(PROXY,))], "name-behind-proxy", Severity.BLOCKS),
    ],
)
def test_an_address_in_place_of_an_alias_is_told_by_whose_it_is(
    views: list[NameView], code: str, severity: Severity
) -> None:
    [found] = judge_addresses(NAMES, views, {OLD_ADDRESS})
    assert (found.code, found.severity, found.pointer) == (code, severity, "/old_gateway/service_name")


@pytest.mark.parametrize("views", [[authority(OLD, addresses=(OLD_ADDRESS,))], [authority()], []])
def test_where_an_alias_or_nothing_is_seen_no_address_is_judged(views: list[NameView]) -> None:
    assert judge_addresses(NAMES, views, {OLD_ADDRESS}) == ()


NOT_OURS = ("zone-not-ours", Severity.TELLS)
POINTERS = {
    "record-points-elsewhere": "/old_gateway/resource_id",
    "record-is-address": "/old_gateway/service_name",
    "record-missing": "/old_gateway/service_name",
}


@pytest.mark.parametrize(
    ("views", "old_name", "code"),
    [
        ([authority(OLD)], OLD, ""),
        ([authority(OLD.upper().lower()), resolver(OLD, addresses=(OLD_ADDRESS,))], OLD.upper(), ""),
        ([authority("cmg.trafficmanager.net", OLD)], OLD, "record-indirect"),
        ([authority("somebody.example")], OLD, "record-points-elsewhere"),
        ([authority(addresses=(OLD_ADDRESS,))], OLD, "record-is-address"),
        ([authority()], OLD, "record-missing"),
        ([authority(NEW)], OLD, ""),
        ([authority()], "", ""),
        ([authority()], None, ""),
        ([authority(NEW)], None, ""),
        ([authority(OLD)], None, "service-name-in-use"),
        ([authority(addresses=(PROXY,))], None, "service-name-in-use"),
    ],
)
def test_a_zone_of_others_is_judged_by_what_servers_say(views: list[NameView], old_name: str | None, code: str) -> None:
    found = [*judge_foreign_zone(NAMES, views, old_name, {OLD_ADDRESS})]
    assert codes(found) == [NOT_OURS, *([(code, Severity.WARNS)] if code else [])]
    assert [each.pointer for each in found[1:]] == ([POINTERS.get(code, "")] if code else [])
    assert all(NAME in each.seen for each in found)


def test_the_name_that_stands_between_is_told() -> None:
    [_, found] = judge_foreign_zone(NAMES, [authority("cmg.trafficmanager.net", "far.example", OLD)], OLD)
    assert "«cmg.trafficmanager.net»" in found.seen and "far.example" not in found.seen

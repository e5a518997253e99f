"""Service names and deployment names."""

import re
from string import ascii_letters, digits

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmg_core.domain.names import (
    DNS_LABEL,
    GATEWAY_LABEL,
    NameKind,
    broken_label_rules,
    deployment_name,
    is_covered,
    judge_service_name,
    kind_of,
    label_candidates,
)
from cmg_core.domain.problems import Severity

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).filter(
    lambda label: not label.startswith("xn--")
)
HOST_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
AZURES_LABEL = r"[a-z][a-z0-9-]{1,61}[a-z0-9]"
"""As Azure's own refusal states it."""
REGIONS = st.sampled_from(["eastus", "westeurope", "usgovvirginia"])
ENDINGS = st.sampled_from(
    ["contoso.com", "cloudapp.net", "eastus.cloudapp.azure.com", "usgovvirginia.cloudapp.usgovcloudapi.net", "рф"]
)
HOSTS = st.builds(lambda label, ending: f"{label}.{ending}", LABELS, ENDINGS)
ANY_NAMES = st.text(ascii_letters + digits + "-.*äß", max_size=80)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GraniteFalls.Contoso.Com", NameKind.OWN_DOMAIN),
        ("cmg.it.contoso.co.uk", NameKind.OWN_DOMAIN),
        ("GraniteFalls.EastUS.CloudApp.Azure.Com", NameKind.REGION),
        ("granitefalls.westus.cloudapp.azure.com", NameKind.OTHER_REGION),
        ("a.granitefalls.eastus.cloudapp.azure.com", NameKind.UNFIT),
        ("eastus.cloudapp.azure.com", NameKind.UNFIT),
        ("GraniteFalls.CloudApp.Net", NameKind.CLASSIC),
        ("granitefalls.usgovcloudapp.net", NameKind.OTHER_CLOUD),
        ("granitefalls.usgovvirginia.cloudapp.usgovcloudapi.net", NameKind.OTHER_CLOUD),
        ("granitefalls.usgovvirginia.cloudapp.azure.com", NameKind.OTHER_REGION),
        ("münchen.contoso.com", NameKind.UNFIT),
        ("cmg_1.contoso.com", NameKind.UNFIT),
        (f"{'a' * 64}.contoso.com", NameKind.UNFIT),
        (f"cmg.{'a.' * 125}com", NameKind.UNFIT),
        ("cmg.xn--e1afmkfd.xn--p1ai", NameKind.OWN_DOMAIN),
        ("contoso.com", NameKind.UNFIT),
        ("granitefalls", NameKind.UNFIT),
        ("*.contoso.com", NameKind.UNFIT),
        ("10.0.0.1", NameKind.UNFIT),
        ("", NameKind.UNFIT),
    ],
)
def test_a_names_domain_decides_what_it_is(name: str, kind: NameKind) -> None:
    assert kind_of(name, "eastus") is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GraniteFalls.UsGovVirginia.CloudApp.UsGovCloudApi.Net", NameKind.REGION),
        ("granitefalls.usgovtexas.cloudapp.usgovcloudapi.net", NameKind.OTHER_REGION),
        ("granitefalls.usgovcloudapp.net", NameKind.CLASSIC),
        ("granitefalls.eastus.cloudapp.azure.com", NameKind.OTHER_CLOUD),
        ("granitefalls.cloudapp.net", NameKind.OTHER_CLOUD),
        ("cmg.contoso.com", NameKind.OWN_DOMAIN),
    ],
)
def test_us_government_has_its_own_suffixes(name: str, kind: NameKind) -> None:
    assert kind_of(name, "usgovvirginia") is kind
    assert deployment_name("a", "usgovvirginia") == "a.usgovvirginia.cloudapp.usgovcloudapi.net"


def blocked(name: str, region: str, *, made_by_site: bool = False) -> bool:
    findings = judge_service_name(name, region, made_by_site=made_by_site)
    return any(finding.severity is Severity.BLOCKS for finding in findings)


@settings(max_examples=1000)
@given(ANY_NAMES | HOSTS, REGIONS, st.booleans())
def test_what_passes_is_a_name_that_dns_and_azure_take(name: str, region: str, made_by_site: bool) -> None:
    kind = kind_of(name, region)
    if name.isascii():
        assert kind_of(name.upper(), region.upper()) is kind
    if blocked(name, region, made_by_site=made_by_site):
        return
    assert kind in (NameKind.OWN_DOMAIN, NameKind.REGION)
    assert len(name) <= 253 and all(re.fullmatch(HOST_LABEL, label, re.IGNORECASE) for label in name.split("."))
    for label in label_candidates(name, region):
        assert re.fullmatch(AZURES_LABEL, label)
        assert made_by_site <= (re.fullmatch(r"[a-z][a-z0-9]{2,23}", label) is not None)


@pytest.mark.parametrize(
    ("label", "pages"),
    [
        ("granite-falls", ["CMG server authentication certificate"]),
        ("9falls", ["Supported configurations"]),
        ("granite--falls", ["Supported configurations", "CMG server authentication certificate"]),
        ("a", ["Supported configurations", "CMG server authentication certificate"]),
        ("a" * 25, ["Supported configurations", "CMG server authentication certificate"]),
    ],
)
def test_each_documented_rule_that_a_label_breaks_is_named_and_counts_for_whom_the_site_makes_it(
    label: str, pages: list[str]
) -> None:
    for made_by_site, severity in ((True, Severity.BLOCKS), (False, Severity.TELLS)):
        (finding,) = judge_service_name(f"{label}.contoso.com", "eastus", made_by_site=made_by_site)
        assert (finding.code, finding.severity) == ("first-label-unusual", severity)
        named = [page for page in ("Supported configurations", "CMG server authentication") if page in finding.seen]
        assert len(named) == len(pages) and all(page in finding.seen for page in pages)


@pytest.mark.parametrize("domain", ["contoso.com", "eastus.cloudapp.azure.com"])
def test_the_site_cannot_make_a_gateway_of_an_unusual_label_under_any_domain(domain: str) -> None:
    [finding] = judge_service_name(f"granite-falls.{domain}", "eastus", made_by_site=True)
    assert (finding.code, finding.severity) == ("first-label-unusual", Severity.BLOCKS)
    assert finding.pointer == "/certificate/name"


@given(LABELS)
def test_a_label_fits_a_gateway_exactly_where_it_breaks_neither_rule(label: str) -> None:
    assert (GATEWAY_LABEL.fullmatch(label) is not None) == (not broken_label_rules(label))


@given(LABELS, REGIONS)
def test_candidates_for_an_own_domain_fit_every_space(label: str, region: str) -> None:
    candidates = label_candidates(f"{label}.contoso.com", region)
    assert len(set(candidates)) == len(candidates) >= 8, "a long label may end in a digit that is tried anyway"
    assert all(GATEWAY_LABEL.fullmatch(candidate) for candidate in candidates)
    if GATEWAY_LABEL.fullmatch(label):
        assert candidates[0] == label


@given(LABELS, REGIONS)
def test_the_regions_name_binds_the_label(label: str, region: str) -> None:
    name = deployment_name(label, region)
    assert label_candidates(name.title(), region) == (label,)
    assert blocked(name, region) != (DNS_LABEL.fullmatch(label) is not None and len(label) <= 24)


@given(LABELS, LABELS)
def test_a_wildcard_covers_exactly_one_label(first: str, second: str) -> None:
    assert is_covered(f"{first}.contoso.com", "*.Contoso.com")
    assert not is_covered(f"{second}.{first}.contoso.com", "*.contoso.com")
    assert not is_covered("contoso.com", "*.contoso.com")
    assert not is_covered("*.contoso.com", "*.contoso.com")
    assert is_covered(f"{first}.contoso.com", f"{first.upper()}.contoso.com")
    assert is_covered(f"{first}.contoso.com", f"{second}.contoso.com") == (first == second)


@pytest.mark.parametrize(
    ("name", "code", "pointer"),
    [
        ("granitefalls.cloudapp.net", "service-name-classic-domain", "/certificate/name"),
        ("granitefalls.westus.cloudapp.azure.com", "service-name-other-region", "/region"),
        ("granitefalls.usgovcloudapp.net", "service-name-other-cloud", "/certificate/name"),
        ("contoso.com", "service-name-fits-nothing", "/certificate/name"),
        ("1granitefalls.eastus.cloudapp.azure.com", "service-name-bad-label", "/certificate/name"),
    ],
)
def test_a_name_that_cannot_be_a_gateways_is_told_by_code_and_place(name: str, code: str, pointer: str) -> None:
    [finding] = judge_service_name(name, "eastus", made_by_site=False)
    assert (finding.code, finding.pointer, finding.severity) == (code, pointer, Severity.BLOCKS)
    assert name.split(".")[0] in finding.seen and finding.cure
    assert code == "service-name-bad-label" or "eastus.cloudapp.azure.com" in finding.cure


@pytest.mark.parametrize(("length", "fits"), [(3, True), (24, True), (25, False)])
def test_a_label_bound_by_the_regions_name_has_its_longest_length(length: int, fits: bool) -> None:
    name = f"{'g' * length}.eastus.cloudapp.azure.com"
    findings = judge_service_name(name, "eastus", made_by_site=False)
    blocked = [finding.code for finding in findings if finding.severity is Severity.BLOCKS]
    assert blocked == ([] if fits else ["service-name-bad-label"])


def test_only_the_last_label_tells_an_address_from_a_name() -> None:
    assert kind_of("10.20.contoso.com", "eastus") is NameKind.OWN_DOMAIN
    assert kind_of("gateway.contoso.10", "eastus") is NameKind.UNFIT


def test_a_long_label_is_shortened_by_no_more_than_the_digit_needs() -> None:
    candidates = label_candidates(f"{'g' * 24}.contoso.com", "eastus")
    assert candidates[:3] == ("g" * 24, "g" * 23 + "2", "g" * 23 + "3") and candidates[-1] == "g" * 23 + "9"


def test_no_label_is_no_host() -> None:
    assert not is_covered(".contoso.com", "*.contoso.com")

"""The server authentication certificate."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.certificates import (
    LARGEST,
    ServerCertificate,
    choose_service_name,
    fingerprint,
    judge_certificate,
    read_certificate,
)
from cmg_core.domain.names import is_covered, judge_service_name
from cmg_core.domain.problems import Severity
from tests.fakes import NOW, leaf

NAME = "GraniteFalls.Contoso.Com"
DAY = timedelta(days=1)
TEXTS = st.text("aä-*.x0 ", max_size=12)
HOSTS = st.from_regex(r"(\*|[a-z][a-z0-9]{0,10})\.(contoso|fabrikam)\.com", fullmatch=True)


def read(der: bytes, **changes: object) -> ServerCertificate:
    facts: dict[str, object] = {"enabled": True, "exportable": True, "content_type": "application/x-pkcs12"}
    return read_certificate(der, **(facts | changes))  # type: ignore[arg-type]  # a test names the facts that it changes


def codes(certificate: ServerCertificate, severity: Severity, grace: timedelta | None = 2 * DAY) -> set[str]:
    findings = judge_certificate(certificate, now=NOW, grace_period=grace)
    return {finding.code for finding in findings if finding.severity is severity}


def certificate(*names: str, common_name: str = "", **changes: object) -> ServerCertificate:
    """The facts alone, without the cost of making one."""
    good = ServerCertificate(
        common_name=common_name,
        dns_names=names,
        not_before=NOW - DAY,
        not_after=NOW + 365 * DAY,
        for_server_authentication=True,
        rsa_bits=2048,
        self_signed=False,
        thumbprint="",
        fingerprint="",
        enabled=True,
        exportable=True,
        content_type="application/x-pkcs12",
    )
    return replace(good, **changes)  # type: ignore[arg-type]  # a test names the facts that it changes


def test_a_good_certificate_has_nothing_against_it() -> None:
    for bits in (2048, 4096):
        found = read(leaf(NAME, bits=bits))
        assert judge_certificate(found, now=NOW, grace_period=2 * DAY) == ()
        assert (found.common_name, found.dns_names, found.rsa_bits) == (NAME, (NAME,), bits)


def test_the_fingerprints_are_those_of_the_leaf() -> None:
    der = leaf(NAME)
    found = read(der)
    assert found.fingerprint == fingerprint(der)
    assert len(found.fingerprint) == 64
    sha1 = SHA1()  # noqa: S303  # by which consoles name a certificate
    assert found.thumbprint == x509.load_der_x509_certificate(der).fingerprint(sha1).hex().upper()


@pytest.mark.parametrize(
    ("der", "changes", "code"),
    [
        (leaf(NAME, not_after=NOW), {}, "certificate-expired"),
        (leaf(NAME, not_before=NOW + DAY), {}, "certificate-not-yet-valid"),
        (leaf(NAME, not_after=NOW + 31 * DAY), {}, "certificate-about-to-expire"),
        (leaf(NAME, bits=3072), {}, "certificate-key"),
        (leaf(NAME, bits=0), {}, "certificate-key"),
        (leaf(NAME, server=False), {}, "certificate-not-for-servers"),
        (leaf(NAME, server=None), {}, "certificate-not-for-servers"),
        (leaf(NAME), {"exportable": False}, "certificate-not-exportable"),
        (leaf(NAME), {"enabled": False}, "certificate-disabled"),
    ],
)
def test_what_refuses_a_certificate(der: bytes, changes: dict[str, object], code: str) -> None:
    assert codes(read(der, **changes), Severity.BLOCKS) == {code}


@pytest.mark.parametrize(
    ("der", "changes", "code"),
    [
        (leaf(NAME, not_after=NOW + 60 * DAY), {}, "certificate-expires-soon"),
        (leaf(NAME, self_signed=True), {}, "certificate-self-signed"),
    ],
)
def test_what_is_worth_a_warning(der: bytes, changes: dict[str, object], code: str) -> None:
    found = read(der, **changes)
    assert codes(found, Severity.WARNS) == {code}
    assert codes(found, Severity.BLOCKS) == set()


def test_a_scale_set_takes_a_pfx_only_and_a_site_is_given_a_file() -> None:
    found = certificate(NAME, common_name=NAME, content_type="application/x-pem-file")
    [refused] = judge_certificate(found, now=NOW, grace_period=2 * DAY, for_scale_set=True)
    assert (refused.code, refused.severity) == ("certificate-content-type", Severity.BLOCKS)
    assert "«application/x-pem-file»" in refused.seen and refused.pointer == "/certificate/name"
    assert judge_certificate(found, now=NOW, grace_period=2 * DAY) == ()
    pfx = replace(found, content_type="Application/X-PKCS12")
    assert judge_certificate(pfx, now=NOW, grace_period=2 * DAY, for_scale_set=True) == ()


def test_what_is_no_certificate_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="ValueError"):
        read(b"\x30\x03not")


@pytest.mark.parametrize(("length", "fits"), [(LARGEST, True), (LARGEST + 1, False)])
def test_no_more_than_a_vault_holds_is_looked_at(length: int, fits: bool) -> None:
    with pytest.raises(ValueError) as raised:
        read(bytes(length))
    assert ("larger than a vault" in str(raised.value)) is not fits


@given(st.integers(-400, 400), st.integers(0, 90))
def test_a_certificate_outlasts_the_work_by_thirty_days(left: int, grace: int) -> None:
    found = ServerCertificate(
        **(vars(certificate(NAME)) | {"not_after": NOW + left * DAY, "not_before": NOW - 500 * DAY})
    )
    refused = bool(codes(found, Severity.BLOCKS, grace * DAY))
    assert refused == (left < grace + 30 or left <= 0)


@given(st.lists(HOSTS, unique=True, max_size=4), HOSTS | st.just(""), st.none() | st.just("label"))
def test_a_chosen_name_is_covered_and_has_no_asterisk(
    names: list[str], common_name: str, first_label: str | None
) -> None:
    chosen = choose_service_name(certificate(*names, common_name=common_name), None, first_label)
    if chosen.service_name is None:
        assert any(finding.severity is Severity.BLOCKS for finding in chosen.findings)
        return
    assert "*" not in chosen.service_name
    assert any(is_covered(chosen.service_name, name) for name in names or [common_name])


@given(st.lists(HOSTS, min_size=1, max_size=4), HOSTS.filter(lambda name: "*" not in name))
def test_the_requests_name_decides_where_it_is_covered(names: list[str], wanted: str) -> None:
    chosen = choose_service_name(certificate(*names), wanted, None)
    assert chosen.service_name == (wanted if any(is_covered(wanted, name) for name in names) else None)


def test_a_wildcard_needs_its_label_and_the_cure_names_the_old_one() -> None:
    found = choose_service_name(certificate("*.contoso.com"), None, None, NAME)
    assert found.service_name is None
    (finding,) = found.findings
    assert finding.code == "wildcard-needs-first-label"
    assert finding.pointer == "/first_label"
    assert "GraniteFalls" in finding.cure
    assert (
        choose_service_name(certificate("*.contoso.com"), None, "granitefalls").service_name
        == "granitefalls.contoso.com"
    )


def test_of_several_names_the_common_name_wins_then_the_first_and_the_others_are_told() -> None:
    names = ("a.contoso.com", "b.contoso.com")
    by_subject = choose_service_name(certificate(*names, common_name="B.contoso.com"), None, None)
    assert by_subject.service_name == "b.contoso.com"
    first = choose_service_name(certificate(*names, common_name="unlisted.contoso.com"), None, None)
    assert first.service_name == "a.contoso.com"
    (told,) = first.findings
    assert told.code == "certificate-several-names"
    assert "b.contoso.com" in told.seen
    assert choose_service_name(certificate(common_name="c.contoso.com"), None, None).service_name == "c.contoso.com"


def test_a_label_without_a_wildcard_is_told() -> None:
    (finding,) = choose_service_name(certificate(NAME), None, "other").findings
    assert finding.code == "first-label-unused"
    assert choose_service_name(certificate(NAME), None, "granitefalls").findings == ()


@pytest.mark.parametrize(
    ("common_name", "names", "wanted", "told"),
    [
        ("GRANITEFALLS.contoso.com", ("granitefalls.contoso.com",), None, True),
        ("granitefalls.contoso.com", ("granitefalls.contoso.com",), "GraniteFalls.Contoso.Com", True),
        ("granitefalls.contoso.com", ("granitefalls.contoso.com",), "granitefalls.contoso.com", False),
        ("*.contoso.com", ("*.contoso.com",), "GraniteFalls.Contoso.Com", False),
        ("contoso", ("granitefalls.contoso.com",), None, False),
    ],
)
def test_letters_of_another_case_are_told_because_the_site_compares_them(
    common_name: str, names: tuple[str, ...], wanted: str | None, told: bool
) -> None:
    chosen = choose_service_name(certificate(*names, common_name=common_name), wanted, None)
    assert chosen.service_name == (wanted or names[0])
    assert {(each.code, each.pointer) for each in chosen.findings if "case" in each.code} == (
        {("certificate-letter-case", "/certificate/name")} if told else set()
    )


def test_an_international_common_name_is_the_name_that_dns_takes() -> None:
    alone = choose_service_name(certificate(common_name="granitefälle.contoso.com"), None, None)
    assert alone.service_name == "xn--graniteflle-s8a.contoso.com"
    beside = certificate("a.contoso.com", alone.service_name, common_name="GraniteFälle.contoso.com")
    assert choose_service_name(beside, None, None).service_name == alone.service_name
    assert "certificate-subject-not-listed" not in codes(beside, Severity.TELLS)


@given(
    st.lists(st.text("aä-*.x0", max_size=12), max_size=3), st.text("aä-*.x0 ", max_size=12), st.none() | st.just("b")
)
def test_any_names_are_a_choice_or_a_finding(names: list[str], common_name: str, first_label: str | None) -> None:
    chosen = choose_service_name(certificate(*names, common_name=common_name), None, first_label)
    assert chosen.service_name is not None or chosen.findings
    if chosen.service_name is not None:
        judge_service_name(chosen.service_name, "eastus", made_by_site=True)


@pytest.mark.parametrize(
    "found",
    [
        certificate(NAME, enabled=False),
        certificate(NAME, exportable=False),
        certificate(NAME, not_after=NOW),
        certificate(NAME, not_before=NOW + DAY),
        certificate(NAME, rsa_bits=3072),
        certificate(NAME, rsa_bits=None),
        certificate(NAME, for_server_authentication=False),
        certificate(NAME, self_signed=True),
        certificate(NAME, common_name="another.contoso.com"),
    ],
)
def test_each_finding_points_at_the_requests_certificate(found: ServerCertificate) -> None:
    findings = judge_certificate(found, now=NOW, grace_period=2 * DAY)
    assert findings and {finding.pointer for finding in findings} == {"/certificate/name"}


def test_what_is_odd_about_a_key_or_a_subject_is_told() -> None:
    for bits, told in ((3072, "3072"), (None, "not RSA")):
        [finding] = judge_certificate(certificate(NAME, common_name=NAME, rsa_bits=bits), now=NOW, grace_period=2 * DAY)
        assert told in finding.seen
    [unlisted] = judge_certificate(certificate(NAME, common_name="another.contoso.com"), now=NOW, grace_period=None)
    assert unlisted.code == "certificate-subject-not-listed"
    begins = certificate(NAME, common_name=NAME, not_before=NOW + DAY)
    [early] = judge_certificate(begins, now=NOW, grace_period=None)
    assert f"{NOW + DAY:%Y-%m-%d %H:%M}" in early.seen


def test_a_certificate_is_valid_from_its_first_second_and_long_enough_to_the_second() -> None:
    assert codes(certificate(NAME, not_before=NOW), Severity.BLOCKS) == set()
    enough = certificate(NAME, not_after=NOW + 32 * DAY)
    assert codes(enough, Severity.BLOCKS) == set()
    short = certificate(NAME, not_after=NOW + 32 * DAY - timedelta(seconds=1))
    assert codes(short, Severity.BLOCKS) == {"certificate-about-to-expire"}
    assert codes(certificate(NAME, not_after=NOW + 90 * DAY), Severity.WARNS) == set()


def test_a_certificate_without_a_subject_is_read() -> None:
    assert read(leaf(NAME, common_name="")).common_name == ""


@pytest.mark.parametrize(
    ("names", "service_name", "first_label", "code", "pointer"),
    [
        ((), None, None, "certificate-without-name", "/certificate/name"),
        ((NAME,), "other.contoso.com", None, "service-name-not-covered", "/service_name"),
        ((NAME,), None, "other", "first-label-unused", "/first_label"),
        ((NAME,), NAME, "other", "first-label-unused", "/first_label"),
        ((NAME, "b.contoso.com"), None, None, "certificate-several-names", "/service_name"),
        (("*.contoso.com", "*.fabrikam.com"), None, "granitefalls", "certificate-several-names", "/service_name"),
    ],
)
def test_what_is_odd_about_the_names_is_told_by_code_and_place(
    names: tuple[str, ...], service_name: str | None, first_label: str | None, code: str, pointer: str
) -> None:
    [finding] = choose_service_name(certificate(*names), service_name, first_label).findings
    assert (finding.code, finding.pointer) == (code, pointer)


def test_the_old_gateways_label_alone_is_offered_for_a_wildcard() -> None:
    [finding] = choose_service_name(certificate("*.contoso.com"), None, None, "granitefalls.contoso.com").findings
    assert "«granitefalls»" in finding.cure
    [plain] = choose_service_name(certificate("*.contoso.com"), None, None).findings
    assert "old gateway" not in plain.cure


@pytest.mark.parametrize("others", [1, 5, 6, 19])
def test_of_many_names_a_few_are_shown_and_the_rest_is_counted(others: int) -> None:
    names = tuple(f"{letter}.contoso.com" for letter in "abcdefghijklmnopqrst"[: others + 1])
    [finding] = choose_service_name(certificate(*names), None, None).findings
    shown = sum(name in finding.seen for name in names[1:])
    counted = re.search(r"and (\d+) more", finding.seen)
    assert (shown, counted and int(counted[1])) == ((others, None) if others <= 5 else (5, others - 5))

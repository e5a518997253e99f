"""Certificates made to do harm: each is judged or refused, none is an unknown error or slips in a name."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.certificates import LARGEST, choose_service_name, judge_certificate, read_certificate
from cmg_core.domain.names import judge_service_name
from cmg_core.domain.problems import Severity
from tests.fakes import NOW, leaf

NAME = "granitefalls.contoso.com"
GOOD = leaf(NAME)
KEY = ec.generate_private_key(ec.SECP256R1())


def judged(der: bytes, service_name: str | None = None) -> tuple[str | None, set[str]]:
    """The service name that follows from a certificate, and the codes of what blocks."""
    found = read_certificate(der, enabled=True, exportable=True, content_type="application/x-pkcs12")
    chosen = choose_service_name(found, service_name, None)
    findings = [*judge_certificate(found, now=NOW, grace_period=None), *chosen.findings]
    if chosen.service_name is not None:
        findings += judge_service_name(chosen.service_name, "eastus", made_by_site=False)
    return chosen.service_name, {each.code for each in findings if each.severity is Severity.BLOCKS}


def raw(*extensions: x509.ExtensionType, common_name: str = NAME, signed_by: object = None) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signed_by.public_key() if isinstance(signed_by, ed25519.Ed25519PrivateKey) else KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    if isinstance(signed_by, ed25519.Ed25519PrivateKey):
        return builder.sign(signed_by, None).public_bytes(serialization.Encoding.DER)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_the_test_itself_knows_a_good_one() -> None:
    assert judged(GOOD) == (NAME, set())


@given(st.data())
def test_no_broken_encoding_is_an_unknown_error(data: st.DataObject) -> None:
    der = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(der)))
    for each in (bytes(der), bytes(der[:cut]), bytes(der) + b"\x00"):
        try:
            judged(each)
        except ValueError as reason:
            assert len(str(reason)) < 1000


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"-----BEGIN CERTIFICATE-----", b"0" * 99])
def test_what_is_no_certificate_is_told_as_that(der: bytes) -> None:
    with pytest.raises(ValueError):
        judged(der)


def test_a_list_of_names_without_end_is_refused_before_it_fills_the_ledger() -> None:
    names = [x509.DNSName(f"host-{number}.contoso.com") for number in range(2_000)]
    der = raw(x509.SubjectAlternativeName(names))
    assert len(der) > LARGEST
    with pytest.raises(ValueError, match="larger"):
        judged(der)


@pytest.mark.parametrize(
    "hostile",
    [
        f"{NAME}\x00.evil.example",
        f"{NAME}\r\nX-Injected: 1",
        f"{NAME} ",
        f"{NAME}.",
        f".{NAME}",
        f"{NAME}/../../x",
        f"https://{NAME}/",
        f"{NAME}:443",
        "user@granitefalls.contoso.com",
        "*.*.contoso.com",
        "gr*.contoso.com",
        "*",
        "-.contoso.com",
        "<script>.contoso.com",
        "169.254.169.254",
        "localhost",
        f"{'a' * 64}.contoso.com",
        f"{'a.' * 130}contoso.com",
    ],
)
def test_a_name_that_is_none_becomes_no_service_name(hostile: str) -> None:
    der = raw(x509.SubjectAlternativeName([x509.DNSName(hostile)]), common_name="x")
    name, blocking = judged(der)
    assert name is None or blocking - {"certificate-key", "certificate-not-for-servers"}
    # Nor does it cover the name that it looks like.
    assert judged(der, NAME)[0] is None


@pytest.mark.parametrize("look_alike", ["xn--grnitefalls-79i.contoso.com", "xn--80ak6aa92e.contoso.com"])
def test_a_look_alike_is_told_and_never_taken_for_the_name(look_alike: str) -> None:
    der = raw(x509.SubjectAlternativeName([x509.DNSName(look_alike)]), common_name=NAME)
    assert judged(der, NAME)[0] is None
    findings = judge_service_name(look_alike, "eastus", made_by_site=False)
    assert {"international-name", "international-name-invalid"} & {each.code for each in findings}


@pytest.mark.parametrize(
    "extension",
    [
        x509.SubjectAlternativeName([x509.RFC822Name("a@contoso.com"), x509.UniformResourceIdentifier("https://x")]),
        x509.SubjectAlternativeName([x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))]),
        x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.2.3.4")]),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"\xff\xff"),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.37"), b""),
    ],
)
def test_odd_extensions_are_judged_or_refused(extension: x509.ExtensionType) -> None:
    try:
        _, blocking = judged(raw(extension))
    except ValueError:
        return
    assert "certificate-not-for-servers" in blocking


def test_keys_and_usages_that_no_gateway_can_use_block() -> None:
    assert {"certificate-key"} <= judged(raw(signed_by=ed25519.Ed25519PrivateKey.generate()))[1]
    assert {"certificate-key"} <= judged(leaf(NAME, bits=0))[1]
    assert {"certificate-not-for-servers"} <= judged(leaf(NAME, server=False))[1]
    assert {"certificate-not-for-servers"} <= judged(leaf(NAME, server=None))[1]

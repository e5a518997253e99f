"""A chain is judged by what the handshake showed."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cmg_core.domain.problems import Severity
from cmg_core.domain.shown_chain import Trust, chain_finding
from tests.authorities import Authority, authority, server
from tests.fakes import NOW


def certificate(subject: str, issuer: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


LEAF = certificate("granitefalls.contoso.com", "Issuing CA")
INTERMEDIATE = certificate("Issuing CA", "Root CA")


def test_a_leaf_with_its_issuer_is_told() -> None:
    finding = chain_finding(LEAF, (LEAF, INTERMEDIATE), "/id")
    assert finding.severity is Severity.TELLS
    assert "CN=Root CA" in finding.seen


def test_a_leaf_alone_is_warned_of() -> None:
    assert chain_finding(LEAF, (LEAF,), "/id").severity is Severity.WARNS
    assert chain_finding(LEAF, (), "/id").severity is Severity.WARNS


def test_a_chain_with_a_gap_is_warned_of() -> None:
    stranger = certificate("Other CA", "Root CA")
    assert "gap" in chain_finding(LEAF, (LEAF, stranger), "/id").seen


def test_a_chain_that_cannot_be_read_is_never_taken_for_fine() -> None:
    junk = (LEAF, b"\x30\x03\x02\x01\x05")
    unread = chain_finding(LEAF, junk, "/id")
    assert unread.severity is Severity.UNKNOWN and "ValueError" in unread.seen
    trust = Trust((authority("Root").pem,), "granitefalls.contoso.com", NOW)
    assert chain_finding(LEAF, junk, "/id", trust).severity is Severity.BLOCKS


def test_a_self_signed_one_is_complete() -> None:
    own = certificate("granitefalls.contoso.com", "granitefalls.contoso.com")
    assert chain_finding(own, (own,), "/id").severity is Severity.TELLS


NAME = "granitefalls.contoso.com"
ROOT, OTHER_ROOT = (authority(f"{name} root") for name in ("Contoso", "Fabrikam"))
ISSUING = authority("Contoso Issuing", ROOT)
SERVER = server(NAME, ISSUING)


def trusting(*roots: Authority, name: str = NAME, later: timedelta = timedelta()) -> Trust:
    return Trust([root.pem for root in roots], name, NOW + later)


def test_a_chain_to_a_given_root_is_told_as_trusted() -> None:
    finding = chain_finding(SERVER, (SERVER, ISSUING.der), "/id", trusting(OTHER_ROOT, ROOT))
    assert finding.severity is Severity.TELLS
    assert "Contoso root" in finding.seen


@pytest.mark.parametrize(
    ("chain", "trust"),
    [
        ((SERVER, ISSUING.der), trusting(OTHER_ROOT)),
        ((SERVER,), trusting(ROOT)),
        ((SERVER, ISSUING.der), trusting(ROOT, name="other.contoso.com")),
        ((SERVER, ISSUING.der), trusting(ROOT, later=timedelta(days=400))),
    ],
)
def test_a_chain_that_clients_with_these_roots_refuse_blocks(chain: tuple[bytes, ...], trust: Trust) -> None:
    finding = chain_finding(SERVER, chain, "/id", trust)
    assert (finding.code, finding.severity) == ("certificate-chain", Severity.BLOCKS)
    assert finding.cure


def test_without_roots_trust_is_not_looked_at() -> None:
    assert chain_finding(SERVER, (SERVER, ISSUING.der), "/id", trusting()).severity is Severity.TELLS

"""A chain is judged by what the handshake showed."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cmg_core.domain.problems import Severity
from cmg_core.domain.shown_chain import chain_finding
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


def test_a_self_signed_one_is_complete() -> None:
    own = certificate("granitefalls.contoso.com", "granitefalls.contoso.com")
    assert chain_finding(own, (own,), "/id").severity is Severity.TELLS

"""Small certificate authorities for tests: made once, with elliptic keys, because these are quick."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fakes import NOW

_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """An authority with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def authority(name: str, issuer: Authority | None = None) -> Authority:
    """A root, or an authority below ``issuer``."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key, issuer).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    signer = issuer.key if issuer else key
    return Authority(builder.add_extension(usage, True).sign(signer, hashes.SHA256()), key)


def server(name: str, issuer: Authority) -> bytes:
    """A server's certificate in DER."""
    builder = _builder(name, ec.generate_private_key(ec.SECP256R1()), issuer)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _builder(name: str, key: ec.EllipticCurvePrivateKey, issuer: Authority | None) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - _YEAR)
        .not_valid_after(NOW + _YEAR)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )

"""Certificates for simulated worlds, made when a world is built. Keys live in memory only.

RSA keys are slow to make, so a process makes one for each description and keeps it: the same description gives the
same key (and authorities) in every world of the process.
"""

import functools
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import AfterValidator, BaseModel, ConfigDict

from local.azure.world import CertificateVersion

type Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

USAGES = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
ISSUERS = {"public": "Simulated Public CA", "enterprise": "Simulated Enterprise CA"}
AUTHORITY_FROM, AUTHORITY_YEARS = -3650, 30

_DURATION = re.compile(r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def duration(text: str) -> timedelta:
    """An ISO 8601 duration with an optional minus sign; a year is 365 days, a month 30. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()[1:]):
        raise ValueError(f"'{text}' is not an ISO 8601 duration such as P300D or -P30D")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(days=365 * years + 30 * months + 7 * weeks + days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if found[1] else length


def _checked_duration(text: str) -> str:
    duration(text)
    return text


type Duration = Annotated[str, AfterValidator(_checked_duration)]


class KeyDescription(BaseModel):
    """The key of a certificate; `size` counts for RSA only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["RSA", "EC"] = "RSA"
    size: int = 2048


class CertificateDescription(BaseModel):
    """A certificate as a world's JSON describes it; times are relative to the moment when the world is built.

    `serial` tells apart certificates that are otherwise described alike (a renewed one and its predecessor).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str | None = None
    dns_names: tuple[str, ...] = ()
    issuer: Literal["public", "enterprise", "self"] = "public"
    key: KeyDescription = KeyDescription()
    valid_from: Duration = "-P30D"
    valid_until: Duration = "P300D"
    usages: tuple[Literal["serverAuth", "clientAuth"], ...] = ("serverAuth",)
    content_type: str = "application/x-pkcs12"
    enabled: bool = True
    serial: int = 1

    @property
    def full_subject(self) -> str:
        """The subject, by default the first DNS name."""
        return self.subject or f"CN={self.dns_names[0] if self.dns_names else 'unnamed'}"


@functools.cache
def _key(kind: str, size: int, who: str) -> Key:
    del who
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=size)
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def _authority(issuer: str, level: str, year: int) -> x509.Certificate:
    """A root, or an intermediate below it."""
    begins = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=AUTHORITY_FROM)
    name = _name(f"{ISSUERS[issuer]} {level}")
    parent = _name(f"{ISSUERS[issuer]} root")
    signer = _key("RSA", 2048, f"{issuer} root")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(parent)
        .public_key(_key("RSA", 2048, f"{issuer} {level}").public_key())
        .serial_number(1 if level == "root" else 2)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(_key("RSA", 2048, f"{issuer} {level}").public_key()), False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        .sign(signer, hashes.SHA256())
    )


def _key_usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_encipherment=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority,
        content_commitment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def root_pem(issuer: str, now: datetime) -> bytes:
    """The root of issuer `public` (everybody trusts it) or `enterprise` (the company's devices do), as PEM."""
    return _authority(issuer, "root", now.year).public_bytes(serialization.Encoding.PEM)


def _leaf_key(described: CertificateDescription) -> Key:
    return _key(described.key.type, described.key.size, f"{described.full_subject} {described.serial}")


@functools.lru_cache(maxsize=512)
def _issue(described: CertificateDescription, start: datetime) -> x509.Certificate:
    key = _leaf_key(described)
    own_name = x509.Name.from_rfc4514_string(described.full_subject)
    is_self = described.issuer == "self"
    signer = key if is_self else _key("RSA", 2048, f"{described.issuer} intermediate")
    issuer = own_name if is_self else _authority(described.issuer, "intermediate", start.year).subject
    digest = hashlib.sha256(described.model_dump_json().encode()).digest()
    builder = (
        x509.CertificateBuilder()
        .subject_name(own_name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(digest[:15]))
        .not_valid_before(start + duration(described.valid_from))
        .not_valid_after(start + duration(described.valid_until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if described.dns_names:
        names = x509.SubjectAlternativeName(map(x509.DNSName, described.dns_names))
        builder = builder.add_extension(names, critical=False)
    if described.usages:
        usages = x509.ExtendedKeyUsage([USAGES[usage] for usage in described.usages])
        builder = builder.add_extension(usages, critical=False)
    return builder.sign(signer, hashes.SHA256())


def make_certificate(
    described: CertificateDescription,
    *,
    host: str,
    vault: str,
    name: str,
    version: str,
    exportable: bool,
    now: datetime,
) -> CertificateVersion:
    """A certificate version of a vault (`host` is the vault's DNS name) from its description."""
    # Whole hours, so that worlds built within the hour share what was signed.
    start = now.replace(minute=0, second=0, microsecond=0)
    leaf = _issue(described, start)
    chain = [leaf]
    if described.issuer != "self":
        chain.append(_authority(described.issuer, "intermediate", start.year))
    return CertificateVersion(
        vault=vault,
        name=name,
        version=version,
        id=f"https://{host}/certificates/{name}/{version}",
        secret_id=f"https://{host}/secrets/{name}/{version}",
        key_id=f"https://{host}/keys/{name}/{version}",
        names=described.dns_names,
        leaf_der=leaf.public_bytes(serialization.Encoding.DER),
        chain_pem=b"".join(part.public_bytes(serialization.Encoding.PEM) for part in chain),
        private_key=_leaf_key(described),
        exportable=exportable,
        key_type=described.key.type,
        key_size=256 if described.key.type == "EC" else described.key.size,
        content_type=described.content_type,
        enabled=described.enabled,
        created_at=now,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        described=described,
    )

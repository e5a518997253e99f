"""The server authentication certificate: what it says, which service name follows from it, and what keeps it from use.

Its rules come from Microsoft's pages server-auth-cert and setup-cloud-management-gateway and from what a scale set
demands of a certificate in Key Vault.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.international import ascii_name
from cmg_core.domain.names import first_label_of, is_covered
from cmg_core.domain.problems import Finding

RSA_LENGTHS = (2048, 4096)
"""server-auth-cert: a key of 2048 or 4096 bits."""
LEFT_AFTER_GRACE = timedelta(days=30)
"""How long a certificate must last beyond the planned end of the grace period: less is «about to expire». A renewal
goes through a change of its own and needs that time."""
EXPIRES_SOON = timedelta(days=90)
LARGEST = 25_600
"""Bytes: a vault takes secrets of 25 KB, and a certificate lies in one with its key (Key Vault, "About secrets")."""
NOT_UNDERSTOOD = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""How the library says that a certificate cannot be taken apart."""
CONTENT_TYPE = "application/x-pkcs12"
"""What a scale set takes from a vault: its `certificateUrl` names a secret that holds a PFX (Compute API,
VaultCertificate; "Azure Virtual Machine Scale Sets FAQ" on the content type). Others are refused as
CertificateImproperlyFormatted (Azure/azure-cli issue 7430)."""


@dataclass(frozen=True)
class ServerCertificate:
    """A certificate's public part, with what Key Vault says of it."""

    common_name: str
    dns_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    for_server_authentication: bool
    rsa_bits: int | None
    """None where the key is not RSA."""
    self_signed: bool
    thumbprint: str
    """SHA-1, upper-case hex: how consoles name a certificate."""
    fingerprint: str
    """SHA-256, lower-case hex."""
    enabled: bool
    exportable: bool
    content_type: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names it is good for: its DNS names, else its common name (RFC 6125, section 6.4.4)."""
        return self.dns_names or ((plain_name(self.common_name),) if self.common_name else ())


def plain_name(name: str) -> str:
    """A name as DNS takes it, where it can be one: a common name may hold letters of any script."""
    try:
        return ascii_name(name)
    except ValueError:
        return name


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate in lower-case hex."""
    return hashlib.sha256(der).hexdigest()


def read_certificate(der: bytes, *, enabled: bool, exportable: bool, content_type: str) -> ServerCertificate:
    """Take a leaf in DER apart. Raises ValueError where it is no certificate, or larger than any vault holds."""
    if len(der) > LARGEST:
        raise ValueError(f"a certificate of {len(der)} bytes is larger than a vault holds")
    try:
        return _taken_apart(der, enabled=enabled, exportable=exportable, content_type=content_type)
    except NOT_UNDERSTOOD as reason:
        raise ValueError(f"it is no certificate that can be understood ({type(reason).__name__})") from None


def _taken_apart(der: bytes, *, enabled: bool, exportable: bool, content_type: str) -> ServerCertificate:
    leaf = x509.load_der_x509_certificate(der)
    key = leaf.public_key()
    common_names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return ServerCertificate(
        common_name=str(common_names[0].value) if common_names else "",
        dns_names=_dns_names(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        for_server_authentication=_is_for_servers(leaf),
        rsa_bits=key.key_size if isinstance(key, RSAPublicKey) else None,
        self_signed=leaf.issuer == leaf.subject,
        thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
        fingerprint=fingerprint(der),
        enabled=enabled,
        exportable=exportable,
        content_type=content_type,
    )


def _dns_names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.DNSName))


def _is_for_servers(leaf: x509.Certificate) -> bool:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def judge_certificate(
    certificate: ServerCertificate, *, now: datetime, grace_period: timedelta | None, for_scale_set: bool = False
) -> tuple[Finding, ...]:
    """Everything that keeps a certificate from use, or that a person should know. Its names are judged elsewhere.

    It is about to expire when it ends within 30 days after the planned grace period (None where there is none).
    ``for_scale_set``: this app's, which takes it from the vault; a gateway that the site makes is given a file.
    """
    return (
        *_judge_time(certificate, now, grace_period or timedelta()),
        *_judge_key(certificate),
        *_judge_kind(certificate),
        *(_judge_form(certificate) if for_scale_set else ()),
    )


def _judge_time(certificate: ServerCertificate, now: datetime, grace_period: timedelta) -> tuple[Finding, ...]:
    ends, until = certificate.not_after, f"{certificate.not_after:%Y-%m-%d %H:%M} UTC"
    renew = "Put a renewed certificate for the same name into the vault under the same certificate name."
    where = "/certificate/name"
    if ends <= now:
        return (blocks("certificate-expired", f"The certificate expired on {until}.", renew, pointer=where),)
    if certificate.not_before > now:
        begins = f"{certificate.not_before:%Y-%m-%d %H:%M} UTC"
        return (
            blocks(
                "certificate-not-yet-valid",
                f"The certificate is not valid before {begins}.",
                "Wait until then, or use a certificate that is valid now.",
                pointer=where,
            ),
        )
    if ends < now + grace_period + LEFT_AFTER_GRACE:
        return (
            blocks(
                "certificate-about-to-expire",
                f"The certificate ends on {until}, within {LEFT_AFTER_GRACE.days} days after the planned end "
                "of the work.",
                renew,
                pointer=where,
            ),
        )
    if ends < now + EXPIRES_SOON:
        return (warns("certificate-expires-soon", f"The certificate ends on {until}.", renew, pointer=where),)
    return ()


def _judge_key(certificate: ServerCertificate) -> tuple[Finding, ...]:
    where = "/certificate/name"
    found: list[Finding] = []
    if certificate.rsa_bits not in RSA_LENGTHS:
        seen = f"an RSA key of {certificate.rsa_bits} bits" if certificate.rsa_bits else "a key that is not RSA"
        found.append(
            blocks(
                "certificate-key",
                f"The certificate has {seen}.",
                "Use a certificate with an RSA key of 2048 or 4096 bits.",
                pointer=where,
            )
        )
    if not certificate.exportable:
        found.append(
            blocks(
                "certificate-not-exportable",
                "Key Vault holds the certificate's key as not exportable: instances cannot be given it.",
                "Import or issue the certificate with an exportable key.",
                pointer=where,
            )
        )
    return tuple(found)


def _judge_kind(certificate: ServerCertificate) -> tuple[Finding, ...]:
    where = "/certificate/name"
    found: list[Finding] = []
    if not certificate.for_server_authentication:
        found.append(
            blocks(
                "certificate-not-for-servers",
                "The certificate's extended key usage does not name server authentication (1.3.6.1.5.5.7.3.1).",
                "Use a server authentication certificate.",
                pointer=where,
            )
        )
    if not certificate.enabled:
        found.append(
            blocks(
                "certificate-disabled",
                "The newest version of the certificate is disabled in Key Vault.",
                "Enable it, or add a version that is enabled.",
                pointer=where,
            )
        )
    if certificate.self_signed:
        found.append(
            warns(
                "certificate-self-signed",
                "The certificate is signed by itself: only clients that trust it explicitly will connect.",
                "Use one from a public or an enterprise CA that the clients trust.",
                pointer=where,
            )
        )
    common_name = plain_name(certificate.common_name)
    if certificate.dns_names and common_name.lower() not in (n.lower() for n in certificate.dns_names):
        found.append(
            tells(
                "certificate-subject-not-listed",
                f"The subject's common name «{certificate.common_name}» is not among the certificate's DNS names.",
                "Clients go by the DNS names. Nothing to do if the service name below is the one that is meant.",
                pointer=where,
            )
        )
    return tuple(found)


def _judge_form(certificate: ServerCertificate) -> tuple[Finding, ...]:
    if certificate.content_type.lower() == CONTENT_TYPE:
        return ()
    return (
        blocks(
            "certificate-content-type",
            f"Key Vault holds the certificate as «{certificate.content_type}»; a scale set takes «{CONTENT_TYPE}».",
            "Import the certificate as a PFX, with its key and its chain.",
            pointer="/certificate/name",
        ),
    )


@dataclass(frozen=True)
class ChosenName:
    """The service name that a certificate and a request give, or why there is none."""

    service_name: str | None
    findings: tuple[Finding, ...] = ()


def choose_service_name(
    certificate: ServerCertificate, service_name: str | None, first_label: str | None, migrated_from: str | None = None
) -> ChosenName:
    """Which name clients will dial.

    The request's ``service_name`` decides, if the certificate covers it. Otherwise it is the common name where it is
    one of the DNS names, else the first DNS name (server-auth-cert; New-CMCloudManagementGateway). A wildcard takes
    ``first_label`` for its asterisk. ``migrated_from`` is the old gateway's service name, for cures that name it.
    """
    if service_name is not None:
        return _given_name(certificate, service_name, first_label)
    if not certificate.names:
        return ChosenName(
            None,
            (
                blocks(
                    "certificate-without-name",
                    "The certificate has neither a DNS name nor a common name.",
                    "Use a certificate that names the service.",
                    pointer="/certificate/name",
                ),
            ),
        )
    listed = {name.lower(): name for name in certificate.names}
    chosen = listed.get(plain_name(certificate.common_name).lower(), certificate.names[0])
    others = (*_tell_others(chosen, certificate.names), *_tell_letter_case(certificate, chosen))
    if not chosen.startswith("*."):
        return ChosenName(chosen, (*others, *_judge_idle_label(chosen, first_label)))
    if first_label is not None:
        return ChosenName(f"{first_label}{chosen[1:]}", others)
    hint = (
        f" For the old gateway's name that is «{migrated_from.split('.', 1)[0]}»."
        if migrated_from is not None and is_covered(migrated_from, chosen)
        else ""
    )
    return ChosenName(
        None,
        (
            *others,
            blocks(
                "wildcard-needs-first-label",
                f"The certificate is for «{chosen}»: the service name's first label is open.",
                f"Give `first_label`, the label that stands for the asterisk.{hint}",
                pointer="/first_label",
            ),
        ),
    )


def _given_name(certificate: ServerCertificate, service_name: str, first_label: str | None) -> ChosenName:
    if any(is_covered(service_name, pattern) for pattern in certificate.names):
        told = _tell_letter_case(certificate, service_name)
        return ChosenName(service_name, (*told, *_judge_idle_label(service_name, first_label)))
    return ChosenName(
        None,
        (
            blocks(
                "service-name-not-covered",
                f"The certificate does not cover «{service_name}». It names {_listed(certificate.names)}.",
                "Give a `service_name` that the certificate covers, or a certificate that covers the service name.",
                pointer="/service_name",
            ),
        ),
    )


def _judge_idle_label(service_name: str, first_label: str | None) -> tuple[Finding, ...]:
    if first_label is None or first_label == first_label_of(service_name):
        return ()
    return (
        warns(
            "first-label-unused",
            f"`first_label` «{first_label}» has no effect: the service name is «{service_name}».",
            "Leave `first_label` out, or use a wildcard certificate.",
            pointer="/first_label",
        ),
    )


def _tell_letter_case(certificate: ServerCertificate, chosen: str) -> tuple[Finding, ...]:
    """To DNS and Azure the case is nothing; the site compares the common name letter by letter when a certificate is
    renewed ("Modify a CMG")."""
    common_name = certificate.common_name
    if common_name == chosen or common_name.lower() != chosen.lower():
        return ()
    return (
        tells(
            "certificate-letter-case",
            f"The service name is «{chosen}», the certificate's common name is written «{common_name}».",
            "The same to DNS, Azure and clients. Write the common name of every renewed certificate in the same "
            "letters: the site compares them.",
            pointer="/certificate/name",
        ),
    )


def _tell_others(chosen: str, names: Sequence[str]) -> tuple[Finding, ...]:
    others = [name for name in names if name != chosen]
    if not others:
        return ()
    return (
        tells(
            "certificate-several-names",
            f"The certificate holds several names; «{chosen}» is taken. The others: {_listed(others)}.",
            "Give `service_name` where another one is meant.",
            pointer="/service_name",
        ),
    )


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(f"«{name}»" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

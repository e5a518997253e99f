"""The certificate in its vault, as both preflight and fetch-certificate take it."""

from cmg_core.domain.certificates import ServerCertificate, read_certificate
from cmg_core.domain.findings import blocks
from cmg_core.domain.plans import PinnedCertificate
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import Request
from cmg_core.services import VaultCertificate


def certificate_of(seen: VaultCertificate) -> ServerCertificate:
    """The facts of what the vault shows. Raises ValueError where it is no certificate."""
    return read_certificate(seen.leaf, enabled=seen.enabled, exportable=seen.exportable, content_type=seen.content_type)


def certificate_missing(request: Request) -> Finding:
    """That the vault holds no such certificate."""
    place = request.certificate
    return blocks(
        "certificate-missing",
        f"{place.vault} holds no certificate «{place.name}».",
        "Check the name, or import the server authentication certificate under it (with its key exportable).",
        pointer="/certificate/name",
    )


def pinned_certificate(certificate: ServerCertificate, seen: VaultCertificate, vault_id: str) -> PinnedCertificate:
    """The certificate by its versioned ID."""
    return PinnedCertificate(
        vault_id=vault_id,
        version=seen.version,
        secret_id=seen.secret_id,
        thumbprint=certificate.thumbprint,
        fingerprint=certificate.fingerprint,
        subject=certificate.common_name,
        dns_names=certificate.dns_names,
        not_after=certificate.not_after,
    )

"""The certificate, in its vault or as a gateway shows it, as both preflight and fetch-certificate take it."""

from cmg_core.domain.certificates import CONTENT_TYPE, ServerCertificate, read_certificate
from cmg_core.domain.findings import blocks, tells, unknown
from cmg_core.domain.plans import PinnedCertificate, StandingGateway
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import CertificateReference
from cmg_core.services import VaultCertificate


def certificate_of(seen: VaultCertificate) -> ServerCertificate:
    """The facts of what the vault shows. Raises ValueError where it is no certificate."""
    return read_certificate(seen.leaf, enabled=seen.enabled, exportable=seen.exportable, content_type=seen.content_type)


def certificate_missing(place: CertificateReference) -> Finding:
    """That the vault holds no such certificate."""
    return blocks(
        "certificate-missing",
        f"{place.vault} holds no certificate «{place.name}».",
        "Check the name, or import the server authentication certificate under it (with its key exportable).",
        pointer="/certificate/name",
    )


def pinned_certificate(certificate: ServerCertificate, seen: VaultCertificate, vault_id: str) -> PinnedCertificate:
    """The certificate by its versioned ID."""
    return _pinned(certificate, vault_id=vault_id, version=seen.version, secret_id=seen.secret_id)


def pinned_as_shown(certificate: ServerCertificate) -> PinnedCertificate:
    """The certificate that a standing gateway shows: no vault is known that holds it."""
    return _pinned(certificate, vault_id="", version="", secret_id="")


def _pinned(certificate: ServerCertificate, *, vault_id: str, version: str, secret_id: str) -> PinnedCertificate:
    return PinnedCertificate(
        vault_id=vault_id,
        version=version,
        secret_id=secret_id,
        thumbprint=certificate.thumbprint,
        fingerprint=certificate.fingerprint,
        subject=certificate.common_name,
        dns_names=certificate.dns_names,
        not_after=certificate.not_after,
    )


def shown_certificate(leaf: bytes) -> ServerCertificate:
    """The facts of a leaf that a gateway shows (DER): that it does proves that it has the key. Raises ValueError."""
    return read_certificate(leaf, enabled=True, exportable=True, content_type=CONTENT_TYPE)


def tells_shown_certificate(certificate: ServerCertificate, standing: StandingGateway) -> Finding:
    """Which certificate the gateway shows, since nobody said which is expected."""
    return tells(
        "certificate-as-shown",
        f"The gateway {standing.deployment_name} shows the certificate of {', '.join(certificate.names)} with "
        f"thumbprint {certificate.thumbprint}. The request names none: this one is expected from now on.",
        "Compare the thumbprint with the one that the site's console shows.",
        resource=standing.scale_set.id,
    )


def new_gateway_silent(standing: StandingGateway, failure: str) -> Finding:
    """That the standing gateway shows no certificate."""
    return unknown(
        "new-gateway-silent",
        f"{standing.deployment_name} does not answer on 443: {failure}.",
        "Start the gateway in the site's console and see that its network lets 443 in. Then ask again.",
        resource=standing.scale_set.id,
    )

"""What the chain of certificates that a gateway shows in the TLS handshake means for its clients."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography.x509 import (
    Certificate,
    DNSName,
    load_der_x509_certificate,
    load_pem_x509_certificates,
)
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from cmg_core.domain.certificates import NOT_UNDERSTOOD
from cmg_core.domain.problems import Finding, Severity

CODE = "certificate-chain"
LONGEST = 16
"""Certificates of a chain that are looked at: whoever answers may show any number."""


@dataclass(frozen=True)
class Trust:
    """What clients go by: the authorities that they trust (PEM), the name that they dial, and the moment."""

    roots: Sequence[str]
    service_name: str
    at: datetime


def chain_finding(leaf: bytes, chain: Sequence[bytes], resource: str, trust: Trust | None = None) -> Finding:
    """Judge the chain (DER, leaf first or without it), which Key Vault does not tell.

    Whether clients trust the authority can be seen only where the request gives the roots that they trust (``trust``);
    then a chain that leads to none of them blocks. Whether a certificate is revoked is not looked at.
    """
    try:
        issuers = [load_der_x509_certificate(each) for each in chain[:LONGEST] if each != leaf]
        shown = [load_der_x509_certificate(leaf), *issuers]
    except NOT_UNDERSTOOD as reason:
        return Finding(
            code=CODE,
            severity=Severity.BLOCKS if trust is not None and trust.roots else Severity.UNKNOWN,
            seen=f"The gateway shows a chain in which a certificate cannot be read ({type(reason).__name__}).",
            cure="See that no device between the app and the gateway answers in its place, and import the certificate "
            "into Key Vault again as a PFX with its intermediate certificates.",
            resource=resource,
        )
    if trust is not None and trust.roots:
        return _verified(shown, trust, resource)
    broken = next((one for one, issuer in pairwise(shown) if one.issuer != issuer.subject), None)
    last = shown[-1]
    if broken:
        return Finding(
            code=CODE,
            severity=Severity.WARNS,
            seen=f"The gateway shows a chain with a gap: after {_subject(broken)} its issuer does not come.",
            cure="Import the certificate into Key Vault again as a PFX with its intermediate certificates, in order.",
            resource=resource,
        )
    if len(shown) == 1 and last.issuer != last.subject:
        return Finding(
            code=CODE,
            severity=Severity.WARNS,
            seen=f"The gateway shows its certificate without that of its issuer {last.issuer.rfc4514_string()}.",
            cure="Clients that do not know the issuer refuse it: import the certificate into Key Vault again as a PFX "
            "with its intermediate certificates, or see that every client has them.",
            resource=resource,
        )
    return Finding(
        code=CODE,
        severity=Severity.TELLS,
        seen=f"The gateway shows {len(shown)} certificates, up to the authority {last.issuer.rfc4514_string()}.",
        cure="See that every client trusts this authority; a private one has to be in their stores.",
        resource=resource,
    )


def _verified(shown: Sequence[Certificate], trust: Trust, resource: str) -> Finding:
    """As a client that trusts these roots and no other judges it (RFC 5280, section 6, and CA/Browser Forum's profile,
    as the library has them)."""
    roots = [root for pem in trust.roots for root in load_pem_x509_certificates(pem.encode())]
    verifier = PolicyBuilder().store(Store(roots)).time(trust.at).build_server_verifier(DNSName(trust.service_name))
    try:
        found = verifier.verify(shown[0], list(shown[1:]))
    except VerificationError as reason:
        return Finding(
            code=CODE,
            severity=Severity.BLOCKS,
            seen=f"The chain that the gateway shows for {trust.service_name} leads to none of the "
            f"{len(roots)} roots that the request gives: {reason}.",
            cure="Import the certificate into Key Vault again as a PFX with its intermediate certificates, or give the "
            "root that it leads to in `certificate.trusted_roots`, if clients trust it.",
            resource=resource,
        )
    return Finding(
        code=CODE,
        severity=Severity.TELLS,
        seen=f"The chain that the gateway shows leads to {_subject(found[-1])}, which the request says clients trust.",
        cure="Nothing to do. Whether the certificate is revoked was not looked at.",
        resource=resource,
    )


def _subject(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string()

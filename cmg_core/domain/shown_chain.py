"""What the chain of certificates that a gateway shows in the TLS handshake means for its clients."""

from collections.abc import Sequence
from itertools import pairwise

from cryptography.x509 import Certificate, load_der_x509_certificate

from cmg_core.domain.problems import Finding, Severity

CODE = "certificate-chain"


def chain_finding(leaf: bytes, chain: Sequence[bytes], resource: str) -> Finding:
    """Judge the chain (DER, leaf first or without it), which Key Vault does not tell.

    Whether clients trust the authority cannot be seen from here: a private one must be in their stores.
    """
    issuers = [load_der_x509_certificate(each) for each in chain if each != leaf]
    shown = [load_der_x509_certificate(leaf), *issuers]
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


def _subject(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string()

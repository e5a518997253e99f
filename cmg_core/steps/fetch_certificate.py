"""fetch-certificate: read the server authentication certificate again and pin its version.

Only its public part is read. Azure's fabric gives instances the key from Key Vault, by the versioned secret ID.
"""

from dataclasses import replace

from cmg_core.domain.certificates import judge_certificate
from cmg_core.domain.outcomes import Done, Failed, Outcome
from cmg_core.domain.plans import PinnedCertificate
from cmg_core.domain.problems import Finding, Problem, Severity
from cmg_core.domain.requests import ReplacementRequest
from cmg_core.looks.certificate import certificate_missing, certificate_of, pinned_certificate
from cmg_core.steps.context import StepContext


async def fetch_certificate(context: StepContext) -> Outcome:
    """Done with the pinned certificate. Raises TryAgain and AzureRefused."""
    state, request = context.state, context.state.request
    planned = state.plan.certificate if state.plan else None
    if planned is None:
        raise ValueError("fetch-certificate needs the plan that preflight made")
    place = request.certificate
    if place is None:
        told = f"expects the certificate that the gateway showed (thumbprint {planned.thumbprint})"
        return Done(replace(state, certificate=planned), (told,))
    seen = await context.services.vaults.certificate(request.tenant, place.vault, place.name)
    if seen is None:
        return Failed(state, _refused(planned, (certificate_missing(place),)))
    try:
        certificate = certificate_of(seen)
    except ValueError:
        return Failed(state, _changed(planned, "what the vault holds now cannot be read as a certificate"))
    if certificate.fingerprint != planned.fingerprint:
        return Failed(state, _changed(planned, f"the vault now holds the one with thumbprint {certificate.thumbprint}"))
    grace_period = request.grace_period if isinstance(request, ReplacementRequest) else None
    by_app = request.provisioned_by == "automation"
    now = context.services.clock.now()
    findings = judge_certificate(certificate, now=now, grace_period=grace_period, for_scale_set=by_app)
    against = tuple(finding for finding in findings if finding.severity is Severity.BLOCKS)
    if against:
        return Failed(state, _refused(planned, against))
    pinned = pinned_certificate(certificate, seen, planned.vault_id)
    told = f"pinned version {pinned.version} of the certificate (thumbprint {pinned.thumbprint})"
    return Done(replace(state, certificate=pinned), (told,))


def _changed(planned: PinnedCertificate, seen: str) -> Problem:
    return Problem(
        code="certificate-changed",
        title="The certificate is not the one that the plan saw",
        detail=f"The plan was made with thumbprint {planned.thumbprint}; {seen}. Nothing was made with either.",
        cure="Ask for a new plan with the certificate that is in the vault now (POST /api/plans, then a new request), "
        "or put the planned one back as the newest version.",
        resource=planned.vault_id,
    )


def _refused(planned: PinnedCertificate, findings: tuple[Finding, ...]) -> Problem:
    return Problem(
        code="certificate-unfit",
        title="The certificate can no longer be used",
        detail=" ".join(finding.seen for finding in findings),
        cure=" ".join(dict.fromkeys(finding.cure for finding in findings)),
        resource=planned.vault_id,
        findings=findings,
    )

"""The certificate, and the names that follow from it, for a gateway that is made or stands already."""

import asyncio

from cmg_core.domain.certificates import ServerCertificate, choose_service_name, judge_certificate
from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.name_spaces import holds_the_names, judge_names, names_held
from cmg_core.domain.names import (
    NameKind,
    deployment_name,
    first_label_of,
    judge_service_name,
    kind_of,
    label_candidates,
)
from cmg_core.domain.plans import Names, PinnedCertificate, StandingGateway
from cmg_core.domain.procedure import judge_case
from cmg_core.domain.requests import ReplacementRequest, Request, is_made_by_site
from cmg_core.domain.site_facts import judge_site
from cmg_core.domain.target import (
    judge_vault_access,
)
from cmg_core.domain.values import text_at
from cmg_core.looks.asking import Asking, Missed
from cmg_core.looks.certificate import (
    certificate_missing,
    certificate_of,
    new_gateway_silent,
    pinned_as_shown,
    pinned_certificate,
    shown_certificate,
    tells_shown_certificate,
)
from cmg_core.looks.facts import Facts, free_label
from cmg_core.looks.making import ask_names
from cmg_core.looks.notes import Notes
from cmg_core.looks.standing import judge_standing, standing_gateway
from cmg_core.services import Services


def note_standing(notes: Notes, request: Request, facts: Facts) -> StandingGateway | None:
    """The new gateway where it stands already."""
    if facts.standing is None or request.new_gateway is None:
        return None
    if isinstance(facts.standing, Missed):
        notes.miss(facts.standing)
        return None
    notes.add(judge_standing(facts.standing, request, request.new_gateway.resource_id))
    return standing_gateway(facts.standing)


async def note_certificate(
    notes: Notes, request: Request, services: Services, facts: Facts, standing: StandingGateway | None
) -> tuple[PinnedCertificate | None, str | None]:
    """The certificate as it will be pinned, and the service name that follows from it."""
    read = await _read_certificate(notes, request, services, facts, standing)
    if read is None:
        return None, None
    certificate, pinned = read
    replacement = request if isinstance(request, ReplacementRequest) else None
    grace_period = replacement.grace_period if replacement else None
    by_app = request.provisioned_by == "automation"
    now = services.clock.now()
    notes.add(judge_certificate(certificate, now=now, grace_period=grace_period, for_scale_set=by_app))
    old_name = replacement.old_gateway.service_name if replacement else None
    chosen = choose_service_name(certificate, request.service_name, request.first_label, old_name)
    notes.add(chosen.findings)
    if chosen.service_name is None:
        return pinned, None
    notes.add(judge_service_name(chosen.service_name, request.region, made_by_site=is_made_by_site(request)))
    notes.add(judge_site(request, chosen.service_name))
    notes.add(judge_case(request, chosen.service_name))
    return pinned, chosen.service_name


async def _read_certificate(
    notes: Notes, request: Request, services: Services, facts: Facts, standing: StandingGateway | None
) -> tuple[ServerCertificate, PinnedCertificate] | None:
    """From the vault; where the request names none, as the standing gateway shows it."""
    place = request.certificate
    if place is None:
        return await _shown_certificate(notes, request, services, standing) if standing else None
    if isinstance(facts.certificate, Missed):
        closed = judge_vault_access(facts.vault, request) if isinstance(facts.vault, dict) else ()
        notes.add(closed)
        # A vault that is not there has its own finding, and nobody answers under its name.
        if not closed and (facts.vault is not None or request.provisioned_by != "automation"):
            notes.miss(facts.certificate)
        return None
    if facts.certificate is None:
        notes.add([certificate_missing(place)])
        return None
    try:
        certificate = certificate_of(facts.certificate)
    except ValueError:
        notes.add(
            [
                blocks(
                    "certificate-unreadable",
                    f"What {place.vault} holds as «{place.name}» cannot be read as a certificate.",
                    "Import the server authentication certificate again.",
                    pointer="/certificate/name",
                )
            ]
        )
        return None
    vault_id = text_at(facts.vault, "id") if isinstance(facts.vault, dict) else ""
    return certificate, pinned_certificate(certificate, facts.certificate, vault_id)


async def _shown_certificate(
    notes: Notes, request: Request, services: Services, standing: StandingGateway
) -> tuple[ServerCertificate, PinnedCertificate] | None:
    """What the standing gateway shows on 443: nobody gave another word for what is expected of it."""
    name = request.service_name or standing.deployment_name
    dialed = await services.dialer.dial(standing.deployment_name, name)
    if not dialed.leaf:  # one answer that is lost must not refuse a request
        dialed = await services.dialer.dial(standing.deployment_name, name)
    if not dialed.leaf:
        notes.add([new_gateway_silent(standing, dialed.failure)])
        return None
    try:
        certificate = shown_certificate(dialed.leaf)
    except ValueError:
        notes.add([new_gateway_silent(standing, "what it shows cannot be read as a certificate")])
        return None
    notes.add([tells_shown_certificate(certificate, standing)])
    return certificate, pinned_as_shown(certificate)


async def note_names(
    notes: Notes,
    asking: Asking,
    request: Request,
    services: Services,
    service_name: str,
    standing: StandingGateway | None,
) -> Names | None:
    """The service name with the deployment name that stands or will be."""
    if standing is not None:
        name = standing.deployment_name
        return Names(service_name=service_name, label=first_label_of(name), deployment_name=name)
    return (
        await _note_label(notes, asking, request, services, service_name)
        if request.provisioned_by != "existing"
        else None
    )


async def _note_label(
    notes: Notes, asking: Asking, request: Request, services: Services, service_name: str
) -> Names | None:
    """Fix the deployment name: the first label where it is free, else the next that is. The site takes the first label
    and no other, in all four spaces."""
    kind = kind_of(service_name, request.region)
    if kind not in (NameKind.OWN_DOMAIN, NameKind.REGION):
        return None
    candidates = label_candidates(service_name, request.region)
    azure = services.azure(request.tenant, request.subscription_id)
    if request.provisioned_by == "site":
        candidates = candidates[:1]
        if isinstance(request, ReplacementRequest) and holds_the_names(request, candidates[0]):
            notes.add([names_held(request, candidates[0])])
            return Names(
                service_name=service_name,
                label=candidates[0],
                deployment_name=deployment_name(candidates[0], request.region),
            )
        label, spaces = await asyncio.gather(
            free_label(asking, azure, request.region, candidates),
            ask_names(asking, azure, candidates[0]),
        )
        notes.judge(spaces, lambda seen: judge_names(seen, candidates[0]))
    else:
        label = await free_label(asking, azure, request.region, candidates)
    if isinstance(label, Missed):
        notes.miss(label)
        return None
    if not label:
        tried = ", ".join(f"«{candidate}»" for candidate in candidates)
        notes.add(
            [
                blocks(
                    "deployment-name-taken",
                    f"The DNS labels {tried} are taken in {request.region}.",
                    "Use a certificate for another name, or another region."
                    if kind is NameKind.REGION
                    else "Use another region, or a service name with another first label.",
                    pointer="/region",
                )
            ]
        )
        return None
    name = deployment_name(label, request.region)
    if label != candidates[0]:
        seen = f"«{deployment_name(candidates[0], request.region)}» is taken; the deployment name will be «{name}»."
        notes.add([tells("deployment-name-differs", seen, "Nothing to do: clients dial the service name.")])
    return Names(service_name=service_name, label=label, deployment_name=name)

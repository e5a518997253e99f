"""From a request to its plan: every look, judged by the rules, in one pass."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cmg_core.domain.capacity import (
    Offer,
    judge_network_quota,
    judge_offer,
    judge_quota,
    network_quota_not_seen,
    offer_of,
)
from cmg_core.domain.certificates import choose_service_name, judge_certificate
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.name_spaces import holds_the_names, judge_names, names_held
from cmg_core.domain.names import NameKind, deployment_name, judge_service_name, kind_of, label_candidates
from cmg_core.domain.old_gateway import (
    CLASSIC,
    PUBLIC_ADDRESS,
    Parts,
    Surroundings,
    goes_with,
    group_of,
    immutable_id,
    judge_also_delete,
    judge_confirmation,
    judge_parking,
    judge_shared,
    parts_of_scale_set,
    type_of,
)
from cmg_core.domain.permissions import conditions_not_seen, judge_conditions, judge_permissions
from cmg_core.domain.plans import Names, NewResources, OldGateway, Part, PinnedCertificate, Plan, ServiceRecord
from cmg_core.domain.policies import judge_restrictions, names_of, policies_not_seen, to_be_made
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.procedure import connection_ports, gates_of, judge_case, parallel_cost
from cmg_core.domain.requests import MigrationRequest, Request
from cmg_core.domain.scope import judge_request
from cmg_core.domain.service_record import find_record, judge_foreign_zone, silence
from cmg_core.domain.target import (
    judge_existing,
    judge_group,
    judge_locks_on_old,
    judge_locks_on_target,
    judge_providers,
    judge_subscription,
    judge_vault,
    judge_vault_access,
    new_resources,
)
from cmg_core.domain.values import JsonObject, same_id, text_at
from cmg_core.looks.asking import NEEDS_PROVIDER, Asking, Busy, Missed
from cmg_core.looks.certificate import certificate_missing, certificate_of, pinned_certificate
from cmg_core.looks.facts import Facts, OldFacts, chains_of, free_label, gather_facts
from cmg_core.looks.making import ask_names, ask_policies
from cmg_core.services import Services
from cmg_core.steps.register_providers import PROVIDERS

AGAINST = (Severity.BLOCKS, Severity.UNKNOWN)
MOST_KEPT = 40
MOST_FINDINGS = 60
"""How much of either a plan holds: it must fit into one row of the ledger (65,536 bytes)."""


@dataclass(frozen=True)
class Surveyed:
    """A plan, and the looks that brought no answer."""

    plan: Plan
    busy: tuple[Busy, ...]


async def survey(request: Request, services: Services, deployment_id: str) -> Surveyed:
    """Look at everything and make the plan. Changes nothing, and never raises for Azure's refusals."""
    asking, notes = Asking(), _Notes()
    facts = await gather_facts(request, services, deployment_id, asking)
    limits = services.limits
    notes.add(judge_request(request, limits.minimum_grace, has_software=bool(limits.gateway_software)))
    notes.judge(facts.rival, _judge_rival)
    _note_target(notes, request, facts)
    _note_rights(notes, facts)
    offer = _note_capacity(notes, request, facts)
    certificate, service_name = _note_certificate(notes, request, services, facts)
    names = await _note_label(notes, asking, request, services, service_name) if service_name else None
    make = new_resources(request, names.label, offer.zones if offer else ()) if names else None
    if make is not None:
        notes.judge(facts.contents, lambda contents: judge_existing(contents, make, deployment_id))
    if names is not None and make is not None and certificate is not None and request.provisioned_by == "automation":
        blueprint = Blueprint(deployment_id, request.region, request.size, request.instances, names, make)
        await _note_policies(notes, asking, request, services, facts, blueprint, certificate)
    old = _note_old_gateway(notes, request, facts, make)
    record, public_ttl = await _note_public_name(notes, request, services, facts, names, old)
    is_migration = isinstance(request, MigrationRequest)
    plan = Plan(
        findings=notes.told(),
        names=names,
        certificate=certificate,
        make=make,
        keep=old.kept if old else (),
        delete=old.parts if old else (),
        parked=old.parked if old else None,
        old_gateway=old,
        record=record,
        public_ttl=public_ttl,
        gates=gates_of(request, names, connection_ports(request.instances)) if names else (),
        grace_period=request.grace_period if isinstance(request, MigrationRequest) else None,
        minimum_grace=limits.minimum_grace if is_migration else None,
        cost_of_parallel_days=parallel_cost(request) if isinstance(request, MigrationRequest) else "",
        looks=tuple(asking.looks),
    )
    return Surveyed(plan, tuple(notes.busy))


class _Notes:
    """What was found so far."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.busy: list[Busy] = []

    def add(self, findings: Iterable[Finding]) -> None:
        self.findings += findings

    def told(self) -> tuple[Finding, ...]:
        """Each finding once, those that stand against the plan first, within the limit."""
        once = dict.fromkeys(self.findings)
        return tuple(sorted(once, key=lambda finding: finding.severity not in AGAINST)[:MOST_FINDINGS])

    def judge[T](self, seen: T | Missed, judge: Callable[[T], Iterable[Finding]]) -> None:
        """Note what a rule finds in what was seen, or that it could not be seen."""
        if isinstance(seen, Missed):
            self.miss(seen)
        else:
            self.add(judge(seen))

    def miss(self, missed: Missed) -> None:
        self.findings.append(missed.finding)
        if isinstance(missed, Busy):
            self.busy.append(missed)


def _judge_rival(rival: str) -> Iterable[Finding]:
    if rival:
        yield blocks(
            "another-migration",
            f"Deployment {rival} holds this gateway and has not ended.",
            f"See GET /api/deployments/{rival}: let it end first.",
        )


def _note_target(notes: _Notes, request: Request, facts: Facts) -> None:
    notes.judge(facts.subscription, lambda body: judge_subscription(body, request))
    notes.judge(facts.providers, lambda states: judge_providers(states, PROVIDERS))
    notes.judge(facts.group, lambda body: judge_group(body, request))
    deleted = facts.deleted_vault
    if isinstance(deleted, Missed):
        notes.miss(deleted)
    else:
        notes.judge(facts.vault, lambda body: judge_vault(body, request, deleted))
    notes.judge(facts.locks, lambda locks: judge_locks_on_target(locks, request))


def _note_rights(notes: _Notes, facts: Facts) -> None:
    for missed in facts.rights.missed:
        notes.miss(missed)
    for need in facts.rights.missing:
        notes.add(judge_permissions(need))
    conditions = facts.conditions
    if isinstance(conditions, Missed) and not isinstance(conditions, Busy):
        notes.add([conditions_not_seen(conditions.finding.seen)])
    else:
        notes.judge(conditions, judge_conditions)


def _note_capacity(notes: _Notes, request: Request, facts: Facts) -> Offer | None:
    if not isinstance(facts.network_usages, Missed):
        notes.add(judge_network_quota(facts.network_usages, request.region))
    elif facts.network_usages.finding.code == NEEDS_PROVIDER:
        notes.add([network_quota_not_seen(facts.network_usages.finding.seen)])
    else:
        notes.miss(facts.network_usages)
    if isinstance(facts.sizes, Missed) and facts.sizes.finding.code == NEEDS_PROVIDER:
        notes.add([_capacity_not_seen(facts.sizes)])
        return None
    if isinstance(facts.sizes, Missed):
        notes.miss(facts.sizes)
        return None
    offer = offer_of(facts.sizes, request.size, request.region)
    notes.add(judge_offer(offer, request.size, request.region))
    if offer is not None:
        notes.judge(facts.usages, lambda usages: judge_quota(usages, offer, request.instances, request.region))
    return offer


def _capacity_not_seen(missed: Missed) -> Finding:
    """Subscriptions with nothing but classic services never registered Microsoft.Compute: that is no obstacle."""
    return warns(
        "capacity-not-seen",
        f"Size, zones and quota could not be looked at. {missed.finding.seen}",
        "The deployment registers the provider, asks for the size without zones, and fails where the quota does not "
        f"allow it; the old gateway is untouched then. To know before: {missed.finding.cure}",
        pointer="/size",
    )


def _note_certificate(
    notes: _Notes, request: Request, services: Services, facts: Facts
) -> tuple[PinnedCertificate | None, str | None]:
    """The certificate as it will be pinned, and the service name that follows from it."""
    place = request.certificate
    if isinstance(facts.certificate, Missed):
        closed = judge_vault_access(facts.vault, request) if isinstance(facts.vault, dict) else ()
        notes.add(closed)
        # A vault that is not there has its own finding, and nobody answers under its name.
        if not closed and facts.vault is not None:
            notes.miss(facts.certificate)
        return None, None
    if facts.certificate is None:
        notes.add([certificate_missing(request)])
        return None, None
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
        return None, None
    migration = request if isinstance(request, MigrationRequest) else None
    grace_period = migration.grace_period if migration else None
    notes.add(judge_certificate(certificate, now=services.clock.now(), grace_period=grace_period))
    old_name = migration.old_gateway.service_name if migration else None
    chosen = choose_service_name(certificate, request.service_name, request.first_label, old_name)
    notes.add(chosen.findings)
    vault_id = text_at(facts.vault, "id") if isinstance(facts.vault, dict) else ""
    pinned = pinned_certificate(certificate, facts.certificate, vault_id)
    if chosen.service_name is None:
        return pinned, None
    notes.add(judge_service_name(chosen.service_name, request.region))
    notes.add(judge_case(request, chosen.service_name))
    return pinned, chosen.service_name


async def _note_label(
    notes: _Notes, asking: Asking, request: Request, services: Services, service_name: str
) -> Names | None:
    """Fix the deployment name: the first label where it is free, else the next that is. The site takes the first label
    and no other, in all four spaces."""
    kind = kind_of(service_name, request.region)
    if kind not in (NameKind.OWN_DOMAIN, NameKind.REGION):
        return None
    candidates = label_candidates(service_name, request.region)
    azure = services.azure(request.tenant_id, request.subscription_id)
    if request.provisioned_by == "site":
        candidates = candidates[:1]
        if isinstance(request, MigrationRequest) and holds_the_names(request, candidates[0]):
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


async def _note_policies(
    notes: _Notes,
    asking: Asking,
    request: Request,
    services: Services,
    facts: Facts,
    blueprint: Blueprint,
    certificate: PinnedCertificate,
) -> None:
    """What policies refuse of the parts that the app makes, and of the group where it makes that, too."""
    if isinstance(facts.policies, Missed):
        notes.miss(facts.policies)
        return
    group_exists = facts.group is not None
    made = to_be_made(blueprint, certificate, services.limits.gateway_software, group_exists=group_exists)
    azure = services.azure(request.tenant_id, request.subscription_id)
    names = names_of(facts.policies)
    answers = await ask_policies(asking, azure, request, facts.policies, made, group_exists=group_exists)
    for part in answers:
        if not isinstance(part.answer, Missed):
            notes.add(judge_restrictions(part.made, part.answer, names))
    # What keeps one part's answer away keeps all of them away: it is told once.
    missed = next((part.answer for part in answers if isinstance(part.answer, Missed)), None)
    if missed is not None and missed.finding.code == NEEDS_PROVIDER:
        notes.add([policies_not_seen(missed.finding.seen, len(facts.policies))])
    elif missed is not None:
        notes.miss(missed)


def _note_old_gateway(notes: _Notes, request: Request, facts: Facts, make: NewResources | None) -> OldGateway | None:
    if not isinstance(request, MigrationRequest) or facts.old is None:
        return None
    if isinstance(facts.old, Missed):
        notes.miss(facts.old)
        return None
    if isinstance(facts.old_group, Missed):
        notes.miss(facts.old_group)
        return None
    if facts.old.body is None:
        notes.add([_old_gateway_missing(request)])
        return None
    is_classic = type_of(request.old_gateway.resource_id) == CLASSIC
    parts = _parts(facts.old, facts.old.body, is_classic=is_classic)
    besides = _note_besides(notes, request, facts.old, facts.old_group, parts, make)
    notes.add(judge_shared(parts))
    notes.add(judge_confirmation(request, parts.parts, facts.old_group, parts.shared))
    address = _named_address(facts.old)
    parked = next((part for part in parts.parts if same_id(part.id, text_at(address, "id"))), None)
    if request.park_old_name:
        notes.add(judge_parking(parked, facts.old.body, address))
    else:
        parked = None
    going = tuple(part for part in (*parts.parts, *besides) if part != parked)
    notes.judge(facts.locks, lambda locks: judge_locks_on_old(locks, [part.id for part in going]))
    classic_name = text_at(facts.old.body, "properties", "hostName")
    name = (classic_name or text_at(address, "properties", "dnsSettings", "fqdn")).lower().rstrip(".")
    if not name:
        notes.add([_old_gateway_nameless(request)])
    kept = [id for body in facts.old_group if not goes_with(id := text_at(body, "id"), going)]
    if len(kept) > MOST_KEPT:
        rest = f"{len(kept) - MOST_KEPT} more resources of its group than the plan lists stay as they are."
        notes.add([tells("more-is-kept", rest, "Nothing to do.", resource=group_of(request.old_gateway.resource_id))])
    return OldGateway(
        model="classic" if is_classic else "scale-set",
        resource_id=text_at(facts.old.body, "id") or request.old_gateway.resource_id,
        service_name=request.old_gateway.service_name,
        deployment_name=name,
        region=text_at(facts.old.body, "location"),
        parts=going,
        kept=tuple(kept[:MOST_KEPT]),
        parked=parked,
    )


def _old_gateway_missing(request: MigrationRequest) -> Finding:
    return blocks(
        "old-gateway-missing",
        "There is no such resource: the old gateway may be gone already.",
        "Check `old_gateway.resource_id`. Where Azure has removed it, deploy the new gateway with POST "
        "/api/deployments and "
        "remove the site's record and the connection point by hand: retiring a dead gateway comes with a later "
        "release.",
        resource=request.old_gateway.resource_id,
        pointer="/old_gateway/resource_id",
    )


def _old_gateway_nameless(request: MigrationRequest) -> Finding:
    return blocks(
        "old-gateway-without-name",
        "No address with a DNS name was found behind the old gateway: whether records lead to it cannot be seen.",
        "Check `old_gateway.resource_id`: clients cannot be served by a gateway without an address.",
        resource=request.old_gateway.resource_id,
        pointer="/old_gateway/resource_id",
    )


def _parts(old: OldFacts, body: JsonObject, *, is_classic: bool) -> Parts:
    if is_classic:
        return Parts((Part(id=text_at(body, "id"), immutable_id=immutable_id(body)),), {})
    return parts_of_scale_set(body, old.referred)


def _note_besides(
    notes: _Notes,
    request: MigrationRequest,
    old: OldFacts,
    group: Sequence[JsonObject],
    parts: Parts,
    make: NewResources | None,
) -> tuple[Part, ...]:
    """What the request deletes besides, after its checks."""
    around = Surroundings(parts.parts, group, request.certificate.vault, make.ids if make else ())
    known = {part.id.lower() for part in parts.parts}
    found = []
    for id in request.old_gateway.also_delete:
        if id.lower() in known:
            continue
        body = old.besides.get(id)
        notes.add(judge_also_delete(request, id, body, around))
        if body is not None:
            found.append(Part(id=id, immutable_id=immutable_id(body)))
    return tuple(found)


def _named_address(old: OldFacts) -> JsonObject:
    """The old scale set's public address that has a DNS name; empty where there is none."""
    addresses = [found for found in old.referred if type_of(text_at(found, "id")) == PUBLIC_ADDRESS]
    return next((found for found in addresses if text_at(found, "properties", "dnsSettings", "fqdn")), {})


async def _note_public_name(
    notes: _Notes, request: Request, services: Services, facts: Facts, names: Names | None, old: OldGateway | None
) -> tuple[ServiceRecord | None, timedelta]:
    """Judge the service name in public DNS, where it needs a record: that record, and for how long servers let others
    hold what they say now."""
    if isinstance(facts.records, Missed):
        notes.miss(facts.records)
    if names is None or (isinstance(request, MigrationRequest) and old is None):
        return None, timedelta()
    if not names.has_own_domain:
        if request.dns is not None:
            seen = f"«{names.service_name}» is Azure's own name: it needs no record, and the zone stays as it is."
            notes.add([tells("zone-not-needed", seen, "Leave `dns` out.", pointer="/dns")])
        return None, timedelta()
    views = await services.dns.views(names.service_name)
    chains, longest = chains_of(views), max((view.ttl for view in views), default=timedelta())
    if not chains:
        silent = silence(names.service_name)
        notes.miss(Busy(silent, TryAgain(silent.seen)))
        return None, longest
    old_name = old.deployment_name if old else None
    if request.dns is None:
        notes.add(judge_foreign_zone(names, chains, old_name))
        return None, longest
    if isinstance(facts.records, Missed):
        return None, longest
    found = find_record(request.dns.zone_id, facts.records, names, chains, old_name)
    notes.add(found.findings)
    return found.record, longest

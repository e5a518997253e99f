"""From a request to its plan: every look, judged by the rules, in one pass."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cmg_core.domain.capacity import Offer, judge_offer, judge_quota, offer_of
from cmg_core.domain.cases import Case, case_of
from cmg_core.domain.certificates import ServerCertificate, choose_service_name, judge_certificate
from cmg_core.domain.clouds import CloudName, cloud_of
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.firewall import firewall_changes
from cmg_core.domain.names import (
    NameKind,
    deployment_name,
    first_label_of,
    judge_service_name,
    kind_of,
    label_candidates,
)
from cmg_core.domain.old_gateway import (
    CLASSIC,
    SCALE_SET,
    Parts,
    Surroundings,
    goes_with,
    gone_gateway,
    group_of,
    immutable_id,
    judge_also_delete,
    judge_classic_state,
    judge_confirmation,
    judge_parking,
    judge_presence,
    judge_shared,
    parts_of_scale_set,
    type_of,
)
from cmg_core.domain.plans import Names, OldGateway, Part, PinnedCertificate, Plan, ServiceRecord, StandingGateway
from cmg_core.domain.prices import parallel_cost
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.procedure import connection_ports, foretold_gap, gates_of, judge_case, judge_gap
from cmg_core.domain.reasons import judge_reasons
from cmg_core.domain.releases import Circumstances, judge_release
from cmg_core.domain.requests import MigrationRequest, ReplacementRequest, Request, is_made_by_site
from cmg_core.domain.scope import judge_request
from cmg_core.domain.service_record import find_record, judge_foreign_zone, judge_serving_name, silence
from cmg_core.domain.site_facts import judge_site
from cmg_core.domain.target import (
    is_csp,
    judge_existing,
    judge_group,
    judge_locks_on_old,
    judge_locks_on_target,
    judge_providers,
    judge_subscription,
    judge_vault,
    new_resources,
)
from cmg_core.domain.tenants import Identities, judge_access, judge_sign_in
from cmg_core.domain.values import JsonObject, at, same_id, text_at
from cmg_core.looks.asking import NEEDS_PROVIDER, Busy, Missed
from cmg_core.looks.certificate import (
    certificate_missing,
    certificate_of,
    new_gateway_silent,
    pinned_as_shown,
    pinned_certificate,
    shown_certificate,
    tells_shown_certificate,
)
from cmg_core.looks.facts import Facts, OldFacts, chains_of, free_label, gather_facts
from cmg_core.looks.standing import judge_not_the_old_one, judge_standing, named_address, standing_gateway
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
    facts = await gather_facts(request, services, deployment_id)
    limits = services.limits
    notes = _Notes(request, limits.identities)
    has_software = bool(limits.gateway_software)
    notes.add(judge_request(request, limits.minimum_grace, has_software=has_software, cloud=limits.cloud))
    notes.judge(facts.rival, _judge_rival)
    notes.add(judge_access(request.tenant, limits.identities))
    _note_target(notes, request, facts, limits.identities)
    offer = _note_capacity(notes, request, facts) if request.provisioned_by != "existing" else None
    notes.add(judge_release(request.configmgr_release, _circumstances(request, facts, offer)))
    standing = _note_standing(notes, request, facts)
    certificate, service_name = await _note_certificate(notes, request, services, facts, standing)
    names = await _note_names(notes, request, services, service_name, standing) if service_name else None
    case = case_of(request, service_name) if service_name else None
    is_ours = request.provisioned_by == "automation"
    make = new_resources(request, names.label, offer.zones if offer else ()) if names and is_ours else None
    if make is not None:
        notes.judge(facts.contents, lambda contents: judge_existing(contents, make, deployment_id))
    new_ids = standing.parts if standing else make.ids if make else ()
    old = _note_old_gateway(notes, request, facts, new_ids)
    if standing is not None and isinstance(request, ReplacementRequest):
        old_parts = old.parts if old else ()
        notes.add(judge_not_the_old_one(standing, request.old_gateway.resource_id, old_parts))
    if isinstance(request, MigrationRequest) and service_name and old and not old.gone:
        notes.add(judge_reasons(request, service_name, old))
    old_name = old.deployment_name if old and case and case.moves_the_name else None
    record, public_ttl = await _note_public_name(notes, request, services, facts, names, case, old_name)
    if old is not None and old.gone and not old.deployment_name and record is not None:
        old = old.model_copy(update={"deployment_name": record.target})
    gap = foretold_gap(request, case, max(record.ttl if record else timedelta(), public_ttl))
    notes.add(judge_gap(request, gap))
    is_replacement = isinstance(request, ReplacementRequest)
    instances = standing.instances if standing else request.instances
    gates = gates_of(request, names, connection_ports(instances)) if names else ()
    cost = parallel_cost(request, gates)
    plan = Plan(
        findings=notes.told(),
        case=case,
        names=names,
        certificate=certificate,
        make=make,
        standing=standing,
        keep=old.kept if old else (),
        delete=old.parts if old else (),
        parked=old.parked if old else None,
        old_gateway=old,
        record=record,
        public_ttl=public_ttl,
        gates=gates,
        grace_period=request.grace_period if isinstance(request, ReplacementRequest) else None,
        minimum_grace=limits.minimum_grace if is_replacement else None,
        foretold_gap=gap,
        cost_of_parallel_days=cost.in_words if cost else "",
        firewall=firewall_changes(request, names, old, instances) if names else (),
    )
    return Surveyed(plan, tuple(notes.busy))


class _Notes:
    """What was found so far."""

    def __init__(self, request: Request, who: Identities) -> None:
        self._request, self._who = request, who
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
        meant = missed.refused and judge_sign_in(missed.refused, self._request.tenant, self._who)
        self.findings += meant or (missed.finding,)
        if isinstance(missed, Busy):
            self.busy.append(missed)


def _judge_rival(rival: str) -> Iterable[Finding]:
    if rival:
        yield blocks(
            "another-migration",
            f"Deployment {rival} holds this gateway and has not ended.",
            f"See GET /api/deployments/{rival}: let it end first.",
        )


def _note_target(notes: _Notes, request: Request, facts: Facts, who: Identities) -> None:
    notes.judge(facts.subscription, lambda body: judge_subscription(body, request, who))
    notes.judge(facts.providers, lambda states: judge_providers(states, PROVIDERS))
    notes.judge(facts.group, lambda body: judge_group(body, request))
    if request.provisioned_by == "automation":
        notes.judge(facts.vault, lambda body: judge_vault(body, request))
    notes.judge(facts.locks, lambda locks: judge_locks_on_target(locks, request))


def _circumstances(request: Request, facts: Facts, offer: Offer | None) -> Circumstances:
    """What the rules of the releases depend on."""
    source = type_of(request.old_gateway.resource_id) if isinstance(request, MigrationRequest) else ""
    return Circumstances(
        site_makes_it=request.provisioned_by == "site",
        has_scale_set=source == SCALE_SET or request.provisioned_by == "existing",
        from_classic=source == CLASSIC,
        to_classic=request.deployment_model == "classic",
        government=cloud_of(request.region) is CloudName.US_GOVERNMENT,
        csp=None if isinstance(facts.subscription, Missed) else is_csp(facts.subscription),
        hierarchy=request.site.hierarchy if request.site else None,
        zonal=bool(offer and offer.zones),
        group_exists=isinstance(facts.group, dict),
    )


def _note_capacity(notes: _Notes, request: Request, facts: Facts) -> Offer | None:
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


def _note_standing(notes: _Notes, request: Request, facts: Facts) -> StandingGateway | None:
    """The new gateway where it stands already."""
    if facts.standing is None or request.new_gateway is None:
        return None
    if isinstance(facts.standing, Missed):
        notes.miss(facts.standing)
        return None
    notes.add(judge_standing(facts.standing, request, request.new_gateway.resource_id))
    return standing_gateway(facts.standing)


async def _note_certificate(
    notes: _Notes, request: Request, services: Services, facts: Facts, standing: StandingGateway | None
) -> tuple[PinnedCertificate | None, str | None]:
    """The certificate as it will be pinned, and the service name that follows from it."""
    read = await _read_certificate(notes, request, services, facts, standing)
    if read is None:
        return None, None
    certificate, pinned = read
    replacement = request if isinstance(request, ReplacementRequest) else None
    grace_period = replacement.grace_period if replacement else None
    notes.add(judge_certificate(certificate, now=services.clock.now(), grace_period=grace_period))
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
    notes: _Notes, request: Request, services: Services, facts: Facts, standing: StandingGateway | None
) -> tuple[ServerCertificate, PinnedCertificate] | None:
    """From the vault; where the request names none, as the standing gateway shows it."""
    place = request.certificate
    if place is None:
        return await _shown_certificate(notes, request, services, standing) if standing else None
    if isinstance(facts.certificate, Missed):
        # A vault that is not there has its own finding, and nobody answers under its name.
        if facts.vault is not None or request.provisioned_by != "automation":
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
    notes: _Notes, request: Request, services: Services, standing: StandingGateway
) -> tuple[ServerCertificate, PinnedCertificate] | None:
    """What the standing gateway shows on 443: nobody gave another word for what is expected of it."""
    name = request.service_name or standing.deployment_name
    dialed = await services.dialer.dial(standing.deployment_name, name)
    if not dialed.leaf:
        notes.add([new_gateway_silent(standing, dialed.failure)])
        return None
    certificate = shown_certificate(dialed.leaf)
    notes.add([tells_shown_certificate(certificate, standing)])
    return certificate, pinned_as_shown(certificate)


async def _note_names(
    notes: _Notes, request: Request, services: Services, service_name: str, standing: StandingGateway | None
) -> Names | None:
    """The service name with the deployment name that stands or will be."""
    if standing is not None:
        name = standing.deployment_name
        return Names(service_name=service_name, label=first_label_of(name), deployment_name=name)
    return await _note_label(notes, request, services, service_name) if request.provisioned_by != "existing" else None


async def _note_label(notes: _Notes, request: Request, services: Services, service_name: str) -> Names | None:
    """Fix the deployment name: the first label where it is free, else the next that is."""
    kind = kind_of(service_name, request.region)
    if kind not in (NameKind.OWN_DOMAIN, NameKind.REGION):
        return None
    candidates = label_candidates(service_name, request.region)
    if request.provisioned_by == "site":
        candidates = candidates[:1]  # the site derives it from the first label
    azure = services.azure(request.tenant, request.subscription_id)
    label = await free_label(azure, request.region, candidates)
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


def _note_old_gateway(notes: _Notes, request: Request, facts: Facts, new_ids: Sequence[str]) -> OldGateway | None:
    if not isinstance(request, ReplacementRequest) or facts.old is None:
        return None
    if isinstance(facts.old, Missed):
        notes.miss(facts.old)
        return None
    if isinstance(facts.old_group, Missed):
        notes.miss(facts.old_group)
        return None
    is_classic = type_of(request.old_gateway.resource_id) == CLASSIC
    notes.add(judge_presence(request, facts.old.body))
    if facts.old.body is None:
        return gone_gateway(request) if request.old_gateway.gone else None
    parts = _parts(facts.old, facts.old.body, is_classic=is_classic)
    if is_classic:
        notes.add(finding for slot in facts.old.referred for finding in judge_classic_state(slot))
    besides = _note_besides(notes, request, facts.old, facts.old_group, parts, new_ids)
    notes.add(judge_shared(parts))
    notes.add(judge_confirmation(request, parts.parts, facts.old_group, parts.shared))
    address = named_address(facts.old.referred)
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
    instances = at(facts.old.body, "sku", "capacity")
    return OldGateway(
        model="classic" if is_classic else "scale-set",
        resource_id=text_at(facts.old.body, "id") or request.old_gateway.resource_id,
        service_name=request.old_gateway.service_name,
        deployment_name=name,
        region=text_at(facts.old.body, "location"),
        parts=going,
        kept=tuple(kept[:MOST_KEPT]),
        parked=parked,
        size=text_at(facts.old.body, "sku", "name"),
        instances=instances if isinstance(instances, int) else None,
    )


def _old_gateway_nameless(request: ReplacementRequest) -> Finding:
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
    request: ReplacementRequest,
    old: OldFacts,
    group: Sequence[JsonObject],
    parts: Parts,
    new_ids: Sequence[str],
) -> tuple[Part, ...]:
    """What the request deletes besides, after its checks."""
    around = Surroundings(parts.parts, group, request.certificate.vault if request.certificate else "", new_ids)
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


async def _note_public_name(
    notes: _Notes,
    request: Request,
    services: Services,
    facts: Facts,
    names: Names | None,
    case: Case | None,
    old_name: str | None,
) -> tuple[ServiceRecord | None, timedelta]:
    """Judge the service name in public DNS, where it needs a record: that record, and for how long servers let others
    hold what they say now. ``old_name`` is where the record leads before clients are led over by it; None otherwise."""
    if isinstance(facts.records, Missed):
        notes.miss(facts.records)
    if names is None or case is None or (case.moves_the_name and old_name is None):
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
    if case is Case.RETIREMENT:
        notes.add(judge_serving_name(names, chains))
        return None, longest
    if request.dns is None:
        notes.add(judge_foreign_zone(names, chains, old_name))
        return None, longest
    if isinstance(facts.records, Missed):
        return None, longest
    found = find_record(request.dns.zone_id, facts.records, names, chains, old_name, may_be_missing=_is_gone(request))
    notes.add(found.findings)
    return found.record, longest


def _is_gone(request: Request) -> bool:
    return isinstance(request, ReplacementRequest) and request.old_gateway.gone

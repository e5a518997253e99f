"""From a request to its plan: every look, judged by the rules, in one pass."""

from dataclasses import dataclass
from datetime import timedelta

from cmg_core.domain.cases import Case, case_of
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.findings import tells
from cmg_core.domain.firewall import firewall_changes
from cmg_core.domain.gaps import judge_gap, longest_gap, usual_gap
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.plans import Names, Plan, ServiceRecord
from cmg_core.domain.prices import parallel_cost
from cmg_core.domain.procedure import connection_ports, gates_of
from cmg_core.domain.public_views import is_address_only, judge_addresses, judge_agreement
from cmg_core.domain.reasons import judge_reasons
from cmg_core.domain.releases import judge_release
from cmg_core.domain.requests import MigrationRequest, ReplacementRequest, Request
from cmg_core.domain.scope import judge_request
from cmg_core.domain.service_record import find_record, judge_further_records, judge_serving_name, silence
from cmg_core.domain.target import (
    judge_existing,
    new_resources,
)
from cmg_core.domain.tenants import judge_access
from cmg_core.domain.zones_of_others import judge_foreign_zone
from cmg_core.looks.asking import Asking, Busy, Missed
from cmg_core.looks.facts import Facts, chains_of, gather_facts
from cmg_core.looks.leaving import note_old_gateway
from cmg_core.looks.naming import note_certificate, note_names, note_standing
from cmg_core.looks.notes import Notes
from cmg_core.looks.place import circumstances, judge_rival, note_capacity, note_policies, note_rights, note_target
from cmg_core.looks.standing import judge_not_the_old_one
from cmg_core.services import Services


@dataclass(frozen=True)
class Surveyed:
    """A plan, and the looks that brought no answer."""

    plan: Plan
    busy: tuple[Busy, ...]


async def survey(request: Request, services: Services, deployment_id: str) -> Surveyed:
    """Look at everything and make the plan. Changes nothing, and never raises for Azure's refusals."""
    asking = Asking()
    facts = await gather_facts(request, services, deployment_id, asking)
    limits = services.limits
    notes = Notes(request, limits.identities)
    has_software = bool(limits.gateway_software)
    notes.add(judge_request(request, limits.minimum_grace, has_software=has_software, cloud=limits.cloud))
    notes.judge(facts.rival, judge_rival)
    notes.add(judge_access(request.tenant, limits.identities))
    note_target(notes, request, facts, limits.identities)
    note_rights(notes, facts)
    offer = note_capacity(notes, request, facts) if request.provisioned_by != "existing" else None
    notes.add(judge_release(request.configmgr_release, circumstances(request, facts, offer)))
    standing = note_standing(notes, request, facts)
    certificate, service_name = await note_certificate(notes, request, services, facts, standing)
    names = await note_names(notes, asking, request, services, service_name, standing) if service_name else None
    case = case_of(request, service_name) if service_name else None
    is_ours = request.provisioned_by == "automation"
    make = new_resources(request, names.label, offer.zones if offer else ()) if names and is_ours else None
    if make is not None:
        notes.judge(facts.contents, lambda contents: judge_existing(contents, make, deployment_id))
    if names is not None and make is not None and certificate is not None:
        blueprint = Blueprint(deployment_id, request.region, request.size, request.instances, names, make)
        await note_policies(notes, asking, request, services, facts, blueprint, certificate)
    new_ids = standing.parts if standing else make.ids if make else ()
    old = note_old_gateway(notes, request, facts, new_ids)
    if standing is not None and isinstance(request, ReplacementRequest):
        old_parts = old.parts if old else ()
        notes.add(judge_not_the_old_one(standing, request.old_gateway.resource_id, old_parts))
    if isinstance(request, MigrationRequest) and service_name and old and not old.gone:
        notes.add(judge_reasons(request, service_name, old))
    old_name = old.deployment_name if old and case and case.moves_the_name else None
    record, public_ttl = await _note_public_name(notes, request, services, facts, names, case, old_name)
    if old is not None and names is not None and not isinstance(facts.records, Missed):
        notes.add(judge_further_records(facts.records, names, old))
    if old is not None and old.gone and not old.deployment_name and record is not None:
        old = old.model_copy(update={"deployment_name": record.target})
    gap = usual_gap(request, case, max(record.ttl if record else timedelta(), public_ttl))
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
        usual_gap=gap,
        foretold_gap=longest_gap(request, gap),
        cost_of_parallel_days=cost.in_words if cost else "",
        firewall=firewall_changes(request, names, old, instances) if names else (),
        looks=tuple(asking.looks),
    )
    return Surveyed(plan, tuple(notes.busy))


async def _note_public_name(
    notes: Notes,
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
    notes.add(judge_agreement(names.service_name, views))
    if case is Case.RETIREMENT:
        notes.add(judge_serving_name(names, chains))
        return None, longest
    old_addresses = await _addresses_of(services, old_name) if old_name and is_address_only(views) else frozenset()
    if request.dns is None:
        notes.add(judge_foreign_zone(names, views, old_name, old_addresses))
        return None, longest
    if isinstance(facts.records, Missed):
        return None, longest
    found = find_record(request.dns.zone_id, facts.records, names, chains, old_name, may_be_missing=_is_gone(request))
    notes.add(found.findings)
    if found.record is not None and old_name:
        notes.add(judge_addresses(names, views, old_addresses))
    return found.record, longest


async def _addresses_of(services: Services, name: str) -> frozenset[str]:
    return frozenset(address for view in await services.dns.views(name) for address in view.addresses)


def _is_gone(request: Request) -> bool:
    return isinstance(request, ReplacementRequest) and request.old_gateway.gone

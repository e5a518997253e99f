"""The old gateway: what of it goes, what stays, and what speaks against it."""

from collections.abc import Sequence

from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.old_gateway import (
    CLASSIC,
    LOAD_BALANCER,
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
from cmg_core.domain.plans import OldGateway, Part
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.target import (
    judge_locks_on_old,
)
from cmg_core.domain.values import JsonObject, at, same_id, text_at
from cmg_core.looks.asking import Missed
from cmg_core.looks.facts import Facts, OldFacts
from cmg_core.looks.notes import Notes
from cmg_core.looks.standing import named_address

MOST_KEPT = 40
"""How many resources that stay a plan lists: it must fit into one row of the ledger (65,536 bytes)."""


def note_old_gateway(notes: Notes, request: Request, facts: Facts, new_ids: Sequence[str]) -> OldGateway | None:
    """The old gateway with what goes and what stays; None where there is none to be seen."""
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
    for locks in facts.all_locks:
        notes.judge(locks, lambda locks: judge_locks_on_old(locks, [part.id for part in going]))
    classic_name = text_at(facts.old.body, "properties", "hostName")
    name = (classic_name or text_at(address, "properties", "dnsSettings", "fqdn")).lower().rstrip(".")
    if not name:
        notes.add([_old_gateway_nameless(request)])
    kept = [id for body in facts.old_group if not goes_with(id := text_at(body, "id"), going)]
    if len(kept) > MOST_KEPT:
        rest = f"{len(kept) - MOST_KEPT} more resources of its group than the plan lists stay as they are."
        notes.add([tells("more-is-kept", rest, "Nothing to do.", resource=group_of(request.old_gateway.resource_id))])
    instances = at(facts.old.body, "sku", "capacity")
    balancers = [each for each in facts.old.referred if type_of(text_at(each, "id")) == LOAD_BALANCER]
    return OldGateway(
        model="classic" if is_classic else "scale-set",
        resource_id=text_at(facts.old.body, "id") or request.old_gateway.resource_id,
        service_name=request.old_gateway.service_name,
        deployment_name=name,
        region=text_at(facts.old.body, "location"),
        parts=going,
        kept=tuple(kept[:MOST_KEPT]),
        parked=parked,
        load_balancer_sku=next((text_at(each, "sku", "name") for each in balancers), ""),
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
    notes: Notes,
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

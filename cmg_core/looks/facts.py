"""Everything that a plan is made from, in as few calls as it takes; independent looks go out together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched
from urllib.parse import urlsplit

from cmg_core.domain.errors import NewerSchema, TryAgain
from cmg_core.domain.old_gateway import CLASSIC, DELETABLE, SCALE_SET, group_of, production_slot, type_of
from cmg_core.domain.requests import (
    CertificateReference,
    OldGatewayReference,
    ReplacementRequest,
    Request,
    held_gateway,
)
from cmg_core.domain.target import group_id
from cmg_core.domain.values import JsonObject, ResourceId, same_id, subscription_of, text_at
from cmg_core.looks.asking import READER, Asking, Missed
from cmg_core.looks.neighbours import Entrance, Neighbours, look_at_neighbours
from cmg_core.looks.rights import Rights, look_at_rights
from cmg_core.looks.standing import StandingFacts, referred_to, standing_facts
from cmg_core.services import NameView, ResourceManager, Services, VaultCertificate, azure_of

LABELS_AT_ONCE = 2


@dataclass(frozen=True)
class OldFacts:
    """The old gateway's own resource (None where it is gone), what it refers to (its slot where it is classic), what
    the request deletes besides."""

    body: JsonObject | None
    referred: Sequence[JsonObject]
    besides: Mapping[str, JsonObject | None]


UNNAMED = "another one"


@dataclass(frozen=True)
class Facts:
    """What was seen before the names are fixed."""

    subscription: JsonObject | Missed
    providers: Mapping[str, str] | Missed
    sizes: Sequence[JsonObject] | Missed
    usages: Sequence[JsonObject] | Missed
    group: JsonObject | Missed | None
    contents: Sequence[JsonObject] | Missed
    locks: Sequence[JsonObject] | Missed
    certificate: VaultCertificate | Missed | None
    vault: JsonObject | Missed | None
    records: Sequence[JsonObject] | Missed
    """Of the request's zone; none without one."""
    rival: str | Missed
    """Another active deployment that holds this gateway; empty where there is none."""
    old: OldFacts | Missed | None
    """None for a new deployment."""
    standing: StandingFacts | Missed | None
    """The new gateway, where the request says that it stands already."""
    old_group: Sequence[JsonObject] | Missed
    """Contents of the old gateway's resource group."""
    deleted_vault: JsonObject | Missed | None
    """The certificate's vault, where it was deleted and can be recovered."""
    network_usages: Sequence[JsonObject] | Missed
    rights: Rights
    conditions: Sequence[JsonObject] | Missed
    """Role assignments of the app's identity."""
    policies: Sequence[JsonObject] | Missed
    """Policy assignments that reach the subscription or anything in it."""
    neighbours: Neighbours
    """Other subscriptions of the tenant, in which the zone or the old gateway lies."""

    @property
    def all_locks(self) -> tuple[Sequence[JsonObject] | Missed, ...]:
        """The locks of each subscription in which the plan changes something."""
        return (self.locks, *(neighbour.locks for neighbour in self.neighbours.values()))

    @property
    def all_conditions(self) -> tuple[Sequence[JsonObject] | Missed, ...]:
        """The same of role assignments."""
        return (self.conditions, *(neighbour.conditions for neighbour in self.neighbours.values()))


async def gather_facts(request: Request, services: Services, deployment_id: str, asking: Asking) -> Facts:
    """Look at everything that does not depend on the names. Never raises for Azure's refusals."""
    azure, ask = services.azure(request.tenant, request.subscription_id), asking.ask
    async with asyncio.TaskGroup() as looks:
        neighbours = looks.create_task(look_at_neighbours(asking, services, request))
        entrance = Entrance(asking, neighbours, request.subscription_id)
        subscription = looks.create_task(ask("the subscription", READER, azure.subscription))
        providers = looks.create_task(ask("the resource providers", READER, azure.providers))
        sizes = looks.create_task(ask("the sizes offered", READER, partial(azure.sizes, request.region)))
        usages = looks.create_task(ask("the quota", READER, partial(azure.usages, request.region)))
        network_usages = looks.create_task(
            ask("the network quota", READER, partial(azure.network_usages, request.region))
        )
        group = looks.create_task(ask("the resource group", READER, partial(azure.group, request.resource_group)))
        locks = looks.create_task(ask("the resource locks", "Microsoft.Authorization/locks/read", azure.locks))
        contents = looks.create_task(
            ask("the resource group's contents", READER, partial(azure.resources_in_group, request.resource_group))
        )
        certificate = looks.create_task(
            ask(
                "the certificate",
                "the role Key Vault Reader on the vault (or the access policy «get certificates»)",
                partial(_certificate, services, request),
            )
        )
        vault = looks.create_task(ask("the vault", READER, partial(_vault, azure, request.certificate)))
        deleted_vault = looks.create_task(_deleted_vault(asking, azure, request, vault))
        records = looks.create_task(_records(entrance, services, request))
        rival = looks.create_task(ask("the ledger", "", partial(_rival, services, request, deployment_id)))
        old = looks.create_task(_old(entrance, services, request))
        standing = looks.create_task(ask("the new gateway", READER, partial(_standing, azure, request)))
        old_group = looks.create_task(_old_group(entrance, services, request, contents))
        rights = looks.create_task(look_at_rights(entrance, services, request, providers, group, vault))
        conditions = looks.create_task(
            ask("role assignments", "Microsoft.Authorization/roleAssignments/read", azure.role_assignments)
        )
        policies = looks.create_task(
            ask("policy assignments", "Microsoft.Authorization/policyAssignments/read", azure.policy_assignments)
        )
    return Facts(
        subscription=subscription.result(),
        providers=providers.result(),
        sizes=sizes.result(),
        usages=usages.result(),
        group=group.result(),
        contents=contents.result(),
        locks=locks.result(),
        certificate=certificate.result(),
        vault=vault.result(),
        records=records.result(),
        rival=rival.result(),
        old=old.result(),
        standing=standing.result(),
        old_group=old_group.result(),
        deleted_vault=deleted_vault.result(),
        network_usages=network_usages.result(),
        rights=rights.result(),
        conditions=conditions.result(),
        policies=policies.result(),
        neighbours=neighbours.result(),
    )


async def _certificate(services: Services, request: Request) -> VaultCertificate | None:
    place = request.certificate
    return await services.vaults.certificate(request.tenant, place.vault, place.name) if place else None


async def _vault(azure: ResourceManager, place: CertificateReference | None) -> JsonObject | None:
    """The whole resource (its list form lacks the properties), by the first label of its address; None where the
    subscription holds no such vault."""
    if place is None:
        return None
    found = await azure.find("Microsoft.KeyVault/vaults", _vault_name(place.vault))
    return await azure.get(text_at(found, "id")) if found else None


def _vault_name(address: str) -> str:
    return (urlsplit(address).hostname or "").split(".", 1)[0]


async def _deleted_vault(
    asking: Asking, azure: ResourceManager, request: Request, vault: asyncio.Task[JsonObject | Missed | None]
) -> JsonObject | Missed | None:
    """Asked for only where the vault is not there."""
    if request.certificate is None or await vault is not None:
        return None
    name = _vault_name(request.certificate.vault)
    return await asking.ask(
        "deleted vaults", "Microsoft.KeyVault/deletedVaults/read", partial(azure.deleted_vault, name)
    )


async def _records(entrance: Entrance, services: Services, request: Request) -> Sequence[JsonObject] | Missed:
    if request.dns is None:
        return ()
    id = request.dns.zone_id
    azure = azure_of(services, request.tenant, id)
    return await entrance.ask(id, "the DNS zone", "DNS Zone Contributor on the zone", lambda: azure.records(id))


async def _rival(services: Services, request: Request, deployment_id: str) -> str:
    """The active deployment that holds the gateway. One with another tenant is not named: who reads the plan may know
    nothing of it. A reservation is a hint; the record that it names decides (engine-protocol, rule 13)."""
    held = await services.ledger.holder(held_gateway(request))
    if held is None or held[0] == deployment_id:
        return ""
    try:
        stored = await services.ledger.read(held[0])
    except NewerSchema:  # a newer release carries it on: it has not ended
        return UNNAMED
    if stored is None and deployment_id:
        # It took this deployment's reservation over and writes its record down at this moment: the two must meet.
        raise TryAgain("another request for this gateway is just being accepted")
    if stored is None or stored.record.status.is_end:
        return ""
    return held[0] if stored.record.state.request.tenant_id == request.tenant_id else UNNAMED


async def _old(entrance: Entrance, services: Services, request: Request) -> OldFacts | Missed | None:
    if not isinstance(request, ReplacementRequest):
        return None
    old = request.old_gateway
    azure = azure_of(services, request.tenant, old.resource_id)
    return await entrance.ask(old.resource_id, "the old gateway", READER, lambda: _old_facts(azure, old))


async def _old_facts(azure: ResourceManager, old: OldGatewayReference) -> OldFacts:
    besides = [id for id in old.also_delete if _is_beside(old.resource_id, id) and type_of(id) in DELETABLE]
    body, *extras = await asyncio.gather(azure.get(old.resource_id), *(azure.get(id) for id in besides))
    referred: list[JsonObject] = []
    if body is not None and type_of(old.resource_id) == CLASSIC:
        referred = [slot for slot in [await azure.get(production_slot(old.resource_id))] if slot is not None]
    if body is not None and type_of(old.resource_id) == SCALE_SET:
        referred = await referred_to(azure, body)
    return OldFacts(body, referred, dict(zip(besides, extras, strict=True)))


async def _standing(azure: ResourceManager, request: Request) -> StandingFacts | None:
    if request.new_gateway is None or subscription_of(request.new_gateway.resource_id) != request.subscription_id:
        return None
    return await standing_facts(azure, request.new_gateway.resource_id)


async def _old_group(
    entrance: Entrance, services: Services, request: Request, contents: asyncio.Task[Sequence[JsonObject] | Missed]
) -> Sequence[JsonObject] | Missed:
    if not isinstance(request, ReplacementRequest):
        return ()
    id = request.old_gateway.resource_id
    if same_id(group_of(id), group_id(request)):
        shared = await contents
        return () if isinstance(shared, Missed) else shared
    azure, name = azure_of(services, request.tenant, id), ResourceId.parse(id).resource_group
    what = "the old gateway's resource group"
    return await entrance.ask(id, what, READER, lambda: azure.resources_in_group(name))


def _is_beside(one: str, other: str) -> bool:
    return subscription_of(one) == subscription_of(other)


async def free_label(asking: Asking, azure: ResourceManager, region: str, candidates: Sequence[str]) -> str | Missed:
    """The first label that is free; empty where none is. The first one alone, which is free as a rule; then several at
    once, so that the last is not far."""
    permission = "Microsoft.Network/locations/checkDnsNameAvailability/read"
    for labels in (candidates[:1], *batched(candidates[1:], LABELS_AT_ONCE, strict=False)):
        answers = await asyncio.gather(
            *(
                asking.ask(f"the name {label}", permission, partial(azure.label_is_free, region, label))
                for label in labels
            )
        )
        for label, is_free in zip(labels, answers, strict=True):
            if isinstance(is_free, Missed):
                return is_free
            if is_free:
                return label
    return ""


def chains_of(views: Sequence[NameView]) -> dict[str, tuple[str, ...]]:
    """Each server's CNAME chain; servers that did not answer are left out."""
    return {view.server: view.targets for view in views if not view.failure}

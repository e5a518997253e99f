"""Everything that a plan is made from, in as few calls as it takes; independent looks go out together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from urllib.parse import urlsplit

from cmg_core.domain.errors import NewerSchema, TryAgain
from cmg_core.domain.old_gateway import CLASSIC, DELETABLE, SCALE_SET, production_slot, type_of
from cmg_core.domain.requests import CertificateReference, ReplacementRequest, Request, held_gateway
from cmg_core.domain.values import JsonObject, ResourceId, text_at
from cmg_core.looks.asking import Asking, Missed
from cmg_core.looks.rights import Rights, look_at_rights
from cmg_core.looks.standing import StandingFacts, referred_to, standing_facts
from cmg_core.services import NameView, ResourceManager, Services, VaultCertificate

READER = "the role Reader on the subscription"
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


async def gather_facts(request: Request, services: Services, deployment_id: str, asking: Asking) -> Facts:
    """Look at everything that does not depend on the names. Never raises for Azure's refusals."""
    azure, ask = services.azure(request.tenant, request.subscription_id), asking.ask
    async with asyncio.TaskGroup() as looks:
        subscription = looks.create_task(ask("the subscription", READER, azure.subscription()))
        providers = looks.create_task(ask("the resource providers", READER, azure.providers()))
        sizes = looks.create_task(ask("the sizes offered", READER, azure.sizes(request.region)))
        usages = looks.create_task(ask("the quota", READER, azure.usages(request.region)))
        network_usages = looks.create_task(ask("the network quota", READER, azure.network_usages(request.region)))
        group = looks.create_task(ask("the resource group", READER, azure.group(request.resource_group)))
        locks = looks.create_task(ask("the resource locks", "Microsoft.Authorization/locks/read", azure.locks()))
        contents = looks.create_task(
            ask("the resource group's contents", READER, azure.resources_in_group(request.resource_group))
        )
        certificate = looks.create_task(
            ask(
                "the certificate",
                "the role Key Vault Reader on the vault (or the access policy «get certificates»)",
                _certificate(services, request),
            )
        )
        vault = looks.create_task(ask("the vault", READER, _vault(azure, request.certificate)))
        deleted_vault = looks.create_task(_deleted_vault(asking, azure, request, vault))
        records = looks.create_task(ask("the DNS zone", "DNS Zone Contributor on the zone", _records(azure, request)))
        rival = looks.create_task(ask("the ledger", "", _rival(services, request, deployment_id)))
        old = looks.create_task(ask("the old gateway", READER, _old(azure, request)))
        standing = looks.create_task(ask("the new gateway", READER, _standing(azure, request)))
        old_group = looks.create_task(
            ask("the old gateway's resource group", READER, _old_group(azure, request, contents))
        )
        rights = looks.create_task(look_at_rights(asking, azure, request, providers, group, vault))
        conditions = looks.create_task(
            ask("role assignments", "Microsoft.Authorization/roleAssignments/read", azure.role_assignments())
        )
        policies = looks.create_task(
            ask("policy assignments", "Microsoft.Authorization/policyAssignments/read", azure.policy_assignments())
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
    return await asking.ask("deleted vaults", "Microsoft.KeyVault/deletedVaults/read", azure.deleted_vault(name))


async def _records(azure: ResourceManager, request: Request) -> Sequence[JsonObject]:
    if request.dns is None or not _is_here(request, request.dns.zone_id):
        return ()
    return await azure.records(request.dns.zone_id)


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


async def _old(azure: ResourceManager, request: Request) -> OldFacts | None:
    if not isinstance(request, ReplacementRequest) or not _is_here(request, request.old_gateway.resource_id):
        return None
    old = request.old_gateway
    besides = [id for id in old.also_delete if _is_here(request, id) and type_of(id) in DELETABLE]
    body, *extras = await asyncio.gather(azure.get(old.resource_id), *(azure.get(id) for id in besides))
    referred: list[JsonObject] = []
    if body is not None and type_of(old.resource_id) == CLASSIC:
        referred = [slot for slot in [await azure.get(production_slot(old.resource_id))] if slot is not None]
    if body is not None and type_of(old.resource_id) == SCALE_SET:
        referred = await referred_to(azure, body)
    return OldFacts(body, referred, dict(zip(besides, extras, strict=True)))


async def _standing(azure: ResourceManager, request: Request) -> StandingFacts | None:
    if request.new_gateway is None or not _is_here(request, request.new_gateway.resource_id):
        return None
    return await standing_facts(azure, request.new_gateway.resource_id)


async def _old_group(
    azure: ResourceManager, request: Request, contents: asyncio.Task[Sequence[JsonObject] | Missed]
) -> Sequence[JsonObject]:
    if not isinstance(request, ReplacementRequest) or not _is_here(request, request.old_gateway.resource_id):
        return ()
    name = ResourceId.parse(request.old_gateway.resource_id).resource_group
    if name.lower() != request.resource_group.lower():
        return await azure.resources_in_group(name)
    shared = await contents
    return () if isinstance(shared, Missed) else shared


def _is_here(request: Request, id: str) -> bool:
    return ResourceId.parse(id).subscription_id.lower() == request.subscription_id


async def free_label(asking: Asking, azure: ResourceManager, region: str, candidates: Sequence[str]) -> str | Missed:
    """The first label that is free; empty where none is. The first one alone, which is free as a rule; then several at
    once, so that the last is not far."""
    permission = "Microsoft.Network/locations/checkDnsNameAvailability/read"
    for labels in (candidates[:1], *batched(candidates[1:], LABELS_AT_ONCE, strict=False)):
        answers = await asyncio.gather(
            *(asking.ask(f"the name {label}", permission, azure.label_is_free(region, label)) for label in labels)
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

"""Builds a world from its JSON description (`seed_models.WorldSeed`)."""

import random
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from local.azure import certificates, site
from local.azure.arm import classic, dns_zones, locks, subscriptions, vaults
from local.azure.arm.public_addresses import free_address
from local.azure.arm.registry import PROVIDERS
from local.azure.arm.storing import save
from local.azure.callers import Api, ApiCaller
from local.azure.errors import AzureError
from local.azure.ids import parse
from local.azure.operations import DURATIONS
from local.azure.receivers import receiver_from_seed
from local.azure.seed_gateways import add_scale_set_gateway
from local.azure.seed_models import (
    DEFAULT_TENANT,
    ClassicServiceSeed,
    RoleAssignmentSeed,
    SubscriptionSeed,
    VaultSeed,
    WorldSeed,
    ZoneSeed,
)
from local.azure.world import (
    Body,
    CustomerApp,
    Identity,
    InsideRecord,
    Instance,
    PolicyAssignment,
    ProviderRegistration,
    ResourceGroup,
    RoleAssignment,
    Subscription,
    World,
)


class SeedError(ValueError):
    """A world's description that cannot be used; the text says which part and why."""


def build_world(seed: Mapping[str, Any], *, time_scale: float, now: datetime) -> World:
    """The world that a description asks for, as it stands at `now`; raises SeedError."""
    try:
        wanted = WorldSeed.model_validate(dict(seed))
    except ValidationError as problem:
        lines = [f"{'.'.join(map(str, error['loc'])) or 'world'}: {error['msg']}" for error in problem.errors()]
        raise SeedError("The world's description is not valid. " + "; ".join(lines)) from problem
    world = _empty_world(wanted, time_scale, now)
    for subscription in wanted.subscriptions:
        _add_subscription(world, subscription)
    for group in wanted.resource_groups:
        require_group(world, group.id, group.location, group.tags)
    for vault in wanted.key_vaults:
        _add_vault(world, wanted, vault, now)
    for body in wanted.resources:
        _add_resource(world, body, now)
    for service in wanted.classic_cloud_services:
        _add_classic_service(world, wanted, service, now)
    for gateway in wanted.scale_set_gateways:
        require_group(world, gateway.group, gateway.region, {})
        try:
            add_scale_set_gateway(world, gateway, now)
        except (AzureError, ValueError) as problem:
            raise SeedError(f"scale_set_gateways: '{gateway.label}' cannot be made. {problem}") from problem
    for zone in wanted.dns_zones:
        _add_zone(world, zone, now)
    for lock in wanted.locks:
        locks.make_lock(world, lock.scope, lock.name, lock.level, lock.notes, now)
    world.inside_dns = [
        InsideRecord(record.name, record.type, record.value, record.ttl) for record in wanted.inside_dns
    ]
    world.receivers = {each.host.lower(): receiver_from_seed(each, now) for each in wanted.receivers}
    world.elsewhere_dns = [
        InsideRecord(record.name, record.type, record.value, record.ttl) for record in wanted.elsewhere_dns
    ]
    world.proxies = dict(wanted.proxies)
    world.operations.clear()
    for subscription in wanted.subscriptions:
        # Only now: what is there already was made when the subscription took writes.
        world.subscriptions[subscription.id.lower()].state = subscription.state
    for changing in world.subscriptions.values():
        subscriptions.begin_seeded_changes(world, changing, now)
    _add_governance(world, wanted, now)
    world.seed_site = wanted.site or {}
    if wanted.site is not None:
        world.site = site.site_from_seed(world, wanted.site, now)
    return world


def _empty_world(wanted: WorldSeed, time_scale: float, now: datetime) -> World:
    # Not secret: it opens nothing outside this world, and an app keeps its tokens when the world is built anew.
    dice = random.Random(wanted.random_seed)
    first = next((s.tenant for s in wanted.subscriptions if s.tenant), None)
    tenant = wanted.identity.tenant or (wanted.tenants[0] if wanted.tenants else first or DEFAULT_TENANT)
    me, app = wanted.identity, wanted.identity.customer_app
    identity = Identity(
        tenant,
        me.client_id,
        me.object_id,
        dice.randbytes(20).hex(),
        dice.randbytes(16).hex(),
        CustomerApp(
            app.client_id,
            app.trusts or me.object_id,
            {tenant.lower(): object_id for tenant, object_id in app.consented_tenants.items()},
        ),
        Api(
            me.api.uri,
            me.api.client_id,
            me.api.version,
            tuple(
                ApiCaller(each.client_id, each.object_id, each.tenant or tenant, each.roles) for each in me.api.callers
            ),
        ),
    )
    if unknown := set(wanted.durations) - set(DURATIONS):
        raise SeedError(f"durations: {sorted(unknown)} are unknown; known are {sorted(DURATIONS)}.")
    return World(
        identity=identity,
        token_key=dice.randbytes(32),
        public_root_pem=certificates.root_pem("public", now),
        enterprise_root_pem=certificates.root_pem("enterprise", now),
        time_scale=time_scale,
        random=dice,
        tenants=list(dict.fromkeys((tenant, *wanted.tenants))),
        durations=dict(wanted.durations),
        skus={name.lower(): sku.model_dump() for name, sku in wanted.skus.items()},
        quotas=dict(wanted.quotas),
        # What is there already was made by others: the app's own roles come last.
        roles=[RoleAssignment("builders", "/", ("*",))],
    )


# "Azure built-in roles": actions and notActions, as far as what is simulated goes.
_ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Owner": (("*",), ()),
    "Contributor": (
        ("*",),
        (
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ),
    ),
    "Reader": (("*/read",), ()),
    "Network Contributor": (
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.Network/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        (),
    ),
    "DNS Zone Contributor": (
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.Network/dnsZones/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        (),
    ),
}


def _add_governance(world: World, wanted: WorldSeed, now: datetime) -> None:
    """Roles, policies, others' names, deleted vaults, and registrations that are under way."""
    owner = tuple(RoleAssignmentSeed(scope=f"/subscriptions/{s.id}", role="Owner") for s in wanted.subscriptions)
    world.roles.clear()
    for number, role in enumerate(owner if wanted.role_assignments is None else wanted.role_assignments):
        actions, not_actions = _ROLES[role.role] if role.role else ((), ())
        world.roles.append(
            RoleAssignment(
                str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number}{role.scope}")),
                role.scope.rstrip("/"),
                (*actions, *role.actions),
                (*not_actions, *role.not_actions),
                role.condition,
                role.condition_met,
            )
        )
    world.policies = [
        PolicyAssignment(p.name, p.scope.rstrip("/"), p.rule, p.effect, p.display_name, p.enforced)
        for p in wanted.policies
    ]
    world.taken_names = {
        kind: frozenset(name.lower() for name in names) for kind, names in wanted.taken_names.model_dump().items()
    }
    for vault in wanted.deleted_vaults:
        vaults.bury(world, vault.id, vault.location, purge_protection=vault.purge_protection, now=now)


def _add_subscription(world: World, wanted: SubscriptionSeed) -> None:
    tenant = wanted.tenant or world.identity.tenant
    if tenant not in world.tenants:
        world.tenants.append(tenant)
    providers = {}
    for namespace, state in wanted.providers.items():
        known = PROVIDERS.get(namespace.lower())
        if known is None:
            raise SeedError(f"subscriptions: the namespace '{namespace}' is not simulated.")
        providers[namespace.lower()] = ProviderRegistration(known.namespace, state)
    world.subscriptions[wanted.id.lower()] = Subscription(
        wanted.id, tenant, wanted.name, "Enabled", wanted.managed_by, providers, wanted.quota_id
    )


def require_group(world: World, group_id: str, location: str, tags: dict[str, str]) -> None:
    """Makes the resource group unless it is there; its subscription must be in the world."""
    parts = group_id.strip("/").split("/")
    if parts[1].lower() not in world.subscriptions:
        raise SeedError(f"The subscription of '{group_id}' is not among the world's subscriptions.")
    if group_id.lower() not in world.groups:
        name = parts[3]
        subscription = world.subscriptions[parts[1].lower()].id
        own_id = f"/subscriptions/{subscription}/resourceGroups/{name}"
        world.groups[group_id.lower()] = ResourceGroup(own_id, name, location, dict(tags))


def _require_group_of(world: World, resource_id: str, location: str) -> None:
    parsed = parse(resource_id)
    if parsed is None or parsed.group is None:
        raise SeedError(f"'{resource_id}' is not the ID of a resource in a resource group.")
    place = "eastus" if location in ("", "global") else location
    require_group(world, f"/subscriptions/{parsed.subscription}/resourceGroups/{parsed.group}", place, {})


def _add_resource(world: World, given: Body, now: datetime) -> None:
    parsed = parse(str(given.get("id", "")))
    if parsed is None or not parsed.names:
        raise SeedError(f"resources: '{given.get('id')}' is not a resource ID.")
    location = str(given.get("location", ""))
    _require_group_of(world, parsed.text, location)
    body: Body = {
        "properties": {},
        **given,
        "name": given.get("name", parsed.name),
        "type": given.get("type", parsed.type),
    }
    body.setdefault("location", location)
    body["properties"].setdefault("provisioningState", "Succeeded")
    save(world, now, body["type"], body)


def _add_vault(world: World, wanted: WorldSeed, vault: VaultSeed, now: datetime) -> None:
    parsed = parse(vault.id)
    if parsed is None:
        raise SeedError(f"key_vaults: '{vault.id}' is not a resource ID.")
    _require_group_of(world, vault.id, vault.location)
    tenant = world.subscriptions[parsed.subscription.lower()].tenant
    given: Body = {
        "enabledForDeployment": vault.enabled_for_deployment,
        "enableRbacAuthorization": vault.rbac,
        "publicNetworkAccess": vault.public_network_access,
    }
    if vault.firewall:
        given["networkAcls"] = {"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": []}
    properties = vaults.vault_properties(parsed.name, tenant, given, vault.location.startswith("usgov"))
    body: Body = {
        "id": vault.id,
        "name": parsed.name,
        "type": vaults.TYPE,
        "location": vault.location,
        "tags": dict(vault.tags),
        "properties": properties,
    }
    save(world, now, vaults.TYPE, body)
    world.vault_readers[vault.id.lower()] = (
        _own_identities(world, tenant) if vault.readers is None else set(vault.readers)
    )
    host = properties["vaultUri"].removeprefix("https://").rstrip("/")
    for number, entry in enumerate(vault.certificates):
        described = _description(wanted, entry.certificate) if isinstance(entry.certificate, str) else entry.certificate
        version = certificates.make_certificate(
            described,
            host=host,
            vault=parsed.name,
            name=entry.name,
            version=world.random.randbytes(16).hex(),
            exportable=entry.exportable,
            # Later entries of the same name are newer versions.
            now=now - timedelta(days=1) + timedelta(seconds=number),
        )
        world.certificates[version.secret_id.lower()] = version


def _own_identities(world: World, tenant: str) -> set[str]:
    """The object IDs of the app's identities in a tenant: the managed identity at home, the app where it is known."""
    consented = world.identity.customer_app.consents.get(tenant.lower())
    at_home = [world.identity.object_id] if tenant == world.identity.tenant else []
    return {*at_home, *([consented] if consented else [])}


def _description(wanted: WorldSeed, name: str) -> certificates.CertificateDescription:
    if name not in wanted.certificates:
        raise SeedError(f"The certificate '{name}' is not among the world's certificates.")
    return wanted.certificates[name]


def _add_classic_service(world: World, wanted: WorldSeed, service: ClassicServiceSeed, now: datetime) -> None:
    parsed = parse(service.id)
    if parsed is None or parsed.type.lower() != classic.TYPE.lower():
        raise SeedError(f"classic_cloud_services: '{service.id}' is not the ID of a {classic.TYPE}.")
    _require_group_of(world, service.id, service.location)
    address = free_address(world)
    is_running = service.state == "Running"
    suffix = "usgovcloudapp.net" if service.location.startswith("usgov") else "cloudapp.net"
    endpoint = {
        "endpointName": "HTTPS",
        "protocol": "tcp",
        "publicPort": 443,
        "privatePort": 443,
        "publicIpAddress": address,
    }
    documents: tuple[tuple[str, str, str, Body], ...] = (
        (
            service.id, classic.TYPE, parsed.name,
            {"label": parsed.name, "hostName": f"{parsed.name.lower()}.{suffix}", "virtualIpAddress": address,
             "status": "Created"},
        ),
        (
            f"{service.id}/slots/production", f"{classic.TYPE}/slots", "production",
            {"deploymentId": world.guid(), "status": service.state, "inputEndpoints": [endpoint]},
        ),
        (
            f"{service.id}/slots/production/roles/ProxyService", f"{classic.TYPE}/slots/roles", "ProxyService",
            {"roleName": "ProxyService", "size": service.size, "instanceCount": service.instances},
        ),
    )  # fmt: skip
    for resource_id, kind, name, properties in documents:
        body: Body = {
            "id": resource_id,
            "name": name,
            "type": kind,
            "location": service.location,
            "properties": {**properties, "provisioningState": "Succeeded"},
        }
        if kind == classic.TYPE:
            body["tags"] = dict(service.tags)
        save(world, now, kind, body)
    world.classic_certificates[service.id.lower()] = certificates.make_certificate(
        _description(wanted, service.certificate),
        host="classic.invalid",
        vault="",
        name=service.certificate,
        version=world.random.randbytes(16).hex(),
        exportable=False,
        now=now,
    )
    world.instances[service.id.lower()] = [
        Instance(
            number,
            world.guid(),
            None,
            f"10.1.0.{4 + number}",
            now,
            now,
            now,
            power="running" if is_running else "stopped",
        )
        for number in range(service.instances)
    ]


def _add_zone(world: World, wanted: ZoneSeed, now: datetime) -> None:
    parsed = parse(wanted.id)
    if parsed is None:
        raise SeedError(f"dns_zones: '{wanted.id}' is not a resource ID.")
    _require_group_of(world, wanted.id, "global")
    zone = dns_zones.make_zone(world, now, wanted.id, parsed.name, dict(wanted.tags))
    for record in wanted.record_sets:
        member, is_list, parts = dns_zones.RECORDS[record.type]
        values = [record.value] if isinstance(record.value, str) else list(record.value)
        if record.type == "A":
            values = [site.written_address(world, value, now) for value in values]
        rows: list[Body] = [{parts[0]: [value] if record.type == "TXT" else value} for value in values]
        properties: Body = {"TTL": record.ttl, member: rows if is_list else rows[0]}
        dns_zones.make_record_set(world, now, zone, record.type, record.name, properties)

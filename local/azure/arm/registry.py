"""The table of everything that the simulator serves, by namespace and type."""

import re

from local.azure.arm import (
    classic,
    dns_zones,
    load_balancers,
    network,
    public_addresses,
    scale_set_rules,
    scale_set_views,
    scale_sets,
    sizes,
    vaults,
)
from local.azure.arm.call import Call, Handler, Provider, ResourceType
from local.azure.errors import json_response
from local.azure.messages import Response
from local.azure.operations import forget

COMPUTE_VERSIONS = (
    "2020-06-01", "2020-12-01", "2021-03-01", "2021-07-01", "2022-03-01", "2022-08-01", "2022-11-01", "2023-03-01",
    "2023-07-01", "2023-09-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2026-04-01",
)  # fmt: skip
STORAGE_VERSIONS = ("2016-12-01", "2019-06-01", "2021-09-01", "2022-09-01", "2023-01-01", "2023-05-01", "2024-01-01")


def delete_at_once(call: Call) -> Response:
    """DELETE as synchronous providers answer it: 200, or 204 where there is nothing."""
    existing = call.existing()
    if existing is None:
        return Response(204)
    forget(call.world, existing)
    return Response(200)


def check_storage_name(call: Call) -> Response:
    """POST checkNameAvailability: a storage account's name, in all of Azure."""
    name = str(call.json().get("name", ""))
    if not re.fullmatch(r"[a-z0-9]{3,24}", name):
        message = (
            f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            "length and use numbers and lower-case letters only."
        )
        return json_response(200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": message})
    kinds = ("Microsoft.Storage/storageAccounts", "Microsoft.ClassicStorage/storageAccounts")
    standing = any(account.name.lower() == name for kind in kinds for account in call.world.of_type(kind))
    if standing or name in call.world.taken_names.get("storage_accounts", ()):
        message = f"The storage account named {name} is already taken."
        return json_response(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return json_response(200, {"nameAvailable": True})


def _record_type(kind: str) -> ResourceType:
    return ResourceType(
        f"Microsoft.Network/dnsZones/{kind}", dns_zones.VERSIONS, "dns", put=dns_zones.put_record_set,
        patch=dns_zones.patch_record_set, delete=dns_zones.delete_record_set, get=dns_zones.get_record_set,
        listing=dns_zones.list_kind,
    )  # fmt: skip


_SKU_CALLS: dict[str, Handler] = {"skus": sizes.list_skus, "locations/{}/usages": sizes.list_usages}

PROVIDERS = {
    provider.namespace.lower(): provider
    for provider in (
        Provider(
            "Microsoft.Network",
            (
                ResourceType(
                    "Microsoft.Network/networkSecurityGroups", network.VERSIONS, "network",
                    put=network.put_security_group, patch=network.patch_network, delete=network.delete_security_group,
                    get=network.get_security_group, nested=("securityRules", "defaultSecurityRules"),
                ),
                ResourceType(
                    "Microsoft.Network/virtualNetworks", network.VERSIONS, "network", put=network.put_virtual_network,
                    patch=network.patch_network, delete=network.delete_virtual_network, nested=("subnets",),
                ),
                ResourceType(
                    "Microsoft.Network/publicIPAddresses", network.VERSIONS, "network",
                    put=public_addresses.put_public_address, patch=network.patch_network,
                    delete=public_addresses.delete_public_address, get=public_addresses.get_public_address,
                ),
                ResourceType(
                    "Microsoft.Network/loadBalancers", network.VERSIONS, "network",
                    put=load_balancers.put_load_balancer, patch=network.patch_network,
                    delete=load_balancers.delete_load_balancer, nested=load_balancers.COLLECTIONS,
                ),
                ResourceType(
                    "Microsoft.Network/dnsZones", dns_zones.VERSIONS, "dns", put=dns_zones.put_zone,
                    delete=dns_zones.delete_zone, get=dns_zones.get_zone, listing=dns_zones.list_zones,
                    actions=dns_zones.ZONE_ACTIONS,
                ),
                *map(_record_type, dns_zones.RECORDS),
            ),
            public_addresses.CALLS,
        ),
        Provider(
            "Microsoft.Compute",
            (
                ResourceType(
                    scale_set_rules.TYPE, COMPUTE_VERSIONS, "compute", put=scale_sets.put_scale_set,
                    patch=scale_sets.patch_scale_set, delete=scale_sets.delete_scale_set,
                    actions={**scale_sets.ACTIONS, "instanceview": scale_set_views.scale_set_view},
                ),
                ResourceType(
                    f"{scale_set_rules.TYPE}/virtualMachines", COMPUTE_VERSIONS, "compute",
                    get=scale_set_views.get_machine, listing=scale_set_views.list_machines,
                    actions={"instanceview": scale_set_views.get_machine},
                ),
            ),
            _SKU_CALLS,
        ),
        Provider(
            "Microsoft.ClassicCompute",
            (
                ResourceType(classic.TYPE, classic.VERSIONS, "arm", delete=classic.delete_service),
                ResourceType(
                    f"{classic.TYPE}/slots", classic.VERSIONS, "arm", delete=classic.delete_slot,
                    listing=classic.list_children,
                ),
                ResourceType(
                    f"{classic.TYPE}/slots/roles", classic.VERSIONS, "arm", listing=classic.list_children
                ),
            ),
        ),
        Provider(
            "Microsoft.ClassicStorage",
            (ResourceType("Microsoft.ClassicStorage/storageAccounts", classic.VERSIONS, "arm", delete=delete_at_once),),
        ),
        Provider(
            "Microsoft.Storage",
            (ResourceType("Microsoft.Storage/storageAccounts", STORAGE_VERSIONS, "arm", delete=delete_at_once),),
            {"checknameavailability": check_storage_name},
        ),
        Provider(
            "Microsoft.KeyVault",
            (
                ResourceType(
                    vaults.TYPE, vaults.VERSIONS, "arm", put=vaults.put_vault, patch=vaults.patch_vault,
                    delete=vaults.delete_vault,
                ),
            ),
            vaults.CALLS,
        ),
        Provider("Microsoft.PolicyInsights", ()),
        Provider("Microsoft.Automation", ()),
        Provider("Microsoft.Insights", ()),
        Provider("Microsoft.ManagedIdentity", ()),
    )
}  # fmt: skip

TYPES = {kind.name.lower(): kind for provider in PROVIDERS.values() for kind in provider.types}

# The api-version of a provider's calls below the subscription that differ from its types': GET skus is 2021-07-01.
SKU_VERSIONS = ("2017-09-01", "2019-04-01", "2021-07-01")

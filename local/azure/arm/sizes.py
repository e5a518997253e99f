"""Virtual machine sizes, the zones of regions, and quotas.

Sizes and their families are Azure's; which region has zones follows Microsoft's list of regions with availability
zones. A world can change both by its `skus` and `quotas`.
"""

from dataclasses import dataclass

from local.azure.arm.call import Call
from local.azure.errors import compute_error, json_response
from local.azure.messages import Response
from local.azure.world import Body, World

DEFAULT_CORES = 100


@dataclass(frozen=True)
class Size:
    """A size of virtual machine; `generations` are the image generations it boots."""

    name: str
    family: str
    cores: int
    memory_gb: float
    generations: str


SIZES = {
    size.name.lower(): size
    for size in (
        Size("Standard_A1_v2", "standardAv2Family", 1, 2, "V1"),
        Size("Standard_A2_v2", "standardAv2Family", 2, 4, "V1"),
        Size("Standard_A4_v2", "standardAv2Family", 4, 8, "V1"),
        Size("Standard_A8_v2", "standardAv2Family", 8, 16, "V1"),
        Size("Standard_B2s", "standardBSFamily", 2, 4, "V1,V2"),
        Size("Standard_B2ms", "standardBSFamily", 2, 8, "V1,V2"),
        Size("Standard_D2s_v5", "standardDSv5Family", 2, 8, "V1,V2"),
    )
}

ZONAL_REGIONS = frozenset({
    "eastus", "eastus2", "centralus", "southcentralus", "westus2", "westus3", "canadacentral", "brazilsouth",
    "northeurope", "westeurope", "uksouth", "francecentral", "germanywestcentral", "norwayeast", "swedencentral",
    "switzerlandnorth", "southeastasia", "eastasia", "japaneast", "koreacentral", "australiaeast", "centralindia",
    "southafricanorth", "uaenorth", "qatarcentral", "usgovvirginia",
})  # fmt: skip
OTHER_REGIONS = frozenset({
    "westus", "northcentralus", "westcentralus", "canadaeast", "ukwest", "francesouth", "germanynorth", "norwaywest",
    "switzerlandwest", "japanwest", "koreasouth", "australiasoutheast", "australiacentral", "southindia", "westindia",
    "usgovarizona", "usgovtexas",
})  # fmt: skip
REGIONS = ZONAL_REGIONS | OTHER_REGIONS


def zones_of(world: World, size: Size, region: str) -> list[str]:
    """The zones in which a region offers a size."""
    override = world.skus.get(size.name.lower(), {}).get("zones")
    if override is not None:
        return list(override)
    return ["1", "2", "3"] if region in ZONAL_REGIONS else []


def is_offered(world: World, size: Size, region: str) -> bool:
    """Whether a region has the size at all."""
    locations = world.skus.get(size.name.lower(), {}).get("locations")
    return region in REGIONS and (locations is None or region in locations)


def is_restricted(world: World, size: Size, region: str) -> bool:
    """Whether the subscription may not use the size there: `restricted` is true or a list of regions."""
    restricted = world.skus.get(size.name.lower(), {}).get("restricted", False)
    return restricted is True or (isinstance(restricted, list) and region in restricted)


def list_skus(call: Call) -> Response:
    """GET skus, with `$filter=location eq '…'`."""
    text = call.request.query.get("$filter", "")
    wanted = text.replace(" ", "").lower().removeprefix("locationeq").strip("'") if text else None
    rows = [
        _sku(call.world, size, region)
        for region in sorted(REGIONS if wanted is None else REGIONS & {wanted})
        for size in SIZES.values()
        if is_offered(call.world, size, region)
    ]
    return json_response(200, {"value": rows})


def _sku(world: World, size: Size, region: str) -> Body:
    restrictions = []
    if is_restricted(world, size, region):
        restrictions = [
            {
                "type": "Location",
                "values": [region],
                "restrictionInfo": {"locations": [region]},
                "reasonCode": "NotAvailableForSubscription",
            }
        ]
    generations = world.skus.get(size.name.lower(), {}).get("generations") or size.generations
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones_of(world, size, region), "zoneDetails": []}],
        "capabilities": [
            {"name": "vCPUs", "value": str(size.cores)},
            {"name": "MemoryGB", "value": str(size.memory_gb)},
            {"name": "HyperVGenerations", "value": generations},
        ],
        "restrictions": restrictions,
    }


def used_cores(world: World, subscription: str, region: str, family: str | None, without: str = "") -> int:
    """Cores of all scale sets of a subscription in a region, of one family or (None) of all."""
    total = 0
    for scale_set in world.of_type("Microsoft.Compute/virtualMachineScaleSets"):
        size = SIZES[scale_set.body["sku"]["name"].lower()]
        is_inside = scale_set.id.lower().startswith(f"/subscriptions/{subscription.lower()}/")
        is_counted = is_inside and scale_set.location == region and scale_set.id.lower() != without.lower()
        if is_counted and family in (None, size.family):
            total += size.cores * int(scale_set.body["sku"]["capacity"])
    return total


def check_quota(call: Call, size: Size, region: str, instances: int, scale_set: str) -> None:
    """Refuses what exceeds the regional cores or the family's (409 OperationNotAllowed)."""
    needed = size.cores * instances
    for family, name in ((None, "Total Regional Cores"), (size.family, f"{size.family} Cores")):
        limit = call.world.quotas.get(family or "cores", DEFAULT_CORES)
        used = used_cores(call.world, call.subscription.id, region, family, scale_set)
        if used + needed > limit:
            raise compute_error(
                409,
                "OperationNotAllowed",
                f"Operation could not be completed as it results in exceeding approved {name} quota. Additional details"
                f" - Deployment Model: Resource Manager, Location: {region}, Current Limit: {limit}, Current Usage: "
                f"{used}, Additional Required: {needed}, (Minimum) New Limit Required: {used + needed}.",
            )


def list_usages(call: Call) -> Response:
    """GET locations/{location}/usages: cores in use against their limits."""
    region = call.id.names[0].lower()
    names = ["cores", *sorted({size.family for size in SIZES.values()})]
    rows = [
        {
            "unit": "Count",
            "limit": call.world.quotas.get(name, DEFAULT_CORES),
            "currentValue": used_cores(call.world, call.subscription.id, region, None if name == "cores" else name),
            "name": {"value": name, "localizedValue": "Total Regional vCPUs" if name == "cores" else f"{name} vCPUs"},
        }
        for name in names
    ]
    return json_response(200, {"value": rows})

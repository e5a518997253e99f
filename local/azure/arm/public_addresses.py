"""Microsoft.Network/publicIPAddresses, their DNS labels and their quota.

Source: recorded answers, the texts of refusals in public issues.
"""

import copy
import re

from local.azure.arm import shapes
from local.azure.arm.call import Call, Handler
from local.azure.arm.network import finish_put, new_network_body, not_found, parse_body
from local.azure.arm.storing import delete_resource
from local.azure.errors import json_response, network_error
from local.azure.messages import Response
from local.azure.references import nested, users_of
from local.azure.world import Body, World

# The label's rule as Azure's own refusal states it.
LABEL = "^[a-z][a-z0-9-]{1,61}[a-z0-9]$"


def put_public_address(call: Call) -> Response:
    """PUT publicIPAddresses: a free address for a new one, the label unique in its region."""
    given = parse_body(call, shapes.PUBLIC_ADDRESS)
    existing = call.existing()
    body = new_network_body(call, "Microsoft.Network/publicIPAddresses", given, existing)
    properties = body["properties"]
    body["sku"] = {"name": "Basic", "tier": "Regional", **body.get("sku", {})}
    properties.setdefault("publicIPAddressVersion", "IPv4")
    properties.setdefault("publicIPAllocationMethod", "Dynamic")
    properties.setdefault("idleTimeoutInMinutes", 4)
    properties.setdefault("ipTags", [])
    properties.pop("ipConfiguration", None)
    if body["sku"]["name"] == "Standard" and properties["publicIPAllocationMethod"] != "Static":
        raise network_error(
            "StandardSkuPublicIPAddressesMustBeStatic",
            f"Standard sku publicIp {body['id']} must have AllocationMethod set to Static.",
        )
    if existing and existing.body["sku"]["name"] != body["sku"]["name"]:
        raise network_error(
            "SkuCannotBeChangedOnUpdate", f"Sku of resource {body['id']} cannot be changed on update.", 400
        )
    label = properties.get("dnsSettings", {}).get("domainNameLabel")
    if label is not None:
        check_label(call, label, body["location"], body["id"])
        properties["dnsSettings"]["fqdn"] = label_name(label, body["location"], call.request.host)
    if existing:
        properties["ipAddress"] = existing.properties["ipAddress"]
    else:
        _check_quota(call, body["location"], body["sku"]["name"])
        properties["ipAddress"] = free_address(call.world)
    return finish_put(call, body, "publicIPAddresses", wait=1)


def label_name(label: str, region: str, host: str) -> str:
    """The name that a label gives: `{label}.{region}.cloudapp.azure.com`, another suffix in US Government."""
    suffix = "cloudapp.usgovcloudapi.net" if host.endswith("usgovcloudapi.net") else "cloudapp.azure.com"
    return f"{label}.{region}.{suffix}"


def free_address(world: World) -> str:
    """An address of 20.0.0.0/8 that nothing in this world has."""
    used = {
        str(address.properties.get("ipAddress")) for address in world.of_type("Microsoft.Network/publicIPAddresses")
    }
    used |= {str(s.properties.get("virtualIpAddress")) for s in world.of_type("Microsoft.ClassicCompute/domainNames")}
    while True:
        candidate = f"20.{world.random.randint(33, 250)}.{world.random.randint(0, 255)}.{world.random.randint(4, 250)}"
        if candidate not in used:
            return candidate


def check_label(call: Call, label: str, region: str, own_id: str | None) -> None:
    """The label's form, and that no other address in the region has it."""
    if not re.fullmatch(LABEL, label):
        raise network_error(
            "InvalidDomainNameLabel",
            f"The domain name label {label} is invalid. It must conform to the following regular expression: {LABEL}.",
        )
    if label_taken(call.world, label, region, own_id):
        raise network_error(
            "DnsRecordInUse",
            f"DNS record {label_name(label, region, call.request.host)} is already used by another public IP.",
        )


def label_taken(world: World, label: str, region: str, own_id: str | None) -> bool:
    """Whether another public address of the region holds the label, in this world or elsewhere in Azure."""
    return f"{label}.{region}".lower() in world.taken_names.get("labels", ()) or any(
        address.location == region
        and address.properties.get("dnsSettings", {}).get("domainNameLabel", "").lower() == label.lower()
        and address.id.lower() != (own_id or "").lower()
        for address in world.of_type("Microsoft.Network/publicIPAddresses")
    )


def get_public_address(call: Call) -> Response:
    """GET publicIPAddresses: with the frontend that holds it."""
    existing = call.existing()
    if existing is None:
        raise not_found(call)
    body = copy.deepcopy(existing.body)
    for user, reference in users_of(call.world, existing.id):
        for frontend in nested(user, "frontendIPConfigurations"):
            if frontend["properties"].get("publicIPAddress", {}).get("id", "").lower() == reference:
                body["properties"]["ipConfiguration"] = {"id": frontend["id"]}
    return json_response(200, body, ("ETag", body["etag"]))


def delete_public_address(call: Call) -> Response:
    """DELETE publicIPAddresses, refused while a frontend holds it."""
    existing = call.existing()
    for user, reference in users_of(call.world, existing.id) if existing else ():
        holders = [
            frontend["id"]
            for frontend in nested(user, "frontendIPConfigurations")
            if frontend["properties"].get("publicIPAddress", {}).get("id", "").lower() == reference
        ]
        raise network_error(
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {existing.id if existing else ''} can not be deleted since it is still allocated to "
            f"resource {(holders or [user.id])[0]}. In order to delete the public IP, disassociate/detach the Public "
            "IP address from the resource. To learn how to do this, see aka.ms/deletepublicip.",
        )
    return delete_resource(call, "publicIPAddresses.delete")


def check_dns_name(call: Call) -> Response:
    """GET locations/{location}/CheckDnsNameAvailability?domainNameLabel=…"""
    label = call.request.query.get("domainNameLabel", "")
    region = call.id.names[0].lower()
    if not re.fullmatch(LABEL, label):
        check_label(call, label, region, None)
    return json_response(200, {"available": not label_taken(call.world, label, region, None)})


DEFAULT_LIMIT = 1000
_COUNTED = {
    "PublicIPAddresses": ("Microsoft.Network/publicIPAddresses", None),
    "StandardSkuPublicIpAddresses": ("Microsoft.Network/publicIPAddresses", "Standard"),
    "LoadBalancers": ("Microsoft.Network/loadBalancers", None),
    "StandardSkuLoadBalancers": ("Microsoft.Network/loadBalancers", "Standard"),
    "VirtualNetworks": ("Microsoft.Network/virtualNetworks", None),
    "NetworkSecurityGroups": ("Microsoft.Network/networkSecurityGroups", None),
}
"""The counters of GET usages, each with the type that it counts and the SKU that it counts alone."""


def _used(call: Call, counter: str, region: str) -> int:
    kind, sku = _COUNTED[counter]
    inside = f"/subscriptions/{call.subscription.id}/".lower()
    return sum(
        resource.location == region
        and resource.id.lower().startswith(inside)
        and sku in (None, (resource.body.get("sku") or {}).get("name"))
        for resource in call.world.of_type(kind)
    )


def _check_quota(call: Call, region: str, sku: str) -> None:
    """Refuses one address more than the subscription may have in a region (text: public issues)."""
    counters = ["PublicIPAddresses", *(["StandardSkuPublicIpAddresses"] if sku == "Standard" else [])]
    for counter in counters:
        limit = call.world.quotas.get(counter, DEFAULT_LIMIT)
        if _used(call, counter, region) + 1 > limit:
            raise network_error(
                "PublicIPCountLimitReached",
                f"Cannot create more than {limit} public IP addresses for this subscription in this region.",
            )


def network_usages(call: Call) -> Response:
    """GET locations/{location}/usages: what stands against its limit. Only addresses are refused beyond theirs."""
    region = call.id.names[0].lower()
    rows: list[Body] = [
        {
            "id": f"{call.id.text}/{name}",
            "unit": "Count",
            "currentValue": _used(call, name, region),
            "limit": call.world.quotas.get(name, DEFAULT_LIMIT),
            "name": {"value": name, "localizedValue": name},
        }
        for name in _COUNTED
    ]
    return json_response(200, {"value": rows})


CALLS: dict[str, Handler] = {
    "locations/{}/checkdnsnameavailability": check_dns_name,
    "locations/{}/usages": network_usages,
}

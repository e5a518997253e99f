"""Microsoft.Network: network security groups, virtual networks with subnets, public addresses.

Source: the recorded answers of the network provider and the texts of its refusals in public issues. Its inline
provisioningState says Updating; the etag changes once more when the operation ends.
"""

import copy
import ipaddress
import re
from collections.abc import Iterator

from local.azure.arm import shapes
from local.azure.arm.call import Call, Handler
from local.azure.arm.storing import (
    begin,
    delete_resource,
    new_body,
    patch_tags,
    put_answer,
    refuse_while_deleting,
    require_location,
    save,
)
from local.azure.errors import AzureError, json_response, network_error
from local.azure.messages import Response
from local.azure.operations import retry_after, running_on
from local.azure.references import nested, owner, part_of, users_of
from local.azure.world import Body, Resource, World

VERSIONS = (
    "2018-10-01", "2020-06-01", "2020-07-01", "2021-08-01", "2022-07-01", "2023-04-01", "2023-09-01", "2023-11-01",
    "2024-01-01", "2024-03-01", "2024-05-01", "2025-01-01", "2026-03-01",
)  # fmt: skip

# The label's rule as Azure's own refusal states it.
LABEL = "^[a-z][a-z0-9-]{1,61}[a-z0-9]$"

_DEFAULT_RULES = (
    ("AllowVnetInBound", 65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
    ("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*"),
    ("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
    ("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"),
)


def parse_body(call: Call, shape: shapes.Shape) -> Body:
    """The body, checked for members and types as the network provider does before anything else."""
    given = call.json()
    try:
        shapes.check(given, shape)
    except shapes.ShapeError as problem:
        raise network_error(
            "InvalidRequestFormat",
            "Cannot parse the request.",
            details=[{"code": "InvalidJson", "message": str(problem)}],
        ) from problem
    return given


def not_found(call: Call) -> AzureError:
    """The network provider's own 404."""
    return network_error("NotFound", f"Resource {call.id.text} not found.", 404)


def new_network_body(call: Call, resource_type: str, given: Body, existing: Resource | None) -> Body:
    """The common members with etag, resourceGuid and the properties as given."""
    require_location(given, existing)
    refuse_while_deleting(call, existing, "network")
    body = new_body(call, resource_type, given, existing)
    body["etag"] = f'W/"{call.world.guid()}"'
    body["properties"] = copy.deepcopy(given["properties"])
    guid = existing.properties["resourceGuid"] if existing else call.world.guid()
    body["properties"] |= {"provisioningState": "Updating", "resourceGuid": guid}
    return body


def name_parts(body: Body, collection: str, state: str = "Updating") -> Iterator[Body]:
    """Gives each part of a nested collection its id, type, etag and state; yields their properties."""
    for child in body["properties"].setdefault(collection, []):
        child["id"] = f"{body['id']}/{collection}/{child['name']}"
        child["type"] = f"{body['type']}/{collection}"
        child["etag"] = body["etag"]
        child["properties"]["provisioningState"] = state
        yield child["properties"]


def check_references(call: Call, resource: Body, references: list[str], wait_for_them: bool = False) -> None:
    """Every reference names something that exists in the same region, and (for load balancers) is finished."""
    for reference in references:
        holder = owner(call.world, reference)
        if (
            holder is None
            or not part_of(call.world, reference)
            or holder.location not in (resource["location"], "global")
        ):
            raise network_error(
                "InvalidResourceReference",
                f"Resource {reference} referenced by resource {resource['id']} was not found. Please make sure that "
                "the referenced resource exists, and that both resources are in the same region.",
            )
        operation = running_on(call.world, holder)
        if operation and (wait_for_them or operation.kind == "delete"):
            raise retryable(
                call.world, f"Operation {operation.name} ({operation.id}) is updating resource {holder.id}."
            )


def retryable(world: World, why: str) -> AzureError:
    """The network provider's lock: 429 although nobody called too often."""
    wait = retry_after(world, 14)
    text = f"{why} The call can be retried in {wait[1]} seconds."
    details = [{"code": "RetryableErrorDueToAnotherOperation", "message": text}]
    return network_error("RetryableError", "A retryable error occurred.", 429, details=details, headers=(wait,))


def finish_put(call: Call, body: Body, kind: str, wait: float | None = None) -> Response:
    """Stores, starts the operation, answers."""
    created = call.world.resource(body["id"]) is None
    resource = save(call.world, call.now, body["type"], body)
    operation = begin(call, resource, "put", f"{kind}.{'create' if created else 'update'}")
    return put_answer(call, resource, operation, created, wait)


def put_security_group(call: Call) -> Response:
    """PUT networkSecurityGroups."""
    given = parse_body(call, shapes.SECURITY_GROUP)
    body = new_network_body(call, "Microsoft.Network/networkSecurityGroups", given, call.existing())
    seen: dict[tuple[int, str], str] = {}
    for rule, properties in zip(
        body["properties"].setdefault("securityRules", []), list(name_parts(body, "securityRules")), strict=True
    ):
        _check_rule(rule["name"], properties)
        key = (properties["priority"], properties["direction"].lower())
        if key in seen:
            raise network_error(
                "SecurityRuleConflict",
                f"Security rule {seen[key]} conflicts with rule {rule['name']}. Rules cannot have the same Priority "
                "and Direction.",
            )
        seen[key] = rule["name"]
    body["properties"]["defaultSecurityRules"] = [
        {
            "name": name,
            "properties": {
                "protocol": "*", "sourcePortRange": "*", "destinationPortRange": "*", "sourceAddressPrefix": source,
                "destinationAddressPrefix": target, "access": access, "priority": priority, "direction": direction,
            },
        }
        for name, priority, direction, access, source, target in _DEFAULT_RULES
    ]  # fmt: skip
    list(name_parts(body, "defaultSecurityRules"))
    return finish_put(call, body, "networkSecurityGroups")


def _check_rule(name: str, rule: Body) -> None:
    if not 100 <= rule["priority"] <= 4096:
        raise network_error(
            "SecurityRuleInvalidPriority",
            f"Security rule has invalid Priority. Value provided: {rule['priority']} Allowed range 100-4096.",
        )
    for side in ("source", "destination"):
        if not any(rule.get(f"{side}{member}") for member in (
            "AddressPrefix", "AddressPrefixes", "ApplicationSecurityGroups"
        )):  # fmt: skip
            raise network_error("SecurityRuleInvalidAddressPrefix", f"Security rule {name} has invalid Address prefix.")
        ports = [rule.get(f"{side}PortRange"), *rule.get(f"{side}PortRanges", [])]
        ports = [port for port in ports if port]
        if not ports or not all(_is_port_range(port) for port in ports):
            raise network_error(
                "SecurityRuleInvalidPortRange",
                f"Security rule has invalid Port range. Value provided: {', '.join(ports)}. Value should be an integer "
                "OR integer range with '-' delimiter. Valid range 0-65535.",
            )


def _is_port_range(text: str) -> bool:
    if text == "*":
        return True
    ends = text.split("-")
    return len(ends) <= 2 and all(end.isdigit() and int(end) <= 65535 for end in ends) and int(ends[0]) <= int(ends[-1])


def put_virtual_network(call: Call) -> Response:
    """PUT virtualNetworks."""
    given = parse_body(call, shapes.VIRTUAL_NETWORK)
    existing = call.existing()
    body = new_network_body(call, "Microsoft.Network/virtualNetworks", given, existing)
    spaces = [_network(call, prefix) for prefix in body["properties"]["addressSpace"]["addressPrefixes"]]
    taken: list[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network]] = []
    subnets = body["properties"].setdefault("subnets", [])
    for subnet, properties in zip(subnets, list(name_parts(body, "subnets")), strict=True):
        _check_subnet(call, body, subnet, properties, spaces, taken)
    if existing:
        kept = {subnet["name"].lower() for subnet in subnets}
        for subnet in nested(existing, "subnets"):
            if subnet["name"].lower() not in kept:
                refuse_used_subnet(call, subnet["id"])
    body["properties"].setdefault("enableDdosProtection", False)
    body["properties"].setdefault("virtualNetworkPeerings", [])
    return finish_put(call, body, "virtualNetworks")


def _network(call: Call, prefix: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(prefix)
    except ValueError as problem:
        raise network_error(
            "InvalidAddressPrefixFormat",
            f"Address prefix {prefix} of resource {call.id.text} is not formatted correctly. It should follow CIDR "
            "notation, for example 10.0.0.0/24.",
        ) from problem


def _check_subnet(
    call: Call,
    body: Body,
    subnet: Body,
    properties: Body,
    spaces: list[ipaddress.IPv4Network | ipaddress.IPv6Network],
    taken: list[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network]],
) -> None:
    prefixes = properties.get("addressPrefixes") or [properties.get("addressPrefix", "")]
    for network in (_network(call, prefix) for prefix in prefixes):
        if not any(network.version == space.version and network.subnet_of(space) for space in spaces):  # type: ignore[arg-type]  # versions are equal here
            raise network_error(
                "NetcfgInvalidSubnet",
                f"Subnet '{subnet['name']}' is not valid in virtual network '{body['name']}'.",
            )
        for other, other_network in taken:
            if network.overlaps(other_network):
                raise network_error(
                    "NetcfgSubnetRangesOverlap",
                    f"Subnet '{subnet['name']}' is not valid because its IP address range overlaps with that of an "
                    f"existing subnet in virtual network '{body['name']}': '{other}'.",
                )
        taken.append((subnet["name"], network))
    properties.setdefault("delegations", [])
    properties.setdefault("privateEndpointNetworkPolicies", "Disabled")
    properties.setdefault("privateLinkServiceNetworkPolicies", "Enabled")
    group = properties.get("networkSecurityGroup")
    if group:
        check_references(call, body, [group["id"]], wait_for_them=True)


def refuse_used_subnet(call: Call, subnet_id: str) -> None:
    """A subnet with machines or load balancers in it stays."""
    for resource, reference in users_of(call.world, subnet_id):
        del reference
        if resource.type.lower() == "microsoft.network/networksecuritygroups":
            continue
        raise network_error(
            "InUseSubnetCannotBeDeleted",
            f"Subnet {subnet_id.rsplit('/', 1)[-1]} is in use by {resource.id} and cannot be deleted. In order to "
            "delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.",
        )


def delete_virtual_network(call: Call) -> Response:
    """DELETE virtualNetworks, refused while one of its subnets is in use."""
    existing = call.existing()
    for subnet in nested(existing, "subnets") if existing else []:
        refuse_used_subnet(call, subnet["id"])
    return delete_resource(call, "virtualNetworks.delete")


def delete_security_group(call: Call) -> Response:
    """DELETE networkSecurityGroups, refused while a subnet or a network interface has it."""
    existing = call.existing()
    users = [resource.id for resource, _ in users_of(call.world, existing.id)] if existing else []
    if existing and users:
        raise network_error(
            "InUseNetworkSecurityGroupCannotBeDeleted",
            f"Network security group {existing.id} cannot be deleted because it is in use by the following resources: "
            f"{', '.join(users)}. In order to delete the Network security group, remove the association with the "
            "resource(s). To learn how to do this, see aka.ms/deletensg.",
        )
    return delete_resource(call, "networkSecurityGroups.delete")


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
    """Whether another public address of the region holds the label."""
    return any(
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


def patch_network(call: Call) -> Response:
    """PATCH of tags, as all network resources take it."""
    return patch_tags(call, not_found(call))


def network_usages(call: Call) -> Response:
    """GET locations/{location}/usages: public addresses against their limit."""
    region = call.id.names[0].lower()
    count = sum(
        address.location == region and address.id.lower().startswith(f"/subscriptions/{call.subscription.id}".lower())
        for address in call.world.of_type("Microsoft.Network/publicIPAddresses")
    )
    rows: list[Body] = [
        {
            "id": f"{call.id.text}/{name}",
            "unit": "Count",
            "currentValue": count,
            "limit": call.world.quotas.get(name, limit),
            "name": {"value": name, "localizedValue": name},
        }
        for name, limit in (("PublicIPAddresses", 1000), ("StandardSkuPublicIpAddresses", 1000))
    ]
    return json_response(200, {"value": rows})


CALLS: dict[str, Handler] = {
    "locations/{}/checkdnsnameavailability": check_dns_name,
    "locations/{}/usages": network_usages,
}

"""Microsoft.Network: network security groups and virtual networks with subnets; what all its resources share.

Source: the recorded answers of the network provider and the texts of its refusals in public issues. Its inline
provisioningState says Updating; the etag changes once more when the operation ends.
"""

import copy
import ipaddress
from collections.abc import Iterator

from local.azure.arm import shapes
from local.azure.arm.call import Call
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


def get_security_group(call: Call) -> Response:
    """GET networkSecurityGroups: with the subnets that it guards, as the API description has it (read-only)."""
    existing = call.existing()
    if existing is None:
        raise not_found(call)
    body = copy.deepcopy(existing.body)
    guarded = [
        {"id": subnet["id"]}
        for user, reference in users_of(call.world, existing.id)
        for subnet in nested(user, "subnets")
        if subnet["properties"].get("networkSecurityGroup", {}).get("id", "").lower() == reference
    ]
    if guarded:
        body["properties"]["subnets"] = guarded
    return json_response(200, body, ("ETag", body.get("etag", "")))


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


def patch_network(call: Call) -> Response:
    """PATCH of tags, as all network resources take it."""
    return patch_tags(call, not_found(call))

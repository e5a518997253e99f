"""Microsoft.Network/loadBalancers: rules, probes, pools and what Azure refuses among them.

Source: recorded answers (a new one says Succeeded at once although its operation still runs), the texts of refusals in
public issues, Microsoft's page on outbound rules. Codes marked "own knowledge" have no recording.
"""

import copy

from local.azure.arm import shapes
from local.azure.arm.call import Call
from local.azure.arm.network import check_references, finish_put, name_parts, new_network_body, parse_body
from local.azure.arm.storing import delete_resource
from local.azure.errors import json_response, network_error
from local.azure.ids import last_segment
from local.azure.messages import Response
from local.azure.references import nested, users_of
from local.azure.world import Body, Resource

COLLECTIONS = (
    "frontendIPConfigurations", "backendAddressPools", "loadBalancingRules", "probes", "inboundNatRules",
    "inboundNatPools", "outboundRules",
)  # fmt: skip

_RULE_DEFAULTS: Body = {
    "idleTimeoutInMinutes": 4, "enableFloatingIP": False, "enableTcpReset": False,
    "enableDestinationServiceEndpoint": False, "allowBackendPortConflict": False,
}  # fmt: skip
_DEFAULTS: dict[str, Body] = {
    "loadBalancingRules": {**_RULE_DEFAULTS, "loadDistribution": "Default", "disableOutboundSnat": False},
    "inboundNatRules": _RULE_DEFAULTS,
    "inboundNatPools": _RULE_DEFAULTS,
    "outboundRules": {"idleTimeoutInMinutes": 4, "enableTcpReset": False, "allocatedOutboundPorts": 0},
    "probes": {"intervalInSeconds": 15, "numberOfProbes": 2, "probeThreshold": 1},
    "frontendIPConfigurations": {"privateIPAllocationMethod": "Dynamic", "privateIPAddressVersion": "IPv4"},
    "backendAddressPools": {},
}  # fmt: skip


def put_load_balancer(call: Call) -> Response:
    """PUT loadBalancers."""
    given = parse_body(call, shapes.LOAD_BALANCER)
    existing = call.existing()
    body = new_network_body(call, "Microsoft.Network/loadBalancers", given, existing)
    body["sku"] = {"name": "Basic", "tier": "Regional", **body.get("sku", {})}
    for collection in COLLECTIONS:
        for properties in name_parts(body, collection):
            properties |= {key: properties.get(key, value) for key, value in _DEFAULTS[collection].items()}
    _check_frontends(call, body)
    _check_inner_references(body)
    _check_probes(body)
    _check_ports(body)
    _check_outbound(body)
    if existing:
        _check_pools_in_use(call, existing, body)
    response = finish_put(call, body, "loadBalancers")
    if existing is None:
        told = copy.deepcopy(body)
        told["properties"]["provisioningState"] = "Succeeded"
        for collection in COLLECTIONS:
            list(name_parts(told, collection, "Succeeded"))
        return json_response(201, told, *response.headers[1:])
    return response


def _check_frontends(call: Call, body: Body) -> None:
    for frontend in body["properties"]["frontendIPConfigurations"]:
        properties = frontend["properties"]
        address, subnet = properties.get("publicIPAddress"), properties.get("subnet")
        if bool(address) == bool(subnet):
            # Own knowledge: code and text.
            raise network_error(
                "LoadBalancerFrontendIPConfigurationMustHaveSubnetOrPublicIP",
                f"Frontend IP configuration {frontend['id']} must reference exactly one of a subnet and a public IP.",
            )
        check_references(call, body, [(address or subnet)["id"]], wait_for_them=True)
        if not address:
            continue
        holder = call.world.resource(address["id"])
        sku = holder.body["sku"]["name"] if holder else ""
        if sku.lower() != body["sku"]["name"].lower():
            raise network_error(
                "PublicIPAndLBSkuDoNotMatch",
                f"{body['sku']['name']} sku load balancer {body['id']} cannot reference {sku} sku publicIP "
                f"{address['id']}.",
            )
        for user, _ in users_of(call.world, address["id"]):
            if user.id.lower() != body["id"].lower():
                raise network_error(
                    "PublicIPAddressInUse",
                    f"Resource {frontend['id']} is referencing public IP address {address['id']} that is already "
                    f"allocated to resource {user.id}.",
                )


def _inner(body: Body, collection: str) -> dict[str, Body]:
    return {part["id"].lower(): part for part in body["properties"][collection]}


def _check_inner_references(body: Body) -> None:
    targets = {
        "frontendIPConfiguration": "frontendIPConfigurations", "frontendIPConfigurations": "frontendIPConfigurations",
        "backendAddressPool": "backendAddressPools", "backendAddressPools": "backendAddressPools", "probe": "probes",
    }  # fmt: skip
    for collection in ("loadBalancingRules", "inboundNatRules", "inboundNatPools", "outboundRules"):
        for part in body["properties"][collection]:
            for member, target in targets.items():
                value = part["properties"].get(member) or []
                for reference in value if isinstance(value, list) else [value]:
                    if reference["id"].lower() not in _inner(body, target):
                        raise network_error(
                            "InvalidResourceReference",
                            f"Resource {reference['id']} referenced by resource {part['id']} was not found. Please "
                            "make sure that the referenced resource exists, and that both resources are in the same "
                            "region.",
                        )


def _check_probes(body: Body) -> None:
    for probe in body["properties"]["probes"]:
        properties = probe["properties"]
        is_tcp = properties["protocol"].lower() == "tcp"
        if is_tcp == bool(properties.get("requestPath")):
            # Own knowledge: code and text.
            raise network_error(
                "InvalidProbeRequestPath",
                f"Probe {probe['id']} must {'not ' if is_tcp else ''}have a request path with protocol "
                f"{properties['protocol']}.",
            )
        if properties["protocol"].lower() == "https" and body["sku"]["name"].lower() == "basic":
            raise network_error("HttpsProbeNotSupported", f"Basic load balancer {body['id']} has no HTTPS probes.")


def _check_ports(body: Body) -> None:
    taken: dict[tuple[str, str, int], str] = {}
    for collection in ("loadBalancingRules", "inboundNatRules", "inboundNatPools"):
        for part in body["properties"][collection]:
            properties = part["properties"]
            first = properties.get("frontendPortRangeStart") or properties.get("frontendPort")
            last = properties.get("frontendPortRangeEnd") or first
            if first is None or not 0 <= first <= last <= 65535:
                raise network_error(
                    "InvalidFrontendPortRange", f"The frontend port range of {part['id']} is missing or not valid."
                )
            for port in range(first, last + 1):
                key = (properties["frontendIPConfiguration"]["id"].lower(), properties["protocol"].lower(), port)
                if key in taken:
                    # Own knowledge: code and text.
                    raise network_error(
                        "RulesUseSameFrontendPortProtocolAndIPConfig",
                        f"Rules {taken[key]} and {part['id']} use the same frontend port {port}, protocol and IP "
                        "configuration.",
                    )
                taken[key] = part["id"]


def _check_outbound(body: Body) -> None:
    properties = body["properties"]
    outbound = {
        reference["id"].lower()
        for rule in properties["outboundRules"]
        for reference in rule["properties"]["frontendIPConfigurations"]
    }
    if outbound and body["sku"]["name"].lower() == "basic":
        raise network_error("OutboundRulesNotSupportedOnBasicSku", f"Load balancer {body['id']} is of SKU Basic.")
    for rule in properties["outboundRules"]:
        ports = rule["properties"]["allocatedOutboundPorts"]
        if ports % 8 or not 0 <= ports <= 64000:
            raise network_error(
                "InvalidAllocatedOutboundPorts",
                f"Allocated outbound ports of {rule['id']} must be a multiple of 8 between 0 and 64000.",
            )
    for rule in properties["loadBalancingRules"]:
        same = rule["properties"]["frontendIPConfiguration"]["id"].lower() in outbound
        if same and not rule["properties"]["disableOutboundSnat"]:
            raise network_error(
                "LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule",
                f"SNAT must be disabled for load balancing rule {rule['id']} since frontend IP configuration referenced"
                " by it is also referenced by an outbound rule.",
            )


def _check_pools_in_use(call: Call, existing: Resource, body: Body) -> None:
    """A pool, NAT pool or probe that a scale set uses cannot leave the load balancer."""
    for collection in ("backendAddressPools", "inboundNatPools", "probes"):
        kept = _inner(body, collection)
        for part in nested(existing, collection):
            if part["id"].lower() not in kept:
                for user, _ in users_of(call.world, part["id"]):
                    raise _in_use(existing, last_segment(part["id"]), user)
        if collection == "probes":
            _check_probe_rules(call, existing, body)


def _check_probe_rules(call: Call, existing: Resource, body: Body) -> None:
    kept = _inner(body, "loadBalancingRules")
    for rule in nested(existing, "loadBalancingRules"):
        probe = rule["properties"].get("probe", {}).get("id")
        if rule["id"].lower() not in kept and probe and any(users_of(call.world, probe)):
            raise network_error(
                "CannotRemoveRuleUsedByProbeUsedByVMSS",
                f"Load balancer rule {rule['id']} cannot be removed because its probe {probe} is used as a health "
                "probe by a virtual machine scale set.",
            )


def _in_use(balancer: Resource, part: str, user: Resource) -> Exception:
    return network_error(
        "LoadBalancerInUseByVirtualMachineScaleSet",
        f"Cannot delete load balancer {balancer.id} since its child resources {part} are in use by virtual machine "
        f"scale set {user.id}.",
    )


def delete_load_balancer(call: Call) -> Response:
    """DELETE loadBalancers, refused while a scale set is in one of its pools."""
    existing = call.existing()
    if existing:
        for user, reference in users_of(call.world, existing.id):
            if user.type.lower() == "microsoft.compute/virtualmachinescalesets":
                raise _in_use(existing, last_segment(reference), user)
    return delete_resource(call, "loadBalancers.delete")

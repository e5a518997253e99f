"""Which members a body may have, and of which type: a small table language.

A shape is a member's kind ("string", "integer", "boolean", "any"), a tuple of allowed values (compared without case), a
list with the shape of its items, or a dict from member name to shape; a name that ends with `!` is required, `*` stands
for any name. Member names compare without case, as Azure's own reader does. Source of the members: the ARM template
schemas of the pinned api-versions; that an unknown member is refused is known from issue texts of both providers.
"""

from typing import Any

S, N, B, ANY = "string", "integer", "boolean", "any"
KINDS: dict[str, type] = {S: str, N: int, B: bool, ANY: object}

type Shape = str | tuple[str, ...] | list[Any] | dict[str, Any]


class ShapeError(Exception):
    """A body that does not fit: `kind` is `unknown`, `missing`, `type` or `value`; `path` is dotted."""

    def __init__(self, kind: str, path: str, member: str, said: str) -> None:
        super().__init__(said)
        self.kind = kind
        self.path = path
        self.member = member


def check(value: Any, shape: Shape, path: str = "") -> None:
    """Raises ShapeError at the first member that does not fit."""
    member = path.rsplit(".", 1)[-1]
    if isinstance(shape, dict):
        _check_object(value, shape, path, member)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ShapeError("type", path, member, f"Error converting value at path '{path}' to an array.")
        for number, item in enumerate(value):
            check(item, shape[0], f"{path}[{number}]")
    elif isinstance(shape, tuple):
        if not isinstance(value, str) or value.lower() not in {allowed.lower() for allowed in shape}:
            raise ShapeError(
                "value", path, member, f"Value '{value}' used in property {path} is not one of {', '.join(shape)}."
            )
    elif not isinstance(value, KINDS[shape]) or (shape == N and isinstance(value, bool)):
        raise ShapeError("type", path, member, f"Error converting value '{value}' to type '{shape}'. Path '{path}'.")


def _check_object(value: Any, shape: dict[str, Any], path: str, member: str) -> None:
    if not isinstance(value, dict):
        raise ShapeError("type", path, member, f"Error converting value at path '{path}' to an object.")
    allowed = {name.rstrip("!").lower(): part for name, part in shape.items()}
    for name, part in value.items():
        inner = f"{path}.{name}" if path else name
        if name.lower() in allowed:
            if part is not None:
                check(part, allowed[name.lower()], inner)
        elif "*" in shape:
            check(part, shape["*"], inner)
        else:
            raise ShapeError(
                "unknown",
                inner,
                name,
                f"Could not find member '{name}' on object of type '{member or 'resource'}'. Path '{inner}'.",
            )
    given = {name.lower() for name, part in value.items() if part is not None}
    for name in shape:
        if name.endswith("!") and name[:-1].lower() not in given:
            inner = f"{path}.{name[:-1]}" if path else name[:-1]
            raise ShapeError("missing", inner, name[:-1], f"Required property '{name[:-1]}' not found. Path '{inner}'.")


TAGS = {"*": S}
REF = {"id!": S}
SKU = {"name": S, "tier": S, "capacity": N}


def resource(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A top-level resource with these properties."""
    common = {"id": S, "name": S, "type": S, "etag": S, "location": S, "tags": TAGS, "sku": SKU, "zones": [S]}
    return {**common, **more, "properties!": {**properties, "provisioningState": S, "resourceGuid": S}}


def part(properties: dict[str, Any]) -> list[Any]:
    """A nested collection whose items have a name, and these properties where any of them is required."""
    needed = "!" if any(name.endswith("!") for name in properties) else ""
    items = {
        "id": S,
        "name!": S,
        "type": S,
        "etag": S,
        "zones": [S],
        f"properties{needed}": {**properties, "provisioningState": S},
    }
    return [items]


SECURITY_RULE = {
    "description": S, "protocol!": ("*", "Tcp", "Udp", "Icmp", "Esp", "Ah"), "access!": ("Allow", "Deny"),
    "direction!": ("Inbound", "Outbound"), "priority!": N, "sourcePortRange": S, "sourcePortRanges": [S],
    "destinationPortRange": S, "destinationPortRanges": [S], "sourceAddressPrefix": S, "sourceAddressPrefixes": [S],
    "destinationAddressPrefix": S, "destinationAddressPrefixes": [S], "sourceApplicationSecurityGroups": ANY,
    "destinationApplicationSecurityGroups": ANY,
}  # fmt: skip
SECURITY_GROUP = resource(
    {"securityRules": part(SECURITY_RULE), "defaultSecurityRules": ANY, "flushConnection": B, "subnets": ANY}
)
SUBNET = {
    "addressPrefix": S, "addressPrefixes": [S], "networkSecurityGroup": {"*": ANY}, "routeTable": {"*": ANY},
    "natGateway": {"*": ANY}, "serviceEndpoints": ANY, "delegations": ANY, "ipConfigurations": ANY,
    "privateEndpointNetworkPolicies": S, "privateLinkServiceNetworkPolicies": S, "defaultOutboundAccess": B,
}  # fmt: skip
VIRTUAL_NETWORK = resource(
    {
        "addressSpace!": {"addressPrefixes!": [S]}, "subnets": part(SUBNET), "dhcpOptions": {"dnsServers": [S]},
        "enableDdosProtection": B, "enableVmProtection": B, "virtualNetworkPeerings": ANY, "encryption": ANY,
        "privateEndpointVNetPolicies": S, "flowTimeoutInMinutes": N,
    },
    extendedLocation=ANY,
)  # fmt: skip
PUBLIC_ADDRESS = resource(
    {
        "publicIPAllocationMethod": ("Static", "Dynamic"), "publicIPAddressVersion": ("IPv4", "IPv6"),
        "idleTimeoutInMinutes": N, "ipAddress": S, "ipTags": ANY, "ddosSettings": ANY, "publicIPPrefix": REF,
        "deleteOption": ("Delete", "Detach"), "ipConfiguration": ANY,
        "dnsSettings": {"domainNameLabel": S, "fqdn": S, "reverseFqdn": S, "domainNameLabelScope": S},
    },
    extendedLocation=ANY,
)  # fmt: skip
_PROTOCOL = ("Tcp", "Udp", "All")
_TRAFFIC = {
    "idleTimeoutInMinutes": N, "enableFloatingIP": B, "enableTcpReset": B, "enableDestinationServiceEndpoint": B,
    "allowBackendPortConflict": B,
}  # fmt: skip
LOAD_BALANCER = resource(
    {
        "frontendIPConfigurations": part({
            "publicIPAddress": {"*": ANY}, "subnet": {"*": ANY}, "privateIPAddress": S, "privateIPAddressVersion": S,
            "privateIPAllocationMethod": S, "publicIPPrefix": REF, "gatewayLoadBalancer": REF, "inboundNatRules": ANY,
            "inboundNatPools": ANY, "outboundRules": ANY, "loadBalancingRules": ANY,
        }),
        "backendAddressPools": part({
            "loadBalancerBackendAddresses": ANY, "tunnelInterfaces": ANY, "drainPeriodInSeconds": N, "location": S,
            "virtualNetwork": REF, "syncMode": S, "backendIPConfigurations": ANY, "loadBalancingRules": ANY,
            "inboundNatRules": ANY, "outboundRules": ANY, "outboundRule": ANY,
        }),
        "loadBalancingRules": part({
            "frontendIPConfiguration!": REF, "backendAddressPool": REF, "backendAddressPools": [REF], "probe": REF,
            "protocol!": _PROTOCOL, "frontendPort!": N, "backendPort": N, "loadDistribution": S,
            "disableOutboundSnat": B, "enableConnectionTracking": B, **_TRAFFIC,
        }),
        "probes": part({
            "protocol!": ("Tcp", "Http", "Https"), "port!": N, "requestPath": S, "intervalInSeconds": N,
            "numberOfProbes": N, "probeThreshold": N, "noHealthyBackendsBehavior": S, "loadBalancingRules": ANY,
        }),
        "inboundNatRules": part({
            "frontendIPConfiguration!": REF, "protocol!": _PROTOCOL, "frontendPort": N, "backendPort!": N,
            "frontendPortRangeStart": N, "frontendPortRangeEnd": N, "backendAddressPool": REF,
            "backendIPConfiguration": ANY, **_TRAFFIC,
        }),
        "inboundNatPools": part({
            "frontendIPConfiguration!": REF, "protocol!": _PROTOCOL, "frontendPortRangeStart!": N,
            "frontendPortRangeEnd!": N, "backendPort!": N, **_TRAFFIC,
        }),
        "outboundRules": part({
            "frontendIPConfigurations!": [REF], "backendAddressPool!": REF, "protocol!": _PROTOCOL,
            "allocatedOutboundPorts": N, "idleTimeoutInMinutes": N, "enableTcpReset": B,
        }),
        "scope": S,
    },
    extendedLocation=ANY,
)  # fmt: skip
_EXTENSION = {
    "publisher": S, "type": S, "typeHandlerVersion": S, "autoUpgradeMinorVersion": B, "enableAutomaticUpgrade": B,
    "settings": ANY, "protectedSettings": ANY, "forceUpdateTag": S, "provisionAfterExtensions": [S],
    "suppressFailures": B, "provisioningState": S, "protectedSettingsFromKeyVault": ANY,
}  # fmt: skip
_ADDRESS_CONFIGURATION = {
    "subnet": REF, "primary": B, "privateIPAddressVersion": S, "loadBalancerBackendAddressPools": [REF],
    "loadBalancerInboundNatPools": [REF], "applicationSecurityGroups": ANY, "publicIPAddressConfiguration": ANY,
    "applicationGatewayBackendAddressPools": ANY,
}  # fmt: skip
SCALE_SET = resource(
    {
        "upgradePolicy": {"mode": ("Manual", "Automatic", "Rolling"), "rollingUpgradePolicy": ANY,
                          "automaticOSUpgradePolicy": ANY},
        "orchestrationMode": ("Uniform", "Flexible"), "overprovision": B, "singlePlacementGroup": B, "zoneBalance": B,
        "platformFaultDomainCount": N, "doNotRunExtensionsOnOverprovisionedVMs": B, "uniqueId": S, "timeCreated": S,
        "automaticRepairsPolicy": ANY, "scaleInPolicy": ANY, "additionalCapabilities": ANY,
        "proximityPlacementGroup": ANY, "hostGroup": ANY, "constrainedMaximumCapacity": B, "resiliencyPolicy": ANY,
        "spotRestorePolicy": ANY, "priorityMixPolicy": ANY, "skuProfile": ANY, "zonalPlatformFaultDomainAlignMode": S,
        "virtualMachineProfile": {
            "osProfile": {
                "computerNamePrefix": S, "adminUsername": S, "adminPassword": S, "customData": S,
                "linuxConfiguration": ANY, "windowsConfiguration": ANY, "allowExtensionOperations": B,
                "requireGuestProvisionSignal": B,
                "secrets": [{"sourceVault!": REF,
                             "vaultCertificates!": [{"certificateUrl!": S, "certificateStore": S}]}],
            },
            "storageProfile": {"imageReference": {"publisher": S, "offer": S, "sku": S, "version": S, "id": S,
                                                  "exactVersion": S, "sharedGalleryImageId": S,
                                                  "communityGalleryImageId": S},
                               "osDisk": ANY, "dataDisks": ANY, "diskControllerType": S},
            "networkProfile": {
                "healthProbe": REF, "networkApiVersion": S,
                "networkInterfaceConfigurations": part({
                    "primary": B, "enableAcceleratedNetworking": B, "enableIPForwarding": B, "dnsSettings": ANY,
                    "networkSecurityGroup": REF, "deleteOption": S, "disableTcpStateTracking": B, "enableFpga": B,
                    "auxiliaryMode": S, "auxiliarySku": S, "ipConfigurations!": part(_ADDRESS_CONFIGURATION),
                }),
            },
            "extensionProfile": {"extensions": [{"id": S, "type": S, "name!": S, "properties": _EXTENSION}],
                                 "extensionsTimeBudget": S},
            "diagnosticsProfile": ANY, "securityProfile": ANY, "licenseType": S, "priority": S, "evictionPolicy": S,
            "billingProfile": ANY, "scheduledEventsProfile": ANY, "userData": S, "capacityReservation": ANY,
            "applicationProfile": ANY, "hardwareProfile": ANY, "serviceArtifactReference": ANY, "timeCreated": S,
            "securityPostureReference": ANY,
        },
    },
    identity=ANY, plan=ANY, extendedLocation=ANY, placement=ANY,
)  # fmt: skip

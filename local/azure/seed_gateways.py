"""A complete gateway on a scale set, made by the same calls that a deployment would send, in no time."""

import json
from datetime import datetime

from local.azure import identity
from local.azure.arm import manager
from local.azure.messages import Request
from local.azure.operations import advance
from local.azure.seed_models import ScaleSetGatewaySeed
from local.azure.world import Body, CertificateVersion, World

NETWORK_VERSION, COMPUTE_VERSION = "2024-05-01", "2024-11-01"
MANAGEMENT = "https://management.azure.com"
FIRST_CONNECTION_PORT = 10124


def add_scale_set_gateway(world: World, wanted: ScaleSetGatewaySeed, now: datetime) -> None:
    """Network security group, virtual network, public address, load balancer and scale set; raises AzureError."""
    prefix = wanted.prefix or wanted.label
    certificate, vault_id = _certificate(world, wanted.certificate)
    scale, world.time_scale = world.time_scale, 0.0
    base = f"{wanted.group}/providers/Microsoft"
    network = f"{base}.Network"
    group_id = f"{network}/networkSecurityGroups/{prefix}-nsg"
    subnet_id = f"{network}/virtualNetworks/{prefix}-vnet/subnets/gateway"
    address_id = f"{network}/publicIPAddresses/{prefix}-ip"
    balancer_id = f"{network}/loadBalancers/{prefix}-lb"
    bodies: tuple[tuple[str, Body], ...] = (
        (group_id, _security_group(wanted)),
        (subnet_id.rsplit("/subnets", 1)[0], _virtual_network(group_id)),
        (address_id, _address(wanted)),
        (balancer_id, _load_balancer(wanted, balancer_id, address_id)),
        (
            f"{base}.Compute/virtualMachineScaleSets/{prefix}",
            _scale_set(wanted, subnet_id, balancer_id, certificate, vault_id, prefix),
        ),
    )
    for resource_id, body in bodies:
        version = COMPUTE_VERSION if "Microsoft.Compute" in resource_id else NETWORK_VERSION
        token = identity.issue_token(world, MANAGEMENT, now, tenant=_tenant(world, wanted.group))
        request = Request(
            "PUT",
            "management.azure.com",
            resource_id,
            {"api-version": version},
            {"authorization": f"Bearer {token}"},
            json.dumps({"location": wanted.region, "tags": wanted.tags, **body}).encode(),
        )
        manager.handle(world, request, now)
        advance(world, now)
    world.time_scale = scale


def _tenant(world: World, group: str) -> str:
    return world.subscriptions[group.split("/")[2].lower()].tenant


def _certificate(world: World, reference: str) -> tuple[CertificateVersion, str]:
    vault, _, name = reference.partition("/")
    found = [
        version
        for version in world.certificates.values()
        if version.vault.lower() == vault.lower() and version.name.lower() == name.lower()
    ]
    holder = next((v for v in world.of_type("Microsoft.KeyVault/vaults") if v.name.lower() == vault.lower()), None)
    if not found or holder is None:
        raise ValueError(f"The certificate '{reference}' is not <vault>/<certificate> of this world.")
    return found[-1], holder.id


def _security_group(wanted: ScaleSetGatewaySeed) -> Body:
    ports = ["443"]
    if wanted.instances > 1:
        ports.append(f"{FIRST_CONNECTION_PORT}-{FIRST_CONNECTION_PORT + wanted.instances - 1}")
    rule = {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100, "sourcePortRange": "*",
        "sourceAddressPrefix": "Internet", "destinationAddressPrefix": "*", "destinationPortRanges": ports,
    }  # fmt: skip
    return {"properties": {"securityRules": [{"name": "gateway", "properties": rule}]}}


def _virtual_network(group_id: str) -> Body:
    subnet = {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group_id}}
    space = {"addressPrefixes": ["10.0.0.0/16"]}
    return {"properties": {"addressSpace": space, "subnets": [{"name": "gateway", "properties": subnet}]}}


def _address(wanted: ScaleSetGatewaySeed) -> Body:
    return {
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": wanted.label}},
    }


def _load_balancer(wanted: ScaleSetGatewaySeed, balancer: str, address: str) -> Body:
    frontend = {"id": f"{balancer}/frontendIPConfigurations/public"}
    pool = {"id": f"{balancer}/backendAddressPools/gateways"}
    rule = {
        "frontendIPConfiguration": frontend, "backendAddressPool": pool, "probe": {"id": f"{balancer}/probes/https"},
        "protocol": "Tcp", "frontendPort": 443, "backendPort": 443, "disableOutboundSnat": True,
    }  # fmt: skip
    nat = {
        "frontendIPConfiguration": frontend, "protocol": "Tcp", "frontendPortRangeStart": FIRST_CONNECTION_PORT,
        "frontendPortRangeEnd": FIRST_CONNECTION_PORT + wanted.instances - 1, "backendPort": FIRST_CONNECTION_PORT,
    }  # fmt: skip
    outbound = {"frontendIPConfigurations": [frontend], "backendAddressPool": pool, "protocol": "All"}
    properties: Body = {
        "frontendIPConfigurations": [{"name": "public", "properties": {"publicIPAddress": {"id": address}}}],
        "backendAddressPools": [{"name": "gateways", "properties": {}}],
        "probes": [{"name": "https", "properties": {"protocol": "Tcp", "port": 443}}],
        "loadBalancingRules": [{"name": "https", "properties": rule}],
        "outboundRules": [{"name": "outbound", "properties": outbound}],
    }
    if wanted.instances > 1:
        properties["inboundNatPools"] = [{"name": "connection-points", "properties": nat}]
    return {"sku": {"name": "Standard"}, "properties": properties}


def _scale_set(
    wanted: ScaleSetGatewaySeed, subnet: str, balancer: str, certificate: CertificateVersion, vault: str, prefix: str
) -> Body:
    configuration: Body = {
        "subnet": {"id": subnet},
        "loadBalancerBackendAddressPools": [{"id": f"{balancer}/backendAddressPools/gateways"}],
    }
    if wanted.instances > 1:
        pool = {"id": f"{balancer}/inboundNatPools/connection-points"}
        configuration["loadBalancerInboundNatPools"] = [pool]
    interface = {"primary": True, "ipConfigurations": [{"name": "gateway", "properties": configuration}]}
    profile: Body = {
        "osProfile": {
            "computerNamePrefix": "cmg",
            "adminUsername": "cmgadmin",
            # A made-up password of the simulated world, forgotten as Azure forgets it.
            "adminPassword": "Simulated-1",
            "secrets": [
                {
                    "sourceVault": {"id": vault},
                    "vaultCertificates": [{"certificateUrl": certificate.secret_id, "certificateStore": "My"}],
                }
            ],
        },
        "storageProfile": {
            "imageReference": {
                "publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter",
                "version": "latest",
            }
        },
        "networkProfile": {"networkInterfaceConfigurations": [{"name": f"{prefix}-nic", "properties": interface}]},
    }  # fmt: skip
    if wanted.health_extension:
        health = {
            "publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthWindows", "typeHandlerVersion": "2.0",
            "settings": {"protocol": "tcp", "port": 443},
        }  # fmt: skip
        profile["extensionProfile"] = {"extensions": [{"name": "health", "properties": health}]}
    return {
        "sku": {"name": wanted.size, "capacity": wanted.instances},
        "properties": {
            "orchestrationMode": "Uniform", "overprovision": False, "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": profile,
        },
    }  # fmt: skip

"""The bodies obey Azure's rules (azure resource references) and the field's (ports), for every size and count."""

from dataclasses import replace
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.gateway_resources import OWNER_TAG, Blueprint, holds
from cmg_core.domain.plans import Names, NewResources, PinnedCertificate
from cmg_core.domain.requests import GatewayRequest
from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at
from tests.fakes import DEPLOYMENT, NOW, VAULT, VAULT_ID, resource_id

MAKE = NewResources(
    resource_group="rg-cmg-eastus",
    network_security_group=resource_id("Microsoft.Network/networkSecurityGroups", "granitefalls-nsg"),
    virtual_network=resource_id("Microsoft.Network/virtualNetworks", "granitefalls-vnet"),
    public_address=resource_id("Microsoft.Network/publicIPAddresses", "granitefalls-ip"),
    load_balancer=resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb"),
    scale_set=resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls"),
)
CERTIFICATE = PinnedCertificate(
    vault_id=VAULT_ID,
    version="v1",
    secret_id=f"{VAULT}/secrets/granitefalls/v1",
    thumbprint="AB" * 20,
    fingerprint="cd" * 32,
    subject="CN=granitefalls.contoso.com",
    dns_names=("granitefalls.contoso.com",),
    not_after=NOW,
)

labels = st.from_regex(r"[a-z][a-z0-9]{2,23}", fullmatch=True)
blueprints = st.builds(
    lambda size, instances, label, zones: Blueprint(
        DEPLOYMENT,
        "eastus",
        size,
        instances,
        Names(
            service_name="granitefalls.contoso.com",
            label=label,
            deployment_name=f"{label}.eastus.cloudapp.azure.com",
        ),
        MAKE.model_copy(update={"zones": zones}),
    ),
    st.sampled_from(get_args(GatewayRequest.model_fields["size"].annotation)),
    st.integers(1, 16),
    labels,
    st.sampled_from([(), ("1", "2", "3")]),
)


def scale_set(gateway: Blueprint, password: str = "Secret-1") -> JsonObject:
    return gateway.scale_set(CERTIFICATE, {"name": "gateway", "properties": {"type": "Gateway"}}, password)


def open_to(body: JsonObject, source: str) -> set[int]:
    ports: set[int] = set()
    for rule in objects_at(body, "properties", "securityRules"):
        properties = rule["properties"]
        if text_at(properties, "sourceAddressPrefix") == source and text_at(properties, "access") == "Allow":
            first, _, last = text_at(properties, "destinationPortRange").partition("-")
            ports |= set(range(int(first), int(last or first) + 1))
    return ports


@given(blueprints)
def test_only_the_gateways_own_ports_are_open(gateway: Blueprint) -> None:
    body = gateway.network_security_group()
    connection_points = set(range(10124, 10124 + gateway.instances)) if gateway.instances > 1 else set()
    assert open_to(body, "Internet") == {443} | connection_points
    assert open_to(body, "AzureLoadBalancer") == {443}


@given(blueprints)
def test_the_old_models_ports_are_never_opened_nor_carried(gateway: Blueprint) -> None:
    """S4: TCP-TLS ports 10140 to 10155 belong to classic gateways."""
    old = set(range(10140, 10156))
    group, balancer = gateway.network_security_group(), gateway.load_balancer()
    sources = {
        text_at(rule, "properties", "sourceAddressPrefix") for rule in objects_at(group, "properties", "securityRules")
    }
    assert not any(open_to(group, source) & old for source in sources)
    for rule in objects_at(balancer, "properties", "inboundNatRules"):
        first, last = at(rule, "properties", "frontendPortRangeStart"), at(rule, "properties", "frontendPortRangeEnd")
        assert isinstance(first, int)
        assert isinstance(last, int)
        assert not old & set(range(first, last + 1))


@given(blueprints)
def test_security_rules_differ_in_priority(gateway: Blueprint) -> None:
    rules = objects_at(gateway.network_security_group(), "properties", "securityRules")
    assert len({at(rule, "properties", "priority") for rule in rules}) == len(rules)


@given(blueprints)
def test_every_instance_has_a_port_where_there_are_several(gateway: Blueprint) -> None:
    ranges = [
        (at(rule, "properties", "frontendPortRangeStart"), at(rule, "properties", "frontendPortRangeEnd"))
        for rule in objects_at(gateway.load_balancer(), "properties", "inboundNatRules")
    ]
    assert ranges == ([(10124, 10123 + gateway.instances)] if gateway.instances > 1 else [])


def references(body: Json) -> set[str]:
    if isinstance(body, list):
        return {id for item in body for id in references(item)}
    if not isinstance(body, dict):
        return set()
    return {text_at(body, "id")} - {""} | {id for value in body.values() for id in references(value)}


def parts(body: JsonObject) -> set[str]:
    """The IDs of a load balancer's own parts."""
    kinds = at(body, "properties")
    assert isinstance(kinds, dict)
    return {
        f"{MAKE.load_balancer}/{kind}/{text_at(part, 'name')}" for kind in kinds for part in objects_at(kinds, kind)
    }


@given(blueprints)
def test_everything_that_is_referred_to_is_made(gateway: Blueprint) -> None:
    balancer = gateway.load_balancer()
    assert references(balancer) <= parts(balancer) | {MAKE.public_address}
    assert references(gateway.virtual_network()) == {MAKE.network_security_group}
    [subnet] = objects_at(gateway.virtual_network(), "properties", "subnets")
    made = {f"{MAKE.virtual_network}/subnets/{text_at(subnet, 'name')}", VAULT_ID}
    assert references(scale_set(gateway)) <= parts(balancer) | made


@given(blueprints)
def test_rules_that_share_a_frontend_with_an_outbound_rule_give_up_their_own_translation(gateway: Blueprint) -> None:
    body = gateway.load_balancer()
    shared = {
        text_at(frontend, "id")
        for rule in objects_at(body, "properties", "outboundRules")
        for frontend in objects_at(rule, "properties", "frontendIPConfigurations")
    }
    for rule in objects_at(body, "properties", "loadBalancingRules"):
        if text_at(rule, "properties", "frontendIPConfiguration", "id") in shared:
            assert at(rule, "properties", "disableOutboundSnat") is True


@given(blueprints)
def test_the_address_keeps_the_form_of_its_name(gateway: Blueprint) -> None:
    body = gateway.public_address()
    assert at(body, "properties", "dnsSettings") == {"domainNameLabel": gateway.names.label}
    assert (at(body, "sku", "name"), at(body, "properties", "publicIPAllocationMethod")) == ("Standard", "Static")


@given(blueprints)
def test_a_scale_set_is_what_azure_takes_and_the_request_asked_for(gateway: Blueprint) -> None:
    body = scale_set(gateway)
    properties = body["properties"]
    assert at(body, "sku") == {"name": gateway.size, "tier": "Standard", "capacity": gateway.instances}
    assert at(properties, "orchestrationMode") == "Uniform"
    assert at(properties, "overprovision") is False
    profile = at(properties, "virtualMachineProfile")
    assert 0 < len(text_at(profile, "osProfile", "computerNamePrefix")) <= 9
    assert not text_at(profile, "storageProfile", "imageReference", "sku").endswith("-g2")
    [secret] = objects_at(profile, "osProfile", "secrets")
    assert objects_at(secret, "vaultCertificates") == [
        {"certificateUrl": CERTIFICATE.secret_id, "certificateStore": "My"}
    ]
    assert body.get("zones", []) == list(gateway.make.zones)


@given(blueprints)
def test_everything_names_its_deployment(gateway: Blueprint) -> None:
    bodies = (
        gateway.resource_group(),
        gateway.network_security_group(),
        gateway.virtual_network(),
        gateway.public_address(),
        gateway.load_balancer(),
        scale_set(gateway),
    )
    assert {text_at(body, "tags", OWNER_TAG) for body in bodies} == {DEPLOYMENT}


OF_THREE = Blueprint(
    DEPLOYMENT,
    "eastus",
    "Standard_A2_v2",
    3,
    Names(
        service_name="granitefalls.contoso.com",
        label="granitefalls",
        deployment_name="granitefalls.eastus.cloudapp.azure.com",
    ),
    MAKE.model_copy(update={"zones": ("1", "2", "3")}),
)
COMMON: JsonObject = {
    "location": "eastus",
    "tags": {OWNER_TAG: DEPLOYMENT, "cmg-service-name": "granitefalls.contoso.com"},
}


def test_the_network_is_written_as_azures_reference_has_it() -> None:
    """Microsoft.Network, API 2024-05-01: networkSecurityGroups, virtualNetworks, publicIPAddresses."""
    inbound = {"direction": "Inbound", "access": "Allow", "protocol": "Tcp"}
    rules = [
        ("https", 100, "Internet", "443"),
        ("load-balancer-probe", 110, "AzureLoadBalancer", "443"),
        ("connection-points", 120, "Internet", "10124-10126"),
    ]
    assert OF_THREE.resource_group() == COMMON
    assert OF_THREE.network_security_group() == COMMON | {
        "properties": {
            "securityRules": [
                {
                    "name": name,
                    "properties": inbound
                    | {
                        "priority": priority,
                        "sourceAddressPrefix": source,
                        "sourcePortRange": "*",
                        "destinationAddressPrefix": "*",
                        "destinationPortRange": ports,
                    },
                }
                for name, priority, source, ports in rules
            ]
        }
    }
    subnet = {"addressPrefix": "10.124.0.0/27", "networkSecurityGroup": {"id": MAKE.network_security_group}}
    assert OF_THREE.virtual_network() == COMMON | {
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.124.0.0/24"]},
            "subnets": [{"name": "gateway", "properties": subnet}],
        }
    }
    assert OF_THREE.public_address() == COMMON | {
        "sku": {"name": "Standard"},
        "zones": ["1", "2", "3"],
        "properties": {
            "publicIPAllocationMethod": "Static",
            "publicIPAddressVersion": "IPv4",
            "dnsSettings": {"domainNameLabel": "granitefalls"},
        },
    }


def test_a_region_without_zones_is_asked_for_none() -> None:
    gateway = replace(OF_THREE, make=MAKE)
    for body in (gateway.public_address(), scale_set(gateway)):
        assert "zones" not in body


FRONTEND = {"id": f"{MAKE.load_balancer}/frontendIPConfigurations/public"}
POOL = {"id": f"{MAKE.load_balancer}/backendAddressPools/instances"}


def test_the_load_balancer_is_written_as_azures_reference_has_it() -> None:
    """Microsoft.Network/loadBalancers, API 2024-05-01."""
    https = {"frontendIPConfiguration": FRONTEND, "backendAddressPool": POOL, "protocol": "Tcp"}
    probe = {"protocol": "Tcp", "port": 443, "intervalInSeconds": 5, "numberOfProbes": 2}
    ports = {"frontendPortRangeStart": 10124, "frontendPortRangeEnd": 10126, "backendPort": 10124}
    assert OF_THREE.load_balancer() == COMMON | {
        "sku": {"name": "Standard"},
        "properties": {
            "frontendIPConfigurations": [
                {"name": "public", "properties": {"publicIPAddress": {"id": MAKE.public_address}}}
            ],
            "backendAddressPools": [{"name": "instances", "properties": {}}],
            "probes": [{"name": "https", "properties": probe}],
            "loadBalancingRules": [
                {
                    "name": "https",
                    "properties": https
                    | {
                        "probe": {"id": f"{MAKE.load_balancer}/probes/https"},
                        "frontendPort": 443,
                        "backendPort": 443,
                        "disableOutboundSnat": True,
                    },
                }
            ],
            "outboundRules": [
                {
                    "name": "outbound",
                    "properties": {
                        "frontendIPConfigurations": [FRONTEND],
                        "backendAddressPool": POOL,
                        "protocol": "All",
                    },
                }
            ],
            "inboundNatRules": [{"name": "connection-points", "properties": https | ports}],
        },
    }


def test_the_scale_set_is_written_as_azures_reference_has_it() -> None:
    """Microsoft.Compute/virtualMachineScaleSets, API 2024-11-01; "Application Health extension"."""
    address = {
        "primary": True,
        "subnet": {"id": f"{MAKE.virtual_network}/subnets/gateway"},
        "loadBalancerBackendAddressPools": [POOL],
    }
    interface = {"primary": True, "ipConfigurations": [{"name": "gateway", "properties": address}]}
    health = {
        "publisher": "Microsoft.ManagedServices",
        "type": "ApplicationHealthWindows",
        "typeHandlerVersion": "1.0",
        "autoUpgradeMinorVersion": True,
        "settings": {"protocol": "tcp", "port": 443},
    }
    certificate = {"certificateUrl": CERTIFICATE.secret_id, "certificateStore": "My"}
    assert scale_set(OF_THREE) == COMMON | {
        "sku": {"name": "Standard_A2_v2", "tier": "Standard", "capacity": 3},
        "identity": {"type": "SystemAssigned"},
        "zones": ["1", "2", "3"],
        "properties": {
            "orchestrationMode": "Uniform",
            "overprovision": False,
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {
                "osProfile": {
                    "computerNamePrefix": "granitefa",
                    "adminUsername": "cmgadmin",
                    "adminPassword": "Secret-1",
                    "secrets": [{"sourceVault": {"id": VAULT_ID}, "vaultCertificates": [certificate]}],
                },
                "storageProfile": {
                    "imageReference": {
                        "publisher": "MicrosoftWindowsServer",
                        "offer": "WindowsServer",
                        "sku": "2022-datacenter",
                        "version": "latest",
                    },
                    "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "StandardSSD_LRS"}},
                },
                "networkProfile": {"networkInterfaceConfigurations": [{"name": "gateway", "properties": interface}]},
                "extensionProfile": {
                    "extensions": [
                        {"name": "gateway", "properties": {"type": "Gateway"}},
                        {"name": "application-health", "properties": health},
                    ]
                },
            },
        },
    }


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json)
def test_a_body_holds_itself(body: Json) -> None:
    assert holds(body, body)


@given(st.dictionaries(st.text(max_size=3), json, max_size=3), json)
def test_what_azure_adds_does_not_matter(body: JsonObject, added: Json) -> None:
    assert holds({**body, "added by Azure": added}, body)


def test_case_and_spaces_do_not_matter_but_values_do() -> None:
    assert holds({"location": "East US", "protocol": "TCP"}, {"location": "eastus", "protocol": "Tcp"})
    assert not holds({"port": 444}, {"port": 443})
    assert not holds({"rules": [{"port": 444}]}, {"rules": [{"port": 443}]})
    assert not holds(None, {"rules": []})

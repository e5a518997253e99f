"""Small worlds for tests of looks: an own domain, from classic or from an older scale set, and nothing wrong."""

from tests.fakes import (
    CLASSIC_ID,
    OLD_GROUP,
    VAULT,
    VAULT_ID,
    ZONE_ID,
    FakeServices,
    in_vault,
    leaf,
    resource_id,
)

SERVICE_NAME = "GraniteFalls.Contoso.Com"
CLASSIC_NAME = "granitefalls.cloudapp.net"
OLD_SCALE_SET_NAME = "granitefalls.eastus.cloudapp.azure.com"
STORE_ID = resource_id("Microsoft.ClassicStorage/storageAccounts", "granitefalls", OLD_GROUP)
RECORD_ID = f"{ZONE_ID}/CNAME/granitefalls"

OLD_SCALE_SET = resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls", OLD_GROUP)
OLD_LOAD_BALANCER = resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb", OLD_GROUP)
OLD_ADDRESS = resource_id("Microsoft.Network/publicIPAddresses", "granitefalls-ip", OLD_GROUP)
OLD_NETWORK = resource_id("Microsoft.Network/virtualNetworks", "granitefalls-vnet", OLD_GROUP)
OLD_SECURITY_GROUP = resource_id("Microsoft.Network/networkSecurityGroups", "granitefalls-nsg", OLD_GROUP)
OLD_PARTS = (OLD_SCALE_SET, OLD_LOAD_BALANCER, OLD_ADDRESS, OLD_NETWORK, OLD_SECURITY_GROUP)


def base() -> FakeServices:
    """Subscription, size, quota, vault with certificate, zone: everything but a gateway."""
    services = FakeServices()
    azure = services.resource_manager
    azure.provider_states = {
        f"Microsoft.{name}": "Registered" for name in ("KeyVault", "Storage", "Network", "Compute")
    }
    azure.size_list = [
        {
            "name": "Standard_A2_v2",
            "family": "standardAv2Family",
            "capabilities": [{"name": "vCPUs", "value": "2"}],
            "locationInfo": [{"location": "eastus", "zones": ["3", "1", "2"]}],
            "restrictions": [],
        }
    ]
    azure.usage_list = [
        {"name": {"value": "cores"}, "currentValue": 4, "limit": 20},
        {"name": {"value": "standardAv2Family"}, "currentValue": 4, "limit": 20},
    ]
    azure.add({"id": VAULT_ID, "location": "eastus", "properties": {"enabledForDeployment": True}})
    azure.add({"id": f"{ZONE_ID}/SOA/@", "name": "@"})
    azure.add({"id": f"{ZONE_ID}/NS/@", "name": "@"})
    services.vaults.certificates[f"{VAULT}/granitefalls"] = in_vault(leaf(SERVICE_NAME))
    return services


def set_record(services: FakeServices, target: str) -> None:
    """Point the service name at a target, in the zone and for all to see."""
    services.resource_manager.add(
        {"id": RECORD_ID, "etag": "e1", "properties": {"TTL": 300, "CNAMERecord": {"cname": target}}}
    )
    services.dns.point(SERVICE_NAME, target)


def classic() -> FakeServices:
    """The gateway is a classic cloud service, with its storage account beside it."""
    services = base()
    services.resource_manager.add({"id": CLASSIC_ID, "location": "eastus", "properties": {"hostName": CLASSIC_NAME}})
    services.resource_manager.add({"id": STORE_ID, "location": "eastus"})
    set_record(services, CLASSIC_NAME)
    return services


def scale_set() -> FakeServices:
    """The gateway is an older scale set that the site made, with vault and storage account beside it."""
    services = base()
    azure = services.resource_manager
    machine = f"{OLD_SCALE_SET}/virtualMachines/0/networkInterfaces/nic/ipConfigurations/ip"
    address = {
        "subnet": {"id": f"{OLD_NETWORK}/subnets/gateway"},
        "loadBalancerBackendAddressPools": [{"id": f"{OLD_LOAD_BALANCER}/backendAddressPools/pool"}],
    }
    interface = {"properties": {"ipConfigurations": [{"properties": address}]}}
    azure.add(
        {
            "id": OLD_SCALE_SET,
            "location": "eastus",
            "properties": {
                "uniqueId": "scale-set-guid",
                "virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations": [interface]}},
            },
        }
    )
    frontend = {"properties": {"publicIPAddress": {"id": OLD_ADDRESS}}}
    pool = {"properties": {"backendIPConfigurations": [{"id": machine}]}}
    azure.add(
        {
            "id": OLD_LOAD_BALANCER,
            "properties": {
                "resourceGuid": "balancer-guid",
                "frontendIPConfigurations": [frontend],
                "backendAddressPools": [pool],
            },
        }
    )
    azure.add(
        {
            "id": OLD_ADDRESS,
            "properties": {
                "resourceGuid": "address-guid",
                "ipConfiguration": {"id": f"{OLD_LOAD_BALANCER}/frontendIPConfigurations/public"},
                "dnsSettings": {"fqdn": OLD_SCALE_SET_NAME},
            },
        }
    )
    subnet = {
        "id": f"{OLD_NETWORK}/subnets/gateway",
        "properties": {
            "ipConfigurations": [{"id": machine}],
            "networkSecurityGroup": {"id": OLD_SECURITY_GROUP},
        },
    }
    azure.add({"id": OLD_NETWORK, "properties": {"resourceGuid": "network-guid", "subnets": [subnet]}})
    azure.add(
        {
            "id": OLD_SECURITY_GROUP,
            "properties": {"resourceGuid": "nsg-guid", "subnets": [{"id": f"{OLD_NETWORK}/subnets/gateway"}]},
        }
    )
    azure.add({"id": resource_id("Microsoft.Storage/storageAccounts", "granitefalls", OLD_GROUP)})
    azure.add({"id": resource_id("Microsoft.KeyVault/vaults", "granitefalls", OLD_GROUP)})
    azure.taken_labels.add("granitefalls")
    set_record(services, OLD_SCALE_SET_NAME)
    return services

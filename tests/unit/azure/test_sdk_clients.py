"""Azure's own SDK clients, unchanged, build and remove a gateway on the simulator."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.keyvault.certificates._shared import http_challenge_cache

from local.azure.messages import Request
from local.azure.operations import advance
from tests.unit.azure.worlds import GROUP, SERVICE, STORAGE, SUBSCRIPTION, Azure

OPEN_443 = {
    "name": "https",
    "properties": {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100, "sourcePortRange": "*",
        "sourceAddressPrefix": "Internet", "destinationAddressPrefix": "*", "destinationPortRange": "443",
    },
}  # fmt: skip


async def _all(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def _build(azure: Azure, instances: int = 2) -> None:
    """A gateway, resource by resource, in a new group, as the app builds it."""
    async with azure.resources() as resources, azure.networks() as networks, azure.compute() as compute:
        await resources.resource_groups.create_or_update("rg-new", {"location": "eastus", "tags": {"cmg": "yes"}})
        base = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-new/providers/Microsoft.Network"
        group_id, balancer = f"{base}/networkSecurityGroups/nsg", f"{base}/loadBalancers/lb"
        await networks.network_security_groups.begin_create_or_update(
            "rg-new", "nsg", {"location": "eastus", "properties": {"securityRules": [OPEN_443]}}, polling=False
        )
        await networks.public_ip_addresses.begin_create_or_update(
            "rg-new",
            "ip",
            {
                "location": "eastus",
                "sku": {"name": "Standard"},
                "properties": {
                    "publicIPAllocationMethod": "Static",
                    "dnsSettings": {"domainNameLabel": "granitefalls"},
                },
            },
            polling=False,
        )
        azure.settle()
        subnet = {
            "name": "gateway",
            "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group_id}},
        }
        await networks.virtual_networks.begin_create_or_update(
            "rg-new",
            "vnet",
            {
                "location": "eastus",
                "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]},
            },
            polling=False,
        )
        await networks.load_balancers.begin_create_or_update("rg-new", "lb", _balancer(base), polling=False)
        azure.settle()
        secret = next(iter(azure.world.certificates.values())).secret_id
        await compute.virtual_machine_scale_sets.begin_create_or_update(
            "rg-new",
            "gateway",
            _scale_set(f"{base}/virtualNetworks/vnet/subnets/gateway", balancer, secret, instances),
            polling=False,
        )


def _balancer(base: str) -> dict[str, Any]:
    own = f"{base}/loadBalancers/lb"
    rule = {
        "frontendIPConfiguration": {"id": f"{own}/frontendIPConfigurations/public"},
        "backendAddressPool": {"id": f"{own}/backendAddressPools/gateways"},
        "probe": {"id": f"{own}/probes/https"}, "protocol": "Tcp", "frontendPort": 443, "backendPort": 443,
    }  # fmt: skip
    return {
        "location": "eastus",
        "sku": {"name": "Standard"},
        "properties": {
            "frontendIPConfigurations": [
                {"name": "public", "properties": {"publicIPAddress": {"id": f"{base}/publicIPAddresses/ip"}}}
            ],
            "backendAddressPools": [{"name": "gateways", "properties": {}}],
            "probes": [{"name": "https", "properties": {"protocol": "Tcp", "port": 443}}],
            "loadBalancingRules": [{"name": "https", "properties": rule}],
        },
    }


def _scale_set(subnet: str, balancer: str, secret: str, instances: int) -> dict[str, Any]:
    configuration = {
        "subnet": {"id": subnet},
        "loadBalancerBackendAddressPools": [{"id": f"{balancer}/backendAddressPools/gateways"}],
    }
    interface = {"primary": True, "ipConfigurations": [{"name": "ip", "properties": configuration}]}
    health = {"publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthWindows", "typeHandlerVersion": "2.0",
              "settings": {"protocol": "tcp", "port": 443}, "protectedSettings": {"key": "hidden"}}  # fmt: skip
    vault = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-cmg"
    return {
        "location": "eastus",
        "sku": {"name": "Standard_A2_v2", "tier": "Standard", "capacity": instances},
        "identity": {"type": "SystemAssigned"},
        "zones": ["1", "2", "3"],
        "properties": {
            "orchestrationMode": "Uniform",
            "overprovision": False,
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {
                "osProfile": {
                    "computerNamePrefix": "cmg", "adminUsername": "cmgadmin", "adminPassword": "Only-here-1",
                    "secrets": [{"sourceVault": {"id": vault},
                                 "vaultCertificates": [{"certificateUrl": secret, "certificateStore": "My"}]}],
                },
                "storageProfile": {"imageReference": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer",
                                                      "sku": "2022-datacenter", "version": "latest"}},
                "networkProfile": {"networkInterfaceConfigurations": [{"name": "nic", "properties": interface}]},
                "extensionProfile": {"extensions": [{"name": "health", "properties": health}]},
            },
        },
    }  # fmt: skip


def test_a_gateway_is_built_and_becomes_healthy() -> None:
    azure = Azure()

    async def run() -> None:
        await _build(azure)
        async with azure.compute() as compute, azure.networks() as networks:
            scale_set = await compute.virtual_machine_scale_sets.get("rg-new", "gateway")
            assert scale_set.provisioning_state == "Creating"
            assert scale_set.unique_id
            azure.settle()
            scale_set = await compute.virtual_machine_scale_sets.get("rg-new", "gateway")
            assert scale_set.provisioning_state == "Succeeded"
            assert scale_set.virtual_machine_profile.os_profile.admin_password is None
            assert scale_set.virtual_machine_profile.extension_profile.extensions[0].protected_settings is None
            assert scale_set.identity.principal_id
            machines = await _all(
                compute.virtual_machine_scale_set_vms.list("rg-new", "gateway", expand="instanceView")
            )
            assert [machine.instance_id for machine in machines] == ["0", "1"]
            assert {machine.instance_view.vm_health.status.code for machine in machines} == {"HealthState/healthy"}
            assert machines[0].zones == ["1"]
            view = await compute.virtual_machine_scale_sets.get_instance_view("rg-new", "gateway")
            assert view.virtual_machine.statuses_summary[0].count == 2
            address = await networks.public_ip_addresses.get("rg-new", "ip")
            assert address.dns_settings.fqdn == "granitefalls.eastus.cloudapp.azure.com"
            assert address.ip_address.startswith("20.")
            assert address.ip_configuration.id.endswith("/loadBalancers/lb/frontendIPConfigurations/public")

    asyncio.run(run())
    assert all(
        b"Only-here-1" not in entry.request.body and b"hidden" not in entry.request.body for entry in azure.world.log
    )


def test_health_is_unknown_before_the_software_answers() -> None:
    azure = Azure({"durations": {"virtualMachineScaleSets.create": 100, "instance.health": 30}})

    async def run() -> list[str]:
        await _build(azure)
        azure.pass_time(96)
        async with azure.compute() as compute:
            listed = compute.virtual_machine_scale_set_vms.list("rg-new", "gateway", expand="instanceView")
            return [machine.instance_view.vm_health.status.code for machine in await _all(listed)]

    assert "HealthState/unknown" in asyncio.run(run())


def test_removal_in_the_wrong_order_is_refused_and_in_the_right_one_done() -> None:
    azure = Azure()

    async def run() -> None:
        await _build(azure)
        azure.settle()
        async with azure.compute() as compute, azure.networks() as networks, azure.resources() as resources:
            refused = {
                "LoadBalancerInUseByVirtualMachineScaleSet": networks.load_balancers.begin_delete(
                    "rg-new", "lb", polling=False
                ),
                "PublicIPAddressCannotBeDeleted": networks.public_ip_addresses.begin_delete(
                    "rg-new", "ip", polling=False
                ),
                "InUseSubnetCannotBeDeleted": networks.virtual_networks.begin_delete("rg-new", "vnet", polling=False),
                "InUseNetworkSecurityGroupCannotBeDeleted": networks.network_security_groups.begin_delete(
                    "rg-new", "nsg", polling=False
                ),
            }
            for code, call in refused.items():
                with pytest.raises(HttpResponseError) as refusal:
                    await call
                assert (refusal.value.status_code, refusal.value.error.code) == (400, code)
            await compute.virtual_machine_scale_sets.begin_delete("rg-new", "gateway", polling=False)
            azure.settle()
            await networks.load_balancers.begin_delete("rg-new", "lb", polling=False)
            await networks.virtual_networks.begin_delete("rg-new", "vnet", polling=False)
            azure.settle()
            await networks.public_ip_addresses.begin_delete("rg-new", "ip", polling=False)
            await networks.network_security_groups.begin_delete("rg-new", "nsg", polling=False)
            azure.settle()
            assert await _all(resources.resources.list_by_resource_group("rg-new")) == []

    asyncio.run(run())


def test_the_sdks_own_poller_follows_the_operation_to_its_end() -> None:
    azure = Azure(time_scale=0.0)

    async def run() -> str:
        await _build(azure)
        async with azure.compute() as compute:
            poller = await compute.virtual_machine_scale_sets.begin_update("rg-new", "gateway", {"tags": {"a": "b"}})
            updated = await poller.result()
            return updated.provisioning_state

    assert asyncio.run(run()) == "Succeeded"


def test_a_classic_service_goes_and_its_storage_account_stays() -> None:
    azure = Azure()

    async def run() -> None:
        async with azure.resources() as resources:
            service = await resources.resources.get_by_id(SERVICE, api_version="2016-11-01")
            assert service.properties["hostName"] == "granitefalls.cloudapp.net"
            await resources.resources.begin_delete_by_id(SERVICE, api_version="2016-11-01", polling=False)
            azure.settle()
            with pytest.raises(ResourceNotFoundError):
                await resources.resources.get_by_id(SERVICE, api_version="2016-11-01")
            left = await _all(resources.resources.list_by_resource_group("rg-old", expand="createdTime"))
            assert STORAGE in [item.id for item in left]
            assert all(item.created_time for item in left)

    asyncio.run(run())
    assert azure.world.instances == {}


def test_providers_register_in_their_time() -> None:
    azure = Azure({"subscriptions": [{"providers": {"Microsoft.Network": "NotRegistered"}}]})

    async def run() -> list[str]:
        async with azure.resources() as resources:
            states = [(await resources.providers.get("Microsoft.Network")).registration_state]
            states.append((await resources.providers.register("Microsoft.Network")).registration_state)
            azure.settle()
            states.append((await resources.providers.get("Microsoft.Network")).registration_state)
            return states

    assert asyncio.run(run()) == ["NotRegistered", "Registering", "Registered"]


def test_record_sets_keep_their_etags() -> None:
    azure = Azure()
    flipped = {"TTL": 60, "CNAMERecord": {"cname": "granitefalls.eastus.cloudapp.azure.com"}}

    async def run() -> None:
        async with azure.dns() as dns:
            record = await dns.record_sets.get("rg-old", "contoso.com", "granitefalls", "CNAME")
            assert record.cname_record.cname == "granitefalls.cloudapp.net"
            changed = await dns.record_sets.create_or_update(
                "rg-old", "contoso.com", "granitefalls", "CNAME", {"properties": flipped}, if_match=record.etag
            )
            assert changed.etag != record.etag
            with pytest.raises(HttpResponseError) as refusal:
                await dns.record_sets.create_or_update(
                    "rg-old", "contoso.com", "granitefalls", "CNAME", {"properties": flipped}, if_match=record.etag
                )
            assert refusal.value.status_code == 412
            kinds = [item.type for item in await _all(dns.record_sets.list_by_dns_zone("rg-old", "contoso.com"))]
            assert "Microsoft.Network/dnszones/CNAME" in kinds

    asyncio.run(run())


def test_a_certificate_is_shown_after_the_challenge() -> None:
    http_challenge_cache.clear()  # another test's vault may have the same name
    azure = Azure()

    async def run() -> None:
        async with azure.certificates() as vault:
            certificate = await vault.get_certificate("granitefalls")
            assert certificate.policy.exportable
            assert certificate.policy.key_size == 2048
            assert certificate.secret_id == next(iter(azure.world.certificates.values())).secret_id
            with pytest.raises(ResourceNotFoundError):
                await vault.get_certificate("nobody")

    asyncio.run(run())
    assert [entry.response.status for entry in azure.world.log if entry.response] == [401, 200, 404]


def test_a_cut_connection_is_the_sdks_own_error() -> None:
    azure = Azure()
    azure.simulator.add_fault({"match": {"method": "PUT"}, "action": {"disconnect": "after"}})

    async def run() -> None:
        async with azure.resources() as resources:
            with pytest.raises(ServiceResponseError):
                await resources.resource_groups.create_or_update("rg-new", {"location": "eastus"})
            assert await resources.resource_groups.check_existence("rg-new")

    asyncio.run(run())


def test_a_token_of_another_tenant_is_refused() -> None:
    other = "99999999-9999-4999-8999-999999999999"
    azure = Azure(
        {"identity": {"tenant": other}, "subscriptions": [{"tenant": "11111111-1111-4111-8111-111111111111"}]}
    )

    async def run() -> None:
        async with azure.resources() as resources:
            with pytest.raises(ClientAuthenticationError) as refusal:
                await resources.resource_groups.get("rg-old")
            assert refusal.value.error.code == "InvalidAuthenticationTokenTenant"

    asyncio.run(run())


def test_the_same_seed_and_story_give_the_same_world() -> None:
    def tell() -> list[str]:
        azure = Azure()
        asyncio.run(_build(azure))
        azure.settle()
        advance(azure.world, azure.now)
        return sorted(f"{key} {resource.body}" for key, resource in azure.world.resources.items())

    assert tell() == tell()


def test_other_hosts_are_refused_as_a_company_proxy_does() -> None:
    azure = Azure()
    assert azure.simulator.handle(Request("GET", "example.com", "/"), azure.now).status == 403

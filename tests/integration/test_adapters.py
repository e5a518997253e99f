"""The adapters build, watch and remove a whole gateway on the simulated Azure, in process."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cmg_core.azure.cloud import CLOUDS, CloudName
from cmg_core.azure.connections import Connections
from cmg_core.domain.certificates import fingerprint
from cmg_core.domain.errors import AzureRefused, ChangedMeanwhile, TryAgain
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.plans import Names, NewResources, PinnedCertificate
from cmg_core.domain.record import Claim
from cmg_core.domain.record_sets import RecordSet
from cmg_core.domain.tenants import Tenant
from cmg_core.domain.values import JsonObject, objects_at, text_at
from cmg_core.services import OperationState, ResourceManager, Started, Vaults
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.inprocess.transport import SimulatorCredential, SimulatorTransport

SAMPLE: dict[str, Any] = json.loads(Path("samples/s07-own-domain-from-classic.json").read_text())
REQUEST = SAMPLE["request"]
SUBSCRIPTION, TENANT = REQUEST["subscription_id"], Tenant(REQUEST["tenant_id"])
CLASSIC = REQUEST["old_gateway"]["resource_id"]
ZONE = REQUEST["dns"]["zone_id"]
VAULT_ID = SAMPLE["world"]["key_vaults"][0]["id"]
VAULT = REQUEST["certificate"]["vault"]
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-new"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
SCALE_SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/granitefalls"
DEPLOYMENT_NAME = "granitefalls.eastus.cloudapp.azure.com"
SOFTWARE: JsonObject = {
    "name": "cmg",
    "properties": {"publisher": "Microsoft.Compute", "type": "CustomScriptExtension", "typeHandlerVersion": "1.10"},
}


class Azure:
    """The simulator, its clock, and the adapters upon it."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 9, tzinfo=UTC)
        self.simulator = Simulator(build_world(SAMPLE["world"], time_scale=1, now=self._now))
        connections = Connections(
            CLOUDS[CloudName.PUBLIC],
            self,
            transport=lambda: SimulatorTransport(self.simulator, self.now),
            credential=lambda _: SimulatorCredential(self.simulator, self.now),
        )
        self.manager: ResourceManager = connections.resource_manager(TENANT, SUBSCRIPTION)
        self.vaults: Vaults = connections.vaults

    def now(self) -> datetime:
        return self._now

    def pass_time(self, time: timedelta) -> None:
        self._now += time

    def claim(self) -> Claim:
        return Claim("i", "m", self._now + timedelta(minutes=5))

    async def end(self, started: Started) -> None:
        """Watch an operation as the engine does, until it has succeeded."""
        if not started.operation:
            return
        self.pass_time(started.look_after)
        for _ in range(200):
            look = await self.manager.operation(started.operation)
            if look.state is not OperationState.RUNNING:
                assert (look.state, look.code, look.message) == (OperationState.SUCCEEDED, "", "")
                return
            self.pass_time(max(look.look_after, timedelta(seconds=5)))
        raise AssertionError(f"{started.operation} does not end")

    async def put(self, id: str, body: Any) -> None:
        await self.end(await self.manager.put(self.claim(), id, body))

    async def delete(self, id: str) -> None:
        await self.end(await self.manager.delete(self.claim(), id))


def play(scene: Callable[[Azure], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scene(Azure())

    asyncio.run(whole())


def blueprint() -> Blueprint:
    make = NewResources(
        resource_group=GROUP,
        network_security_group=f"{NETWORK}/networkSecurityGroups/granitefalls-nsg",
        virtual_network=f"{NETWORK}/virtualNetworks/granitefalls-vnet",
        public_address=f"{NETWORK}/publicIPAddresses/granitefalls-ip",
        load_balancer=f"{NETWORK}/loadBalancers/granitefalls-lb",
        scale_set=SCALE_SET,
    )
    names = Names(service_name="GraniteFalls.Contoso.Com", label="granitefalls", deployment_name=DEPLOYMENT_NAME)
    return Blueprint("d1", "eastus", "Standard_A2_v2", 2, names, make)


async def registered(azure: Azure) -> None:
    await azure.manager.register_provider(azure.claim(), "Microsoft.Compute")
    while (await azure.manager.providers())["Microsoft.Compute"] != "Registered":
        azure.pass_time(timedelta(seconds=20))


async def built(azure: Azure) -> Blueprint:
    """A gateway, made as the steps make it."""
    wanted, manager = blueprint(), azure.manager
    await registered(azure)
    await manager.put_group(azure.claim(), "rg-new", wanted.resource_group())
    first = await asyncio.gather(
        manager.put(azure.claim(), wanted.make.network_security_group, wanted.network_security_group()),
        manager.put(azure.claim(), wanted.make.public_address, wanted.public_address()),
    )
    for started in first:
        await azure.end(started)
    await azure.put(wanted.make.virtual_network, wanted.virtual_network())
    await azure.put(wanted.make.load_balancer, wanted.load_balancer())
    seen = await azure.vaults.certificate(TENANT, VAULT, "granitefalls")
    assert seen is not None
    certificate = PinnedCertificate(
        vault_id=VAULT_ID,
        version=seen.version,
        secret_id=seen.secret_id,
        thumbprint="0" * 40,
        fingerprint=fingerprint(seen.leaf),
        subject="CN=GraniteFalls.Contoso.Com",
        dns_names=("GraniteFalls.Contoso.Com",),
        not_after=azure.now() + timedelta(days=300),
    )
    await azure.put(SCALE_SET, wanted.scale_set(certificate, SOFTWARE, "Not-a-secret-1"))
    return wanted


def test_a_gateway_is_built_seen_and_removed() -> None:
    async def scene(azure: Azure) -> None:
        manager = azure.manager
        assert await manager.group("rg-new") is None
        assert await manager.get(SCALE_SET) is None
        assert await manager.label_is_free("eastus", "granitefalls")
        wanted = await built(azure)
        assert not await manager.label_is_free("eastus", "granitefalls")
        address = await manager.get(wanted.make.public_address)
        assert text_at(address, "properties", "dnsSettings", "fqdn") == DEPLOYMENT_NAME
        azure.pass_time(timedelta(minutes=30))
        instances = await manager.instances(SCALE_SET)
        assert [text_at(each, "properties", "provisioningState") for each in instances] == ["Succeeded"] * 2
        assert text_at(instances[0], "properties", "instanceView", "vmHealth", "status", "code").endswith("/healthy")
        assert len(await manager.resources_in_group("rg-new")) == 5
        for id in reversed(wanted.make.ids):
            if id != GROUP:
                await azure.delete(id)
                assert await manager.get(id) is None
        assert await manager.resources_in_group("rg-new") == []

    play(scene)


def test_the_old_gateway_and_what_belongs_to_it_is_found_and_removed() -> None:
    async def scene(azure: Azure) -> None:
        manager = azure.manager
        assert text_at(await manager.get(CLASSIC), "name") == "GraniteFalls"
        storage = await manager.find("Microsoft.Storage/storageAccounts", "granitefalls")
        assert text_at(storage, "type") == "Microsoft.Storage/storageAccounts"
        assert await manager.get(text_at(storage, "id")) is not None
        await azure.delete(CLASSIC)
        assert await manager.get(CLASSIC) is None
        assert await manager.delete(azure.claim(), CLASSIC) == Started({})
        assert await manager.get(text_at(storage, "id")) is not None

    play(scene)


def test_what_preflight_asks() -> None:
    async def scene(azure: Azure) -> None:
        manager = azure.manager
        assert text_at(await manager.subscription(), "tenantId") == TENANT.id
        assert (await manager.providers())["Microsoft.Compute"] == "NotRegistered"
        await registered(azure)
        sizes = {text_at(size, "name"): size for size in await manager.sizes("eastus")}
        assert objects_at(sizes["Standard_A2_v2"], "locationInfo")
        assert await manager.usages("eastus")
        assert await manager.locks() == []
        vault = await manager.find("Microsoft.KeyVault/vaults", "kv-cmg-contoso")
        assert vault is not None
        assert await manager.get(text_at(vault, "id")) is not None
        assert await manager.find("Microsoft.KeyVault/vaults", "nothing") is None
        seen = await azure.vaults.certificate(TENANT, VAULT, "granitefalls")
        assert seen is not None
        assert (seen.exportable, seen.key_type, seen.key_size, seen.enabled) == (True, "RSA", 2048, True)
        assert seen.secret_id.startswith(f"{VAULT}/secrets/granitefalls/")
        assert await azure.vaults.certificate(TENANT, VAULT, "nothing") is None

    play(scene)


def test_a_record_changes_only_as_it_was_seen() -> None:
    async def scene(azure: Azure) -> None:
        manager, id = azure.manager, f"{ZONE}/CNAME/GraniteFalls"
        body = await manager.get(id)
        assert body is not None
        record = RecordSet.of(body)
        assert record.points_at("granitefalls.cloudapp.net")
        changed = record.pointing_at(DEPLOYMENT_NAME)
        await manager.put(azure.claim(), record.id, changed.body(), etag=record.etag)
        with pytest.raises(ChangedMeanwhile):
            await manager.put(azure.claim(), record.id, changed.body(), etag=record.etag)
        with pytest.raises(ChangedMeanwhile):
            await manager.put(azure.claim(), id, RecordSet.alias(id, timedelta(minutes=5), "x.example").body())
        new = f"{ZONE}/CNAME/second"
        await manager.put(azure.claim(), new, RecordSet.alias(new, timedelta(minutes=5), "x.example").body())
        assert {text_at(each, "name").lower() for each in await manager.records(ZONE)} >= {"granitefalls", "second"}

    play(scene)


def test_what_azure_refuses_reaches_the_steps_in_azures_words() -> None:
    async def scene(azure: Azure) -> None:
        with pytest.raises(AzureRefused) as refused:
            await azure.manager.put(azure.claim(), SCALE_SET, {"location": "eastus", "properties": {}})
        assert refused.value.status in (404, 409)
        assert refused.value.code in ("ResourceGroupNotFound", "MissingSubscriptionRegistration")
        assert refused.value.target == SCALE_SET

    play(scene)


@pytest.mark.parametrize(
    "action",
    [
        {"disconnect": True},
        {"disconnect": "after"},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "30"}},
        {"status": 500, "body": "<html>"},
    ],
)
def test_faults_on_the_way_are_tried_again_by_nobody_but_the_engine(action: dict[str, Any]) -> None:
    async def scene(azure: Azure) -> None:
        azure.simulator.add_fault({"match": {"path": "."}, "times": 1, "action": action})
        with pytest.raises(TryAgain) as again:
            await azure.manager.subscription()
        assert again.value.after == timedelta(seconds=30 if "headers" in action else 0)
        assert text_at(await azure.manager.subscription(), "state") == "Enabled"
        assert len(azure.simulator.world.log) == 2

    play(scene)


def test_an_operation_that_fails_says_why() -> None:
    async def scene(azure: Azure) -> None:
        wanted = blueprint()
        await azure.manager.put_group(azure.claim(), "rg-new", wanted.resource_group())
        error = {"code": "AllocationFailed", "message": "Allocation failed. No capacity."}
        fault = {"match": {"method": "PUT"}, "times": 1, "action": {"operation": "fail", "error": error}}
        azure.simulator.add_fault(fault)
        started = await azure.manager.put(azure.claim(), wanted.make.public_address, wanted.public_address())
        azure.pass_time(timedelta(hours=1))
        look = await azure.manager.operation(started.operation)
        assert (look.state, look.code, look.message) == (OperationState.FAILED, error["code"], error["message"])

    play(scene)

"""The gateway's bodies go through the real management clients to the simulator, which refuses what Azure refuses."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from cmg_core.azure.cloud import CLOUDS, CloudName
from cmg_core.azure.connections import Connections
from cmg_core.domain.certificates import fingerprint
from cmg_core.domain.outcomes import Done, Wait
from cmg_core.domain.plans import NewResources, PinnedCertificate, Plan
from cmg_core.domain.record import Claim, State, StepProgress
from cmg_core.domain.tenants import Tenant
from cmg_core.domain.values import JsonObject, objects_at, text_at
from cmg_core.services import ResourceManager
from cmg_core.steps.context import Step, StepContext
from cmg_core.steps.provision_network import provision_network
from cmg_core.steps.provision_scale_set import provision_scale_set
from cmg_core.steps.register_providers import register_providers
from local.azure import gateways
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.inprocess.transport import SimulatorCredential, SimulatorTransport
from tests.fakes import (
    DEPLOYMENT,
    GROUP,
    SUBSCRIPTION,
    TENANT,
    VAULT_ID,
    FakeClock,
    FakeServices,
    claim_of,
    migration,
)
from tests.unit.steps.building import MAKE, NAMES

STEPS: dict[str, Step] = {
    "register-providers": register_providers,
    "provision-network": provision_network,
    "provision-scale-set": provision_scale_set,
}
SOFTWARE: JsonObject = {
    "publisher": "Contoso",
    "type": "Gateway",
    "typeHandlerVersion": "1.0",
    "autoUpgradeMinorVersion": True,
}
WORLD = {
    "tenants": [TENANT],
    "subscriptions": [{"id": SUBSCRIPTION, "tenant": TENANT, "providers": {"Microsoft.Compute": "NotRegistered"}}],
    "certificates": {"granitefalls": {"subject": f"CN={NAMES.service_name}", "dns_names": [NAMES.service_name]}},
    "key_vaults": [{"id": VAULT_ID, "certificates": [{"name": "granitefalls", "certificate": "granitefalls"}]}],
}


@dataclass
class SimulatedServices(FakeServices):
    """Fakes, but for Resource Manager."""

    manager: ResourceManager | None = field(default=None)

    def azure(self, tenant: Tenant, subscription_id: str) -> ResourceManager:  # type: ignore[override]  # the real one
        assert self.manager is not None
        return self.manager


async def carry(step: Step, services: SimulatedServices, state: State) -> Done:
    async def claim() -> Claim:
        return claim_of(services.clock)

    for _ in range(100):
        outcome = await step(StepContext(DEPLOYMENT, state, services, claim))  # type: ignore[arg-type]  # partial fakes
        if not isinstance(outcome, Wait):
            assert isinstance(outcome, Done), outcome.problem
            return outcome
        services.clock.pass_by(outcome.after)
        state = outcome.state
    raise AssertionError("still waits after a hundred runs")


async def build(instances: int, size: str, zones: tuple[str, ...]) -> tuple[Simulator, FakeClock, NewResources]:
    clock = FakeClock()
    simulator = Simulator(build_world(WORLD, time_scale=1, now=clock.now()))
    connections = Connections(
        CLOUDS[CloudName.PUBLIC],
        clock,
        transport=lambda: SimulatorTransport(simulator, clock.now),
        credential=lambda _: SimulatorCredential(simulator, clock.now),
    )
    services = SimulatedServices(clock=clock, manager=connections.resource_manager(Tenant(TENANT), SUBSCRIPTION))
    services.limits = replace(services.limits, gateway_software={"name": "gateway", "properties": {**SOFTWARE}})
    [certificate] = simulator.world.certificates.values()
    pinned = PinnedCertificate(
        vault_id=VAULT_ID,
        version=certificate.version,
        secret_id=certificate.secret_id,
        thumbprint="AB" * 20,
        fingerprint=fingerprint(certificate.leaf_der),
        subject=f"CN={NAMES.service_name}",
        dns_names=certificate.names,
        not_after=certificate.not_after,
    )
    make = MAKE.model_copy(update={"zones": zones})
    state = State(
        request=migration(instances=instances, size=size),
        plan=Plan(findings=(), names=NAMES, make=make),
        certificate=pinned,
    )
    for name, step in STEPS.items():
        state = replace(state, operations={}, progress=(StepProgress(name, "running", clock.now()),))
        state = (await carry(step, services, state)).state
    before = len(simulator.world.log)
    for step in STEPS.values():
        await carry(step, services, replace(state, operations={}))
    assert {entry.request.method for entry in simulator.world.log[before:]} == {"GET"}
    await connections.aclose()
    return simulator, clock, make


@pytest.mark.parametrize(
    ("instances", "size", "zones"),
    [
        (1, "Standard_B2s", ()),
        (2, "Standard_A2_v2", ("1", "2", "3")),
        (16, "Standard_A4_v2", ("1",)),
    ],
)
def test_what_is_built_can_be_dialed_and_a_second_run_only_looks(
    instances: int, size: str, zones: tuple[str, ...]
) -> None:
    simulator, clock, make = asyncio.run(build(instances, size, zones))
    clock.pass_by(timedelta(minutes=5))
    address = next(simulator.world.of_type("Microsoft.Network/publicIPAddresses")).properties["ipAddress"]
    gateway = gateways.reach(simulator.world, address, clock.now())
    assert gateway is not None
    assert gateway.resource_id.lower() == make.scale_set.lower()
    assert gateway.serves(NAMES.service_name)
    assert gateway.closed_channel_ports == ()
    scale_set = simulator.world.resource(make.scale_set)
    assert scale_set is not None
    assert len(simulator.world.instances[make.scale_set.lower()]) == instances
    assert "adminPassword" not in str(scale_set.body)
    assert GROUP in {group.name for group in simulator.world.groups.values()}
    assert text_at(scale_set.body, "sku", "name") == size
    assert len(objects_at(scale_set.properties, "virtualMachineProfile", "extensionProfile", "extensions")) == 2

"""Each sample's request is planned against its own world, through the real clients and the simulator."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from cmg_core.azure.cloud import CLOUDS
from cmg_core.azure.connections import Connections
from cmg_core.domain.other_subscriptions import other_subscriptions
from cmg_core.domain.plans import Plan
from cmg_core.domain.tenants import Identities, Tenant
from cmg_core.domain.validation import kind_of_request, read_request
from cmg_core.services import ResourceManager, Vaults
from cmg_core.steps.preflight import look
from local.azure.messages import is_change
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.demo.report import RESOURCE_MANAGERS
from local.inprocess.outside import SimulatedDialer, SimulatedDns
from local.inprocess.tape import Tape
from local.inprocess.transport import SimulatorCredential, SimulatorTransport
from local.sample import Sample, load
from tests.fakes import DEPLOYMENT, FakeClock, FakeServices

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.json"))
MOST_CALLS = 23
CALLS_IN_ANOTHER_SUBSCRIPTION = 4
"""The subscription itself, locks, role assignments, permissions."""


@dataclass
class SimulatedServices(FakeServices):
    """Azure and DNS simulated, the rest as fakes."""

    connections: Connections | None = field(default=None)

    def azure(self, tenant: Tenant, subscription_id: str) -> ResourceManager:  # type: ignore[override]  # not the fake
        assert self.connections is not None
        return self.connections.resource_manager(tenant, subscription_id)


async def planned(sample: Sample, through: type[SimulatorTransport] = SimulatorTransport) -> tuple[Plan, Simulator]:
    """The plan of a sample's request in its world, made through the app's own clients over such a transport."""
    clock = FakeClock()
    simulator = Simulator(build_world(sample.world, time_scale=0.01, now=clock.now()))
    identities = Identities(simulator.world.identity.tenant, simulator.world.identity.customer_app.client_id)
    connections = Connections(
        CLOUDS[sample.cloud],
        clock,
        transport=lambda: through(simulator, clock.now),
        identities=identities,
        credential=lambda sign_in: SimulatorCredential(simulator, clock.now, sign_in),
    )
    vaults: Vaults = connections.vaults
    services = SimulatedServices(
        clock=clock,
        connections=connections,
        vaults=vaults,  # type: ignore[arg-type]  # not the fake
        dns=SimulatedDns(simulator.world, clock, Tape()),  # type: ignore[arg-type]  # not the fake
        dialer=SimulatedDialer(simulator.world, clock, Tape()),  # type: ignore[arg-type]  # not the fake
    )
    services.limits = replace(
        services.limits, minimum_grace=timedelta(seconds=1), identities=identities, cloud=sample.cloud
    )
    try:
        request = read_request(sample.plain_request, kind_of_request(sample.request))
        return await look(request, services, DEPLOYMENT), simulator  # type: ignore[arg-type]  # the ledger fake is partial
    finally:
        await connections.aclose()


@pytest.mark.parametrize("file", SAMPLES, ids=[file.stem for file in SAMPLES])
def test_a_samples_plan_finds_what_is_expected_and_nothing_is_written(file: Path) -> None:
    sample = load(file)
    plan, simulator = asyncio.run(planned(sample))
    against = {finding.code for finding in plan.blocked_by}
    if sample.expect.outcome == "refused":
        assert against == set(sample.expect.findings)
        assert sample.expect.untouched
    else:
        assert against == set()
        assert set(sample.expect.findings) <= {finding.code for finding in plan.findings}
        assert plan.names is not None
        assert bool(plan.make) == (sample.request["provisioned_by"] == "automation")
        assert plan.certificate is not None
        assert bool(plan.delete) == sample.is_migration
    maker = sample.request["provisioned_by"]
    assert [each.code for each in plan.findings if each.applies_to and maker not in each.applies_to] == []
    calls = [entry.request for entry in simulator.world.log if entry.request.host in RESOURCE_MANAGERS]
    assert [call.path for call in calls if is_change(call.method, call.path)] == []
    request = read_request(sample.plain_request, kind_of_request(sample.request))
    assert len(calls) <= MOST_CALLS + CALLS_IN_ANOTHER_SUBSCRIPTION * len(other_subscriptions(request))

"""Each sample's request is planned against its own world, through the real clients and the simulator."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from cmg_core.azure.cloud import CLOUDS, CloudName
from cmg_core.azure.connections import Connections
from cmg_core.domain.plans import Plan
from cmg_core.domain.validation import kind_of_request, read_request
from cmg_core.domain.values import JsonObject
from cmg_core.services import ResourceManager, Vaults
from cmg_core.steps.preflight import look
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.inprocess.outside import SimulatedDns
from local.inprocess.tape import Tape
from local.inprocess.transport import SimulatorCredential, SimulatorTransport
from tests.fakes import DEPLOYMENT, FakeClock, FakeServices

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.json"))
MOST_CALLS = 23


@dataclass
class SimulatedServices(FakeServices):
    """Azure and DNS simulated, the rest as fakes."""

    connections: Connections | None = field(default=None)

    def azure(self, tenant_id: str, subscription_id: str) -> ResourceManager:  # type: ignore[override]  # not the fake
        assert self.connections is not None
        return self.connections.resource_manager(tenant_id, subscription_id)


async def planned(
    told: dict[str, JsonObject], through: type[SimulatorTransport] = SimulatorTransport
) -> tuple[Plan, Simulator]:
    """The plan of a sample's request in its world, made through the app's own clients over such a transport."""
    clock = FakeClock()
    simulator = Simulator(build_world(told["world"], time_scale=0.01, now=clock.now()))
    connections = Connections(
        CLOUDS[CloudName.PUBLIC],
        clock,
        transport=lambda: through(simulator, clock.now),
        credential=lambda _: SimulatorCredential(simulator, clock.now),
    )
    vaults: Vaults = connections.vaults
    services = SimulatedServices(
        clock=clock,
        connections=connections,
        vaults=vaults,  # type: ignore[arg-type]  # not the fake
        dns=SimulatedDns(simulator.world, clock, Tape()),  # type: ignore[arg-type]  # not the fake
    )
    services.limits = replace(services.limits, minimum_grace=timedelta(seconds=1))
    try:
        request = read_request(told["request"], kind_of_request(told["request"]))
        return await look(request, services, DEPLOYMENT), simulator  # type: ignore[arg-type]  # the ledger fake is partial
    finally:
        await connections.aclose()


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.stem for sample in SAMPLES])
def test_nothing_stands_against_a_samples_plan_and_nothing_is_written(sample: Path) -> None:
    told = json.loads(sample.read_text(encoding="utf-8"))
    plan, simulator = asyncio.run(planned(told))
    assert plan.blocked_by == ()
    assert plan.names is not None
    assert plan.make is not None
    assert plan.certificate is not None
    assert bool(plan.delete) == (kind_of_request(told["request"]) == "migration")
    calls = [entry.request for entry in simulator.world.log if entry.request.host == "management.azure.com"]
    assert {call.method for call in calls} == {"GET"}
    assert len(calls) <= MOST_CALLS

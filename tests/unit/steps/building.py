"""A subscription in which building takes a while, and a way to carry a step to its end as the engine does."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.gateway_resources import OWNER_TAG
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.plans import Names, NewResources, PinnedCertificate, Plan
from cmg_core.domain.record import Claim, State, StepProgress
from cmg_core.domain.values import JsonObject, ResourceId, tags_of
from cmg_core.services import OperationLook, OperationState, Started
from cmg_core.steps.context import Step
from tests.fakes import (
    DEPLOYMENT,
    NOW,
    VAULT,
    VAULT_ID,
    FakeAzure,
    FakeClock,
    FakeServices,
    context_of,
    migration,
    resource_id,
)

ADDRESS = "203.0.113.20"
NAMES = Names(
    service_name="granitefalls.contoso.com",
    label="granitefalls",
    deployment_name="granitefalls.eastus.cloudapp.azure.com",
)
MAKE = NewResources(
    resource_group="rg-cmg-eastus",
    network_security_group=resource_id("Microsoft.Network/networkSecurityGroups", "granitefalls-nsg"),
    virtual_network=resource_id("Microsoft.Network/virtualNetworks", "granitefalls-vnet"),
    public_address=resource_id("Microsoft.Network/publicIPAddresses", "granitefalls-ip"),
    load_balancer=resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb"),
    scale_set=resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls"),
)
NETWORK = MAKE.ids[:4]
STEPS = ("register-providers", "provision-network", "provision-scale-set", "verify-gateway")


class Crash(BaseException):
    """The host dies at a call."""


@dataclass
class BuildingAzure(FakeAzure):
    """PUTs start operations that end after a time of the clock.

    ``crash_at`` counts calls: the host dies at that one, before or, with ``after_effect``, after it took effect.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    durations: dict[str, timedelta] = field(default_factory=dict)
    """Resource ID to how long its operation takes; ten seconds without."""
    ends: dict[str, OperationLook] = field(default_factory=dict)
    """Resource ID to what its next operation comes to, where that is not success."""
    crash_at: int | None = None
    after_effect: bool = False
    forgets_operations: bool = False

    def __post_init__(self) -> None:
        self._ready_at: dict[str, timedelta] = {}
        self._begun = self.clock.now()
        self.count = 0

    def _called(self, name: str, target: str = "") -> None:
        self._advance()
        self.count += 1
        if self.count == self.crash_at and not self.after_effect:
            raise Crash
        super()._called(name, target)

    def _effected(self) -> None:
        if self.count == self.crash_at and self.after_effect:
            raise Crash

    def _advance(self) -> None:
        """End the operations whose time is up."""
        for id, ready_at in list(self._ready_at.items()):
            if self.clock.now() - self._begun >= ready_at:
                end = self.ends.get(id)
                self._settle(id, "Failed" if end else "Succeeded")
                del self._ready_at[id]

    def _settle(self, id: str, state: str) -> None:
        properties = self.resources[id.lower()]["properties"]
        assert isinstance(properties, dict)
        properties["provisioningState"] = state
        if id == MAKE.public_address and state == "Succeeded":
            settings = properties["dnsSettings"]
            assert isinstance(settings, dict)
            properties["ipAddress"] = ADDRESS
            settings["fqdn"] = f"{settings['domainNameLabel']}.eastus.cloudapp.azure.com"

    async def put_group(self, claim: Claim, name: str, body: JsonObject) -> None:
        await super().put_group(claim, name, body)
        self._effected()

    async def register_provider(self, claim: Claim, namespace: str) -> None:
        await super().register_provider(claim, namespace)
        self._effected()

    async def put(self, claim: Claim, id: str, body: JsonObject, etag: str = "") -> Started:
        claim.ensure_covers_a_call(self.clock.now())
        started = await super().put(claim, id, {**body, "properties": {**self._properties(body)}}, etag)
        properties = self.resources[id.lower()]["properties"]
        assert isinstance(properties, dict)
        properties |= {"provisioningState": "Updating", "timeCreated": self.clock.now().isoformat()}
        self._ready_at[id] = self.clock.now() - self._begun + self.durations.get(id, timedelta(seconds=10))
        self._effected()
        return started

    def _properties(self, body: JsonObject) -> JsonObject:
        properties = body["properties"]
        assert isinstance(properties, dict)
        return properties

    async def operation(self, address: str) -> OperationLook:
        await super().operation(address)
        id = address.removeprefix("https://management.azure.com/operations/")
        if self.forgets_operations:
            raise AzureRefused(status=404, code="NotFound", message="The operation is not known.", target=address)
        if any(id == running.lower() for running in self._ready_at):
            return OperationLook(OperationState.RUNNING)
        end = next((look for of, look in self.ends.items() if of.lower() == id), None)
        return end or OperationLook(OperationState.SUCCEEDED)

    def stands(self, id: str, body: JsonObject, provisioning: str = "Succeeded", owner: str = DEPLOYMENT) -> None:
        """Let a resource stand already, as somebody made it."""
        made: JsonObject = {"id": id, **body, "tags": {**tags_of(body), OWNER_TAG: owner} if owner else {}}
        self.add({**made, "properties": {**self._properties(body)}})
        self.groups[ResourceId.parse(id).resource_group.lower()] = {}
        self._settle(id, provisioning)


def services_of(azure: BuildingAzure | None = None) -> tuple[FakeServices, BuildingAzure]:
    """Fakes on one clock."""
    azure = azure or BuildingAzure()
    return FakeServices(clock=azure.clock, resource_manager=azure), azure


def a_state(**changes: object) -> State:
    """A deployment that preflight has planned and whose certificate is pinned."""
    return State(
        request=migration(**changes),
        plan=Plan(findings=(), names=NAMES, make=MAKE),
        certificate=PinnedCertificate(
            vault_id=VAULT_ID,
            version="v1",
            secret_id=f"{VAULT}/secrets/granitefalls/v1",
            thumbprint="AB" * 20,
            fingerprint="cd" * 32,
            subject="CN=granitefalls.contoso.com",
            dns_names=("granitefalls.contoso.com",),
            not_after=NOW + timedelta(days=365),
        ),
        progress=tuple(StepProgress(name, "running", NOW) for name in STEPS),
    )


def run(step: Step, services: FakeServices, state: State) -> Outcome:
    """One run."""

    async def once() -> Outcome:
        return await step(context_of(services, state))

    return asyncio.run(once())


def carry(step: Step, services: FakeServices, state: State, runs: int = 500) -> Done | Failed:
    """Run a step again after each of its waits, until it ends."""
    for _ in range(runs):
        outcome = run(step, services, state)
        if not isinstance(outcome, Wait):
            return outcome
        services.clock.pass_by(outcome.after)
        state = outcome.state
    raise AssertionError(f"still waits after {runs} runs")

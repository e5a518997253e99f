"""A world with twenty-five defects at once: one plan tells all of them and no other, soon, and nothing is written."""

import asyncio
import copy
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.transport import HttpRequest
from azure.core.rest import AsyncHttpResponse
from azure.core.rest import HttpRequest as RestRequest

from cmg_core.domain.plans import Plan
from cmg_core.domain.problems import Severity
from local.azure.simulator import Simulator
from local.inprocess.transport import SimulatorTransport
from local.sample import Sample
from tests.integration.test_samples_are_planned import planned

SAMPLE: dict[str, Any] = json.loads(Path("samples/s07-own-domain-from-scale-set.json").read_text(encoding="utf-8"))
SUBSCRIPTION = f"/subscriptions/{SAMPLE['request']['subscription_id']}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-cmg-eastus"
OLD_GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-granitefalls-2021"
OLD_SCALE_SET = SAMPLE["request"]["old_gateway"]["resource_id"]
VAULT = SAMPLE["world"]["key_vaults"][0]["id"]
ZONE = SAMPLE["request"]["dns"]["zone_id"]
NETWORK = f"{GROUP}/providers/Microsoft.Network"
ADDRESS = f"{NETWORK}/publicIPAddresses/granitefalls2-ip"
BALANCER = f"{NETWORK}/loadBalancers/granitefalls2-lb"
SCALE_SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/granitefalls2"
USAGES = f"{SUBSCRIPTION}/providers/Microsoft.Network/locations/eastus/usages"

DEFECTS = [
    ("subscription-not-enabled", SUBSCRIPTION),
    ("permissions-missing", SUBSCRIPTION),
    ("permissions-missing", GROUP),
    ("permissions-missing", OLD_GROUP),
    ("permissions-missing", ZONE),
    ("permissions-missing", VAULT),
    ("role-assignment-condition", "roleAssignments"),
    ("policy-denies", ADDRESS),
    ("policy-denies", SCALE_SET),
    ("locked-read-only", GROUP),
    ("locked-read-only", ZONE),
    ("locked", OLD_SCALE_SET),
    ("quota-too-small", "«cores»"),
    ("quota-too-small", "«standardAv2Family»"),
    ("address-quota-too-small", f"{USAGES}/PublicIPAddresses"),
    ("network-quota-too-small", f"{USAGES}/LoadBalancers"),
    ("size-without-generation-1", ""),
    ("group-in-other-region", GROUP),
    ("vault-in-other-region", VAULT),
    ("vault-not-enabled-for-deployment", VAULT),
    ("certificate-not-exportable", ""),
    ("certificate-about-to-expire", ""),
    ("certificate-not-for-servers", ""),
    ("parts-not-confirmed", ""),
    ("resource-name-taken", BALANCER),
]
"""Each defect's code, and what its finding's resource or text names."""

CALL_SECONDS = 0.1
LONGEST_SECONDS = 2
WRITES = ("PUT", "PATCH", "DELETE")
LOOKS = re.compile(r"/(checkPolicyRestrictions|checkNameAvailability)$", re.IGNORECASE)
"""The calls by POST that change nothing."""


class SlowTransport(SimulatorTransport):
    """Each call takes its time, as over a real network."""

    async def send(self, request: HttpRequest | RestRequest, *, stream: bool = False, **_: Any) -> AsyncHttpResponse:
        await asyncio.sleep(CALL_SECONDS)
        return await super().send(request, stream=stream)


def defective() -> dict[str, Any]:
    """The sample with every defect in it."""
    told = copy.deepcopy(SAMPLE)
    world = told["world"]
    world["subscriptions"][0] |= {"state": "Warned", "providers": {"Microsoft.Storage": "NotRegistered"}}
    for group in world["resource_groups"]:
        if group["id"] == GROUP:
            group["location"] = "westus2"
    world["role_assignments"] = [
        {"scope": SUBSCRIPTION, "role": "Reader"},
        {
            "scope": GROUP,
            "actions": ["Microsoft.Network/*", "Microsoft.Compute/*"],
            "not_actions": ["Microsoft.Network/publicIPAddresses/write"],
            "condition": "(@Resource[Microsoft.Network/loadBalancers:name] StringLike 'lb-*')",
        },
        {"scope": OLD_GROUP, "actions": ["Microsoft.Network/*"]},
    ]
    world["policies"] = [
        {
            "name": "no-public-addresses",
            "scope": SUBSCRIPTION,
            "rule": {"field": "type", "equals": "Microsoft.Network/publicIPAddresses"},
        },
        {
            "name": "sizes",
            "scope": GROUP,
            "rule": {
                "allOf": [
                    {"field": "type", "equals": "Microsoft.Compute/virtualMachineScaleSets"},
                    {"field": "Microsoft.Compute/virtualMachineScaleSets/sku.name", "notIn": ["Standard_D2s_v5"]},
                ]
            },
        },
        {"name": "tags", "scope": SUBSCRIPTION, "rule": {"field": "tags.owner", "exists": False}, "effect": "Audit"},
        {"name": "elsewhere", "scope": OLD_GROUP, "rule": {"field": "location", "equals": "eastus"}},
    ]
    world["locks"] = [
        {"scope": GROUP, "level": "ReadOnly", "name": "frozen"},
        {"scope": ZONE, "level": "ReadOnly", "name": "frozen"},
        {"scope": OLD_SCALE_SET, "level": "CanNotDelete", "name": "keep"},
    ]
    world["quotas"] = {"cores": 6, "standardAv2Family": 6, "PublicIPAddresses": 1, "LoadBalancers": 2}
    world["skus"] = {"Standard_A2_v2": {"generations": "V2"}}
    world["certificates"]["bad"] = world["certificates"]["granitefalls"] | {
        "valid_until": "P5D",
        "usages": ["clientAuth"],
    }
    world["key_vaults"] = [
        {
            "id": VAULT,
            "location": "westus2",
            "enabled_for_deployment": False,
            "certificates": [{"name": "granitefalls", "certificate": "bad", "exportable": False}],
        },
        {
            "id": f"{OLD_GROUP}/providers/Microsoft.KeyVault/vaults/granitefalls",
            "certificates": [{"name": "old", "certificate": "granitefalls"}],
        },
    ]
    world["scale_set_gateways"][0]["certificate"] = "granitefalls/old"
    world["resources"] += [
        {"id": BALANCER, "location": "eastus", "sku": {"name": "Basic"}},
        {"id": f"{OLD_GROUP}/providers/Microsoft.Network/networkSecurityGroups/somebody-elses", "location": "eastus"},
    ]
    return told


def writes(simulator: Simulator) -> list[str]:
    return [
        f"{entry.request.method} {entry.request.path}"
        for entry in simulator.world.log
        if entry.request.method in WRITES or (entry.request.method == "POST" and not LOOKS.search(entry.request.path))
    ]


@pytest.fixture(scope="module")
def seen() -> tuple[Plan, Simulator, float]:
    """The plan, the simulator, and the real seconds that it took to make it. A plan before pays for what only the
    first one in a process does: it imports Microsoft's clients."""
    asyncio.run(planned(Sample.model_validate(SAMPLE)))
    told = defective()
    began = time.monotonic()
    plan, simulator = asyncio.run(planned(Sample.model_validate(told), SlowTransport))
    return plan, simulator, time.monotonic() - began


def test_all_of_them_are_told_and_no_other(seen: tuple[Plan, Simulator, float]) -> None:
    plan, _, _ = seen
    found = [finding for finding in plan.findings if finding.severity is not Severity.TELLS]
    open_findings = list(found)
    for code, names in DEFECTS:
        fitting = [f for f in open_findings if f.code == code and names in f"{f.resource} {f.seen}"]
        exact = [f for f in fitting if f.resource == names] or fitting
        assert exact, f"{code} of {names} is not among {[(f.code, f.resource) for f in open_findings]}"
        open_findings.remove(exact[0])
    assert [(f.code, f.resource, f.seen) for f in open_findings] == []
    assert len(DEFECTS) == len(set(DEFECTS)) == 25
    assert all(finding.cure and finding.link == f"/api/findings/{finding.code}" for finding in plan.findings)


def test_the_plan_is_there_soon_and_says_how_long_each_look_took(seen: tuple[Plan, Simulator, float]) -> None:
    plan, simulator, seconds = seen
    assert seconds < LONGEST_SECONDS
    assert len(simulator.world.log) * CALL_SECONDS > LONGEST_SECONDS, "one after the other they would take too long"
    assert len(plan.looks) > 20
    assert all(look.answered for look in plan.looks)
    named = {look.name: look.seconds for look in plan.looks}
    assert CALL_SECONDS <= named["the subscription"] < LONGEST_SECONDS


def test_nothing_was_written(seen: tuple[Plan, Simulator, float]) -> None:
    _, simulator, _ = seen
    assert writes(simulator) == []
    assert any(LOOKS.search(entry.request.path) for entry in simulator.world.log)

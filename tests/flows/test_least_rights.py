"""The rights that preflight asks for are enough for a whole story, and without any of them nothing begins."""

import json
from pathlib import Path

import pytest

from cmg_core.domain.other_subscriptions import other_subscriptions
from cmg_core.domain.permissions import needs_of
from cmg_core.domain.record import Status
from cmg_core.domain.validation import kind_of_request, read_request
from cmg_core.domain.values import JsonObject, objects_at, text_at
from cmg_core.steps.register_providers import PROVIDERS
from local.inprocess.harness import RunReport, run
from local.sample import Sample, load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
STORIES = {
    "s07-own-domain-from-classic": Status.SUCCEEDED,
    "s07-own-domain-from-scale-set": Status.SUCCEEDED,
    "s07-zone-in-another-subscription": Status.SUCCEEDED,
    "s07-old-gateway-in-another-subscription": Status.SUCCEEDED,
    "rollback-in-grace": Status.ROLLED_BACK,
}
WITHOUT = (
    "Microsoft.Compute/register/action",
    "Microsoft.Network/loadBalancers/write",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.KeyVault/vaults/deploy/action",
    "Microsoft.Network/dnsZones/CNAME/write",
    "Microsoft.ClassicCompute/domainNames/delete",
)


def with_least_rights(name: str, without: str = "") -> Sample:
    """The sample with a role of exactly what preflight asks for at each scope, and Reader."""
    sample = load(SAMPLES / f"{name}.json")
    world: JsonObject = json.loads(json.dumps(sample.world))
    request = read_request(sample.plain_request, kind_of_request(sample.request))
    vault = text_at(objects_at(world, "key_vaults")[0], "id")
    group = f"/subscriptions/{request.subscription_id}/resourceGroups/{request.resource_group}".lower()
    exists = any(text_at(each, "id").lower() == group for each in objects_at(world, "resource_groups"))
    needs = needs_of(request, group_exists=exists, unregistered=PROVIDERS, vault_id=vault)
    roles: list[JsonObject] = [{"scope": f"/subscriptions/{request.subscription_id}", "role": "Reader"}]
    roles += [{"scope": other.scope, "role": "Reader"} for other in other_subscriptions(request)]
    roles += [
        {"scope": need.scope, "actions": [action for action, _ in need.actions if action != without]} for need in needs
    ]
    return sample.model_copy(update={"world": world | {"role_assignments": [*roles]}})


def refused(report: RunReport) -> list[str]:
    """What Azure refused for want of a right."""
    return [
        f"{entry.request.method} {entry.request.path}"
        for entry in report.requests
        if entry.response is not None and entry.response.status == 403
    ]


@pytest.mark.parametrize("name", STORIES)
def test_what_preflight_asks_for_is_enough(name: str) -> None:
    report = run(with_least_rights(name))
    assert report.outcome is STORIES[name]
    assert refused(report) == []


@pytest.mark.parametrize("without", WITHOUT)
def test_without_one_of_them_nothing_begins(without: str) -> None:
    report = run(with_least_rights("s07-own-domain-from-classic", without))
    assert report.outcome is Status.REFUSED
    problem = report.record.state.problem
    assert problem is not None
    missing = [finding for finding in problem.findings if finding.code == "permissions-missing"]
    assert len(missing) == 1
    assert without in missing[0].seen
    assert report.created == report.deleted == frozenset()

"""The role definitions in infra/roles hold exactly what the flows ask for: told by the request log of every sample.

Each sample is told with nothing but these roles, each at its scope: whatever Azure refused for want of a right shows.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.old_gateway import group_of
from cmg_core.domain.permissions import IN_THE_GROUP, ON_THE_VAULT, ON_THE_ZONE
from cmg_core.domain.requests import ReplacementRequest
from cmg_core.domain.validation import kind_of_request, read_request
from cmg_core.domain.values import JsonObject, objects_at, text_at
from cmg_core.steps.register_providers import PROVIDERS
from local.azure.arm.authorization import action_of
from local.azure.world import LoggedRequest
from local.inprocess.harness import RunReport, run
from local.sample import Sample, load

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "samples").glob("*.json"))
ROLES = {file.stem.removeprefix("cmg-migrator-"): file for file in sorted((ROOT / "infra" / "roles").glob("*.json"))}
ARM = ("management.azure.com", "management.usgovcloudapi.net")

NOT_IN_THE_LOG = {
    "Microsoft.Network/networkSecurityGroups/join/action": "checked where one resource names another; never a request",
    "Microsoft.Network/virtualNetworks/subnets/join/action": "the same",
    "Microsoft.Network/publicIPAddresses/join/action": "the same",
    "Microsoft.Network/loadBalancers/backendAddressPools/join/action": "the same",
    "Microsoft.KeyVault/vaults/deploy/action": "checked where the scale set names the vault",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read": "part of the list with $expand",
    "Microsoft.Network/register/action": "registered already in every sample",
    "Microsoft.KeyVault/register/action": "the same",
    "Microsoft.Resources/subscriptions/resourceGroups/write": "only where the group is not there yet",
    "Microsoft.PolicyInsights/checkPolicyRestrictions/read": "only where policies are assigned",
    "Microsoft.Network/dnsZones/CNAME/delete": "only to take back the record of a new name",
}
"""What a role grants though no sample's log shows it, each with its reason."""


@cache
def role(name: str) -> JsonObject:
    document: JsonObject = json.loads(ROLES[name].read_text(encoding="utf-8"))
    return document


def actions(name: str, key: str = "Actions") -> list[str]:
    found = role(name)[key]
    assert isinstance(found, list)
    return [str(action) for action in found]


def with_these_roles(sample: Sample) -> Sample:
    """The sample in a world where the app holds these roles, each at the scope that it is meant for."""
    world: JsonObject = json.loads(json.dumps(sample.world))
    request = read_request(sample.plain_request, kind_of_request(sample.request))
    subscription = f"/subscriptions/{request.subscription_id}"
    group = f"{subscription}/resourceGroups/{request.resource_group}"
    exists = any(text_at(each, "id").lower() == group.lower() for each in objects_at(world, "resource_groups"))
    scopes = [("new-gateway", group if exists else subscription)]
    scopes += [("vault", text_at(vault, "id")) for vault in objects_at(world, "key_vaults")]
    if request.dns is not None:
        scopes.append(("zone", request.dns.zone_id))
    if isinstance(request, ReplacementRequest):
        scopes += [(name, group_of(request.old_gateway.resource_id)) for name in ("old-gateway", "classic-gateway")]
    subscriptions = {subscription, *("/".join(scope.split("/")[:3]) for _, scope in scopes)}
    scopes += [(name, each) for name in ("subscription", "classic-subscription") for each in sorted(subscriptions)]
    held: list[JsonObject] = [{"scope": scope, "actions": [*actions(name)]} for name, scope in scopes]
    return sample.model_copy(update={"world": world | {"role_assignments": [*held]}})


@cache
def told(file: Path) -> RunReport:
    """What came of a sample with these roles only. Where the site makes a gateway meanwhile the world's rights stay as
    they are: the simulator's site works under the app's roles, a real one has its own."""
    sample = load(file)
    by_site = any("add_scale_set_gateway" in (then.world or {}) for then in sample.then)
    return run(sample if by_site else with_these_roles(sample))


def asked(entry: LoggedRequest) -> str:
    """The action of a request ("Azure resource provider operations": ``Microsoft.X/type/{read,write,delete,…}``); a
    poll reads an operation of a location."""
    request = entry.request
    if request.host not in ARM:
        return "Microsoft.KeyVault/vaults/certificates/read" if ".vault." in request.host else ""
    if wanted := action_of(request.method, request.path):
        return wanted[0]
    namespace, kind = re.findall(r"/providers/([^/]+)/locations/[^/]+/(\w+)/", request.path, re.IGNORECASE)[-1]
    return f"{namespace}/locations/{kind}/read"


def of_the_log() -> Iterator[tuple[str, LoggedRequest]]:
    for file in SAMPLES:
        for entry in told(file).requests:
            if (action := asked(entry)) != "":
                yield action, entry


def granted(*names: str) -> set[str]:
    return {action for name in names or ROLES for key in ("Actions", "DataActions") for action in actions(name, key)}


def lower(found: set[str]) -> set[str]:
    return {action.lower() for action in found}


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_a_sample_ends_as_expected_with_these_roles_alone(file: Path) -> None:
    report, expected = told(file), load(file).expect
    refused = [
        f"{entry.request.method} {entry.request.path}"
        for entry in report.requests
        if entry.response is not None and entry.response.status == 403
    ]
    assert refused == []
    assert expected is None or report.outcome == expected.outcome


def test_nothing_is_asked_that_no_role_grants() -> None:
    assert {action for action, _ in of_the_log() if action.lower() not in lower(granted())} == set()


def test_nothing_is_granted_that_nothing_asks_for_but_what_is_explained() -> None:
    seen = {action.lower() for action, _ in of_the_log()}
    assert {action for action in granted() if action.lower() not in seen} == set(NOT_IN_THE_LOG)


def test_no_right_to_read_a_secret_or_a_key_nor_to_hand_out_rights() -> None:
    for action in granted():
        assert "*" not in action
        assert not re.search(
            r"/(secrets|keys|storageAccounts/listKeys)/|Microsoft\.Authorization/.*/(write|delete)", action
        )
    assert actions("vault", "DataActions") == ["Microsoft.KeyVault/vaults/certificates/read"]
    assert all(actions(name, "DataActions") == [] for name in ROLES if name != "vault")


def test_what_preflight_asks_for_is_in_the_roles() -> None:
    assert {action for action, _ in IN_THE_GROUP} <= granted("new-gateway")
    assert {action for action, _ in ON_THE_ZONE} <= granted("zone")
    assert {action for action, _ in ON_THE_VAULT} <= granted("vault")
    assert {f"{namespace}/register/action" for namespace in PROVIDERS} <= granted("subscription")


def test_with_the_role_that_looks_a_plan_names_what_it_would_remove_and_each_right_that_is_missing() -> None:
    sample = load(ROOT / "samples" / "s07-own-domain-from-scale-set.json")
    request = read_request(sample.plain_request, kind_of_request(sample.request))
    held: JsonObject = {"scope": f"/subscriptions/{request.subscription_id}", "actions": [*actions("subscription")]}
    report = run(sample.model_copy(update={"world": sample.world | {"role_assignments": [held]}}))
    plan = report.record.state.plan
    assert plan is not None and report.created == report.deleted == frozenset()
    assert {finding.code for finding in plan.blocked_by} == {"permissions-missing"}
    assert len(plan.blocked_by) == 4 and [part.id.rpartition("/")[2] for part in plan.delete] != []


@pytest.mark.parametrize("name", ROLES)
def test_a_definition_is_one_that_azure_takes(name: str) -> None:
    """Keys and rules of "Azure custom roles": a name of its own, no data actions above a subscription, scopes."""
    document = role(name)
    assert set(document) == {
        *("Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions", "NotDataActions"),
        "AssignableScopes",
    }
    assert document["IsCustom"] is True and len(text_at(document, "Name")) <= 512
    assert len(text_at(document, "Description")) <= 2048
    assert document["AssignableScopes"] == ["/subscriptions/00000000-0000-0000-0000-000000000000"]
    assert len(set(actions(name))) == len(actions(name))
    assert all(re.fullmatch(r"Microsoft\.\w+(/\w+)+/(read|write|delete|action)", action) for action in granted(name))

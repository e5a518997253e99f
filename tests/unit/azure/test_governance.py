"""What the simulated Azure lets the app do: roles, linked resources, policies, names, quotas, registrations."""

from typing import Any

import pytest

from local.azure.arm.authorization import action_of
from local.azure.arm.policies import applies
from local.azure.messages import is_change
from tests.unit.azure.worlds import GROUP, NETWORK, SUBSCRIPTION, VAULT, ZONE, Azure

ROOT = f"/subscriptions/{SUBSCRIPTION}"
ADDRESS = f"{NETWORK}/publicIPAddresses/new-ip"
BODY = {
    "location": "eastus",
    "sku": {"name": "Standard"},
    "properties": {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "newgate"}},
}
READER = {"scope": ROOT, "role": "Reader"}
KEY_VAULT = "2023-07-01"


def code(answer: Any) -> str:
    found: str = answer.json()["error"]["code"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", ROOT, "Microsoft.Resources/subscriptions/read", ROOT),
        ("PUT", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", GROUP),
        ("GET", f"{GROUP}/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read", GROUP),
        ("POST", f"{ROOT}/providers/Microsoft.Compute/register", "Microsoft.Compute/register/action", ROOT),
        ("PUT", ADDRESS, "Microsoft.Network/publicIPAddresses/write", ADDRESS),
        ("DELETE", f"{ZONE}/CNAME/x", "Microsoft.Network/dnsZones/CNAME/delete", f"{ZONE}/CNAME/x"),
        ("GET", f"{ZONE}/recordsets", "Microsoft.Network/dnsZones/recordsets/read", ZONE),
        (
            "GET",
            f"{ROOT}/providers/Microsoft.Network/locations/eastus/CheckDnsNameAvailability",
            "Microsoft.Network/locations/CheckDnsNameAvailability/read",
            ROOT,
        ),
        (
            "POST",
            f"{GROUP}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions",
            "Microsoft.PolicyInsights/checkPolicyRestrictions/read",
            GROUP,
        ),
        (
            "GET",
            f"{ZONE}/providers/Microsoft.Authorization/permissions",
            "Microsoft.Authorization/permissions/read",
            ZONE,
        ),
    ],
)
def test_each_call_needs_its_action(method: str, path: str, action: str, scope: str) -> None:
    assert action_of(method, path) == (action, scope)


def test_polls_are_not_checked() -> None:
    assert action_of("GET", f"{ROOT}/providers/Microsoft.Network/locations/eastus/operations/1") is None


def test_an_owner_may_do_everything_and_a_reader_only_look() -> None:
    assert Azure().call("PUT", ADDRESS, "2024-05-01", BODY).status == 201
    azure = Azure({"role_assignments": [READER]})
    refused = azure.call("PUT", ADDRESS, "2024-05-01", BODY)
    assert (refused.status, code(refused)) == (403, "AuthorizationFailed")
    assert f"action 'Microsoft.Network/publicIPAddresses/write' over scope '{ADDRESS}'" in refused.body.decode()
    assert azure.call("GET", ZONE, "2018-05-01").status == 200
    assert (
        code(azure.call("POST", f"{ROOT}/providers/Microsoft.Compute/register", "2022-09-01")) == "AuthorizationFailed"
    )


def test_permissions_are_listed_with_what_is_inherited_and_without_conditions() -> None:
    here = {"scope": GROUP, "actions": ["Microsoft.Network/*"], "not_actions": ["*/delete"], "condition": "(1 = 1)"}
    azure = Azure({"role_assignments": [READER, here]})
    listed = azure.call("GET", f"{GROUP}/providers/Microsoft.Authorization/permissions", "2022-04-01").json()["value"]
    assert [(row["actions"], row["notActions"]) for row in listed] == [
        (["*/read"], []),
        (["Microsoft.Network/*"], ["*/delete"]),
    ]
    above = azure.call("GET", f"{ROOT}/providers/Microsoft.Authorization/permissions", "2022-04-01").json()["value"]
    assert len(above) == 1
    assert azure.call("PUT", ADDRESS, "2024-05-01", BODY).status == 201
    assert azure.call("DELETE", ADDRESS, "2024-05-01").status == 403


def test_assignments_show_their_conditions_and_only_ones_own() -> None:
    here = {"scope": GROUP, "role": "Contributor", "condition": "(1 = 2)", "condition_met": False}
    azure = Azure({"role_assignments": [READER, here]})
    path = f"{ROOT}/providers/Microsoft.Authorization/roleAssignments"

    def conditions(asked: str) -> list[Any]:
        rows = azure.call("GET", path, "2022-04-01", query={"$filter": asked}).json()["value"]
        return [row["properties"]["condition"] for row in rows]

    me = azure.world.identity.object_id
    assert conditions(f"assignedTo('{me}')") == conditions(f"principalId eq '{me}'") == [None, "(1 = 2)"]
    assert conditions(f"atScope() and assignedTo('{me}')") == [None]
    assert conditions("assignedTo('99999999-9999-4999-8999-999999999999')") == []
    assert azure.call("GET", path, "2022-04-01", query={"$filter": "x eq 1"}).status == 400
    assert azure.call("PUT", ADDRESS, "2024-05-01", BODY).status == 403, "the condition is not met"


def test_a_resource_that_may_not_be_joined_is_not_connected() -> None:
    group = f"{NETWORK}/networkSecurityGroups/new-nsg"
    roles = [READER, {"scope": ROOT, "actions": ["Microsoft.Network/*"], "not_actions": ["*/join/action"]}]
    azure = Azure({"role_assignments": roles})
    assert azure.call("PUT", group, "2024-05-01", {"location": "eastus", "properties": {}}).status == 201
    subnet = {"name": "s", "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group}}}
    network = {
        "location": "eastus",
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]},
    }
    refused = azure.call("PUT", f"{NETWORK}/virtualNetworks/v", "2024-05-01", network)
    assert (refused.status, code(refused)) == (403, "LinkedAuthorizationFailed")
    assert "Microsoft.Network/networkSecurityGroups/join/action" in refused.body.decode()


POLICY = {
    "name": "standard-only",
    "scope": ROOT,
    "display_name": "Only zonal addresses",
    "rule": {
        "allOf": [
            {"field": "type", "equals": "Microsoft.Network/publicIPAddresses"},
            {"field": "Microsoft.Network/publicIPAddresses/sku.name", "equals": "Standard"},
        ]
    },
}


def checked(azure: Azure, scope: str, content: dict[str, Any]) -> Any:
    asked = {"resourceDetails": {"resourceContent": content, "apiVersion": "2024-05-01"}}
    return azure.call(
        "POST", f"{scope}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions", "2023-03-01", asked
    )


def test_what_a_policy_denies_is_told_by_the_check_and_refused_when_it_is_made() -> None:
    azure = Azure({"policies": [POLICY]})
    content = {"type": "Microsoft.Network/publicIPAddresses", "name": "new-ip", **BODY}
    (told,) = checked(azure, GROUP, content).json()["contentEvaluationResult"]["policyEvaluations"]
    assert told["evaluationResult"] == "NonCompliant"
    assert told["policyInfo"]["policyAssignmentId"].endswith("/policyAssignments/standard-only")
    refused = azure.call("PUT", ADDRESS, "2024-05-01", BODY)
    assert (refused.status, code(refused)) == (403, "RequestDisallowedByPolicy")
    assert "Only zonal addresses" in refused.body.decode()
    assert azure.world.resource(ADDRESS) is None
    other = {**content, "sku": {"name": "Basic"}}
    assert checked(azure, ROOT, other).json()["contentEvaluationResult"]["policyEvaluations"] == []


def test_the_check_needs_its_provider_and_audits_refuse_nothing() -> None:
    azure = Azure({"policies": [{**POLICY, "effect": "Audit"}]})
    content = {"type": "Microsoft.Network/publicIPAddresses", **BODY}
    assert checked(azure, GROUP, content).json()["contentEvaluationResult"]["policyEvaluations"] == []
    assert azure.call("PUT", ADDRESS, "2024-05-01", BODY).status == 201
    azure = Azure({"subscriptions": [{"providers": {"Microsoft.PolicyInsights": "NotRegistered"}}]})
    assert code(checked(azure, GROUP, content)) == "MissingSubscriptionRegistration"


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({"field": "location", "in": ["EastUS", "westus"]}, True),
        ({"field": "location", "notIn": ["westus"]}, True),
        ({"field": "tags.Owner", "exists": "false"}, False),
        ({"field": "tags['cost']", "exists": False}, True),
        ({"not": {"field": "name", "equals": "A"}}, False),
        ({"anyOf": [{"field": "name", "notEquals": "a"}, {"field": "tags.owner", "equals": "me"}]}, True),
        ({"field": "Microsoft.X/y/deep.value", "equals": 3}, True),
        ({"field": "Microsoft.X/z/deep.value", "exists": True}, False),
    ],
)
def test_rules(rule: dict[str, Any], holds: bool) -> None:
    content = {
        "type": "Microsoft.X/y",
        "name": "a",
        "location": "eastus",
        "tags": {"owner": "me"},
        "properties": {"deep": {"value": 3}},
    }
    assert applies(rule, content) is holds


def test_a_deleted_vault_keeps_its_name_and_others_names_are_taken() -> None:
    azure = Azure({"taken_names": {"vaults": ["theirs"], "storage_accounts": ["theirs"], "labels": ["theirs.eastus"]}})

    def vault_is_free(name: str) -> bool:
        path = f"{ROOT}/providers/Microsoft.KeyVault/checkNameAvailability"
        free: bool = azure.call("POST", path, KEY_VAULT, {"name": name, "type": "Microsoft.KeyVault/vaults"}).json()[
            "nameAvailable"
        ]
        return free

    assert (vault_is_free("ours"), vault_is_free("theirs"), vault_is_free("kv-cmg"), vault_is_free("x")) == (
        True,
        False,
        False,
        False,
    )
    deleted = f"{ROOT}/providers/Microsoft.KeyVault/deletedVaults"
    assert azure.call("GET", deleted, KEY_VAULT).json()["value"] == []
    assert azure.call("DELETE", VAULT, KEY_VAULT).status == 200
    (kept,) = azure.call("GET", deleted, KEY_VAULT).json()["value"]
    assert (kept["name"], kept["properties"]["vaultId"]) == ("kv-cmg", VAULT)
    assert not vault_is_free("kv-cmg")
    refused = azure.call("PUT", VAULT, KEY_VAULT, {"location": "eastus", "properties": {}})
    assert (refused.status, code(refused)) == (409, "ConflictError")
    theirs = f"{GROUP}/providers/Microsoft.KeyVault/vaults/theirs"
    assert code(azure.call("PUT", theirs, KEY_VAULT, {"location": "eastus"})) == "VaultAlreadyExists"
    asked = {"name": "theirs", "type": "Microsoft.Storage/storageAccounts"}
    stores = f"{ROOT}/providers/Microsoft.Storage/checkNameAvailability"
    assert azure.call("POST", stores, "2023-05-01", asked).json()["reason"] == "AlreadyExists"
    labels = f"{ROOT}/providers/Microsoft.Network/locations/eastus/CheckDnsNameAvailability"
    free = azure.call("GET", labels, "2024-05-01", query={"domainNameLabel": "theirs"}).json()
    assert free == {"available": False}


def test_one_address_too_many_is_refused_and_counted_before() -> None:
    azure = Azure({"quotas": {"PublicIPAddresses": 1}})
    assert azure.call("PUT", ADDRESS, "2024-05-01", BODY).status == 201
    usages = azure.call("GET", f"{ROOT}/providers/Microsoft.Network/locations/eastus/usages", "2024-05-01").json()
    counted = {row["name"]["value"]: (row["currentValue"], row["limit"]) for row in usages["value"]}
    assert counted["PublicIPAddresses"] == (1, 1)
    assert counted["LoadBalancers"] == (0, 1000)
    second = {**BODY, "properties": {"publicIPAllocationMethod": "Static"}}
    refused = azure.call("PUT", f"{ADDRESS}2", "2024-05-01", second)
    assert (refused.status, code(refused)) == (400, "PublicIPCountLimitReached")


def test_a_registration_under_way_comes_to_its_end() -> None:
    states = {"Microsoft.Compute": "Registering", "Microsoft.Storage": "Unregistering"}
    azure = Azure({"subscriptions": [{"providers": states}]})

    def state(namespace: str) -> str:
        found: str = azure.call("GET", f"{ROOT}/providers/{namespace}", "2022-09-01").json()["registrationState"]
        return found

    assert (state("Microsoft.Compute"), state("Microsoft.Storage")) == ("Registering", "Unregistering")
    azure.pass_time(120)
    assert (state("Microsoft.Compute"), state("Microsoft.Storage")) == ("Registered", "Unregistered")


def test_looks_by_post_change_nothing() -> None:
    assert not is_change("POST", "/x/checkNameAvailability")
    assert is_change("POST", "/subscriptions/s/providers/Microsoft.Compute/register")
    assert is_change("PUT", "/x/checkNameAvailability")

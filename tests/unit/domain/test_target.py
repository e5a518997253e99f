"""Where the gateway will stand: providers in every state, and vaults that are deleted or closed."""

import pytest

from cmg_core.domain.other_subscriptions import OLD_GATEWAY, ZONE, OtherSubscription
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.target import (
    group_id,
    is_region,
    judge_existing,
    judge_group,
    judge_other_subscription,
    judge_providers,
    judge_subscription,
    judge_vault,
    judge_vault_access,
    new_resources,
    unregistered,
)
from cmg_core.domain.tenants import Identities
from cmg_core.domain.values import JsonObject
from tests.fakes import DEPLOYMENT, SUBSCRIPTION, TENANT, VAULT, VAULT_ID, migration, resource_id

NEEDED = ("Microsoft.Compute", "Microsoft.Network")


@pytest.mark.parametrize(
    ("state", "code", "to_register"),
    [
        ("Registered", None, False),
        ("NotRegistered", "providers-to-register", True),
        ("Unregistered", "providers-to-register", True),
        ("Registering", "providers-registering", False),
        ("Unregistering", "providers-being-unregistered", True),
    ],
)
def test_each_state_of_a_provider_is_told(state: str, code: str | None, to_register: bool) -> None:
    states = {"microsoft.compute": state, "Microsoft.Network": "Registered"}
    found = judge_providers(states, NEEDED)
    assert [finding.code for finding in found] == ([code] if code else [])
    weight = Severity.WARNS if state == "Unregistering" else Severity.TELLS
    assert all(finding.severity is weight and "Microsoft.Compute" in finding.seen for finding in found)
    assert unregistered(states, NEEDED) == (("Microsoft.Compute",) if to_register else ())


def test_a_provider_that_azure_does_not_list_is_to_be_registered() -> None:
    assert unregistered({}, NEEDED) == NEEDED
    assert [finding.code for finding in judge_providers({}, NEEDED)] == ["providers-to-register"]


def test_a_vault_that_was_deleted_can_be_recovered() -> None:
    deleted: JsonObject = {
        "id": "/d",
        "name": "kv-cmg",
        "properties": {"location": "westus", "deletionDate": "2026-11-01"},
    }
    (found,) = judge_vault(None, migration(), deleted)
    assert (found.code, found.severity, found.resource, found.pointer) == (
        "vault-soft-deleted",
        Severity.BLOCKS,
        "/d",
        "/certificate/vault",
    )
    assert "2026-11-01" in found.seen and VAULT in found.seen
    assert "az keyvault recover --name kv-cmg --location westus" in found.cure


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, [("vault-not-in-subscription", "")]),
        ({"location": "East US", "properties": {"enabledForDeployment": True}}, []),
        ({"location": "westus", "properties": {"enabledForDeployment": True}}, [("vault-in-other-region", VAULT_ID)]),
        ({"location": "eastus", "properties": {}}, [("vault-not-enabled-for-deployment", VAULT_ID)]),
        (
            {"location": "westus", "properties": {"enabledForDeployment": False}},
            [("vault-in-other-region", VAULT_ID), ("vault-not-enabled-for-deployment", VAULT_ID)],
        ),
    ],
)
def test_instances_take_a_certificate_from_a_vault_beside_them_that_lets_them(
    body: JsonObject | None, told: list[tuple[str, str]]
) -> None:
    found = judge_vault({"id": VAULT_ID, **body} if body else None, migration())
    assert [(each.code, each.resource) for each in found] == told
    assert all((each.severity, each.pointer) == (Severity.BLOCKS, "/certificate/vault") for each in found)


@pytest.mark.parametrize(
    ("properties", "codes"),
    [
        ({}, []),
        ({"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}}, []),
        ({"publicNetworkAccess": "Disabled"}, ["vault-closed"]),
        ({"networkAcls": {"defaultAction": "Deny"}}, ["vault-closed"]),
    ],
)
def test_a_closed_vault_is_told_from_a_missing_right(properties: JsonObject, codes: list[str]) -> None:
    found = judge_vault_access({"id": VAULT_ID, "properties": properties}, migration())
    assert [finding.code for finding in found] == codes
    assert all((each.resource, each.pointer) == (VAULT_ID, "/certificate/vault") for each in found)
    assert all("public network access" in each.seen for each in found if "publicNetworkAccess" in properties)
    assert all("firewall" in each.seen for each in found if "networkAcls" in properties)
    assert all("private endpoint" in each.cure for each in found if properties.get("publicNetworkAccess") == "Disabled")
    assert all("firewall" in each.cure for each in found if "networkAcls" in properties)


@pytest.mark.parametrize(
    ("location", "same"), [("eastus", True), ("East US", True), ("EASTUS", True), ("eastus2", False), ("", False)]
)
def test_a_region_is_the_same_however_azure_writes_it(location: str, same: bool) -> None:
    assert is_region(location, "eastus") is same


HOME, FOREIGN = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
PROVIDER = Identities(HOME, "cccccccc-0000-4000-8000-000000000003")
OTHER = "55555555-5555-5555-5555-555555555555"
ENABLED: JsonObject = {"state": "Enabled", "tenantId": TENANT.upper()}
TO_HOME: JsonObject = {"managedByTenants": [{"tenantId": HOME}]}


def told(found: tuple[Finding, ...]) -> list[tuple[str, Severity, str, str]]:
    return [(each.code, each.severity, each.resource, each.pointer) for each in found]


@pytest.mark.parametrize(
    ("body", "access", "expected"),
    [
        (ENABLED, None, []),
        ({"state": "Enabled"}, None, []),
        (ENABLED | {"state": "Disabled"}, None, [("subscription-not-enabled", Severity.BLOCKS, "/subscription_id")]),
        (ENABLED | {"state": "PastDue"}, None, [("subscription-past-due", Severity.WARNS, "/subscription_id")]),
        (ENABLED | {"tenantId": FOREIGN}, None, [("subscription-other-tenant", Severity.BLOCKS, "/tenant_id")]),
        (ENABLED | TO_HOME, "delegated", []),
        (ENABLED, "delegated", [("subscription-not-delegated", Severity.BLOCKS, "/access")]),
    ],
)
def test_the_new_gateways_subscription_can_be_written_to_and_is_the_tenants(
    body: JsonObject, access: str | None, expected: list[tuple[str, Severity, str]]
) -> None:
    found = judge_subscription(body, migration(access=access), PROVIDER)
    scope = f"/subscriptions/{SUBSCRIPTION}"
    assert told(found) == [(code, severity, scope, pointer) for code, severity, pointer in expected]
    assert all(FOREIGN in each.seen for each in found if each.code == "subscription-other-tenant")
    assert all("read-only" in each.seen for each in found if each.code == "subscription-not-enabled")


@pytest.mark.parametrize(
    ("holds", "body", "access", "expected"),
    [
        ((ZONE,), ENABLED, None, []),
        ((ZONE,), ENABLED | {"state": "Disabled"}, None, [("subscription-not-enabled", Severity.BLOCKS, "/key")]),
        ((OLD_GATEWAY,), ENABLED | {"state": "Disabled"}, None, [("subscription-not-enabled", Severity.WARNS, "/key")]),
        ((ZONE, OLD_GATEWAY), {"state": "Warned"}, None, [("subscription-not-enabled", Severity.BLOCKS, "/key")]),
        ((ZONE,), {"state": "New", "tenantId": ""}, None, [("subscription-not-enabled", Severity.BLOCKS, "/key")]),
        (
            (OLD_GATEWAY,),
            {"state": "Disabled", "tenantId": FOREIGN.upper()},
            None,
            [("other-subscription-other-tenant", Severity.BLOCKS, "/key")],
        ),
        ((ZONE,), ENABLED | TO_HOME, "delegated", []),
        ((ZONE,), ENABLED, "delegated", [("subscription-not-delegated", Severity.BLOCKS, "/access")]),
    ],
)
def test_another_subscription_is_the_tenants_and_weighs_what_is_done_there(
    holds: tuple[str, ...], body: JsonObject, access: str | None, expected: list[tuple[str, Severity, str]]
) -> None:
    other = OtherSubscription(OTHER, holds, "/key")
    found = judge_other_subscription(body, other, migration(access=access), PROVIDER)
    assert told(found) == [(code, severity, f"/subscriptions/{OTHER}", pointer) for code, severity, pointer in expected]
    assert all(FOREIGN in each.seen for each in found if each.code == "other-subscription-other-tenant")


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (None, []),
        ({"location": "East US", "properties": {"provisioningState": "Succeeded"}}, []),
        ({"location": "westus", "properties": {"provisioningState": "Succeeded"}}, ["group-in-other-region"]),
        ({"location": "eastus", "properties": {"provisioningState": "Deleting"}}, ["group-being-deleted"]),
    ],
)
def test_a_group_that_exists_lies_in_the_gateways_region_and_stays(body: JsonObject | None, codes: list[str]) -> None:
    found = judge_group(body, migration())
    assert told(found) == [(code, Severity.BLOCKS, group_id(migration()), "/resource_group") for code in codes]


@pytest.mark.parametrize(("owner", "is_ours"), [(None, False), ("another", False), (DEPLOYMENT, True)])
def test_a_name_that_anybody_else_took_stands_against_the_plan(owner: str | None, is_ours: bool) -> None:
    make = new_resources(migration(), "cmg", ())
    taken: JsonObject = {"id": make.scale_set.upper(), "tags": {"cmg-deployment": owner} if owner else {}}
    beside: JsonObject = {"id": resource_id("Microsoft.Network/loadBalancers", "other")}
    blocked = [("resource-name-taken", Severity.BLOCKS, make.scale_set.upper(), "/resource_group")]
    assert told(judge_existing([beside, taken], make, DEPLOYMENT)) == ([] if is_ours else blocked)

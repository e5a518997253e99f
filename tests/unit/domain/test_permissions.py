"""What may be done, by actions: wildcards, what is subtracted, and which scopes need what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.permissions import (
    IN_THE_GROUP,
    Need,
    allows,
    conditions_not_seen,
    judge_conditions,
    judge_permissions,
    lacking,
    needs_of,
)
from cmg_core.domain.problems import Severity
from cmg_core.domain.values import JsonObject
from tests.fakes import (
    CLASSIC_ID,
    GROUP,
    OLD_GROUP,
    SUBSCRIPTION,
    VAULT_ID,
    ZONE_ID,
    deployment,
    migration,
    resource_id,
)
from tests.worlds import OLD_SCALE_SET, STORE_ID

ROOT = f"/subscriptions/{SUBSCRIPTION}"
WRITE = "Microsoft.Network/publicIPAddresses/write"

words = st.text(st.sampled_from("abzAZ.19"), min_size=1, max_size=8)
actions = st.lists(words, min_size=2, max_size=5).map("/".join)


def role(*allowed: str, without: tuple[str, ...] = ()) -> JsonObject:
    return {"actions": [*allowed], "notActions": [*without]}


@pytest.mark.parametrize(
    ("granted", "may"),
    [
        ([], False),
        ([role("*")], True),
        ([role("*/write")], True),
        ([role("microsoft.NETWORK/publicipaddresses/WRITE")], True),
        ([role("Microsoft.Network/*")], True),
        ([role("Microsoft.Network/public*/write")], True),
        ([role("Microsoft.Network")], False),
        ([role("Microsoft.Network/loadBalancers/*")], False),
        ([role("*/read")], False),
        ([role("*", without=("Microsoft.Network/*/write",))], False),
        ([role("*", without=("Microsoft.Network/*",)), role(WRITE)], True),
        ([role("*/read"), role(without=(WRITE,))], False),
        ([role("MicrosoftXNetwork/publicIPAddresses/write")], False),
    ],
)
def test_what_roles_allow(granted: list[JsonObject], may: bool) -> None:
    assert allows(granted, WRITE) is may


@given(actions, st.data())
def test_any_part_of_an_action_may_be_a_wildcard(action: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(action)))
    end = data.draw(st.integers(begin, len(action)))
    pattern = f"{action[:begin]}*{action[end:]}"
    assert allows([role(pattern)], action)
    assert allows([role(pattern.upper())], action.lower())
    assert not allows([role("*", without=(pattern,))], action)


@given(actions, actions)
def test_without_a_wildcard_an_action_is_itself_alone(one: str, other: str) -> None:
    assert allows([role(one)], other) == (one.lower() == other.lower())


@given(st.lists(st.builds(role, actions, actions), max_size=4), st.builds(role, actions), actions)
def test_another_role_never_takes_away(roles: list[JsonObject], more: JsonObject, action: str) -> None:
    if allows(roles, action):
        assert allows([*roles, more], action)
        assert allows([role("x/y", without=("*",)), *roles], action)


def scopes(*needs: Need) -> dict[str, tuple[str, ...]]:
    return {need.scope: tuple(action for action, _ in need.actions) for need in needs}


def test_a_migration_needs_its_group_the_vault_the_zone_and_the_old_group() -> None:
    needs = needs_of(migration(), group_exists=True, unregistered=(), vault_id=VAULT_ID)
    found = scopes(*needs)
    assert set(found) == {
        f"{ROOT}/resourceGroups/{GROUP}",
        VAULT_ID,
        ZONE_ID,
        f"{ROOT}/resourceGroups/{OLD_GROUP}",
    }
    assert found[VAULT_ID] == ("Microsoft.KeyVault/vaults/deploy/action",)
    assert found[f"{ROOT}/resourceGroups/{OLD_GROUP}"] == (
        "Microsoft.ClassicCompute/domainNames/read",
        "Microsoft.ClassicCompute/domainNames/delete",
    )
    assert WRITE in found[f"{ROOT}/resourceGroups/{GROUP}"]
    assert all(why for need in needs for _, why in need.actions)


def test_a_group_and_providers_that_are_not_there_are_needed_of_the_subscription() -> None:
    needs = scopes(*needs_of(deployment(), group_exists=False, unregistered=("Microsoft.Compute",), vault_id=""))
    assert set(needs) == {ROOT, ZONE_ID}
    assert needs[ROOT][:2] == (
        "Microsoft.Compute/register/action",
        "Microsoft.Resources/subscriptions/resourceGroups/write",
    )
    assert needs[ROOT][2:] == tuple(action for action, _ in IN_THE_GROUP)


def test_one_scope_is_one_need_whatever_its_letter_case() -> None:
    shared = resource_id("Microsoft.Compute/virtualMachineScaleSets", "old", GROUP.upper())
    old = {"resource_id": shared, "service_name": "a.contoso.com", "also_delete": [STORE_ID]}
    found = scopes(*needs_of(migration(old_gateway=old), group_exists=True, unregistered=(), vault_id=VAULT_ID))
    assert set(found) == {
        f"{ROOT}/resourceGroups/{GROUP}",
        VAULT_ID,
        ZONE_ID,
        f"{ROOT}/resourceGroups/{OLD_GROUP}",
    }
    group = found[f"{ROOT}/resourceGroups/{GROUP}"]
    assert len(group) == len(set(group))
    assert "Microsoft.Compute/virtualMachineScaleSets/delete" in group
    assert found[f"{ROOT}/resourceGroups/{OLD_GROUP}"] == (
        "Microsoft.ClassicStorage/storageAccounts/read",
        "Microsoft.ClassicStorage/storageAccounts/delete",
    )


@pytest.mark.parametrize("maker", ["site", "existing"])
def test_who_does_not_make_the_gateway_needs_to_look_at_it_only(maker: str) -> None:
    """Otherwise it would show when the gateway is made, and a person has opened the gate."""
    for there, scope in ((False, ROOT), (True, f"{ROOT}/resourceGroups/{GROUP}")):
        request = migration(provisioned_by=maker)
        needs = scopes(*needs_of(request, group_exists=there, unregistered=(), vault_id=VAULT_ID))
        assert set(needs) == {scope, ZONE_ID, f"{ROOT}/resourceGroups/{OLD_GROUP}"}
        assert needs[scope] == tuple(action for action, _ in IN_THE_GROUP if action.endswith("/read"))


@pytest.mark.parametrize(("maker", "registers"), [("automation", True), ("site", True), ("existing", False)])
def test_for_a_gateway_that_exists_nothing_is_registered(maker: str, registers: bool) -> None:
    request = migration(provisioned_by=maker)
    needs = scopes(*needs_of(request, group_exists=True, unregistered=("Microsoft.Compute",), vault_id=VAULT_ID))
    assert needs.get(ROOT) == (("Microsoft.Compute/register/action",) if registers else None)


def test_each_kind_of_the_old_gateways_parts_is_looked_at_and_deleted() -> None:
    disk = resource_id("Microsoft.Compute/disks", "disk", "rg-besides")
    old = {"resource_id": OLD_SCALE_SET, "service_name": "a.contoso.com", "also_delete": [disk]}
    needs = scopes(*needs_of(migration(old_gateway=old), group_exists=True, unregistered=(), vault_id=VAULT_ID))
    kinds = (
        "Microsoft.Compute/virtualMachineScaleSets",
        "Microsoft.Network/loadBalancers",
        "Microsoft.Network/publicIPAddresses",
        "Microsoft.Network/virtualNetworks",
        "Microsoft.Network/networkSecurityGroups",
    )
    wanted = tuple(f"{kind}/{verb}" for kind in kinds for verb in ("read", "delete"))
    assert needs[f"{ROOT}/resourceGroups/{OLD_GROUP}"] == wanted
    besides = needs[f"{ROOT}/resourceGroups/rg-besides"]
    assert allows([role(*besides)], "Microsoft.Compute/disks/delete") and len(besides) == 2


def test_of_a_gateway_that_is_gone_nothing_is_to_be_deleted() -> None:
    old = {"resource_id": CLASSIC_ID, "service_name": "a.contoso.com", "gone": True}
    needs = scopes(*needs_of(migration(old_gateway=old), group_exists=True, unregistered=(), vault_id=VAULT_ID))
    assert f"{ROOT}/resourceGroups/{OLD_GROUP}" not in needs


def test_everything_that_is_missing_at_a_scope_is_one_finding() -> None:
    old = {"resource_id": OLD_SCALE_SET, "service_name": "a.contoso.com"}
    needs = needs_of(migration(old_gateway=old), group_exists=True, unregistered=(), vault_id=VAULT_ID)
    (group,) = [need for need in needs if need.scope.endswith(GROUP)]
    assert judge_permissions(lacking(group, [role("*")])) == ()
    missing = lacking(group, [role("*", without=(WRITE, "*/join/action"))])
    (found,) = judge_permissions(missing)
    assert (found.code, found.severity, found.resource) == ("permissions-missing", Severity.BLOCKS, group.scope)
    assert WRITE in found.seen
    assert "Microsoft.Network/virtualNetworks/subnets/join/action" in found.seen
    assert "virtualMachineScaleSets" not in found.seen
    assert found.seen.count("to connect the gateway's parts") == 1


def test_conditions_are_a_warning_and_so_is_that_they_were_not_seen() -> None:
    plain: JsonObject = {"id": "/a", "properties": {"condition": None}}
    bound: JsonObject = {"id": "/b", "properties": {"condition": "(x StringLike 'y')"}}
    (found,) = judge_conditions([plain, bound])
    assert (found.code, found.severity, found.resource) == ("role-assignment-condition", Severity.WARNS, "/b")
    assert "StringLike" in found.seen
    assert conditions_not_seen("403.").severity is Severity.WARNS


def test_the_classic_gateway_of_the_default_request_is_what_these_tests_think() -> None:
    assert migration().old_gateway.resource_id == CLASSIC_ID

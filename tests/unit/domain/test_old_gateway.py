"""What belongs to an old gateway: properties over worlds in which anything may use anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.locks import locks_against_change, locks_against_deletion
from cmg_core.domain.old_gateway import (
    first_references,
    further_references,
    immutable_id,
    judge_confirmation,
    parts_of_scale_set,
    top_resource,
    users_of,
)
from cmg_core.domain.plans import Part
from cmg_core.domain.values import JsonObject, text_at
from tests.fakes import migration, resource_id

SCALE_SET = resource_id("Microsoft.Compute/virtualMachineScaleSets", "old")
BALANCER = resource_id("Microsoft.Network/loadBalancers", "lb")
ADDRESS = resource_id("Microsoft.Network/publicIPAddresses", "ip")
NETWORK = resource_id("Microsoft.Network/virtualNetworks", "net")
GUARD = resource_id("Microsoft.Network/networkSecurityGroups", "nsg")
STRANGER = resource_id("Microsoft.Network/networkInterfaces", "stranger")
USERS = st.lists(st.sampled_from([SCALE_SET, BALANCER, ADDRESS, NETWORK, GUARD, STRANGER]), unique=True)


def _child(id: str) -> JsonObject:
    return {"id": f"{id}/things/one"}


def _balancer(users: list[str]) -> JsonObject:
    pool: JsonObject = {"properties": {"backendIPConfigurations": [_child(user) for user in users]}}
    return {"id": BALANCER, "properties": {"backendAddressPools": [pool]}}


def _address(users: list[str]) -> JsonObject:
    return {"id": ADDRESS, "properties": {"ipConfiguration": _child(users[0]) if users else None}}


def _network(users: list[str]) -> JsonObject:
    subnet: JsonObject = {"properties": {"ipConfigurations": [_child(user) for user in users]}}
    return {"id": NETWORK, "properties": {"subnets": [subnet]}}


def _guard(users: list[str]) -> JsonObject:
    return {"id": GUARD, "properties": {"networkInterfaces": [_child(user) for user in users]}}


@given(USERS, USERS, USERS, USERS)
def test_a_part_is_used_by_parts_alone_and_whatever_stays_has_another_user(
    balancer: list[str], address: list[str], network: list[str], guard: list[str]
) -> None:
    referred = [_balancer(balancer), _address(address), _network(network), _guard(guard)]
    found = parts_of_scale_set({"id": SCALE_SET, "properties": {}}, referred)
    parts = {part.id for part in found.parts}
    assert found.parts[0].id == SCALE_SET
    assert STRANGER not in parts
    for body in referred:
        id, users = text_at(body, "id"), users_of(body)
        if id in parts:
            assert set(users) <= parts
        else:
            assert set(users) - parts
            assert found.shared[id]
    assert parts | set(found.shared) == {SCALE_SET, BALANCER, ADDRESS, NETWORK, GUARD}


@given(st.permutations([_balancer([]), _address([]), _network([]), _guard([])]))
def test_the_order_of_deletion_is_fixed(referred: list[JsonObject]) -> None:
    found = parts_of_scale_set({"id": SCALE_SET, "properties": {}}, referred)
    assert [part.id for part in found.parts] == [SCALE_SET, BALANCER, ADDRESS, NETWORK, GUARD]


def test_addresses_and_security_groups_are_followed_by_reference() -> None:
    frontend: JsonObject = {"properties": {"publicIPAddress": {"id": ADDRESS}}}
    subnet: JsonObject = {"properties": {"networkSecurityGroup": {"id": GUARD}}}
    bodies: list[JsonObject] = [
        {"id": BALANCER, "properties": {"frontendIPConfigurations": [frontend, frontend]}},
        {"id": NETWORK, "properties": {"subnets": [subnet]}},
    ]
    assert further_references(bodies) == (ADDRESS, GUARD)


def test_a_child_belongs_to_its_top_resource() -> None:
    assert top_resource(f"{SCALE_SET}/virtualMachines/0/networkInterfaces/nic") == SCALE_SET


def test_immutable_ids_are_azures_own() -> None:
    assert immutable_id({"properties": {"uniqueId": "u"}}) == "u"
    assert immutable_id({"properties": {"resourceGuid": "g"}}) == "g"
    assert immutable_id({"properties": {}}) == ""


@given(st.sets(st.sampled_from([SCALE_SET, BALANCER, ADDRESS, STRANGER])))
def test_confirmed_is_only_exactly_what_was_found(confirmed: set[str]) -> None:
    parts = [Part(id=SCALE_SET), Part(id=BALANCER)]
    request = migration(
        old_gateway={"resource_id": SCALE_SET, "service_name": "a.contoso.com", "confirmed_parts": sorted(confirmed)}
    )
    group: list[JsonObject] = [{"id": SCALE_SET}, {"id": BALANCER}, {"id": STRANGER}]
    assert (judge_confirmation(request, parts, group) == ()) == (confirmed == {SCALE_SET, BALANCER})


def test_a_lock_holds_for_all_below_its_scope_and_for_nothing_beside() -> None:
    group = SCALE_SET.split("/providers/", 1)[0]
    subscription = group.split("/resourceGroups/", 1)[0]

    def lock(scope: str, level: str = "CanNotDelete") -> JsonObject:
        return {"id": f"{scope}/providers/Microsoft.Authorization/locks/x", "properties": {"level": level}}

    for scope in (subscription, group.upper(), SCALE_SET):
        assert locks_against_deletion([lock(scope)], SCALE_SET)
        assert not locks_against_change([lock(scope)], SCALE_SET)
        assert locks_against_change([lock(scope, "ReadOnly")], SCALE_SET)
    for scope in (f"{group}-2", f"{SCALE_SET}2", BALANCER):
        assert not locks_against_deletion([lock(scope, "ReadOnly")], SCALE_SET)


POOL: JsonObject = {"properties": {"backendIPConfigurations": [_child(STRANGER)]}}


@pytest.mark.parametrize(
    "properties",
    [
        {"networkInterfaces": [_child(STRANGER)]},
        {"subnets": [_child(STRANGER)]},
        {"virtualNetworkPeerings": [{"properties": {"remoteVirtualNetwork": {"id": STRANGER}}}]},
        {"ipConfiguration": _child(STRANGER)},
        {"natGateway": {"id": STRANGER}},
        {"backendAddressPools": [POOL]},
        {"backendAddressPools": [{"properties": {}}, POOL]},
        {
            "backendAddressPools": [
                {
                    "properties": {
                        "loadBalancerBackendAddresses": [
                            {"properties": {"networkInterfaceIPConfiguration": _child(STRANGER)}}
                        ]
                    }
                }
            ]
        },
        {"backendAddressPools": [POOL, {"properties": {}}], "inboundNatRules": [{"properties": {}}]},
        {"inboundNatRules": [{"properties": {"backendIPConfiguration": _child(STRANGER)}}]},
        {"subnets": [{"properties": {"ipConfigurations": [_child(STRANGER)]}}]},
        {"subnets": [{"properties": {"privateEndpoints": [_child(STRANGER)]}}]},
    ],
)
def test_every_way_in_which_azure_says_that_something_is_in_use_is_read(properties: JsonObject) -> None:
    """The members of the Network API's resources that name what uses them."""
    assert users_of({"id": BALANCER, "properties": properties}) == (STRANGER,)


def test_nothing_uses_itself_and_each_user_counts_once() -> None:
    pool: JsonObject = {
        "properties": {"backendIPConfigurations": [_child(STRANGER), _child(STRANGER.upper()), _child(BALANCER)]}
    }
    assert users_of({"id": BALANCER.lower(), "properties": {"backendAddressPools": [pool]}}) == (STRANGER.upper(),)


@pytest.mark.parametrize("kind", ["loadBalancerBackendAddressPools", "loadBalancerInboundNatPools"])
def test_a_scale_set_names_balancer_network_and_security_group(kind: str) -> None:
    address: JsonObject = {"properties": {kind: [_child(BALANCER)], "subnet": {"id": f"{NETWORK}/subnets/one"}}}
    interface: JsonObject = {"properties": {"ipConfigurations": [address], "networkSecurityGroup": {"id": GUARD}}}
    profile: JsonObject = {"networkProfile": {"networkInterfaceConfigurations": [interface]}}
    scale_set: JsonObject = {"id": SCALE_SET, "properties": {"virtualMachineProfile": profile}}
    assert first_references(scale_set) == (BALANCER, NETWORK, GUARD)

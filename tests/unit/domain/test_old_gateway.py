"""What belongs to an old gateway: properties over worlds in which anything may use anything."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.locks import locks_against_change, locks_against_deletion
from cmg_core.domain.old_gateway import (
    Parts,
    Surroundings,
    at_object,
    first_references,
    further_references,
    gone_gateway,
    immutable_id,
    judge_also_delete,
    judge_classic_state,
    judge_confirmation,
    judge_parking,
    judge_presence,
    judge_shared,
    parts_of_scale_set,
    production_slot,
    top_resource,
    users_of,
)
from cmg_core.domain.plans import Part
from cmg_core.domain.problems import Severity
from cmg_core.domain.requests import MigrationRequest
from cmg_core.domain.values import JsonObject, text_at
from tests.fakes import CLASSIC_ID, migration, resource_id

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


STORE = resource_id("Microsoft.Storage/storageAccounts", "old")
VAULT = resource_id("Microsoft.KeyVault/vaults", "kv")
DISK = resource_id("Microsoft.Compute/disks", "disk")
ELSEWHERE = resource_id("Microsoft.Network/publicIPAddresses", "ip", "rg-elsewhere")


def besides(*also_delete: str) -> MigrationRequest:
    return migration(
        old_gateway={"resource_id": SCALE_SET, "service_name": "a.contoso.com", "also_delete": [*also_delete]}
    )


@pytest.mark.parametrize(
    ("id", "body", "around", "code"),
    [
        (ADDRESS, {"id": ADDRESS}, {}, None),
        (STORE, {"id": STORE}, {}, None),
        (VAULT, {"id": VAULT}, {}, None),
        (DISK, {"id": DISK}, {}, "also-delete-kind"),
        (ELSEWHERE, {"id": ELSEWHERE}, {}, "also-delete-elsewhere"),
        (ADDRESS, None, {}, "also-delete-missing"),
        (ADDRESS, {"id": ADDRESS}, {"new_ids": (ADDRESS.upper(),)}, "also-delete-new"),
        (VAULT, {"id": VAULT}, {"certificate_vault": "https://kv.vault.azure.net"}, "also-delete-certificate-vault"),
        (VAULT, {"id": VAULT}, {"certificate_vault": "https://kv-cmg.vault.azure.net"}, None),
        (STORE, {"id": STORE}, {"certificate_vault": "https://old.vault.azure.net"}, None),
        (ADDRESS, _address([STRANGER]), {}, "also-delete-in-use"),
        (ADDRESS, _address([BALANCER]), {"parts": (Part(id=BALANCER.upper()),)}, None),
        (ADDRESS, _address([BALANCER]), {}, "also-delete-in-use"),
        (ADDRESS, {"id": ADDRESS, "managedBy": STRANGER}, {}, "also-delete-in-use"),
        (
            STORE,
            {"id": STORE},
            {"group": ({"id": f"{SCALE_SET}2", "type": "Microsoft.Compute/virtualMachineScaleSets"},)},
            "also-delete-maybe-in-use",
        ),
        (
            ADDRESS,
            {"id": ADDRESS},
            {"group": ({"id": f"{SCALE_SET}2", "type": "Microsoft.Compute/virtualMachineScaleSets"},)},
            None,
        ),
        (
            STORE,
            {"id": STORE},
            {
                "group": ({"id": SCALE_SET, "type": "Microsoft.Compute/virtualMachineScaleSets"},),
                "parts": (Part(id=SCALE_SET),),
            },
            None,
        ),
    ],
)
def test_what_is_named_besides_goes_only_if_it_is_the_old_gateways_alone(
    id: str, body: JsonObject | None, around: dict[str, Any], code: str | None
) -> None:
    nothing: dict[str, Any] = {"parts": (), "group": (), "certificate_vault": "https://another.net", "new_ids": ()}
    findings = judge_also_delete(besides(id), id, body, Surroundings(**(nothing | around)))
    assert [(each.code, each.resource, each.pointer) for each in findings] == (
        [(code, id, "/old_gateway/also_delete")] if code else []
    )
    user = STRANGER if "managedBy" in (body or {}) else None
    assert all(each.cure and (user is None or user in each.seen) for each in findings)


def test_others_that_keep_a_resource_are_named() -> None:
    around = Surroundings((), ({"id": f"{SCALE_SET}2", "type": "Microsoft.Compute/virtualMachineScaleSets"},), "", ())
    [finding] = judge_also_delete(besides(STORE), STORE, {"id": STORE}, around)
    assert f"{SCALE_SET}2" in finding.seen
    [finding] = judge_also_delete(besides(ADDRESS), ADDRESS, _address([STRANGER]), replace(around, group=()))
    assert STRANGER in finding.seen


def test_what_is_named_besides_may_use_each_other() -> None:
    request = besides(ADDRESS, BALANCER)
    around = Surroundings((), (), "https://another.net", ())
    assert judge_also_delete(request, ADDRESS, _address([BALANCER]), around) == ()


def test_a_name_stays_parked_only_with_the_address_of_a_gateway_that_this_app_made() -> None:
    tagged: JsonObject = {"cmg-deployment": "an-earlier-deployment"}
    dns: JsonObject = {"dnsSettings": {"fqdn": "a.eastus.cloudapp.azure.com"}}
    scale_set: JsonObject = {"id": SCALE_SET, "tags": tagged}
    address: JsonObject = {"id": ADDRESS, "tags": tagged, "properties": dns}
    [told] = judge_parking(Part(id=ADDRESS), scale_set, address)
    assert (told.code, told.resource) == ("name-stays-parked", ADDRESS) and "a.eastus.cloudapp" in told.seen
    strangers: list[tuple[Part | None, JsonObject, JsonObject]] = [
        (None, scale_set, address),
        (Part(id=ADDRESS), {"id": SCALE_SET}, {"id": ADDRESS}),
        (Part(id=ADDRESS), scale_set, {"id": ADDRESS}),
        (Part(id=ADDRESS), {"id": SCALE_SET}, address),
        (Part(id=ADDRESS), scale_set, {**address, "tags": {"cmg-deployment": "another"}}),
    ]
    for part, old, body in strangers:
        [refused] = judge_parking(part, old, body)
        assert (refused.code, refused.pointer) == ("park-not-ours", "/park_old_name")


def test_parts_that_stay_are_told_with_the_reason() -> None:
    parts = Parts((), {ADDRESS: (STRANGER,)}, (ELSEWHERE,))
    shared, elsewhere = judge_shared(parts)
    assert (shared.code, shared.resource) == ("part-used-by-others", ADDRESS) and STRANGER in shared.seen
    assert (elsewhere.code, elsewhere.resource) == ("part-elsewhere", ELSEWHERE)


def test_a_part_in_another_group_stays_and_its_own_ids_are_noted() -> None:
    scale_set: JsonObject = {"id": SCALE_SET, "properties": {"uniqueId": "u"}}
    far: JsonObject = {"id": ELSEWHERE, "properties": {}}
    found = parts_of_scale_set(scale_set, [far, {"id": ADDRESS, "properties": {"resourceGuid": "g"}}])
    assert found.parts == (Part(id=SCALE_SET, immutable_id="u"), Part(id=ADDRESS, immutable_id="g"))
    assert found.elsewhere == (ELSEWHERE,) and found.shared == {}


@pytest.mark.parametrize(
    ("source", "others", "confirmed", "asks"),
    [
        (SCALE_SET, [], [], False),
        (SCALE_SET, [STORE, VAULT], [], False),
        (SCALE_SET, [f"{BALANCER}/backendAddressPools/one"], [], False),
        (SCALE_SET, [STRANGER], [], True),
        (SCALE_SET, [STRANGER], [SCALE_SET.upper(), BALANCER], False),
        (SCALE_SET, [], [SCALE_SET], True),
        (CLASSIC_ID, [STRANGER], [], False),
        (CLASSIC_ID, [STRANGER], [SCALE_SET], True),
    ],
)
def test_a_person_confirms_each_part_where_the_group_holds_more_than_the_gateway(
    source: str, others: list[str], confirmed: list[str], asks: bool
) -> None:
    request = migration(
        old_gateway={"resource_id": source, "service_name": "a.contoso.com", "confirmed_parts": confirmed}
    )
    parts = [Part(id=SCALE_SET), Part(id=BALANCER)]
    group: list[JsonObject] = [{"id": id} for id in (SCALE_SET, BALANCER, *others)]
    findings = judge_confirmation(request, parts, group)
    assert [(each.code, each.pointer) for each in findings] == (
        [("parts-not-confirmed", "/old_gateway/confirmed_parts")] if asks else []
    )
    assert all(SCALE_SET in each.cure and BALANCER in each.cure for each in findings)


def test_a_part_that_stays_for_others_is_a_stranger_too() -> None:
    request = besides()
    [finding] = judge_confirmation(request, [Part(id=SCALE_SET)], [{"id": SCALE_SET}], shared=[ADDRESS])
    assert ADDRESS in finding.seen


def test_locks_are_told_by_their_own_id_and_level() -> None:
    def lock(id: str, level: str) -> JsonObject:
        return {"id": id, "properties": {"level": level}}

    on_it = f"{SCALE_SET}/providers/Microsoft.Authorization/locks/x"
    for level, name in (("CanNotDelete", "CanNotDelete"), ("readonly", "ReadOnly")):
        [found] = locks_against_deletion([lock(on_it, level)], f"{SCALE_SET}/")
        assert (found.id, found.scope, found.level) == (on_it, SCALE_SET, name)
    beside = [lock(f"{SCALE_SET}2/providers/Microsoft.Authorization/locks/x", "CanNotDelete"), lock("odd", "ReadOnly")]
    assert locks_against_deletion(beside, SCALE_SET) == ()


@pytest.mark.parametrize(
    ("gone", "body", "told"),
    [
        (False, {"id": CLASSIC_ID}, []),
        (False, None, [("old-gateway-missing", Severity.BLOCKS, "/old_gateway/resource_id")]),
        (True, {"id": CLASSIC_ID}, [("old-gateway-not-gone", Severity.BLOCKS, "/old_gateway/gone")]),
        (True, None, [("old-gateway-gone", Severity.WARNS, "")]),
    ],
)
def test_the_old_gateway_is_there_or_gone_as_the_request_says(
    gone: bool, body: JsonObject | None, told: list[tuple[str, Severity, str]]
) -> None:
    old = {"resource_id": CLASSIC_ID, "service_name": "a.contoso.com", "gone": gone}
    found = judge_presence(migration(old_gateway=old), body)
    assert [(each.code, each.severity, each.pointer) for each in found] == told
    assert all(each.resource == CLASSIC_ID for each in found)


@pytest.mark.parametrize(
    ("source", "region", "model", "name"),
    [
        (CLASSIC_ID, "eastus", "classic", "granitefalls.cloudapp.net"),
        (CLASSIC_ID, "usgovvirginia", "classic", "granitefalls.usgovcloudapp.net"),
        (SCALE_SET, "eastus", "scale-set", ""),
    ],
)
def test_of_a_gateway_that_is_gone_nothing_is_deleted_and_only_a_classic_ones_name_is_known(
    source: str, region: str, model: str, name: str
) -> None:
    request = migration(old_gateway={"resource_id": source, "service_name": "a.contoso.com", "gone": True})
    found = gone_gateway(request.model_copy(update={"region": region}))
    told = (found.model, found.resource_id, found.service_name, found.deployment_name, found.region)
    assert told == (model, source, "a.contoso.com", name, "")
    assert found.gone and (found.parts, found.kept, found.parked) == ((), (), None)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("Running", [("classic-gateway-runs", Severity.TELLS)]),
        ("running", [("classic-gateway-runs", Severity.TELLS)]),
        ("Suspended", [("classic-gateway-stopped", Severity.WARNS)]),
        ("", []),
    ],
)
def test_whether_a_classic_gateway_runs_is_told_of_its_slot(state: str, told: list[tuple[str, Severity]]) -> None:
    slot: JsonObject = {"id": production_slot(CLASSIC_ID), "properties": {"status": state}}
    found = judge_classic_state(slot)
    assert [(each.code, each.severity) for each in found] == told
    assert all(each.resource == f"{CLASSIC_ID}/slots/production" for each in found)
    assert all(state in each.seen for each in found if each.code == "classic-gateway-stopped")


def test_what_azure_shows_in_another_shape_uses_nothing() -> None:
    odd: JsonObject = {"id": ADDRESS, "properties": {"ipConfiguration": STRANGER, "natGateway": [STRANGER]}}
    assert users_of(odd) == () and at_object(odd, "properties", "natGateway") == {}

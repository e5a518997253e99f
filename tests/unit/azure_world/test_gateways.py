"""Which way a packet to a gateway goes, and what the gateway answers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.gateways import CLIENT_HEADER, LOCATIONS_PATH, reach, relay
from local.azure.messages import Request, Response
from local.azure.site import advance
from local.azure.world import World
from tests.fakes import leaf
from tests.unit.azure_world.worlds import (
    ADDRESS,
    BALANCER,
    DOMAIN,
    GROUP,
    GROUP_RULES,
    NEW_ADDRESS,
    NOW,
    OLD_ADDRESS,
    SCALE_SET,
    SERVICE,
    add,
    certificate,
    granite_falls,
    machine,
    world,
)

METADATA = "/CCM_Proxy_ServerAuth/ServiceMetadata"


def test_both_gateways_are_there_and_show_their_certificate() -> None:
    made = world()
    old, new = reach(made, OLD_ADDRESS, NOW), reach(made, NEW_ADDRESS, NOW)
    assert old is not None and new is not None
    assert (old.resource_id, new.resource_id) == (DOMAIN, SCALE_SET)
    assert new.certificate == certificate(SERVICE)
    assert reach(made, "20.9.9.9", NOW) is None


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("GraniteFalls.Contoso.Com.", True),
        ("any.lab.contoso.com", True),
        ("lab.contoso.com", False),
        ("a.b.lab.contoso.com", False),
        ("contoso.com", False),
    ],
)
def test_a_certificate_serves_its_names(name: str, served: bool) -> None:
    made = world()
    made.classic_certificates[DOMAIN.lower()] = certificate(SERVICE, "*.lab.contoso.com")
    gateway = reach(made, OLD_ADDRESS, NOW)
    assert gateway is not None and gateway.serves(name) is served


def test_a_certificate_without_dns_names_serves_its_common_name_only() -> None:
    made = world()
    named = replace(certificate(SERVICE), leaf_der=leaf(common_name=SERVICE))
    for names, served in (((), True), (("other.contoso.com",), False)):
        made.classic_certificates[DOMAIN.lower()] = replace(named, names=names)
        gateway = reach(made, OLD_ADDRESS, NOW)
        assert gateway is not None and gateway.serves(SERVICE) is served
        assert not gateway.serves("another.contoso.com")


def _no_rule(made: World) -> None:
    made.resources[BALANCER.lower()].properties["loadBalancingRules"].clear()


def _other_backend_port(made: World) -> None:
    made.resources[BALANCER.lower()].properties["loadBalancingRules"][0]["properties"]["backendPort"] = 8443


def _https_probe(made: World) -> None:
    made.resources[BALANCER.lower()].properties["probes"][0]["properties"]["protocol"] = "Https"


def _other_frontend(made: World) -> None:
    made.resources[BALANCER.lower()].properties["frontendIPConfigurations"].clear()


def _no_address(made: World) -> None:
    del made.resources[ADDRESS.lower()]


def _no_group(made: World) -> None:
    del made.resources[GROUP_RULES.lower()]


def _closed_group(made: World) -> None:
    made.resources[GROUP_RULES.lower()].properties["securityRules"].pop(0)


def _probes_kept_out(made: World) -> None:
    made.resources[GROUP_RULES.lower()].properties["securityRules"].append(
        {
            "properties": {
                "direction": "Inbound",
                "access": "Deny",
                "protocol": "*",
                "priority": 4096,
                "sourceAddressPrefix": "*",
                "destinationPortRange": "*",
            }
        }
    )


def _sick(made: World) -> None:
    made.instances[SCALE_SET.lower()][0].healthy = False


def _stopped(made: World) -> None:
    made.instances[SCALE_SET.lower()][0].power = "deallocated"


def _no_certificate(made: World) -> None:
    made.instances[SCALE_SET.lower()][0].certificate_urls = ()


@pytest.mark.parametrize(
    "broken",
    [
        _no_rule,
        _other_backend_port,
        _https_probe,
        _other_frontend,
        _no_address,
        _no_group,
        _closed_group,
        _probes_kept_out,
        _sick,
        _stopped,
        _no_certificate,
    ],
)
def test_one_missing_link_and_nobody_answers(broken: Callable[[World], None]) -> None:
    made = world()
    broken(made)
    assert reach(made, NEW_ADDRESS, NOW) is None
    assert reach(made, OLD_ADDRESS, NOW) is not None


def test_a_subnet_s_group_counts_too() -> None:
    made = world()
    of_subnet = add(made, f"{GROUP_RULES}-subnet", {"securityRules": []})
    network = f"{GROUP}/Microsoft.Network/virtualNetworks/net"
    subnet = {"id": f"{network}/subnets/gateway", "properties": {"networkSecurityGroup": {"id": of_subnet.id}}}
    add(made, network, {"subnets": [subnet]})
    profile = made.resources[SCALE_SET.lower()].properties["virtualMachineProfile"]["networkProfile"]
    interface = profile["networkInterfaceConfigurations"][0]["properties"]
    interface["ipConfigurations"][0]["properties"]["subnet"] = {"id": subnet["id"]}
    assert reach(made, NEW_ADDRESS, NOW) is None
    of_subnet.properties["securityRules"] = made.resources[GROUP_RULES.lower()].properties["securityRules"]
    assert reach(made, NEW_ADDRESS, NOW) is not None
    del interface["networkSecurityGroup"]
    assert reach(made, NEW_ADDRESS, NOW) is not None


def test_a_machine_that_is_not_yet_healthy_answers_later() -> None:
    made = world()
    made.instances[SCALE_SET.lower()] = [machine(0, NOW + timedelta(seconds=30))]
    assert reach(made, NEW_ADDRESS, NOW) is None
    assert reach(made, NEW_ADDRESS, NOW + timedelta(seconds=30)) is not None


def test_several_machines_need_a_port_each_for_the_channel() -> None:
    made = world(machines=2)
    gateway = reach(made, NEW_ADDRESS, NOW)
    assert gateway is not None and gateway.closed_channel_ports == ()
    made.resources[BALANCER.lower()].properties["inboundNatRules"][0]["properties"]["frontendPortRangeEnd"] = 10124
    gateway = reach(made, NEW_ADDRESS, NOW)
    assert gateway is not None and gateway.closed_channel_ports == (10125,)


def _ask(made: World, path: str, **headers: str) -> Response:
    advance(made, NOW)
    gateway = reach(made, OLD_ADDRESS, NOW)
    assert gateway is not None
    return relay(made, gateway, Request("GET", SERVICE, path, headers=headers), NOW)


def test_a_gateway_without_connection_point_answers_for_itself() -> None:
    answer = _ask(world(site=granite_falls(connection_points=[])), METADATA)
    assert (answer.status, answer.reason) == (503, "CMGService_No_Connector")
    assert _ask(world(), METADATA).status == 503


def test_through_a_connection_point_the_management_point_answers() -> None:
    made = world(site=granite_falls())
    answer = _ask(made, METADATA)
    assert (answer.status, answer.reason) == (401, "CMGConnector_Unauthorized")
    assert _ask(made, METADATA, **{CLIENT_HEADER: "device"}).status == 200
    assert _ask(made, LOCATIONS_PATH, **{CLIENT_HEADER: "device"}).json() == {"locations": [SERVICE]}
    assert _ask(made, "/").status == 404

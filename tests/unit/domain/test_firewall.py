"""Firewalls: what a plan needs opened and lets be closed, and that nothing is ever made for ports 10140 to 10155."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.firewall import CLIENTS, CONNECTION_POINTS, SERVICE_CONNECTION_POINT, firewall_changes
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.plans import Names, OldGateway
from cmg_core.domain.requests import Request, RetirementRequest
from cmg_core.domain.target import new_resources
from cmg_core.domain.values import Json
from tests.fakes import deployment, migration
from tests.unit.domain.test_gateway_resources import CERTIFICATE
from tests.unit.domain.test_reasons import CLASSIC, old

NEW = "granitefalls2.eastus.cloudapp.azure.com"
NAMES = Names(service_name="GraniteFalls.Contoso.Com", label="granitefalls2", deployment_name=NEW)
OLD = "granitefalls.eastus.cloudapp.azure.com"
CLASSIC_NAME = "granitefalls.cloudapp.net"


def listed(request: Request, gateway: OldGateway | None = None) -> set[tuple[str, str, str, str, str]]:
    changes = firewall_changes(request, NAMES, gateway, request.instances)
    assert all(each.why for each in changes) and len(set(changes)) == len(changes)
    return {(each.change, each.source, each.target, each.ports, each.protocol) for each in changes}


def needed(ports: str) -> set[tuple[str, str, str, str, str]]:
    return {
        ("needed", CONNECTION_POINTS, NEW, ports, "HTTPS"),
        ("needed", CLIENTS, NEW, "443", "HTTPS"),
    }


@pytest.mark.parametrize(
    ("instances", "ports"), [(1, "443"), (2, "10124-10125"), (3, "10124-10126"), (16, "10124-10139")]
)
def test_a_new_gateway_needs_443_for_one_instance_and_a_port_each_for_several(instances: int, ports: str) -> None:
    request = deployment(instances=instances)
    assert listed(request) == needed(ports)
    [dialed, _] = firewall_changes(request, NAMES, None, instances)
    assert ("port of its own" in dialed.why) is (instances > 1)


def test_from_classic_the_tcp_tls_ports_become_needless() -> None:
    gateway = old(**CLASSIC | {"deployment_name": CLASSIC_NAME})
    assert listed(migration(instances=2), gateway) == needed("10124-10125") | {
        ("needless", CONNECTION_POINTS, CLASSIC_NAME, "10140-10155", "TCP-TLS"),
        ("needless", CONNECTION_POINTS, CLASSIC_NAME, "443, 10124-10139", "HTTPS"),
        ("needless", CLIENTS, CLASSIC_NAME, "443", "HTTPS"),
    }


@pytest.mark.parametrize(("instances", "ports"), [(1, "443"), (2, "10124-10125"), (None, "443, 10124-10139")])
def test_from_a_scale_set_its_own_ports_become_needless(instances: int | None, ports: str) -> None:
    assert listed(migration(instances=2), old(instances=instances)) == needed("10124-10125") | {
        ("needless", CONNECTION_POINTS, OLD, ports, "HTTPS"),
        ("needless", CLIENTS, OLD, "443", "HTTPS"),
    }


def test_a_gateway_that_the_site_makes_needs_its_parts_and_the_management_endpoint() -> None:
    parts = ("blob.core.windows.net", "table.core.windows.net", "vault.azure.net")
    assert listed(deployment(provisioned_by="site", instances=1)) == needed("443") | {
        *(("needed", CONNECTION_POINTS, f"granitefalls.{part}", "443", "HTTPS") for part in parts),
        ("needed", CLIENTS, "granitefalls.blob.core.windows.net", "443", "HTTPS"),
        ("needed", SERVICE_CONNECTION_POINT, "management.azure.com", "443", "HTTPS"),
    }
    government = deployment(provisioned_by="site", region="usgovvirginia")
    assert "granitefalls.vault.usgovcloudapi.net" in {target for _, _, target, _, _ in listed(government)}


def numbers(body: Json) -> Iterator[range]:
    """Every number and every range of numbers in a body, where ports may stand."""
    match body:
        case bool():
            return
        case int():
            yield range(body, body + 1)
        case str() if found := re.fullmatch(r"(\d+)(?:-(\d+))?", body):
            yield range(int(found[1]), int(found[2] or found[1]) + 1)
        case list():
            for each in body:
                yield from numbers(each)
        case dict():
            start, end = body.get("frontendPortRangeStart"), body.get("frontendPortRangeEnd")
            if isinstance(start, int) and isinstance(end, int):
                yield range(start, end + 1)
            for each in body.values():
                yield from numbers(each)


@given(st.integers(1, 16), st.from_regex(r"[a-z][a-z0-9]{2,23}", fullmatch=True), st.booleans())
def test_nothing_that_is_made_uses_a_port_of_classic_gateways(instances: int, label: str, zonal: bool) -> None:
    request = deployment(instances=instances)
    names = Names(service_name="cmg.contoso.com", label=label, deployment_name=f"{label}.eastus.cloudapp.azure.com")
    make = new_resources(request, label, ("1", "2", "3") if zonal else ())
    blueprint = Blueprint("id", "eastus", request.size, instances, names, make)
    bodies: list[Json] = [
        blueprint.network_security_group(),
        blueprint.virtual_network(),
        blueprint.public_address(),
        blueprint.load_balancer(),
        blueprint.scale_set(CERTIFICATE, {"name": "gateway"}, "password"),
    ]
    found = [ports for body in bodies for ports in numbers(body)]
    assert 443 in {ports[0] for ports in found}
    assert not [ports for ports in found if ports[0] <= 10155 and ports[-1] >= 10140]
    needed_ports = [each.ports for each in firewall_changes(request, names, None, request.instances)]
    assert not [ports for text in needed_ports for ports in numbers(text) if ports[-1] >= 10140]


def test_a_gateway_that_serves_already_needs_nothing_more() -> None:
    body = migration().model_dump(mode="json", by_alias=True, exclude={"kind", "accept_gap"})
    request = RetirementRequest.model_validate(body | {"provisioned_by": "existing"})
    gateway = old(**CLASSIC | {"deployment_name": CLASSIC_NAME})
    assert {change for change, *_ in listed(request, gateway)} == {"needless"}


@pytest.mark.parametrize("model", [CLASSIC, {}])
@pytest.mark.parametrize("name", ["", NEW])
def test_nothing_is_to_be_closed_where_the_old_address_is_unknown_or_the_new_one(
    model: dict[str, object], name: str
) -> None:
    assert listed(migration(instances=1), old(**model | {"deployment_name": name})) == needed("443")


def test_what_stands_is_counted_not_what_the_request_says() -> None:
    request = migration(provisioned_by="existing", instances=1)
    [first, *_] = firewall_changes(request, NAMES, None, 3)
    assert first.ports == "10124-10126"

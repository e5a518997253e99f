"""Which openings in firewalls a plan makes needed, and which needless (rule S4).

Sources: "Cloud management gateway data flow" (ports), "Internet access requirements" (endpoints).
"""

from typing import Literal

from cmg_core.domain.clouds import domains_of
from cmg_core.domain.gateway_resources import FIRST_CONNECTION_POINT_PORT, HTTPS
from cmg_core.domain.names import first_label_of
from cmg_core.domain.plans import FirewallChange, Names, OldGateway
from cmg_core.domain.requests import Request, RetirementRequest, is_made_by_site

CLASSIC_PORTS = "10140-10155"
"""TCP-TLS, which a connection point tries first with a classic gateway and never with a scale set."""
LAST_CONNECTION_POINT_PORT = 10139
CONNECTION_POINTS = "servers of connection points"
SERVICE_CONNECTION_POINT = "server of the service connection point"
CLIENTS = "clients behind a firewall or proxy"
type Protocol = Literal["HTTPS", "TCP-TLS"]


def firewall_changes(
    request: Request, names: Names, old: OldGateway | None, instances: int
) -> tuple[FirewallChange, ...]:
    """What to open before the new gateway, of so many instances, can relay; then what to close when the old one is
    gone. A gateway that serves already has what it needs."""
    needed = [] if isinstance(request, RetirementRequest) else _needed(request, names, instances)
    return (*needed, *(_needless(old, names) if old else ()))


def connection_point_ports(instances: int) -> str:
    """Where connection points dial a gateway on a scale set: 443, or one port an instance where there are several."""
    if instances == 1:
        return str(HTTPS)
    return f"{FIRST_CONNECTION_POINT_PORT}-{FIRST_CONNECTION_POINT_PORT + instances - 1}"


def _needed(request: Request, names: Names, instances: int) -> list[FirewallChange]:
    several = instances > 1
    found = [
        _open(
            CONNECTION_POINTS,
            names.deployment_name,
            connection_point_ports(instances),
            "Each instance of several has a port of its own." if several else "One instance is dialed at 443.",
        ),
        _open(CLIENTS, names.deployment_name, str(HTTPS), "Clients dial the service name, which leads there."),
    ]
    if not is_made_by_site(request):
        return found
    here, prefix = domains_of(request.region), first_label_of(names.service_name)
    found += [
        _open(CONNECTION_POINTS, f"{prefix}.{kind}", str(HTTPS), "The gateway keeps its parts there.")
        for kind in (f"blob.{here.storage}", f"table.{here.storage}", here.vaults)
    ]
    content = _open(CLIENTS, f"{prefix}.blob.{here.storage}", str(HTTPS), "Clients fetch content from there.")
    manager = _open(SERVICE_CONNECTION_POINT, here.management, str(HTTPS), "The site makes and maintains the gateway.")
    return [*found, content, manager]


def _needless(old: OldGateway, names: Names) -> list[FirewallChange]:
    target = old.deployment_name
    if not target or target == names.deployment_name:
        return []
    after = "When the old gateway is removed nothing answers there."
    clients = _close(CLIENTS, target, str(HTTPS), after)
    if old.model == "scale-set":
        ports = connection_point_ports(old.instances) if old.instances else _any_port()
        return [_close(CONNECTION_POINTS, target, ports, after), clients]
    return [
        _close(
            CONNECTION_POINTS,
            target,
            CLASSIC_PORTS,
            f"{after} A gateway on a scale set is reached over HTTPS only.",
            "TCP-TLS",
        ),
        _close(CONNECTION_POINTS, target, _any_port(), f"{after} These were the second choice."),
        clients,
    ]


def _any_port() -> str:
    return f"{HTTPS}, {FIRST_CONNECTION_POINT_PORT}-{LAST_CONNECTION_POINT_PORT}"


def _open(source: str, target: str, ports: str, why: str) -> FirewallChange:
    return FirewallChange(source=source, target=target, ports=ports, protocol="HTTPS", change="needed", why=why)


def _close(source: str, target: str, ports: str, why: str, protocol: Protocol = "HTTPS") -> FirewallChange:
    return FirewallChange(source=source, target=target, ports=ports, protocol=protocol, change="needless", why=why)

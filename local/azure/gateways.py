"""What stands behind an address: whether packets get through to a gateway, and what the gateway answers.

The path of a packet is followed as Azure's fabric would: public address, load balancer rule, backend pool, network
security groups, a machine that its probe finds healthy. The status texts are those of `procedures.md` ("Relays"):
`CMGService_…` was said by the gateway itself, `CMGConnector_…` came through a connection point.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from local.azure.dns import normal, resolve
from local.azure.messages import Request, Response
from local.azure.world import Body, CertificateVersion, Instance, Resource, World

HTTPS = 443
# A connection point dials 443 of a single machine, else one port a machine from 10124 on
# (Microsoft Learn, "Data flow for cloud management gateway").
FIRST_CHANNEL_PORT = 10124
# The header by which the synthetic clients stand for devices that sign in, and the path where they ask for locations.
# Both are the simulator's own: the real exchange is signed client messages.
CLIENT_HEADER = "x-cmg-client"
LOCATIONS_PATH = "/CCM_Proxy_ServerAuth/Locations"
PROXY_PATHS = "/ccm_proxy_"


@dataclass(frozen=True)
class Gateway:
    """A gateway that can be dialed on 443 now.

    `closed_channel_ports` are the ports that a connection point needs and cannot reach: not empty, no channel.
    """

    resource_id: str
    address: str
    certificate: CertificateVersion
    closed_channel_ports: tuple[int, ...] = ()

    def serves(self, service_name: str) -> bool:
        """Whether its certificate is good for that name (a wildcard stands for exactly one label)."""
        name = normal(service_name)
        return any(
            name == own or (own.startswith("*.") and "." in name and name.split(".", 1)[1] == own[2:])
            for own in map(normal, self.certificate.good_for)
        )


def reach(world: World, address: str, now: datetime) -> Gateway | None:
    """The gateway that a TLS handshake with `address` on 443 would meet at `now`; None when nobody answers there.

    A proxy passes the connection on to the name that stands behind it.
    """
    if (name := world.proxies.get(address)) is not None:
        behind = resolve(world, name, "A", "public", now).address
        return reach(world, behind, now) if behind is not None and behind not in world.proxies else None
    return _scale_set_gateway(world, address, now) or _classic_gateway(world, address, now)


def relay(world: World, gateway: Gateway, request: Request, now: datetime) -> Response:
    """The gateway's HTTP answer to a client.

    503 `CMGService_No_Connector` while no connection point is connected to it; otherwise what the management point
    says: 401 `CMGConnector_Unauthorized` to strangers, 200 to synthetic clients.
    """
    world.connections.setdefault(gateway.address, Counter())[int(now.timestamp()) // 60] += 1
    if not request.path.lower().startswith(PROXY_PATHS):
        return Response(404, reason="CMGService_Not_Found")
    site = world.site
    if site is None or not site.relays(gateway.address):
        return Response(503, reason="CMGService_No_Connector")
    if CLIENT_HEADER not in request.headers:
        return Response(401, reason="CMGConnector_Unauthorized")
    names = site.locations() if request.path == LOCATIONS_PATH else ()
    body = json.dumps({"locations": names}).encode()
    return Response(200, (("content-type", "application/json"),), body)


def _classic_gateway(world: World, address: str, now: datetime) -> Gateway | None:
    for service in world.of_type("Microsoft.ClassicCompute/domainNames"):
        certificate = world.classic_certificates.get(service.id.lower())
        healthy = any(machine.is_healthy(now) for machine in world.instances.get(service.id.lower(), []))
        if service.properties.get("virtualIpAddress") == address and certificate is not None and healthy:
            return Gateway(service.id, address, certificate)
    return None


def _scale_set_gateway(world: World, address: str, now: datetime) -> Gateway | None:
    public = next(
        (
            resource
            for resource in world.of_type("Microsoft.Network/publicIPAddresses")
            if resource.properties.get("ipAddress") == address
        ),
        None,
    )
    if public is None:
        return None
    for balancer in world.of_type("Microsoft.Network/loadBalancers"):
        frontends = {
            _key(frontend)
            for frontend in _list(balancer.properties, "frontendIPConfigurations")
            if _reference(frontend["properties"], "publicIPAddress") == public.id.lower()
        }
        for rule in _list(balancer.properties, "loadBalancingRules"):
            if _reference(rule["properties"], "frontendIPConfiguration") in frontends and _is_https(balancer, rule):
                gateway = _behind(world, balancer, _pools(rule["properties"]), address, now)
                if gateway is not None:
                    return gateway
    return None


def _is_https(balancer: Resource, rule: Body) -> bool:
    """Whether the rule carries 443 to 443 and its probe (if any) is one that a gateway answers: TCP on 443."""
    properties = rule["properties"]
    wanted = _reference(properties, "probe")
    probes = [probe["properties"] for probe in _list(balancer.properties, "probes") if _key(probe) == wanted]
    return (
        properties["protocol"].lower() in {"tcp", "all"}
        and (properties["frontendPort"], properties["backendPort"]) == (HTTPS, HTTPS)
        and all(probe["protocol"].lower() == "tcp" and probe["port"] == HTTPS for probe in probes)
    )


def _behind(world: World, balancer: Resource, pools: set[str], address: str, now: datetime) -> Gateway | None:
    for scale_set in world.of_type("Microsoft.Compute/virtualMachineScaleSets"):
        machines = world.instances.get(scale_set.id.lower(), [])
        certificate = _shown_certificate(world, machines, now)
        if certificate is None:
            continue
        for interface, configuration in _ip_configurations(scale_set):
            groups = _security_groups(world, interface, configuration)
            joined = _references(configuration, "loadBalancerBackendAddressPools")
            if joined & pools and _lets_in(groups, "internet", HTTPS) and _lets_in(groups, "azureloadbalancer", HTTPS):
                closed = tuple(
                    port
                    for port in _channel_ports(machines)
                    if not any(
                        _lets_in(groups, "internet", backend)
                        for backend in _backend_ports(balancer, configuration, joined, port)
                    )
                )
                return Gateway(scale_set.id, address, certificate, closed)
    return None


def _channel_ports(machines: list[Instance]) -> range:
    count = len(machines)
    return range(HTTPS, HTTPS + 1) if count == 1 else range(FIRST_CHANNEL_PORT, FIRST_CHANNEL_PORT + count)


def _backend_ports(balancer: Resource, configuration: Body, pools: set[str], port: int) -> Iterator[int]:
    """The machine's ports to which the balancer carries a frontend port: by rule, NAT pool or NAT rule."""
    for rule in _list(balancer.properties, "loadBalancingRules"):
        if rule["properties"]["frontendPort"] == port and _pools(rule["properties"]) & pools:
            yield rule["properties"]["backendPort"]
    nat_pools = _references(configuration, "loadBalancerInboundNatPools")
    for pool in _list(balancer.properties, "inboundNatPools"):
        of_pool = pool["properties"]
        within = of_pool["frontendPortRangeStart"] <= port <= of_pool["frontendPortRangeEnd"]
        if _key(pool) in nat_pools and within:
            yield of_pool["backendPort"]
    for rule in _list(balancer.properties, "inboundNatRules"):
        of_rule = rule["properties"]
        first = of_rule.get("frontendPortRangeStart") or of_rule.get("frontendPort") or 0
        last = of_rule.get("frontendPortRangeEnd") or first
        if first <= port <= last and _reference(of_rule, "backendAddressPool") in pools:
            yield of_rule["backendPort"]


def _shown_certificate(world: World, machines: list[Instance], now: datetime) -> CertificateVersion | None:
    """What a healthy machine shows: the first certificate that it was given."""
    given = (url for machine in machines if machine.is_healthy(now) for url in machine.certificate_urls)
    urls = (url.lower().rstrip("/") for url in given)
    return next((world.certificates[url] for url in urls if url in world.certificates), None)


def _ip_configurations(scale_set: Resource) -> Iterator[tuple[Body, Body]]:
    network = scale_set.properties["virtualMachineProfile"].get("networkProfile") or {}
    for interface in _list(network, "networkInterfaceConfigurations"):
        for configuration in _list(interface["properties"], "ipConfigurations"):
            yield interface["properties"], configuration["properties"]


def _security_groups(world: World, interface: Body, configuration: Body) -> list[Resource]:
    subnet_id = _reference(configuration, "subnet")
    subnets = (
        subnet
        for network in world.of_type("Microsoft.Network/virtualNetworks")
        for subnet in _list(network.properties, "subnets")
        if _key(subnet) == subnet_id
    )
    ids = [_reference(interface, "networkSecurityGroup")]
    ids += [_reference(subnet["properties"], "networkSecurityGroup") for subnet in subnets]
    return [group for group in (world.resources.get(group_id) for group_id in ids if group_id) if group is not None]


def _lets_in(groups: list[Resource], source: str, port: int) -> bool:
    """Whether every group lets TCP from the source tag to the port; Standard addresses are closed without a group."""
    return bool(groups) and all(_group_lets_in(group, source, port) for group in groups)


def _group_lets_in(group: Resource, source: str, port: int) -> bool:
    rules = [rule["properties"] for rule in _list(group.properties, "securityRules")]
    for rule in sorted(rules, key=lambda each: int(each["priority"])):
        sources = {entry.lower() for entry in _one_or_many(rule, "sourceAddressPrefix", "sourceAddressPrefixes")}
        if (
            rule["direction"].lower() == "inbound"
            and rule["protocol"].lower() in {"*", "tcp"}
            and sources & {"*", "any", "0.0.0.0/0", source}
            and any(
                _covers(entry, port) for entry in _one_or_many(rule, "destinationPortRange", "destinationPortRanges")
            )
        ):
            return str(rule["access"]).lower() == "allow"
    # Of the default rules only AllowAzureLoadBalancerInBound (65001) lets anything from outside the network in.
    return source == "azureloadbalancer"


def _covers(ports: str, port: int) -> bool:
    first, _, last = ports.partition("-")
    return ports == "*" or int(first) <= port <= int(last or first)


def _one_or_many(rule: Body, one: str, many: str) -> list[str]:
    return [rule[one]] if rule.get(one) else list(rule.get(many) or ())


def _pools(rule: Body) -> set[str]:
    return {_reference(rule, "backendAddressPool")} - {""} | _references(rule, "backendAddressPools")


def _references(body: Body, name: str) -> set[str]:
    return {str(entry["id"]).lower() for entry in _list(body, name)}


def _reference(body: Body, name: str) -> str:
    """The lower-case ID of a reference, empty without one."""
    return str((body.get(name) or {}).get("id", "")).lower()


def _key(child: Body) -> str:
    return str(child["id"]).lower()


def _list(body: Body, name: str) -> Iterable[Body]:
    return body.get(name) or ()

"""The company's site: its gateway records and its connection points, which find their gateway by DNS.

A connection point dials the service name of the gateway that it is linked to, by its server's hosts entry or by the
inside view of DNS (answers are kept for their TTL). At every check it looks whether its channel still stands and
whether the name still leads there, and dials anew otherwise. In the field the check comes once a minute.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from local.azure import operations
from local.azure.arm.dns_zones import make_record_set
from local.azure.dns import normal, resolve, zone_of
from local.azure.errors import AzureError
from local.azure.gateways import reach
from local.azure.receivers import ReceiverChange, change_receiver
from local.azure.seed_gateways import add_scale_set_gateway
from local.azure.seed_models import ScaleSetGatewaySeed
from local.azure.world import InsideRecord, World

ADDRESS_OF = ("@address-of:", "@deployment:")


class SiteError(ValueError):
    """The site cannot be what was asked for; the text says why."""


class _Edge(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GatewayRecordSeed(_Edge):
    """A gateway as the site's console lists it."""

    name: str
    service_name: str
    resource_id: str | None = None


class ConnectionPointSeed(_Edge):
    """A connection point; `hosts` is its server's hosts file: name to address (or `@address-of:<public name>`)."""

    server: str
    gateway: str
    service_name: str
    hosts: dict[str, str] = {}


class ClientsSeed(_Edge):
    """The synthetic clients. Intervals are in seconds of real time; `knows` are service names."""

    count: Annotated[int, Field(ge=1, le=16)] = 2
    location_interval_s: Annotated[float, Field(gt=0)] = 5.0
    attempt_interval_s: Annotated[float, Field(gt=0)] = 0.05
    knows: tuple[str, ...] = ()


class SiteSeed(_Edge):
    """The member `site` of a world's description."""

    code: str
    check_interval_s: Annotated[float, Field(gt=0)] = 60.0
    gateways: tuple[GatewayRecordSeed, ...] = ()
    connection_points: tuple[ConnectionPointSeed, ...] = ()
    clients: ClientsSeed = ClientsSeed()


class HostsChange(_Edge):
    """An entry of a server's hosts file; without an address the entry is taken out."""

    server: str
    name: str
    address: str | None = None


class InsideChange(_Edge):
    """A record of the inside view; it replaces those of the same name and type."""

    name: str
    type: Literal["A", "CNAME"] = "A"
    value: str
    ttl: Annotated[int, Field(ge=0)] = 60


class InsideName(_Edge):
    """The records of the inside view to take out: those of a name, or only of one type."""

    name: str
    type: Literal["A", "CNAME"] | None = None


class PublicChange(_Edge):
    """A CNAME in a public zone that others than the app change, in place of address records where there are any;
    without a value it is taken out."""

    name: str
    value: str | None = None
    ttl: Annotated[int, Field(ge=1)] = 3600


class SiteChange(_Edge):
    """What an administrator does, in this order when several are given: on premises, and what the site or another team
    then does in Azure (`add_scale_set_gateway`, `set_public_dns`), or what becomes of somebody's receiver of webhooks
    (`change_receiver`)."""

    add_scale_set_gateway: ScaleSetGatewaySeed | None = None
    set_public_dns: tuple[PublicChange, ...] = ()
    change_receiver: ReceiverChange | None = None

    add_gateway_record: GatewayRecordSeed | None = None
    set_inside_dns: tuple[InsideChange, ...] = ()
    remove_inside_dns: tuple[InsideName, ...] = ()
    set_hosts: HostsChange | None = None
    add_connection_point: ConnectionPointSeed | None = None
    remove_connection_point: str | None = None
    remove_gateway_record: str | None = None


@dataclass
class ConnectionPoint:
    """A connection point: where its channel leads (`connected_to`, an address) and why it has none (`trouble`)."""

    server: str
    gateway: str
    service_name: str
    hosts: dict[str, str]
    next_check_at: datetime
    connected_to: str | None = None
    trouble: str | None = None
    known_address: str | None = None
    known_until: datetime | None = None


@dataclass
class Site:
    """The site as it stands. Keys are lower case."""

    code: str
    check_interval: timedelta
    gateways: dict[str, GatewayRecordSeed]
    connection_points: dict[str, ConnectionPoint]
    clients: ClientsSeed

    def relays(self, address: str) -> bool:
        """Whether a connection point holds a channel to the gateway at that address."""
        return any(point.connected_to == address for point in self.connection_points.values())

    def locations(self) -> tuple[str, ...]:
        """The service names that a client is told: of every recorded gateway with a connected connection point."""
        connected = {point.gateway.lower() for point in self.connection_points.values() if point.connected_to}
        return tuple(sorted({normal(self.gateways[key].service_name) for key in connected & set(self.gateways)}))


def site_from_seed(world: World, seed: object, now: datetime) -> Site:
    """The site that the world's description asks for; resources and DNS must be in the world already.

    Raises pydantic's ValidationError for a wrong shape, SiteError for names that do not fit together.
    """
    wanted = SiteSeed.model_validate(seed)
    site = Site(
        wanted.code,
        timedelta(seconds=wanted.check_interval_s),
        {record.name.lower(): record for record in wanted.gateways},
        {},
        wanted.clients,
    )
    for point in wanted.connection_points:
        _add_connection_point(world, site, point, now)
    return site


def apply_site(world: World, change: object, now: datetime) -> None:
    """Does on premises what an administrator would: `change` as `SiteChange` has it.

    Addresses may be written `@address-of:<public name>`, which is looked up now. Raises pydantic's ValidationError or
    SiteError, before anything has changed where the shape is wrong.
    """
    wanted = SiteChange.model_validate(change)
    if wanted.change_receiver is not None:
        _change_receiver(world, wanted.change_receiver)
    site = world.site
    if site is None:
        raise SiteError("this world has no site: seed one first")
    advance(world, now)
    if wanted.add_scale_set_gateway is not None:
        try:
            add_scale_set_gateway(world, wanted.add_scale_set_gateway, now)
        except (AzureError, ValueError) as problem:
            raise SiteError(f"the site cannot make that gateway: {problem}") from problem
    for public in wanted.set_public_dns:
        _change_public(world, public, now)
    if (record := wanted.add_gateway_record) is not None:
        site.gateways[record.name.lower()] = record
    for entry in wanted.set_inside_dns:
        _remove_inside(world, InsideName(name=entry.name, type=entry.type))
        value = written_address(world, entry.value, now)
        world.inside_dns.append(InsideRecord(entry.name, entry.type, value, entry.ttl))
    for gone in wanted.remove_inside_dns:
        if not _remove_inside(world, gone):
            raise SiteError(f"the inside view has no record {gone.name}")
    if (hosts := wanted.set_hosts) is not None:
        point = _point(site, hosts.server)
        point.hosts.pop(normal(hosts.name), None)
        if hosts.address is not None:
            point.hosts[normal(hosts.name)] = written_address(world, hosts.address, now)
    if wanted.add_connection_point is not None:
        _add_connection_point(world, site, wanted.add_connection_point, now)
    if wanted.remove_connection_point is not None:
        del site.connection_points[_point(site, wanted.remove_connection_point).server.lower()]
    if (name := wanted.remove_gateway_record) is not None and site.gateways.pop(name.lower(), None) is None:
        raise SiteError(f"the site has no gateway record {name}: it has {_listed(site.gateways)}")


def advance(world: World, now: datetime) -> None:
    """Lets every connection point make the checks that are due up to `now`.

    Callers advance before they change the world, so it stands still between two calls and a check remembers nothing
    but its DNS answer: of many checks that are due only the last is made.
    """
    operations.advance(world, now)
    site = world.site
    if site is not None:
        for point in site.connection_points.values():
            if point.next_check_at <= now:
                _check(world, point, site.check_interval, now)


def _check(world: World, point: ConnectionPoint, interval: timedelta, now: datetime) -> None:
    first = point.next_check_at
    at = first + (now - first) // interval * interval
    address = _dialed_address(world, point, interval, first, at)
    gateway = reach(world, address, at) if address is not None else None
    point.next_check_at = at + interval
    point.connected_to = None
    if address is None:
        point.trouble = f"{point.service_name} does not resolve"
    elif gateway is None:
        point.trouble = f"nobody answers at {address}:443"
    elif not gateway.serves(point.service_name):
        point.trouble = f"{address} shows a certificate for {', '.join(gateway.certificate.good_for)}"
    elif gateway.closed_channel_ports:
        point.trouble = f"{address} is closed on port {', '.join(map(str, gateway.closed_channel_ports))}"
    else:
        point.connected_to, point.trouble = address, None


def _dialed_address(
    world: World, point: ConnectionPoint, interval: timedelta, first: datetime, last: datetime
) -> str | None:
    """Where the checks from `first` to `last` lead: the hosts entry, or the answer asked for as the last ended."""
    name = normal(point.service_name)
    if name in point.hosts:
        point.known_until = None
        return point.hosts[name]
    if point.known_until is None or point.known_until <= last:
        answer = resolve(world, name, "A", "inside", last)
        ttl = timedelta(seconds=answer.ttl if answer.address else 0)
        asked = first + _whole(max(point.known_until or first, first) - first, interval)
        rhythm = max(_whole(ttl, interval), interval)
        asked += (last - asked) // rhythm * rhythm
        point.known_address, point.known_until = answer.address, asked + ttl
    return point.known_address


def _whole(span: timedelta, interval: timedelta) -> timedelta:
    """The span rounded up to whole intervals."""
    return -(-span // interval) * interval


def _add_connection_point(world: World, site: Site, seed: ConnectionPointSeed, now: datetime) -> None:
    if seed.gateway.lower() not in site.gateways:
        raise SiteError(
            f"connection point {seed.server}: no gateway record {seed.gateway}; there is {_listed(site.gateways)}"
        )
    if seed.server.lower() in site.connection_points:
        raise SiteError(f"{seed.server} holds a connection point already: one to a site system")
    hosts = {normal(name): written_address(world, value, now) for name, value in seed.hosts.items()}
    site.connection_points[seed.server.lower()] = ConnectionPoint(
        seed.server, seed.gateway, seed.service_name, hosts, next_check_at=now
    )


def written_address(world: World, value: str, now: datetime) -> str:
    prefix = next((prefix for prefix in ADDRESS_OF if value.startswith(prefix)), None)
    if prefix is None:
        return value
    name = value.removeprefix(prefix)
    address = resolve(world, name, "A", "public", now).address
    if address is None:
        raise SiteError(f"{name} has no public address at this time")
    return address


def _change_receiver(world: World, change: ReceiverChange) -> None:
    receiver = world.receivers.get(normal(change.host))
    if receiver is None:
        raise SiteError(f"no receiver of this world is {change.host}: there is {', '.join(world.receivers) or 'none'}")
    change_receiver(receiver, change)


def _remove_inside(world: World, gone: InsideName) -> bool:
    kept = [
        record
        for record in world.inside_dns
        if normal(record.name) != normal(gone.name) or (gone.type is not None and record.type.upper() != gone.type)
    ]
    found = len(kept) != len(world.inside_dns)
    world.inside_dns[:] = kept
    return found


def _change_public(world: World, change: PublicChange, now: datetime) -> None:
    above = zone_of(world, change.name)
    zone = next(
        (each for each in world.of_type("Microsoft.Network/dnsZones") if above and each.name == above.name), None
    )
    if zone is None:
        raise SiteError(f"no zone of this world holds {change.name}")
    relative = normal(change.name)[: -len(zone.name) - 1]
    if change.value is None:
        standing = world.resource(f"{zone.id}/CNAME/{relative}")
        if standing is None:
            raise SiteError(f"there is no public CNAME {change.name}")
        operations.forget(world, standing)
        return
    for kind in ("A", "AAAA"):
        if (address := world.resource(f"{zone.id}/{kind}/{relative}")) is not None:
            operations.forget(world, address)
    properties = {"TTL": change.ttl, "CNAMERecord": {"cname": change.value}}
    make_record_set(world, now, zone, "CNAME", relative, properties)


def _point(site: Site, server: str) -> ConnectionPoint:
    point = site.connection_points.get(server.lower())
    if point is None:
        raise SiteError(f"no connection point on {server}: there is {_listed(site.connection_points)}")
    return point


def _listed(names: dict[str, GatewayRecordSeed] | dict[str, ConnectionPoint]) -> str:
    return ", ".join(sorted(names)) or "none"

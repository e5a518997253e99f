"""The simulated DNS: what a name says to the world outside and to the company's inside view.

Sources, in this order: the inside view's own records, receivers of webhooks, Azure DNS zones, the labels of public
addresses, classic cloud services. The public answers are what the DNS server gives; the inside ones are what connection
points see. «Elsewhere» are servers of the internet that show another view of some names (split-horizon, or an older
answer that is still held).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from local.azure.world import Body, InsideRecord, Resource, World

type View = Literal["public", "elsewhere", "inside"]
type Rcode = Literal["NOERROR", "NXDOMAIN", "SERVFAIL"]

# Azure's own zones under which addresses get their names; azure-dns names are those of its name servers.
DEPLOYMENT_ZONES = ("cloudapp.azure.com", "cloudapp.net", "cloudapp.usgovcloudapi.net", "usgovcloudapp.net")
NAME_SERVER_ZONES = ("azure-dns.com", "azure-dns.net", "azure-dns.org", "azure-dns.info")
NAME_SERVERS = tuple(f"ns{n}-01.{zone}" for n, zone in enumerate(NAME_SERVER_ZONES, start=1))
NAME_SERVER = re.compile(r"ns[1-4]-\d+\.azure-dns\.(com|net|org|info)")
NAME_SERVER_ADDRESS = "127.0.0.1"
# Observed on names under cloudapp.azure.com and cloudapp.net (general knowledge, not documented).
LABEL_TTL = 10
CLASSIC_TTL = 60
NEGATIVE_TTL = 300
RECEIVER_TTL = 60
LONGEST_CHAIN = 8


class Record(NamedTuple):
    """One resource record; names are lower case without a closing dot, `ttl` is in seconds."""

    owner: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True)
class Answer:
    """What a query gives: the chain of records in order. NOERROR without a record of the type asked is NODATA."""

    rcode: Rcode
    records: tuple[Record, ...] = ()

    @property
    def address(self) -> str | None:
        """The first address of the chain."""
        return next((record.value for record in self.records if record.type == "A"), None)

    @property
    def ttl(self) -> int:
        """How long the whole chain may be kept, in seconds."""
        return min((record.ttl for record in self.records), default=0)


@dataclass(frozen=True)
class DnsLogEntry:
    """A public answer that differs from the one before it for the same name and type."""

    at: datetime
    name: str
    type: str
    answer: Answer


@dataclass(frozen=True)
class Zone:
    """A zone's apex and its name servers."""

    name: str
    name_servers: tuple[str, ...]

    def soa(self) -> Record:
        """The zone's start of authority, as Azure DNS writes it."""
        value = f"{self.name_servers[0]}. azuredns-hostmaster.microsoft.com. 1 3600 300 2419200 {NEGATIVE_TTL}"
        return Record(self.name, "SOA", 3600, value)


def normal(name: str) -> str:
    """A name as this module compares it: lower case, no closing dot."""
    return name.rstrip(".").lower()


def resolve(world: World, name: str, rrtype: str, view: View, now: datetime) -> Answer:
    """Resolves a name as the public or the inside view shows it at `now`, CNAMEs followed.

    Changed public answers are noted in `world.dns_log`.
    """
    asked, wanted = normal(name), rrtype.upper()
    answer = _follow(world, asked, wanted, view)
    if view == "public":
        entries = (entry for entry in reversed(world.dns_log) if (entry.name, entry.type) == (asked, wanted))
        before = next(entries, None)
        if before is None or before.answer != answer:
            world.dns_log.append(DnsLogEntry(now, asked, wanted, answer))
    return answer


def zone_of(world: World, name: str) -> Zone | None:
    """The closest zone at or above a name, None where this Azure answers for none."""
    found = _azure_zone(world, normal(name))
    if found is not None:
        return Zone(found.name.lower(), _name_servers(found))
    if normal(name) in world.receivers:
        return Zone(normal(name), NAME_SERVERS)
    above = (zone for zone in (*DEPLOYMENT_ZONES, *NAME_SERVER_ZONES) if _is_within(normal(name), zone))
    return next((Zone(zone, NAME_SERVERS) for zone in above), None)


def _follow(world: World, name: str, wanted: str, view: View) -> Answer:
    records: list[Record] = []
    for _ in range(LONGEST_CHAIN):
        there = _records_at(world, name, view)
        if there is None:
            return Answer("NXDOMAIN", tuple(records))
        matching = [record for record in there if record.type == wanted]
        alias = next((record for record in there if record.type == "CNAME"), None)
        if matching or alias is None:
            return Answer("NOERROR", (*records, *matching))
        records.append(alias)
        name = alias.value
    return Answer("SERVFAIL")


def _records_at(world: World, name: str, view: View) -> list[Record] | None:
    """Everything at exactly that name; None when the name does not exist."""
    own = [
        Record(name, entry.type.upper(), entry.ttl, _value(entry.type, entry.value))
        for entry in _OWN[view](world)
        if normal(entry.name) == name
    ]
    if own:
        return own
    if (receiver := world.receivers.get(name)) is not None:
        return [Record(name, "A", RECEIVER_TTL, address) for address in receiver.resolved()]
    zone = _azure_zone(world, name)
    if zone is not None:
        return _zone_records(world, zone, name)
    if NAME_SERVER.fullmatch(name):
        return [Record(name, "A", 3600, NAME_SERVER_ADDRESS)]
    deployment = _deployment_address(world, name)
    if deployment is not None:
        return [deployment]
    above = zone_of(world, name)
    return [above.soa(), *_ns_records(above)] if above is not None and above.name == name else None


_OWN: dict[View, Callable[[World], Sequence[InsideRecord]]] = {
    "public": lambda _: (),
    "elsewhere": lambda world: world.elsewhere_dns,
    "inside": lambda world: world.inside_dns,
}
"""The records that a view has for itself."""


def _azure_zone(world: World, name: str) -> Resource | None:
    zones = (zone for zone in world.of_type("Microsoft.Network/dnsZones") if _is_within(name, zone.name.lower()))
    return max(zones, key=lambda zone: len(zone.name), default=None)


def _zone_records(world: World, zone: Resource, name: str) -> list[Record] | None:
    apex = zone.name.lower()
    relative = "@" if name == apex else name[: -len(apex) - 1]
    sets = {(kind, entry): resource for kind, entry, resource in _record_sets(world, zone)}
    names = {entry for _, entry in sets}
    exists = relative in names or any(entry.endswith(f".{relative}") for entry in names)
    labels = relative.split(".")
    wildcards = ("*." + ".".join(labels[n:]) if n < len(labels) else "*" for n in range(1, len(labels) + 1))
    source = relative if exists or relative == "@" else next((card for card in wildcards if card in names), None)
    if source is None:
        return None
    found = [
        Record(name, kind, int(resource.properties["TTL"]), value)
        for (kind, entry), resource in sets.items()
        if entry == source and not (relative == "@" and kind in {"SOA", "NS"})
        for value in _values(kind, resource.properties)
    ]
    own = Zone(apex, _name_servers(zone))
    return [*found, own.soa(), *_ns_records(own)] if relative == "@" else found


def _record_sets(world: World, zone: Resource) -> Iterator[tuple[str, str, Resource]]:
    for resource in world.children(zone.id):
        yield resource.type.rsplit("/", 1)[1].upper(), resource.id.rsplit("/", 1)[1].lower(), resource


def _values(kind: str, properties: Body) -> list[str]:
    match kind:
        case "A":
            return [entry["ipv4Address"] for entry in properties.get("ARecords") or []]
        case "AAAA":
            return [entry["ipv6Address"] for entry in properties.get("AAAARecords") or []]
        case "CNAME":
            alias = properties.get("CNAMERecord")
            return [normal(alias["cname"])] if alias else []
        case "TXT":
            return ["".join(entry["value"]) for entry in properties.get("TXTRecords") or []]
        case _:
            return []


def _value(kind: str, value: str) -> str:
    return normal(value) if kind.upper() == "CNAME" else value


def _name_servers(zone: Resource) -> tuple[str, ...]:
    return tuple(normal(server) for server in zone.properties.get("nameServers") or ()) or NAME_SERVERS


def _ns_records(zone: Zone) -> list[Record]:
    return [Record(zone.name, "NS", 172800, server) for server in zone.name_servers]


def _deployment_address(world: World, name: str) -> Record | None:
    for address in world.of_type("Microsoft.Network/publicIPAddresses"):
        label = (address.properties.get("dnsSettings") or {}).get("fqdn")
        if label and normal(label) == name and address.properties.get("ipAddress"):
            return Record(name, "A", LABEL_TTL, address.properties["ipAddress"])
    for service in world.of_type("Microsoft.ClassicCompute/domainNames"):
        host, address_there = service.properties.get("hostName"), service.properties.get("virtualIpAddress")
        if host and normal(host) == name and address_there:
            return Record(name, "A", CLASSIC_TTL, address_there)
    return None


def _is_within(name: str, zone: str) -> bool:
    return name == zone or name.endswith(f".{zone}")

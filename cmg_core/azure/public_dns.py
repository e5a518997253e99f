"""The PublicDns port over dnspython: what each server says of a name, asked one by one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cmg_core.domain.public_addresses import is_public
from cmg_core.services import NameView

if TYPE_CHECKING:
    from dns.message import Message

PATIENCE_SECONDS = 3.0
LONGEST_CHAIN = 16
"""Aliases that are followed within one answer."""
MOST_SERVERS = 8
"""Of a zone's own servers so many are asked: whoever holds a zone may name hundreds."""
MOST_ADDRESSES = 32
"""Of one answer so many are kept."""


@dataclass(frozen=True)
class DnsServer:
    """A server's IP address and port."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        return self.address if self.port == 53 else f"{self.address}:{self.port}"


WELL_KNOWN = (DnsServer("1.1.1.1"), DnsServer("8.8.8.8"), DnsServer("9.9.9.9"))
"""Public resolvers of three companies (Cloudflare, Google, Quad9): one company's cache is not the world."""


class AskedDns:
    """Asks the servers of the settings; without any, the well-known resolvers and the zone's authoritative servers."""

    def __init__(self, servers: Sequence[DnsServer] = ()) -> None:
        self._servers = tuple(servers)

    async def views(self, name: str) -> Sequence[NameView]:
        servers = self._servers or (*WELL_KNOWN, *await authoritative_servers(name, WELL_KNOWN))
        return await asyncio.gather(*(_view(server, name) for server in servers))


async def authoritative_servers(name: str, resolvers: Sequence[DnsServer]) -> Sequence[DnsServer]:
    """The servers of the zone that holds ``name``, as the resolvers tell; none where they cannot be found."""
    import dns.asyncresolver
    import dns.exception
    import dns.nameserver
    import dns.rdtypes.ANY.NS

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(server.address, server.port) for server in resolvers]
    resolver.lifetime = PATIENCE_SECONDS
    try:
        zone = await dns.asyncresolver.zone_for_name(name, resolver=resolver, lifetime=PATIENCE_SECONDS)
        hosts = [record.target for record in await resolver.resolve(zone, "NS")][:MOST_SERVERS]
        answers = await asyncio.gather(*(resolver.resolve(host, "A") for host in hosts), return_exceptions=True)
    except (dns.exception.DNSException, OSError):
        return ()
    found = [answer[0].address for answer in answers if not isinstance(answer, BaseException)]
    return [DnsServer(address) for address in found if is_public(address)]


async def _view(server: DnsServer, name: str) -> NameView:
    import dns.exception
    import dns.rcode

    try:
        answer = await _asked(server, name, "A")
        if not answer.answer and answer.rcode() == dns.rcode.NOERROR:
            # A name with addresses of version 6 alone is no free name.
            answer = await _asked(server, name, "AAAA")
    except dns.exception.Timeout:
        return NameView(str(server), failure=f"no answer within {PATIENCE_SECONDS:.0f} s")
    except (dns.exception.DNSException, OSError) as error:
        return NameView(str(server), failure=str(error) or type(error).__name__)
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return NameView(str(server), failure=f"answered {dns.rcode.to_text(answer.rcode())}")
    return _read(server, name, answer)


async def _asked(server: DnsServer, name: str, kind: str) -> "Message":
    import dns.asyncquery
    import dns.message

    query = dns.message.make_query(name, kind)
    answer, _ = await dns.asyncquery.udp_with_fallback(
        query, server.address, timeout=PATIENCE_SECONDS, port=server.port
    )
    return answer


def _read(server: DnsServer, name: str, answer: "Message") -> NameView:
    """Follow the aliases inside one answer: an authoritative server may know the first link only."""
    import dns.flags
    import dns.name
    import dns.rdataclass
    import dns.rdatatype

    owner, targets, ttl = dns.name.from_text(name), list[str](), 0
    for _ in range(LONGEST_CHAIN):
        alias = answer.get_rrset(answer.answer, owner, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if alias is None:
            break
        owner = alias[0].target
        targets.append(owner.to_text(omit_final_dot=True).lower())
        ttl = max(ttl, alias.ttl)
    kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
    sets = (answer.get_rrset(answer.answer, owner, dns.rdataclass.IN, kind) for kind in kinds)
    found = next((rrset for rrset in sets if rrset is not None), None)
    if found is not None and not targets:
        ttl = found.ttl
    return NameView(
        str(server),
        targets=tuple(targets),
        addresses=tuple(record.address for record in found or ())[:MOST_ADDRESSES],
        ttl=timedelta(seconds=ttl),
        authoritative=bool(answer.flags & dns.flags.AA),
    )

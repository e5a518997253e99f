"""The simulator's DNS server (UDP and TCP): authoritative for every simulated zone, and the public resolver in one."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from local.azure.dns import NEGATIVE_TTL, Record, resolve, zone_of
from local.azure.world import World

type Now = Callable[[], datetime]
type Worlds = Callable[[], World]


def answer_query(world: World, wire: bytes, now: datetime) -> bytes | None:
    """The wire answer to a wire query, None for what is no query (it gets silence)."""
    try:
        query = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR or len(query.question) != 1:
        return None
    question = query.question[0]
    response = dns.message.make_response(query, recursion_available=True)
    name = question.name.to_text()
    zone = zone_of(world, name)
    if zone is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()
    wanted = dns.rdatatype.to_text(question.rdtype)
    answer = resolve(world, name, wanted, "public", now)
    response.flags |= dns.flags.AA
    response.set_rcode(dns.rcode.from_text(answer.rcode))
    response.answer = [
        _rrset(list(records)) for _, records in groupby(answer.records, key=lambda record: (record.owner, record.type))
    ]
    if not any(record.type == wanted for record in answer.records):
        # What is not there is not there in the zone where the chain of CNAMEs ended.
        end = zone_of(world, answer.records[-1].value) if answer.records else zone
        if end is not None:
            response.authority.append(_rrset([end.soa()._replace(ttl=NEGATIVE_TTL)]))
    return response.to_wire()


def _rrset(records: Sequence[Record]) -> dns.rrset.RRset:
    """The set that records of one name and type make."""
    owner, rrtype, ttl, _ = records[0]
    return dns.rrset.from_text_list(f"{owner}.", ttl, "IN", rrtype, [_text(record) for record in records])


def _text(record: Record) -> str:
    match record.type:
        case "CNAME" | "NS":
            return f"{record.value}."
        case "TXT":
            return '"' + record.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return record.value


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, world: Worlds, now: Now) -> None:
        self._world = world
        self._now = now
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = answer_query(self._world(), data, self._now())
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class DnsServer:
    """Listens on one loopback port for UDP and TCP; `port` is known after `start`."""

    def __init__(self, world: Worlds, now: Now) -> None:
        self._world = world
        self._now = now
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listens; port 0 takes a free one. Raises OSError where the port is taken."""
        self._tcp = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(self._world, self._now), local_addr=("127.0.0.1", self.port)
        )

    async def stop(self) -> None:
        """Stops listening."""
        self._udp.close()
        self._tcp.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2))
                answer = answer_query(self._world(), await reader.readexactly(size), self._now())
                if answer is None:
                    break
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

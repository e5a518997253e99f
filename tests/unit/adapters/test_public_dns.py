"""What DNS servers say, asked over real sockets on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from cmg_core.azure import public_dns
from cmg_core.azure.public_dns import AskedDns, DnsServer, authoritative_servers
from cmg_core.services import NameView

type Answerer = Callable[[dns.message.Message], dns.message.Message | None]


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answerer(dns.message.from_wire(data))
        if answer is not None:
            self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def server(answerer: Answerer) -> AsyncIterator[DnsServer]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(answerer), local_addr=("127.0.0.1", 0)
    )
    try:
        yield DnsServer("127.0.0.1", transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


def saying(*records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> Answerer:
    """Answers every question with the same records (``owner ttl type value``)."""

    def answer(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        for record in records:
            owner, ttl, kind, value = record.split(" ", 3)
            response.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, value))
        return response

    return answer


def view(answerer: Answerer, name: str = "GraniteFalls.contoso.com") -> NameView:
    async def ask() -> NameView:
        async with server(answerer) as one:
            (seen,) = await AskedDns([one]).views(name)
            assert seen.server == str(one)
            return seen

    return asyncio.run(ask())


def test_a_resolver_follows_every_alias() -> None:
    seen = view(
        saying(
            "granitefalls.contoso.com. 300 CNAME Label.WestEurope.cloudapp.azure.com.",
            "label.westeurope.cloudapp.azure.com. 10 CNAME b.example.",
            "b.example. 60 A 192.0.2.1",
        )
    )
    assert seen.targets == ("label.westeurope.cloudapp.azure.com", "b.example")
    assert (seen.addresses, seen.ttl, seen.failure) == (("192.0.2.1",), timedelta(seconds=300), "")


def test_an_answer_is_held_as_long_as_any_link_of_its_chain() -> None:
    seen = view(
        saying(
            "granitefalls.contoso.com. 60 CNAME gateway.contoso.com.",
            "gateway.contoso.com. 3600 CNAME old.cloudapp.net.",
            "old.cloudapp.net. 86400 A 192.0.2.1",
        )
    )
    assert seen.ttl == timedelta(hours=1)


def test_an_authoritative_server_may_know_the_first_link_only() -> None:
    seen = view(saying("granitefalls.contoso.com. 60 CNAME a.example."))
    assert (seen.targets, seen.addresses, seen.ttl) == (("a.example",), (), timedelta(minutes=1))


def test_a_name_that_is_no_alias() -> None:
    seen = view(saying("granitefalls.contoso.com. 30 A 192.0.2.7"))
    assert (seen.targets, seen.addresses, seen.ttl) == ((), ("192.0.2.7",), timedelta(seconds=30))


def test_a_name_that_does_not_exist_is_an_answer_and_no_failure() -> None:
    seen = view(saying(rcode=dns.rcode.NXDOMAIN))
    assert (seen.targets, seen.addresses, seen.failure) == ((), (), "")


def test_a_dangling_alias_shows_its_target() -> None:
    seen = view(saying("granitefalls.contoso.com. 60 CNAME gone.example.", rcode=dns.rcode.NXDOMAIN))
    assert seen.targets == ("gone.example",)


def test_a_server_that_refuses_is_a_view_with_a_failure() -> None:
    assert view(saying(rcode=dns.rcode.SERVFAIL)).failure == "answered SERVFAIL"


def test_a_loop_of_aliases_ends() -> None:
    loop = ("granitefalls.contoso.com. 60 CNAME a.example.", "a.example. 60 CNAME granitefalls.contoso.com.")
    assert view(saying(*loop)).addresses == ()


def test_a_name_that_is_none_is_a_view_with_a_failure() -> None:
    assert view(saying(), "a" * 64 + ".contoso.com").failure


def test_a_silent_server_leaves_the_others_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_dns, "PATIENCE_SECONDS", 0.5)

    async def ask() -> None:
        async with server(lambda _: None) as silent, server(saying("granitefalls.contoso.com. 5 A 192.0.2.7")) as other:
            first, second = await AskedDns([silent, other]).views("granitefalls.contoso.com")
            assert "no answer" in first.failure
            assert second.addresses == ("192.0.2.7",)

    asyncio.run(ask())


def test_the_zones_own_servers_are_found_by_their_names() -> None:
    def zone(query: dns.message.Message) -> dns.message.Message:
        asked = query.question[0].to_text()
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        records = {
            "contoso.com. IN SOA": ["contoso.com. 60 IN SOA ns1.example. m.example. 1 2 3 4 5"],
            "contoso.com. IN NS": ["contoso.com. 60 IN NS ns1.example.", "contoso.com. 60 IN NS ns2.example."],
            "ns1.example. IN A": ["ns1.example. 60 IN A 20.150.10.53"],
        }.get(asked, [])
        for record in records:
            owner, ttl, kind, value = record.replace(" IN", "", 1).split(" ", 3)
            found = response.find_rrset(response.answer, *_key(owner, kind), create=True)
            found.update(dns.rrset.from_text(owner, int(ttl), "IN", kind, value))
        return response

    async def ask() -> None:
        async with server(zone) as resolver:
            found = await authoritative_servers("granitefalls.contoso.com", [resolver])
            assert list(found) == [DnsServer("20.150.10.53")]

    asyncio.run(ask())


def test_no_zone_found_leaves_the_resolvers_alone() -> None:
    async def ask() -> None:
        async with server(saying(rcode=dns.rcode.REFUSED)) as resolver:
            assert list(await authoritative_servers("granitefalls.contoso.com", [resolver])) == []

    asyncio.run(ask())


def test_a_hostile_zone_makes_the_app_ask_few_servers_and_none_inside() -> None:
    names = [f"ns{number}.example." for number in range(200)]
    addresses = {"ns0.example.": "169.254.169.254", "ns1.example.": "10.1.2.3", "ns2.example.": "127.0.0.1"}
    asked: list[str] = []

    def zone(query: dns.message.Message) -> dns.message.Message:
        (question,) = query.question
        owner, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        found: list[str] = []
        if owner == "contoso.com.":
            found = {"SOA": ["ns0.example. m.example. 1 2 3 4 5"], "NS": names[:30]}.get(kind, [])
        elif kind == "A" and owner in names:
            asked.append(owner)
            found = [addresses.get(owner, f"20.150.10.{names.index(owner)}")]
        if found:
            response.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, *found))
        return response

    async def ask() -> None:
        async with server(zone) as resolver:
            servers = await authoritative_servers("granitefalls.contoso.com", [resolver])
        assert len(asked) == public_dns.MOST_SERVERS
        assert not [one for one in servers if one.address in addresses.values()]

    asyncio.run(ask())


def test_of_an_enormous_answer_little_is_kept() -> None:
    many = dns.rrset.from_text("granitefalls.contoso.com.", 60, "IN", "A", *(f"192.0.2.{n}" for n in range(250)))
    response = dns.message.make_response(dns.message.make_query("granitefalls.contoso.com", "A"))
    response.answer.append(many)
    answer = dns.message.from_wire(response.to_wire())
    seen = public_dns._read(DnsServer("192.0.2.53"), "granitefalls.contoso.com", answer)
    assert len(seen.addresses) == public_dns.MOST_ADDRESSES


@pytest.mark.parametrize("wire", [b"", b"\x00" * 11, b"\xff" * 600])
def test_what_is_no_dns_answer_is_a_view_with_a_failure(wire: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_dns, "PATIENCE_SECONDS", 0.3)

    class Raw(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.DatagramTransport)
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(data[:2] + wire, addr)

    async def ask() -> NameView:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Raw, local_addr=("127.0.0.1", 0))
        try:
            port = transport.get_extra_info("sockname")[1]
            return (await AskedDns([DnsServer("127.0.0.1", port)]).views("granitefalls.contoso.com"))[0]
        finally:
            transport.close()

    assert asyncio.run(ask()).failure


def _key(owner: str, kind: str) -> tuple[dns.name.Name, dns.rdataclass.RdataClass, dns.rdatatype.RdataType]:
    return dns.name.from_text(owner), dns.rdataclass.IN, dns.rdatatype.from_text(kind)


def test_a_name_with_addresses_of_version_6_alone_is_no_free_name() -> None:
    def answer(query: dns.message.Message) -> dns.message.Message:
        is_for_6 = query.question[0].rdtype == dns.rdatatype.AAAA
        return saying(*(["granitefalls.contoso.com. 30 AAAA 2001:db8::7"] if is_for_6 else []))(query)  # type: ignore[return-value]  # it answers

    seen = view(answer)
    assert (seen.targets, seen.addresses, seen.ttl) == ((), ("2001:db8::7",), timedelta(seconds=30))


@pytest.mark.parametrize("flags", [0, int(dns.flags.AA)])
def test_an_authority_says_that_it_is_one(flags: int) -> None:
    def answer(query: dns.message.Message) -> dns.message.Message:
        response = saying("granitefalls.contoso.com. 60 CNAME a.example.")(query)
        assert response is not None
        response.flags |= flags
        return response

    assert view(answer).authoritative is bool(flags)

"""The proxy and the DNS server over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import dns.asyncresolver
import dns.message
import dns.query
import dns.resolver
import h11
import pytest

from local.azure.clients_main import ClientsOrder
from local.azure.clients_process import ClientsError, ClientsProcess
from local.azure.dns_server import DnsServer
from local.azure.gateways import CLIENT_HEADER, LOCATIONS_PATH
from local.azure.proxy import Proxy
from local.azure.simulator import Simulator
from local.azure.site import advance
from local.azure.tls import ServerContexts
from local.azure.world import World
from tests.unit.azure_world.worlds import (
    DEPLOYMENT,
    DOMAIN,
    NEW_ADDRESS,
    OLD_ADDRESS,
    SERVICE,
    authority,
    certificate,
    flip,
    granite_falls,
    world,
)

METADATA = "/CCM_Proxy_ServerAuth/ServiceMetadata"
DEVICE = (CLIENT_HEADER, "device")


class Refused(Exception):
    """The proxy did not let the CONNECT through."""


class Dialed:
    """A TLS connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._http = h11.Connection(h11.CLIENT)

    def leaf(self) -> bytes | None:
        """The certificate that was shown."""
        shown = self.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert shown is None or isinstance(shown, bytes)
        return shown

    async def ask(
        self, method: str, target: str, *headers: tuple[str, str], body: bytes = b""
    ) -> tuple[int, str, bytes]:
        """Status, reason and body of the answer; the connection can be used again."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        given = [("host", "x"), ("content-length", str(len(body))), *headers]
        for part in (h11.Request(method=method, target=target, headers=given), h11.Data(data=body)):
            self.writer.write(self._http.send(part) or b"")
        self.writer.write(self._http.send(h11.EndOfMessage()) or b"")
        answer = b""
        head: h11.Response | None = None
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                answer += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return head.status_code, head.reason.decode(), answer


class Shells:
    """A proxy and a DNS server before one world; `tls` trusts what the bundle and the gateways' authority vouch for."""

    def __init__(self, made: World, bundle: Path) -> None:
        self.world = made
        self.simulator = Simulator(made)
        contexts = ServerContexts()
        contexts.write_bundle(bundle, [authority().cert_pem.bytes()])
        self.proxy = Proxy(lambda: self.simulator, contexts, lambda: datetime.now(UTC))
        self.names = DnsServer(lambda: made, lambda: datetime.now(UTC))
        self.tls = ssl.create_default_context(cafile=str(bundle))

    @asynccontextmanager
    async def dial(self, host: str, name: str | None = None) -> AsyncIterator[Dialed]:
        """A connection to the host; `name` is the SNI where it is another. Raises Refused."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        try:
            writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
            line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode()
            if " 200 " not in line:
                raise Refused(line)
            await writer.start_tls(self.tls, server_hostname=name or host)
            yield Dialed(reader, writer)
        finally:
            writer.transport.abort()


def play(made: World, folder: Path, scene: Callable[[Shells], Awaitable[None]]) -> None:
    """Plays a scene against shells before that world."""

    async def run() -> None:
        shells = Shells(made, folder / "bundle.pem")
        advance(made, datetime.now(UTC))
        await shells.proxy.start()
        await shells.names.start()
        try:
            await scene(shells)
        finally:
            await shells.proxy.stop()
            await shells.names.stop()

    asyncio.run(run())


def test_a_gateway_is_met_by_name_and_by_address_with_its_own_certificate(tmp_path: Path) -> None:
    made = world(site=granite_falls())
    old = certificate(SERVICE, "old.contoso.com")
    made.classic_certificates[DOMAIN.lower()] = old

    async def scene(shells: Shells) -> None:
        async with shells.dial(SERVICE) as there:
            assert there.leaf() == old.leaf_der
        async with shells.dial(NEW_ADDRESS, SERVICE) as there:
            assert there.leaf() == certificate(SERVICE).leaf_der
        async with shells.dial(DEPLOYMENT, SERVICE) as there:
            assert (await there.ask("GET", METADATA))[:2] == (503, "CMGService_No_Connector")
        with pytest.raises(ssl.SSLCertVerificationError):
            async with shells.dial(NEW_ADDRESS, "other.contoso.com"):
                pass
        flip(made)
        async with shells.dial(SERVICE) as there:
            assert there.leaf() == certificate(SERVICE).leaf_der

    play(made, tmp_path, scene)


def test_the_reason_reaches_the_client_and_the_connection_stays_open(tmp_path: Path) -> None:
    made = world(site=granite_falls())

    async def scene(shells: Shells) -> None:
        async with shells.dial(OLD_ADDRESS, SERVICE) as there:
            assert await there.ask("GET", METADATA) == (401, "CMGConnector_Unauthorized", b"")
            assert (await there.ask("GET", METADATA, DEVICE))[0] == 200
            assert (await there.ask("HEAD", METADATA, DEVICE))[2] == b""
            assert (await there.ask("GET", LOCATIONS_PATH, DEVICE))[2] == f'{{"locations": ["{SERVICE}"]}}'.encode()

    play(made, tmp_path, scene)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.org", "403"),
        ("pypi.org", "403"),
        ("vault.azure.net.example.org", "403"),
        ("nothing.contoso.com", "502"),
        ("20.9.9.9", "504"),
    ],
)
def test_nothing_leaves_the_machine(tmp_path: Path, host: str, status: str) -> None:
    async def scene(shells: Shells) -> None:
        with pytest.raises(Refused, match=status):
            async with shells.dial(host):
                pass

    play(world(), tmp_path, scene)


def test_plain_requests_and_nonsense_are_turned_away(tmp_path: Path) -> None:
    async def scene(shells: Shells) -> None:
        for sent in (b"GET http://example.org/ HTTP/1.1\r\n\r\n", b"CONNECT x\r\n\r\n", b"\r\n\r\n", b"A" * 100_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", shells.proxy.port)
            writer.write(sent)
            writer.write_eof()
            try:
                answer = await reader.read()
            except ConnectionError:
                answer = b""
            assert answer == b"" or answer.startswith(b"HTTP/1.1 403 ")
            writer.close()

    play(world(), tmp_path, scene)


def test_a_gateway_that_goes_away_cuts_open_connections(tmp_path: Path) -> None:
    made = world(site=granite_falls())

    async def scene(shells: Shells) -> None:
        async with shells.dial(OLD_ADDRESS, SERVICE) as there:
            assert (await there.ask("GET", METADATA, DEVICE))[0] == 200
            del made.resources[DOMAIN.lower()]
            with pytest.raises((h11.RemoteProtocolError, OSError)):
                await there.ask("GET", METADATA, DEVICE)

    play(made, tmp_path, scene)


def test_azure_answers_under_its_own_names_even_to_long_urls_and_bodies(tmp_path: Path) -> None:
    async def scene(shells: Shells) -> None:
        for host in ("management.azure.com", "management.usgovcloudapi.net"):
            async with shells.dial(host) as there:
                status, _, _ = await there.ask("GET", f"/subscriptions?api-version=2022-12-01&t={'t' * 20_000}")
                assert status == 401
        async with shells.dial("management.azure.com") as there:
            answer = await there.ask("PUT", "/x", ("expect", "100-continue"), body=b"x" * 300_000)
            assert 400 <= answer[0] < 500

    play(world(), tmp_path, scene)


def test_faults_cut_and_delay(tmp_path: Path) -> None:
    async def scene(shells: Shells) -> None:
        shells.simulator.add_fault({"match": {"method": "GET", "path": "/cut"}, "action": {"disconnect": True}})
        shells.simulator.add_fault({"match": {"method": "GET", "path": "/slow"}, "action": {"delay_s": 0.2}})
        async with shells.dial("management.azure.com") as there:
            with pytest.raises((h11.RemoteProtocolError, OSError)):
                await there.ask("GET", "/cut")
        async with shells.dial("management.azure.com") as there:
            before = asyncio.get_running_loop().time()
            await there.ask("GET", "/slow")
            assert asyncio.get_running_loop().time() - before >= 0.2

    play(world(), tmp_path, scene)


def test_the_dns_server_is_a_resolver_that_dnspython_likes(tmp_path: Path) -> None:
    async def scene(shells: Shells) -> None:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = shells.names.port
        answer = await resolver.resolve("GraniteFalls.Contoso.Com", "A")
        assert [item.to_text() for item in answer] == [OLD_ADDRESS]
        assert (await resolver.resolve(SERVICE, "A", tcp=True)).rrset == answer.rrset
        zone = await dns.asyncresolver.zone_for_name("lab.contoso.com", resolver=resolver)
        assert zone.to_text() == "contoso.com."
        servers = [item.to_text() for item in await resolver.resolve(zone, "NS")]
        assert servers == ["ns1-03.azure-dns.com."]
        assert [item.to_text() for item in await resolver.resolve(servers[0], "A")] == ["127.0.0.1"]
        with pytest.raises(dns.resolver.NXDOMAIN):
            await resolver.resolve("nothing.contoso.com", "A")
        with pytest.raises(dns.resolver.NoAnswer):
            await resolver.resolve("contoso.com", "A")

    play(world(), tmp_path, scene)


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 (another process gets there)
            await asyncio.sleep(0.05)


def test_clients_in_their_own_process_meet_the_world_over_sockets(tmp_path: Path) -> None:
    made = world(site=granite_falls())

    async def scene(shells: Shells) -> None:
        clients = ClientsProcess()
        order = ClientsOrder(
            proxy_port=shells.proxy.port,
            dns_port=shells.names.port,
            roots=authority().cert_pem.bytes().decode(),
            count=2,
            knows=("GraniteFalls.Contoso.Com",),
            attempt_interval_s=0.01,
            location_interval_s=0.05,
            begin_when_relaying=False,
        )
        await clients.start(order)
        with pytest.raises(ClientsError, match="already"):
            await clients.start(order)
        await _until(lambda: clients.report()["attempts"] >= 20)
        assert clients.report()["failures"] == 0
        del made.resources[DOMAIN.lower()]
        await _until(lambda: clients.report()["failures"] >= 4)
        await clients.stop()
        report = clients.report()
        assert not report["running"]
        assert report["longest_gap_s"] > 0
        assert [tally["kind"] for tally in report["clients"]] == ["fresh", "caching"]
        assert all(tally["knows"] == [SERVICE] for tally in report["clients"])

    play(made, tmp_path, scene)

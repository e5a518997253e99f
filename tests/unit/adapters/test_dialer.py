"""Dialing a gateway over real sockets on loopback, through a CONNECT proxy as most companies have one."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from cmg_core.azure import dialer
from cmg_core.azure.dialer import TlsDialer
from cmg_core.services import Dialed, NameView

SERVICE_NAME = "granitefalls.contoso.com"
HOST = "granitefalls.westeurope.cloudapp.azure.com"
PATH = "/CCM_Proxy_ServerAuth/ServiceMetadata"

AUTHORITY = trustme.CA()
SHOWN = AUTHORITY.issue_cert(SERVICE_NAME)
LEAF = load_pem_x509_certificate(SHOWN.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Dns:
    """Public DNS as the test wants it."""

    def __init__(self, **views: Sequence[NameView]) -> None:
        self._views = views

    async def views(self, name: str) -> Sequence[NameView]:
        return self._views.get(name.split(".")[0], [NameView("1.1.1.1", failure="no answer within 3 s")])


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handled, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Proxy:
    """A CONNECT proxy with the gateway right behind it."""

    def __init__(self, answer: bytes, *, connect: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.asked: list[bytes] = []
        self.names: list[str | None] = []
        self._answer, self._connect = answer, connect

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._connect)
        if b" 200 " not in self._connect:
            await writer.drain()
            return
        await _secured(writer, self.names)
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._answer)
        await writer.drain()
        await reader.read()


def dial(handler: Handler, user: str = "") -> Dialed:
    async def through() -> Dialed:
        async with listening(handler) as port:
            proxy = f"http://{user}127.0.0.1:{port}"
            return await TlsDialer(Dns(), PATH, proxy, "localhost, .contoso.com").dial(HOST, SERVICE_NAME)

    return asyncio.run(through())


def test_the_leaf_and_the_status_text_are_read_without_trusting_anybody() -> None:
    proxy = Proxy(b"HTTP/1.1 401 CMGService_Invalid_Token\r\nContent-Length: 0\r\n\r\n")
    dialed = dial(proxy)
    assert (dialed.status, dialed.status_text, dialed.failure) == (401, "CMGService_Invalid_Token", "")
    assert dialed.leaf == LEAF
    assert dialed.chain[0] == LEAF
    assert proxy.names == [SERVICE_NAME]
    assert proxy.asked[0].startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n".encode())
    assert b"Authorization" not in proxy.asked[0]
    assert proxy.asked[1].startswith(f"GET {PATH} HTTP/1.1\r\nHost: {SERVICE_NAME}\r\n".encode())


def test_a_proxy_that_wants_a_password_gets_it_and_the_gateway_does_not() -> None:
    proxy = Proxy(b"HTTP/1.1 200 OK\r\n\r\n")
    assert dial(proxy, "user:p%40ss@").status == 200
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in proxy.asked[0]
    assert b"Authorization" not in proxy.asked[1]


def test_a_status_without_a_text() -> None:
    dialed = dial(Proxy(b"HTTP/1.1 503\r\n\r\n"))
    assert (dialed.status, dialed.status_text) == (503, "")


@pytest.mark.parametrize("answer", [b"", b"\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 2x0 OK\r\n", b"HTTP/1.1 200"])
def test_what_speaks_no_http_is_a_failure_that_still_shows_the_certificate(answer: bytes) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _secured(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    dialed = dial(silent)
    assert dialed.failure
    assert (dialed.leaf, dialed.status) == (LEAF, 0)


def test_a_proxy_that_cannot_reach_the_gateway_says_so() -> None:
    dialed = dial(Proxy(b"", connect=b"HTTP/1.1 502 Name not found\r\n\r\n"))
    assert dialed.failure == f"the proxy did not reach {HOST} on port 443: it answered 502 Name not found"
    assert dialed.leaf == b""


def test_a_host_that_makes_no_tls_session_says_so() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.readexactly(1)
        writer.write(b"I speak no TLS at all")
        await writer.drain()
        await reader.read()

    dialed = dial(plain)
    assert f"{HOST} made no TLS session for {SERVICE_NAME}" in dialed.failure


def test_a_connection_that_is_cut_says_so() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    assert f"the connection to {HOST} on port 443 failed" in dial(cut).failure


def test_a_proxy_that_is_not_there_says_so() -> None:
    async def through() -> Dialed:
        async with listening(Proxy(b"")) as port:
            pass
        return await TlsDialer(Dns(), PATH, f"http://127.0.0.1:{port}").dial(HOST, SERVICE_NAME)

    assert asyncio.run(through()).failure


def test_a_gateway_that_never_answers_ends_at_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "PATIENCE_SECONDS", 0.3)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    assert "did not answer" in dial(silent).failure


@pytest.mark.parametrize("no_proxy", ["azure.com", " .cloudapp.azure.com ,x", "*", HOST.upper()])
def test_no_proxy_leads_to_public_dns(no_proxy: str) -> None:
    dialing = TlsDialer(Dns(), PATH, "http://127.0.0.1:1", no_proxy)
    assert "1.1.1.1: no answer" in asyncio.run(dialing.dial(HOST, SERVICE_NAME)).failure


def test_without_a_proxy_the_address_is_the_one_that_public_dns_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    dns = Dns(
        granitefalls=[NameView("a", failure="silent"), NameView("b", targets=("label.example",))],
        label=[NameView("b", addresses=("20.150.10.9", "20.150.10.10"), ttl=timedelta(minutes=1))],
    )
    opened: list[tuple[str, int]] = []

    async def direct() -> Dialed:
        real = asyncio.open_connection
        async with listening(_gateway) as port:

            async def open_connection(host: str, to: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                opened.append((host, to))
                return await real("127.0.0.1", port)

            monkeypatch.setattr(asyncio, "open_connection", open_connection)
            return await TlsDialer(dns, PATH).dial(HOST, SERVICE_NAME)

    dialed = asyncio.run(direct())
    assert opened == [("20.150.10.9", 443)]
    assert (dialed.leaf, dialed.status, dialed.status_text) == (LEAF, 200, "CMGService_OK")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.4",
        "169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",
        "100.64.0.1",
        "198.18.0.1",
        "::1",
        "fd00::1",
    ],
)
def test_no_connection_is_made_to_an_address_inside_though_public_dns_gives_it(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_connection(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    dialing = TlsDialer(Dns(granitefalls=[NameView("b", addresses=(address,))]), PATH)
    assert f"{address} in public DNS" in asyncio.run(dialing.dial(HOST, SERVICE_NAME)).failure


def test_aliases_without_an_end_are_given_up() -> None:
    dns = Dns(granitefalls=[NameView("b", targets=("label.example",))], label=[NameView("b", targets=(HOST,))])
    assert "without an end" in asyncio.run(TlsDialer(dns, PATH).dial(HOST, SERVICE_NAME)).failure


async def _gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A gateway without a proxy before it."""
    await _secured(writer)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 CMGService_OK\r\n\r\n")
    await writer.drain()
    await reader.read()


async def _secured(writer: asyncio.StreamWriter, names: list[str | None] | None = None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    SHOWN.configure_cert(context)
    if names is not None:
        context.sni_callback = lambda _, name, __: names.append(name)
    await writer.start_tls(context)

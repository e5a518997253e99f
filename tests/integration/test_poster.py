"""Posting over real sockets and TLS: through the simulated company's proxy, to exactly the address that was checked."""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cmg_core.azure.public_dns import AskedDns, DnsServer
from cmg_core.notify.addresses import CallbackUrl, NotAllowed
from cmg_core.notify.deliver import public_address
from cmg_core.notify.ports import Posted
from cmg_core.notify.post import HttpsPoster
from cmg_core.wiring import SystemClock
from local.azure.dns_server import DnsServer as SimulatedDnsServer
from local.azure.proxy import Proxy
from local.azure.receivers import Received
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.azure.tls import ServerContexts
from local.azure.world import Body, World
from tests.unit.triggers.callers import MemoryServices

HOST, ADDRESS, OTHER = "hooks.contoso.com", "20.150.10.20", "20.150.10.21"
ADDRESS_V6 = "2603:1020:5:1::10"
TARGET = "/workflows/a%2Fb/run?sp=%2Fruns%2F8&sv=1.0&sig=W4v3_c0nt0s0"
URL = CallbackUrl.parse(f"https://{HOST}{TARGET}")
BODY, HEADERS = b'{"specversion":"1.0"}', {"Content-Type": "application/cloudevents+json", "webhook-id": "d-1"}


class Stage:
    """A proxy and a DNS server before a world with receivers, and a poster that trusts what the bundle vouches for."""

    def __init__(self, receivers: list[Body], folder: Path) -> None:
        self.world: World = build_world({"receivers": receivers}, time_scale=0.01, now=datetime.now(UTC))
        simulator, contexts = Simulator(self.world), ServerContexts()
        bundle = folder / "bundle.pem"
        contexts.write_bundle(bundle, [])
        self.trust = ssl.create_default_context(cafile=str(bundle))
        self.proxy = Proxy(lambda: simulator, contexts, lambda: datetime.now(UTC))
        self.names = SimulatedDnsServer(lambda: self.world, lambda: datetime.now(UTC))

    def poster(self) -> HttpsPoster:
        made = HttpsPoster(SystemClock(), f"http://127.0.0.1:{self.proxy.port}", "localhost")
        made.__dict__["_trust"] = self.trust
        return made

    def services(self) -> MemoryServices:
        """Services that look names up in the world's own DNS."""
        services = MemoryServices()
        services.dns = AskedDns([DnsServer("127.0.0.1", self.names.port)])  # type: ignore[assignment]
        return services

    def received(self, host: str = HOST) -> list[Received]:
        return self.world.receivers[host].received


def played(folder: Path, receivers: list[Body], scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def play() -> None:
        stage = Stage(receivers, folder)
        await stage.proxy.start()
        await stage.names.start()
        try:
            await scene(stage)
        finally:
            await stage.proxy.stop()
            await stage.names.stop()

    asyncio.run(play())


def test_a_post_reaches_the_receiver_as_it_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text(
        f"machine {ADDRESS} login me password secret\nmachine {HOST} login me password s\n"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    async def scene(stage: Stage) -> None:
        posted = await stage.poster().post(URL, ADDRESS, HEADERS, BODY)
        assert posted == Posted(202)
        (taken,) = stage.received()
        assert (taken.path, taken.body) == ("/workflows/a/b/run", BODY)
        assert taken.headers == {
            "host": HOST,
            "content-type": "application/cloudevents+json",
            "content-length": str(len(BODY)),
            "webhook-id": "d-1",
            "user-agent": "cmg-migrate",
            "connection": "close",
        }

    played(tmp_path, [{"host": HOST, "addresses": [ADDRESS]}], scene)


def test_the_connection_goes_to_the_checked_address_whatever_the_name_says_by_then(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        services = stage.services()
        assert await public_address(services, HOST) == ADDRESS
        assert await stage.poster().post(URL, ADDRESS, HEADERS, BODY) == Posted(202)
        with pytest.raises(NotAllowed):
            await public_address(services, HOST)

    rebound = {"host": HOST, "addresses": [ADDRESS, "10.0.0.5"], "in_turn": True}
    played(tmp_path, [rebound], scene)


def test_the_proxy_is_asked_for_the_address_and_told_no_name_and_no_secret(tmp_path: Path) -> None:
    async def scene(_: Stage) -> None:
        asked = list[bytes]()

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for address in (ADDRESS, ADDRESS_V6):
                posted = await HttpsPoster(SystemClock(), proxy).post(URL, address, HEADERS, BODY)
                assert posted.status == 0 and "403" in posted.failure
        assert asked == [
            f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
            for authority in (f"{ADDRESS}:443", f"[{ADDRESS_V6}]:443")
        ]

    played(tmp_path, [], scene)


def test_a_host_without_a_certificate_for_the_name_gets_nothing(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        posted = await stage.poster().post(URL, OTHER, HEADERS, BODY)
        assert posted.status == 0 and "certificate" in posted.failure
        assert stage.received("other.example.net") == []

    played(tmp_path, [{"host": "other.example.net", "addresses": [OTHER]}], scene)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": 302, "headers": {"Location": f"https://{OTHER}/"}}, Posted(302)),
        ({"status": 410}, Posted(410)),
        ({"status": 200, "headers": {"Set-Cookie": "a=b"}}, Posted(200)),
    ],
)
def test_an_answer_is_taken_as_it_is_and_no_redirect_followed(tmp_path: Path, state: Body, expected: Posted) -> None:
    async def scene(stage: Stage) -> None:
        poster = stage.poster()
        for _ in range(2):
            assert await poster.post(URL, ADDRESS, HEADERS, BODY) == expected
        assert len(stage.received()) == 2 and "cookie" not in stage.received()[1].headers

    played(tmp_path, [{"host": HOST, "addresses": [ADDRESS], **state}], scene)


def test_retry_after_comes_along(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        posted = await stage.poster().post(URL, ADDRESS, HEADERS, BODY)
        assert posted.retry_after is not None and posted.retry_after.total_seconds() == 90

    busy = {"host": HOST, "addresses": [ADDRESS], "status": 503, "headers": {"Retry-After": "90"}}
    played(tmp_path, [busy], scene)


def test_a_receiver_that_is_down_or_slow_is_a_failure_that_tells_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmg_core.notify.post.ALL_SECONDS", 0.3)

    async def scene(stage: Stage) -> None:
        began = time.monotonic()
        for address in (ADDRESS, OTHER):
            posted = await stage.poster().post(URL, address, HEADERS, BODY)
            assert posted.status == 0 and posted.failure
            assert "sig" not in posted.failure and "workflows" not in posted.failure
        assert time.monotonic() - began < 5

    receivers: list[Body] = [
        {"host": HOST, "addresses": [ADDRESS], "delay_s": 5},
        {"host": "down.example.net", "addresses": [OTHER], "down": True},
    ]
    played(tmp_path, receivers, scene)


def test_a_long_answer_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A receiver that never stops answering: what is taken of it is little, and the post is soon over."""

    async def scene(stage: Stage) -> None:
        sent = 0

        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")
            try:
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    sent += 65536
            except OSError:
                writer.close()

        context = ServerContexts()
        bundle = tmp_path / "own.pem"
        context.write_bundle(bundle, [])
        server = await asyncio.start_server(endless, "127.0.0.1", 0, ssl=context.host(HOST))
        port = server.sockets[0].getsockname()[1]
        poster = HttpsPoster(SystemClock())
        poster.__dict__["_trust"] = ssl.create_default_context(cafile=str(bundle))
        url = CallbackUrl(HOST, port, "/")
        assert await poster.post(url, "127.0.0.1", HEADERS, BODY) == Posted(200)
        server.close()
        assert sent < 8 * 2**20

    played(tmp_path, [], scene)


def test_what_receivers_took_is_told_without_what_was_secret_in_the_address(tmp_path: Path) -> None:
    from local.azure.receivers import receivers_view

    async def scene(stage: Stage) -> None:
        await stage.poster().post(URL, ADDRESS, HEADERS, BODY)
        text = json.dumps(list(receivers_view(stage.world)))
        assert "W4v3_c0nt0s0" not in text and HOST in text

    played(tmp_path, [{"host": HOST, "addresses": [ADDRESS]}], scene)

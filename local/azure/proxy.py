"""The outbound proxy behind which the simulated Azure lies: CONNECT, TLS under the real names, HTTP/1.1.

Azure's own names are answered by the simulator. A CONNECT to a gateway's name or address on 443 is resolved by the
simulated DNS at that moment and gets through only if `gateways.reach` says so, one to a receiver of webhooks only while
it is up. Every other host is refused with 403,
so nothing leaves the machine.
"""

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from local.azure.dns import normal, resolve, zone_of
from local.azure.gateways import HTTPS, reach, relay
from local.azure.messages import Disconnect, Request, Response
from local.azure.receivers import receiver_at
from local.azure.simulator import Simulator
from local.azure.tls import ServerContexts, is_azure

type Now = Callable[[], datetime]
type Handler = Callable[[Request], Response]

# Azure's operation URLs are some 4.5 KB long; a head of sixteen times that is still served.
LONGEST_HEAD = 65536
CHUNK = 65536
BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Open:
    """A host that answers: its TLS side and its HTTP side."""

    tls: ssl.SSLContext
    handler: Handler


@dataclass(frozen=True)
class _Refused:
    status: HTTPStatus
    why: str


class Proxy:
    """Listens on one loopback port; `port` is known after `start`. `simulator` and `now` are asked at each request."""

    def __init__(self, simulator: Callable[[], Simulator], contexts: ServerContexts, now: Now) -> None:
        self._simulator = simulator
        self._contexts = contexts
        self._now = now
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listens; port 0 takes a free one. Raises OSError where the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=LONGEST_HEAD, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stops listening and cuts what is open."""
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, h11.RemoteProtocolError, Disconnect):
            pass  # the other side went away or does not speak HTTP, or a fault cuts the connection
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.decode("latin-1").partition(" ")
        authority = rest.partition(" ")[0]
        there = self._find(authority) if method == "CONNECT" else _Refused(HTTPStatus.FORBIDDEN, "only CONNECT")
        if isinstance(there, _Refused):
            body = f"{authority}: {there.why}\n".encode()
            line = f"HTTP/1.1 {there.status.value} {there.status.phrase}\r\n"
            writer.write(f"{line}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.start_tls(there.tls)
        await _serve_http(reader, writer, authority.rpartition(":")[0].lower(), there.handler)

    def _find(self, authority: str) -> _Open | _Refused:
        host, _, port = authority.rpartition(":")
        host = normal(host)
        if port != str(HTTPS):
            return _Refused(HTTPStatus.FORBIDDEN, "the simulated world is open on 443 only")
        if is_azure(host):
            return _Open(self._contexts.azure, lambda request: self._simulator().handle(request, self._now()))
        world, now = self._simulator().world, self._now()
        if not _is_address(host) and zone_of(world, host) is None:
            return _Refused(HTTPStatus.FORBIDDEN, "no such host in the simulated world")
        address = host if _is_address(host) else resolve(world, host, "A", "public", now).address
        if address is None:
            return _Refused(HTTPStatus.BAD_GATEWAY, "the name does not resolve")
        receiver = receiver_at(world, address)
        if receiver is not None and receiver.is_up(now):
            return _Open(self._contexts.host(receiver.host), lambda request: receiver.answer(request, self._now()))
        gateway = reach(world, address, now)
        if gateway is None:
            return _Refused(HTTPStatus.GATEWAY_TIMEOUT, f"nobody answers at {address}")
        return _Open(self._contexts.gateway(gateway.certificate), lambda request: self._relay(address, request))

    def _relay(self, address: str, request: Request) -> Response:
        world, now = self._simulator().world, self._now()
        gateway = reach(world, address, now)
        if gateway is None:
            raise Disconnect
        return relay(world, gateway, request, now)


async def _serve_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, handler: Handler) -> None:
    """Answers requests on one connection until either side is done with it."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
    while (request := await _receive(connection, reader, writer, host)) is not None:
        try:
            response = handler(request)
        except Disconnect:
            raise
        except Exception:
            _log.exception("the simulator failed at %s https://%s%s", request.method, host, request.path)
            response = Response(500, body=b"the simulator itself failed; its log says how\n")
        if response.delay_s:
            await asyncio.sleep(response.delay_s)
        writer.write(_wire(connection, request.method, response))
        await writer.drain()
        if connection.our_state is h11.MUST_CLOSE:
            writer.close()
            await writer.wait_closed()
            return
        connection.start_next_cycle()


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
) -> Request | None:
    """The next whole request, None when the client is done."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await reader.read(CHUNK))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            target = urlsplit(head.target.decode("latin-1"))
            return Request(
                head.method.decode(),
                host,
                unquote(target.path),
                dict(parse_qsl(target.query, keep_blank_values=True)),
                {name.decode(): value.decode("latin-1") for name, value in head.headers},
                bytes(body),
            )
        else:
            return None


def _wire(connection: h11.Connection, method: str, response: Response) -> bytes:
    headers = list(response.headers)
    if response.status not in BODILESS and response.header("content-length") is None:
        headers.append(("content-length", str(len(response.body))))
    try:
        reason = response.reason or HTTPStatus(response.status).phrase
    except ValueError:
        reason = ""
    parts = [connection.send(h11.Response(status_code=response.status, headers=headers, reason=reason.encode()))]
    if response.body and method != "HEAD":
        parts.append(connection.send(h11.Data(data=response.body)))
    parts.append(connection.send(h11.EndOfMessage()))
    return b"".join(part for part in parts if part is not None)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""The synthetic clients as a process of their own (`python -m local.azure.clients_main`), over real sockets.

They ask the simulator's DNS server over UDP and reach gateways by TLS through the CONNECT proxy, the service name as
SNI. The first line of standard input is a `ClientsOrder` as JSON; they run until standard input ends. Standard output
has one line of JSON each quarter of a second and at the end: the list of the clients and their tallies.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import asdict

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype
from pydantic import BaseModel

from local.azure.clients import (
    KINDS,
    METADATA_PATH,
    Resolved,
    SyntheticClient,
    relays,
    run_clients,
)
from local.azure.dns import normal
from local.azure.gateways import CLIENT_HEADER, LOCATIONS_PATH
from local.azure.messages import Response

REPORT_INTERVAL_S = 0.25
# A device gives up sooner on the first of several gateways than a person would; a busy machine must not look broken.
TIMEOUT_S = 10.0


class ClientsOrder(BaseModel):
    """What the parent process orders. `roots` is the PEM text of the authorities that devices trust."""

    proxy_port: int
    dns_port: int
    roots: str
    count: int
    knows: tuple[str, ...]
    attempt_interval_s: float
    location_interval_s: float
    begin_when_relaying: bool


class SocketTransport:
    """The world as a device sees it: DNS by UDP, TLS and HTTP through the proxy. What fails does not relay."""

    def __init__(self, order: ClientsOrder) -> None:
        self._proxy_port = order.proxy_port
        self._dns_port = order.dns_port
        self._tls = ssl.create_default_context(cadata=order.roots)

    async def resolve(self, name: str) -> Resolved | None:
        """See `Transport`."""
        query = dns.message.make_query(normal(name), dns.rdatatype.A)
        with suppress(OSError, dns.exception.DNSException):
            answer = await dns.asyncquery.udp(query, "127.0.0.1", timeout=TIMEOUT_S, port=self._dns_port)
            addresses = [item.to_text() for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]
            if addresses:
                return Resolved(random.choice(addresses), min(rrset.ttl for rrset in answer.answer))
        return None

    async def attempt(self, address: str, service_name: str) -> bool:
        """See `Transport`."""
        return await self._ask(address, service_name, METADATA_PATH) is not None

    async def locations(self, address: str, service_name: str) -> tuple[str, ...]:
        """See `Transport`."""
        response = await self._ask(address, service_name, LOCATIONS_PATH)
        return tuple(response.json()["locations"]) if response is not None else ()

    async def _ask(self, address: str, service_name: str, path: str) -> Response | None:
        """The management point's answer, None where there is none."""
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._exchange(address, normal(service_name), path)
                return response if relays(response) else None
        return None

    async def _exchange(self, address: str, name: str, path: str) -> Response:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._proxy_port)
        try:
            writer.write(f"CONNECT {address}:443 HTTP/1.1\r\nHost: {address}:443\r\n\r\n".encode())
            if _status(await reader.readuntil(b"\r\n\r\n")) != 200:
                return Response(502)
            await writer.start_tls(self._tls, server_hostname=name)
            head = f"GET {path} HTTP/1.1\r\nHost: {name}\r\n{CLIENT_HEADER}: device\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            return Response(_status(answer), body=await reader.read())
        finally:
            writer.transport.abort()


def _status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


def _report(clients: list[SyntheticClient]) -> None:
    tallies = [{"name": each.name, "kind": each.kind, "knows": each.knows, **asdict(each.tally)} for each in clients]
    print(json.dumps(tallies), flush=True)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    order = ClientsOrder.model_validate_json(await loop.run_in_executor(None, sys.stdin.readline))
    transport = SocketTransport(order)
    kinds = [KINDS[n % len(KINDS)] for n in range(order.count)]
    clients = [
        SyntheticClient(
            f"client-{n}-{kind}",
            kind,
            order.knows,
            transport,
            time.time,
            location_interval_s=order.location_interval_s,
            begin_when_relaying=order.begin_when_relaying,
        )
        for n, kind in enumerate(kinds, start=1)
    ]
    stop = asyncio.Event()

    async def report() -> None:
        while not stop.is_set():
            _report(clients)
            await asyncio.sleep(REPORT_INTERVAL_S)

    async def listen() -> None:
        await loop.run_in_executor(None, sys.stdin.read)
        stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(run_clients(clients, order.attempt_interval_s, stop, time.time))
        group.create_task(report())
        group.create_task(listen())
    _report(clients)


if __name__ == "__main__":
    asyncio.run(_main())

"""Azure, DNS and gateways as the product's ports, answered by the simulator in the same process, over the tape."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import HttpRequest
from azure.core.rest import AsyncHttpResponse
from azure.core.rest import HttpRequest as RestRequest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cmg_core.azure.errors import document_of
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.values import JsonObject
from cmg_core.services import Clock, Dialed, NameView
from local.azure import site
from local.azure.clients import METADATA_PATH
from local.azure.dns import View, resolve
from local.azure.gateways import reach, relay
from local.azure.messages import Disconnect, Request, is_change
from local.azure.simulator import Simulator
from local.azure.world import World
from local.inprocess.tape import Harm, Harmed, Port, Tape
from local.inprocess.transport import SimulatorTransport

RETRY_AFTER_SECONDS = 7
SERVER, RESOLVER = "simulated", "simulated-resolver"
"""The names of the authority for all zones, and of a resolver where the world shows names differently elsewhere."""

FAULTS: Mapping[Harm, Mapping[str, Any]] = {
    Harm.ERROR: {"status": 500, "body": {"error": {"code": "InternalServerError", "message": "Made up."}}},
    Harm.BUSY: {"status": 503, "body": {"error": {"code": "ServerBusy", "message": "Made up."}}},
    Harm.THROTTLED: {
        "status": 429,
        "headers": {"Retry-After": str(RETRY_AFTER_SECONDS)},
        "body": {"error": {"code": "TooManyRequests", "message": "Made up."}},
    },
    Harm.CUT_BEFORE: {"disconnect": True},
}
"""How the simulator shows each harm that keeps a call from having its effect."""


class SimulatedDocuments:
    """Documents that the simulated directory shows to everybody."""

    def __init__(self, simulator: Simulator, clock: Clock) -> None:
        self._simulator, self._clock = simulator, clock

    async def fetch(self, address: str) -> JsonObject:
        """As ``signing_keys.fetch_document``."""
        parts = urlsplit(address)
        try:
            answer = self._simulator.handle(Request("GET", parts.hostname or "", parts.path), self._clock.now())
        except Disconnect:
            raise TryAgain("the connection was cut") from None
        if answer.status != 200:
            raise TryAgain(f"the directory answered {answer.status}")
        return document_of(answer.body.decode())


class TapedTransport(SimulatorTransport):
    """The simulator's transport, each request on the tape. ``after_write`` is called at the moment of each change."""

    def __init__(
        self, simulator: Simulator, clock: Clock, tape: Tape, after_write: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(simulator, clock.now)
        self._sim, self._tape, self._after_write = simulator, tape, after_write

    async def send(self, request: HttpRequest | RestRequest, *, stream: bool = False, **_: Any) -> AsyncHttpResponse:
        """As the parent; a harmed request is answered as a troubled Azure would."""
        parts = urlsplit(request.url)
        where = f"{parts.hostname}{unquote(parts.path)}"
        writes = is_change(request.method, parts.path)

        async def pass_on() -> AsyncHttpResponse:
            answer = await super(TapedTransport, self).send(request, stream=stream)
            if writes:
                await self._after_write()
            return answer

        try:
            return await self._tape.pass_on(Port.AZURE, f"{request.method} {where}", writes, pass_on)
        except Harmed as harmed:
            if harmed.harm.has_effect:
                raise ServiceResponseError("The connection was closed before an answer came.") from None
            match = {"method": request.method, "path": f"^{re.escape(where)}$"}
            self._sim.add_fault({"match": match, "times": 1, "action": dict(FAULTS[harmed.harm])})
            return await pass_on()


class SimulatedDns:
    """The ``PublicDns`` port: one authority, always right and at once; a resolver beside it, where the world has one
    that shows another view."""

    def __init__(self, world: World, clock: Clock, tape: Tape) -> None:
        self._world, self._clock, self._tape = world, clock, tape

    async def views(self, name: str) -> Sequence[NameView]:
        async def ask() -> list[NameView]:
            site.advance(self._world, self._clock.now())
            views = [self._view(SERVER, name, "public")]
            return [*views, self._view(RESOLVER, name, "elsewhere")] if self._world.elsewhere_dns else views

        try:
            return await self._tape.pass_on(Port.DNS, name, False, ask)
        except Harmed:
            return [NameView(SERVER, failure="no answer within 3 s")]

    def _view(self, server: str, name: str, view: View) -> NameView:
        now = self._clock.now()
        answer = resolve(self._world, name, "A", view, now)
        if answer.rcode == "NOERROR" and not answer.records:
            answer = resolve(self._world, name, "AAAA", view, now)
        if answer.rcode == "SERVFAIL":
            return NameView(server, failure="answered SERVFAIL")
        return NameView(
            server,
            targets=tuple(record.value.rstrip(".").lower() for record in answer.records if record.type == "CNAME"),
            addresses=tuple(record.value for record in answer.records if record.type in ("A", "AAAA")),
            ttl=timedelta(seconds=answer.records[0].ttl if answer.records else 0),
            authoritative=view == "public",
        )


class SimulatedDialer:
    """The ``GatewayDialer`` port: what a gateway would show and say, without TLS."""

    def __init__(self, world: World, clock: Clock, tape: Tape) -> None:
        self._world, self._clock, self._tape = world, clock, tape

    async def dial(self, host: str, service_name: str) -> Dialed:
        async def ask() -> Dialed:
            now = self._clock.now()
            site.advance(self._world, now)
            address = resolve(self._world, host, "A", "public", now).address
            if address is None:
                return Dialed(failure=f"{host} has no address in public DNS")
            gateway = reach(self._world, address, now)
            if gateway is None:
                return Dialed(failure=f"the connection to {host} on port 443 failed: nobody answers")
            answer = relay(self._world, gateway, Request("GET", service_name, METADATA_PATH), now)
            return Dialed(
                leaf=gateway.certificate.leaf_der,
                chain=_der(gateway.certificate.chain_pem),
                status=answer.status,
                status_text=answer.reason or "",
            )

        try:
            return await self._tape.pass_on(Port.DIAL, f"{host} as {service_name}", False, ask)
        except Harmed:
            return Dialed(failure=f"{host} did not answer on port 443 within 10 s")


@lru_cache(maxsize=64)
def _der(chain_pem: bytes) -> tuple[bytes, ...]:
    return tuple(each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(chain_pem))

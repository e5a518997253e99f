"""The ways out, each with a span and a figure for every call: HTTP of Azure's clients, DNS, gateways, receivers.

This is the one place that sees each HTTP request as it is sent: what a client sends again is seen again. Of an address
only host and path are told; what signs it stands in the query.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from cmg_core.notify.addresses import CallbackUrl
from cmg_core.notify.ports import Posted, Poster
from cmg_core.outbound.sessions import Transport
from cmg_core.services import Dialed, GatewayDialer, NameView, PublicDns
from cmg_core.telemetry.port import UNTOLD, Telemetry

_KEYS = re.compile(r"\([^)]*\)")


def watched(transport: Transport, telemetry: Telemetry, service: Callable[[str], str]) -> Transport:
    """The transport, with telemetry of each request; ``service`` names what a host is. Without telemetry, itself."""
    if telemetry is UNTOLD:
        return transport
    from azure.core.pipeline.transport import AsyncHttpTransport

    class Watched(AsyncHttpTransport[Any, Any]):
        async def open(self) -> None:
            await transport.open()

        async def close(self) -> None:
            await transport.close()

        async def sleep(self, duration: float) -> None:
            await transport.sleep(duration)

        async def __aenter__(self) -> Self:
            await transport.__aenter__()
            return self

        async def __aexit__(
            self,
            exc_type: type[BaseException] | None = None,
            exc_value: BaseException | None = None,
            traceback: TracebackType | None = None,
        ) -> None:
            await transport.__aexit__(exc_type, exc_value, traceback)

        async def send(self, request: Any, **options: Any) -> Any:
            parts = urlsplit(request.url)
            facts = {
                "http.request.method": request.method,
                "server.address": parts.hostname or "",
                "url.path": parts.path,
            }
            name = f"{request.method} {kind_of(parts.path)}"
            with telemetry.calling(service(parts.hostname or ""), name, facts) as span:
                answer = await transport.send(request, **options)
                span.tell({"http.response.status_code": answer.status_code})
                return answer

    return Watched()


def kind_of(path: str) -> str:
    """What a path leads to, without the names in it: spans of the same kind have the same name."""
    parts = [part for part in _KEYS.sub("", path).split("/") if part] or ["/"]
    lowered = [part.lower() for part in parts]
    if "providers" in lowered:
        after = parts[len(parts) - lowered[::-1].index("providers") :]
        return "/".join([*after[:1], *after[1::2]]) or "providers"
    if lowered[0] == "subscriptions":
        return parts[-1] if len(parts) % 2 else parts[-2]
    return parts[0] if lowered[0] == "certificates" else parts[-1]


class TracedDns:
    """The ``PublicDns`` port, told of."""

    def __init__(self, dns: PublicDns, telemetry: Telemetry) -> None:
        self._dns, self._telemetry = dns, telemetry

    async def views(self, name: str) -> Sequence[NameView]:
        with self._telemetry.calling("dns", "ASK every server", {"dns.question.name": name}) as span:
            views = await self._dns.views(name)
            silent = sum(1 for view in views if view.failure)
            span.tell(
                {"cmg.servers": len(views), "cmg.silent": silent, "cmg.outcome": "silent" if silent else "answered"}
            )
            return views


class TracedDialer:
    """The ``GatewayDialer`` port, told of."""

    def __init__(self, dialer: GatewayDialer, telemetry: Telemetry) -> None:
        self._dialer, self._telemetry = dialer, telemetry

    async def dial(self, host: str, service_name: str) -> Dialed:
        facts = {"server.address": host, "cmg.service_name": service_name}
        with self._telemetry.calling("gateway", "DIAL gateway", facts) as span:
            dialed = await self._dialer.dial(host, service_name)
            span.tell({"cmg.outcome": "no answer" if dialed.failure else str(dialed.status)})
            return dialed


class TracedPoster:
    """The ``Poster`` port, told of: never where to, which is a secret."""

    def __init__(self, poster: Poster, telemetry: Telemetry) -> None:
        self._poster, self._telemetry = poster, telemetry

    async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
        with self._telemetry.calling("receiver", "POST event", {}) as span:
            posted = await self._poster.post(url, address, headers, body)
            span.tell({"cmg.outcome": "no answer" if posted.failure else str(posted.status)})
            return posted

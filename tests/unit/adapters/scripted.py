"""An Azure that answers by a script, behind the transport of the real management clients."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from requests.structures import CaseInsensitiveDict

from cmg_core.azure.cloud import CLOUDS, CloudName
from cmg_core.azure.connections import Connections
from cmg_core.azure.resource_manager import AzureResourceManager
from cmg_core.domain.record import Claim
from cmg_core.domain.tenants import Tenant

TENANT = "11111111-1111-1111-1111-111111111111"
SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{ROOT}/resourceGroups/rg-cmg"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLAIM = Claim(invocation="i", message_id="m", until=NOW + timedelta(minutes=5))


class Clock:
    """Always the same moment."""

    def now(self) -> datetime:
        return NOW


@dataclass(frozen=True)
class Answer:
    """What the scripted Azure answers: a body as JSON, or as it is."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def bytes(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """What the scripted Azure was asked."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    @classmethod
    def of(cls, request: HttpRequest) -> "Asked":
        parts = urlsplit(request.url)
        content = request.content
        return cls(
            request.method,
            parts.netloc,
            unquote(parts.path),
            dict(parse_qsl(parts.query)),
            CaseInsensitiveDict(request.headers),
            json.loads(content) if content else None,
        )


class _Nothing:
    async def close(self) -> None:
        """Nothing is open."""


class _Response(AsyncHttpResponseImpl):
    def __init__(self, request: HttpRequest, answer: Answer) -> None:
        async def whole(*_: Any, **__: Any) -> AsyncIterator[bytes]:
            yield answer.bytes()

        headers = CaseInsensitiveDict({"Content-Type": "application/json", **answer.headers})
        super().__init__(
            request=request,
            internal_response=_Nothing(),
            status_code=answer.status,
            reason="",
            content_type=headers["Content-Type"],
            headers=headers,
            stream_download_generator=whole,
        )


async def response(request: HttpRequest, answer: Answer) -> AsyncHttpResponse:
    """An answer as a transport hands it on."""
    read = _Response(request, answer)
    await read.read()
    return read


type Script = Callable[[Asked], Answer | Exception]


class ScriptedTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Answers by the script and remembers what was asked."""

    def __init__(self, script: Script) -> None:
        self._script, self.asked, self.closed = script, list[Asked](), False

    async def send(self, request: HttpRequest, *, stream: bool = False, **_: Any) -> AsyncHttpResponse:
        asked = Asked.of(request)
        self.asked.append(asked)
        answer = self._script(asked)
        if isinstance(answer, Exception):
            raise answer
        return _Response(request, answer) if stream else await response(request, answer)

    async def open(self) -> None:
        """Always open."""

    async def close(self) -> None:
        self.closed = True

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Credential:
    """Signs in as anybody, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        if self._error:
            raise self._error
        return AccessToken(f"token-for-{scopes[0]}", int(NOW.timestamp()) + 10_000_000)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


def connected(
    script: Script, cloud: CloudName = CloudName.PUBLIC, credential: Credential | None = None
) -> tuple[Connections, ScriptedTransport]:
    """Connections to a scripted Azure."""
    transport, who = ScriptedTransport(script), credential or Credential()
    return Connections(CLOUDS[cloud], Clock(), transport=lambda: transport, credential=lambda _: who), transport


def resource_manager(
    script: Script, cloud: CloudName = CloudName.PUBLIC, credential: Credential | None = None
) -> tuple[AzureResourceManager, ScriptedTransport]:
    """One subscription of a scripted Azure."""
    connections, transport = connected(script, cloud, credential)
    return connections.resource_manager(Tenant(TENANT), SUBSCRIPTION), transport

"""Azure's SDK clients on the simulator without sockets: an azure-core transport, and a credential for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpTransport, HttpRequest
from azure.core.rest import AsyncHttpResponse
from azure.core.rest import HttpRequest as RestRequest

# Not public, but what every transport of azure-core builds its responses on; there is no other way to make one.
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from azure.core.utils import CaseInsensitiveDict

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.tenants import SignIn, Who
from local.azure.identity import customer_app, issue_token, managed_identity
from local.azure.messages import Disconnect, Request, Response
from local.azure.simulator import Simulator

type Clock = Callable[[], datetime]

# Longer than any run: SDK policies compare expiry with the real clock, the simulator with the run's own.
TOKEN_LIFETIME = timedelta(days=3650)


class SimulatorTransport(AsyncHttpTransport[HttpRequest | RestRequest, AsyncHttpResponse]):
    """Hands each request to the simulator at the clock's moment. Faults that cut connections become
    ServiceResponseError, as a broken connection does; waits are `asyncio.sleep`, so a virtual-time loop skips them."""

    def __init__(self, simulator: Simulator, clock: Clock) -> None:
        self._simulator = simulator
        self._clock = clock

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return None

    async def sleep(self, duration: float) -> None:
        """Waits on the running loop."""
        await asyncio.sleep(duration)

    async def send(self, request: HttpRequest | RestRequest, *, stream: bool = False, **_: Any) -> AsyncHttpResponse:
        """Sends a request of either of azure-core's kinds; without `stream` the body is read already."""
        await asyncio.sleep(0)
        try:
            answer = self._simulator.handle(_to_request(request), self._clock())
        except Disconnect as cut:
            raise ServiceResponseError("The connection was closed before an answer came.") from cut
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        response = _to_response(request, answer)
        if not stream:
            await response.read()
        return response


def _to_request(request: HttpRequest | RestRequest) -> Request:
    parts = urlsplit(request.url)
    body: Any = request.content if isinstance(request, RestRequest) else request.body
    if isinstance(body, dict):  # a form, which transports encode themselves
        body = urlencode(body)
    return Request(
        request.method,
        parts.hostname or "",
        unquote(parts.path),
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        {name.lower(): value for name, value in request.headers.items()},
        body.encode() if isinstance(body, str) else body or b"",
    )


class _Received:
    """The transport's own response, already complete."""

    async def close(self) -> None:
        """Nothing to close."""


def _to_response(request: HttpRequest | RestRequest, answer: Response) -> AsyncHttpResponse:
    async def stream(**_: Any) -> AsyncIterator[bytes]:
        yield answer.body

    headers = CaseInsensitiveDict(dict(answer.headers))
    headers["Content-Length"] = str(len(answer.body))
    return AsyncHttpResponseImpl(
        request=request,
        internal_response=_Received(),
        status_code=answer.status,
        reason=answer.reason or "",
        content_type=headers.get("Content-Type"),
        headers=headers,
        stream_download_generator=stream,
    )


class SimulatorCredential:
    """One of the app's identities, without the way through the token endpoint: the managed identity, or the
    multi-tenant app in a customer's tenant."""

    def __init__(self, simulator: Simulator, clock: Clock, sign_in: SignIn | None = None) -> None:
        self._simulator = simulator
        self._clock = clock
        self._sign_in = sign_in or SignIn(Who.MANAGED_IDENTITY, "")

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for the scope's audience; AzureRefused where nobody has consented to the app."""
        token, expires_on = self._issue(scopes[0])
        return AccessToken(token, expires_on)

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """The same for newer pipelines."""
        token, expires_on = self._issue(scopes[0])
        return AccessTokenInfo(token, expires_on)

    def _issue(self, scope: str) -> tuple[str, int]:
        now = self._clock()
        audience = scope.removesuffix("/.default")
        seconds = TOKEN_LIFETIME.total_seconds()
        world = self._simulator.world
        principal = managed_identity(world)
        if self._sign_in.who is Who.CUSTOMER_APP:
            found = customer_app(world, self._sign_in.tenant_id)
            if found is None:
                text = f"AADSTS700016: Application was not found in the directory '{self._sign_in.tenant_id}'."
                raise AzureRefused(status=400, code="unauthorized_client", message=text, target="")
            principal = found
        token = issue_token(world, audience, now, seconds, principal=principal)
        return token, int((now + TOKEN_LIFETIME).timestamp())

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return None

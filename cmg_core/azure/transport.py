"""How HTTP leaves the process: one shared session for all of Azure's clients."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

# azure-core has two kinds of requests and answers; a transport serves both.
type Transport = AsyncHttpTransport[Any, Any]

KEEP_ALIVE_SECONDS = 3
"""Proxies close idle connections sooner than clients expect; a kept one that is dead costs a stalled call."""


def make_transport() -> Transport:
    """A transport over a session of its own, which obeys HTTPS_PROXY and NO_PROXY. Needs a running event loop.

    Closing the transport closes the session: only who shares it among clients does that, at the end.
    """
    from aiohttp import ClientSession, DummyCookieJar, TCPConnector
    from azure.core.pipeline.transport import AioHttpTransport

    session = ClientSession(
        trust_env=True,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
    )
    transport: Transport = AioHttpTransport(session=session, session_owner=True)
    return transport

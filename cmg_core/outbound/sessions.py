"""The session and the kind of transport that all of the clients share."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.core.pipeline.transport import AsyncHttpTransport

# azure-core has two kinds of requests and answers; a transport serves both.
type Transport = AsyncHttpTransport[Any, Any]

KEEP_ALIVE_SECONDS = 3
"""Proxies and storage close idle connections sooner than clients expect; a kept one that is dead costs a stalled call
(measured)."""


def open_session() -> "ClientSession":
    """A session that obeys HTTPS_PROXY and NO_PROXY; whoever opens it closes it. Needs a running event loop."""
    from aiohttp import ClientSession, DummyCookieJar, TCPConnector

    return ClientSession(
        trust_env=True,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
    )

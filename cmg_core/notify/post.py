"""The Poster port: one HTTPS request to one address that was checked before, and to nothing else.

Written out in full (RFC 9112) instead of left to a client: what goes over the line is what stands here, without
cookies, credentials of the environment, redirects, or a second look at the name.
"""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property

from cmg_core.azure.dialer import DialFailed, Stream, is_exempt, status_of, through
from cmg_core.notify.addresses import CallbackUrl
from cmg_core.notify.ports import Posted
from cmg_core.services import Clock

CONNECT_SECONDS = 5.0
"""For the way to the receiver, through a proxy where there is one, and again for the TLS handshake."""
ALL_SECONDS = 15.0
MOST_READ = 64 * 1024
"""Bytes of an answer's head; a longer one is none, and nobody reads the body."""


class HttpsPoster:
    """Posts through the proxy of the settings by CONNECT to the address, or directly to it; each post has a connection
    of its own."""

    def __init__(self, clock: Clock, proxy: str = "", no_proxy: str = "") -> None:
        self._clock, self._proxy, self._no_proxy = clock, proxy, no_proxy

    async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
        try:
            async with asyncio.timeout(ALL_SECONDS):
                reader, writer = await self._connect(url, address)
                try:
                    await writer.start_tls(self._trust, server_hostname=url.host, ssl_handshake_timeout=CONNECT_SECONDS)
                    writer.write(_head(url, headers, body) + body)
                    return await self._answer(reader)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            return Posted(failure=f"the receiver did not answer within {ALL_SECONDS:.0f} s")
        except ssl.SSLCertVerificationError:
            return Posted(failure="the receiver shows no certificate that is good for its name")
        except (DialFailed, OSError, EOFError, asyncio.LimitOverrunError) as error:
            return Posted(failure=f"the receiver was not reached: {_plain(error)}")

    async def _connect(self, url: CallbackUrl, address: str) -> Stream:
        async with asyncio.timeout(CONNECT_SECONDS):
            if self._proxy and not is_exempt(url.host, self._no_proxy):
                return await through(self._proxy, address, url.port)
            return await asyncio.open_connection(address, url.port, limit=MOST_READ)

    async def _answer(self, reader: asyncio.StreamReader) -> Posted:
        """The final answer's status; informational ones before it say nothing (RFC 9110, section 15.2)."""
        status, fields = 100, list[str]()
        while status < 200:
            line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status, _ = status_of(line.encode("latin-1"))
        asked = next((field.partition(":")[2] for field in fields if field.lower().startswith("retry-after:")), "")
        return Posted(status, retry_after(asked, self._clock.now()))

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def _head(url: CallbackUrl, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = {
        "Host": url.authority,
        "User-Agent": "cmg-migrate",
        **headers,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = (f"POST {url.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", "")
    return "\r\n".join(lines).encode("ascii")


def _plain(error: Exception) -> str:
    match error:
        case DialFailed():
            return str(error)
        case EOFError():
            return "it closed the connection without an answer"
        case _:
            return type(error).__name__


def retry_after(text: str, now: datetime) -> timedelta | None:
    """A ``Retry-After`` as seconds or as a date (RFC 9110, section 10.2.3); None for anything else."""
    given = text.strip()
    if given.isascii() and given.isdecimal():
        return timedelta(seconds=min(int(given[:10]), 10**9))
    try:
        at = parsedate_to_datetime(given)
    except (ValueError, OverflowError):  # the latter for a number that no date can hold
        return None
    until = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(until - now, timedelta())

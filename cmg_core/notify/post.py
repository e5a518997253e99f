"""The Poster port: one HTTPS request to one address that was checked before, and to nothing else."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property

from cmg_core.azure.dialer import is_exempt
from cmg_core.notify.addresses import CallbackUrl
from cmg_core.services import Clock, Posted

CONNECT_SECONDS = 5.0
ALL_SECONDS = 15.0
MOST_READ = 64 * 1024
"""Bytes of an answer that are taken off the line; nobody looks at them."""


class HttpsPoster:
    """Posts through the proxy of the settings by CONNECT to the address, or directly to it.

    Neither cookies nor credentials of this process, its environment or its .netrc go along; each post has a connection
    of its own.
    """

    def __init__(self, clock: Clock, proxy: str = "", no_proxy: str = "") -> None:
        self._clock, self._proxy, self._no_proxy = clock, proxy, no_proxy

    async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
        import aiohttp
        from yarl import URL

        path, _, query = url.target.partition("?")
        there = URL.build(scheme="https", host=address, port=url.port, path=path, query_string=query, encoded=True)
        try:
            async with (
                aiohttp.ClientSession(
                    trust_env=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    connector=aiohttp.TCPConnector(force_close=True),
                    timeout=aiohttp.ClientTimeout(total=ALL_SECONDS, connect=CONNECT_SECONDS),
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
                ) as session,
                session.post(
                    there,
                    data=body,
                    headers={**headers, "Host": url.authority, "User-Agent": "cmg-migrate"},
                    allow_redirects=False,
                    ssl=self._trust,
                    server_hostname=url.host,
                    proxy=None if not self._proxy or is_exempt(url.host, self._no_proxy) else self._proxy,
                ) as response,
            ):
                await response.content.read(MOST_READ)
                asked = retry_after(response.headers.get("Retry-After", ""), self._clock.now())
                return Posted(response.status, asked)
        except TimeoutError:
            return Posted(failure=f"the receiver did not answer within {ALL_SECONDS:.0f} s")
        except aiohttp.ClientConnectorCertificateError:
            return Posted(failure="the receiver shows no certificate that is good for its name")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Posted(failure=f"the receiver was not reached: {type(error).__name__}")

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def retry_after(text: str, now: datetime) -> timedelta | None:
    """A ``Retry-After`` as seconds or as a date (RFC 9110, section 10.2.3); None for anything else."""
    given = text.strip()
    if given.isascii() and given.isdecimal():
        return timedelta(seconds=min(int(given[:10]), 10**9))
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return None
    until = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(until - now, timedelta())

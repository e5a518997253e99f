"""The keys that Microsoft Entra ID signs tokens with, by tenant.

Keys change without notice; a token with an unknown key is the sign to look again, and a day is the longest between two
looks (Microsoft Learn, "Signing key rollover in the Microsoft identity platform"). The v2.0 address serves tokens of
both versions: inferred, from Microsoft.Identity.Web, which judges both by it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cmg_core.azure.errors import document_of
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.values import JsonObject, objects_at, text_at
from cmg_core.services import Clock

if TYPE_CHECKING:
    from jwt import PyJWK

type Fetch = Callable[[str], Awaitable[JsonObject]]
"""The JSON document at an address. Raises TryAgain."""

FRESH = timedelta(days=1)
LAST_GOOD = timedelta(days=2)
"""How long known keys are good while nobody can ask for newer ones."""
PAUSE = timedelta(seconds=30)
"""Between two looks, however many tokens name unknown keys."""
LONGEST_LOOK = timedelta(seconds=10)
LARGEST_DOCUMENT = 1024 * 1024


@dataclass(frozen=True)
class _Known:
    keys: Mapping[str, "PyJWK"]
    at: datetime


class SigningKeys:
    """Keeps each tenant's keys, and looks again when they are old or one is missing."""

    def __init__(self, authority: str, clock: Clock, fetch: Fetch) -> None:
        self._authority, self._clock, self._fetch = authority, clock, fetch
        self._known: dict[str, _Known] = {}
        self._looked_at: dict[str, datetime] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def key(self, tenant: str, kid: str) -> "PyJWK | None":
        """The tenant's key of that ID, or None where there is none. Raises TryAgain where nobody can tell."""
        async with self._locks.setdefault(tenant, asyncio.Lock()):
            known, now = self._known.get(tenant), self._clock.now()
            is_fresh = known is not None and now - known.at < FRESH
            if known is not None and is_fresh and kid in known.keys:
                return known.keys[kid]
            last = self._looked_at.get(tenant)
            if last is None or now - last >= PAUSE:
                self._looked_at[tenant] = now
                try:
                    known = self._known[tenant] = _Known(await self._look(tenant), now)
                except TryAgain:
                    if known is None or kid not in known.keys or now - known.at >= LAST_GOOD:
                        raise
            elif known is None or (not is_fresh and (kid not in known.keys or now - known.at >= LAST_GOOD)):
                raise TryAgain("the keys of Microsoft Entra ID could not be had a moment ago", last + PAUSE - now)
            return known.keys.get(kid)

    async def _look(self, tenant: str) -> Mapping[str, "PyJWK"]:
        from jwt import PyJWK
        from jwt.exceptions import PyJWTError

        document = await self._fetch(f"https://{self._authority}/{tenant}/discovery/v2.0/keys")
        keys = {}
        for each in objects_at(document, "keys"):
            issuer = text_at(each, "issuer").replace("{tenantid}", tenant)
            if issuer not in ("", f"https://{self._authority}/{tenant}/v2.0"):
                continue
            try:
                keys[text_at(each, "kid")] = PyJWK(each, algorithm="RS256")
            except PyJWTError:
                continue
        if not keys:
            raise TryAgain("what answered for the keys of Microsoft Entra ID gave none (a proxy's page?)", PAUSE)
        return keys


async def fetch_document(address: str) -> JsonObject:
    """The JSON object at an address, by HTTPS_PROXY and NO_PROXY as all of Azure's clients. Raises TryAgain."""
    from aiohttp import ClientError, ClientSession, DummyCookieJar

    try:
        async with (
            asyncio.timeout(LONGEST_LOOK.total_seconds()),
            ClientSession(trust_env=True, cookie_jar=DummyCookieJar()) as session,
            session.get(address, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise TryAgain(f"Microsoft Entra ID answered {answer.status} for its keys", PAUSE)
            raw = bytearray()
            async for chunk in answer.content.iter_any():
                raw += chunk
                if len(raw) > LARGEST_DOCUMENT:
                    raise TryAgain("what answered for the keys of Microsoft Entra ID is no list of keys", PAUSE)
    except (ClientError, OSError) as error:
        raise TryAgain(f"Microsoft Entra ID does not answer for its keys ({type(error).__name__})", PAUSE) from None
    return document_of(raw.decode(errors="replace"))

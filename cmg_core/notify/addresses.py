"""Where callbacks may go: rules for the address that a caller gives, and for what its name resolves to. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from cmg_core.domain.international import ascii_name
from cmg_core.domain.public_addresses import is_public

LONGEST_URL = 2048
HTTPS = 443

_HOST = re.compile(r"(?=.{4,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""Names with a dot whose last label begins with a letter: no spelling of an IP address fits (RFC 3696, section 2)."""
_PLAIN = re.compile(r"[!-~]+")
_PATTERN = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+(:[0-9]{1,5})?")


class NotAllowed(ValueError):
    """An address that callbacks may not go to; the text says why, and holds nothing of its path or query."""


@dataclass(frozen=True)
class HostPattern:
    """A host that callbacks may go to: ``hooks.contoso.com``, or ``*.logic.azure.com`` for all names below."""

    name: str
    port: int = HTTPS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is no pattern."""
        if not _PATTERN.fullmatch(text.lower()):
            raise ValueError("one of them is no host name")
        name, _, port = text.lower().partition(":")
        if port and not 0 < int(port) < 65536:
            raise ValueError("one of them has no port that there is")
        return cls(name, int(port or HTTPS))

    def fits(self, host: str, port: int) -> bool:
        """Whether the pattern lets this host and port through."""
        named = host.endswith(self.name[1:]) if self.name.startswith("*.") else host == self.name
        return named and port == self.port


@dataclass(frozen=True)
class CallbackUrl:
    """A caller's address, which is a secret (a Logic App's holds a signature): only ``shown`` is ever told."""

    host: str
    port: int
    target: str = field(repr=False)
    """Path and query as they were given."""

    @classmethod
    def parse(cls, text: str, allowed: Sequence[HostPattern] = ()) -> Self:
        """Take an address apart. Raises NotAllowed for one that callbacks may not go to, whatever its name resolves to;
        without patterns any host on 443 is allowed."""
        if len(text) > LONGEST_URL:
            raise NotAllowed(f"It has more than {LONGEST_URL} characters.")
        given = _in_ascii(text)
        if not _PLAIN.fullmatch(given) or "\\" in given:
            raise NotAllowed("It holds blanks, backslashes or characters outside of ASCII.")
        try:
            parts = urlsplit(given)
            host, port = (parts.hostname or "").lower(), HTTPS if parts.port is None else parts.port
        except ValueError:
            raise NotAllowed("It is no address.") from None
        if parts.scheme.lower() != "https":
            raise NotAllowed("It does not begin with «https://».")
        if "@" in parts.netloc:
            raise NotAllowed("It holds a user's name or a password.")
        if "#" in given:
            raise NotAllowed("It holds a fragment.")
        if not _HOST.fullmatch(host):
            raise NotAllowed("Its host is no full DNS name: IP addresses and short names are not called.")
        if not any(pattern.fits(host, port) for pattern in allowed) if allowed else port != HTTPS:
            raise NotAllowed(f"Its host «{host}» on port {port} is not among those that callbacks may go to.")
        query = f"?{parts.query}" if parts.query else ""
        return cls(host, port, f"{parts.path or '/'}{query}")

    @property
    def authority(self) -> str:
        """Host and port as the header ``Host`` has them."""
        return self.host if self.port == HTTPS else f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """What may be told of it: scheme and host."""
        return f"https://{self.authority}"

    @property
    def secret(self) -> str:
        """The whole address."""
        return f"{self.shown}{self.target}"


def why_not_reached(addresses: Iterable[str]) -> str:
    """Why none of these addresses may be connected to; empty where all are public."""
    found = list(addresses)
    if not found:
        return "the host has no address in public DNS"
    inside = next((address for address in found if not is_public(address)), None)
    return "" if inside is None else "the host leads to an address that is not public"


def _in_ascii(text: str) -> str:
    """The address with its host in A-labels (RFC 5891); as it is where that cannot be."""
    if text.isascii():
        return text
    scheme, separator, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    try:
        return f"{scheme}{separator}{ascii_name(host)}{slash}{path}"
    except ValueError:
        return text

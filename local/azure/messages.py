"""What goes in and out of the simulator: one HTTP request, one HTTP response, or a cut connection."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LOOKS_BY_POST = re.compile(r"/(checkPolicyRestrictions|checkNameAvailability)$", re.IGNORECASE)


def is_change(method: str, path: str) -> bool:
    """Whether a call asks for something to be changed: some looks are asked for by POST."""
    return method not in ("GET", "HEAD") and not (method == "POST" and _LOOKS_BY_POST.search(path.rstrip("/")))


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    `host` is the name the client dialed, without a port (`identity` stands for the managed identity endpoint).
    `path` is the decoded path, `query` the decoded query string, `headers` has lower-case keys.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """One HTTP response; the shell that sends it waits `delay_s` seconds first.

    `reason` is the status line's text where it is not the usual one (gateways explain themselves there).
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_s: float = 0
    reason: str | None = None

    def header(self, name: str) -> str | None:
        """The first header of that name (any case), None without one."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none."""
        return json.loads(self.body)


class Disconnect(Exception):
    """The connection is cut instead of an answer (a fault asked for it)."""

"""Requests and answers between a workflow and the world."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cmg_core.domain.values import Json, JsonObject

DROPPED = frozenset(
    {"allow", "cookie", "expires", "host", "last-modified", "origin", "set-cookie", "transfer-encoding"}
)
KEPT = frozenset({"content-disposition", "content-encoding", "content-type"})


@dataclass(frozen=True)
class Sent:
    """A request as it leaves the workflow. Header names are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answered:
    """An answer as it comes in. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Unreachable(Exception):
    """No answer: the connection failed or was lost, or time ran out."""


class Door(Protocol):
    """Where requests go."""

    async def send(self, sent: Sent) -> Answered:
        """Raises Unreachable."""


def sent_headers(given: Mapping[str, str]) -> dict[str, str]:
    """The headers that Logic Apps sends of those that an action names ("Call service endpoints over HTTP or HTTPS from
    Azure Logic Apps", omitted HTTP headers)."""
    lower = {name.lower(): value for name, value in given.items()}
    return {
        name: value
        for name, value in lower.items()
        if name not in DROPPED and not name.startswith("accept-") and (name in KEPT or not name.startswith("content-"))
    }


def body_to_send(body: Json) -> tuple[bytes, dict[str, str]]:
    """The bytes of a body, with the type that they have."""
    match body:
        case None:
            return b"", {}
        case str():
            return body.encode(), {"content-type": "text/plain; charset=utf-8"}
    return json.dumps(body, ensure_ascii=False).encode(), {"content-type": "application/json; charset=utf-8"}


def body_as_read(headers: Mapping[str, str], raw: bytes, *, reads_suffix: bool) -> Json:
    """What an action's ``body`` is: JSON and text as they are, anything else in base64 ("Handle content types in Azure
    Logic Apps"). Whether a type that ends with «+json» is JSON, the documents leave open: ``reads_suffix`` decides."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not raw:
        return None
    if kind == "application/json" or (reads_suffix and kind.endswith("+json")):
        body: Json = json.loads(raw)
        return body
    if kind.startswith("text/"):
        return raw.decode()
    wrapped: JsonObject = {"$content-type": kind, "$content": base64.b64encode(raw).decode()}
    return wrapped

"""Plain values that every part of the product shares: JSON as Azure speaks it, and resource IDs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, TypeAdapter

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type JsonObject = dict[str, Json]

_DURATION: Final = TypeAdapter(timedelta)

Moment = AwareDatetime
"""An instant with its offset; everything the product stores is in UTC."""

GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""As this product writes one, in small letters."""
_WRITTEN_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,}([Zz]|[+-][0-9]{2}:[0-9]{2})")


def written_out(given: object) -> str:
    """A moment as RFC 3339 writes it: a bare number would be taken for seconds or milliseconds, by anybody's guess.

    Raises ValueError for anything else.
    """
    if not isinstance(given, str) or not _WRITTEN_MOMENT.fullmatch(given):
        raise ValueError("no moment of RFC 3339")
    return given


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]


class Frozen(BaseModel):
    """A value that is checked when it is made, never changes, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


def iso_duration(span: timedelta) -> str:
    """A span of time as ISO 8601 writes it, such as «PT30S» or «P1D»."""
    return _DURATION.dump_json(span).decode().strip('"')


def at(body: Json, *path: str | int) -> Json:
    """What lies at ``path`` in a JSON body, or None where any part of the way is missing."""
    here: Json = body
    for key in path:
        if isinstance(key, str) and isinstance(here, dict):
            here = here.get(key)
        elif isinstance(key, int) and isinstance(here, list) and 0 <= key < len(here):
            here = here[key]
        else:
            return None
    return here


def text_at(body: Json, *path: str | int) -> str:
    """The text at ``path``, or an empty one where there is none."""
    found = at(body, *path)
    return found if isinstance(found, str) else ""


def objects_at(body: Json, *path: str | int) -> list[JsonObject]:
    """The objects of the list at ``path``, or none."""
    found = at(body, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def tags_of(body: Mapping[str, Json]) -> dict[str, str]:
    """A resource's tags."""
    found = body.get("tags")
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


@dataclass(frozen=True)
class ResourceId:
    """A full Azure resource ID, taken apart.

    Azure compares resource IDs without regard to case
    (learn.microsoft.com, "Naming rules and restrictions for Azure resources").
    """

    subscription_id: str
    resource_group: str
    type: str
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "ResourceId":
        """Take ``/subscriptions/S/resourceGroups/G/providers/N/type/name[/type/name…]`` apart.

        Raises ValueError when the text has another shape.
        """
        parts = text.strip("/").split("/")
        shape = len(parts) >= 8 and len(parts) % 2 == 0
        if not shape or not all(parts):
            raise ValueError(f"«{text}» is not a full resource ID of a resource in a resource group")
        if (parts[0].lower(), parts[2].lower(), parts[4].lower()) != ("subscriptions", "resourcegroups", "providers"):
            raise ValueError(f"«{text}» is not a full resource ID of a resource in a resource group")
        kinds, names = parts[6::2], parts[7::2]
        return cls(parts[1], parts[3], "/".join([parts[5], *kinds]), tuple(names))

    @property
    def name(self) -> str:
        return self.names[-1]

    def __str__(self) -> str:
        namespace, *kinds = self.type.split("/")
        tail = "/".join(f"{kind}/{name}" for kind, name in zip(kinds, self.names, strict=True))
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}/providers/{namespace}/{tail}"
        )


def subscription_of(id: str) -> str:
    """The subscription that a resource, a group or any other scope lies in, in lower case. Raises ValueError where
    ``id`` does not begin with one."""
    parts = id.strip("/").split("/")
    if len(parts) < 2 or parts[0].lower() != "subscriptions":
        raise ValueError(f"«{id}» does not lie in a subscription")
    return parts[1].lower()


def same_id(one: str, other: str) -> bool:
    """Whether two resource IDs name the same resource."""
    return one.strip("/").lower() == other.strip("/").lower()

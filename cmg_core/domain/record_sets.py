"""The service name's record set, as Azure DNS holds it (api-version 2018-05-01)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from cmg_core.domain.values import Json, JsonObject, at, text_at

TTL_BEFORE = "cmg-ttl-before"
"""Metadata that travels with a lowered TTL, so that a run which died after the write still knows what was before."""

LONGEST_LOW_TTL = timedelta(minutes=1)


def low_ttl(before: timedelta) -> timedelta:
    """What a TTL is lowered to ahead of a change: a tenth, a minute at most, a second at least."""
    return max(min(before // 10, LONGEST_LOW_TTL), timedelta(seconds=1))


def record_set_id(zone_id: str, service_name: str) -> str:
    """The full resource ID of a service name's CNAME record set in a zone that holds the name."""
    zone = zone_id.rsplit("/", 1)[-1]
    return f"{zone_id}/CNAME/{service_name[: -len(zone) - 1]}"


@dataclass(frozen=True)
class RecordSet:
    """A CNAME record set. ``target`` is empty where the set is no CNAME."""

    id: str
    ttl: timedelta
    target: str
    etag: str = ""
    metadata: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, body: JsonObject) -> Self:
        """From what Azure DNS answers."""
        ttl, metadata = at(body, "properties", "TTL"), at(body, "properties", "metadata")
        return cls(
            id=text_at(body, "id"),
            ttl=timedelta(seconds=ttl if isinstance(ttl, int) else 0),
            target=text_at(body, "properties", "CNAMERecord", "cname").rstrip("."),
            etag=text_at(body, "etag"),
            metadata=tuple((k, str(v)) for k, v in metadata.items()) if isinstance(metadata, dict) else (),
        )

    @classmethod
    def alias(cls, id: str, ttl: timedelta, target: str) -> Self:
        """A record set that is still to be made."""
        return cls(id=id, ttl=ttl, target=target)

    @property
    def ttl_before(self) -> timedelta | None:
        """The TTL before it was lowered, where this product lowered it."""
        noted = dict(self.metadata).get(TTL_BEFORE, "")
        return timedelta(seconds=int(noted)) if noted.isdecimal() else None

    def points_at(self, name: str) -> bool:
        return self.target.lower() == name.rstrip(".").lower()

    def pointing_at(self, name: str) -> Self:
        return replace(self, target=name)

    def with_ttl(self, ttl: timedelta, before: timedelta) -> Self:
        """With a lowered TTL, and the note of what it was."""
        metadata = dict(self.metadata) | {TTL_BEFORE: str(int(before.total_seconds()))}
        return replace(self, ttl=ttl, metadata=tuple(metadata.items()))

    def with_ttl_restored(self) -> Self:
        """As it was before its TTL was lowered."""
        metadata = tuple((k, v) for k, v in self.metadata if k != TTL_BEFORE)
        return replace(self, ttl=self.ttl_before or self.ttl, metadata=metadata)

    def body(self) -> JsonObject:
        """What a PUT takes."""
        properties: dict[str, Json] = {"TTL": int(self.ttl.total_seconds()), "CNAMERecord": {"cname": self.target}}
        if self.metadata:
            properties["metadata"] = dict(self.metadata)
        return {"properties": properties}

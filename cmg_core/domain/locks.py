"""Resource locks: what they keep from being changed or deleted (learn.microsoft.com, "Lock your Azure resources")."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cmg_core.domain.values import JsonObject, text_at

LOCKS = "/providers/microsoft.authorization/locks/"


@dataclass(frozen=True)
class Lock:
    """A lock and the scope that it stands on: subscription, resource group or resource."""

    id: str
    scope: str
    level: Literal["CanNotDelete", "ReadOnly"]

    def covers(self, id: str) -> bool:
        """Whether the lock holds for a resource: it stands on it, or on something above it."""
        return f"{id.strip('/')}/".lower().startswith(f"{self.scope.strip('/')}/".lower())


def _lock(body: JsonObject) -> Lock | None:
    id = text_at(body, "id")
    place = id.lower().rfind(LOCKS)
    if place < 0:
        return None
    is_read_only = text_at(body, "properties", "level").lower() == "readonly"
    return Lock(id, id[:place], "ReadOnly" if is_read_only else "CanNotDelete")


def locks_against_deletion(bodies: Iterable[JsonObject], id: str) -> tuple[Lock, ...]:
    """The locks that forbid to delete a resource: either level does. ``bodies`` as Resource Manager lists them."""
    return tuple(lock for lock in map(_lock, bodies) if lock and lock.covers(id))


def locks_against_change(bodies: Iterable[JsonObject], id: str) -> tuple[Lock, ...]:
    """The locks that forbid to create or change a resource."""
    return tuple(lock for lock in locks_against_deletion(bodies, id) if lock.level == "ReadOnly")

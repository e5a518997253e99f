"""Which resources point at which: read from the bodies, so that nothing has to be kept in step."""

from collections.abc import Iterator
from typing import Any

from local.azure.world import Resource, World


def references(resource: Resource) -> frozenset[str]:
    """The IDs (lower case) of other resources, or of parts of them, that this resource's body points at."""
    own = resource.id.lower()
    return frozenset(
        found for found in map(str.lower, ids_in(resource.body)) if found != own and not found.startswith(own + "/")
    )


def ids_in(value: Any) -> Iterator[str]:
    """Every resource ID that a body names as an `id`."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "id" and isinstance(member, str) and member.startswith("/"):
                yield member
            else:
                yield from ids_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from ids_in(member)


def users_of(world: World, resource_id: str) -> Iterator[tuple[Resource, str]]:
    """Other resources that point at this one or at a part of it, each with the ID (lower case) that it names."""
    target = resource_id.lower()
    for resource in list(world.resources.values()):
        for reference in references(resource):
            if reference == target or reference.startswith(target + "/"):
                yield resource, reference


def part_of(world: World, resource_id: str) -> bool:
    """Whether the ID names a resource that exists, or a part (subnet, pool, rule, …) nested in one's body."""
    if world.resource(resource_id) is not None:
        return True
    parent, collection, name = [*resource_id.rstrip("/").rsplit("/", 2), "", ""][:3]
    holder = world.resource(parent)
    if holder is None:
        return False
    return any(child["name"].lower() == name.lower() for child in nested(holder, collection))


def nested(resource: Resource, collection: str) -> list[dict[str, Any]]:
    """A resource's nested parts by the collection's name in any case; empty where it has none."""
    for key, value in resource.body.get("properties", {}).items():
        if key.lower() == collection.lower() and isinstance(value, list):
            return [child for child in value if isinstance(child, dict) and "name" in child]
    return []


def owner(world: World, resource_id: str) -> Resource | None:
    """The resource that an ID names, or in whose body the named part is nested."""
    found = world.resource(resource_id)
    return found or world.resource(resource_id.rstrip("/").rsplit("/", 2)[0])

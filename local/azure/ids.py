"""Resource IDs: taking them apart. Names compare without case; the case that was given is kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ResourceId:
    """A resource ID, or a collection's or action's path where `names` is one shorter than `types`.

    `text` is the ID as given, `types` and `names` run from the outermost resource to the innermost.
    """

    text: str
    subscription: str
    group: str | None
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def type(self) -> str:
        """Such as `Microsoft.Network/virtualNetworks/subnets`."""
        return "/".join((self.namespace, *self.types))

    @property
    def name(self) -> str:
        """The innermost name."""
        return self.names[-1]

    @property
    def parent(self) -> "ResourceId":
        """The ID without its last type and name; of a collection's path, the resource that has the collection."""
        cut = len(self.types) - 1
        segments = 2 if len(self.names) == len(self.types) else 1
        return ResourceId(
            self.text.rsplit("/", segments)[0],
            self.subscription,
            self.group,
            self.namespace,
            self.types[:cut],
            self.names[:cut],
        )


def parse(text: str) -> ResourceId | None:
    """Takes a path below `/subscriptions/{id}[/resourceGroups/{name}]/providers/{namespace}/…` apart, else None."""
    parts = text.strip("/").split("/")
    lower = [part.lower() for part in parts]
    if len(parts) < 2 or lower[0] != "subscriptions" or "providers" not in lower:
        return None
    group = parts[3] if len(parts) > 3 and lower[2] == "resourcegroups" else None
    at = 4 if group is not None else 2
    if len(parts) < at + 3 or lower[at] != "providers":
        return None
    rest = parts[at + 2 :]
    return ResourceId("/" + "/".join(parts), parts[1], group, parts[at + 1], tuple(rest[0::2]), tuple(rest[1::2]))


def last_segment(resource_id: str) -> str:
    """The last part of an ID."""
    return resource_id.rstrip("/").rsplit("/", 1)[-1]


def group_id(subscription: str, group: str) -> str:
    """The lower-case key of a resource group."""
    return f"/subscriptions/{subscription}/resourcegroups/{group}".lower()

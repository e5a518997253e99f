"""Which management client and which pinned api-version serves a resource, by its type."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from cmg_core.azure.clients import Clients
from cmg_core.domain.values import ResourceId

NETWORK_API = "2024-05-01"
COMPUTE_API = "2024-11-01"
DNS_API = "2018-05-01"

GENERIC_APIS = {
    "microsoft.classiccompute": "2016-11-01",
    "microsoft.classicstorage": "2016-11-01",
    "microsoft.keyvault": "2023-07-01",
    "microsoft.storage": "2023-05-01",
}
"""Resource providers that are reached by ID, with their pinned api-versions."""

type Call = Callable[..., Awaitable[object]]


class Operations(Protocol):
    """What the clients' operation groups have in common."""

    @property
    def get(self) -> Call: ...
    @property
    def begin_create_or_update(self) -> Call: ...
    @property
    def begin_delete(self) -> Call: ...


@dataclass(frozen=True)
class Route:
    """The three calls for one resource; ``put`` takes the body's bytes."""

    get: Call
    put: Call
    delete: Call
    put_creates_only: bool = False
    """Whether a put without an ETag must find nothing there."""


GROUPS: dict[str, tuple[str, Callable[[Clients], Operations]]] = {
    "microsoft.network/networksecuritygroups": (NETWORK_API, lambda clients: clients.network.network_security_groups),
    "microsoft.network/virtualnetworks": (NETWORK_API, lambda clients: clients.network.virtual_networks),
    "microsoft.network/publicipaddresses": (NETWORK_API, lambda clients: clients.network.public_ip_addresses),
    "microsoft.network/loadbalancers": (NETWORK_API, lambda clients: clients.network.load_balancers),
    "microsoft.compute/virtualmachinescalesets": (
        COMPUTE_API,
        lambda clients: clients.compute.virtual_machine_scale_sets,
    ),
}


def route_to(clients: Clients, resource: ResourceId) -> Route:
    """The route to a resource, whatever subscription of the tenant it lies in.

    Raises ValueError for a type that the product has no business with.
    """
    clients = clients.of(resource)
    kind = resource.type.lower()
    if kind in GROUPS:
        api_version, pick = GROUPS[kind]
        return _to_group(pick(clients), resource, api_version)
    if kind == "microsoft.network/dnszones":
        return _to_zone(clients, resource)
    if kind.startswith("microsoft.network/dnszones/"):
        return _to_record_set(clients, resource)
    return _by_id(clients, resource)


def _to_group(operations: Operations, resource: ResourceId, api_version: str) -> Route:
    place = (resource.resource_group, *resource.names)
    return Route(
        get=partial(operations.get, *place, api_version=api_version),
        put=partial(operations.begin_create_or_update, *place, api_version=api_version, polling=False),
        delete=partial(operations.begin_delete, *place, api_version=api_version, polling=False),
    )


def _to_zone(clients: Clients, resource: ResourceId) -> Route:
    """A whole zone is only looked at: the product changes record sets."""

    async def refuse(*_: object, **__: object) -> None:
        raise ValueError(f"the product never changes a DNS zone as a whole: «{resource}» was left alone")

    get = partial(clients.dns.zones.get, resource.resource_group, *resource.names, api_version=DNS_API)
    return Route(get=get, put=refuse, delete=refuse)


def _to_record_set(clients: Clients, resource: ResourceId) -> Route:
    record_sets = clients.dns.record_sets
    place = (resource.resource_group, *resource.names, resource.type.rsplit("/", 1)[-1])
    return Route(
        get=partial(record_sets.get, *place, api_version=DNS_API),
        put=partial(record_sets.create_or_update, *place, api_version=DNS_API),
        delete=partial(record_sets.delete, *place, api_version=DNS_API),
        put_creates_only=True,
    )


def _by_id(clients: Clients, resource: ResourceId) -> Route:
    api_version = GENERIC_APIS.get(resource.type.split("/", 1)[0].lower())
    if api_version is None:
        raise ValueError(f"«{resource}» is of a type that the product neither reads nor writes")
    resources, place = clients.resources.resources, str(resource).lstrip("/")
    return Route(
        get=partial(resources.get_by_id, place, api_version=api_version),
        put=partial(resources.begin_create_or_update_by_id, place, api_version=api_version, polling=False),
        delete=partial(resources.begin_delete_by_id, place, api_version=api_version, polling=False),
    )

"""One call to a resource provider, and the table in which each provider says what it serves."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from local.azure.errors import AzureError, Style
from local.azure.ids import ResourceId
from local.azure.messages import Request, Response
from local.azure.world import Body, Resource, ResourceGroup, Subscription, World


@dataclass(frozen=True)
class Caller:
    """Who calls: the claims of the bearer token."""

    tenant: str
    object_id: str
    client_id: str


@dataclass(frozen=True)
class Call:
    """A checked call: token, subscription, api-version and resource group are in order. `id` is what the path names."""

    world: World
    now: datetime
    request: Request
    caller: Caller
    subscription: Subscription
    group: ResourceGroup | None
    id: ResourceId

    def json(self) -> Body:
        """The body, an object; raises the gateway's refusal otherwise."""
        try:
            body = json.loads(self.request.body)
        except ValueError as problem:
            raise AzureError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{problem}'.",
            ) from problem
        if not isinstance(body, dict):
            raise AzureError(400, "InvalidRequestContent", "The request content is not a JSON object.")
        return body

    def existing(self) -> Resource | None:
        """The resource that the path names, if it exists."""
        return self.world.resource(self.id.text)


type Handler = Callable[[Call], Response]


@dataclass(frozen=True)
class ResourceType:
    """What the simulator serves of a resource type.

    `get` and `listing` answer by default with the stored bodies; `delete` is None where a type cannot be deleted.
    `actions` are POST (or GET) calls below a resource, `on_collection` GET calls beside it; both by lower-case name.
    `nested` are collections that live inside the resource's body and are readable below it.
    """

    name: str
    versions: tuple[str, ...]
    style: Style
    put: Handler | None = None
    patch: Handler | None = None
    delete: Handler | None = None
    get: Handler | None = None
    listing: Handler | None = None
    actions: Mapping[str, Handler] = field(default_factory=dict)
    nested: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provider:
    """A namespace: its types and its calls below the subscription, such as `skus` or `locations/{location}/usages`.

    Keys of `calls` are lower case, `{}` stands for one segment.
    """

    namespace: str
    types: tuple[ResourceType, ...]
    calls: Mapping[str, Handler] = field(default_factory=dict)

"""Azure Resource Manager: checks each call as the gateway does, then hands it to the provider of its type."""

import re
from collections.abc import Sequence
from datetime import datetime

from local.azure.arm import authorization, groups, locks, metrics, policies, subscriptions
from local.azure.arm.admission import WRITES, authenticate, find_subscription
from local.azure.arm.call import Call, Caller, ResourceType
from local.azure.arm.registry import PROVIDERS, SKU_VERSIONS, TYPES
from local.azure.arm.sizes import REGIONS
from local.azure.errors import (
    AzureError,
    Style,
    compute_error,
    group_not_found,
    json_response,
    network_error,
    resource_not_found,
)
from local.azure.ids import ResourceId, group_id, parse
from local.azure.messages import Request, Response
from local.azure.operations import check_poll, location_answer, status_document
from local.azure.references import nested
from local.azure.world import Subscription, World

# Versions of Resource Manager's own types (subscriptions, groups, providers, resources); 2016-02-01 is the one that the
# SDK's own registration of providers sends.
OWN_VERSIONS = (
    "2015-01-01", "2016-02-01", "2016-06-01", "2018-02-01", "2019-11-01", "2020-01-01", "2020-06-01", "2021-01-01",
    "2021-04-01", "2022-09-01", "2022-12-01", "2023-07-01", "2024-03-01", "2024-11-01", "2025-04-01",
)  # fmt: skip


def handle(world: World, request: Request, now: datetime) -> Response:
    """Answers one call to Resource Manager; raises AzureError for every refusal."""
    caller = authenticate(world, request, now)
    parts = request.path.strip("/").split("/")
    lower = [part.lower() for part in parts]
    if not request.query.get("api-version"):
        raise AzureError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if lower == ["tenants"]:
        _check_own_version(request)
        return json_response(200, {"value": [{"id": f"/tenants/{id_}", "tenantId": id_} for id_ in world.tenants]})
    if lower[0] != "subscriptions":
        raise AzureError(404, "InvalidResourceNamespace", f"The path '{request.path}' names nothing that is known.")
    if len(parts) == 1:
        _check_own_version(request)
        mine = [s for s in world.subscriptions.values() if caller.tenant in (s.tenant, *s.managed_by)]
        return json_response(200, {"value": [subscriptions.subscription_body(s) for s in mine]})
    subscription = find_subscription(world, request, caller, parts[1])
    authorization.check(world, request, caller)
    return _below_subscription(world, request, now, caller, subscription, parts[2:])


def _check_own_version(request: Request) -> None:
    version = request.query["api-version"]
    if version not in OWN_VERSIONS:
        supported = ",".join(sorted(OWN_VERSIONS, reverse=True))
        raise AzureError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are '{supported}'.",
        )


def _below_subscription(
    world: World, request: Request, now: datetime, caller: Caller, subscription: Subscription, parts: Sequence[str]
) -> Response:
    lower = [part.lower() for part in parts]
    scope = f"/subscriptions/{subscription.id}"
    match lower:
        case [] | ["locations"] | ["resources"] | ["resourcegroups", *_] if "providers" not in lower:
            _check_own_version(request)
        case ["providers"] | ["providers", _] | ["providers", _, "register" | "unregister"]:
            _check_own_version(request)
            return subscriptions.providers(world, request, subscription, list(parts[1:]), now)
        case _:
            pass
    match lower:
        case []:
            return json_response(200, subscriptions.subscription_body(subscription))
        case ["locations"]:
            return subscriptions.locations(subscription)
        case ["resources"]:
            return groups.list_resources(world, request, scope)
        case ["operationresults", operation]:
            return _poll_location(world, request, operation, now)
        case ["resourcegroups"]:
            return groups.list_groups(world, request, subscription)
        case ["resourcegroups", _]:
            return groups.handle_group(world, request, subscription, parts[1], now)
        case ["resourcegroups", _, "resources"]:
            group = world.groups.get(group_id(subscription.id, parts[1]))
            if group is None:
                raise group_not_found(parts[1])
            return groups.list_resources(world, request, group.id)
    if "providers" not in lower:
        raise AzureError(404, "NotFound", f"The path '{request.path}' names nothing that is known.")
    return _provider_call(world, request, now, caller, subscription)


def _provider_call(
    world: World, request: Request, now: datetime, caller: Caller, subscription: Subscription
) -> Response:
    scope, _, rest = re.sub("/providers/", "/providers/", request.path, flags=re.IGNORECASE).rpartition("/providers/")
    if rest.lower().startswith("microsoft.authorization/locks"):
        _check_version(request, locks.TYPE, locks.VERSIONS)
        names = rest.split("/")[2:]
        _require_scope(world, scope)
        return locks.handle_locks(world, request, scope, names[0] if names else None, now)
    if rest.lower() in _GOVERNANCE:
        kind, versions = _GOVERNANCE[rest.lower()]
        _check_version(request, kind, versions)
        _require_scope(world, scope)
        return _governance(world, caller, request, kind, scope)
    if rest.lower() == metrics.TYPE.lower():
        _check_version(request, metrics.TYPE, metrics.VERSIONS)
        _require_scope(world, scope)
        if request.method != "GET":
            raise _method_not_allowed(request.method)
        return metrics.list_metrics(world, request, scope)
    target = parse(request.path)
    if target is None or not target.types:
        raise AzureError(404, "NotFound", f"The path '{request.path}' names nothing that is known.")
    provider = PROVIDERS.get(target.namespace.lower())
    if provider is None:
        raise AzureError(404, "InvalidResourceNamespace", f"The resource namespace '{target.namespace}' is invalid.")
    polled = _poll(world, request, target, now)
    if polled:
        return polled
    group = world.groups.get(group_id(subscription.id, target.group)) if target.group else None
    call = Call(world, now, request, caller, subscription, group, target)
    below = _subscription_call(call)
    if below:
        return below
    if target.group and group is None:
        if request.method == "HEAD":
            return Response(404, (("x-ms-failure-cause", "gateway"),))
        raise group_not_found(target.group)
    if target.type.lower() == "microsoft.policyinsights/checkpolicyrestrictions":
        _check_version(request, target.type, policies.CHECK_VERSIONS)
        if request.method != "POST":
            raise _method_not_allowed(request.method)
        subscriptions.require_registered(subscription, target.namespace)
        return policies.check_restrictions(call)
    return _typed_call(call)


_GOVERNANCE = {
    kind.lower(): (kind, versions)
    for kind, versions in (
        (authorization.PERMISSIONS, authorization.VERSIONS),
        (authorization.ASSIGNMENTS, authorization.VERSIONS),
        (policies.ASSIGNMENTS, policies.VERSIONS),
    )
}
"""What is only listed, at any scope."""


def _governance(world: World, caller: Caller, request: Request, kind: str, scope: str) -> Response:
    if request.method != "GET":
        raise _method_not_allowed(request.method)
    if kind == authorization.PERMISSIONS:
        return authorization.list_permissions(world, scope)
    if kind == authorization.ASSIGNMENTS:
        return authorization.list_assignments(world, caller, request, scope)
    return policies.list_assignments(world, request, scope)


def _require_scope(world: World, scope: str) -> None:
    target = parse(scope)
    if target and world.resource(scope) is None:
        raise resource_not_found(target.type, target.names, target.group)
    parts = scope.strip("/").split("/")
    if target is None and len(parts) == 4 and scope.lower() not in world.groups:
        raise group_not_found(parts[3])


def _poll(world: World, request: Request, target: ResourceId, now: datetime) -> Response | None:
    """Operation URLs: status documents, and Locations that are 202 while the operation runs."""
    kind, name = target.types[-1].lower(), target.names[-1] if target.names else ""
    if kind in ("operations", "dnsoperationstatuses") and request.query.get("monitor") != "true":
        operation = world.operations.get(name.removeprefix("delzone"))
        if operation is None:
            raise AzureError(404, "NotFound", f"The operation '{name}' was not found.", style="compute")
        check_poll(world, request, operation, now)
        return json_response(200, status_document(operation))
    if kind in ("operations", "operationresults", "dnsoperationresults"):
        return _poll_location(world, request, name.removeprefix("delzone"), now)
    return None


def _poll_location(world: World, request: Request, operation_id: str, now: datetime) -> Response:
    operation = world.operations.get(operation_id)
    if operation is None:
        raise AzureError(404, "NotFound", f"The operation '{operation_id}' was not found.")
    check_poll(world, request, operation, now)
    return location_answer(world, request, operation)


def _subscription_call(call: Call) -> Response | None:
    provider = PROVIDERS[call.id.namespace.lower()]
    segments = [part for pair in zip(call.id.types, (*call.id.names, ""), strict=False) for part in pair if part]
    for pattern, handler in provider.calls.items():
        wanted = pattern.split("/")
        if len(wanted) == len(segments) and all(w in ("{}", s.lower()) for w, s in zip(wanted, segments, strict=True)):
            versions = SKU_VERSIONS if pattern == "skus" else provider.types[0].versions
            _check_version(call.request, f"{provider.namespace}/{'/'.join(call.id.types)}", versions)
            return handler(call)
    return None


def _check_version(request: Request, resource_type: str, versions: Sequence[str]) -> None:
    version = request.query["api-version"]
    if version not in versions:
        raise AzureError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '' and API version '{version}' for type "
            f"'{resource_type.split('/', 1)[-1]}'. The supported api-versions are "
            f"'{', '.join(sorted(versions, reverse=True))}'. The supported locations are "
            f"'{', '.join(sorted(REGIONS))}'.",
        )


def _typed_call(call: Call) -> Response:
    """A resource, a collection, an action, or a part nested in a resource's body."""
    target, method = call.id, call.request.method
    is_resource = len(target.names) == len(target.types)
    kind = TYPES.get(target.type.lower())
    if kind is None and len(target.types) > 1:
        holder = TYPES.get(target.parent.type.lower())
        if holder:
            _check_version(call.request, holder.name, holder.versions)
            return _inside(call, holder, is_resource)
    if kind is None:
        raise AzureError(
            404,
            "InvalidResourceType",
            f"The resource type '{'/'.join(target.types)}' could not be found in the namespace '{target.namespace}' "
            f"for api version '{call.request.query['api-version']}'.",
        )
    _check_version(call.request, kind.name, kind.versions)
    if not is_resource:
        return _collection(call, kind)
    if method in WRITES:
        _check_write(call, target.text, "delete" if method == "DELETE" else "write")
    handlers = {"PUT": kind.put, "PATCH": kind.patch, "DELETE": kind.delete, "GET": kind.get}
    if method in ("PUT", "PATCH", "DELETE") or handlers.get(method):
        handler = handlers[method]
        if handler is None:
            raise _method_not_allowed(method)
        return handler(call)
    existing = call.existing()
    if method == "HEAD":
        return Response(204) if existing else Response(404, (("x-ms-failure-cause", "gateway"),))
    if method != "GET":
        raise _method_not_allowed(method)
    if existing is None:
        raise resource_not_found(kind.name, target.names, target.group)
    etag = existing.body.get("etag")
    return json_response(200, existing.body, *((("ETag", etag),) if etag else ()))


def _method_not_allowed(method: str) -> AzureError:
    return AzureError(405, "MethodNotAllowed", f"The requested resource does not support http method '{method}'.")


def _check_write(call: Call, resource_id: str, operation: str) -> None:
    if operation == "write":
        subscriptions.require_registered(call.subscription, call.id.namespace)
        if call.id.types[0].lower() == "virtualmachinescalesets":
            subscriptions.require_registered(call.subscription, "Microsoft.Network")
    if call.group and call.group.deleting:
        raise groups.being_deleted(call.group)
    locks.check_locks(call.world, resource_id, operation)
    if call.request.method == "PUT":
        given = call.json()
        action = f"{call.id.type}/write"
        authorization.check_links(call.world, call.caller, resource_id, action, given)
        content = {**given, "name": call.id.name, "type": call.id.type}
        policies.refuse_denied(call.world, policies.scope_of(call.subscription.id, call.id.group), content)
        location = given.get("location")
        if isinstance(location, str) and location.replace(" ", "").lower() not in REGIONS | {"global"}:
            raise AzureError(
                400,
                "LocationNotAvailableForResourceType",
                f"The provided location '{location}' is not available for resource type '{call.id.type}'. List of "
                f"available regions for the resource type is '{','.join(sorted(REGIONS))}'.",
            )


def _collection(call: Call, kind: ResourceType) -> Response:
    if call.request.method != "GET":
        raise _method_not_allowed(call.request.method)
    if kind.listing:
        return kind.listing(call)
    scope = re.split("/providers/", call.id.text, maxsplit=1, flags=re.IGNORECASE)[0]
    rows = [resource.body for resource in call.world.children(scope) if resource.type.lower() == kind.name.lower()]
    return json_response(200, {"value": rows})


def _inside(call: Call, holder: ResourceType, is_resource: bool) -> Response:
    """An action on a resource, or its nested parts (read only: they are written with the whole resource)."""
    name = call.id.types[-1]
    if not is_resource and name.lower() in holder.actions:
        if call.request.method == "POST":
            _check_write(call, call.id.parent.text, "write")
        return holder.actions[name.lower()](call)
    if name.lower() not in {part.lower() for part in holder.nested}:
        raise AzureError(
            404,
            "InvalidResourceType",
            f"The resource type '{'/'.join(call.id.types)}' could not be found in the namespace '{call.id.namespace}' "
            f"for api version '{call.request.query['api-version']}'.",
        )
    if call.request.method != "GET":
        raise _method_not_allowed(call.request.method)
    resource = call.world.resource(call.id.parent.text)
    if resource is None:
        raise _missing(holder.style, call.id.parent)
    parts = nested(resource, name)
    if not is_resource:
        return json_response(200, {"value": parts})
    for part in parts:
        if part["name"].lower() == call.id.name.lower():
            return json_response(200, part, ("ETag", resource.body.get("etag", "")))
    raise _missing(holder.style, call.id)


def _missing(style: Style, target: ResourceId) -> AzureError:
    if style == "network":
        return network_error("NotFound", f"Resource {target.text} not found.", 404)
    return compute_error(404, "NotFound", "The entity was not found in this Azure location.")

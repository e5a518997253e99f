"""What all asynchronous resource providers do alike: store, start an operation, answer as Azure does."""

import copy
from datetime import datetime

from local.azure.arm.call import Call
from local.azure.errors import AzureError, compute_error, json_response, network_error
from local.azure.messages import Response
from local.azure.operations import cancel, retry_after, running_on, set_state, signed_url, start
from local.azure.world import Body, Operation, Resource, World


def new_body(call: Call, resource_type: str, given: Body, existing: Resource | None) -> Body:
    """The members that every resource has: name, id (as first given), type, location, tags, zones, sku, identity."""
    body: Body = {
        "name": existing.name if existing else call.id.name,
        "id": existing.id if existing else call.id.text,
        "type": resource_type,
        "location": normal_location(given.get("location", existing.location if existing else "")),
    }
    for key in ("tags", "zones", "sku", "identity", "plan", "kind"):
        if given.get(key) is not None:
            body[key] = copy.deepcopy(given[key])
    return body


def normal_location(location: str) -> str:
    """`East US` and `eastus` are the same place."""
    return location.replace(" ", "").lower()


def require_location(given: Body, existing: Resource | None) -> None:
    """Location must be said, and never changes."""
    location = given.get("location")
    if not location:
        raise AzureError(400, "LocationRequired", "The location property is required for this definition.")
    if existing and normal_location(location) != existing.location:
        raise AzureError(
            409,
            "InvalidResourceLocation",
            f"The resource '{existing.name}' already exists in location '{existing.location}' in resource group. "
            f"A resource with the same name cannot be created in location '{location}'. Please select a new resource "
            "name.",
        )


def save(world: World, now: datetime, resource_type: str, body: Body) -> Resource:
    """Puts a body into the world, as a new resource or in place of the old body."""
    existing = world.resource(body["id"])
    if existing:
        existing.body = body
        existing.changed_at = now
        return existing
    resource = Resource(body["id"], resource_type, body["name"], body["location"], body, now, now)
    world.resources[body["id"].lower()] = resource
    return resource


def refuse_while_deleting(call: Call, existing: Resource | None, style: str) -> None:
    """A write on a resource that is being removed. Status and code for compute are own knowledge."""
    operation = running_on(call.world, existing) if existing else None
    if operation is None or operation.kind != "delete":
        return
    if style == "compute":
        raise compute_error(
            409,
            "Conflict",
            "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
            "https://aka.ms/activitylog to get more details on the conflicting requests.",
        )
    raise network_error(
        "AnotherOperationInProgress",
        "Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: "
        f"{operation_url(call, operation)}.",
        429,
        headers=(retry_after(call.world, 10),),
    )


def begin(call: Call, resource: Resource, kind: str, name: str, seconds: float | None = None) -> Operation:
    """Starts an operation on a resource; an unfinished earlier one is canceled, as Azure cancels it."""
    namespace = resource.type.split("/")[0]
    operation = start(
        call.world,
        call.now,
        kind=kind,
        name=name,
        namespace=namespace,
        subscription=call.subscription.id,
        location=resource.location,
        resource_id=resource.id,
        seconds=seconds,
    )
    earlier = running_on(call.world, resource)
    if earlier:
        cancel(earlier, call.now, _superseded(namespace, earlier, operation))
    resource.operation = operation.id
    return operation


def _superseded(namespace: str, earlier: Operation, later: Operation) -> Body:
    if namespace == "Microsoft.Compute":
        message = "The operation has been preempted by a more recent operation."
        return {"code": "OperationPreempted", "message": message}
    text = (
        f"Operation {_network_operation(earlier)} ({earlier.id}) was canceled and superseded by operation "
        f"{_network_operation(later)} ({later.id})."
    )
    details = [{"code": "CanceledAndSupersededDueToAnotherOperation", "message": text}]
    return {"code": "Canceled", "message": "Operation was canceled.", "details": details}


def _network_operation(operation: Operation) -> str:
    kind = (
        operation.name.split(".")[0].removesuffix("es")
        if "Addresses" in operation.name
        else operation.name.split(".")[0].removesuffix("s")
    )
    verb = "Delete" if operation.kind == "delete" else "Put"
    return f"{verb}{kind[0].upper()}{kind[1:]}Operation"


def operation_url(call: Call, operation: Operation) -> str:
    """The Azure-AsyncOperation URL of an operation."""
    path = (
        f"/subscriptions/{operation.subscription}/providers/{operation.namespace}/locations/{operation.location}"
        f"/operations/{operation.id}"
    )
    extra = {"p": call.subscription.id} if operation.namespace == "Microsoft.Compute" else {}
    return signed_url(call.world, call.request, path, **extra)


def location_url(call: Call, operation: Operation) -> str:
    """The Location URL of an operation: `operationResults` for networks, `?monitor=true` for compute."""
    path = f"/subscriptions/{operation.subscription}/providers/{operation.namespace}/locations/{operation.location}"
    if operation.namespace == "Microsoft.Compute":
        return signed_url(call.world, call.request, f"{path}/operations/{operation.id}", monitor="true")
    return signed_url(call.world, call.request, f"{path}/operationResults/{operation.id}")


def put_answer(call: Call, resource: Resource, operation: Operation, created: bool, wait: float | None) -> Response:
    """201 or 200 with the body and the operation's URL; `wait` is the Retry-After in Azure's seconds."""
    headers = [("Azure-AsyncNotification", "Enabled"), ("Azure-AsyncOperation", operation_url(call, operation))]
    if wait is not None:
        headers.append(retry_after(call.world, wait))
    return json_response(201 if created else 200, resource.body, *headers)


def delete_resource(call: Call, name: str) -> Response:
    """DELETE: 204 where there is nothing, else 202 with both URLs; a repeated one joins the running operation."""
    existing = call.existing()
    if existing is None:
        return Response(204)
    operation = running_on(call.world, existing)
    if operation is None or operation.kind != "delete":
        operation = begin(call, existing, "delete", name)
        set_state(call.world, existing.body, "Deleting")
    headers = (
        ("Azure-AsyncNotification", "Enabled"),
        ("Azure-AsyncOperation", operation_url(call, operation)),
        ("Location", location_url(call, operation)),
        retry_after(call.world, 10),
    )
    return Response(202, headers)


def patch_tags(call: Call, not_found: AzureError) -> Response:
    """PATCH of tags alone, at once, as the network provider does it."""
    existing = call.existing()
    if existing is None:
        raise not_found
    tags = call.json().get("tags")
    if tags is not None:
        existing.body["tags"] = tags
    existing.changed_at = call.now
    return json_response(200, existing.body)

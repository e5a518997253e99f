"""Long-running operations: how long they take, when they end, what their end changes, how they are polled.

Durations are seconds (least, usual, long) as recorded from real sessions of 2017-2021 (see the project's description
of Azure's behaviour); those of instance health and of classic cloud services are our own knowledge.
"""

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from local.azure.errors import AzureError, json_response
from local.azure.messages import Request, Response
from local.azure.references import references
from local.azure.world import Body, Operation, Resource, World

DURATIONS: Mapping[str, tuple[float, float, float]] = {
    "virtualMachineScaleSets.create": (61, 92, 180),
    "virtualMachineScaleSets.update": (10, 38, 129),
    "virtualMachineScaleSets.delete": (10, 30, 111),
    "virtualMachineScaleSets.action": (10, 38, 129),
    "virtualMachineScaleSets.failure": (2, 5, 10),
    "instance.health": (15, 25, 45),
    "loadBalancers.create": (10, 15, 32),
    "loadBalancers.update": (40, 71, 92),
    "loadBalancers.delete": (5, 10, 52),
    "publicIPAddresses.create": (1, 1, 3),
    "publicIPAddresses.update": (1, 1, 3),
    "publicIPAddresses.delete": (1, 1, 11),
    "networkSecurityGroups.create": (1, 1, 11),
    "networkSecurityGroups.update": (1, 1, 11),
    "networkSecurityGroups.delete": (1, 1, 11),
    "virtualNetworks.create": (1, 1, 10),
    "virtualNetworks.update": (1, 1, 10),
    "virtualNetworks.delete": (1, 21, 22),
    "resourceGroups.delete": (47, 100, 215),
    "dnsZones.delete": (3, 4, 5),
    "domainNames.delete": (60, 90, 180),
    "providers.register": (70, 80, 90),
    "providers.unregister": (8, 10, 12),
}

# "Compute throttling limits" of Microsoft's documentation: operation polls, bucket capacity 45 a minute.
POLLS_A_MINUTE = 45

# Today's operation URLs carry a certificate of about 3 KB in their query string.
_CERTIFICATE = base64.urlsafe_b64encode(
    b"".join(hashlib.sha512(f"operation url {n}".encode()).digest() for n in range(48))
).decode()


def duration(world: World, name: str) -> float:
    """Seconds that such an operation takes in this world: an override, or a seeded sample, times the time scale."""
    if name in world.durations:
        return world.durations[name] * world.time_scale
    least, usual, long = DURATIONS[name]
    return world.random.triangular(least, long, usual) * world.time_scale


def retry_after(world: World, seconds: float) -> tuple[str, str]:
    """The Retry-After header for a wait that takes `seconds` in Azure: scaled, rounded up to a whole second."""
    return ("Retry-After", str(max(1, math.ceil(seconds * world.time_scale))))


def start(
    world: World,
    now: datetime,
    *,
    kind: str,
    name: str,
    namespace: str,
    subscription: str,
    location: str,
    resource_id: str,
    seconds: float | None = None,
) -> Operation:
    """Starts an operation of that kind on a resource; `name` is a key of DURATIONS."""
    takes = duration(world, name) if seconds is None else seconds
    operation = Operation(
        id=world.guid(),
        kind=kind,
        name=name,
        namespace=namespace,
        subscription=subscription,
        location=location,
        resource_id=resource_id,
        started_at=now,
        ready_at=now + timedelta(seconds=takes),
        expected_s=takes,
        after=_predecessors(world, kind, resource_id),
    )
    world.operations[operation.id] = operation
    return operation


def _predecessors(world: World, kind: str, resource_id: str) -> tuple[str, ...]:
    """What had to be over first: a PUT needs what it references, a removal comes after everything that was made and
    after the removal of what referenced it."""
    over = [operation for operation in world.operations.values() if operation.status == "Succeeded"]
    if kind.startswith("delete"):
        target = resource_id.lower()
        return tuple(
            operation.id
            for operation in over
            if operation.kind == "put"
            or any(
                reference.startswith(target)
                for reference in world.past_references.get(operation.resource_id.lower(), ())
            )
        )
    resource = world.resource(resource_id)
    needed = references(resource) if resource else frozenset()
    namespace = resource.type.split("/")[0].lower() if resource else ""
    return tuple(
        operation.id
        for operation in over
        if any(reference.startswith(operation.resource_id.lower()) for reference in needed)
        or (operation.kind == "register" and operation.resource_id.lower().endswith("/" + namespace))
    )


def running_on(world: World, resource: Resource) -> Operation | None:
    """The unfinished operation on a resource, if any."""
    return world.operations[resource.operation] if resource.operation else None


def cancel(operation: Operation, now: datetime, error: Body) -> None:
    """Ends an operation because a later one took its place."""
    operation.status = "Canceled"
    operation.error = error
    operation.ended_at = now


def advance(world: World, now: datetime) -> None:
    """Lets everything happen that is due: call it before looking at the world at a moment."""
    due = [op for op in world.operations.values() if op.status == "InProgress" and op.ready_at <= now]
    for operation in sorted(due, key=lambda op: op.ready_at):
        _finish(world, operation)


def _finish(world: World, operation: Operation) -> None:
    operation.status = "Failed" if operation.error else "Succeeded"
    operation.ended_at = operation.ready_at
    if operation.kind == "register":
        provider = world.subscriptions[operation.subscription].providers[
            operation.resource_id.rsplit("/", 1)[-1].lower()
        ]
        provider.state, provider.becomes, provider.ready_at = provider.becomes or provider.state, None, None
        return
    if operation.kind == "delete-group":
        group = world.groups[operation.resource_id.lower()]
        group.deleting = None
        if not operation.error:
            for held in list(world.children(group.id)):
                forget(world, held)
            del world.groups[operation.resource_id.lower()]
            world.deleted.append(group.id)
        return
    resource = world.resource(operation.resource_id)
    if resource is None or resource.operation != operation.id:
        return
    resource.operation = None
    if operation.error:
        set_state(world, resource.body, "Failed")
        if operation.kind == "put":
            machines = world.instances.get(resource.id.lower(), [])
            machines[:] = [machine for machine in machines if machine.running_at <= operation.ready_at]
    elif operation.kind == "delete":
        for child in list(world.children(resource.id)):
            forget(world, child)
        forget(world, resource)
    else:
        set_state(world, resource.body, "Succeeded")
        resource.changed_at = operation.ready_at


def forget(world: World, resource: Resource) -> None:
    """Takes a resource out of the world at once."""
    key = resource.id.lower()
    world.past_references[key] = references(resource)
    world.resources.pop(key, None)
    world.instances.pop(key, None)
    world.classic_certificates.pop(key, None)
    world.deleted.append(resource.id)


def set_state(world: World, body: Body, state: str) -> None:
    """Sets provisioningState in a resource's body and in what is nested in it; gives network resources a new etag."""
    etag = f'W/"{world.guid()}"' if str(body.get("etag", "")).startswith("W/") else None
    _set_nested(body, state, etag)


def _set_nested(body: Body, state: str, etag: str | None) -> None:
    if etag and "etag" in body:
        body["etag"] = etag
    properties = body["properties"]
    properties["provisioningState"] = state
    for value in properties.values():
        for child in value if isinstance(value, list) else ():
            if isinstance(child, dict) and "provisioningState" in child.get("properties", {}):
                _set_nested(child, state, etag)


def signed_url(world: World, request: Request, path: str, **query: str) -> str:
    """An operation URL as Azure writes them since about 2023: over 4 KB, to be followed to the letter."""
    signature = _signature(world, path)
    ticks = "638" + hashlib.sha256(path.encode()).hexdigest()[:15].translate(str.maketrans("abcdef", "012345"))
    pairs = {**query, "api-version": request.query["api-version"], "t": ticks, "c": _CERTIFICATE, "s": signature * 8}
    return (
        f"https://{request.host}{path}?"
        + "&".join(f"{key}={value}" for key, value in pairs.items())
        + f"&h={signature}"
    )


def _signature(world: World, path: str) -> str:
    digest = hmac.new(world.token_key, path.lower().encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def check_poll(world: World, request: Request, operation: Operation, now: datetime) -> None:
    """Refuses a poll whose signature is missing or changed (own knowledge: 403), or that comes too often (429)."""
    wanted = _signature(world, request.path)
    if request.query.get("h") != wanted or request.query.get("c") != _CERTIFICATE or "t" not in request.query:
        raise AzureError(403, "AuthorizationFailed", "The signature of the operation's URL is missing or was changed.")
    operation.polls[:] = [at for at in operation.polls if (now - at).total_seconds() < 60] + [now]
    if len(operation.polls) > POLLS_A_MINUTE:
        counted = {
            "operationGroup": "GetOperation3Min",
            "allowedRequestCount": POLLS_A_MINUTE,
            "measuredRequestCount": len(operation.polls),
        }
        details = [{"code": "TooManyRequests", "target": "GetOperation3Min", "message": json.dumps(counted)}]
        raise AzureError(
            429,
            "OperationNotAllowed",
            "The server rejected the request because too many requests have been received for this subscription.",
            style="compute",
            details=details,
            headers=(("Retry-After", "60"),),
            extra={"innererror": {"internalErrorCode": "TooManyRequestsReceived"}},
        )


def status_document(operation: Operation) -> Body:
    """What an Azure-AsyncOperation URL answers; the network provider says the status alone."""
    document: Body = {}
    if operation.namespace != "Microsoft.Network":
        document = {"startTime": operation.started_at.isoformat(), "name": operation.id}
        if operation.ended_at:
            document["endTime"] = operation.ended_at.isoformat()
    document["status"] = operation.status
    if operation.error and operation.status != "InProgress":
        document["error"] = operation.error
    return document


def location_answer(world: World, request: Request, operation: Operation) -> Response:
    """What a Location URL answers: 202 with a new Location while it runs, then 200 without a body, or the error."""
    if operation.status == "InProgress":
        url = signed_url(world, request, request.path, **{k: v for k, v in request.query.items() if k == "monitor"})
        return Response(202, (("Location", url), retry_after(world, 15 if operation.kind == "delete-group" else 10)))
    if operation.error and operation.kind == "delete-group":
        # Recorded: the one place where Resource Manager writes its error's keys with capitals.
        return json_response(
            409,
            {
                "Error": {
                    "Code": operation.error["code"],
                    "Target": None,
                    "Message": operation.error["message"],
                    "Details": [],
                }
            },
        )
    if operation.error:
        return json_response(409, {"error": operation.error})
    return Response(200)

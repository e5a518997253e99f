"""Microsoft.Authorization/locks: management locks at a subscription, a group or a resource, and what they forbid.

Source: Microsoft's page on locking resources and the text of ScopeLocked in public issues. That a list without
`$filter=atScope()` shows what lies at or below a scope is inferred from the sister call for role assignments.
"""

from datetime import datetime

from local.azure.errors import AzureError, json_response
from local.azure.messages import Request, Response
from local.azure.world import Body, Resource, World

VERSIONS = ("2015-01-01", "2016-09-01", "2017-04-01", "2020-05-01")
TYPE = "Microsoft.Authorization/locks"
_MARK = "/providers/microsoft.authorization/locks/"


def scope_of(lock: Resource) -> str:
    """What a lock protects: an ID, in the case it was given."""
    return lock.id[: lock.id.lower().rindex(_MARK)]


def make_lock(world: World, scope: str, name: str, level: str, notes: str | None, now: datetime) -> Resource:
    """Puts a lock into the world."""
    lock_id = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/locks/{name}"
    properties: Body = {"level": level}
    if notes:
        properties["notes"] = notes
    body: Body = {"properties": properties, "id": lock_id, "type": TYPE, "name": name}
    lock = Resource(lock_id, TYPE, name, "", body, now, now)
    world.resources[lock_id.lower()] = lock
    return lock


def handle_locks(world: World, request: Request, scope: str, name: str | None, now: datetime) -> Response:
    """All calls on locks at a scope."""
    if name is None:
        return json_response(200, {"value": [lock.body for lock in _listed(world, request, scope)]})
    lock = world.resource(f"{scope}{_MARK}{name}")
    if request.method == "PUT":
        return _put(world, request, scope, name, lock, now)
    if request.method == "DELETE":
        if lock is None:
            return Response(204)
        del world.resources[lock.id.lower()]
        world.deleted.append(lock.id)
        return Response(200)
    if lock is None:
        raise AzureError(404, "LockNotFound", f"The lock '{name}' could not be found.")
    return json_response(200, lock.body)


def _put(world: World, request: Request, scope: str, name: str, existing: Resource | None, now: datetime) -> Response:
    document = Response(200, body=request.body).json()
    properties = document.get("properties") or {}
    if properties.get("level") not in ("CanNotDelete", "ReadOnly"):
        raise AzureError(
            400, "LockLevelInvalid", f"The lock level '{properties.get('level')}' is not CanNotDelete or ReadOnly."
        )
    lock = make_lock(world, scope, name, properties["level"], properties.get("notes"), now)
    return json_response(200 if existing else 201, lock.body)


def _listed(world: World, request: Request, scope: str) -> list[Resource]:
    here = scope.lower().rstrip("/")
    at_scope = "atscope()" in request.query.get("$filter", "").lower()
    return [
        lock
        for lock in world.of_type(TYPE)
        if (_covers(scope_of(lock), here) if at_scope else _covers(here, scope_of(lock)))
    ]


def _covers(outer: str, inner: str) -> bool:
    return (inner.lower() + "/").startswith(outer.lower().rstrip("/") + "/")


def check_locks(world: World, resource_id: str, operation: str) -> None:
    """Refuses `delete` under any lock at, above or (for what lies within) below the scope, `write` under ReadOnly."""
    blocking = []
    for lock in world.of_type(TYPE):
        scope = scope_of(lock)
        above = _covers(scope, resource_id)
        below = operation == "delete" and _covers(resource_id, scope)
        if (above and (operation == "delete" or lock.properties["level"] == "ReadOnly")) or below:
            blocking.append(scope)
    if blocking:
        scopes = "','".join(dict.fromkeys(blocking))
        raise AzureError(
            409,
            "ScopeLocked",
            f"The scope '{resource_id}' cannot perform {operation} operation because following scope(s) are locked: "
            f"'{scopes}'. Please remove the lock and try again.",
        )

"""The simulated Azure as one function: a request and the moment in, a response out. No I/O, no clock.

Real processes (behind a proxy) and runs in one process with virtual time use the same `handle`.
"""

import re
from datetime import datetime
from typing import Any

from local.azure import identity, site, vault
from local.azure.arm import manager
from local.azure.arm.admission import AUDIENCES
from local.azure.errors import AzureError, json_response
from local.azure.messages import Disconnect, Request, Response
from local.azure.request_log import masked_request, masked_response
from local.azure.world import Body, Fault, LoggedRequest, Operation, World

VAULT_SUFFIXES = (".vault.azure.net", ".vault.usgovcloudapi.net")
IDENTITY_HOST = "identity"

_ACTIONS = {"status", "headers", "body", "delay_s", "operation", "error", "disconnect"}


class FaultError(ValueError):
    """A fault's description that cannot be used."""


class Simulator:
    """Answers requests to the hosts that the simulated Azure has, and keeps a log of them in the world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def handle(self, request: Request, now: datetime) -> Response:
        """The answer at `now`; raises Disconnect where a fault cuts the connection."""
        site.advance(self.world, now)
        fault = self._next_fault(request)
        action = fault.action if fault else {}
        if action.get("disconnect") and action["disconnect"] != "after":
            self._log(request, None, now)
            raise Disconnect
        if "status" in action:
            response = _complete(self.world, request, _made_up(action), now)
        else:
            before = set(self.world.operations)
            response = _complete(self.world, request, self._answer(request, now), now)
            if action.get("operation") == "fail":
                self._fail_new_operation(before, action)
        if action.get("disconnect"):
            self._log(request, None, now)
            raise Disconnect
        if action.get("delay_s"):
            response = Response(response.status, response.headers, response.body, float(action["delay_s"]))
        self._log(request, response, now)
        return response

    def _answer(self, request: Request, now: datetime) -> Response:
        host = request.host.lower()
        try:
            if host in AUDIENCES:
                return manager.handle(self.world, request, now)
            if host in identity.LOGIN_HOSTS:
                return identity.handle_login(self.world, request, now)
            if host.endswith(VAULT_SUFFIXES):
                return vault.handle(self.world, request, now)
            if host == IDENTITY_HOST:
                return identity.handle_managed_identity(self.world, request, now)
        except AzureError as refusal:
            return refusal.to_response()
        text = f"This network does not let requests to {host} out.\n"
        return Response(403, (("Content-Type", "text/plain"),), text.encode())

    def add_fault(self, described: dict[str, Any]) -> None:
        """Adds a fault: `{"match": {"method", "path"}, "times", "after", "action": {…}}`.

        `path` is a regular expression, searched for in host and path. The first `after` matching requests pass, the
        next `times` (default 1) get the action: an answer (`status`, `headers`, `body`), `delay_s`,
        `{"operation": "fail", "error"}` for the operation that the request starts, `{"disconnect": true}`
        (nothing happens) or `{"disconnect": "after"}` (it happens, the answer is lost). Raises FaultError.
        """
        match = described.get("match", {})
        action = described.get("action")
        unknown = (set(described) - {"match", "times", "after", "action"}) | (set(match) - {"method", "path"})
        if not isinstance(action, dict) or not action or set(action) - _ACTIONS or unknown:
            raise FaultError(f"A fault has match, times, after and an action of {sorted(_ACTIONS)}; got {described}.")
        if not isinstance(action.get("status", 200), int) or not isinstance(action.get("delay_s", 0), int | float):
            raise FaultError(f"A fault's status and delay_s are numbers; got {action}.")
        try:
            re.compile(match.get("path", ""))
        except re.error as problem:
            raise FaultError(f"The fault's path is not a regular expression: {problem}.") from problem
        self.world.faults.append(
            Fault(
                match.get("method"),
                match.get("path", ""),
                int(described.get("times", 1)),
                int(described.get("after", 0)),
                action,
            )
        )

    def clear_faults(self) -> None:
        """Takes all faults away."""
        self.world.faults.clear()

    def _next_fault(self, request: Request) -> Fault | None:
        chosen = None
        for fault in self.world.faults:
            fits_method = fault.method is None or fault.method.upper() == request.method
            if fits_method and re.search(fault.path, request.host + request.path, re.IGNORECASE):
                fault.seen += 1
                if chosen is None and fault.seen > fault.after and fault.done < fault.times:
                    fault.done += 1
                    chosen = fault
        return chosen

    def _fail_new_operation(self, before: set[str], action: Body) -> None:
        default = {"code": "InternalExecutionError", "message": "An internal execution error occurred."}
        for operation_id in set(self.world.operations) - before:
            self.world.operations[operation_id].error = action.get("error") or default

    def _log(self, request: Request, response: Response | None, now: datetime) -> None:
        kept = masked_response(response) if response else None
        self.world.log.append(LoggedRequest(len(self.world.log) + 1, now, masked_request(request), kept))


def _made_up(action: Body) -> Response:
    headers = tuple((str(name), str(value)) for name, value in (action.get("headers") or {}).items())
    body = action.get("body")
    if body is None or isinstance(body, str):
        return Response(action["status"], headers, (body or "").encode())
    made = json_response(action["status"], body)
    return Response(made.status, (*made.headers, *headers), made.body)


def _complete(world: World, request: Request, response: Response, now: datetime) -> Response:
    """Adds the headers that every answer of Azure carries; answers to HEAD have no body."""
    headers = [
        ("Cache-Control", "no-cache"),
        ("Pragma", "no-cache"),
        ("Expires", "-1"),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
        ("Date", f"{now:%a, %d %b %Y %H:%M:%S} GMT"),
        ("x-ms-request-id", world.guid()),
    ]
    if request.host.lower() in AUDIENCES:
        headers += _manager_headers(world, request, now)
    if "x-ms-client-request-id" in request.headers:
        headers.append(("x-ms-client-request-id", request.headers["x-ms-client-request-id"]))
    given = {name.lower() for name, _ in response.headers}
    added = tuple((name, value) for name, value in headers if name.lower() not in given)
    body = b"" if request.method == "HEAD" else response.body
    return Response(response.status, response.headers + added, body, response.delay_s, response.reason)


def _manager_headers(world: World, request: Request, now: datetime) -> list[tuple[str, str]]:
    correlation = request.headers.get("x-ms-correlation-request-id") or world.guid()
    headers = [
        ("x-ms-correlation-request-id", correlation),
        ("x-ms-routing-request-id", f"EASTUS:{now:%Y%m%dT%H%M%SZ}:{correlation}"),
        ("X-Cache", "CONFIG_NOCACHE"),
    ]
    path = request.path.lower()
    if "/dnszones/" in path:
        rest = "499" if request.method == "GET" else "11999"
        headers.append(("x-ms-ratelimit-remaining-subscription-resource-requests", rest))
    elif "/microsoft.compute/" in path:
        headers.append(("x-ms-ratelimit-remaining-resource", "Microsoft.Compute/GetVMScaleSetResource;35"))
        headers.append(("x-ms-request-charge", "1"))
    kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(request.method, "writes")
    left = {"reads": "16499", "deletes": "11999", "writes": "11999"}[kind]
    headers.append((f"x-ms-ratelimit-remaining-subscription-global-{kind}", left))
    return headers


def state(world: World) -> Body:
    """The world as JSON: resources and groups by ID, what was deleted, every operation, the critical path."""
    return {
        "subscriptions": {
            s.id: {
                "tenant": s.tenant,
                "state": s.state,
                "providers": {p.namespace: p.state for p in s.providers.values()},
            }
            for s in world.subscriptions.values()
        },
        "groups": {
            group.id: {"location": group.location, "tags": group.tags, "deleting": group.deleting is not None}
            for group in world.groups.values()
        },
        "resources": {resource.id: resource.body for resource in world.resources.values()},
        "instances": {
            key: [{"ordinal": machine.ordinal, "power": machine.power} for machine in machines]
            for key, machines in world.instances.items()
        },
        "deleted": list(world.deleted),
        "operations": [_operation_row(operation) for operation in world.operations.values()],
        "critical_path_seconds": critical_path_seconds(world),
        "time_scale": world.time_scale,
    }


def _operation_row(operation: Operation) -> Body:
    return {
        "id": operation.id,
        "kind": operation.kind,
        "name": operation.name,
        "resource_id": operation.resource_id,
        "status": operation.status,
        "started_at": operation.started_at.isoformat(),
        "ended_at": operation.ended_at.isoformat() if operation.ended_at else None,
        "duration_s": operation.expected_s,
        "after": list(operation.after),
    }


def critical_path_seconds(world: World) -> float:
    """The least time that the operations of this world could have taken: the longest chain of those that need each
    other, in (scaled) seconds."""
    longest: dict[str, float] = {}
    for operation in sorted(world.operations.values(), key=lambda op: op.started_at):
        before = max((longest.get(earlier, 0.0) for earlier in operation.after), default=0.0)
        longest[operation.id] = before + operation.expected_s
    return max(longest.values(), default=0.0)

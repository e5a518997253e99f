"""Microsoft.Authorization: who may do what. Role assignments, the permissions that come of them, and the refusals.

Source: "Azure RBAC: Understand role definitions" (wildcards, notActions), "List Azure role assignments using the REST
API" (filters, members), "Permissions - List For Resource Group" (one entry for each role), texts of AuthorizationFailed
(recorded) and LinkedAuthorizationFailed (public issues). Inferred: that permissions of a subscription are listed in the
same way, and that the list leaves conditions out. Polls of operations and sign-in are not checked here; neither are
memberships of groups: every assignment is the app's own.
"""

import re
from collections.abc import Iterator, Sequence

from local.azure.arm.call import Caller
from local.azure.errors import AzureError, json_response
from local.azure.ids import parse
from local.azure.messages import Request, Response
from local.azure.references import ids_in
from local.azure.world import Body, RoleAssignment, World

VERSIONS = ("2015-07-01", "2018-01-01-preview", "2020-04-01-preview", "2022-04-01")
PERMISSIONS = "Microsoft.Authorization/permissions"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_LOOKS = frozenset({"checknameavailability", "checkpolicyrestrictions"})
_POLLS = frozenset({"operations", "operationresults", "dnsoperationstatuses", "dnsoperationresults"})
_RESOURCES = "Microsoft.Resources/subscriptions"
_LINKS = {
    "microsoft.network/networksecuritygroups": "Microsoft.Network/networkSecurityGroups/join/action",
    "microsoft.network/virtualnetworks/subnets": "Microsoft.Network/virtualNetworks/subnets/join/action",
    "microsoft.network/publicipaddresses": "Microsoft.Network/publicIPAddresses/join/action",
    "microsoft.network/loadbalancers/backendaddresspools":
        "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
    "microsoft.network/loadbalancers/inboundnatpools": "Microsoft.Network/loadBalancers/inboundNatPools/join/action",
    "microsoft.keyvault/vaults": "Microsoft.KeyVault/vaults/deploy/action",
}  # fmt: skip


def check(world: World, request: Request, caller: Caller) -> None:
    """Refuses a call that no role of the caller allows (403 AuthorizationFailed)."""
    wanted = action_of(request.method, request.path)
    if wanted is None or _is_allowed(world, *wanted):
        return
    action, scope = wanted
    raise AzureError(
        403,
        "AuthorizationFailed",
        f"The client '{caller.client_id}' with object id '{caller.object_id}' does not have authorization to perform "
        f"action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials.",
    )


def check_links(world: World, caller: Caller, scope: str, action: str, body: Body) -> None:
    """Refuses a body that names a resource which the caller may not connect (403 LinkedAuthorizationFailed)."""
    for reference in ids_in(body):
        target = parse(reference)
        needed = _LINKS.get(target.type.lower()) if target else None
        is_own = reference.lower().startswith(f"{scope.lower()}/")
        if needed is None or is_own or _is_allowed(world, needed, reference):
            continue
        raise AzureError(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{caller.client_id}' with object id '{caller.object_id}' has permission to perform action "
            f"'{action}' on scope '{scope}'; however, it does not have permission to perform action(s) '{needed}' on "
            f"the linked scope(s) '{reference}' (respectively) or the linked scope(s) are invalid.",
        )


def action_of(method: str, path: str) -> tuple[str, str] | None:
    """The action that a call needs, and at which scope; None for polls."""
    parts = path.strip("/").split("/")
    root, rest = "/" + "/".join(parts[:2]), parts[2:]
    verb = _VERBS.get(method, "action")
    match [part.lower() for part in rest]:
        case []:
            return f"{_RESOURCES}/read", root
        case ["locations" | "resources" as kind]:
            return f"{_RESOURCES}/{kind}/read", root
        case ["operationresults", _]:
            return None
        case ["resourcegroups"]:
            return f"{_RESOURCES}/resourceGroups/read", root
        case ["resourcegroups", _]:
            return f"{_RESOURCES}/resourceGroups/{verb}", path.rstrip("/")
        case ["resourcegroups", _, "resources"]:
            return f"{_RESOURCES}/resourceGroups/resources/read", path.rstrip("/").rsplit("/", 1)[0]
        case ["providers"] | ["providers", _]:
            return f"{_RESOURCES}/providers/read", root
        case ["providers", _, "register" | "unregister"]:
            return f"{rest[1]}/{rest[2]}/action", root
        case _:
            return _typed_action(verb, path)


def _typed_action(verb: str, path: str) -> tuple[str, str] | None:
    scope, _, rest = re.sub("/providers/", "/providers/", path.rstrip("/"), flags=re.IGNORECASE).rpartition(
        "/providers/"
    )
    namespace, *pairs = rest.split("/")
    types, names = pairs[0::2], pairs[1::2]
    if not types or any(kind.lower() in _POLLS for kind in types):
        return None
    is_look = types[-1].lower() in _LOOKS
    kind = "/".join([namespace, *types])
    if len(names) == len(types):
        return f"{kind}/{verb}", path.rstrip("/")
    if len(types) > 1 and "locations" not in (part.lower() for part in types):
        scope = path.rstrip("/").rsplit("/", 1)[0]
    return f"{kind}/{'read' if is_look else verb}", scope


def _is_allowed(world: World, action: str, scope: str) -> bool:
    return any(
        role.condition_met and _any(role.actions, action) and not _any(role.not_actions, action)
        for role in _at(world, scope)
    )


def _at(world: World, scope: str) -> Iterator[RoleAssignment]:
    """The assignments that hold at a scope: those that stand on it or above it."""
    here = f"{scope.strip('/')}/".lower()
    return (role for role in world.roles if here.startswith(f"{role.scope.strip('/')}/".lower().lstrip("/")))


def _any(patterns: Sequence[str], action: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE) for pattern in patterns
    )


def list_permissions(world: World, scope: str) -> Response:
    """GET {scope}/providers/Microsoft.Authorization/permissions."""
    rows = [
        {"actions": list(role.actions), "notActions": list(role.not_actions), "dataActions": [], "notDataActions": []}
        for role in _at(world, scope)
    ]
    return json_response(200, {"value": rows})


def list_assignments(world: World, caller: Caller, request: Request, scope: str) -> Response:
    """GET {scope}/providers/Microsoft.Authorization/roleAssignments, with its documented filters. Roles are those of
    the app, whatever its object ID in the caller's tenant."""
    wanted = request.query.get("$filter", "").replace(" ", "").lower()
    me = caller.object_id.lower()
    clauses = [clause for clause in wanted.split("and") if clause] if "principalid" not in wanted else [wanted]
    mine = {f"assignedto('{me}')", f"principalideq'{me}'", f"principalideq{me}"}
    if any(not re.fullmatch(r"atscope\(\)|assignedto\('[^']+'\)|principalideq'?[^']+'?", clause) for clause in clauses):
        raise AzureError(400, "UnsupportedQuery", f"The filter '{request.query.get('$filter')}' is not supported.")
    names_me = all(clause in mine for clause in clauses if clause != "atscope()")
    covering = list(_at(world, scope))
    here = f"{scope.strip('/')}/".lower()
    below = [role for role in world.roles if f"{role.scope.strip('/')}/".lower().startswith(here)]
    found = covering if "atscope()" in clauses else [*covering, *(role for role in below if role not in covering)]
    return json_response(200, {"value": [_assignment(caller, role) for role in found] if names_me else []})


def _assignment(caller: Caller, role: RoleAssignment) -> Body:
    return {
        "properties": {
            "roleDefinitionId": f"{role.scope}/providers/Microsoft.Authorization/roleDefinitions/{role.name}",
            "principalId": caller.object_id,
            "principalType": "ServicePrincipal",
            "scope": role.scope,
            "condition": role.condition,
            "conditionVersion": "2.0" if role.condition else None,
        },
        "id": f"{role.scope}/providers/{ASSIGNMENTS}/{role.name}",
        "type": ASSIGNMENTS,
        "name": role.name,
    }

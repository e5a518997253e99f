"""What the app must be allowed to do, scope by scope, and whether it is: by actions, never by the names of roles.

Sources: "Azure RBAC: Understand role definitions" (``*`` stands for any characters, slashes too; letter case does not
count; ``notActions`` subtract within one role, and what another role grants stays granted); "Permissions - List For
Resource Group" and "… For Resource" (API 2022-04-01): one entry for each role that the caller holds there. That the
same call answers at a subscription is inferred: portal and tools use it, the reference lists groups and resources. Deny
assignments are not looked at: only Azure itself sets them (managed applications, deployment stacks).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.old_gateway import CLASSIC, SCALE_SET, group_of, type_of
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.values import Json, JsonObject, at, text_at

_REGISTER = "to register what the subscription has not registered"
_MAKE_GROUP = "to make the resource group"
_MAKE = "to make the gateway's parts, to look at them, and to remove them on the way back"
_JOIN = "to connect the gateway's parts with one another"
_LOOK = "to look at the new gateway's parts"
_WATCH = "to see whether the instances are healthy"
_DEPLOY = "to let instances take the certificate from the vault"
_RECORD = "to point the service name at the new gateway, and back"
_RETIRE = "to remove the old gateway"

_NETWORK_PARTS = tuple(
    f"Microsoft.Network/{kind}"
    for kind in ("networkSecurityGroups", "virtualNetworks", "publicIPAddresses", "loadBalancers")
)
_SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"

_INSTANCES = (
    ("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read", _WATCH),
    ("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read", _WATCH),
)

IN_THE_GROUP: tuple[tuple[str, str], ...] = (
    *((f"{kind}/{verb}", _MAKE) for kind in (*_NETWORK_PARTS, _SCALE_SET) for verb in ("read", "write", "delete")),
    # Azure checks these where one resource names another (LinkedAuthorizationFailed).
    ("Microsoft.Network/networkSecurityGroups/join/action", _JOIN),
    ("Microsoft.Network/virtualNetworks/subnets/join/action", _JOIN),
    ("Microsoft.Network/publicIPAddresses/join/action", _JOIN),
    ("Microsoft.Network/loadBalancers/backendAddressPools/join/action", _JOIN),
    *_INSTANCES,
)
"""What making, watching and taking back a gateway asks for in its resource group, with why."""

OF_OTHERS: tuple[tuple[str, str], ...] = (
    *((f"{kind}/read", _LOOK) for kind in (*_NETWORK_PARTS, _SCALE_SET)),
    *_INSTANCES,
)
"""The same for a gateway that somebody else makes or has made: looking."""

ON_THE_ZONE: tuple[tuple[str, str], ...] = (
    ("Microsoft.Network/dnsZones/CNAME/read", _RECORD),
    ("Microsoft.Network/dnsZones/CNAME/write", _RECORD),
    ("Microsoft.Network/dnsZones/CNAME/delete", _RECORD),
)

ON_THE_VAULT: tuple[tuple[str, str], ...] = (("Microsoft.KeyVault/vaults/deploy/action", _DEPLOY),)


@dataclass(frozen=True)
class Need:
    """Actions that the app needs at one scope, each with why."""

    scope: str
    actions: tuple[tuple[str, str], ...]


def needs_of(request: Request, *, group_exists: bool, unregistered: Sequence[str], vault_id: str) -> tuple[Need, ...]:
    """What carrying out a request asks for, scope by scope. Who makes the gateway decides what the app makes itself."""
    subscription = f"/subscriptions/{request.subscription_id}"
    group = f"{subscription}/resourceGroups/{request.resource_group}"
    wanted: dict[str, dict[str, str]] = {}

    def need(scope: str, actions: Iterable[tuple[str, str]]) -> None:
        known = next((key for key in wanted if key.lower() == scope.lower()), scope)
        at_scope = wanted.setdefault(known, {})
        for action, why in actions:
            at_scope.setdefault(action, why)

    if request.provisioned_by != "existing":
        need(subscription, [(f"{namespace}/register/action", _REGISTER) for namespace in unregistered])
    if request.provisioned_by == "automation":
        if group_exists:
            need(group, IN_THE_GROUP)
        else:
            make_group = ("Microsoft.Resources/subscriptions/resourceGroups/write", _MAKE_GROUP)
            need(subscription, (make_group, *IN_THE_GROUP))
        if vault_id:
            need(vault_id, ON_THE_VAULT)
    else:
        need(group if group_exists else subscription, OF_OTHERS)
    if request.dns is not None:
        need(request.dns.zone_id, ON_THE_ZONE)
    if isinstance(request, ReplacementRequest) and not request.old_gateway.gone:
        old = request.old_gateway
        kinds = (
            (CLASSIC,) if type_of(old.resource_id) == CLASSIC else (SCALE_SET, *map(str.lower, _NETWORK_PARTS[::-1]))
        )
        need(group_of(old.resource_id), _to_remove(kinds))
        for id in old.also_delete:
            need(group_of(id), _to_remove([type_of(id)]))
    return tuple(Need(scope, tuple(actions.items())) for scope, actions in wanted.items() if actions)


def _to_remove(kinds: Iterable[str]) -> list[tuple[str, str]]:
    return [(f"{_WRITTEN.get(kind, kind)}/{verb}", _RETIRE) for kind in kinds for verb in ("read", "delete")]


_WRITTEN: Mapping[str, str] = {
    kind.lower(): kind
    for kind in (
        *_NETWORK_PARTS,
        _SCALE_SET,
        "Microsoft.ClassicCompute/domainNames",
        "Microsoft.ClassicStorage/storageAccounts",
        "Microsoft.Storage/storageAccounts",
        "Microsoft.KeyVault/vaults",
    )
}
"""Types as Microsoft writes them: what is asked for by name should be found by that name."""


@cache
def _pattern(action: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, action.split("*"))), re.IGNORECASE | re.DOTALL)


def _matches(patterns: Json, action: str) -> bool:
    found = patterns if isinstance(patterns, list) else []
    return any(isinstance(pattern, str) and _pattern(pattern).fullmatch(action) for pattern in found)


def allows(granted: Iterable[JsonObject], action: str) -> bool:
    """Whether any of the entries (``actions``, ``notActions``) grants an action."""
    return any(
        _matches(at(entry, "actions"), action) and not _matches(at(entry, "notActions"), action) for entry in granted
    )


def lacking(need: Need, granted: Sequence[JsonObject]) -> Need:
    """What of a need the entries do not grant."""
    return Need(need.scope, tuple((action, why) for action, why in need.actions if not allows(granted, action)))


def judge_permissions(missing: Need) -> tuple[Finding, ...]:
    """One finding for a scope, with every action that is missing there."""
    if not missing.actions:
        return ()
    by_reason: dict[str, list[str]] = {}
    for action, why in missing.actions:
        by_reason.setdefault(why, []).append(action)
    told = "; ".join(f"{', '.join(actions)} ({why})" for why, actions in by_reason.items())
    return (
        blocks(
            "permissions-missing",
            f"The app's identity may not do here what the plan needs: {told}.",
            "Give it a role with these actions at this scope or above (infra/README.md, «Rights»). A new role "
            "assignment takes some minutes to spread.",
            resource=missing.scope,
        ),
    )


def judge_conditions(assignments: Sequence[JsonObject]) -> tuple[Finding, ...]:
    """Role assignments of the app's identity that hold under a condition only (ABAC).

    Azure evaluates conditions call by call, and lists of permissions leave them out: a gateway's deployment fails with
    403 where one is not met (KB37426535).
    """
    return tuple(
        warns(
            "role-assignment-condition",
            "This role assignment of the app's identity holds under a condition only; whether each call meets it shows "
            f"when the call is made: {text_at(body, 'properties', 'condition')[:300]}",
            "Read the condition with whoever set it: where it limits what the plan needs, assign the role without it "
            "(KB37426535).",
            resource=text_at(body, "id"),
        )
        for body in assignments
        if text_at(body, "properties", "condition")
    )


def conditions_not_seen(why: str) -> Finding:
    """That role assignments could not be looked at. The most that the look would have found is worth a warning: it
    does not stand against the plan."""
    return warns(
        "role-conditions-not-seen",
        f"Whether the app's role assignments hold under conditions only (ABAC) could not be seen. {why}",
        "Let the app's identity read role assignments (Microsoft.Authorization/roleAssignments/read), or look at them "
        "in the portal (Access control, Role assignments, Condition).",
    )

"""Azure Policy: assignments, Microsoft.PolicyInsights' check, and the refusal of what they deny.

Source: "Policy Assignments - List", "Policy Restrictions - Check At Resource Group Scope" and "… Subscription Scope"
(API 2023-03-01), "Azure Policy definition structure" (a part of its rules: see `complies`), the text of
RequestDisallowedByPolicy in a public issue (its status 403 is unverified). Aliases are looked up by their path in the
body, which holds for simple ones only.
"""

import json
from collections.abc import Iterator
from typing import Any

from local.azure.arm.call import Call
from local.azure.errors import AzureError, json_response
from local.azure.ids import group_id
from local.azure.messages import Request, Response
from local.azure.world import Body, PolicyAssignment, World

VERSIONS = ("2019-09-01", "2020-09-01", "2021-06-01", "2022-06-01", "2023-04-01")
CHECK_VERSIONS = ("2020-07-01", "2020-07-01-preview", "2022-03-01", "2023-03-01")
ASSIGNMENTS = "Microsoft.Authorization/policyAssignments"


def _id(policy: PolicyAssignment) -> str:
    return f"{policy.scope.rstrip('/')}/providers/{ASSIGNMENTS}/{policy.name}"


def _definition(policy: PolicyAssignment) -> str:
    return f"/providers/Microsoft.Authorization/policyDefinitions/{policy.name}"


def list_assignments(world: World, request: Request, scope: str) -> Response:
    """GET {scope}/providers/Microsoft.Authorization/policyAssignments: at, above and (without atScope) below it."""
    at_scope = "atscope()" in request.query.get("$filter", "").lower()
    here = f"{scope.strip('/')}/".lower()
    rows = []
    for policy in world.policies:
        there = f"{policy.scope.strip('/')}/".lower()
        above = here.startswith(there) or there.startswith("providers/microsoft.management/")
        if above or (not at_scope and there.startswith(here)):
            rows.append(_assignment(policy))
    return json_response(200, {"value": rows})


def _assignment(policy: PolicyAssignment) -> Body:
    return {
        "properties": {
            "displayName": policy.display_name or policy.name,
            "policyDefinitionId": _definition(policy),
            "scope": policy.scope,
            "notScopes": [],
            "parameters": {},
            "enforcementMode": "Default" if policy.enforced else "DoNotEnforce",
        },
        "id": _id(policy),
        "type": ASSIGNMENTS,
        "name": policy.name,
    }


def check_restrictions(call: Call) -> Response:
    """POST {scope}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions."""
    given = call.json()
    content = (given.get("resourceDetails") or {}).get("resourceContent")
    if not isinstance(content, dict) or not content.get("type"):
        raise AzureError(400, "InvalidRequestContent", "The resource content with its type is required.")
    scope = call.group.id if call.group else f"/subscriptions/{call.subscription.id}"
    effects = {"deny", "audit"} if given.get("includeAuditEffect") else {"deny"}
    rows = [
        {
            "policyInfo": {"policyDefinitionId": _definition(policy), "policyAssignmentId": _id(policy)},
            "evaluationResult": "NonCompliant",
            "effectDetails": {"policyEffect": policy.effect},
        }
        for policy in _violated(call.world, scope, content)
        if policy.effect.lower() in effects
    ]
    return json_response(200, {"fieldRestrictions": [], "contentEvaluationResult": {"policyEvaluations": rows}})


def refuse_denied(world: World, scope: str, content: Body) -> None:
    """Refuses to make what an assignment at the scope or above it denies."""
    denied = [policy for policy in _violated(world, scope, content) if policy.effect.lower() == "deny"]
    if not denied:
        return
    told = [
        {
            "policyAssignment": {"name": policy.display_name or policy.name, "id": _id(policy)},
            "policyDefinition": {"name": policy.name, "id": _definition(policy)},
        }
        for policy in denied
    ]
    raise AzureError(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{content.get('name')}' was disallowed by policy. Policy identifiers: "
        f"'{json.dumps(told, separators=(',', ':'))}'.",
        target=str(content.get("name")),
        extra={
            "additionalInfo": [
                {
                    "type": "PolicyViolation",
                    "info": {"policyAssignmentId": _id(policy), "policyDefinitionEffect": policy.effect},
                }
                for policy in denied
            ]
        },
    )


def scope_of(subscription: str, group: str | None) -> str:
    """The scope in which a resource is made."""
    return group_id(subscription, group) if group else f"/subscriptions/{subscription}"


def _violated(world: World, scope: str, content: Body) -> Iterator[PolicyAssignment]:
    here = f"{scope.strip('/')}/".lower()
    for policy in world.policies:
        there = f"{policy.scope.strip('/')}/".lower()
        reaches = here.startswith(there) or there.startswith("providers/microsoft.management/")
        if policy.enforced and reaches and applies(policy.rule, content):
            yield policy


def applies(rule: Body, content: Body) -> bool:
    """Whether a rule's `if` holds: `allOf`, `anyOf`, `not`, and a `field` with `equals`, `notEquals`, `in`, `notIn` or
    `exists`. Letter case does not count, as in Azure."""
    if "allOf" in rule:
        return all(applies(part, content) for part in rule["allOf"])
    if "anyOf" in rule:
        return any(applies(part, content) for part in rule["anyOf"])
    if "not" in rule:
        return not applies(rule["not"], content)
    found = _plain(_field(str(rule["field"]), content))
    if "exists" in rule:
        return (found is not None) == (str(rule["exists"]).lower() == "true")
    for operator, holds in (("equals", True), ("notEquals", False)):
        if operator in rule:
            return (found == _plain(rule[operator])) is holds
    for operator, holds in (("in", True), ("notIn", False)):
        if operator in rule:
            return (found in [_plain(value) for value in rule[operator]]) is holds
    raise ValueError(f"the policy rule {rule} has no operator that is simulated")


def _plain(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _field(field: str, content: Body) -> Any:
    """`type`, `name`, `location`, `tags.x`, `tags['x']`, or an alias such as `Microsoft.Network/…/sku.name`."""
    if field.lower().startswith("tags"):
        name = field[4:].strip(".[]'\"")
        tags = {key.lower(): value for key, value in (content.get("tags") or {}).items()}
        return tags.get(name.lower())
    kind = str(content.get("type", ""))
    if "/" in field:
        if not field.lower().startswith(f"{kind.lower()}/"):
            return None
        path = field[len(kind) + 1 :].split(".")
        found = _walk(content.get("properties"), path)
        return found if found is not None else _walk(content, path)
    return content.get(field)


def _walk(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value

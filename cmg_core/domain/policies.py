"""Azure Policy: what would be refused if it were made as planned, by Azure's own check.

Sources: "Policy Restrictions - Check At Resource Group Scope" and "… Subscription Scope" (API 2023-03-01): the answer's
``contentEvaluationResult`` names each assignment with which the content is not compliant, policies with the effect
audit left out unless asked for; "Policy Assignments - List" (API 2022-06-01): a subscription's list holds those of
management groups above it and of resource groups in it. Resource Manager refuses with 403 RequestDisallowedByPolicy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.plans import PinnedCertificate
from cmg_core.domain.problems import Finding
from cmg_core.domain.values import Json, JsonObject, ResourceId, objects_at, same_id, text_at

SECRETS = frozenset({"adminpassword", "protectedsettings"})
"""Members that never leave for a check (lower case)."""
GROUP_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
NOT_ENFORCED = "donotenforce"


@dataclass(frozen=True)
class Made:
    """A resource that will be made, with its content as a policy sees it."""

    id: str
    content: JsonObject

    @property
    def kind(self) -> str:
        return text_at(self.content, "type")


def could_deny(assignments: Sequence[JsonObject], group: str) -> bool:
    """Whether any enforced assignment stands on a resource group or above it: without one nothing can be refused."""
    return any(
        text_at(body, "properties", "enforcementMode").lower() != NOT_ENFORCED
        and _reaches(text_at(body, "properties", "scope"), group)
        for body in assignments
    )


def _reaches(scope: str, group: str) -> bool:
    """A scope that is no resource group of the subscription lies above: a management group, or the subscription."""
    is_inside = "/resourcegroups/" in scope.lower()
    return not is_inside or same_id(scope, group)


def to_be_made(
    blueprint: Blueprint, certificate: PinnedCertificate, software: JsonObject, *, group_exists: bool
) -> tuple[Made, ...]:
    """Each resource that will be made, with the body that will be sent; secrets left out."""
    make = blueprint.make
    bodies = (
        (make.network_security_group, blueprint.network_security_group()),
        (make.virtual_network, blueprint.virtual_network()),
        (make.public_address, blueprint.public_address()),
        (make.load_balancer, blueprint.load_balancer()),
        (make.scale_set, blueprint.scale_set(certificate, software, "")),
    )
    made = [_made(id, ResourceId.parse(id).type, body) for id, body in bodies]
    if not group_exists:
        made.insert(0, _made(make.resource_group, GROUP_TYPE, blueprint.resource_group()))
    return tuple(made)


def _made(id: str, kind: str, body: JsonObject) -> Made:
    head: JsonObject = {"name": id.rpartition("/")[2], "type": kind}
    return Made(id, head | {key: _without_secrets(value) for key, value in body.items()})


def _without_secrets(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_secrets(member) for key, member in value.items() if key.lower() not in SECRETS}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def names_of(assignments: Iterable[JsonObject]) -> Mapping[str, str]:
    """Each assignment's display name (its name where it has none), by its ID in lower case."""
    return {
        text_at(body, "id").lower(): text_at(body, "properties", "displayName") or text_at(body, "name")
        for body in assignments
    }


def judge_restrictions(made: Made, answer: JsonObject, names: Mapping[str, str]) -> tuple[Finding, ...]:
    """What policies refuse of one resource. ``names`` are those of the assignments, by ID in lower case."""
    found: dict[str, Finding] = {}
    for evaluation in objects_at(answer, "contentEvaluationResult", "policyEvaluations"):
        assignment = text_at(evaluation, "policyInfo", "policyAssignmentId")
        # Answers of the older API name no effect: audits are not among them, so it is one that refuses.
        effect = text_at(evaluation, "effectDetails", "policyEffect").lower() or "deny"
        refuses = text_at(evaluation, "evaluationResult").lower() == "noncompliant" and effect == "deny"
        if refuses:
            found[assignment.lower()] = blocks(
                "policy-denies",
                f"The policy assignment «{names.get(assignment.lower(), assignment)}» ({assignment}) refuses this "
                f"{made.kind.rpartition('/')[2]} as it would be made.",
                "Ask who owns the policy for an exemption of this resource group, or for what it lets through, and "
                "name another `resource_group` or `region` where that is the answer.",
                resource=made.id,
            )
    return tuple(found.values())


def policies_not_seen(why: str, applying: int) -> Finding:
    """That Azure's check does not answer before Microsoft.PolicyInsights is registered (inferred). It is no part of the
    gateway, and a policy that refuses shows when a part is made, the old gateway untouched."""
    return warns(
        "policies-not-seen",
        f"Policies are assigned here ({applying}), and whether they let the gateway through could not be seen. {why}",
        "Run: az provider register --wait --namespace Microsoft.PolicyInsights. Then ask again. Otherwise the "
        "deployment fails where a policy refuses a part, while the old gateway is untouched.",
    )

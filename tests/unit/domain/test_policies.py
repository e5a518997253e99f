"""What policies say of what will be made, and that no secret is asked about."""

import json

import pytest

from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.plans import Names, PinnedCertificate
from cmg_core.domain.policies import GROUP_TYPE, Made, could_deny, judge_restrictions, names_of, to_be_made
from cmg_core.domain.problems import Severity
from cmg_core.domain.target import group_id, new_resources
from cmg_core.domain.values import JsonObject, at
from tests.fakes import NOW, SUBSCRIPTION, VAULT, VAULT_ID, deployment

REQUEST = deployment()
NAMES = Names(service_name="a.contoso.com", label="cmga", deployment_name="cmga.eastus.cloudapp.azure.com")
BLUEPRINT = Blueprint("d1", "eastus", "Standard_A2_v2", 2, NAMES, new_resources(REQUEST, "cmga", ("1",)))
CERTIFICATE = PinnedCertificate(
    vault_id=VAULT_ID,
    version="v1",
    secret_id=f"{VAULT}/secrets/granitefalls/v1",
    thumbprint="0" * 40,
    fingerprint="0" * 64,
    subject="a.contoso.com",
    dns_names=(),
    not_after=NOW,
)
SOFTWARE: JsonObject = {"name": "cmg", "properties": {"type": "T", "protectedSettings": {"key": "hidden-1"}}}
EXTENSIONS = ("properties", "virtualMachineProfile", "extensionProfile")
GROUP = group_id(REQUEST)
ROOT = f"/subscriptions/{SUBSCRIPTION}"


def assignment(scope: str, mode: str = "Default") -> JsonObject:
    return {"id": f"{scope}/p", "name": "p", "properties": {"scope": scope, "enforcementMode": mode}}


@pytest.mark.parametrize(
    ("assignments", "could"),
    [
        ([], False),
        ([assignment(ROOT)], True),
        ([assignment("/providers/Microsoft.Management/managementGroups/all")], True),
        ([assignment(GROUP.upper())], True),
        ([assignment(f"{ROOT}/resourceGroups/another")], False),
        ([assignment(f"{GROUP}-2")], False),
        ([assignment(ROOT, "DoNotEnforce")], False),
    ],
)
def test_only_an_enforced_assignment_on_the_group_or_above_could_refuse(
    assignments: list[JsonObject], could: bool
) -> None:
    assert could_deny(assignments, GROUP) is could


def test_every_part_is_asked_about_as_it_will_be_sent_without_its_secrets() -> None:
    made = to_be_made(BLUEPRINT, CERTIFICATE, SOFTWARE, group_exists=False)
    assert made[0].kind == GROUP_TYPE
    assert [part.id for part in made[1:]] == list(BLUEPRINT.make.ids)
    text = json.dumps([part.content for part in made])
    assert "hidden-1" not in text
    assert "adminPassword" not in text
    assert "vaultCertificates" in text
    address = next(part for part in made if part.kind == "Microsoft.Network/publicIPAddresses")
    assert address.content == {"name": "cmga-ip", "type": address.kind, **BLUEPRINT.public_address()}
    machines = made[-1].content
    software = BLUEPRINT.scale_set(CERTIFICATE, {"name": "cmg", "properties": {"type": "T"}}, "")
    assert (machines["name"], at(machines, *EXTENSIONS)) == ("cmga", at(software, *EXTENSIONS))
    assert "T" in str(at(machines, *EXTENSIONS))
    assert len(to_be_made(BLUEPRINT, CERTIFICATE, SOFTWARE, group_exists=True)) == 5


def evaluation(id: str, result: str, effect: str | None) -> JsonObject:
    told: JsonObject = {"policyInfo": {"policyAssignmentId": id}, "evaluationResult": result}
    return told | ({"effectDetails": {"policyEffect": effect}} if effect else {})


def test_what_denies_is_told_once_with_its_name() -> None:
    made = Made("/x/vmss", {"type": "Microsoft.Compute/virtualMachineScaleSets"})
    names = names_of(
        [
            {"id": "/A", "name": "a", "properties": {"displayName": "Only small ones"}},
            {"id": "/e", "name": "no-address", "properties": {}},
        ]
    )
    evaluations = [
        evaluation("/a", "NonCompliant", "Deny"),
        evaluation("/A", "NonCompliant", None),
        evaluation("/b", "NonCompliant", "Audit"),
        evaluation("/c", "Compliant", "Deny"),
        evaluation("/d", "NonCompliant", None),
        evaluation("/e", "noncompliant", "Deny"),
    ]
    found = judge_restrictions(made, {"contentEvaluationResult": {"policyEvaluations": [*evaluations]}}, names)
    assert [finding.code for finding in found] == ["policy-denies"] * 3
    assert {finding.severity for finding in found} == {Severity.BLOCKS}
    assert "«Only small ones» (/A)" in found[0].seen
    assert "«/d»" in found[1].seen
    assert "«no-address» (/e)" in found[2].seen
    assert all(each.resource == "/x/vmss" for each in found)
    assert all(" virtualMachineScaleSets " in each.seen for each in found)
    assert judge_restrictions(made, {}, names) == ()
    denied: JsonObject = {"contentEvaluationResult": {"policyEvaluations": [evaluation("/a", "NonCompliant", "Deny")]}}
    [group] = judge_restrictions(Made(GROUP, {"type": GROUP_TYPE}), denied, names)
    assert group.resource == GROUP and " resourceGroups " in group.seen

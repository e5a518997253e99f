"""Azure's codes become causes with cures."""

import pytest

from cmg_core.domain.azure_causes import has_known_cause, may_heal, problem_of
from cmg_core.domain.errors import AzureRefused


def refused(code: str, message: str = "Azure's words", status: int = 409) -> AzureRefused:
    return AzureRefused(status=status, code=code, message=message, target="/subscriptions/s/resourceGroups/g")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refused("OperationNotAllowed", "exceeding approved standardAv2Family Cores quota"), "quota-exhausted"),
        (refused("OperationNotAllowed", "The operation is not allowed"), "azure-refused"),
        (refused("OPERATIONNOTALLOWED", "The operation is not allowed"), "azure-refused"),
        (refused("SkuNotAvailable"), "size-not-available"),
        (refused("OverconstrainedZonalAllocationRequest"), "no-capacity"),
        (refused("keyvaultaccessforbidden"), "vault-not-usable"),
        (refused("DnsRecordInUse", status=400), "name-taken"),
        (refused("RequestDisallowedByPolicy", status=403), "policy-disallows"),
        (refused("LinkedAuthorizationFailed", status=403), "rights-missing"),
        (refused("ScopeLocked"), "locked"),
        (refused("LoadBalancerInUseByVirtualMachineScaleSet", status=400), "in-use"),
        (refused("NeverSeenBefore"), "azure-refused"),
    ],
)
def test_each_refusal_has_its_cause_and_a_cure(error: AzureRefused, code: str) -> None:
    problem = problem_of(error, "provision-scale-set")
    assert (problem.code, problem.step, problem.resource) == (code, "provision-scale-set", error.target)
    assert error.code in problem.detail and error.message in problem.detail
    assert problem.cure


def test_an_answer_without_a_code_is_told_by_its_status() -> None:
    problem = problem_of(refused("", status=502), "step")
    assert problem.code == "azure-refused" and "502" in problem.detail


def test_azures_words_are_cut_to_a_readable_length() -> None:
    assert len(problem_of(refused("X", "long " * 10_000), "step").detail) < 1100


def test_what_heals_has_no_cause_for_a_person() -> None:
    assert may_heal("CanceledAndSupersededDueToAnotherOperation")
    assert not may_heal("AllocationFailed")
    assert has_known_cause("AllocationFailed", "")
    assert not has_known_cause("VMExtensionProvisioningError", "")
    assert has_known_cause("OperationNotAllowed", "exceeding approved Total Regional Cores quota")
    assert not has_known_cause("OperationNotAllowed", "The operation is not allowed")

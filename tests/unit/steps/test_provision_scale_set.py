"""The scale set is made once, adopted where it stands, and given time to heal."""

import json
from datetime import timedelta

import pytest

from cmg_core.domain.errors import AzureRefused, StepFailed
from cmg_core.domain.outcomes import Done, Failed, Wait
from cmg_core.domain.record import MESSAGE, Message
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.services import OperationLook, OperationState
from cmg_core.steps.provision_scale_set import provision_scale_set
from tests.fakes import DEPLOYMENT, NOW
from tests.unit.steps.building import MAKE, BuildingAzure, Crash, a_state, carry, run, services_of

ID = MAKE.scale_set
PUT = [f"PUT {ID}"]
EMPTY: JsonObject = {"properties": {}}


def failing(code: str, message: str = "Azure's words") -> OperationLook:
    return OperationLook(OperationState.FAILED, code=code, message=message)


def test_it_is_made_once_and_remembered() -> None:
    services, azure = services_of()
    azure.durations[ID] = timedelta(seconds=92)
    outcome = carry(provision_scale_set, services, a_state())
    assert isinstance(outcome, Done)
    assert azure.writes == PUT
    assert ID in outcome.state.new.created
    assert services.clock.now() - NOW < timedelta(seconds=130)


def test_looks_stay_far_below_azures_limit_and_few() -> None:
    services, azure = services_of()
    azure.durations[ID] = timedelta(minutes=10)
    carry(provision_scale_set, services, a_state())
    assert azure.calls["operation"] <= 45


def test_the_password_is_strong_new_each_time_and_nowhere_but_in_the_body() -> None:
    seen = set()
    for _ in range(2):
        services, azure = services_of()
        outcome = run(provision_scale_set, services, a_state())
        assert isinstance(outcome, Wait)
        password = text_at(
            azure.resources[ID.lower()], "properties", "virtualMachineProfile", "osProfile", "adminPassword"
        )
        kinds = (str.isupper, str.islower, str.isdigit, lambda each: not each.isalnum())
        assert 12 <= len(password) <= 123
        assert all(any(kind(each) for each in password) for kind in kinds)
        message = MESSAGE.dump_json(Message(DEPLOYMENT, "provision-scale-set", 1, "etag", outcome.state)).decode()
        assert password not in message + outcome.reason
        seen.add(password)
    assert len(seen) == 2


def test_the_instance_software_is_an_extension_beside_application_health() -> None:
    services, azure = services_of()
    run(provision_scale_set, services, a_state())
    body = json.dumps(azure.resources[ID.lower()])
    assert '"Contoso"' in body
    assert '"ApplicationHealthWindows"' in body


@pytest.mark.parametrize("provisioning", ["Succeeded", "Creating", "Updating", "Failed"])
def test_one_of_ours_is_adopted_never_written_again(provisioning: str) -> None:
    services, azure = services_of()
    azure.stands(ID, EMPTY, provisioning=provisioning)
    outcome = run(provision_scale_set, services, a_state())
    assert isinstance(outcome, Done if provisioning == "Succeeded" else Wait)
    assert azure.writes == []


@pytest.mark.parametrize("owner", ["", "another-deployment"])
def test_one_of_someone_else_is_refused(owner: str) -> None:
    services, azure = services_of()
    azure.stands(ID, EMPTY, owner=owner)
    with pytest.raises(StepFailed, match="belongs to someone else"):
        run(provision_scale_set, services, a_state())
    assert azure.writes == []


def test_a_failed_one_may_heal() -> None:
    services, azure = services_of()
    azure.ends[ID] = failing("VMExtensionProvisioningError")
    state = a_state()
    for _ in range(8):
        outcome = run(provision_scale_set, services, state)
        assert isinstance(outcome, Wait)
        services.clock.pass_by(outcome.after)
        state = outcome.state
    azure.resources[ID.lower()]["properties"]["provisioningState"] = "Succeeded"  # type: ignore[index,call-overload]  # an object
    assert isinstance(carry(provision_scale_set, services, state), Done)
    assert azure.writes == PUT


def test_one_that_does_not_heal_fails_with_the_instances_causes() -> None:
    services, azure = services_of()
    azure.ends[ID] = failing("VMExtensionProvisioningError")
    azure.instance_views[ID.lower()] = [
        {
            "name": "granitefalls_0",
            "properties": {
                "instanceView": {
                    "extensions": [
                        {"name": "gateway", "statuses": [{"level": "Error", "code": "failed", "message": "no package"}]}
                    ]
                }
            },
        }
    ]
    outcome = carry(provision_scale_set, services, a_state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "scale-set-failed"
    assert "no package" in outcome.problem.detail
    assert timedelta(minutes=30) < services.clock.now() - NOW < timedelta(minutes=32)
    assert azure.writes == PUT


@pytest.mark.parametrize(
    ("code", "problem"),
    [("AllocationFailed", "no-capacity"), ("KeyVaultAccessForbidden", "vault-not-usable")],
)
def test_a_failure_that_waiting_does_not_cure_is_told_at_once(code: str, problem: str) -> None:
    services, azure = services_of()
    azure.ends[ID] = failing(code)
    outcome = carry(provision_scale_set, services, a_state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == problem
    assert services.clock.now() - NOW < timedelta(minutes=1)


def test_a_refused_put_is_a_problem_with_its_cure() -> None:
    services, azure = services_of()
    azure.faults["put"] = AzureRefused(status=409, code="SkuNotAvailable", message="not here", target=ID)
    outcome = run(provision_scale_set, services, a_state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "size-not-available"


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_crash_at_any_call_makes_no_second_one(after_effect: bool) -> None:
    services, azure = services_of()
    carry(provision_scale_set, services, a_state())
    for crash_at in range(1, azure.count + 1):
        services, crashing = services_of(BuildingAzure(crash_at=crash_at, after_effect=after_effect))
        try:
            carry(provision_scale_set, services, a_state())
        except Crash:
            assert isinstance(carry(provision_scale_set, services, a_state()), Done)
        assert crashing.writes == PUT

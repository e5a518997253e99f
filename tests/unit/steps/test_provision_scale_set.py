"""The scale set is made once, adopted where it stands, and given time to heal."""

import json
from datetime import timedelta

import pytest

from cmg_core.domain.errors import AzureRefused, StepFailed
from cmg_core.domain.outcomes import Done, Failed, Wait
from cmg_core.domain.record import MESSAGE, Ask, Message, Requested, State, Status, StepProgress
from cmg_core.domain.transitions import Course, take_up
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.services import OperationLook, OperationState
from cmg_core.steps.provision_scale_set import STEP, provision_scale_set
from tests.fakes import DEPLOYMENT, NOW, FakeServices
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


def resumed(state: State, services: FakeServices) -> State:
    """The state as a person's resume leaves it, and the engine when it begins the step anew."""
    requested = Requested(Ask.RESUME, services.clock.now(), "cloud.team@contoso.com", "It is cured")
    course, _ = take_up(Course(STEP, Status.NEEDS_ATTENTION, state), requested)
    return course.state.with_progress(StepProgress(STEP, "running", services.clock.now()))


def left_failed(code: str) -> tuple[FakeServices, BuildingAzure, State]:
    """A scale set that Azure could not make, and the deployment that stopped for it, an hour later."""
    services, azure = services_of()
    azure.ends[ID] = failing(code)
    stopped = carry(provision_scale_set, services, a_state())
    assert isinstance(stopped, Failed)
    services.clock.pass_by(timedelta(hours=1))
    return services, azure, stopped.state


@pytest.mark.parametrize("code", ["AllocationFailed", "KeyVaultAccessForbidden", "VMExtensionProvisioningError"])
def test_azure_is_asked_to_go_on_with_a_failed_one_when_somebody_resumes(code: str) -> None:
    services, azure, state = left_failed(code)
    azure.ends.clear()
    outcome = carry(provision_scale_set, services, resumed(state, services))
    assert isinstance(outcome, Done)
    assert azure.writes == PUT * 2


def test_the_second_put_has_no_password_since_azure_takes_that_for_a_change() -> None:
    services, azure, state = left_failed("AllocationFailed")
    run(provision_scale_set, services, resumed(state, services))
    body = azure.resources[ID.lower()]
    assert text_at(body, "properties", "virtualMachineProfile", "osProfile", "adminPassword") == ""
    assert text_at(body, "properties", "virtualMachineProfile", "osProfile", "adminUsername")


def test_each_resume_asks_once_and_a_cause_that_lasts_is_told_again() -> None:
    services, azure, state = left_failed("AllocationFailed")
    for puts in (2, 3):
        outcome = carry(provision_scale_set, services, resumed(state, services))
        assert isinstance(outcome, Failed)
        assert (outcome.problem.code, azure.writes) == ("no-capacity", PUT * puts)
        services.clock.pass_by(timedelta(hours=1))
        state = outcome.state


def test_one_that_is_asked_for_again_has_its_time_to_heal_anew() -> None:
    services, azure, state = left_failed("VMExtensionProvisioningError")
    begun = services.clock.now()
    outcome = carry(provision_scale_set, services, resumed(state, services))
    assert isinstance(outcome, Failed)
    assert timedelta(minutes=30) < services.clock.now() - begun < timedelta(minutes=32)
    assert azure.writes == PUT * 2


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

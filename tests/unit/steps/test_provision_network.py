"""The network is built once, in the right order, whatever happens on the way."""

from datetime import timedelta

import pytest

from cmg_core.domain.errors import AzureRefused, StepFailed, TryAgain
from cmg_core.domain.outcomes import Done, Failed, Wait
from cmg_core.domain.values import JsonObject
from cmg_core.services import OperationLook, OperationState
from cmg_core.steps.provision_network import parts_of, provision_network
from cmg_core.steps.writing import blueprint
from tests.fakes import DEPLOYMENT, GROUP, context_of
from tests.unit.steps.building import (
    ADDRESS,
    MAKE,
    NETWORK,
    BuildingAzure,
    Crash,
    a_state,
    carry,
    run,
    services_of,
)


def bodies() -> dict[str, JsonObject]:
    services, _ = services_of()
    return {part.id: part.body for part in parts_of(blueprint(context_of(services, a_state())))}


def puts(azure: BuildingAzure) -> list[str]:
    return sorted(write for write in azure.writes)


EXPECTED = sorted([f"PUT group {GROUP}", *(f"PUT {id}" for id in NETWORK)])


def test_everything_is_made_once_and_remembered() -> None:
    services, azure = services_of()
    outcome = carry(provision_network, services, a_state())
    assert isinstance(outcome, Done)
    assert puts(azure) == EXPECTED
    assert outcome.state.new.address == ADDRESS
    assert set(outcome.state.new.created) == set(NETWORK)
    assert azure.calls.total() <= 30


def test_independent_resources_go_out_together() -> None:
    services, azure = services_of()
    first = run(provision_network, services, a_state())
    assert isinstance(first, Wait)
    assert set(first.state.operations) == {MAKE.network_security_group, MAKE.public_address}
    assert all(id.lower() in azure.resources for id in first.state.operations)


def test_what_is_needed_stands_first() -> None:
    for slow in (MAKE.network_security_group, MAKE.public_address):
        services, azure = services_of()
        azure.durations[slow] = timedelta(minutes=2)
        assert isinstance(carry(provision_network, services, a_state()), Done)
        order = azure.writes.index
        assert order(f"PUT {MAKE.network_security_group}") < order(f"PUT {MAKE.virtual_network}")
        assert order(f"PUT {MAKE.public_address}") < order(f"PUT {MAKE.load_balancer}")


def test_a_resource_group_that_stands_is_left_as_it_is() -> None:
    services, azure = services_of()
    azure.groups[GROUP] = {"tags": {"owner": "somebody"}}
    assert isinstance(carry(provision_network, services, a_state()), Done)
    assert f"PUT group {GROUP}" not in azure.writes


def test_what_is_right_is_never_written_again() -> None:
    services, azure = services_of()
    for id, body in bodies().items():
        azure.stands(id, body)
    outcome = carry(provision_network, services, a_state())
    assert isinstance(outcome, Done)
    assert azure.writes == []
    assert set(outcome.state.new.created) == set(NETWORK)


def test_what_is_wrong_is_written_again() -> None:
    services, azure = services_of()
    for id, body in bodies().items():
        azure.stands(id, body)
    azure.resources[MAKE.network_security_group.lower()]["properties"]["securityRules"] = []  # type: ignore[index,call-overload]  # an object
    assert isinstance(carry(provision_network, services, a_state()), Done)
    assert azure.writes == [f"PUT {MAKE.network_security_group}"]


@pytest.mark.parametrize("id", NETWORK)
@pytest.mark.parametrize("owner", ["", "another-deployment"])
def test_what_belongs_to_someone_else_is_refused_by_name(id: str, owner: str) -> None:
    services, azure = services_of()
    azure.stands(id, bodies()[id], owner=owner)
    with pytest.raises(StepFailed) as refused:
        carry(provision_network, services, a_state())
    assert refused.value.problem.code == "belongs-to-someone-else"
    assert refused.value.problem.resource == id
    assert f"PUT {id}" not in azure.writes


def test_one_that_azure_still_works_on_is_waited_for() -> None:
    services, azure = services_of()
    for id, body in bodies().items():
        azure.stands(id, body)
    azure.stands(MAKE.load_balancer, bodies()[MAKE.load_balancer], provisioning="Updating")
    outcome = run(provision_network, services, a_state())
    assert isinstance(outcome, Wait)
    assert azure.writes == []


def test_one_that_failed_before_is_made_again() -> None:
    services, azure = services_of()
    for id, body in bodies().items():
        azure.stands(id, body)
    azure.stands(MAKE.load_balancer, bodies()[MAKE.load_balancer], provisioning="Failed")
    assert isinstance(carry(provision_network, services, a_state()), Done)
    assert azure.writes == [f"PUT {MAKE.load_balancer}"]


def test_a_superseded_operation_is_begun_again_but_not_forever() -> None:
    services, azure = services_of()
    azure.ends[MAKE.load_balancer] = OperationLook(OperationState.FAILED, code="Canceled", message="superseded")
    outcome = carry(provision_network, services, a_state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "network-not-built"
    assert outcome.problem.resource == MAKE.load_balancer
    assert azure.writes.count(f"PUT {MAKE.load_balancer}") > 1
    assert azure.writes.count(f"PUT {MAKE.virtual_network}") == 1


def test_a_final_failure_of_an_operation_is_told_at_once() -> None:
    services, azure = services_of()
    azure.ends[MAKE.public_address] = OperationLook(OperationState.FAILED, code="DnsRecordInUse", message="taken")
    outcome = carry(provision_network, services, a_state())
    assert isinstance(outcome, Failed)
    assert (outcome.problem.code, outcome.problem.resource) == ("name-taken", MAKE.public_address)


def test_a_refusal_does_not_lose_what_was_begun_beside_it() -> None:
    services, azure = services_of()
    azure.faults[f"put {MAKE.public_address}".lower()] = AzureRefused(
        status=400, code="DnsRecordInUse", message="taken", target=MAKE.public_address
    )
    outcome = run(provision_network, services, a_state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "name-taken"
    assert set(outcome.state.operations) == {MAKE.network_security_group}


def test_a_delay_of_one_write_does_not_hold_up_the_others() -> None:
    services, azure = services_of()
    fault = f"put {MAKE.public_address}".lower()
    azure.faults[fault] = TryAgain("busy", timedelta(seconds=14))
    outcome = run(provision_network, services, a_state())
    assert isinstance(outcome, Wait)
    assert outcome.after >= timedelta(seconds=14)
    assert set(outcome.state.operations) == {MAKE.network_security_group}
    del azure.faults[fault]
    assert isinstance(carry(provision_network, services, outcome.state), Done)
    assert puts(azure) == EXPECTED


def test_a_delay_of_everything_is_a_retry() -> None:
    services, azure = services_of()
    azure.faults["put"] = TryAgain("busy")
    with pytest.raises(TryAgain):
        run(provision_network, services, a_state())


def test_lost_operations_are_made_up_for_by_looking_at_the_resources() -> None:
    services, azure = services_of(BuildingAzure(forgets_operations=True))
    assert isinstance(carry(provision_network, services, a_state()), Done)
    assert puts(azure) == EXPECTED


def test_an_address_under_another_name_stops_the_deployment() -> None:
    services, azure = services_of()
    for id, body in bodies().items():
        azure.stands(id, body)
    azure.resources[MAKE.public_address.lower()]["properties"]["dnsSettings"]["fqdn"] = "other"  # type: ignore[index,call-overload]  # objects
    outcome = run(provision_network, services, a_state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "name-differs"


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_crash_at_any_call_changes_nothing_in_the_end(after_effect: bool) -> None:
    services, azure = services_of()
    carry(provision_network, services, a_state())
    for crash_at in range(1, azure.count + 1):
        services, crashing = services_of(BuildingAzure(crash_at=crash_at, after_effect=after_effect))
        try:
            carry(provision_network, services, a_state())
        except Crash:
            outcome = carry(provision_network, services, a_state())
            assert isinstance(outcome, Done)
        assert puts(crashing) == EXPECTED, f"crash at call {crash_at}"
        assert all(body["tags"]["cmg-deployment"] == DEPLOYMENT for body in crashing.resources.values())  # type: ignore[index,call-overload]  # tags are objects

"""release-name: a parked name becomes free only while nothing leads to it, and nothing else goes."""

import asyncio

import pytest

from cmg_core.domain.errors import StepFailed, TryAgain
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.record import State
from cmg_core.domain.values import JsonObject
from cmg_core.services import NameView
from cmg_core.steps.release_name import release_name
from tests.fakes import OLD_GROUP, SUBSCRIPTION, ZONE_ID, FakeServices, context_of, migration
from tests.stories import ADDRESS, NEW_NAME, OLD_NAME, SERVICE, parking


def run(services: FakeServices, state: State) -> Outcome:
    return asyncio.run(release_name(context_of(services, state)))


def stopped_by(services: FakeServices, state: State) -> set[str]:
    with pytest.raises(StepFailed) as failed:
        run(services, state)
    assert services.resource_manager.writes == []
    assert failed.value.problem.code == "name-not-released"
    return {finding.code for finding in failed.value.problem.findings}


@pytest.mark.parametrize("dns", [{"zone_id": ZONE_ID}, None])
def test_exactly_the_parked_address_goes(dns: JsonObject | None) -> None:
    services = FakeServices()
    state = parking(services, migration(dns=dns))
    there = set(services.resource_manager.resources)
    begun = run(services, state)
    assert isinstance(begun, Wait)
    ended = run(services, begun.state)
    assert isinstance(ended, Done) and ended.state.deleted == (ADDRESS,) and ended.state.parked is None
    assert there - set(services.resource_manager.resources) == {ADDRESS.lower()}
    assert services.resource_manager.writes == [f"DELETE {ADDRESS}"]


def test_an_address_that_is_gone_already_is_released() -> None:
    services = FakeServices()
    state = parking(services)
    del services.resource_manager.resources[ADDRESS.lower()]
    ended = run(services, state)
    assert isinstance(ended, Done) and ended.state.parked is None and services.resource_manager.writes == []


def test_invariant_8_a_record_that_leads_to_the_name_keeps_it() -> None:
    services = FakeServices()
    state = parking(services)
    record: JsonObject = {"TTL": 60, "CNAMERecord": {"cname": f"{OLD_NAME.upper()}."}}
    services.resource_manager.add({"id": f"{ZONE_ID}/CNAME/forgotten", "properties": record})
    assert stopped_by(services, state) == {"name-would-dangle"}


def test_invariant_8_a_public_server_that_leads_to_the_name_keeps_it() -> None:
    services = FakeServices()
    state = parking(services)
    services.dns.point(SERVICE, OLD_NAME)
    assert stopped_by(services, state) == {"name-would-dangle"}


def test_invariant_8_silent_servers_are_never_taken_for_fine() -> None:
    services = FakeServices()
    state = parking(services)
    services.dns.answers[SERVICE.lower()] = [NameView("8.8.8.8:53", failure="timed out")]
    with pytest.raises(TryAgain):
        run(services, state)
    assert services.resource_manager.writes == []


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"resourceGuid": "another"}, "not-the-planned-resource"),
        (
            {
                "resourceGuid": "address-guid",
                "ipConfiguration": {
                    "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{OLD_GROUP}/providers/Microsoft.Network"
                    "/loadBalancers/other/frontendIPConfigurations/public"
                },
            },
            "used-by-others",
        ),
    ],
)
def test_an_address_that_is_another_or_in_use_stays(properties: JsonObject, code: str) -> None:
    services = FakeServices()
    state = parking(services)
    services.resource_manager.add({"id": ADDRESS, "properties": properties})
    assert stopped_by(services, state) == {code}


def test_a_lock_keeps_the_name() -> None:
    services = FakeServices()
    state = parking(services)
    lock = f"{ADDRESS}/providers/Microsoft.Authorization/locks/keep"
    services.resource_manager.lock_list = [{"id": lock, "name": "keep", "properties": {"level": "CanNotDelete"}}]
    assert stopped_by(services, state) == {"locked"}


def test_the_new_gateway_s_own_record_is_no_obstacle() -> None:
    services = FakeServices()
    state = parking(services)
    services.dns.point(SERVICE, NEW_NAME)
    assert isinstance(run(services, state), Wait)

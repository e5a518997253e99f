"""roll-back: the old gateway serves again before anything of the new one goes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import StepFailed
from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.record import RollBack, State
from cmg_core.domain.record_sets import RecordSet
from cmg_core.steps.roll_back import roll_back
from tests.fakes import CLASSIC_ID, DEPLOYMENT, FakeServices, context_of, deployment
from tests.stories import (
    ALIVE,
    MAKE,
    NEW_NAME,
    OLD_NAME,
    OLD_STORAGE,
    RECORD_ID,
    RELAYS,
    SERVICE,
    after_grace,
    before_cut_over,
    closed,
    record_body,
)


def run(services: FakeServices, state: State) -> Outcome:
    return asyncio.run(roll_back(context_of(services, state)))


def to_the_end(services: FakeServices, state: State) -> State:
    """Run the step as often as it asks to be run, with time going by."""
    for _ in range(20):
        outcome = run(services, state)
        state = outcome.state
        if isinstance(outcome, Done):
            return state
        services.clock.pass_by(outcome.after if isinstance(outcome, Wait) else timedelta())
        if record_now(services).target == OLD_NAME:
            services.dns.point(SERVICE, OLD_NAME)
    raise AssertionError(f"the step does not end: {outcome}")


def record_now(services: FakeServices) -> RecordSet:
    return RecordSet.of(services.resource_manager.resources[RECORD_ID.lower()])


def deleted(services: FakeServices) -> set[str]:
    return {write.removeprefix("DELETE ") for write in services.resource_manager.writes if write.startswith("DELETE")}


def stands(services: FakeServices, owner: str = DEPLOYMENT) -> None:
    """What this deployment made stands, with its tag."""
    for id in MAKE.ids:
        services.resource_manager.add({"id": id, "tags": {"cmg-deployment": owner}})


def in_grace(services: FakeServices) -> State:
    """The record points at the new gateway, the inside view has been led back, the old gateway relays again."""
    state = after_grace(services)
    stands(services)
    services.dialer.answers[OLD_NAME] = RELAYS
    cut_over = replace(state.cut_over, flipped_at=services.clock.now(), ttl_at_flip=timedelta(seconds=30))
    way = RollBack(services.clock.now(), inside_view=True)
    return replace(state, cut_over=cut_over, roll_back=way)


def test_from_grace_everything_goes_back_and_only_what_was_made_goes() -> None:
    services = FakeServices()
    state = in_grace(services)
    end = to_the_end(services, state)
    assert record_now(services).target == OLD_NAME
    assert deleted(services) == set(MAKE.ids) == set(end.deleted)
    assert {CLASSIC_ID.lower(), OLD_STORAGE.lower()} <= set(services.resource_manager.resources)


def test_the_inside_view_goes_back_first() -> None:
    services = FakeServices()
    outcome = run(services, closed(in_grace(services), GateName.INSIDE_DNS))
    assert isinstance(outcome, Wait) and outcome.gate is GateName.INSIDE_DNS
    assert services.resource_manager.writes == []


def test_the_record_goes_back_only_while_the_old_gateway_relays() -> None:
    services = FakeServices()
    state = in_grace(services)
    services.dialer.answers[OLD_NAME] = ALIVE
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and services.resource_manager.writes == []


def test_nothing_goes_while_clients_may_hold_the_new_answer() -> None:
    services = FakeServices()
    state = in_grace(services)
    services.dns.point(SERVICE, OLD_NAME)
    held = run(services, state)
    assert isinstance(held, Wait) and deleted(services) == set()
    services.clock.pass_by(timedelta(seconds=299))
    still_held = run(services, held.state)
    assert isinstance(still_held, Wait) and still_held.after == timedelta(seconds=1) and deleted(services) == set()


def test_the_new_answer_is_held_from_the_last_moment_in_which_a_server_gave_it() -> None:
    services = FakeServices()
    state = run(services, in_grace(services)).state
    services.clock.pass_by(timedelta(seconds=300))
    lagging = run(services, state)
    assert isinstance(lagging, Wait) and deleted(services) == set()
    services.dns.point(SERVICE, OLD_NAME)
    services.clock.pass_by(lagging.after)
    held = run(services, lagging.state)
    assert isinstance(held, Wait) and held.after == timedelta(seconds=300) and deleted(services) == set()


def test_a_change_that_the_ledger_never_heard_of_is_waited_for_as_well() -> None:
    services = FakeServices()
    state = in_grace(services)
    died = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta(seconds=300), flipped_at=None))
    services.dns.point(SERVICE, OLD_NAME)
    for _ in range(2):  # the second run finds the record led back by the first, which died too
        held = run(services, died)
        assert isinstance(held, Wait) and held.after == timedelta(seconds=300) and deleted(services) == set()


def test_the_new_gateway_stays_while_it_alone_relays() -> None:
    services = FakeServices()
    state = in_grace(services)
    services.dns.point(SERVICE, OLD_NAME)
    state = run(services, state).state
    services.clock.pass_by(timedelta(seconds=300))
    services.dialer.answers[OLD_NAME] = ALIVE
    assert isinstance(run(services, state), Wait) and deleted(services) == set()


@pytest.mark.parametrize("immutable_id", ["another", None])
def test_without_the_old_gateway_there_is_no_way_back(immutable_id: str | None) -> None:
    services = FakeServices()
    state = after_grace(services, immutable_id="first")
    stands(services)
    del services.resource_manager.resources[CLASSIC_ID.lower()]
    if immutable_id:
        services.resource_manager.add({"id": CLASSIC_ID, "properties": {"uniqueId": immutable_id}})
    with pytest.raises(StepFailed) as failed:
        run(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert failed.value.problem.code == "no-way-back" and services.resource_manager.writes == []


def test_before_the_cut_over_the_record_only_gets_its_ttl_back() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    stands(services)
    lowered = RecordSet(RECORD_ID, timedelta(seconds=300), OLD_NAME).with_ttl(
        timedelta(seconds=30), timedelta(seconds=300)
    )
    services.resource_manager.add({"id": RECORD_ID, "etag": "e2", **lowered.body()})
    to_the_end(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert record_now(services).ttl == timedelta(seconds=300) and record_now(services).target == OLD_NAME
    assert deleted(services) == set(MAKE.ids)


def test_what_belongs_to_others_stays() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    stands(services, owner="another deployment")
    to_the_end(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert deleted(services) == set()


def test_everything_stays_while_a_record_of_the_zone_leads_to_its_name() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    stands(services)
    services.resource_manager.add({**record_body(NEW_NAME), "id": f"{RECORD_ID}-other"})
    with pytest.raises(StepFailed) as failed:
        to_the_end(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert failed.value.problem.code == "name-would-dangle"
    assert deleted(services) == set()


def test_everything_stays_until_public_servers_have_forgotten_the_name() -> None:
    services = FakeServices()
    state = replace(before_cut_over(services), roll_back=RollBack(services.clock.now()))
    stands(services)
    services.dns.point(SERVICE, NEW_NAME)
    held = run(services, state)
    assert isinstance(held, Wait) and deleted(services) == set()
    services.dns.point(SERVICE, OLD_NAME)
    to_the_end(services, held.state)
    assert deleted(services) == set(MAKE.ids)


def test_a_new_deployment_takes_its_record_with_it() -> None:
    services = FakeServices()
    state = before_cut_over(services, deployment())
    assert state.plan is not None
    plan = state.plan.model_copy(update={"old_gateway": None, "record": None, "delete": ()})
    stands(services)
    services.resource_manager.add(record_body(NEW_NAME))
    services.dns.answers.clear()
    state = replace(state, plan=plan, roll_back=RollBack(services.clock.now()))
    for _ in range(20):
        outcome = run(services, state)
        state = outcome.state
        if isinstance(outcome, Done):
            break
    assert deleted(services) == {RECORD_ID, *MAKE.ids}


def test_a_record_that_stood_before_a_new_deployment_is_not_its_own_to_remove() -> None:
    services = FakeServices()
    state = before_cut_over(services, deployment())
    assert state.plan is not None and state.plan.record is not None
    plan = state.plan.model_copy(update={"old_gateway": None, "delete": ()})
    stands(services)
    services.resource_manager.add(record_body(NEW_NAME))
    with pytest.raises(StepFailed) as failed:
        run(services, replace(state, plan=plan, roll_back=RollBack(services.clock.now())))
    assert failed.value.problem.code == "name-would-dangle" and deleted(services) == set()

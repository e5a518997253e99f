"""cut-over: the order that leaves no moment in which no gateway relays."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.errors import ChangedMeanwhile, StepFailed
from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.record import State
from cmg_core.domain.record_sets import TTL_BEFORE, RecordSet, low_ttl
from cmg_core.domain.values import at
from cmg_core.services import NameView
from cmg_core.steps.cut_over import cut_over
from tests.fakes import FakeServices, context_of, deployment, leaf, migration
from tests.stories import ALIVE, NEW_NAME, OLD_NAME, RECORD_ID, RELAYS, SERVICE, before_cut_over, opened, record_body


def run(services: FakeServices, state: State) -> Outcome:
    return asyncio.run(cut_over(context_of(services, state)))


def record_now(services: FakeServices) -> RecordSet:
    return RecordSet.of(services.resource_manager.resources[RECORD_ID.lower()])


def waits_at(outcome: Outcome) -> GateName | None:
    assert isinstance(outcome, Wait)
    return outcome.gate


def test_the_ttl_is_lowered_first_and_remembered() -> None:
    services = FakeServices()
    outcome = run(services, before_cut_over(services))
    assert record_now(services).ttl == timedelta(seconds=30) and record_now(services).target == OLD_NAME
    assert outcome.state.cut_over.ttl_before == timedelta(seconds=300)
    assert waits_at(outcome) is GateName.READY_TO_CUT_OVER


def test_a_run_that_died_after_lowering_still_waits_for_the_old_ttl() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    run(services, state)
    again = run(services, state)
    assert again.state.cut_over.ttl_before == timedelta(seconds=300)
    assert record_now(services).ttl == timedelta(seconds=30)


def test_the_record_does_not_change_while_the_new_gateway_does_not_relay() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    services.dialer.answers[NEW_NAME] = ALIVE
    assert waits_at(run(services, state)) is GateName.CONNECTION_POINT_CONNECTED
    everything_open = replace(opened(state), cut_over=replace(state.cut_over, ttl_before=timedelta(seconds=300)))
    assert isinstance(run(services, everything_open), Wait)
    assert record_now(services).target == OLD_NAME


def test_a_person_may_vouch_for_a_gateway_that_answers_strangers_itself() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    services.dialer.answers[NEW_NAME] = replace(ALIVE, status=401, status_text="CMGService_Invalid_Token")
    assert waits_at(run(services, state)) is GateName.CONNECTION_POINT_CONNECTED
    vouched = opened(state, GateName.CONNECTION_POINT_CONNECTED)
    assert waits_at(run(services, vouched)) is GateName.READY_TO_CUT_OVER
    going = opened(vouched, GateName.READY_TO_CUT_OVER)
    going = replace(
        going, cut_over=replace(going.cut_over, ttl_before=timedelta(), ttl_lowered_at=services.clock.now())
    )
    services.dialer.answers[NEW_NAME] = ALIVE
    run(services, going)
    assert record_now(services).target == OLD_NAME, "nobody can vouch for a gateway that fails (503)"
    services.dialer.answers[NEW_NAME] = replace(ALIVE, status=401, status_text="CMGService_Invalid_Token")
    run(services, going)
    assert record_now(services).target == NEW_NAME


def test_the_record_changes_only_after_the_old_ttl_has_run_out() -> None:
    services = FakeServices()
    state = run(services, opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)).state
    services.clock.pass_by(timedelta(seconds=299))
    early = run(services, state)
    assert isinstance(early, Wait) and early.after == timedelta(seconds=1) and record_now(services).target == OLD_NAME
    services.clock.pass_by(timedelta(seconds=1))
    late = run(services, early.state)
    assert record_now(services).target == NEW_NAME
    assert late.state.cut_over.flipped_at == services.clock.now()


def test_the_cname_gate_opens_when_the_world_shows_it_and_nobody_holds_the_old_answer() -> None:
    services = FakeServices()
    state = run(services, opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)).state
    services.clock.pass_by(timedelta(seconds=300))
    services.dns.point(SERVICE, NEW_NAME, ttl=30)
    state = run(services, state).state
    services.clock.pass_by(timedelta(seconds=29))
    assert waits_at(run(services, state)) is GateName.CNAME
    services.clock.pass_by(timedelta(seconds=1))
    assert waits_at(run(services, state)) is GateName.INSIDE_DNS


def test_the_old_answer_is_held_from_the_last_moment_in_which_a_server_gave_it() -> None:
    services = FakeServices()
    state = run(services, opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)).state
    services.clock.pass_by(timedelta(seconds=300))
    state = run(services, state).state
    assert record_now(services).target == NEW_NAME
    services.clock.pass_by(timedelta(seconds=25))
    still = run(services, state)
    services.clock.pass_by(timedelta(seconds=6))
    services.dns.point(SERVICE, NEW_NAME, ttl=30)
    held = run(services, still.state)
    assert waits_at(held) is GateName.CNAME and isinstance(held, Wait) and held.after >= timedelta(seconds=30)


def test_a_record_that_was_set_back_and_changed_again_is_waited_for_anew() -> None:
    services = FakeServices()
    state = run(services, opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)).state
    services.clock.pass_by(timedelta(seconds=300))
    services.dns.point(SERVICE, NEW_NAME, ttl=30)
    state = run(services, state).state
    services.dns.point(SERVICE, OLD_NAME, ttl=1800)
    services.clock.pass_by(timedelta(seconds=60))
    state = run(services, state).state
    services.dns.point(SERVICE, NEW_NAME, ttl=30)
    held = run(services, state)
    assert waits_at(held) is GateName.CNAME and isinstance(held, Wait) and held.after == timedelta(seconds=1800)


def test_a_zone_of_others_changed_before_its_time_is_waited_for_with_the_ttl_that_the_plan_saw() -> None:
    services = FakeServices()
    state = before_cut_over(services, migration(dns=None))
    assert state.plan is not None
    plan = state.plan.model_copy(update={"record": None, "public_ttl": timedelta(seconds=3600)})
    services.dns.point(SERVICE, NEW_NAME, ttl=60)
    held = run(services, replace(opened(state, GateName.READY_TO_CUT_OVER), plan=plan))
    assert waits_at(held) is GateName.CNAME and isinstance(held, Wait) and held.after == timedelta(seconds=3600)


def test_a_ttl_raised_since_an_earlier_deployment_lowered_it_is_waited_for_in_full() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    body = record_body(OLD_NAME, ttl=86400)
    body["properties"]["metadata"] = {TTL_BEFORE: "300"}  # type: ignore[call-overload,index]  # it is an object
    services.resource_manager.add(body)
    assert run(services, state).state.cut_over.ttl_before == timedelta(seconds=86400)
    assert record_now(services).ttl_before == timedelta(seconds=86400)


def test_one_server_with_the_old_answer_keeps_the_gate_closed() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta(), flipped_at=services.clock.now()))
    services.dns.answers[SERVICE.lower()] = [NameView("a", (NEW_NAME,)), NameView("b", (OLD_NAME,))]
    assert waits_at(run(services, state)) is GateName.CNAME


def test_grace_begins_when_everything_is_open_and_the_new_gateway_relays_under_its_public_name() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services))
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta(), flipped_at=services.clock.now()))
    services.dns.point(SERVICE, NEW_NAME)
    services.dialer.answers[SERVICE.lower()] = ALIVE
    waiting = run(services, state)
    assert isinstance(waiting, Wait) and waiting.state.grace_ends_at is None
    services.dialer.answers[SERVICE.lower()] = RELAYS
    done = run(services, state)
    assert isinstance(done, Done) and done.state.grace_ends_at == services.clock.now() + timedelta(days=2)


@pytest.mark.parametrize("name", [NEW_NAME, SERVICE.lower()])
def test_grace_does_not_begin_while_only_the_old_gateway_relays(name: str) -> None:
    services = FakeServices()
    state = opened(before_cut_over(services))
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta(), flipped_at=services.clock.now()))
    services.dns.point(SERVICE, NEW_NAME)
    services.dialer.answers[name] = ALIVE
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and outcome.state.grace_ends_at is None


def test_grace_does_not_begin_while_the_record_is_set_back() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services))
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta(), flipped_at=services.clock.now()))
    services.dns.point(SERVICE, OLD_NAME)
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and outcome.state.grace_ends_at is None and OLD_NAME in outcome.reason


def test_what_relays_with_another_certificate_is_no_gateway_for_the_clients() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    services.dialer.answers[NEW_NAME] = replace(RELAYS, leaf=leaf("proxy.contoso.com"))
    waiting = run(services, state)
    assert isinstance(waiting, Wait) and "certificate" in waiting.reason
    assert waits_at(waiting) is GateName.CONNECTION_POINT_CONNECTED
    everything_open = replace(opened(state), cut_over=replace(state.cut_over, ttl_before=timedelta(seconds=300)))
    assert isinstance(run(services, everything_open), Wait)
    assert record_now(services).target == OLD_NAME


def test_a_record_that_somebody_pointed_elsewhere_is_left_alone() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)
    state = replace(
        state, cut_over=replace(state.cut_over, ttl_before=timedelta(), ttl_lowered_at=services.clock.now())
    )
    services.resource_manager.add(record_body("elsewhere.contoso.com"))
    with pytest.raises(StepFailed) as failed:
        run(services, state)
    assert failed.value.problem.code == "record-changed" and record_now(services).target == "elsewhere.contoso.com"


def test_a_record_changed_at_the_same_moment_is_looked_at_again() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    read = services.resource_manager.get

    async def read_then_somebody_writes(id: str) -> object:
        body = await read(id)
        services.resource_manager.add(record_body(OLD_NAME, etag="e2"))
        return body

    services.resource_manager.get = read_then_somebody_writes  # type: ignore[method-assign,assignment]
    with pytest.raises(ChangedMeanwhile):
        run(services, state)


def test_nothing_changes_before_the_moment_that_the_request_names() -> None:
    services = FakeServices()
    moment = services.clock.now() + timedelta(hours=5)
    state = opened(before_cut_over(services, migration(cut_over_not_before=moment)))
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and outcome.after == timedelta(hours=5)
    assert record_now(services).target == OLD_NAME


def test_a_new_deployment_sets_its_record_no_earlier_than_the_request_allows() -> None:
    services = FakeServices()
    moment = services.clock.now() + timedelta(hours=5)
    state = before_cut_over(services, deployment(cut_over_not_before=moment))
    del services.resource_manager.resources[RECORD_ID.lower()]
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and outcome.after == timedelta(hours=5) and not services.resource_manager.writes


def test_a_zone_of_others_is_watched_and_never_written() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services, migration(dns=None)), GateName.READY_TO_CUT_OVER)
    waiting = run(services, state)
    assert waits_at(waiting) is GateName.CNAME and services.resource_manager.writes == []
    services.dns.point(SERVICE, NEW_NAME, ttl=60)
    held = run(services, waiting.state)
    assert isinstance(held, Wait) and held.after == timedelta(seconds=300)
    services.clock.pass_by(timedelta(seconds=300))
    assert waits_at(run(services, held.state)) is GateName.INSIDE_DNS
    assert services.resource_manager.writes == []


def test_the_record_does_not_change_to_a_gateway_whose_certificate_has_expired() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)
    assert state.certificate is not None
    services.clock.at = state.certificate.not_after
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta()))
    with pytest.raises(StepFailed) as failed:
        run(services, state)
    assert failed.value.problem.code == "certificate-ended-meanwhile" and record_now(services).target == OLD_NAME


def test_a_new_deployment_makes_its_record_and_waits_for_its_connection_point() -> None:
    services = FakeServices()
    state = before_cut_over(services, deployment())
    del services.resource_manager.resources[RECORD_ID.lower()]
    services.dns.point(SERVICE, NEW_NAME)
    services.dialer.answers[NEW_NAME] = ALIVE
    outcome = run(services, state)
    assert record_now(services).target == NEW_NAME
    services.clock.pass_by(timedelta(minutes=5))
    waiting = run(services, outcome.state)
    assert waits_at(waiting) is GateName.CONNECTION_POINT_CONNECTED
    services.dialer.answers[NEW_NAME] = RELAYS
    assert isinstance(run(services, waiting.state), Done)


@given(st.integers(1, 604800))
def test_a_lowered_ttl_is_shorter_never_zero_and_restored_exactly(seconds: int) -> None:
    before = timedelta(seconds=seconds)
    low = low_ttl(before)
    assert timedelta(seconds=1) <= low <= timedelta(minutes=1) and low <= before
    record = RecordSet("id", before, OLD_NAME, metadata=(("owner", "dns team"),))
    lowered = RecordSet.of({"id": "id", **record.with_ttl(low, before).body()})
    assert lowered.ttl_before == before and lowered.with_ttl_restored() == record
    assert at(lowered.body(), "properties", "metadata", "owner") == "dns team"

"""roll-back: the old gateway serves again before anything of the new one goes."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.cases import Case
from cmg_core.domain.errors import ChangedMeanwhile, StepFailed
from cmg_core.domain.gates import OBSERVATION, Gate, GateName, Opener
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.plans import ServiceRecord
from cmg_core.domain.record import Claim, RollBack, State, Waiting
from cmg_core.domain.record_sets import RecordSet
from cmg_core.services import NameView
from cmg_core.steps.planned import plan_of
from cmg_core.steps.roll_back import roll_back
from tests.fakes import CLASSIC_ID, DEPLOYMENT, FakeServices, claim_of, context_of, deployment, migration
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
    opened,
    record_body,
)


def run(services: FakeServices, state: State) -> Outcome:
    return asyncio.run(roll_back(context_of(services, state)))


OTHER_NAME = "old.contoso.com"


def rolling_back_to(services: FakeServices, old_service_name: str) -> State:
    """On the way back to an old gateway with a name of its own, which relays under it."""
    old_reference = {"resource_id": CLASSIC_ID, "service_name": old_service_name}
    state = after_grace(services, migration(old_gateway=old_reference))
    assert state.plan is not None and state.plan.old_gateway is not None
    old = state.plan.old_gateway.model_copy(update={"service_name": old_service_name})
    plan = state.plan.model_copy(update={"case": Case.NEW_NAME, "old_gateway": old, "record": None})
    services.dialer.answers[old_service_name] = RELAYS
    return replace(state, plan=plan, roll_back=RollBack(services.clock.now()))


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


def test_the_record_goes_back_though_the_new_gateway_fails_under_the_service_name() -> None:
    services = FakeServices()
    state = in_grace(services)
    services.dialer.answers[SERVICE.lower()] = ALIVE
    run(services, state)
    assert record_now(services).target == OLD_NAME


def died_at_the_change(services: FakeServices) -> State:
    """The record leads to the new gateway, whatever the ledger knows, and the inside view has followed by itself."""
    state = closed(in_grace(services), GateName.INSIDE_DNS)
    services.dialer.answers[OLD_NAME] = ALIVE
    gate = state.gate(GateName.INSIDE_DNS)
    assert gate is not None
    state = state.with_gate(replace(gate, asked_at=None))
    return replace(state, cut_over=replace(state.cut_over, flipped_at=None), roll_back=RollBack(services.clock.now()))


def test_an_inside_view_that_followed_unasked_is_led_back_at_a_gate() -> None:
    services = FakeServices()
    outcome = run(services, died_at_the_change(services))
    assert isinstance(outcome, Wait) and outcome.gate is GateName.INSIDE_DNS and services.resource_manager.writes == []
    gate = outcome.state.gate(GateName.INSIDE_DNS)
    assert gate is not None and gate.asked_at == services.clock.now()
    assert "only while the old gateway relays" in outcome.reason and gate.what_to_do in outcome.reason
    assert "CMGService_No_Connector" in outcome.reason


def test_that_gate_opens_when_the_old_gateway_relays_and_the_record_goes_back() -> None:
    services = FakeServices()
    asked = run(services, died_at_the_change(services))
    services.dialer.answers[OLD_NAME] = RELAYS
    outcome = run(services, asked.state)
    gate = outcome.state.gate(GateName.INSIDE_DNS)
    assert gate is not None and gate.opened_by == OBSERVATION and record_now(services).target == OLD_NAME
    assert gate.opened_at == services.clock.now() and "CMGConnector_Unauthorized" in gate.reason
    assert [told for told in outcome.told if "the gate inside-dns is open" in told]


def test_who_opens_that_gate_too_early_does_not_move_the_record() -> None:
    services = FakeServices()
    asked = run(services, died_at_the_change(services))
    outcome = run(services, opened(asked.state, GateName.INSIDE_DNS))
    assert isinstance(outcome, Wait) and outcome.gate is None and services.resource_manager.writes == []
    assert "only while the old gateway relays" in outcome.reason and "CMGService_No_Connector" in outcome.reason


def test_a_gate_that_nobody_was_asked_at_is_not_told_open() -> None:
    services = FakeServices()
    state = died_at_the_change(services)
    services.dialer.answers[OLD_NAME] = RELAYS
    outcome = run(services, state)
    gate = outcome.state.gate(GateName.INSIDE_DNS)
    assert gate is not None and not gate.is_open and record_now(services).target == OLD_NAME


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


def test_a_record_that_somebody_leads_over_once_more_is_led_back_again() -> None:
    services = FakeServices()
    state = run(services, in_grace(services)).state
    assert record_now(services).target == OLD_NAME
    services.resource_manager.add(record_body(NEW_NAME))
    services.dns.point(SERVICE, NEW_NAME)
    services.clock.pass_by(timedelta(seconds=5))
    outcome = run(services, state)
    assert record_now(services).target == OLD_NAME and isinstance(outcome, Wait)
    first, again = state.roll_back, outcome.state.roll_back
    assert first and again and first.record_back_at and again.record_back_at
    assert again.record_back_at > first.record_back_at
    to_the_end(services, outcome.state)
    assert deleted(services) == set(MAKE.ids)


def test_what_lasts_is_looked_at_less_and_less_often() -> None:
    services = FakeServices()
    state = in_grace(services)
    services.dialer.answers[OLD_NAME] = ALIVE
    pauses, began = list[timedelta](), services.clock.now()
    for _ in range(12):
        outcome = run(services, state)
        assert isinstance(outcome, Wait)
        state = replace(outcome.state, waiting=Waiting(outcome.reason, began, services.clock.now()))
        pauses.append(outcome.after)
        services.clock.pass_by(outcome.after)
    assert pauses[0] < pauses[-1] == timedelta(minutes=1)


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


def test_a_part_in_between_that_belongs_to_others_stays_and_the_rest_goes() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    stands(services)
    services.resource_manager.add({"id": MAKE.load_balancer, "tags": {"cmg-deployment": "another deployment"}})
    to_the_end(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert deleted(services) == set(MAKE.ids) - {MAKE.load_balancer}


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
    assert SERVICE in held.reason and NEW_NAME in held.reason
    assert timedelta() < held.after <= timedelta(minutes=1)
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


def test_a_record_that_somebody_leads_elsewhere_in_the_last_moment_is_not_removed() -> None:
    services = FakeServices()
    state = before_cut_over(services, deployment())
    assert state.plan is not None
    plan = state.plan.model_copy(update={"old_gateway": None, "record": None, "delete": ()})
    stands(services)
    services.resource_manager.add(record_body(NEW_NAME))

    async def others_are_faster() -> Claim:
        services.resource_manager.add(record_body("portal.contoso.net", etag="theirs"))
        return claim_of(services.clock)

    state = replace(state, plan=plan, roll_back=RollBack(services.clock.now()))
    with pytest.raises(ChangedMeanwhile):
        asyncio.run(roll_back(context_of(services, state, others_are_faster)))
    assert record_now(services).target == "portal.contoso.net" and deleted(services) == set()


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


def test_a_new_deployments_record_that_somebody_leads_elsewhere_is_theirs_and_the_way_back_ends() -> None:
    services = FakeServices()
    state = before_cut_over(services, deployment())
    assert state.plan is not None
    plan = state.plan.model_copy(update={"old_gateway": None, "record": None, "delete": ()})
    stands(services)
    services.resource_manager.add(record_body("portal.contoso.net"))
    services.dns.answers.clear()
    flipped = replace(state.cut_over, flipped_at=services.clock.now(), ttl_at_flip=timedelta())
    to_the_end(services, replace(state, plan=plan, cut_over=flipped, roll_back=RollBack(services.clock.now())))
    assert record_now(services).target == "portal.contoso.net" and deleted(services) == set(MAKE.ids)


def of_others(services: FakeServices) -> State:
    """``in_grace`` with a zone that others hold: their gate is closed again."""
    state = after_grace(services, migration(dns=None))
    stands(services)
    services.dialer.answers[OLD_NAME] = RELAYS
    cut_over = replace(
        state.cut_over,
        flipped_at=services.clock.now(),
        ttl_before=timedelta(seconds=90),
        ttl_at_flip=timedelta(seconds=30),
    )
    state = replace(state, cut_over=cut_over, roll_back=RollBack(services.clock.now()))
    gate = state.gate(GateName.CNAME)
    assert gate is not None
    return state.with_gate(replace(gate, asked_at=None, opened_at=None))


def test_a_zone_of_others_is_waited_for_at_its_gate_and_then_as_long_as_the_answer_may_be_held() -> None:
    services = FakeServices()
    asked = run(services, of_others(services))
    assert isinstance(asked, Wait) and asked.gate is GateName.CNAME
    gate = asked.state.gate(GateName.CNAME)
    assert gate is not None and gate.asked_at == services.clock.now()
    services.dns.point(SERVICE, OLD_NAME)
    held = run(services, asked.state)
    assert isinstance(held, Wait) and held.after == timedelta(seconds=90) and deleted(services) == set()
    services.clock.pass_by(timedelta(seconds=90))
    end = to_the_end(services, held.state)
    assert deleted(services) == set(MAKE.ids) == set(end.deleted)
    assert not any(write.startswith("PUT") for write in services.resource_manager.writes)


@pytest.mark.parametrize(
    ("before", "at_flip", "held"), [(None, 30, 30), (90, None, 90), (30, 90, 90), (90, 30, 90), (None, None, 0)]
)
def test_the_longest_ttl_that_was_ever_seen_counts(before: int | None, at_flip: int | None, held: int) -> None:
    services = FakeServices()
    state = of_others(services)
    ttls = [None if ttl is None else timedelta(seconds=ttl) for ttl in (before, at_flip)]
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=ttls[0], ttl_at_flip=ttls[1]))
    services.dns.point(SERVICE, OLD_NAME)
    way = run(services, state).state.roll_back
    assert way is not None and way.ttl_at_change == timedelta(seconds=held)
    assert way.record_back_at == services.clock.now()


@pytest.mark.parametrize(
    ("views", "back"),
    [
        ([NameView("a", (OLD_NAME,)), NameView("b", (OLD_NAME,))], True),
        ([NameView("a", (OLD_NAME,)), NameView("b", failure="timed out"), NameView("c", (OLD_NAME,))], True),
        ([NameView("a", (OLD_NAME,)), NameView("b", failure="timed out")], False),
        ([NameView("a", (OLD_NAME,)), NameView("b", (NEW_NAME,))], False),
        ([NameView("a", failure="timed out"), NameView("b", failure="timed out")], False),
    ],
)
def test_the_record_of_others_is_back_when_most_servers_answer_and_none_shows_the_new_name(
    views: list[NameView], back: bool
) -> None:
    services = FakeServices()
    state = of_others(services)
    services.dns.answers[SERVICE.lower()] = views
    way = run(services, state).state.roll_back
    assert way is not None and (way.record_back_at is not None) is back


def test_an_open_gate_does_not_make_the_record_of_others_go_back() -> None:
    services = FakeServices()
    outcome = run(services, opened(of_others(services), GateName.CNAME))
    assert isinstance(outcome, Wait) and outcome.gate is None and deleted(services) == set()
    assert SERVICE in outcome.reason and NEW_NAME in outcome.reason and outcome.after > timedelta()


def test_the_record_goes_back_to_where_the_plan_found_it_and_that_is_told() -> None:
    services = FakeServices()
    state = in_grace(services)
    assert state.plan is not None and state.plan.record is not None
    found = state.plan.record.model_copy(update={"target": "GraniteFalls.CloudApp.Net"})
    state = replace(state, plan=state.plan.model_copy(update={"record": found}))
    outcome = run(services, state)
    assert record_now(services).target == "GraniteFalls.CloudApp.Net"
    [told] = outcome.told
    assert all(word in told for word in (SERVICE, NEW_NAME, "GraniteFalls.CloudApp.Net"))


def test_a_plan_that_did_not_see_the_record_leads_it_to_the_old_gateways_own_name() -> None:
    services = FakeServices()
    state = in_grace(services)
    assert state.plan is not None
    run(services, replace(state, plan=state.plan.model_copy(update={"record": None})))
    assert record_now(services).target == OLD_NAME


def test_an_old_gateway_that_a_person_vouched_for_may_answer_strangers_itself() -> None:
    services = FakeServices()
    own_answer = replace(ALIVE, status=401, status_text="CMGService_Invalid_Token")
    state = in_grace(services)
    services.dialer.answers |= {OLD_NAME: own_answer, SERVICE.lower(): own_answer}
    gate = state.gate(GateName.CONNECTION_POINT_CONNECTED)
    assert gate is not None
    observed = run(services, state.with_gate(replace(gate, opened_by=OBSERVATION)))
    assert isinstance(observed, Wait) and services.resource_manager.writes == []
    to_the_end(services, state.with_gate(replace(gate, opened_by="ann@contoso.com")))
    assert record_now(services).target == OLD_NAME and deleted(services) == set(MAKE.ids)


def test_waits_on_the_way_back_say_what_they_wait_for_and_until_when() -> None:
    services = FakeServices()
    state = run(services, in_grace(services)).state
    lagging = run(services, state)
    assert isinstance(lagging, Wait) and SERVICE in lagging.reason and NEW_NAME in lagging.reason
    services.dns.point(SERVICE, OLD_NAME)
    held = run(services, lagging.state)
    assert isinstance(held, Wait) and held.until is not None and held.until.isoformat() in held.reason
    assert held.until == services.clock.now() + held.after


def test_an_old_gateway_without_an_id_of_its_own_is_whole_as_long_as_it_stands() -> None:
    services = FakeServices()
    state = in_grace(services)
    services.resource_manager.add({"id": CLASSIC_ID, "properties": {"uniqueId": "first"}})
    run(services, state)
    assert record_now(services).target == OLD_NAME


def test_an_old_gateway_of_which_the_plan_lists_no_part_is_whole_as_long_as_it_stands() -> None:
    services = FakeServices()
    state = in_grace(services)
    assert state.plan is not None and state.plan.old_gateway is not None
    old = state.plan.old_gateway.model_copy(update={"parts": ()})
    services.resource_manager.add({"id": CLASSIC_ID, "properties": {"uniqueId": "first"}})
    run(services, replace(state, plan=state.plan.model_copy(update={"old_gateway": old})))
    assert record_now(services).target == OLD_NAME


def test_the_old_gateway_that_the_plan_saw_is_gone_back_to() -> None:
    services = FakeServices()
    state = after_grace(services, immutable_id="first")
    services.resource_manager.add({"id": CLASSIC_ID, "properties": {"uniqueId": "first"}})
    services.dialer.answers[OLD_NAME] = RELAYS
    run(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert record_now(services).target == OLD_NAME


def test_records_that_lead_to_the_new_name_are_told_by_name() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    stands(services)
    services.resource_manager.add({**record_body(NEW_NAME), "id": f"{RECORD_ID}-other"})
    with pytest.raises(StepFailed) as failed:
        to_the_end(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert "GraniteFalls-other" in failed.value.problem.detail
    assert failed.value.problem.resource == MAKE.public_address


def test_a_zone_of_others_is_left_alone_to_the_end() -> None:
    services = FakeServices()
    state = before_cut_over(services, migration(dns=None))
    stands(services)
    state = replace(state, roll_back=RollBack(services.clock.now()))
    assert deleted(services) == set()
    to_the_end(services, state)
    assert deleted(services) == set(MAKE.ids)
    assert not any(write.startswith("PUT") for write in services.resource_manager.writes)


def test_a_record_whose_ttl_was_not_lowered_is_not_written_on_the_way_back() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    stands(services)
    to_the_end(services, replace(state, roll_back=RollBack(services.clock.now())))
    assert not any(write.startswith("PUT") for write in services.resource_manager.writes)


def test_a_new_deployments_record_is_held_for_no_time() -> None:
    services = FakeServices()
    state = before_cut_over(services, deployment())
    assert state.plan is not None
    stands(services)
    services.resource_manager.add(record_body(NEW_NAME))
    for record, seen in ((None, (f"removed the record {SERVICE}",)), (state.plan.record, ())):
        plan = state.plan.model_copy(update={"old_gateway": None, "record": record, "delete": ()})
        services.dns.answers.clear()
        with suppress(StepFailed):
            outcome = run(services, replace(state, plan=plan, roll_back=RollBack(services.clock.now())))
            assert outcome.told[: len(seen)] == seen
            assert outcome.state.roll_back is not None and outcome.state.roll_back.ttl_at_change == timedelta()


def under_a_new_name(services: FakeServices) -> State:
    """Case 1 in its grace period: the record is this deployment's, and clients may know both names."""
    state = rolling_back_to(services, OTHER_NAME)
    services.resource_manager.add(record_body(NEW_NAME))
    services.dns.point(SERVICE, NEW_NAME)
    return state


def test_under_a_new_name_nothing_goes_while_the_old_gateway_does_not_relay() -> None:
    services = FakeServices()
    state = under_a_new_name(services)
    services.dialer.answers[OTHER_NAME] = ALIVE
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and OTHER_NAME in outcome.reason
    assert services.resource_manager.writes == []
    services.dialer.answers[OTHER_NAME] = RELAYS
    after = run(services, outcome.state)
    assert services.resource_manager.writes[0] == f"DELETE {RECORD_ID}"
    services.dialer.answers[OTHER_NAME] = ALIVE
    written = list(services.resource_manager.writes)
    assert isinstance(run(services, after.state), Wait) and services.resource_manager.writes == written


@pytest.mark.parametrize("in_plan", [True, False])
def test_under_a_new_name_of_which_no_client_has_learned_the_old_gateway_is_not_waited_for(in_plan: bool) -> None:
    services = FakeServices()
    state = under_a_new_name(services)
    gate = state.gate(GateName.CONNECTION_POINT_CONNECTED)
    assert gate is not None
    unasked = state.with_gate(replace(gate, asked_at=None, opened_at=None))
    without = replace(state, gates=tuple(each for each in state.gates if each is not gate))
    services.dialer.answers[OTHER_NAME] = ALIVE
    run(services, unasked if in_plan else without)
    assert services.resource_manager.writes[0] == f"DELETE {RECORD_ID}"


def test_under_a_new_name_a_person_may_have_vouched_for_an_old_gateway_that_answers_strangers_itself() -> None:
    services = FakeServices()
    state = under_a_new_name(services)
    services.dialer.answers[OTHER_NAME] = replace(ALIVE, status=401, status_text="CMGService_Invalid_Token")
    gate = state.gate(GateName.CONNECTION_POINT_CONNECTED)
    assert gate is not None
    observed = state.with_gate(replace(gate, opened_by=OBSERVATION))
    assert isinstance(run(services, observed), Wait) and services.resource_manager.writes == []
    run(services, state.with_gate(replace(gate, opened_by="ann@contoso.com")))
    assert services.resource_manager.writes[0] == f"DELETE {RECORD_ID}"


def test_a_record_under_a_new_name_that_stood_before_stays() -> None:
    services = FakeServices()
    state = under_a_new_name(services)
    assert state.plan is not None
    stood = ServiceRecord(id=RECORD_ID, target=NEW_NAME, ttl=timedelta(minutes=5), etag="e1")
    run(services, replace(state, plan=state.plan.model_copy(update={"record": stood})))
    assert f"DELETE {RECORD_ID}" not in services.resource_manager.writes


def new_name_in_a_zone_of_others(services: FakeServices, **changes: object) -> State:
    """Case 1, and the record is others'; somebody has asked for the way back."""
    state = rolling_back_to(services, OTHER_NAME)
    others = state.request.model_copy(update={"dns": None})
    state = replace(state, request=others, plan=plan_of(state).model_copy(update=changes))
    services.dns.point(SERVICE, NEW_NAME)
    stands(services)
    gate = state.gate(GateName.CNAME)
    assert gate is not None
    return state.with_gate(replace(gate, asked_at=None, opened_at=None))


def test_whoever_holds_the_zone_is_asked_to_remove_the_new_names_record_and_then_all_goes_at_once() -> None:
    services = FakeServices()
    asked = run(services, new_name_in_a_zone_of_others(services))
    assert isinstance(asked, Wait) and asked.gate is GateName.CNAME and deleted(services) == set()
    services.dns.answers[SERVICE.lower()] = [NameView("a"), NameView("b")]
    services.dialer.answers[SERVICE.lower()] = replace(ALIVE, status=0, status_text="", failure="no such name")
    seen = replace(asked.state, cut_over=replace(asked.state.cut_over, ttl_at_flip=timedelta(minutes=5)))
    began = run(services, seen)
    assert [told for told in began.told if "the gate cname is open" in told]
    assert began.state.roll_back is not None and began.state.roll_back.ttl_at_change == timedelta()
    to_the_end(services, began.state)
    assert deleted(services) == set(MAKE.ids)


def test_a_gateway_that_the_site_made_is_removed_by_its_administrator_after_the_record_that_led_there() -> None:
    services = FakeServices()
    state = new_name_in_a_zone_of_others(services, make=None)
    made = Gate(GateName.GATEWAY_CREATED, Opener.PERSON, "Remove it in the console.")
    state = replace(state, gates=(made, *state.gates))
    asked = run(services, state)
    assert isinstance(asked, Wait) and asked.gate is GateName.CNAME
    services.dns.answers[SERVICE.lower()] = [NameView("a"), NameView("b")]
    waits = run(services, asked.state)
    assert isinstance(waits, Wait) and waits.gate is GateName.GATEWAY_CREATED
    gate = waits.state.gate(GateName.GATEWAY_CREATED)
    assert gate is not None and gate.asked_at == services.clock.now()
    assert isinstance(run(services, opened(waits.state, GateName.GATEWAY_CREATED)), Done)
    assert deleted(services) == set()


def test_a_gateway_that_stays_keeps_its_record_in_a_zone_of_others() -> None:
    services = FakeServices()
    outcome = run(services, new_name_in_a_zone_of_others(services, make=None))
    assert isinstance(outcome, Done) and deleted(services) == set()


def test_nobody_is_asked_for_a_record_that_others_never_made() -> None:
    services = FakeServices()
    state = new_name_in_a_zone_of_others(services)
    services.dns.answers[SERVICE.lower()] = [NameView("a"), NameView("b")]
    ended = to_the_end(services, state)
    gate = ended.gate(GateName.CNAME)
    assert gate is not None and gate.asked_at is None and deleted(services) == set(MAKE.ids)

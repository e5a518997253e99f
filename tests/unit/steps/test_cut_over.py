"""cut-over: the order that leaves no moment in which no gateway relays."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.cases import Case
from cmg_core.domain.errors import ChangedMeanwhile, StepFailed
from cmg_core.domain.gates import OBSERVATION, GateName
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.record import State, Waiting
from cmg_core.domain.record_sets import TTL_BEFORE, RecordSet, low_ttl
from cmg_core.domain.values import at
from cmg_core.services import Dialed, NameView
from cmg_core.steps.cut_over import cut_over
from cmg_core.steps.planned import plan_of
from tests.fakes import CLASSIC_ID, NOW, FakeServices, context_of, deployment, leaf, migration
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
    waiting = run(services, everything_open)
    assert isinstance(waiting, Wait) and waiting.state == everything_open
    assert timedelta() < waiting.after <= timedelta(minutes=1)
    assert "relays" in waiting.reason and "CMGService_No_Connector" in waiting.reason
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


@pytest.mark.parametrize("changes", [{"case": Case.NEW_NAME, "record": None}, {"case": Case.NEW_DEPLOYMENT}])
def test_under_a_new_name_a_record_that_somebody_else_made_is_left_alone(changes: dict[str, object]) -> None:
    services = FakeServices()
    state = opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)
    services.resource_manager.add(record_body("portal.contoso.net"))
    with pytest.raises(StepFailed) as failed:
        run(services, replace(state, plan=plan_of(state).model_copy(update=changes)))
    assert failed.value.problem.code == "record-changed" and services.resource_manager.writes == []


@pytest.mark.parametrize("in_plan", [True, False])
def test_where_the_name_moves_a_record_that_is_gone_is_made_only_where_the_plan_saw_none(in_plan: bool) -> None:
    services = FakeServices()
    gone = {"resource_id": CLASSIC_ID, "service_name": SERVICE, "gone": True}
    state = opened(before_cut_over(services, migration(old_gateway=gone)), GateName.READY_TO_CUT_OVER)
    del services.resource_manager.resources[RECORD_ID.lower()]
    if in_plan:
        with pytest.raises(StepFailed) as failed:
            run(services, state)
        assert failed.value.problem.code == "record-changed" and services.resource_manager.writes == []
    else:
        run(services, replace(state, plan=plan_of(state).model_copy(update={"record": None})))
        assert record_now(services).target == NEW_NAME


def test_a_record_that_leads_over_before_its_ttl_was_lowered_is_not_written() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    services.resource_manager.add(record_body(NEW_NAME))
    assert waits_at(run(services, state)) is GateName.READY_TO_CUT_OVER
    assert services.resource_manager.writes == []


def test_the_record_stays_until_a_person_says_that_the_new_gateway_serves_the_old_ones_content() -> None:
    services = FakeServices()
    serving = {"resource_id": CLASSIC_ID, "service_name": SERVICE, "serves_content": True}
    state = before_cut_over(services, migration(old_gateway=serving))
    state = opened(state, GateName.READY_TO_CUT_OVER, GateName.CONNECTION_POINT_CONNECTED)
    outcome = run(services, replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta())))
    assert waits_at(outcome) is GateName.CONTENT_READY and record_now(services).target == OLD_NAME
    gate = outcome.state.gate(GateName.CONTENT_READY)
    assert gate is not None and gate.asked_at == services.clock.now()


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
    services.clock.pass_by(timedelta(hours=5))
    run(services, outcome.state)
    assert record_now(services).target == NEW_NAME


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


def lowered(services: FakeServices) -> State:
    """Right before the record may change, with the low TTL and nobody who still holds the old one."""
    state = opened(before_cut_over(services), GateName.READY_TO_CUT_OVER, GateName.CONNECTION_POINT_CONNECTED)
    noted = replace(state.cut_over, ttl_before=timedelta(), ttl_lowered_at=services.clock.now())
    return replace(state, cut_over=noted)


def test_each_change_of_the_record_is_told_with_what_was_and_what_is() -> None:
    services = FakeServices()
    [told] = run(services, before_cut_over(services)).told[:1]
    assert all(word in told for word in (SERVICE, "300 s", "30 s"))
    services = FakeServices()
    told = run(services, lowered(services)).told[0]
    assert all(word in told for word in (SERVICE, OLD_NAME, NEW_NAME))
    services = FakeServices()
    state = before_cut_over(services, deployment())
    del services.resource_manager.resources[RECORD_ID.lower()]
    services.dns.point(SERVICE, NEW_NAME)
    outcome = run(services, state)
    assert all(word in outcome.told[0] for word in (SERVICE, NEW_NAME))
    noted = outcome.state.cut_over
    assert (noted.flipped_at, noted.ttl_at_flip) == (services.clock.now(), timedelta())


def test_gates_that_open_by_observation_say_when_and_what_was_seen() -> None:
    services = FakeServices()
    state = run(services, before_cut_over(services)).state
    gate = state.gate(GateName.CONNECTION_POINT_CONNECTED)
    assert gate is not None and (gate.opened_at, gate.opened_by) == (services.clock.now(), OBSERVATION)
    assert "CMGConnector_Unauthorized" in gate.reason
    state = replace(lowered(services), cut_over=replace(state.cut_over, flipped_at=NOW, ttl_at_flip=timedelta()))
    closed = run(services, state)
    assert isinstance(closed, Wait) and closed.gate is GateName.CNAME and OLD_NAME in closed.reason
    services.dns.point(SERVICE, NEW_NAME)
    services.clock.pass_by(timedelta(seconds=300))
    shown = run(services, closed.state).state
    services.clock.pass_by(timedelta(seconds=300))
    gate = run(services, shown).state.gate(GateName.CNAME)
    assert gate is not None and (gate.opened_at, gate.opened_by) == (services.clock.now(), OBSERVATION)
    assert "192.0.2.53:53" in gate.reason and NEW_NAME in gate.reason


def test_waits_for_a_moment_name_it() -> None:
    services = FakeServices()
    state = lowered(services)
    noted = replace(state.cut_over, ttl_before=timedelta(seconds=300))
    held = run(services, replace(state, cut_over=noted))
    assert isinstance(held, Wait) and held.until == services.clock.now() + timedelta(seconds=300)
    assert held.until.isoformat() in held.reason
    moment = services.clock.now() + timedelta(hours=5)
    state = opened(before_cut_over(services, migration(cut_over_not_before=moment)))
    early = run(services, state)
    assert isinstance(early, Wait) and early.until == moment and moment.isoformat() in early.reason
    state = lowered(services)
    flipped = replace(state.cut_over, flipped_at=services.clock.now(), ttl_at_flip=timedelta(seconds=30))
    services.dns.point(SERVICE, NEW_NAME)
    shown = run(services, replace(state, cut_over=flipped))
    assert isinstance(shown, Wait) and shown.until == services.clock.now() + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("views", "open_"),
    [
        ([NameView("a", (NEW_NAME,)), NameView("b", (NEW_NAME,))], True),
        ([NameView("a", (NEW_NAME,)), NameView("b", failure="timed out"), NameView("c", (NEW_NAME,))], True),
        ([NameView("a", (NEW_NAME,)), NameView("b", failure="timed out")], False),
        ([NameView("a", (NEW_NAME,)), *(NameView(name, failure="timed out") for name in "bc")], False),
        ([NameView("a", failure="timed out")], False),
        ([], False),
    ],
)
def test_most_servers_have_to_answer_and_all_that_do_have_to_agree(views: list[NameView], open_: bool) -> None:
    services = FakeServices()
    state = lowered(services)
    flipped = replace(state.cut_over, flipped_at=services.clock.now(), ttl_at_flip=timedelta())
    services.dns.answers[SERVICE.lower()] = views
    gate = run(services, replace(state, cut_over=flipped)).state.gate(GateName.CNAME)
    assert gate is not None and gate.is_open is open_


@pytest.mark.parametrize(("in_plan", "now", "held"), [(300, 60, 300), (60, 300, 300)])
def test_a_ttl_that_was_not_lowered_is_waited_for_as_long_as_anybody_may_hold_it(
    in_plan: int, now: int, held: int
) -> None:
    services = FakeServices()
    state = lowered(services)
    assert state.plan is not None and state.plan.record is not None
    record = state.plan.record.model_copy(update={"ttl": timedelta(seconds=in_plan)})
    services.resource_manager.add(record_body(OLD_NAME, ttl=now))
    services.dns.point(SERVICE, NEW_NAME)
    noted = replace(state.cut_over, ttl_lowered_at=None)
    outcome = run(services, replace(state, plan=state.plan.model_copy(update={"record": record}), cut_over=noted))
    assert record_now(services).target == NEW_NAME
    assert outcome.state.cut_over.ttl_at_flip == timedelta(seconds=held)


def test_a_low_ttl_that_was_waited_for_is_all_that_anybody_holds() -> None:
    services = FakeServices()
    state = lowered(services)
    services.resource_manager.add(record_body(OLD_NAME, ttl=30))
    services.dns.point(SERVICE, NEW_NAME)
    assert run(services, state).state.cut_over.ttl_at_flip == timedelta(seconds=30)


def test_a_record_that_is_low_enough_is_not_written() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    services.resource_manager.add(record_body(OLD_NAME, ttl=1))
    assert run(services, state).state.cut_over.ttl_lowered_at == services.clock.now()
    assert services.resource_manager.writes == []


def test_the_ttl_of_others_is_noted_from_what_servers_show_before_the_change() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services, migration(dns=None)), GateName.READY_TO_CUT_OVER)
    services.dns.point(SERVICE, OLD_NAME, ttl=1800)
    waiting = run(services, state)
    assert waiting.state.cut_over.ttl_before == timedelta(seconds=1800)
    services.dns.point(SERVICE, OLD_NAME, ttl=60)
    waiting = run(services, waiting.state)
    assert waiting.state.cut_over.ttl_before == timedelta(seconds=1800)
    services.dns.point(SERVICE, NEW_NAME, ttl=60)
    held = run(services, waiting.state)
    assert held.state.cut_over.flipped_at == services.clock.now()
    assert isinstance(held, Wait) and held.after == timedelta(seconds=1800)


def test_a_record_that_points_nowhere_is_told_so() -> None:
    for target, told in (("elsewhere.contoso.com", "elsewhere.contoso.com"), ("", "no name")):
        services = FakeServices()
        state = lowered(services)
        services.resource_manager.add(record_body(target))
        with pytest.raises(StepFailed) as failed:
            run(services, state)
        assert told in failed.value.problem.detail and SERVICE in failed.value.problem.detail


def test_the_grace_period_begins_once_with_its_beginning_and_its_end() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services))
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta(), flipped_at=services.clock.now()))
    services.dns.point(SERVICE, NEW_NAME)
    began = run(services, state)
    now = services.clock.now()
    assert began.state.grace_started_at == now and began.state.grace_ends_at == now + timedelta(days=2)
    assert SERVICE in began.told[-1] and (now + timedelta(days=2)).isoformat() in began.told[-1]
    services.clock.pass_by(timedelta(days=1))
    assert run(services, began.state).state.grace_ends_at == now + timedelta(days=2)


def test_a_new_deployment_has_no_grace_period() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services, deployment()))
    state = replace(state, cut_over=replace(state.cut_over, flipped_at=services.clock.now()))
    services.dns.point(SERVICE, NEW_NAME)
    done = run(services, state)
    assert isinstance(done, Done) and done.state.grace_ends_at is None


def test_what_answers_without_a_certificate_is_told_by_what_it_says() -> None:
    services = FakeServices()
    state = before_cut_over(services)
    services.dialer.answers[NEW_NAME] = replace(ALIVE, leaf=b"", status=0, status_text="", failure="timed out")
    waiting = run(services, state)
    assert isinstance(waiting, Wait) and "timed out" in waiting.reason


def test_a_service_name_that_relays_already_is_waited_for_less_and_less_often() -> None:
    services = FakeServices()
    state = opened(before_cut_over(services))
    since = services.clock.now() - timedelta(hours=3)
    state = replace(
        state,
        cut_over=replace(state.cut_over, ttl_before=timedelta(), flipped_at=services.clock.now()),
        waiting=Waiting("", since, since),
    )
    for answers in ({}, {SERVICE.lower(): ALIVE}):
        services.dialer.answers |= answers
        waiting = run(services, state)
        assert isinstance(waiting, Wait) and waiting.after == timedelta(minutes=1)
        services.dns.point(SERVICE, NEW_NAME)


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Wait)
    return outcome.reason


def in_the_gap(services: FakeServices) -> State:
    """The record leads over; the connection point has not followed yet."""
    state = opened(before_cut_over(services, migration(accept_gap="PT15M")), GateName.READY_TO_CUT_OVER)
    plan = plan_of(state).model_copy(update={"usual_gap": timedelta(minutes=2), "foretold_gap": timedelta(minutes=12)})
    services.dns.point(SERVICE, NEW_NAME)
    services.dialer.answers[NEW_NAME] = ALIVE
    flipped = replace(state.cut_over, ttl_before=timedelta(), flipped_at=services.clock.now())
    return replace(state, plan=plan, cut_over=flipped)


def test_an_accepted_gap_that_lasts_longer_than_usual_is_told_with_what_to_do() -> None:
    services = FakeServices()
    state = in_the_gap(services)
    services.clock.pass_by(timedelta(minutes=2))
    assert "The gap lasts" not in reason(run(services, state))
    services.clock.pass_by(timedelta(seconds=1))
    assert f"The gap lasts since {NOW.isoformat()}, longer than the usual PT2M" in reason(run(services, state))


def test_plans_of_the_release_before_foretold_what_is_usual() -> None:
    services = FakeServices()
    state = in_the_gap(services)
    state = replace(state, plan=plan_of(state).model_copy(update={"usual_gap": timedelta()}))
    services.clock.pass_by(timedelta(minutes=12, seconds=1))
    assert "longer than the usual PT12M" in reason(run(services, state))


def test_how_long_an_accepted_gap_lasted_is_told_beside_what_was_foretold() -> None:
    services = FakeServices()
    state = in_the_gap(services)
    services.clock.pass_by(timedelta(seconds=70))
    services.dialer.answers[NEW_NAME] = RELAYS
    told = "the new gateway relays PT1M10S after the record was seen to lead to it; foretold at the longest PT12M"
    assert told in run(services, state).told


def test_where_no_gap_was_foretold_none_is_told() -> None:
    services = FakeServices()
    state = in_the_gap(services)
    state = replace(
        state, plan=plan_of(state).model_copy(update={"usual_gap": timedelta(), "foretold_gap": timedelta()})
    )
    services.clock.pass_by(timedelta(hours=1))
    assert "The gap lasts" not in reason(run(services, state))
    services.dialer.answers[NEW_NAME] = RELAYS
    assert not [told for told in run(services, state).told if "foretold" in told]


@pytest.mark.parametrize(
    ("answer", "changes"),
    [
        (ALIVE, True),
        (RELAYS, True),
        (replace(ALIVE, leaf=leaf("proxy.contoso.com")), False),
        (replace(ALIVE, status=404, status_text="Not Found"), False),
        (replace(ALIVE, status=0, status_text="", failure="timed out"), False),
    ],
)
def test_with_a_gap_the_record_changes_only_to_a_gateway_that_shows_its_certificate(
    answer: Dialed, changes: bool
) -> None:
    services = FakeServices()
    state = opened(before_cut_over(services, migration(accept_gap="PT15M")), GateName.READY_TO_CUT_OVER)
    services.dialer.answers[NEW_NAME] = answer
    outcome = run(services, replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta())))
    assert isinstance(outcome, Wait)
    if changes:
        assert record_now(services).target == NEW_NAME
    else:
        assert record_now(services).target == OLD_NAME and outcome.gate is None
        assert "answers as a gateway" in outcome.reason


def test_in_a_gap_the_inside_view_is_asked_for_at_once_and_only_once() -> None:
    services = FakeServices()
    state = in_the_gap(services)
    waiting = run(services, state)
    assert waits_at(waiting) is GateName.CONNECTION_POINT_CONNECTED
    gate, asked_at = waiting.state.gate(GateName.INSIDE_DNS), services.clock.now()
    assert gate is not None and not gate.is_open and gate.asked_at == asked_at
    services.clock.pass_by(timedelta(minutes=1))
    later = run(services, waiting.state).state.gate(GateName.INSIDE_DNS)
    assert later is not None and later.asked_at == asked_at


def in_a_gap_of_others(services: FakeServices) -> State:
    """Others hold the zone; a gap begins with their change of the record."""
    state = before_cut_over(services, migration(accept_gap="PT15M", dns=None))
    services.dialer.answers[NEW_NAME] = ALIVE
    return opened(state, GateName.READY_TO_CUT_OVER)


def test_with_a_gap_in_a_zone_of_others_nobody_is_asked_to_follow_before_the_record_is_seen_to_lead_over() -> None:
    services = FakeServices()
    state = in_a_gap_of_others(services)
    services.dns.point(SERVICE, OLD_NAME, ttl=1800)
    waiting = run(services, state)
    assert waits_at(waiting) is GateName.CNAME
    assert waiting.state.cut_over.ttl_before == timedelta(seconds=1800)
    inside = waiting.state.gate(GateName.INSIDE_DNS)
    assert inside is not None and inside.asked_at is None
    services.dns.point(SERVICE, NEW_NAME, ttl=60)
    follows = run(services, waiting.state)
    assert waits_at(follows) is GateName.CONNECTION_POINT_CONNECTED, "the old answer's TTL is not waited for"
    assert follows.state.cut_over.flipped_at == services.clock.now()
    assert follows.state.cut_over.ttl_at_flip == timedelta(seconds=1800)


def test_with_a_gap_in_a_zone_of_others_a_plan_without_that_gate_goes_on_without_a_look() -> None:
    services = FakeServices()
    state = in_a_gap_of_others(services)
    without = tuple(gate for gate in state.gates if gate.name is not GateName.CNAME)
    assert waits_at(run(services, replace(state, gates=without))) is GateName.CONNECTION_POINT_CONNECTED


def test_a_record_that_leads_over_already_is_told_so() -> None:
    services = FakeServices()
    state = opened(lowered(services), GateName.READY_TO_CUT_OVER)
    services.resource_manager.add(record_body(NEW_NAME))
    assert f"{SERVICE} leads to {NEW_NAME} already; since when is not known" in " ".join(run(services, state).told)

"""retire-old-gateway: what must hold before anything goes, and that nothing goes which the plan did not name."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.cases import Case
from cmg_core.domain.errors import StepFailed, TryAgain
from cmg_core.domain.gates import OBSERVATION, GateName
from cmg_core.domain.outcomes import Done, Outcome, Wait
from cmg_core.domain.plans import Part, StandingGateway
from cmg_core.domain.record import Claim, ClientFigures, State, Waiting
from cmg_core.domain.record_sets import RecordSet
from cmg_core.domain.values import JsonObject
from cmg_core.services import Dialed, NameView, OperationLook, OperationState, Started
from cmg_core.steps.retire_old_gateway import retire_old_gateway
from tests.fakes import (
    CLASSIC_ID,
    OLD_GROUP,
    SUBSCRIPTION,
    ZONE_ID,
    FakeServices,
    claim_of,
    context_of,
    leaf,
    migration,
    resource_id,
)
from tests.stories import (
    ADDRESS,
    ALIVE,
    MAKE,
    NEW_NAME,
    OLD_NAME,
    OLD_STORAGE,
    RECORD_ID,
    RELAYS,
    SCALE_SET,
    SERVICE,
    after_grace,
    closed,
    healthy_instance,
    opened,
    parking,
    record_body,
)


def run(services: FakeServices, state: State) -> Outcome:
    return asyncio.run(retire_old_gateway(context_of(services, state)))


def to_the_end(services: FakeServices, state: State) -> Outcome:
    """Run the step as often as it asks to be run."""
    for _ in range(10):
        outcome = run(services, state)
        if isinstance(outcome, Done):
            return outcome
        state = outcome.state
    raise AssertionError(f"the step does not end: {outcome}")


def deleted(services: FakeServices) -> list[str]:
    return [write for write in services.resource_manager.writes if write.startswith("DELETE")]


def stopped_by(services: FakeServices, state: State) -> set[str]:
    """The codes of the findings which stop the removal; nothing was deleted."""
    try:
        outcome = run(services, state)
    except StepFailed as failed:
        assert deleted(services) == []
        return {finding.code for finding in failed.problem.findings}
    assert isinstance(outcome, Wait) and deleted(services) == []
    return {outcome.reason}


def test_the_old_gateway_goes_and_everything_else_stays() -> None:
    services = FakeServices()
    state = after_grace(services)
    there = set(services.resource_manager.resources)
    outcome = to_the_end(services, state)
    assert there - set(services.resource_manager.resources) == {CLASSIC_ID.lower()}
    assert outcome.state.deleted == (CLASSIC_ID,)
    assert OLD_STORAGE.lower() in services.resource_manager.resources


def test_invariant_5_nothing_goes_before_the_grace_period_is_over() -> None:
    services = FakeServices()
    state = after_grace(services)
    assert state.grace_ends_at is not None
    ends = services.clock.now() + timedelta(seconds=1)
    outcome = run(services, replace(state, grace_ends_at=ends))
    assert isinstance(outcome, Wait) and outcome.grace and outcome.after == timedelta(seconds=1)
    assert deleted(services) == []
    with pytest.raises(StepFailed):
        run(services, replace(state, grace_ends_at=None))


@pytest.mark.parametrize("gate", [GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED])
def test_the_last_gates_are_asked_for_in_turn_and_only_under_a_clear_guard(gate: GateName) -> None:
    services = FakeServices()
    state = closed(after_grace(services), gate)
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and outcome.gate is gate
    services.dialer.answers[SERVICE.lower()] = ALIVE
    held_up = run(services, state)
    assert isinstance(held_up, Wait) and held_up.gate is None and "does not relay" in held_up.reason


@pytest.mark.parametrize("gate", [GateName.CONNECTION_POINT_CONNECTED, GateName.CNAME, GateName.INSIDE_DNS])
def test_invariant_4_a_closed_gate_stops_the_removal(gate: GateName) -> None:
    services = FakeServices()
    [reason] = stopped_by(services, closed(after_grace(services), gate))
    assert gate in reason


@pytest.mark.parametrize("instances", [[], [healthy_instance(0)], [healthy_instance(n) for n in range(3)]])
def test_invariant_4_expected_must_equal_healthy(instances: list[JsonObject]) -> None:
    services = FakeServices()
    state = after_grace(services)
    services.resource_manager.instance_views[SCALE_SET.lower()] = instances
    [reason] = stopped_by(services, state)
    assert "healthy" in reason


def without_reported_health(number: int) -> JsonObject:
    """A machine that runs, and of whose application nothing is reported."""
    view: JsonObject = {"statuses": [{"code": "PowerState/running"}]}
    return {"name": f"granitefalls_{number}", "properties": {"provisioningState": "Succeeded", "instanceView": view}}


@pytest.mark.parametrize(
    ("made_by_the_site", "reports_health", "goes"),
    [(False, True, False), (True, True, False), (True, False, True)],
)
def test_invariant_4_silent_machines_are_healthy_only_where_the_scale_set_reports_no_health(
    made_by_the_site: bool, reports_health: bool, goes: bool
) -> None:
    services = FakeServices()
    state = after_grace(services)
    services.resource_manager.instance_views[SCALE_SET.lower()] = [without_reported_health(n) for n in range(2)]
    if made_by_the_site:
        standing = StandingGateway(
            scale_set=Part(id=SCALE_SET),
            address="203.0.113.7",
            deployment_name=NEW_NAME,
            instances=2,
            health_extension=reports_health,
            parts=(SCALE_SET,),
        )
        state = replace(state, new=replace(state.new, standing=standing))
    if goes:
        run(services, state)
        assert deleted(services) == [f"DELETE {CLASSIC_ID}"]
    else:
        [reason] = stopped_by(services, state)
        assert "0 of 2 expected instances are healthy" in reason


def test_invariant_4_another_certificate_stops_the_removal() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dialer.answers[SERVICE.lower()] = replace(RELAYS, leaf=leaf(SERVICE))
    [reason] = stopped_by(services, state)
    assert "certificate" in reason


@pytest.mark.parametrize(
    "scope",
    [
        f"/subscriptions/{SUBSCRIPTION}",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{OLD_GROUP.upper()}",
        CLASSIC_ID,
    ],
)
def test_invariant_4_a_lock_on_any_scope_stops_the_removal(scope: str) -> None:
    services = FakeServices()
    state = after_grace(services)
    services.resource_manager.lock_list = [
        {
            "id": f"{scope}/providers/Microsoft.Authorization/locks/keep",
            "name": "keep",
            "properties": {"level": "CanNotDelete"},
        }
    ]
    assert stopped_by(services, state) == {"locked"}


def test_invariant_4_a_namesake_made_after_the_plan_stays() -> None:
    services = FakeServices()
    state = after_grace(services, immutable_id="first")
    services.resource_manager.add({"id": CLASSIC_ID, "properties": {"uniqueId": "second"}})
    assert stopped_by(services, state) == {"not-the-planned-resource"}


def test_invariant_8_a_record_that_still_points_at_the_label_stops_the_removal() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.resource_manager.add(
        {
            "id": f"{ZONE_ID}/CNAME/forgotten",
            "properties": {"TTL": 60, "CNAMERecord": {"cname": f"{OLD_NAME.upper()}."}},
        }
    )
    assert stopped_by(services, state) == {"name-would-dangle"}


def test_invariant_8_a_public_resolver_that_still_leads_to_the_old_gateway_stops_the_removal() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dns.point(SERVICE, OLD_NAME)
    assert stopped_by(services, state) == {"name-would-dangle"}


def test_a_plan_that_names_the_new_gateway_for_deletion_is_not_carried_out() -> None:
    services = FakeServices()
    state = after_grace(services)
    assert state.plan is not None
    services.resource_manager.add({"id": MAKE.load_balancer})
    plan = state.plan.model_copy(update={"delete": (Part(id=MAKE.load_balancer.upper()),)})
    assert stopped_by(services, replace(state, plan=plan)) == {"part-of-the-new-gateway"}


def test_the_guard_looks_anew_before_each_delete() -> None:
    services = FakeServices()
    state = after_grace(services)
    assert state.plan is not None
    services.resource_manager.add({"id": OLD_STORAGE})
    plan = state.plan.model_copy(update={"delete": (Part(id=CLASSIC_ID), Part(id=OLD_STORAGE))})
    first = run(services, replace(state, plan=plan))
    assert deleted(services) == [f"DELETE {CLASSIC_ID}"]
    services.dialer.answers[SERVICE.lower()] = ALIVE
    held_up = run(services, first.state)
    assert isinstance(held_up, Wait) and "does not relay" in held_up.reason
    assert deleted(services) == [f"DELETE {CLASSIC_ID}"]


def test_invariant_4_an_old_gateway_that_answers_under_the_name_does_not_pass_for_the_new_one() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dialer.answers[NEW_NAME] = ALIVE
    [reason] = stopped_by(services, state)
    assert "does not relay" in reason


def test_invariant_4_nothing_comes_between_the_guards_look_and_the_delete() -> None:
    services = FakeServices()
    state = after_grace(services)

    async def slow_claim() -> Claim:
        services.dialer.answers[NEW_NAME] = ALIVE
        return claim_of(services.clock)

    held_up = asyncio.run(retire_old_gateway(context_of(services, state, slow_claim)))
    assert isinstance(held_up, Wait) and "does not relay" in held_up.reason and deleted(services) == []


def test_a_part_that_others_use_since_the_plan_was_made_stays() -> None:
    services = FakeServices()
    state = after_grace(services)
    assert state.plan is not None
    balancer = resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb", OLD_GROUP)
    stranger = resource_id("Microsoft.Network/networkInterfaces", "printserver", OLD_GROUP)
    pool: JsonObject = {"properties": {"backendIPConfigurations": [{"id": f"{stranger}/ipConfigurations/ip"}]}}
    services.resource_manager.add({"id": balancer, "properties": {"backendAddressPools": [pool]}})
    plan = state.plan.model_copy(update={"delete": (Part(id=balancer),)})
    assert stopped_by(services, replace(state, plan=plan)) == {"used-by-others"}


def test_an_expired_certificate_of_the_new_gateway_stops_the_removal() -> None:
    services = FakeServices()
    state = after_grace(services)
    assert state.certificate is not None
    services.clock.at = state.certificate.not_after
    assert stopped_by(services, state) == {"new-gateway-certificate-expired"}


def test_a_person_is_called_when_the_new_gateway_does_not_relay_in_the_end() -> None:
    services = FakeServices()
    state = replace(after_grace(services), deleted=(CLASSIC_ID,))
    services.dialer.answers[SERVICE.lower()] = ALIVE
    assert isinstance(run(services, state), Wait)
    since = services.clock.now()
    services.clock.pass_by(timedelta(hours=1))
    with pytest.raises(StepFailed) as failed:
        run(services, replace(state, waiting=Waiting("", since, since)))
    assert failed.value.problem.code == "relays-no-more"


def test_a_failed_deletion_calls_a_person() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.resource_manager.finishes[CLASSIC_ID.lower()] = OperationLook(
        OperationState.FAILED, code="InUse", message="held by something"
    )
    outcome = run(services, state)
    with pytest.raises(StepFailed) as failed:
        run(services, outcome.state)
    assert failed.value.problem.code == "not-deleted" and "held by something" in failed.value.problem.detail


def test_what_may_cure_itself_is_waited_for_an_hour_and_then_calls_a_person() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dialer.answers[SERVICE.lower()] = ALIVE
    assert isinstance(run(services, state), Wait)
    since = services.clock.now()
    waiting = replace(state, waiting=Waiting("", since, since))
    services.clock.pass_by(timedelta(minutes=59))
    assert isinstance(run(services, waiting), Wait)
    services.clock.pass_by(timedelta(minutes=1))
    with pytest.raises(StepFailed) as failed:
        run(services, waiting)
    assert {finding.code for finding in failed.value.problem.findings} == {"new-gateway-relays-not"}


def test_the_records_ttl_is_set_back_in_the_end() -> None:
    services = FakeServices()
    state = after_grace(services)
    lowered = RecordSet(RECORD_ID, timedelta(seconds=300), NEW_NAME).with_ttl(
        timedelta(seconds=30), timedelta(seconds=300)
    )
    services.resource_manager.add({"id": RECORD_ID, "etag": "e9", **lowered.body()})
    to_the_end(services, state)
    restored = RecordSet.of(services.resource_manager.resources[RECORD_ID.lower()])
    assert restored.ttl == timedelta(seconds=300) and restored.ttl_before is None


def test_invariant_8_a_parked_name_stays_and_does_not_dangle() -> None:
    services = FakeServices()
    state = parking(services)
    record: JsonObject = {"TTL": 60, "CNAMERecord": {"cname": OLD_NAME}}
    services.resource_manager.add({"id": f"{ZONE_ID}/CNAME/forgotten", "properties": record})
    outcome = to_the_end(services, state)
    assert outcome.state.deleted == (CLASSIC_ID,)
    assert ADDRESS.lower() in services.resource_manager.resources


def test_clients_that_are_still_led_to_a_parked_name_stop_the_removal() -> None:
    services = FakeServices()
    state = parking(services)
    services.dns.point(SERVICE, OLD_NAME)
    assert stopped_by(services, state) == {"clients-led-to-old-name"}


def three_parts(services: FakeServices) -> State:
    """A plan with three parts, of which the second has gone already."""
    state = after_grace(services)
    assert state.plan is not None
    gone = resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb", OLD_GROUP)
    services.resource_manager.add({"id": OLD_STORAGE})
    parts = (Part(id=CLASSIC_ID), Part(id=gone), Part(id=OLD_STORAGE))
    return replace(state, plan=state.plan.model_copy(update={"delete": parts}))


def test_each_part_goes_in_turn_and_all_is_told() -> None:
    services = FakeServices()
    state, told = three_parts(services), list[str]()
    assert state.plan is not None
    for _ in range(10):
        outcome = run(services, state)
        state, told = outcome.state, [*told, *outcome.told]
        assert len(state.operations) <= 1
        if isinstance(outcome, Done):
            break
    ids = [part.id for part in state.plan.delete] if state.plan else []
    assert deleted(services) == [f"DELETE {ids[0]}", f"DELETE {ids[2]}"]
    assert state.deleted == tuple(ids) and state.operations == {}
    lines = [f"began to delete {ids[0]}", f"{ids[0]} is gone", f"{ids[1]} is gone", f"began to delete {ids[2]}"]
    assert told == [*lines, f"{ids[2]} is gone"]


def test_what_was_found_gone_is_told_though_the_next_part_is_held_up() -> None:
    services = FakeServices()
    state = replace(three_parts(services), deleted=(CLASSIC_ID,))
    services.dialer.answers[NEW_NAME] = ALIVE
    held_up = run(services, state)
    assert isinstance(held_up, Wait) and deleted(services) == []
    assert len(held_up.told) == 1 and held_up.told[0].endswith("is gone") and len(held_up.state.deleted) == 2


@pytest.mark.parametrize(("asked", "pause"), [(0, 1), (20, 20)])
def test_a_running_deletion_is_looked_at_when_azure_says_so_and_once_a_second_at_most(asked: int, pause: int) -> None:
    services = FakeServices()
    began = run(services, after_grace(services))
    assert isinstance(began, Wait) and began.after == timedelta(seconds=1)
    look = OperationLook(OperationState.RUNNING, timedelta(seconds=asked))
    services.resource_manager.finishes[CLASSIC_ID.lower()] = look
    waiting = run(services, began.state)
    assert isinstance(waiting, Wait) and waiting.after == timedelta(seconds=pause)
    assert len(deleted(services)) == 1 and waiting.state.operations == began.state.operations


def test_a_deletion_that_azure_tells_no_operation_of_is_looked_at_by_the_resource_itself() -> None:
    services = FakeServices()

    async def delete(claim: Claim, id: str, etag: str = "") -> Started:
        services.resource_manager.writes.append(f"DELETE {id}")
        return Started({})

    services.resource_manager.delete = delete  # type: ignore[method-assign]
    began = run(services, after_grace(services))
    assert began.state.operations == {} and began.state.deleted == ()


def test_an_operation_that_is_over_is_forgotten_though_its_resource_still_stands() -> None:
    services = FakeServices()
    state = after_grace(services)
    began = run(
        services, replace(state, operations={CLASSIC_ID: f"https://management.azure.com/operations/{CLASSIC_ID}"})
    )
    assert deleted(services) == [f"DELETE {CLASSIC_ID}"], "it stands: the deletion begins anew"
    services.dialer.answers[NEW_NAME] = ALIVE
    services.resource_manager.add({"id": CLASSIC_ID})
    held_up = run(services, began.state)
    assert isinstance(held_up, Wait) and held_up.state.operations == {}


def test_clients_are_waited_for_where_that_was_asked_for() -> None:
    services = FakeServices()
    state = after_grace(services, migration(gates={"clients-moved": {"share": 0.98}}))
    state = closed(state, GateName.CLIENTS_MOVED)
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and outcome.gate is GateName.CLIENTS_MOVED and deleted(services) == []
    gate = outcome.state.gate(GateName.CLIENTS_MOVED)
    assert gate is not None and gate.asked_at is not None
    counted = ClientFigures(services.clock.now(), "ann@contoso.com", active=10_000, moved=9_700)
    outcome = run(services, replace(state, client_figures=(counted,)))
    assert isinstance(outcome, Wait) and "9700 of 10000" in outcome.reason


def vouched(state: State) -> State:
    """The state of a gateway whose relaying a person has attested."""
    gate = state.gate(GateName.CONNECTION_POINT_CONNECTED)
    assert gate is not None
    return state.with_gate(replace(gate, opened_by="ann@contoso.com"))


def test_a_gateway_that_a_person_vouched_for_may_answer_strangers_itself_to_the_end() -> None:
    services = FakeServices()
    own_answer = replace(ALIVE, status=401, status_text="CMGService_Invalid_Token")
    state = after_grace(services)
    services.dialer.answers |= {NEW_NAME: own_answer, SERVICE.lower(): own_answer}
    by_observation = state.gate(GateName.CONNECTION_POINT_CONNECTED)
    assert by_observation is not None
    observed = state.with_gate(replace(by_observation, opened_by=OBSERVATION))
    [reason] = stopped_by(services, observed)
    assert "CMGService_Invalid_Token" in reason
    assert isinstance(to_the_end(services, vouched(state)), Done)


def test_what_does_not_answer_is_told_with_its_failure() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dialer.answers[NEW_NAME] = replace(ALIVE, status=0, status_text="", failure="timed out")
    [reason] = stopped_by(services, state)
    assert "timed out" in reason
    done = replace(state, deleted=(CLASSIC_ID,))
    for answer in (Dialed(failure="no route"), Dialed(status=404, status_text="Not Found")):
        services.dialer.answers[SERVICE.lower()] = answer
        waiting = run(services, done)
        assert isinstance(waiting, Wait) and (answer.failure or "404 Not Found") in waiting.reason
    since = services.clock.now() - timedelta(hours=1)
    with pytest.raises(StepFailed) as failed:
        run(services, replace(done, waiting=Waiting("", since, since)))
    assert SERVICE in failed.value.problem.detail and "404 Not Found" in failed.value.problem.detail


@pytest.mark.parametrize("target", [OLD_NAME, "elsewhere.contoso.com", None])
def test_a_record_that_others_changed_in_the_end_is_left_to_them(target: str | None) -> None:
    services = FakeServices()
    state = replace(after_grace(services), deleted=(CLASSIC_ID,))
    if target is None:
        del services.resource_manager.resources[RECORD_ID.lower()]
    else:
        lowered = RecordSet(RECORD_ID, timedelta(seconds=300), target).with_ttl(
            timedelta(seconds=30), timedelta(seconds=300)
        )
        services.resource_manager.add({"id": RECORD_ID, "etag": "e9", **lowered.body()})
    assert isinstance(run(services, state), Done) and services.resource_manager.writes == []


def test_a_record_whose_ttl_was_not_lowered_is_not_written_in_the_end() -> None:
    services = FakeServices()
    done = run(services, replace(after_grace(services), deleted=(CLASSIC_ID,)))
    assert isinstance(done, Done) and services.resource_manager.writes == []


def test_the_end_of_all_tells_what_was_done_last() -> None:
    services = FakeServices()
    state = run(services, after_grace(services)).state
    lowered = RecordSet(RECORD_ID, timedelta(seconds=300), NEW_NAME).with_ttl(
        timedelta(seconds=30), timedelta(seconds=300)
    )
    services.resource_manager.add({"id": RECORD_ID, "etag": "e9", **lowered.body()})
    done = run(services, state)
    assert isinstance(done, Done) and done.told[0] == f"{CLASSIC_ID} is gone" and SERVICE in done.told[1]


def test_patience_begins_with_the_trouble_and_not_with_the_grace_period_or_a_gate() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dialer.answers[SERVICE.lower()] = ALIVE
    since = services.clock.now() - timedelta(days=2)
    for waiting in (Waiting("", since, since, grace=True), Waiting("", since, since, GateName.SITE_RECORD_REMOVED)):
        assert isinstance(run(services, replace(state, waiting=waiting)), Wait)


@pytest.mark.parametrize("gate", [GateName.SITE_RECORD_REMOVED, GateName.CONNECTION_POINT_REMOVED])
def test_the_last_gates_are_not_asked_for_while_a_part_is_not_the_planned_one(gate: GateName) -> None:
    services = FakeServices()
    state = closed(after_grace(services, immutable_id="first"), gate)
    services.resource_manager.add({"id": CLASSIC_ID, "properties": {"uniqueId": "second"}})
    with pytest.raises(StepFailed) as failed:
        run(services, state)
    assert failed.value.problem.code == "removal-stopped"


def test_without_an_end_of_the_grace_period_a_defect_is_told() -> None:
    services = FakeServices()
    with pytest.raises(StepFailed) as failed:
        run(services, replace(after_grace(services), grace_ends_at=None))
    assert failed.value.problem.code == "no-grace-period"


def test_a_last_gate_waits_with_patience_for_what_may_cure_itself() -> None:
    services = FakeServices()
    state = closed(after_grace(services), GateName.SITE_RECORD_REMOVED)
    services.dialer.answers[NEW_NAME] = ALIVE
    since = services.clock.now() - timedelta(minutes=59)
    assert isinstance(run(services, replace(state, waiting=Waiting("", since, since))), Wait)


def before_the_sites_record(services: FakeServices, case: Case, old_service_name: str = SERVICE) -> State:
    """Everything stands as it should, and the site's record of the old gateway is about to go."""
    state = closed(after_grace(services), GateName.SITE_RECORD_REMOVED)
    gate = state.gate(GateName.SITE_RECORD_REMOVED)
    assert gate is not None and state.plan is not None and state.plan.old_gateway is not None
    state = state.with_gate(replace(gate, asked_at=None))
    old = state.plan.old_gateway.model_copy(update={"service_name": old_service_name})
    return replace(state, plan=state.plan.model_copy(update={"case": case, "old_gateway": old}))


def led_back_to_the_old_gateway(services: FakeServices, name: str = SERVICE) -> None:
    services.resource_manager.add(record_body(OLD_NAME))
    services.dns.point(name, OLD_NAME)


@pytest.mark.parametrize("case", [Case.GAP_CLOSED, Case.GAP_ACCEPTED, Case.RETIREMENT])
def test_under_one_name_the_sites_record_stays_while_clients_are_led_to_the_old_gateway(case: Case) -> None:
    services = FakeServices()
    state = before_the_sites_record(services, case)
    asked = run(services, state).state.gate(GateName.SITE_RECORD_REMOVED)
    assert asked is not None and asked.asked_at is not None
    led_back_to_the_old_gateway(services)
    assert "name-would-dangle" in stopped_by(services, state)


def test_under_two_names_the_old_one_may_lead_there_until_something_is_deleted() -> None:
    services = FakeServices()
    state = before_the_sites_record(services, Case.NEW_NAME, "old.contoso.com")
    services.dns.point("old.contoso.com", OLD_NAME)
    asked = run(services, state).state.gate(GateName.SITE_RECORD_REMOVED)
    assert asked is not None and asked.asked_at is not None
    [waits] = stopped_by(services, opened(state))
    assert "old.contoso.com" in waits
    services.dns.point("old.contoso.com")
    run(services, opened(state))
    assert deleted(services) == [f"DELETE {CLASSIC_ID}"]


def test_under_two_names_the_new_one_must_never_lead_to_the_old_gateway() -> None:
    services = FakeServices()
    state = before_the_sites_record(services, Case.NEW_NAME, "old.contoso.com")
    services.dns.point(SERVICE, OLD_NAME)
    outcome = run(services, state)
    assert isinstance(outcome, Wait) and outcome.gate is None
    assert "still leads to the old gateway's name" in outcome.reason


def test_under_one_name_a_forgotten_record_keeps_the_sites_record_under_two_names_only_what_is_deleted() -> None:
    services = FakeServices()
    services.resource_manager.add({**record_body(OLD_NAME), "id": f"{ZONE_ID}/CNAME/forgotten"})
    one = before_the_sites_record(services, Case.RETIREMENT)
    assert "name-would-dangle" in stopped_by(services, one)
    two = before_the_sites_record(services, Case.NEW_NAME, "old.contoso.com")
    asked = run(services, two).state.gate(GateName.SITE_RECORD_REMOVED)
    assert asked is not None and asked.asked_at is not None
    waits = run(services, opened(two))
    assert isinstance(waits, Wait) and "forgotten" in waits.reason and deleted(services) == []


OLD_ADDRESS = "203.0.113.99"


@pytest.mark.parametrize(
    ("view", "codes"),
    [
        (NameView("ns1", (), (OLD_ADDRESS,)), {"name-would-dangle"}),
        (NameView("ns1", ("cmg.example",), (OLD_ADDRESS,)), {"name-would-dangle"}),
        (NameView("ns1", (NEW_NAME,), (OLD_ADDRESS,)), set()),
        (NameView("ns1", (), ("198.51.100.80",)), set()),
    ],
)
def test_an_address_leads_to_the_old_gateway_as_its_name_does(view: NameView, codes: set[str]) -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dns.answers[OLD_NAME] = [NameView("ns1", (), (OLD_ADDRESS,))]
    services.dns.answers[SERVICE.lower()] = [view]
    if codes:
        assert stopped_by(services, state) == codes
        assert services.resource_manager.writes == []
    else:
        run(services, state)
        assert services.resource_manager.writes == [f"DELETE {CLASSIC_ID}"]


def test_where_the_old_gateways_addresses_cannot_be_asked_for_nothing_goes() -> None:
    services = FakeServices()
    state = after_grace(services)
    services.dns.answers[OLD_NAME] = [NameView("ns1", failure="timed out")]
    services.dns.answers[SERVICE.lower()] = [NameView("ns1", (), (OLD_ADDRESS,))]
    with pytest.raises(TryAgain):
        run(services, state)
    assert services.resource_manager.writes == []

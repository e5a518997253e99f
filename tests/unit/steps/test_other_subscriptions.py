"""The zone and the old gateway in another subscription of the tenant: each is looked at, changed and guarded there."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import AzureRefused, StepFailed
from cmg_core.domain.outcomes import Done, Outcome
from cmg_core.domain.problems import Severity
from cmg_core.domain.record import STATE, CutOver, RollBack, State
from cmg_core.domain.record_sets import RecordSet
from cmg_core.domain.requests import MigrationRequest
from cmg_core.domain.values import text_at
from cmg_core.steps.cut_over import cut_over
from cmg_core.steps.retire_old_gateway import retire_old_gateway
from cmg_core.steps.roll_back import roll_back
from tests.fakes import (
    CLASSIC_ID,
    NOW,
    OLD_GROUP,
    SUBSCRIPTION,
    TENANT,
    ZONE_ID,
    FakeAzure,
    FakeServices,
    context_of,
    migration,
    resource_id,
)
from tests.stories import NEW_NAME, OLD_NAME, RELAYS, after_grace, before_cut_over, opened, record_body
from tests.unit.steps.test_preflight import finding, planned
from tests.worlds import OLD_SCALE_SET, SERVICE_NAME, classic

ELSEWHERE = "44444444-4444-4444-4444-444444444444"
ZONE_ELSEWHERE = ZONE_ID.replace(SUBSCRIPTION, ELSEWHERE)
CLASSIC_ELSEWHERE = CLASSIC_ID.replace(SUBSCRIPTION, ELSEWHERE)


def move_elsewhere(services: FakeServices) -> FakeAzure:
    """Move the zone and the old gateway into a subscription of their own."""
    home, other = services.resource_manager, FakeAzure(subscription_id=ELSEWHERE)
    services.neighbours[ELSEWHERE] = other
    for id in [id for id in home.resources if ZONE_ID.lower() in id or OLD_GROUP in id]:
        body = home.resources.pop(id)
        other.add({**body, "id": text_at(body, "id").replace(SUBSCRIPTION, ELSEWHERE)})
    return other


def two_subscriptions() -> tuple[MigrationRequest, FakeServices, FakeAzure]:
    """The zone and the old gateway in a subscription of their own, and that one."""
    services = classic()
    other = move_elsewhere(services)
    old = {"resource_id": CLASSIC_ELSEWHERE, "service_name": SERVICE_NAME}
    return migration(dns={"zone_id": ZONE_ELSEWHERE}, old_gateway=old), services, other


def test_zone_and_old_gateway_in_another_subscription_are_planned() -> None:
    request, services, other = two_subscriptions()
    plan = planned(request, services)
    assert plan.blocked_by == ()
    assert [part.id for part in plan.delete] == [CLASSIC_ELSEWHERE]
    assert plan.record is not None and plan.record.id == f"{ZONE_ELSEWHERE}/CNAME/granitefalls"
    assert "the subscription" in finding(plan, "reasons-to-move").seen
    assert other.calls["subscription"] == other.calls["locks"] == other.calls["role_assignments"] == 1


def test_groups_of_one_name_in_two_subscriptions_are_two() -> None:
    request, services, other = two_subscriptions()
    services.resource_manager.add({"id": resource_id("Microsoft.Web/sites", "strangers", OLD_GROUP)})
    plan = planned(request.model_copy(update={"resource_group": OLD_GROUP}), services)
    assert plan.blocked_by == ()
    assert other.calls["resources_in_group"] == 1
    assert all(ELSEWHERE in id for id in plan.keep)


def test_what_keeps_the_app_from_its_work_in_another_subscription_is_found_there() -> None:
    request, services, other = two_subscriptions()
    scope = f"/subscriptions/{ELSEWHERE}"
    other.subscription_body = {"state": "Disabled", "tenantId": TENANT}
    other.lock_list = [
        {"id": f"{ZONE_ELSEWHERE}/providers/Microsoft.Authorization/locks/z", "properties": {"level": "ReadOnly"}},
        {"id": f"{scope}/providers/Microsoft.Authorization/locks/all", "properties": {"level": "CanNotDelete"}},
    ]
    other.granted = {ZONE_ELSEWHERE.lower(): [{"actions": ["*/read"]}]}
    other.assignment_list = [{"id": f"{scope}/assignment", "properties": {"condition": "@Resource[name] …"}}]
    plan = planned(request, services)
    assert {(found.code, found.resource) for found in plan.blocked_by} == {
        ("subscription-not-enabled", scope),
        ("locked-read-only", ZONE_ELSEWHERE),
        ("locked", CLASSIC_ELSEWHERE),
        ("permissions-missing", ZONE_ELSEWHERE),
    }
    assert finding(plan, "subscription-not-enabled").pointer == "/dns/zone_id"
    assert finding(plan, "role-assignment-condition").resource == f"{scope}/assignment"


def test_an_old_gateway_may_be_deleted_from_a_read_only_subscription() -> None:
    request, services, other = two_subscriptions()
    other.subscription_body = {"state": "Warned", "tenantId": TENANT}
    plan = planned(request.model_copy(update={"dns": None}), services)
    assert finding(plan, "subscription-not-enabled").severity is Severity.WARNS
    assert plan.blocked_by == ()


WRONG_ISSUER = (
    "The access token is from the wrong issuer 'https://sts.windows.net/11111111-1111-1111-1111-111111111111/'. It "
    "must match the tenant 'https://sts.windows.net/99999999-9999-9999-9999-999999999999/' of this subscription."
)


@pytest.mark.parametrize(
    ("status", "refusal", "message", "code"),
    [
        (401, "InvalidAuthenticationTokenTenant", WRONG_ISSUER, "other-subscription-other-tenant"),
        (404, "SubscriptionNotFound", "The subscription could not be found.", "other-subscription-not-found"),
        (403, "AuthorizationFailed", "The client has no right.", "look-not-permitted"),
    ],
)
def test_a_subscription_that_cannot_be_entered_is_told_once_and_asked_nothing_else(
    status: int, refusal: str, message: str, code: str
) -> None:
    request, services, other = two_subscriptions()
    other.faults["subscription"] = AzureRefused(status=status, code=refusal, message=message, target="")
    plan = planned(request, services)
    assert [found.code for found in plan.blocked_by] == [code]
    assert other.calls.total() == 1


def test_a_standing_gateway_must_lie_in_the_subscription_that_the_request_names() -> None:
    elsewhere = OLD_SCALE_SET.replace(SUBSCRIPTION, ELSEWHERE)
    request = migration(provisioned_by="existing", new_gateway={"resource_id": elsewhere})
    assert finding(planned(request, classic()), "new-gateway-in-other-subscription").severity is Severity.BLOCKS


def taken_elsewhere(services: FakeServices, state: State) -> tuple[State, FakeAzure]:
    """The same with zone and old gateway in a subscription of their own, and that one."""
    told = STATE.dump_json(state).decode()
    for id in (CLASSIC_ID, ZONE_ID):
        told = told.replace(id, id.replace(SUBSCRIPTION, ELSEWHERE))
    return STATE.validate_json(told), move_elsewhere(services)


def test_the_records_ttl_is_lowered_and_its_target_changed_where_the_zone_lies() -> None:
    services = FakeServices()
    state, other = taken_elsewhere(services, opened(before_cut_over(services)))
    asyncio.run(cut_over(context_of(services, state)))
    lowered = RecordSet.of(other.resources[f"{ZONE_ELSEWHERE}/cname/granitefalls".lower()])
    assert (lowered.ttl, lowered.ttl_before) == (timedelta(seconds=30), timedelta(seconds=300))
    services.clock.pass_by(timedelta(minutes=6))
    noted = CutOver(ttl_before=timedelta(seconds=300), ttl_lowered_at=NOW)
    asyncio.run(cut_over(context_of(services, replace(state, cut_over=noted))))
    assert RecordSet.of(other.resources[lowered.id.lower()]).target == NEW_NAME
    assert services.resource_manager.writes == []


def test_the_record_leads_back_where_the_zone_lies() -> None:
    services = FakeServices()
    begun = replace(opened(before_cut_over(services)), roll_back=RollBack(NOW))
    services.resource_manager.add(record_body(NEW_NAME))
    services.dialer.answers[OLD_NAME] = RELAYS
    state, other = taken_elsewhere(services, begun)
    asyncio.run(roll_back(context_of(services, state)))
    assert RecordSet.of(other.resources[f"{ZONE_ELSEWHERE}/cname/granitefalls".lower()]).target == OLD_NAME
    assert services.resource_manager.writes == []


def leaving_elsewhere() -> tuple[FakeServices, State, FakeAzure]:
    """The old gateway is about to go, and lies with the zone in a subscription of their own."""
    services = FakeServices()
    state, other = taken_elsewhere(services, after_grace(services))
    return services, state, other


def test_the_guard_looks_for_locks_where_the_old_gateway_lies() -> None:
    services, state, other = leaving_elsewhere()
    lock = {"id": f"{CLASSIC_ELSEWHERE}/providers/Microsoft.Authorization/locks/keep"}
    other.lock_list = [{**lock, "properties": {"level": "CanNotDelete"}}]
    with pytest.raises(StepFailed) as stopped:
        asyncio.run(retire_old_gateway(context_of(services, state)))
    assert [finding.code for finding in stopped.value.problem.findings] == ["locked"]
    assert other.writes == services.resource_manager.writes == []


def test_the_old_gateway_is_deleted_and_its_record_put_right_where_they_lie() -> None:
    services, state, other = leaving_elsewhere()
    lowered = RecordSet.of(other.resources[f"{ZONE_ELSEWHERE}/cname/granitefalls".lower()])
    other.add({**lowered.with_ttl(timedelta(seconds=30), lowered.ttl).body(), "id": lowered.id, "etag": lowered.etag})
    outcome: Outcome = Done(state)
    for _ in range(4):
        outcome = asyncio.run(retire_old_gateway(context_of(services, outcome.state)))
    assert isinstance(outcome, Done)
    assert other.writes == [f"DELETE {CLASSIC_ELSEWHERE}", f"PUT {lowered.id}"]
    assert services.resource_manager.writes == []


def test_the_guard_sees_what_still_leads_to_the_old_name_in_a_zone_elsewhere() -> None:
    services, state, other = leaving_elsewhere()
    other.add({"id": f"{ZONE_ELSEWHERE}/CNAME/vpn", "name": "vpn", "properties": {"CNAMERecord": {"cname": OLD_NAME}}})
    with pytest.raises(StepFailed) as stopped:
        asyncio.run(retire_old_gateway(context_of(services, state)))
    assert [finding.code for finding in stopped.value.problem.findings] == ["name-would-dangle"]

"""The old load balancer's connections while the grace period runs: shown, and never in the way of anything."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.cases import Case
from cmg_core.domain.errors import AzureRefused, TryAgain
from cmg_core.domain.old_connections import LOOK_EVERY
from cmg_core.domain.outcomes import Outcome, Wait
from cmg_core.domain.plans import Part
from cmg_core.domain.record import State
from cmg_core.steps.retire_old_gateway import retire_old_gateway
from tests.fakes import CLASSIC_ID, NOW, OLD_GROUP, FakeServices, context_of, resource_id
from tests.stories import after_grace

BALANCER = resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb", OLD_GROUP)
REFUSED = AzureRefused(status=403, code="AuthorizationFailed", message="no", target="")


def in_grace(services: FakeServices, lasts: timedelta = timedelta(days=2), **old: object) -> State:
    """The grace period has just begun; the old gateway stands behind a load balancer of the Standard SKU."""
    state = after_grace(services)
    assert state.plan is not None and state.plan.old_gateway is not None
    parts = (*state.plan.old_gateway.parts, Part(id=BALANCER))
    facts = {"model": "scale-set", "parts": parts, "load_balancer_sku": "Standard", **old}
    old_gateway = state.plan.old_gateway.model_copy(update=facts)
    plan = state.plan.model_copy(update={"case": Case.GAP_CLOSED, "old_gateway": old_gateway})
    return replace(state, plan=plan, grace_started_at=NOW, grace_ends_at=NOW + lasts)


def run(services: FakeServices, state: State) -> Outcome:
    return asyncio.run(retire_old_gateway(context_of(services, state)))


def test_the_day_before_is_counted_first_and_then_every_six_hours() -> None:
    services = FakeServices()
    services.resource_manager.counted = [900.0, 100.0]
    waiting = run(services, in_grace(services))
    assert isinstance(waiting, Wait) and waiting.grace
    assert (waiting.after, waiting.until) == (LOOK_EVERY, None)
    assert [each.count for each in waiting.state.connections] == [1000]
    services.clock.pass_by(LOOK_EVERY)
    services.resource_manager.counted = [7]
    waiting = run(services, waiting.state)
    assert [each.count for each in waiting.state.connections] == [1000, 7]
    assert services.resource_manager.spans == [(NOW - timedelta(days=1), NOW), (NOW, NOW + LOOK_EVERY)]


def test_a_look_in_between_asks_azure_monitor_nothing() -> None:
    services = FakeServices()
    first = run(services, in_grace(services))
    services.clock.pass_by(timedelta(hours=1))
    run(services, first.state)
    assert services.resource_manager.calls["metric"] == 1


def test_the_end_of_the_grace_period_is_met_and_counted_once_more() -> None:
    services = FakeServices()
    waiting = run(services, in_grace(services, timedelta(hours=5)))
    assert isinstance(waiting, Wait)
    assert (waiting.after, waiting.until) == (timedelta(hours=5), NOW + timedelta(hours=5))
    services.clock.pass_by(timedelta(hours=5))
    outcome = run(services, waiting.state)
    run(services, outcome.state)
    assert services.resource_manager.calls["metric"] == 2
    assert outcome.state.connections[-1].ends == NOW + timedelta(hours=5)


@pytest.mark.parametrize("old", [{"model": "classic"}, {"load_balancer_sku": "Basic"}, {"parts": ()}])
def test_where_nothing_can_be_counted_nothing_is_asked_and_the_end_is_waited_for(old: dict[str, object]) -> None:
    services = FakeServices()
    state = in_grace(services, **old)
    waiting = run(services, state)
    assert isinstance(waiting, Wait) and waiting.until == state.grace_ends_at
    assert services.resource_manager.calls["metric"] == 0


@pytest.mark.parametrize(
    ("fault", "says"),
    [(REFUSED, "Microsoft.Insights/metrics/read"), (TryAgain("throttled", timedelta(hours=1)), "throttled")],
)
def test_a_look_that_fails_is_noted_and_delays_nothing(fault: Exception, says: str) -> None:
    services = FakeServices()
    services.resource_manager.faults["metric"] = fault
    waiting = run(services, in_grace(services))
    assert isinstance(waiting, Wait) and waiting.grace
    [count] = waiting.state.connections
    assert count.count is None and says in count.why_not
    services.clock.pass_by(timedelta(days=2))
    run(services, waiting.state)
    assert services.resource_manager.writes == [f"DELETE {CLASSIC_ID}"]


@pytest.mark.parametrize("still", [0.0, 1_000_000.0])
def test_no_figure_opens_or_closes_anything(still: float) -> None:
    services = FakeServices()
    services.resource_manager.counted = [still]
    state = in_grace(services, timedelta(seconds=1))
    services.clock.pass_by(timedelta(seconds=2))
    run(services, state)
    assert services.resource_manager.writes == [f"DELETE {CLASSIC_ID}"]

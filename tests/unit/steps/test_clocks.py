"""Clocks that jump or differ between hosts: nothing that must wait ends early, whichever clock is wrong."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Outcome, Wait
from cmg_core.domain.record import RollBack, State
from cmg_core.domain.record_sets import RecordSet
from cmg_core.steps.clocks import beginning, left_until
from cmg_core.steps.context import Step
from cmg_core.steps.cut_over import cut_over
from cmg_core.steps.retire_old_gateway import retire_old_gateway
from cmg_core.steps.roll_back import roll_back
from tests.fakes import NOW, FakeAzure, FakeClock, FakeServices, context_of
from tests.stories import NEW_NAME, OLD_NAME, RECORD_ID, SERVICE, after_grace, before_cut_over, opened, record_body

MONTH = timedelta(days=30)
SPANS = st.timedeltas(-MONTH, MONTH)


def two_clocks(host: timedelta = timedelta(), azure: timedelta = timedelta()) -> FakeServices:
    """Services whose host's clock and Azure's are off by so much."""
    services = FakeServices(clock=FakeClock(NOW + host))
    services.resource_manager.clock = FakeClock(NOW + azure)
    return services


def run(step: Step, services: FakeServices, state: State) -> Outcome:
    async def play() -> Outcome:
        return await step(context_of(services, state))

    return asyncio.run(play())


def writes(services: FakeServices) -> list[str]:
    return services.resource_manager.writes


@given(host=SPANS, azure=SPANS)
def test_a_period_begins_by_azures_clock_whatever_the_host_says(host: timedelta, azure: timedelta) -> None:
    context = context_of(two_clocks(host, azure), after_grace(FakeServices()))
    assert NOW + azure <= asyncio.run(beginning(context)) <= NOW + azure + timedelta(seconds=1)


@given(host=SPANS, azure=SPANS, moment=SPANS)
def test_a_moment_has_come_only_when_both_clocks_say_so(host: timedelta, azure: timedelta, moment: timedelta) -> None:
    context = context_of(two_clocks(host, azure), after_grace(FakeServices()))
    left = asyncio.run(left_until(context, NOW + moment))
    assert (left == timedelta()) == (min(host, azure) >= moment)


@pytest.mark.parametrize(
    ("host", "azure"), [(MONTH, -timedelta(hours=47)), (-timedelta(hours=47), MONTH)], ids=["host-ahead", "azure-ahead"]
)
def test_invariant_5_no_single_clock_ends_the_grace_period(host: timedelta, azure: timedelta) -> None:
    services = two_clocks(host, azure)
    state = replace(after_grace(services), grace_ends_at=NOW)
    outcome = run(retire_old_gateway, services, state)
    assert isinstance(outcome, Wait) and outcome.grace
    assert (outcome.after, outcome.until) == (timedelta(hours=47), NOW)
    assert writes(services) == []


def test_a_clock_that_jumps_back_under_the_guard_holds_the_removal_up() -> None:
    services = FakeServices()
    state = after_grace(services)

    class JumpingBack(FakeAzure):
        def time(self) -> datetime | None:
            return self.clock.now() if not self.calls["instances"] else NOW - MONTH

    services.resource_manager = replace_azure(services.resource_manager, JumpingBack())
    outcome = run(retire_old_gateway, services, state)
    assert isinstance(outcome, Wait) and "grace period" in outcome.reason
    assert writes(services) == []


def replace_azure(old: FakeAzure, new: FakeAzure) -> FakeAzure:
    """The same subscription behind another face."""
    vars(new).update(vars(old))
    return new


def test_the_first_answer_tells_the_time_and_none_means_waiting() -> None:
    class Silent(FakeAzure):
        def time(self) -> datetime | None:
            return self.clock.now() if self.calls["subscription"] and self.subscription_body else None

    services = FakeServices()
    state = after_grace(services)
    services.resource_manager = replace_azure(services.resource_manager, Silent())
    assert asyncio.run(left_until(context_of(services, state), NOW)) == timedelta()
    services.resource_manager.calls.clear()
    services.resource_manager.subscription_body = {}
    with pytest.raises(TryAgain, match="Date header"):
        run(retire_old_gateway, services, state)
    assert writes(services) == []


def test_a_grace_period_that_begins_under_a_slow_clock_is_no_shorter() -> None:
    services = two_clocks(host=-MONTH)
    state = opened(before_cut_over(services))
    state = replace(state, cut_over=replace(state.cut_over, ttl_before=timedelta(), flipped_at=NOW - MONTH))
    services.dns.point(SERVICE, NEW_NAME)
    done = run(cut_over, services, state)
    assert done.state.grace_ends_at is not None and done.state.grace_ends_at >= NOW + timedelta(days=2)


def test_a_clock_that_jumps_ahead_does_not_end_the_wait_for_an_old_answer() -> None:
    services = FakeServices()
    state = run(cut_over, services, opened(before_cut_over(services), GateName.READY_TO_CUT_OVER)).state
    services.resource_manager.clock = FakeClock(NOW)
    services.clock.pass_by(MONTH)
    outcome = run(cut_over, services, state)
    assert isinstance(outcome, Wait) and outcome.after == timedelta(seconds=300)
    assert RecordSet.of(services.resource_manager.resources[RECORD_ID.lower()]).target == OLD_NAME


def test_a_cut_over_is_not_earlier_than_allowed_by_either_clock() -> None:
    services = two_clocks(host=MONTH)
    state = opened(before_cut_over(services))
    request = state.request.model_copy(update={"cut_over_not_before": NOW + timedelta(days=1)})
    outcome = run(cut_over, services, replace(state, request=request))
    assert isinstance(outcome, Wait) and outcome.until == NOW + timedelta(days=1)
    assert RecordSet.of(services.resource_manager.resources[RECORD_ID.lower()]).target == OLD_NAME


def test_the_way_back_waits_for_the_new_answer_by_both_clocks() -> None:
    services = two_clocks(host=MONTH)
    state = after_grace(services)
    services.resource_manager.add(record_body(OLD_NAME))
    state = replace(
        state,
        cut_over=replace(state.cut_over, flipped_at=NOW),
        roll_back=RollBack(NOW, record_back_at=NOW, ttl_at_change=timedelta(seconds=30)),
    )
    services.dns.point(SERVICE, OLD_NAME)
    outcome = run(roll_back, services, state)
    assert isinstance(outcome, Wait) and outcome.after == timedelta(seconds=30)
    assert writes(services) == []

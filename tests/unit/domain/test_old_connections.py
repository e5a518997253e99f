"""What the old gateway still gets: when it is asked for, what an answer says, and how much of it is kept."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.cases import Case
from cmg_core.domain.old_connections import (
    KEPT,
    LOOK_EVERY,
    balancer_of,
    count_in,
    interval_of,
    is_due,
    span_of,
    why_not_counted,
    with_count,
)
from cmg_core.domain.plans import OldGateway, Plan
from cmg_core.domain.record import ConnectionCount, State
from cmg_core.domain.values import Json, JsonObject
from tests.fakes import NOW, migration, resource_id

HOUR = timedelta(hours=1)
LOAD_BALANCER = resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb")


def old_gateway(**facts: object) -> OldGateway:
    standard: dict[str, object] = {
        "model": "scale-set",
        "resource_id": "/s",
        "service_name": "gf.contoso.com",
        "deployment_name": "gf.eastus.cloudapp.azure.com",
        "region": "eastus",
        "parts": ({"id": LOAD_BALANCER},),
        "kept": (),
        "load_balancer_sku": "Standard",
    }
    return OldGateway.model_validate(standard | facts)


@pytest.mark.parametrize(
    ("case", "facts", "says"),
    [
        (Case.GAP_CLOSED, {}, ""),
        (Case.GAP_ACCEPTED, {"load_balancer_sku": "standard"}, ""),
        (Case.GAP_CLOSED, {"load_balancer_sku": "Basic"}, "«Basic»"),
        (Case.GAP_CLOSED, {"load_balancer_sku": ""}, "«Basic»"),
        (Case.GAP_CLOSED, {"parts": ()}, "No load balancer"),
        (Case.GAP_CLOSED, {"model": "classic", "parts": ()}, "classic cloud service"),
        (Case.GAP_CLOSED, {"gone": True}, "gone"),
        (Case.NEW_NAME, {}, "two names"),
        (Case.RETIREMENT, {}, "two names"),
    ],
)
def test_where_nothing_can_be_counted_the_reason_is_told(case: Case, facts: dict[str, object], says: str) -> None:
    why = why_not_counted(Plan(findings=(), case=case, old_gateway=old_gateway(**facts)))
    assert says in why and bool(says) == bool(why)


def test_only_a_load_balancer_among_the_parts_is_counted_at() -> None:
    address = {"id": resource_id("Microsoft.Network/publicIPAddresses", "ip")}
    assert balancer_of(old_gateway(parts=(address, {"id": LOAD_BALANCER}))) == LOAD_BALANCER
    assert balancer_of(old_gateway(parts=(address,))) == ""


def counted(*ends_before: timedelta) -> State:
    """A state whose counts ended so long ago, in a grace period that ends now."""
    counts = tuple(ConnectionCount(NOW - each - HOUR, NOW - each, 1) for each in ends_before)
    return State(request=migration(), connections=counts, grace_ends_at=NOW)


def test_it_is_asked_for_rarely_and_once_when_the_grace_period_is_over() -> None:
    assert is_due(State(request=migration()), NOW)
    assert is_due(counted(LOOK_EVERY), NOW - timedelta(seconds=0))
    assert not is_due(counted(HOUR), NOW - timedelta(minutes=1))
    assert is_due(counted(HOUR), NOW), "the grace period is over"
    assert not is_due(counted(timedelta()), NOW + HOUR)


def test_each_count_goes_on_where_the_last_one_ended() -> None:
    assert span_of(State(request=migration()), NOW) == (NOW - timedelta(days=1), NOW)
    assert span_of(counted(2 * HOUR), NOW) == (NOW - 2 * HOUR, NOW)
    assert interval_of(NOW - 2 * HOUR, NOW) == timedelta(minutes=1)
    assert interval_of(NOW - timedelta(days=1), NOW) == HOUR


def answer(*series: list[Json]) -> JsonObject:
    return {"value": [{"timeseries": [{"data": points} for points in series]}]}


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (answer([{"total": 3.0}, {"timeStamp": "…"}, {"total": 4}], [{"total": 1}]), 8),
        (answer([{"total": 0.0}]), 0),
        (answer([{"timeStamp": "…"}]), None),
        (answer(), None),
        ({}, None),
        ({"value": [{"timeseries": "none"}]}, None),
    ],
)
def test_no_value_is_not_nought(body: JsonObject, count: int | None) -> None:
    assert count_in(body) == count


@given(st.integers(min_value=0, max_value=KEPT * 3))
def test_the_first_count_and_the_latest_are_kept(count: int) -> None:
    all_of_them = [ConnectionCount(NOW, NOW + each * HOUR, each) for each in range(count)]
    kept: tuple[ConnectionCount, ...] = ()
    for each in all_of_them:
        kept = with_count(kept, each)
    assert list(kept) == [*all_of_them[:1], *all_of_them[1:][-(KEPT - 1) :]]

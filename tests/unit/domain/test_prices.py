"""What the parallel days cost: the formula, and a price list in which each price says where it comes from."""

from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.prices import ADDRESS, BALANCER, DISK, PROCESSED, SIZES, Price, parallel_cost
from cmg_core.domain.requests import GatewayRequest
from tests.fakes import deployment, migration, resource_id

PERSON = Gate(GateName.READY_TO_CUT_OVER, Opener.PERSON, "Say so.")
APP = Gate(GateName.CNAME, Opener.APP, "Set it.")
EITHER = Gate(GateName.CONNECTION_POINT_CONNECTED, Opener.APP_OR_PERSON, "Add it.")
APPROVAL = Gate(GateName.APPROVAL, Opener.PERSON, "Approve.")


def test_the_sum_is_what_a_person_works_out_on_paper() -> None:
    cost = parallel_cost(migration(size="Standard_A2_v2", instances=2, grace_period="P2D"), ())
    an_hour = 2 * (0.136 + 9.60 / 730) + 0.025 + 0.005
    assert cost.hours == 48
    assert float(cost.usd) == pytest.approx(48 * an_hour, abs=0.005)
    assert float(cost.each_further_day) == pytest.approx(24 * an_hour, abs=0.005)


def test_gates_that_people_open_while_both_stand_take_a_day_each() -> None:
    cost = parallel_cost(migration(grace_period="P1D"), (APPROVAL, EITHER, PERSON, APP))
    assert cost.gates == ("connection-point-connected", "ready-to-cut-over")
    assert (cost.grace_hours, cost.hours) == (24, 72)


def test_a_begun_hour_is_paid_and_half_a_cent_is_one() -> None:
    cost = parallel_cost(migration(grace_period="PT4S"), ())
    assert cost.hours == 1
    paid = {line.price: line.usd for line in cost.lines}
    assert (paid[BALANCER], paid[ADDRESS]) == (Decimal("0.03"), Decimal("0.01"))


def test_nothing_is_reckoned_where_no_gateway_is_made_beside_another() -> None:
    standing = {"resource_id": resource_id("Microsoft.Compute/virtualMachineScaleSets", "evergreen")}
    assert parallel_cost(migration(provisioned_by="existing", new_gateway=standing), (PERSON,)) is None
    assert parallel_cost(deployment(), (PERSON,)) is None
    assert parallel_cost(migration(provisioned_by="site"), ()) is not None


@given(st.sampled_from(sorted(SIZES)), st.integers(1, 16), st.integers(1, 90))
def test_lines_add_up_and_more_costs_more(size: str, instances: int, days: int) -> None:
    cost = parallel_cost(migration(size=size, instances=instances, grace_period=f"P{days}D"), (PERSON,))
    more = parallel_cost(migration(size=size, instances=instances, grace_period=f"P{days + 1}D"), (PERSON,))
    assert abs(sum(line.usd for line in cost.lines) - cost.usd) <= Decimal("0.02")
    assert abs(more.usd - cost.usd - cost.each_further_day) <= Decimal("0.02")


def test_every_size_that_can_be_asked_for_has_a_price() -> None:
    assert set(SIZES) == set(get_args(GatewayRequest.model_fields["size"].annotation))


@pytest.mark.parametrize("price", [*SIZES.values(), DISK, BALANCER, ADDRESS, PROCESSED], ids=lambda price: price.what)
def test_each_price_says_when_and_where_it_was_seen(price: Price) -> None:
    assert price.usd > 0
    assert "20" in price.seen
    assert len(price.source) > 20


def test_the_words_hold_sum_formula_region_date_and_the_reserve() -> None:
    cost = parallel_cost(migration(instances=2, grace_period="P2D"), (PERSON,))
    for told in (str(cost.usd), "48 h of grace period", "2 x Standard_A2_v2", "East US", "2026", "differ by region"):
        assert told in cost.in_words

"""Looks at operations obey Azure's limits; what Azure has forgotten is forgotten; nothing is dropped half-way."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.errors import ClaimRunsOut
from cmg_core.steps.writing import look_at_operations, pause, start, together
from tests.fakes import NOW, context_of
from tests.unit.steps.building import MAKE, BuildingAzure, a_state, services_of

STEP = "provision-network"
STATE = a_state()


@given(st.timedeltas(timedelta(), timedelta(hours=1)), st.timedeltas(timedelta(), timedelta(minutes=20)))
def test_a_look_is_never_earlier_than_azure_asks(passed: timedelta, look_after: timedelta) -> None:
    services, _ = services_of()
    services.clock.pass_by(passed)
    assert pause(context_of(services, STATE), STEP, look_after) >= look_after


@given(st.timedeltas(timedelta(), timedelta(hours=1)))
def test_no_minute_has_more_than_45_looks(passed: timedelta) -> None:
    services, _ = services_of()
    services.clock.pass_by(passed)
    context, looks = context_of(services, STATE), 0
    while services.clock.now() - NOW < passed + timedelta(minutes=1):
        services.clock.pass_by(pause(context, STEP))
        looks += 1
    assert looks <= 45


def test_an_address_that_is_not_azures_is_not_believed() -> None:
    services, azure = services_of()
    azure.faults["operation"] = ValueError("not Resource Manager")
    state = replace(a_state(), operations={MAKE.load_balancer: "https://evil.example/operation"})
    looked = asyncio.run(look_at_operations(context_of(services, state)))
    assert (looked.state.operations, looked.ended) == ({}, {})


def test_a_claim_that_runs_out_stops_the_run() -> None:
    services, azure = services_of()

    async def put(_: object) -> None:
        raise ClaimRunsOut("too late")

    with pytest.raises(ClaimRunsOut):
        asyncio.run(start(context_of(services, a_state()), a_state(), {MAKE.load_balancer: put}))  # type: ignore[dict-item]  # never answers
    assert azure.writes == []


def test_an_error_of_one_waits_for_the_others() -> None:
    ended = []

    async def fails() -> None:
        raise LookupError

    async def takes_its_time() -> None:
        await asyncio.sleep(0)
        ended.append(True)

    async def both() -> None:
        await together([fails(), takes_its_time()])

    with pytest.raises(LookupError):
        asyncio.run(both())
    assert ended == [True]


def test_forgotten_operations_leave_the_state() -> None:
    services, _ = services_of(BuildingAzure(forgets_operations=True))
    state = replace(a_state(), operations={MAKE.load_balancer: "https://management.azure.com/operations/x"})
    looked = asyncio.run(look_at_operations(context_of(services, state)))
    assert (looked.state.operations, looked.ended) == ({}, {})

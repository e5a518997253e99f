"""The same request sent again, however late, and a ticket's number that finds its deployments."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmg_core.domain.record import Status
from cmg_core.services import Save
from tests.fakes import NOW
from tests.records import a_record
from tests.unit.triggers.callers import MemoryServices, call
from tests.unit.triggers.test_http import BODY, problem_of, saved
from tests.unit.triggers.test_lists import everything

AGAIN = {"Idempotency-Key": "CHG0031337"}
numbers = itertools.count(1)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("later", [timedelta(), timedelta(days=1000)])
def test_a_replay_answers_as_the_first_did_whatever_became_of_the_deployment(status: Status, later: timedelta) -> None:
    services = MemoryServices()
    first = call(services, "start-migration", BODY, headers=AGAIN)
    if status is not Status.RUNNING:
        saved(services, str(first.body["id"]), status)
    services.clock.pass_by(later)
    again = call(services, "start-migration", BODY, headers=AGAIN)

    assert (again.status, again.headers["location"], again.body["id"]) == (
        first.status, first.headers["location"], first.body["id"],
    )  # fmt: skip
    assert len(services.queues.receive(16, timedelta(minutes=10))) == 1
    other = call(services, "start-migration", BODY | {"instances": 3}, headers=AGAIN)
    problem_of(other, 422, "idempotency-key-reused")


def test_a_replay_by_another_caller_is_another_request() -> None:
    services = MemoryServices()
    call(services, "start-migration", BODY, headers=AGAIN)
    other = call(services, "start-migration", BODY, headers=AGAIN | {"x-functions-key": "another"})
    problem_of(other, 409, "another-deployment-is-active")


def test_the_same_body_for_something_else_is_another_request() -> None:
    services = MemoryServices()
    gateway = str(BODY["old_gateway"]["resource_id"]).partition("/providers/")[0]  # type: ignore[index,call-overload]
    scale_set = f"{gateway}/providers/Microsoft.Compute/virtualMachineScaleSets/new"
    body = BODY | {"provisioned_by": "existing", "new_gateway": {"resource_id": scale_set}}
    assert call(services, "start-migration", body, headers=AGAIN).status == 202
    other = call(services, "start-retirement", body, headers=AGAIN)
    problem_of(other, 422, "idempotency-key-reused")


def put(services: MemoryServices, ticket: str, months_ago: int, ended: bool) -> str:
    """A deployment of a ticket that changed last so many months ago."""
    id = f"00000000-0000-4000-9000-{next(numbers):012}"
    record = a_record(id)
    state = replace(record.state, request=record.state.request.model_copy(update={"external_reference": ticket}))
    months = NOW.year * 12 + NOW.month - 1 - months_ago
    at = datetime(months // 12, months % 12 + 1, 5, tzinfo=UTC)

    async def write() -> None:
        etag = await services.ledger.create(replace(record, state=state), [])
        status = Status.SUCCEEDED if ended else Status.WAITING
        await services.ledger.save(id, etag, Save(2, "cut-over", status, state, None, "a test", at), [])

    asyncio.run(write())
    return id


TICKETS = ("CHG0031337", "chg0031337", "CHG0031338", "")
rows = st.tuples(st.sampled_from(TICKETS), st.integers(0, 12), st.booleans())


@given(st.lists(rows, max_size=12), st.sampled_from(TICKETS[:3]))
@settings(max_examples=40, deadline=None)
def test_a_tickets_number_finds_its_deployments_and_no_other_over_all_months(
    told: list[tuple[str, int, bool]], ticket: str
) -> None:
    services = MemoryServices()
    ids = [(put(services, *row), row[0]) for row in told]
    assert sorted(everything(services, external_reference=ticket)) == sorted(id for id, mine in ids if mine == ticket)

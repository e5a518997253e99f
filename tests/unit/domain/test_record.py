"""What a record's parts say of themselves: a claim's reach, what of a state may be lost, a message's schema."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import ClaimRunsOut
from cmg_core.domain.record import LONGEST_CALL, Claim, StepProgress, Waiting, longest_call, schema_of
from tests.fakes import NOW
from tests.records import a_state


@pytest.mark.parametrize(("left", "covers"), [(60, True), (61, True), (59, False), (0, False), (-1, False)])
def test_a_claim_covers_a_call_as_long_as_a_whole_calls_time_is_left(left: int, covers: bool) -> None:
    claim = Claim("i", "m", NOW + timedelta(seconds=left))
    if covers:
        claim.ensure_covers_a_call(NOW)
    else:
        with pytest.raises(ClaimRunsOut):
            claim.ensure_covers_a_call(NOW)


@pytest.mark.parametrize(("claim", "call"), [(240, 60), (180, 60), (179, 59), (6, 2)])
def test_a_call_lasts_a_third_of_its_claim_at_most_and_never_more_than_a_minute(claim: int, call: int) -> None:
    found = longest_call(timedelta(seconds=claim))
    assert found // timedelta(seconds=1) == call and found <= LONGEST_CALL


def test_what_may_be_lost_in_a_crash_at_no_cost_is_no_fact() -> None:
    state = a_state()
    for lost in (
        {"operations": {"id": "https://management.azure.com/operations/1"}},
        {"retries": 3},
        {"progress": (StepProgress("preflight", "done"),)},
        {"waiting": Waiting("for the world", NOW, NOW)},
    ):
        assert replace(state, **lost).facts() == state.facts()  # type: ignore[arg-type]  # keys of the state
    assert replace(state, deleted=("id",)).facts() != state.facts()


@pytest.mark.parametrize(("body", "schema"), [('{"schema": 7, "new": []}', 7), ("{}", 0), ("nonsense", 0), ("", 0)])
def test_a_messages_schema_is_read_where_nothing_else_is_understood(body: str, schema: int) -> None:
    assert schema_of(body) == schema

"""Spans and figures: whose they are, what they go on from, and what is told of errors."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import StatusCode

from cmg_core.correlation import correlated
from cmg_core.telemetry.ids import root_of, save_of, trace_of
from cmg_core.telemetry.masked import LONGEST, clean
from cmg_core.telemetry.port import UNTOLD
from tests.telling import telling

ONE, TWO = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "AccountKey=c2VjcmV0c2VjcmV0"


def test_a_trace_has_the_deployments_own_digits() -> None:
    assert f"{trace_of(ONE):032x}" == ONE.replace("-", "")


@pytest.mark.parametrize("id", ["", "33333333", f"{ONE}x", ONE.upper().replace("3", "A"), "../../etc"])
def test_what_is_no_deployments_id_has_no_trace(id: str) -> None:
    with telling() as told:
        told.telemetry.accepted(id, {})
        with told.telemetry.working(id, "run preflight", {}, revision=1), told.telemetry.calling("dns", "ASK", {}):
            pass
    assert trace_of(id) == 0 and told.spans == []


@given(st.uuids(), st.integers(2, 10_000), st.integers(2, 10_000))
def test_ids_are_the_same_everywhere_and_differ_from_each_other(id: UUID, one: int, two: int) -> None:
    assert save_of(str(id), one) == save_of(str(id), one) > 0
    assert (save_of(str(id), one) == save_of(str(id), two)) == (one == two)
    assert save_of(str(id), one) != root_of(str(id)) == save_of(str(id), 1)


def test_the_root_and_a_piece_of_work_link_to_who_asked() -> None:
    with telling() as told, correlated("c", CALLER):
        told.telemetry.accepted(ONE, {})
        with told.telemetry.working(ONE, "call cancel", {}, revision=4):
            pass
    root, call = told.spans
    assert [link.context.trace_id for link in root.links] == [0x0AF7651916CD43DD8448EB211C80319C]
    assert [link.context.span_id for link in call.links] == [save_of(ONE, 4), 0xB7AD6B7169203331]
    assert root.parent is None and call.parent.span_id == root_of(ONE)


def test_what_is_done_for_no_deployment_is_counted_only() -> None:
    with telling() as told:
        with told.telemetry.calling("tables", "GET CmgLedger", {}) as span:
            span.tell({"http.response.status_code": 200})
        told.telemetry.saved(ONE, 2, {})
        figures = told.figures()
    assert told.spans == []
    assert figures["cmg.calls"] == {'{"cmg.came": "200", "cmg.method": "GET", "cmg.service": "tables"}': 1}


def test_of_an_error_its_kind_is_told_and_nothing_of_its_text() -> None:
    with telling() as told:
        with (
            pytest.raises(ValueError, match="Key"),
            told.telemetry.working(ONE, "run preflight", {}),
            told.telemetry.calling("tables", "GET CmgLedger", {}),
        ):
            raise ValueError(SECRET)
        assert '"cmg.came": "ValueError"' in next(iter(told.figures()["cmg.calls"]))
    assert [span.status.status_code for span in told.spans] == [StatusCode.ERROR] * 2
    assert [span.attributes["error.type"] for span in told.spans] == ["ValueError"] * 2
    assert "c2Vj" not in told.texts()


def test_an_answer_of_a_service_in_trouble_is_an_error_and_a_missing_thing_is_none() -> None:
    with telling() as told, told.telemetry.working(ONE, "run preflight", {}):
        for status in (404, 503):
            with told.telemetry.calling("tables", "GET CmgLedger", {}) as span:
                span.tell({"http.response.status_code": status})
    codes = {span.attributes.get("http.response.status_code"): span.status.status_code for span in told.spans}
    assert codes == {404: StatusCode.UNSET, 503: StatusCode.ERROR, None: StatusCode.UNSET}


def test_work_at_the_same_time_does_not_mix() -> None:
    async def work(id: str, telemetry: object, wait: Callable[[], Awaitable[None]]) -> None:
        with told.telemetry.working(id, "run preflight", {}, revision=1):
            await wait()
            with told.telemetry.calling("dns", "ASK", {}):
                await wait()
            told.telemetry.saved(id, 2, {})
            await wait()

    async def both() -> None:
        await asyncio.gather(*(work(id, told.telemetry, lambda: asyncio.sleep(0)) for id in (ONE, TWO) for _ in "12"))

    with telling() as told:
        asyncio.run(both())
    spans = {span.get_span_context().span_id: span for span in told.spans}
    assert len(told.spans) == 12
    for span in told.spans:
        mine = span.attributes.get("cmg.deployment.id") or spans[span.parent.span_id].attributes["cmg.deployment.id"]
        assert span.get_span_context().trace_id == trace_of(mine)


def test_facts_are_masked_and_short() -> None:
    with telling() as told:
        facts = {"a": f"at https://x.example/y?sig=abc {SECRET}", "b": "x" * 2 * LONGEST, "c": 7}
        with told.telemetry.working(ONE, "run preflight", facts):
            pass
    (span,) = told.spans
    assert span.attributes["a"] == "at https://x.example/y?… AccountKey=***"
    assert (len(span.attributes["b"]), span.attributes["c"]) == (LONGEST, 7)
    assert clean("no secret at all") == "no secret at all"


def test_a_line_of_the_log_is_masked_with_its_traceback_and_lies_in_the_span() -> None:
    log = logging.getLogger("cmg.of_a_test")
    with telling() as told, told.telemetry.working(ONE, "run preflight", {}), correlated("c1"):
        try:
            raise ValueError(SECRET)
        except ValueError:
            log.exception("storage said %s", SECRET, extra={"deployment_id": ONE})
        logging.getLogger("azure.core").error("not the product's own")
    ((line,), (span,)) = (told.logs, told.spans)
    assert line.log_record.body.startswith("storage said AccountKey=***\nTraceback")
    assert "c2Vj" not in str(line.log_record.body)
    assert dict(line.log_record.attributes) == {
        "cmg.correlation_id": "c1",
        "cmg.deployment_id": ONE,
        "cmg.logger": "cmg.of_a_test",
        "exception.type": "ValueError",
    }
    assert line.log_record.span_id == span.get_span_context().span_id


def test_without_telemetry_nothing_happens() -> None:
    UNTOLD.accepted(ONE, {})
    with UNTOLD.working(ONE, "run preflight", {}) as work, UNTOLD.calling("dns", "ASK", {}) as call:
        work.tell({})
        call.tell({})
    UNTOLD.saved(ONE, 2, {})
    UNTOLD.count("cmg.calls", {})
    UNTOLD.measure("cmg.work.duration", 1.0, {})


def test_an_id_that_was_laid_down_is_given_once() -> None:
    with telling() as told, told.telemetry.working(ONE, "run preflight", {}, revision=1):
        told.telemetry.saved(ONE, 2, {})
        with told.telemetry.calling("queues", "POST messages", {}):
            pass
        told.telemetry.accepted(TWO, {})
        with told.telemetry.calling("queues", "POST messages", {}):
            pass
    spans = [span.get_span_context() for span in told.spans]
    assert len({span.span_id for span in spans}) == len(spans) == 5
    assert [span.span_id for span in spans if span.trace_id == trace_of(TWO)] == [root_of(TWO)]

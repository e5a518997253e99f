"""Whole stories with telemetry: one trace a deployment, whole and without a secret."""

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from cmg_core.domain.record import Status
from cmg_core.services import Services
from cmg_core.triggers.masking import masked
from local.inprocess.calling import http_call, insist
from local.inprocess.harness import RunReport, Starting, run
from local.inprocess.hosting import Host
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Fault, Harm, Port, Tape
from local.sample import Call as HttpCall
from local.sample import Sample, load
from tests.telling import Told, telling

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SECRET = "a-secret-of-the-receiver"


def on_stage(told: Told) -> Callable[[Sample, Tape, Settings], InProcess]:
    def stage(sample: Sample, tape: Tape, settings: Settings) -> InProcess:
        made = InProcess(sample, tape, settings)
        made.telemetry = told.telemetry
        return made

    return stage


def asking(key: str) -> Starting:
    """How a request is sent under a key of its own, so that it becomes a deployment of its own."""

    async def ask(stage: InProcess, services: Services, host: Host) -> str:
        call = HttpCall(path=stage.sample.path, body=stage.sample.request)
        answer = await insist(host, call.path, http_call(services, call, headers={"Idempotency-Key": key}))
        return str(json.loads(answer.get_body())["id"])

    return ask


def story(sample: Sample, fault: Fault | None = None) -> tuple[RunReport, Told]:
    with telling() as told:
        return run(sample, fault, stage=on_stage(told)), told


@cache
def migration() -> tuple[RunReport, Told]:
    """A migration with somebody who listens."""
    sample = load(SAMPLES / "s07-own-domain-from-classic.json")
    receiver = {"host": "hooks.contoso.com", "addresses": ["20.150.10.20"]}
    request = sample.request | {"callback_url": f"https://hooks.contoso.com/cmg?sig={SECRET}"}
    return story(sample.model_copy(update={"request": request, "world": sample.world | {"receivers": [receiver]}}))


@cache
def rollback() -> tuple[RunReport, Told]:
    return story(load(SAMPLES / "rollback-in-grace.json"))


STORIES = pytest.mark.parametrize("told", [migration, rollback], ids=["migration", "rollback"])


def ids(span: ReadableSpan) -> int:
    return span.get_span_context().span_id


def named(spans: list[ReadableSpan], begins: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name.startswith(begins)]


@STORIES
def test_one_trace_with_the_deployments_own_id_and_one_root(told) -> None:
    report, seen = told()
    assert {span.get_span_context().trace_id for span in seen.spans} == {UUID(report.record.id).int}
    (root,) = [span for span in seen.spans if span.parent is None]
    assert root.name == "deployment" and root.attributes["cmg.kind"] == "migration"


@STORIES
def test_no_span_is_an_orphan_and_no_id_is_given_twice(told) -> None:
    _, seen = told()
    given = Counter(ids(span) for span in seen.spans)
    assert [id for id, count in given.items() if count > 1] == []
    assert [span.name for span in seen.spans if span.parent is not None and span.parent.span_id not in given] == []


@STORIES
def test_each_run_goes_on_from_the_save_before_it(told) -> None:
    _, seen = told()
    given = {ids(span): span for span in seen.spans}
    runs = [*named(seen.spans, "run "), *named(seen.spans, "call ")]
    assert len(runs) > 10
    for each in runs:
        (link,) = each.links
        before = given[link.context.span_id]
        assert before.name == ("deployment" if each.attributes["cmg.revision"] == 1 else "saved")
        assert before.name == "deployment" or before.attributes["cmg.revision"] == each.attributes["cmg.revision"]


@STORIES
def test_every_step_that_ran_has_its_spans_and_every_revision_its_save(told) -> None:
    report, seen = told()
    ran = {line.name for line in report.record.state.progress if line.attempts}
    assert {span.attributes["cmg.step"] for span in named(seen.spans, "run ")} == ran
    saves = sorted(span.attributes["cmg.revision"] for span in named(seen.spans, "saved"))
    assert saves == [*range(2, report.record.revision + 1)]
    assert named(seen.spans, "saved")[-1].attributes["cmg.status"] == report.outcome


def test_calls_to_the_outside_are_parts_of_the_runs_that_made_them() -> None:
    _, seen = migration()
    given = {ids(span): span for span in seen.spans}
    by_service: dict[str, set[str]] = {}
    for span in seen.spans:
        if service := span.attributes.get("cmg.service"):
            assert given[span.parent.span_id].name.split()[0] in ("run", "notify")
            by_service.setdefault(service, set()).add(span.name)
    assert {*by_service} == {"resource-manager", "key-vault", "dns", "gateway", "receiver"}
    assert "PUT Microsoft.Compute/virtualMachineScaleSets" in by_service["resource-manager"]
    assert "DELETE Microsoft.ClassicCompute/domainNames" in by_service["resource-manager"]
    written = [span for span in seen.spans if span.name.startswith("PUT ")]
    assert all(span.attributes["http.response.status_code"] < 300 for span in written)


@STORIES
def test_nothing_that_leaves_holds_a_secret_or_the_query_of_an_address(told) -> None:
    _, seen = told()
    everything = seen.texts()
    assert SECRET not in everything and "hooks.contoso.com/" not in everything
    assert masked(everything) == everything
    assert re.findall(r"https?://[^\s\"?]+\?[^\s\"]*=[^\s\"]*", everything) == []
    assert "api-version" not in everything and "eyJ" not in everything


def test_figures_of_a_migration() -> None:
    report, seen = migration()
    figures = seen.figures()
    assert figures["cmg.deployments.accepted"] == {'{"cmg.kind": "migration"}': 1}
    assert figures["cmg.deployments.ended"] == {'{"cmg.kind": "migration", "cmg.status": "succeeded"}': 1}
    assert figures["cmg.grace.begun"] == figures["cmg.grace.ended"] == {"{}": 1}
    done = [line.name for line in report.record.state.progress if line.outcome == "done"]
    assert len(figures["cmg.step.duration"]) == len(done)
    assert any('"cmg.waits_for": "site-record-removed"' in by for by in figures["cmg.waits"])
    assert len(figures["cmg.waits"]) < 30 and len(figures["cmg.calls"]) < 60, "few enough to be paid for"


def test_figures_of_a_rollback() -> None:
    report, seen = rollback()
    assert report.outcome is Status.ROLLED_BACK
    figures = seen.figures()
    assert figures["cmg.deployments.ended"] == {'{"cmg.kind": "migration", "cmg.status": "rolled-back"}': 1}
    assert figures["cmg.grace.begun"] == figures["cmg.grace.ended"] == {"{}": 1}
    assert "call rollback" in {span.name for span in seen.spans}


def test_two_deployments_do_not_mix() -> None:
    with telling() as told:
        sample = load(SAMPLES / "existing-gateway.json")
        ended = {run(sample, stage=on_stage(told), starting=asking(key)).record.id for key in ("CHG1", "CHG2")}
    assert len(ended) == 2
    assert {span.get_span_context().trace_id for span in told.spans} == {UUID(id).int for id in ended}
    for span in told.spans:
        if "cmg.deployment.id" in span.attributes:
            assert UUID(span.attributes["cmg.deployment.id"]).int == span.get_span_context().trace_id


def test_throttling_and_troubles_are_counted_and_the_trace_stays_whole() -> None:
    sample = load(SAMPLES / "existing-gateway.json")
    write = next(call for call in run(sample).calls if call.port is Port.AZURE and call.writes)
    report, seen = story(sample, Fault(write.number, Harm.THROTTLED))
    assert report.struck is not None
    assert [by for by in seen.figures()["cmg.retries"] if '"throttled"' in by]
    assert [span for span in seen.spans if span.status.status_code is StatusCode.ERROR] == []
    given = {ids(span) for span in seen.spans}
    assert all(span.parent is None or span.parent.span_id in given for span in seen.spans)

"""The real exporters: what goes over the wire to a collector, and to Application Insights."""

import asyncio
import json
import logging
import uuid
from uuid import UUID

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from cmg_core import __version__
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.queues import StorageQueues
from cmg_core.ledger.seals import Seals
from cmg_core.ledger.table import TableLedger
from cmg_core.settings import TelemetrySettings
from cmg_core.telemetry.ids import root_of, save_of
from cmg_core.telemetry.start import start
from tests.collector import spans_in, taking, traces_in
from tests.telling import telling

DEPLOYMENT = "33333333-3333-4333-8333-333333333333"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln"
LOG = logging.getLogger("cmg.of_a_test")


def tell(settings: TelemetrySettings) -> None:
    """A deployment's beginning, one run with a call, and a line of the log."""
    running = start(settings)
    telemetry = running.telemetry
    telemetry.accepted(DEPLOYMENT, {"cmg.kind": "migration"})
    with telemetry.working(DEPLOYMENT, "run preflight", {"cmg.step": "preflight"}, revision=1) as span:
        with telemetry.calling(
            "resource-manager", "GET subscriptions", {"server.address": "management.azure.com"}
        ) as call:
            call.tell({"http.response.status_code": 200})
        LOG.warning("the header was Authorization: Bearer %s", TOKEN, extra={"deployment_id": DEPLOYMENT})
        telemetry.saved(DEPLOYMENT, 2, {"cmg.status": "running"})
        span.tell({"cmg.outcome": "done"})
    running.close()


def test_a_collector_gets_traces_figures_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with taking() as (address, taken):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        tell(TelemetrySettings(collector=address, name="func-cmg", instance="i1"))
    bodies = {path: [body for at, body in taken if at == path] for path, _ in taken}
    assert {*bodies} == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    names = {pair.key: pair.value.string_value for pair in traces_in(taken)[0].resource.attributes}
    assert (names["service.name"], names["service.instance.id"]) == ("func-cmg", "i1")
    assert names["service.version"] == __version__
    spans = {span.name: span for span in spans_in(taken)}
    assert {span.trace_id for span in spans.values()} == {UUID(DEPLOYMENT).bytes}
    root, run = spans["deployment"], spans["run preflight"]
    assert (root.span_id, root.parent_span_id) == (root_of(DEPLOYMENT).to_bytes(8), b"")
    assert run.parent_span_id == run.links[0].span_id == root.span_id
    assert spans["GET subscriptions"].parent_span_id == spans["saved"].parent_span_id == run.span_id
    assert spans["saved"].span_id == save_of(DEPLOYMENT, 2).to_bytes(8)
    (logs,) = [each for body in bodies["/v1/logs"] for each in ExportLogsServiceRequest.FromString(body).resource_logs]
    (line,) = logs.scope_logs[0].log_records
    assert (line.trace_id, line.span_id) == (run.trace_id, run.span_id)
    assert {pair.key: pair.value.string_value for pair in line.attributes}["cmg.deployment_id"] == DEPLOYMENT
    figures = [
        each for body in bodies["/v1/metrics"] for each in ExportMetricsServiceRequest.FromString(body).resource_metrics
    ]
    assert {"cmg.calls", "cmg.work.duration"} <= {each.name for one in figures for each in one.scope_metrics[0].metrics}
    assert all(TOKEN.encode() not in body for _, body in taken)


@pytest.mark.parametrize("host_leaves_logs", [False, True])
def test_application_insights_gets_requests_dependencies_and_figures(
    monkeypatch: pytest.MonkeyPatch, host_leaves_logs: bool
) -> None:
    monkeypatch.delenv("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", raising=False)
    with taking() as (address, taken):
        to = f"InstrumentationKey={DEPLOYMENT};IngestionEndpoint={address}/"
        tell(TelemetrySettings(application_insights=to, host_leaves_logs=host_leaves_logs, name="func-cmg"))
    assert {path for path, _ in taken} == {"/v2.1/track"}
    sent = [one for _, body in taken for one in json.loads(body)]
    told = {one["data"]["baseData"].get("name"): one for one in sent}
    assert {one["tags"]["ai.operation.id"] for one in sent if "ai.operation.id" in one["tags"]} == {
        DEPLOYMENT.replace("-", "")
    }
    assert told["run preflight"]["data"]["baseType"] == "RequestData"
    assert told["run preflight"]["data"]["baseData"]["success"] is True
    assert (
        told["deployment"]["data"]["baseType"]
        == told["GET subscriptions"]["data"]["baseType"]
        == "RemoteDependencyData"
    )
    assert told["run preflight"]["data"]["baseData"]["properties"]["cmg.step"] == "preflight"
    assert {one["tags"]["ai.cloud.role"] for one in sent} == {"func-cmg"}
    assert {one["tags"]["ai.application.ver"] for one in sent} == {__version__}
    kinds = {one["data"]["baseType"] for one in sent}
    assert "MetricData" in kinds and ("MessageData" in kinds) is host_leaves_logs
    assert all(TOKEN.encode() not in body for _, body in taken)


def test_each_transaction_of_the_storage_account_is_told_of(azurite: str) -> None:
    id = str(uuid.uuid4())

    async def use() -> None:
        connection = StorageConnection(azurite, telemetry=told.telemetry)
        ledger, queues = TableLedger(connection), StorageQueues(connection, Seals())
        with told.telemetry.working(id, "run preflight", {}, revision=1):
            await ledger.read(id)
            await queues.notify(id)
        await ledger.close()
        await queues.close()

    with telling() as told:
        asyncio.run(use())
        transactions = sum(told.figures()["cmg.calls"].values())
    calls = [span for span in told.spans if "cmg.service" in span.attributes]
    assert len(calls) == transactions >= 2
    assert {(span.attributes["cmg.service"], span.name) for span in calls} >= {
        ("tables", "GET CmgLedger"),
        ("queues", "POST messages"),
    }
    assert "AccountKey" not in told.texts() and "SharedKey" not in told.texts()

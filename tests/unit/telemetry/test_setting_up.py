"""Telemetry by the settings: off costs nothing, wrong stops nothing."""

import asyncio
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import azure.functions as func
import pytest

from cmg_core.settings import read
from cmg_core.telemetry.port import UNTOLD
from cmg_core.triggers.queues import running
from cmg_core.wake import SENDS_WITHOUT_PROGRESS, wake_due
from cmg_core.wiring import RealServices
from tests.telling import telling
from tests.unit.triggers.callers import MemoryServices, call
from tests.unit.triggers.test_http import BODY

ROOT = Path(__file__).parents[3]
STORAGE = {
    "CmgStorage__queueServiceUri": "https://stcmg.queue.core.windows.net",
    "CmgStorage__tableServiceUri": "https://stcmg.table.core.windows.net",
}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_WITHOUT = """
import asyncio, sys
from cmg_core.domain.tenants import Tenant
from cmg_core.wiring import services

async def use():
    made = services()
    azure = made.azure(Tenant("11111111-1111-1111-1111-111111111111"), "22222222-2222-2222-2222-222222222222")
    for call in (made.ledger.active(), azure.subscription()):
        try:
            await call
        except Exception as error:
            print(type(error).__name__, file=sys.stderr)
    await made.aclose()

asyncio.run(use())
print(*[name for name in sys.modules if name.startswith(("opentelemetry", "azure.monitor", "google.protobuf"))])
"""


def test_without_a_setting_there_is_none() -> None:
    assert RealServices(read(STORAGE)).telemetry is UNTOLD


def test_without_a_setting_nothing_of_it_is_imported_however_much_is_done() -> None:
    nowhere = dict.fromkeys(STORAGE, "https://127.0.0.1:9") | {"HTTPS_PROXY": "http://127.0.0.1:9"}
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT], cwd=ROOT, env=nowhere, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == []


def test_a_collector_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    handlers = logging.getLogger("cmg").handlers
    before = [*handlers]
    services = RealServices(read(STORAGE | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}))
    assert services.telemetry is not UNTOLD and len(handlers) == len(before) + 1
    asyncio.run(services.aclose())
    assert handlers == before


def test_a_connection_string_that_is_none_stops_nothing_and_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    services = RealServices(read(STORAGE | {"APPLICATIONINSIGHTS_CONNECTION_STRING": "c2VjcmV0"}))
    assert services.telemetry is UNTOLD
    assert "telemetry is not exported" in caplog.text and "c2Vj" not in caplog.text


@pytest.mark.parametrize(("given", "leaves"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_the_log_is_exported_where_the_host_leaves_it(given: str, leaves: bool) -> None:
    assert read(STORAGE | {"PYTHON_ENABLE_OPENTELEMETRY": given}).telemetry.host_leaves_logs is leaves


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, ""),
        ({"WEBSITE_SITE_NAME": "func-cmg"}, "func-cmg"),
        ({"WEBSITE_SITE_NAME": "func-cmg", "OTEL_SERVICE_NAME": "gateways"}, "gateways"),
    ],
)
def test_the_app_is_named_as_the_operator_wants_it(given: dict[str, str], name: str) -> None:
    assert read(STORAGE | given).telemetry.name == name


def test_a_request_begins_a_trace_that_names_its_caller_and_a_repeated_one_none() -> None:
    services = MemoryServices()
    with telling() as told:
        services.telemetry = told.telemetry
        headers = {"Idempotency-Key": "CHG1", "traceparent": CALLER}
        first, again = (call(services, "start-migration", BODY, headers=headers) for _ in range(2))
        assert first.body["id"] == again.body["id"]
        (root,) = told.spans
        assert f"{root.get_span_context().trace_id:032x}" == str(first.body["id"]).replace("-", "")
        assert [f"{link.context.trace_id:032x}" for link in root.links] == [CALLER[3:35]]


def test_a_look_at_a_deployment_leaves_no_span_and_nor_does_a_call_for_one_that_is_not_there() -> None:
    services = MemoryServices()
    with telling() as told:
        services.telemetry = told.telemetry
        id = "33333333-3333-4333-8333-333333333333"
        call(services, "show-deployment", path={"id": id})
        call(services, "cancel-deployment", {"by": "a", "reason": "b"}, path={"id": id})
    assert told.spans == []


def test_a_run_links_to_the_request_that_it_goes_on_from_and_to_the_hosts_own_span() -> None:
    services = MemoryServices()
    with telling() as told:
        services.telemetry = told.telemetry
        call(services, "start-migration", BODY)
        message = func.QueueMessage(id="m", body=services.queues.waiting[0].body.encode())
        context = SimpleNamespace(invocation_id="i", trace_context=SimpleNamespace(trace_parent=CALLER))
        asyncio.run(running("preflight", lambda: services)(message, context))  # type: ignore[arg-type]  # fakes
    (root,), (run,) = ([span for span in told.spans if span.name == name] for name in ("deployment", "run preflight"))
    assert [link.context.span_id for link in run.links] == [root.get_span_context().span_id, int(CALLER[36:52], 16)]
    assert (run.attributes["cmg.invocation"], run.attributes["cmg.outcome"]) == ("i", "failed")


def test_a_deployment_that_gets_nowhere_is_told_of_by_the_timer() -> None:
    services = MemoryServices()
    with telling() as told:
        services.telemetry = told.telemetry
        call(services, "start-migration", BODY)
        for _ in range(SENDS_WITHOUT_PROGRESS + 1):
            services.clock.pass_by(timedelta(minutes=16))
            asyncio.run(wake_due(services))  # type: ignore[arg-type]  # fakes
    wakes = [span for span in told.spans if span.name == "wake"]
    assert [span.attributes["cmg.sends"] for span in wakes] == list(range(SENDS_WITHOUT_PROGRESS + 1))
    assert {span.attributes["cmg.revision"] for span in wakes} == {1}
    (saved,) = [span for span in told.spans if span.name == "saved"]
    assert saved.attributes["cmg.status"] == "needs-attention"
    assert len({span.attributes["cmg.deployment.id"] for span in (*wakes, saved)}) == 1

"""Telemetry as the settings want it: providers, exporters, and what is told of the process.

The providers are this product's own and not OpenTelemetry's global ones, so that nothing else in the process writes
into the deployments' traces, and no instrumentation of a library is switched on.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from cmg_core import __version__
from cmg_core.settings import TelemetrySettings
from cmg_core.telemetry.ids import Ids
from cmg_core.telemetry.logs import PRODUCT, LogExport
from cmg_core.telemetry.traced import Traced

SCOPE = "cmg_core"
HOLD_MS = 1000
"""How long spans and lines are collected: what a killed instance loses at most."""
FIGURES_MS = 15_000
"""The same of figures. Instances may live for less than the usual minute; where nothing happened nothing is sent to
Application Insights."""


@dataclass(frozen=True)
class Exporters:
    """Where to. ``logs`` is None where the Functions host carries the log there already."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter | None


class Running:
    """The telemetry of this process, with what has to be closed at its end."""

    def __init__(
        self,
        spans: Sequence[SpanProcessor],
        metrics: Sequence[MetricReader],
        logs: LoggerProvider | None,
        resource: Resource,
    ) -> None:
        ids = Ids()
        # A trace of which a part was left out would have spans without their parent: none is sampled.
        self._tracers = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=True, id_generator=ids)
        for processor in spans:
            self._tracers.add_span_processor(processor)
        self._meters = MeterProvider(metrics, resource)
        self._logs, self._handler = logs, LogExport(logs) if logs else None
        if self._handler:
            logging.getLogger(PRODUCT).addHandler(self._handler)
        self.telemetry = Traced(self._tracers.get_tracer(SCOPE), self._meters.get_meter(SCOPE), ids)

    def close(self) -> None:
        """Send what is left, and stop."""
        if self._handler:
            logging.getLogger(PRODUCT).removeHandler(self._handler)
        self._tracers.shutdown()
        self._meters.shutdown()
        if self._logs:
            self._logs.shutdown()


def start(settings: TelemetrySettings) -> Running:
    """Telemetry to every place that is set up. Raises ValueError where an exporter does not take its settings."""
    resource = Resource.create(
        {
            "service.name": settings.name or "cmg-migrate",
            "service.version": __version__,
            **({"service.instance.id": settings.instance} if settings.instance else {}),
        }
    )
    exporters = [
        *([_to_application_insights(settings)] if settings.application_insights else []),
        *([_to_collector()] if settings.collector else []),
    ]
    takes_logs = [exporter.logs for exporter in exporters if exporter.logs]
    logs = LoggerProvider(resource) if takes_logs else None
    for exporter in takes_logs:
        if logs:
            logs.add_log_record_processor(BatchLogRecordProcessor(exporter, HOLD_MS))
    return Running(
        [BatchSpanProcessor(each.spans, schedule_delay_millis=HOLD_MS) for each in exporters],
        [PeriodicExportingMetricReader(each.metrics, FIGURES_MS) for each in exporters],
        logs,
        resource,
    )


def _to_application_insights(settings: TelemetrySettings) -> Exporters:
    """Signed in as ``APPLICATIONINSIGHTS_AUTHENTICATION_STRING`` says, which the exporters read themselves. Nothing is
    kept on the instance's disk, and Microsoft gets no statistics of the exporters."""
    os.environ.setdefault("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorLogExporter,
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    logging.getLogger("azure.monitor.opentelemetry").setLevel(logging.ERROR)
    to = {"connection_string": settings.application_insights, "disable_offline_storage": True}
    logs = AzureMonitorLogExporter(**to) if settings.host_leaves_logs else None
    return Exporters(AzureMonitorTraceExporter(**to), AzureMonitorMetricExporter(**to), logs)


def _to_collector() -> Exporters:
    """By OTLP over HTTP, as the variables ``OTEL_EXPORTER_OTLP_…`` say, which the exporters read themselves."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Exporters(OTLPSpanExporter(), OTLPMetricExporter(), OTLPLogExporter())

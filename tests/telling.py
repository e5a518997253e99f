"""Telemetry into memory: what an exporter would be handed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cmg_core.telemetry.port import Telemetry
from cmg_core.telemetry.start import Running


@dataclass(frozen=True)
class Told:
    """What was told, as long as ``telling`` goes on and after."""

    telemetry: Telemetry
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    lines: InMemoryLogRecordExporter

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def figures(self) -> dict[str, dict[str, float]]:
        """Name to what it is counted by, as JSON, to the count."""
        data = self.reader.get_metrics_data()
        metrics = [each for r in data.resource_metrics for s in r.scope_metrics for each in s.metrics] if data else []
        return {
            metric.name: {
                json.dumps(dict(point.attributes or {}), sort_keys=True): getattr(point, "count", None) or point.value
                for point in metric.data.data_points
            }
            for metric in metrics
        }

    def texts(self) -> str:
        """Everything that left, as one text."""
        return "\n".join([*(span.to_json() for span in self.spans), *(line.to_json() for line in self.logs)])

    @property
    def logs(self) -> tuple:  # type: ignore[type-arg]  # the SDK's own type of a line changes from release to release
        return self.lines.get_finished_logs()


@contextmanager
def telling() -> Iterator[Told]:
    """Telemetry that is kept in memory."""
    exporter, reader, lines = InMemorySpanExporter(), InMemoryMetricReader(), InMemoryLogRecordExporter()
    logs = LoggerProvider(Resource.get_empty())
    logs.add_log_record_processor(SimpleLogRecordProcessor(lines))
    running = Running([SimpleSpanProcessor(exporter)], [reader], logs, Resource.get_empty())
    yield Told(running.telemetry, exporter, reader, lines)
    running.close()

"""The ``Telemetry`` port over OpenTelemetry's API: spans in the traces of deployments, and figures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cmg_core.correlation import caller
from cmg_core.telemetry.ids import Ids, root_of, save_of, trace_of
from cmg_core.telemetry.masked import exported
from cmg_core.telemetry.port import Facts

SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0, 604800.0)
"""Bounds of the histograms: from one call to a grace period of a week."""
SERVER_ERROR = 500


class Traced:
    """Traces and figures of one process. ``ids`` are those that the tracer's provider takes its IDs from."""

    def __init__(self, tracer: Tracer, meter: Meter, ids: Ids) -> None:
        self._tracer, self._ids = tracer, ids
        self._counter = cache(meter.create_counter)
        self._histogram = cache(
            lambda name: meter.create_histogram(name, unit="s", explicit_bucket_boundaries_advisory=SECONDS)
        )

    def accepted(self, deployment_id: str, facts: Facts) -> None:
        if trace_of(deployment_id):
            self._ids.lay_down(trace_of(deployment_id), root_of(deployment_id))
            told = exported({**facts, "cmg.deployment.id": deployment_id})
            self._tracer.start_span("deployment", Context(), links=_callers(), attributes=told).end()
        self.count("cmg.deployments.accepted", facts)

    @contextmanager
    def working(self, deployment_id: str, name: str, facts: Facts, revision: int = 0) -> Iterator["Working"]:
        begun = time.monotonic()
        if not trace_of(deployment_id):
            yield Working(trace.INVALID_SPAN)
            return
        goes_on_from = [Link(_place(deployment_id, save_of(deployment_id, revision)))] if revision else []
        span = self._tracer.start_span(
            name,
            trace.set_span_in_context(NonRecordingSpan(_place(deployment_id, root_of(deployment_id))), Context()),
            SpanKind.CONSUMER,
            exported({**facts, "cmg.deployment.id": deployment_id, "cmg.revision": revision}),
            [*goes_on_from, *_callers()],
        )
        working = Working(span)
        try:
            with _under(span, working):
                yield working
        finally:
            by: Facts = {"cmg.work": name, "cmg.outcome": working.came}
            self.measure("cmg.work.duration", time.monotonic() - begun, by)

    def saved(self, deployment_id: str, revision: int, facts: Facts) -> None:
        if not _is_working():
            return
        self._ids.lay_down(0, save_of(deployment_id, revision))
        told = exported({**facts, "cmg.deployment.id": deployment_id, "cmg.revision": revision})
        self._tracer.start_span("saved", attributes=told).end()

    @contextmanager
    def calling(self, service: str, name: str, facts: Facts) -> Iterator["Working"]:
        begun = time.monotonic()
        told = exported({**facts, "cmg.service": service})
        span = self._tracer.start_span(name, None, SpanKind.CLIENT, told) if _is_working() else trace.INVALID_SPAN
        working = Working(span)
        try:
            with _under(span, working):
                yield working
        finally:
            by: Facts = {"cmg.service": service, "cmg.method": name.partition(" ")[0], "cmg.came": working.came}
            self.count("cmg.calls", by)
            self.measure("cmg.call.duration", time.monotonic() - begun, {"cmg.service": service})

    def count(self, name: str, by: Facts) -> None:
        counter: Counter = self._counter(name)
        counter.add(1, exported(by))

    def measure(self, name: str, seconds: float, by: Facts) -> None:
        histogram: Histogram = self._histogram(name)
        histogram.record(seconds, exported(by))


class Working:
    """The ``Span`` port over a span that goes on."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.came = "ended"
        """What came of it, in a word or as an HTTP status: figures count by it."""

    def tell(self, facts: Facts) -> None:
        for name, fact in exported(facts).items():
            self._span.set_attribute(name, fact)
            if name in ("http.response.status_code", "cmg.outcome"):
                self.came = str(fact)
            if name == "http.response.status_code" and isinstance(fact, int) and fact >= SERVER_ERROR:
                self._span.set_status(Status(StatusCode.ERROR))


@contextmanager
def _under(span: trace.Span, working: "Working") -> Iterator[None]:
    """Let what is begun inside be the span's part. An error's text may hold anything: its kind has to do."""
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception):
                working.came = type(error).__name__
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def _is_working() -> bool:
    """Whether this is done for a deployment: all else has no trace."""
    return trace.get_current_span().is_recording()


def _place(deployment_id: str, span_id: int) -> SpanContext:
    return SpanContext(trace_of(deployment_id), span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _callers() -> list[Link]:
    """A link to whoever asked: a caller's span, or the host's of this invocation."""
    found = TraceContextTextMapPropagator().extract({"traceparent": caller()}, Context())
    context = trace.get_current_span(found).get_span_context()
    return [Link(context)] if context.is_valid else []

"""A collector on this machine: takes what exporters post, and reads the spans in it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

type Posted = list[tuple[str, bytes]]
"""Paths with bodies."""


def traces_in(posted: Posted) -> list[ResourceSpans]:
    """The traces, each with whose they are."""
    bodies = [body for path, body in posted if path == "/v1/traces"]
    return [each for body in bodies for each in ExportTraceServiceRequest.FromString(body).resource_spans]


def spans_in(posted: Posted) -> list[Span]:
    """All spans."""
    return [span for each in traces_in(posted) for scope in each.scope_spans for span in scope.spans]


def facts_of(span: Span) -> dict[str, str]:
    """A span's facts that are texts."""
    return {pair.key: pair.value.string_value for pair in span.attributes if pair.value.string_value}


@contextmanager
def taking() -> Iterator[tuple[str, Posted]]:
    """A server that takes whatever is posted: its address, and what it has taken."""
    taken: Posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body))
            answer = b'{"itemsReceived": 1, "itemsAccepted": 1, "errors": []}' if "track" in self.path else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

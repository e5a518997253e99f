"""IDs that need no memory: a deployment's ID tells its trace, its root, and the span of each save.

So that work after a wait of weeks, on another instance, finds the trace and what it goes on from, without a word in the
messages. Everything else has random IDs. An ID of 0 means none (W3C Trace Context, section 3.2.2), and is never made.
"""

import hashlib
from contextvars import ContextVar
from uuid import UUID

from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from cmg_core.domain.values import GUID


def trace_of(deployment_id: str) -> int:
    """The trace of a deployment: its GUID's 32 hex digits. 0 for what is no deployment's ID."""
    return UUID(deployment_id).int if GUID.fullmatch(deployment_id) else 0


def root_of(deployment_id: str) -> int:
    """The span under which all of a deployment's work lies."""
    return _derived(deployment_id, "root")


def save_of(deployment_id: str, revision: int) -> int:
    """The span of the one save that made a revision; the first was made with the root."""
    return root_of(deployment_id) if revision <= 1 else _derived(deployment_id, f"save {revision}")


def _derived(deployment_id: str, what: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{deployment_id} {what}".encode()).digest()[:8]) or 1


class Ids(IdGenerator):
    """Random IDs, but where the next one is laid down."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._next: ContextVar[tuple[int, int]] = ContextVar("next", default=(0, 0))

    def lay_down(self, trace_id: int, span_id: int) -> None:
        """The next span that is begun in this context has these IDs."""
        self._next.set((trace_id, span_id))

    def generate_trace_id(self) -> int:
        return self._next.get()[0] or self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        _, span_id = self._next.get()
        self._next.set((0, 0))
        return span_id or self._random.generate_span_id()

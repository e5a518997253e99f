"""By what one call, or one run of a step, is found again: in answers, history, the log, and Azure's own logs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

_CORRELATION = ContextVar("correlation", default="")
_CALLER = ContextVar("caller", default="")
_HEX = re.compile(r"[0-9a-f]{32}")


@contextmanager
def correlated(id: str, caller: str = "") -> Iterator[None]:
    """What is done inside is found again by this ID. ``caller`` is the `traceparent` of whoever asked for it."""
    token, callers = _CORRELATION.set(id), _CALLER.set(caller)
    try:
        yield
    finally:
        _CORRELATION.reset(token)
        _CALLER.reset(callers)


def correlation_id() -> str:
    """The ID of what is being done; empty where nobody gave one."""
    return _CORRELATION.get()


def caller() -> str:
    """The `traceparent` of whoever asked for what is being done (W3C Trace Context); empty where nobody gave one."""
    return _CALLER.get()


def correlation_guid() -> str:
    """The same as a GUID, as Azure takes it; empty where it is none."""
    found = _CORRELATION.get().replace("-", "").lower()
    return str(UUID(found)) if _HEX.fullmatch(found) else ""

"""By what one call, or one run of a step, is found again: in answers, history, the log, and Azure's own logs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

_CORRELATION = ContextVar("correlation", default="")
_HEX = re.compile(r"[0-9a-f]{32}")


@contextmanager
def correlated(id: str) -> Iterator[None]:
    """What is done inside is found again by this ID."""
    token = _CORRELATION.set(id)
    try:
        yield
    finally:
        _CORRELATION.reset(token)


def correlation_id() -> str:
    """The ID of what is being done; empty where nobody gave one."""
    return _CORRELATION.get()


def correlation_guid() -> str:
    """The same as a GUID, as Azure takes it; empty where it is none."""
    found = _CORRELATION.get().replace("-", "").lower()
    return str(UUID(found)) if _HEX.fullmatch(found) else ""

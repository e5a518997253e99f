"""The seam to Microsoft's Python worker library: indexing an app and invoking its functions.

Source: the package azure-functions-runtime 1.3.0, `handle_event` and `native_invocation`. Nothing else in the host
knows that library.
"""

import asyncio
import json
import logging
import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

from azure_functions_runtime import handle_event, native_invocation
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.utils.threadpool import start_threadpool_executor

from local.host.settings import HostError

log = logging.getLogger("local.host")


class _Record(SimpleNamespace):
    """Stands for a protobuf message: the library only fills it and reads it back."""


class _BindingInfo(_Record):
    inout, out, undefined = 2, 1, 0

    class Direction:
        @staticmethod
        def Value(name: str) -> int:
            return {"in": 0, "out": 1, "inout": 2}[name]


@dataclass(frozen=True)
class Function:
    """An indexed function: its trigger's binding as function.json would show it."""

    name: str
    function_id: str
    trigger: Mapping[str, object]

    @property
    def kind(self) -> str:
        return str(self.trigger["type"])

    @property
    def parameter(self) -> str:
        return str(self.trigger["name"])

    def text(self, key: str, default: str = "") -> str:
        value = self.trigger.get(key)
        return default if value is None else str(value)


@dataclass(frozen=True)
class Result:
    """How an invocation ended; `value` is what it returned, None where it returned nothing."""

    ok: bool
    value: Datum | None = None


TRIGGERS = ("httpTrigger", "queueTrigger", "timerTrigger")


def index(app: Path) -> list[Function]:
    """Imports `function_app.py` of the folder and lists its functions.

    Raises:
        HostError: the app has no function, or one whose bindings this host does not serve.
        Exception: whatever importing the app raises.
    """
    handle_event.protos = SimpleNamespace(
        RpcFunctionMetadata=_Record, RpcRetryOptions=_Record, BindingInfo=_BindingInfo
    )
    load_binding_registry()
    start_threadpool_executor()
    sys.path.insert(0, str(app))
    os.chdir(app)
    handle_event.load_function_metadata(str(app), caller_info="local.host")
    if not handle_event._metadata_result:
        raise HostError(f"{app}/function_app.py registers no function")
    return [_function(found.name, found.function_id, found.raw_bindings) for found in handle_event._metadata_result]


def _function(name: str, function_id: str, raw_bindings: list[str]) -> Function:
    bindings: list[dict[str, object]] = [json.loads(raw) for raw in raw_bindings]
    triggers = [binding for binding in bindings if binding["type"] in TRIGGERS]
    others = [str(binding["type"]) for binding in bindings if binding not in triggers and binding["type"] != "http"]
    if len(triggers) != 1 or others:
        raise HostError(
            f"the function {name} has bindings that this host does not serve: {', '.join(others) or 'no trigger'}"
        )
    return Function(name, function_id, triggers[0])


async def invoke(function: Function, datum: Datum, metadata: Mapping[str, Datum], timeout: timedelta | None) -> Result:
    """Runs a function once. Its exceptions and its time-out end here: they are in the result and in the log."""
    invocation = str(uuid.uuid4())
    try:
        async with asyncio.timeout(timeout.total_seconds() if timeout else None):
            ok, value, _, _, _ = await native_invocation.invocation_request_native(
                invocation, function.function_id, [(function.parameter, datum)], dict(metadata)
            )
    except TimeoutError:
        log.error("function %s ran longer than functionTimeout, %s", function.name, timeout)
        ok, value = False, None
    if not ok:
        log.error("function %s failed, invocation %s", function.name, invocation)
    return Result(ok, value)

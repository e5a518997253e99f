"""Azure's long-running operations: where a write's operation is looked at, and what a look shows.

Source: Microsoft Learn, "Track asynchronous Azure operations".
"""

from collections.abc import Mapping
from datetime import datetime

from cmg_core.azure.errors import meaning, retry_after, said
from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.values import Json, JsonObject, text_at
from cmg_core.services import OperationLook, OperationState, Started

ENDED_BADLY = ("failed", "canceled")

NOT_THE_OPERATIONS = (401, 403)
"""Refusals of the look, which say nothing of the operation."""


def started(status: int, headers: Mapping[str, str], body: Json, now: datetime) -> Started:
    """What a write's answer starts. ``Location`` counts only on a 202: on a 201 it may name the resource."""
    address = headers.get("Azure-AsyncOperation") or (headers.get("Location") if status == 202 else None)
    document: JsonObject = body if isinstance(body, dict) else {}
    return Started(document, address, retry_after(headers, now)) if address else Started(document)


def look(status: int, headers: Mapping[str, str], body: Json, where: str, now: datetime) -> OperationLook:
    """What a look at an operation shows: its ``status`` where it has one, else what HTTP says (202 runs, 4xx failed).

    An operation that Azure no longer knows (404) is over: what stands tells how it ended. Raises TryAgain and
    AzureRefused where the look itself failed.
    """
    if status >= 400:
        refusal = meaning(status=status, headers=headers, body=body, where=where, now=now)
        if not isinstance(refusal, AzureRefused) or status in NOT_THE_OPERATIONS or not refusal.code:
            raise refusal
        if status == 404:
            return OperationLook(OperationState.SUCCEEDED)
        return OperationLook(OperationState.FAILED, code=refusal.code, message=refusal.message)
    state = text_at(body, "status").lower()
    if state in ENDED_BADLY:
        told = said(body)
        return OperationLook(OperationState.FAILED, code=told.code or state.capitalize(), message=told.message)
    if state not in ("", "succeeded") or (not state and status == 202):
        return OperationLook(OperationState.RUNNING, retry_after(headers, now))
    return OperationLook(OperationState.SUCCEEDED)

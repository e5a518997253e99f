"""What Azure's errors mean: try again, refused, or changed meanwhile. The status decides before the code."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

from cmg_core.domain.errors import AzureRefused, ChangedMeanwhile, Throttled, TryAgain
from cmg_core.domain.record import LONGEST_CALL
from cmg_core.domain.values import Json, JsonObject, objects_at, text_at
from cmg_core.services import Clock

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.core.rest import AsyncHttpResponse

ANSWER_SHARE = 5 / 6
"""How much of a call's time-out its answer may take, sign-in included: less than what a claim must cover."""

BUSY_STATUSES = frozenset({408, 429})
BUSY_CODES = frozenset(
    {
        "anotheroperationinprogress",
        "operationpreempted",
        "referencedresourcenotprovisioned",
        "resourcegroupbeingdeleted",
        "retryableerror",
        "retryableerrorduetoanotheroperation",
        "storageaccountoperationinprogress",
    }
)
"""Codes of a 409 that waiting cures (Microsoft Learn, "Troubleshoot common Azure deployment errors")."""

LONGEST_PAUSE = timedelta(days=1)
"""No Retry-After is believed beyond this."""

LONGEST_MESSAGE = 2000
"""Characters of Azure's text that are handed on."""

QUERY = re.compile(r"(https?://[^\s?'\"<>]+)\?(?!linkid=\d+\b)[^\s'\"<>]*")
TOKEN = re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+|\beyJ[\w-]+\.[\w.-]+")


@dataclass(frozen=True)
class Said:
    """What an error body says, in the same words whatever its shape."""

    code: str = ""
    message: str = ""
    codes: frozenset[str] = frozenset()
    """Its code and those of its details, in lower case."""


def said(body: Json) -> Said:
    """Read an error body.

    Shapes: the envelope ``{"error": {…}}``, the bare ``{"code", "message"}`` of Azure DNS, capitalised keys as in
    failed deletions of resource groups, Key Vault's ``innererror`` (Microsoft REST API Guidelines, "Error condition
    responses"), and a sign-in's ``{"error": "…", "error_description": "…"}`` (RFC 6749, 5.2).
    """
    lowered = _lowered(body)
    if isinstance(lowered, dict) and isinstance(lowered.get("error"), str):
        return Said(code=text_at(lowered, "error"), message=clean(text_at(lowered, "error_description")))
    error = lowered["error"] if isinstance(lowered, dict) and isinstance(lowered.get("error"), dict) else lowered
    details = objects_at(error, "details")
    code, inner = text_at(error, "code"), text_at(error, "innererror", "code")
    told = [inner and f"{inner}:", text_at(error, "message"), *(text_at(detail, "message") for detail in details)]
    codes = {code, inner, *(text_at(detail, "code") for detail in details)}
    return Said(
        code=code,
        message=clean(" ".join(dict.fromkeys(text for text in told if text))),
        codes=frozenset(one.lower() for one in codes if one),
    )


def json_of(text: str) -> Json:
    """A body as JSON; None for an empty one or none at all."""
    try:
        body: Json = json.loads(text)
    except ValueError:
        return None
    return body


def document_of(text: str) -> JsonObject:
    """A body that must be a JSON object. Raises TryAgain where it is not: a proxy or a gateway has answered."""
    body = json_of(text)
    if not isinstance(body, dict):
        raise TryAgain("what answered was not Azure: no JSON object came back (a proxy's page?)")
    return body


def clean(text: str) -> str:
    """A text without tokens and without the query strings of addresses (operation addresses are signed)."""
    return QUERY.sub(r"\1?…", TOKEN.sub("«token»", text))[:LONGEST_MESSAGE]


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta:
    """Azure's ``Retry-After``: whole seconds or an HTTP date (RFC 9110, 10.2.3); nothing where it says neither."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), LONGEST_PAUSE)
    at = moment_of(value)
    return min(max(at - now, timedelta()), LONGEST_PAUSE) if at else timedelta()


def moment_of(date: str) -> datetime | None:
    """An HTTP date (RFC 9110, 5.6.7); None for what is none."""
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # the latter for a number that no date can hold
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)


def meaning(
    *, status: int, headers: Mapping[str, str], body: Json, where: str, now: datetime
) -> TryAgain | AzureRefused | ChangedMeanwhile:
    """What an error answer means. ``where`` is the path that was asked."""
    told = said(body)
    if status == 412:
        return ChangedMeanwhile(f"{where}: {told.message or 'it was changed by somebody else'}")
    if status in BUSY_STATUSES or status >= 500 or (status == 409 and told.codes & BUSY_CODES):
        text = " ".join(part for part in (str(status), told.code, told.message) if part)
        kind = Throttled if status == 429 and not told.codes & BUSY_CODES else TryAgain
        return kind(f"Azure asks to wait at {where}: {text}", retry_after(headers, now))
    return AzureRefused(status=status, code=told.code, message=told.message, target=where)


@asynccontextmanager
async def told_plainly(where: str, clock: Clock, call: timedelta = LONGEST_CALL) -> AsyncIterator[None]:
    """Give a call to Azure its time-out, and turn what goes wrong into the domain's errors."""
    from azure.core.exceptions import AzureError, DecodeError, HttpResponseError

    within = call.total_seconds() * ANSWER_SHARE
    try:
        async with asyncio.timeout(within):
            yield
    except TimeoutError:
        raise TryAgain(f"Azure did not answer within {within:.3g} s at {where}") from None
    except (DecodeError, json.JSONDecodeError):
        raise TryAgain(f"what answered at {where} was not Azure: no JSON came back (a proxy's page?)") from None
    except HttpResponseError as error:
        if error.response is None:
            raise _without_answer(error, where) from None
        raise _of_answer(error, where, clock.now()) from None
    except AzureError as error:
        raise TryAgain(f"the connection to Azure failed at {where}: {clean(error.message)}") from None


def _of_answer(error: "HttpResponseError", where: str, now: datetime) -> TryAgain | AzureRefused | ChangedMeanwhile:
    """The meaning of an error that carries an answer; the error's own text where the answer's body says nothing."""
    response = cast("AsyncHttpResponse", error.response)
    body = json_of(response.text())
    if not said(body).message:
        body = {"code": said(body).code, "message": error.message}
    return meaning(status=response.status_code, headers=response.headers, body=body, where=where, now=now)


def _without_answer(error: "HttpResponseError", where: str) -> AzureRefused:
    """No identity to sign in with: nothing was sent."""
    return AzureRefused(
        status=401,
        code="CredentialUnavailable",
        message=f"{clean(error.message)} Give the function app an identity (CMG_CLIENT_ID names a user-assigned one).",
        target=where,
    )


def _lowered(body: Json) -> Json:
    """The body with its keys in lower case."""
    if isinstance(body, dict):
        return {key.lower(): _lowered(value) for key, value in body.items()}
    return [_lowered(item) for item in body] if isinstance(body, list) else body

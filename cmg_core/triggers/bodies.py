"""Bodies of calls: from bytes to JSON that nothing behind this file stumbles over. No text of a body is repeated."""

import json
import math
import re
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from cmg_core.domain.findings import blocks
from cmg_core.domain.problems import Finding, Problem
from cmg_core.domain.requests import is_scale_set_id
from cmg_core.domain.validation import InvalidRequest, repeated
from cmg_core.domain.values import Frozen, Json, JsonObject, Moment, Text, written_out
from cmg_core.notify.addresses import LONGEST_URL
from cmg_core.notify.cloud_events import TYPES
from cmg_core.refusals import CallRefused

LARGEST_BODY = 256 * 1024
DEEPEST = 32
LARGEST_NUMBER = 2**53
"""Beyond it senders and readers no longer agree on a whole number (RFC 7493, section 2.2)."""
MOST_FINDINGS = 50
LARGEST_COUNT = 10_000_000

# What is shown to those who sent nothing.
A_PERSONS_CALL = '{"by": "change.manager@contoso.com", "reason": "CHG0031337"}'
AN_EXTENSION = '{"by": "change.manager@contoso.com", "reason": "CHG0031337", "until": "2026-12-01T08:00:00Z"}'
AN_ADDRESS = '{"callback_url": "https://tickets.contoso.com/events"}'
A_REQUEST = '{"provisioned_by": "automation", …} (with curl: `-d @request.json`). `GET /api/docs` has whole requests.'

_PLAIN_KEY = re.compile(r"[a-z][a-z_-]{0,39}")


class PersonsCall(Frozen):
    """Who asks for something, and why."""

    by: Text
    reason: Text


class ExtendCall(PersonsCall):
    """Who asks for a longer grace period, why, and until when."""

    until: Annotated[Moment, BeforeValidator(written_out)]


class GateCall(PersonsCall):
    """Who opens a gate, and why."""

    payload: JsonObject = Field(default_factory=dict, max_length=0, json_schema_extra={"maxProperties": 0})
    """For the gates that take one."""


class MadePayload(Frozen):
    """The gateway that the site has made."""

    resource_id: Annotated[str, AfterValidator(is_scale_set_id)]


class GatewayCreatedCall(PersonsCall):
    """Who says that the site has made the gateway, and which scale set it is; on the way back, that it is removed."""

    payload: MadePayload | None = None


class FiguresPayload(Frozen):
    """What the site counted: figures, never names of devices."""

    active: Annotated[int, Field(ge=0, le=LARGEST_COUNT, strict=True)]
    moved: Annotated[int, Field(ge=0, le=LARGEST_COUNT, strict=True)]
    silent_since: Annotated[Moment, BeforeValidator(written_out)] | None = None

    @model_validator(mode="after")
    def _is_a_part(self) -> Self:
        if self.moved > self.active:
            raise ValueError("more have moved than were active")
        return self


class ClientsMovedCall(PersonsCall):
    """Who reports how many clients have moved; without figures, who decides to go on without those that are missing."""

    payload: FiguresPayload | None = None


SOMEBODY = "somebody"
"""Who does not say who it is."""
_SEQUENCE = "([0-9a-f-]{36}-)?[0-9]{13}"


def _is_sequence(text: str) -> str:
    if not re.fullmatch(_SEQUENCE, text):
        raise ValueError("no sequence of an event")
    return text


def _is_type(text: str) -> str:
    if text not in TYPES:
        raise ValueError("no type of event")
    return text


_EventType = Annotated[str, AfterValidator(_is_type), WithJsonSchema({"type": "string", "enum": [*TYPES]})]
_Sequence = Annotated[
    str, AfterValidator(_is_sequence), WithJsonSchema({"type": "string", "pattern": f"^{_SEQUENCE}$"})
]


class SubscribeCall(Frozen):
    """Who wants a deployment's events posted, where, and which."""

    callback_url: Annotated[str, StringConstraints(max_length=LONGEST_URL)]
    """An https address on the internet. It is a secret, and never shown."""
    types: tuple[_EventType, ...] = ()
    """Which events; none named means all."""
    by: Text = SOMEBODY


class RedeliverCall(Frozen):
    """From which event on events are to be posted anew."""

    sequence: _Sequence | None = None
    """The `sequence` or the `id` of an event; left out: from where delivery stands."""
    by: Text = SOMEBODY


def read_json(raw: bytes, such_as: str = A_PERSONS_CALL) -> Json:
    """The JSON value of a body. Raises CallRefused: 413 for a body above 256 KiB, 400 for one that is no plain JSON, or
    is empty: then with what the call takes, ``such_as`` this."""
    if len(raw) > LARGEST_BODY:
        raise CallRefused(
            Problem(
                code="body-too-large",
                title="The body is too large",
                detail=f"The body has {len(raw)} bytes; a call takes at most {LARGEST_BODY}.",
                cure="Send only the keys that the call knows; a request needs a few kilobytes.",
                status=413,
            )
        )
    if not raw.strip():
        raise _unreadable("The body is empty.", f"Send JSON, such as {such_as}")
    try:
        body: Json = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise _unreadable(f"The byte at position {error.start} is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise _unreadable(f"The body is no JSON at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _unreadable("The body holds a number with thousands of digits.") from None
    _check_values(body)
    return body


def read_call[Asked: PersonsCall](body: Json, kind: type[Asked]) -> Asked:
    """What a person asks for. Raises InvalidRequest with a finding for each mistake."""
    if not isinstance(body, dict):
        cure = "Send an object with `by` and `reason`."
        raise InvalidRequest([blocks("not-an-object", "The body is no JSON object.", cure)])
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        known = tuple(kind.model_fields)
        raise InvalidRequest(
            [_finding(d["type"], [str(part) for part in d["loc"]], known) for d in details[:MOST_FINDINGS]]
        ) from None


def _finding(mistake: str, place: Sequence[str], known: Sequence[str]) -> Finding:
    key, shown = place[-1], repeated(place[-1])
    pointer = "".join(f"/{repeated(part).replace('~', '~0').replace('/', '~1')}" for part in place)
    if place[0] not in known or mistake == "extra_forbidden":
        nested = f" of `{repeated(place[0])}`" if len(place) > 1 else ""
        cure = (
            f"Leave it out{nested}."
            if nested
            else f"Leave it out. Known here: {', '.join(f'`{each}`' for each in known)}."
        )
        return blocks("unknown-key", f"`{shown}` is not a key of this call.", cure, pointer=pointer)
    if (key, mistake) == ("payload", "too_long"):
        seen = "This gate takes no payload: it would be lost."
        return blocks("payload-not-taken", seen, "Leave it out, and say what matters in `reason`.", pointer=pointer)
    return wrong_at(key, mistake, _CURES[key], pointer)


def wrong_at(key: str, mistake: str, cure: str, pointer: str) -> Finding:
    """What is wrong with a key that a call knows; ``mistake`` is the type of pydantic's error. No value is repeated."""
    match mistake:
        case "missing":
            return blocks("missing-key", f"`{key}` is missing.", cure, pointer=pointer)
        case "string_too_short":
            return blocks("bad-value", f"`{key}` is empty.", cure, pointer=pointer)
    return blocks("bad-value", f"`{key}` has a value that it does not take.", cure, pointer=pointer)


_CURES = {
    "by": "Give who asks for it, such as «change.manager@contoso.com»: a text of at most 1024 characters.",
    "reason": "Give why, such as a ticket's number: a text of at most 1024 characters.",
    "until": "Give the new end as RFC 3339 has it, with its offset from UTC, such as `2026-12-01T08:00:00Z`.",
    "payload": "Give an object as the gate's `what_to_do` says, or leave it out where that says nothing of one.",
    "resource_id": "Give the full resource ID of the new gateway's scale set.",
    "active": "Give how many internet clients were active lately, a whole number.",
    "moved": "Give how many of these know or have used the new gateway, a whole number not above `active`.",
    "silent_since": "Give the moment since which the longest silent of the others has not been heard of, with offset.",
}


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    keys = [key for key, _ in pairs]
    twice = next(key for key in keys if keys.count(key) > 1)
    shown = f" (`{twice}`)" if _PLAIN_KEY.fullmatch(twice) else ""
    raise _unreadable(f"An object holds the same key twice{shown}: which one counts is anybody's guess.")


def _constant(name: str) -> Json:
    raise _unreadable(f"{name} is no JSON number.")


def _check_values(body: Json) -> None:
    here = [body]
    for _ in range(DEEPEST):
        for value in here:
            _check_value(value)
        here = [inner for value in here for inner in _inside(value)]
        if not here:
            return
    raise _too_deep()


def _inside(value: Json) -> list[Json]:
    match value:
        case dict():
            return [*value.keys(), *value.values()]
        case list():
            return value
    return []


def _check_value(value: Json) -> None:
    match value:
        case str() if any("\ud800" <= character <= "\udfff" for character in value):
            raise _unreadable("A text holds half of a surrogate pair.")
        case float() if not math.isfinite(value):
            raise _unreadable("A number is larger than a double can hold.")
        case int() if abs(value) > LARGEST_NUMBER:
            raise _unreadable(f"A whole number lies beyond {LARGEST_NUMBER}.")


def _too_deep() -> CallRefused:
    return _unreadable(f"The body nests objects and lists more than {DEEPEST} deep.")


def _unreadable(
    detail: str, cure: str = "Send one JSON object (RFC 8259) in UTF-8, with each key once."
) -> CallRefused:
    return CallRefused(
        Problem(
            code="unreadable-body",
            title="The body cannot be read as JSON",
            detail=detail,
            cure=cure,
            status=400,
        )
    )

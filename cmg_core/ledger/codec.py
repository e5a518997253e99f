"""How records and messages lie in storage: a row's columns, the bytes of a state, the text of a queue message."""

import base64
import json
import logging
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic import Json as FromJson

from cmg_core.domain.errors import NewerSchema, TooLarge, UnreadableRow
from cmg_core.domain.principals import NOBODY, Principal
from cmg_core.domain.record import MESSAGE, SCHEMA, STATE, Ask, Claim, Event, Message, Record, Requested, State, Status
from cmg_core.domain.requests import ReplacementRequest, held_gateway
from cmg_core.domain.values import JsonObject, Moment
from cmg_core.ledger.seals import Seals
from cmg_core.notify.subscription import Subscription
from cmg_core.services import ActiveRow, Save, Throttle

log = logging.getLogger("cmg.ledger")

# A table's row as the client takes and gives it: text, whole numbers and bytes by column.
type Columns = dict[str, str | int | bytes]
# A row as it was read, whoever wrote it: what its columns hold is not believed yet.
type Row = Mapping[str, object]

LARGEST_PROPERTY = 65_536
"""Bytes of one binary property (Microsoft Learn, "Understanding the Table service data model")."""
LARGEST_BODY = 49_152
"""Bytes of a queue message's text before base64 makes 65,536 of them (engine-protocol, "Storage shape")."""


def _since_the_first_release(noted: object) -> object:
    """The first release noted calls for gates only, and did not say so."""
    return {"ask": Ask.OPEN_GATE, **noted} if isinstance(noted, dict) else noted


REQUESTED = TypeAdapter(tuple[Annotated[Requested, BeforeValidator(_since_the_first_release)], ...])
EVENT = TypeAdapter(Event)
PRINCIPAL = TypeAdapter(Principal)
SUBSCRIPTION = TypeAdapter(Subscription)


def pack(state: State) -> bytes:
    """A state as UTF-8 JSON, compressed where it would not fit. Raises TooLarge where that is not enough either."""
    plain = STATE.dump_json(state, by_alias=True)
    packed = plain if len(plain) <= LARGEST_PROPERTY else zlib.compress(plain)
    if len(packed) > LARGEST_PROPERTY:
        raise TooLarge(f"the deployment's state takes {len(packed)} bytes: the ledger's row holds {LARGEST_PROPERTY}")
    return packed


def unpack(packed: bytes) -> State:
    """The state that ``pack`` made these bytes of. Raises ValueError for bytes that it did not make."""
    try:
        return STATE.validate_json(packed if packed.startswith(b"{") else zlib.decompress(packed))
    except zlib.error:
        raise ValueError("neither JSON nor compressed") from None


def created_columns(record: Record) -> Columns:
    """What a record's row holds from its first day on; later writes merge into it and leave the rest alone."""
    return {
        "schema": record.schema,
        "revision": record.revision,
        "step": record.step,
        "status": record.status,
        "state": pack(record.state),
        "wake_at": _text(record.wake_at),
        "sends": record.sends,
        "saved_by": record.saved_by,
        "created_at": _text(record.created_at),
        "updated_at": _text(record.updated_at),
        "gateway": record.gateway,
        "body_hash": record.body_hash,
        "asked_by": PRINCIPAL.dump_json(record.asked_by).decode(),
        "requested": REQUESTED.dump_json(record.requested).decode(),
        "subscribed": int(record.subscribed),
        **claim_columns(record.claim),
    }


def saved_columns(save: Save) -> Columns:
    """What a save changes in a record's row."""
    return {
        "schema": SCHEMA,
        "revision": save.revision,
        "step": save.step,
        "status": save.status,
        "state": pack(save.state),
        "wake_at": _text(save.wake_at),
        "sends": 0,
        "saved_by": save.saved_by,
        "updated_at": _text(save.updated_at),
        "requested": "[]",
        **claim_columns(None),
    }


def claim_columns(claim: Claim | None) -> Columns:
    """A claim's columns. They are emptied, not removed: a merge cannot take a column out of a row."""
    if claim is None:
        return {"claim_invocation": "", "claim_message": "", "claim_until": ""}
    return {
        "claim_invocation": claim.invocation,
        "claim_message": claim.message_id,
        "claim_until": _text(claim.until),
    }


def subscribed_columns() -> Columns:
    """What the first subscription changes in a record's row."""
    return {"subscribed": 1}


def touched_columns(wake_at: datetime, sends: int) -> Columns:
    """What ``wake-due`` changes in a record's row."""
    return {"wake_at": _text(wake_at), "sends": sends}


def active_columns(of: Record | Save) -> Columns:
    """What lists show of a deployment."""
    return {
        "step": of.step,
        "status": of.status,
        "gateway": held_gateway(of.state.request),
        "wake_at": _text(of.wake_at),
        "updated_at": _text(of.updated_at),
        "summary": json.dumps(summary(of.state)),
        "schema": SCHEMA,
    }


def summary(state: State) -> JsonObject:
    """What lists show and filter by, besides the row's own columns."""
    request = state.request
    old = request.old_gateway.service_name if isinstance(request, ReplacementRequest) else None
    planned = state.plan.names.service_name if state.plan and state.plan.names else None
    return {
        "service_name": planned or request.service_name or old,
        "external_reference": request.external_reference,
        "subscription_id": request.subscription_id,
        "tenant_id": request.tenant_id,
        "grace_ends_at": _text(state.grace_ends_at),
    }


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        raise ValueError("a moment is a text")
    return datetime.fromisoformat(text) if text else None


def _unpacked(packed: object) -> State:
    if not isinstance(packed, bytes):
        raise ValueError("a state is bytes")
    return unpack(packed)


Count = Annotated[int, Field(ge=0, lt=2**31)]
StoredMoment = Annotated[Moment, BeforeValidator(_moment)]
StoredMomentOrNone = Annotated[Moment | None, BeforeValidator(_moment)]
StoredStatus = Annotated[Status, Field(strict=False)]


class _Columns(BaseModel):
    """A row's columns, each of its kind. What else a row holds does not matter: another release may know it."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class _OfAnyRelease(_Columns):
    release: Annotated[Count, Field(alias="schema")]


class _RecordColumns(_Columns):
    revision: Count
    step: str
    status: StoredStatus
    state: Annotated[State, BeforeValidator(_unpacked)]
    created_at: StoredMoment
    updated_at: StoredMoment
    gateway: str
    body_hash: str
    wake_at: StoredMomentOrNone
    sends: Count
    saved_by: str
    claim_invocation: str
    claim_message: str
    claim_until: StoredMomentOrNone
    requested: Annotated[tuple[Requested, ...], BeforeValidator(REQUESTED.validate_json)]
    asked_by: Annotated[Principal, BeforeValidator(PRINCIPAL.validate_json)] = NOBODY
    """Rows of earlier releases do not say it."""
    subscribed: Count = 0
    """Not in the rows of earlier releases."""


class _ListedColumns(_Columns):
    step: str
    status: StoredStatus
    gateway: str
    wake_at: StoredMomentOrNone
    updated_at: StoredMoment
    summary: FromJson[JsonObject]
    release: Annotated[Count, Field(alias="schema")] = 1


class _ThrottleColumns(_Columns):
    throttled_until: StoredMoment
    told_seconds: Count


class _EventColumns(_Columns):
    event: Annotated[Event, BeforeValidator(EVENT.validate_json)]


class _SubscriptionColumns(_Columns):
    subscription: Annotated[Subscription, BeforeValidator(SUBSCRIPTION.validate_json)]


class _ReservationColumns(_Columns):
    deployment: str


def _read[Kind: _Columns](kind: type[Kind], what: str, row: Row) -> Kind:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        columns = {str(each["loc"][0]) for each in error.errors(include_input=False, include_context=False)}
        raise UnreadableRow(what, sorted(columns)) from None


def record_of(deployment_id: str, row: Row) -> Record:
    """The record that a row holds.

    Raises NewerSchema for one that only a newer release understands, UnreadableRow for one that no release wrote.
    """
    what = f"the record of deployment {deployment_id}"
    schema = _read(_OfAnyRelease, what, row).release
    if schema > SCHEMA:
        raise NewerSchema(
            f"deployment {deployment_id} was last saved by a newer release (schema {schema}, this one knows "
            f"{SCHEMA}): run that release again to carry it on; nothing was changed"
        )
    read = _read(_RecordColumns, what, row)
    return Record(
        id=deployment_id,
        revision=read.revision,
        step=read.step,
        status=read.status,
        state=read.state,
        created_at=read.created_at,
        updated_at=read.updated_at,
        gateway=read.gateway,
        body_hash=read.body_hash,
        wake_at=read.wake_at,
        sends=read.sends,
        saved_by=read.saved_by,
        claim=Claim(read.claim_invocation, read.claim_message, read.claim_until) if read.claim_until else None,
        requested=read.requested,
        asked_by=read.asked_by,
        schema=schema,
        subscribed=bool(read.subscribed),
    )


def event_of(deployment_id: str, row: Row) -> Event:
    """The line of a history that a row holds. Raises UnreadableRow."""
    return _read(_EventColumns, f"an event of deployment {deployment_id}", row).event


def subscription_columns(subscription: Subscription) -> Columns:
    """A subscription's columns."""
    return {"subscription": SUBSCRIPTION.dump_json(subscription).decode()}


def subscription_of(row: Row) -> Subscription:
    """The subscription that a row holds. Raises UnreadableRow."""
    return _read(_SubscriptionColumns, "a subscription", row).subscription


def subscriptions_of[Read: Row](rows: Iterable[Read]) -> list[tuple[Subscription, Read]]:
    """The subscriptions of rows, each with its row. One that cannot be read hides no other."""
    found = []
    for row in rows:
        try:
            found.append((subscription_of(row), row))
        except UnreadableRow as reason:
            log.warning("%s", reason)
    return found


def holder_of(gateway: str, row: Row) -> str:
    """The deployment that a gateway's reservation names. Raises UnreadableRow."""
    return _read(_ReservationColumns, f"the reservation of {gateway}", row).deployment


def active_row_of(deployment_id: str, row: Row) -> ActiveRow:
    """The line of a list that a row holds. Raises UnreadableRow."""
    read = _read(_ListedColumns, f"the list's row of deployment {deployment_id}", row)
    return ActiveRow(
        id=deployment_id,
        step=read.step,
        status=read.status,
        gateway=read.gateway,
        wake_at=read.wake_at,
        updated_at=read.updated_at,
        summary=read.summary,
        schema=read.release,
    )


def listed(rows: Iterable[tuple[str, Row]]) -> list[ActiveRow]:
    """The lines of a list, by deployment ID. One that cannot be read (a newer release's) hides no other."""
    lines = []
    for deployment_id, row in rows:
        try:
            lines.append(active_row_of(deployment_id, row))
        except UnreadableRow as reason:
            log.warning("%s", reason, extra={"deployment_id": deployment_id})
    return lines


def is_at_work(row: Row) -> bool:
    """Whether a record's row, of which ``status`` is enough, is of a deployment that has not ended."""
    return row.get("status") not in {status for status in Status if status.is_end}


def throttle_columns(throttle: Throttle) -> Columns:
    """A throttled subscription's columns."""
    return {"throttled_until": throttle.until.isoformat(), "told_seconds": math.ceil(throttle.told.total_seconds())}


def throttles_of(rows: Iterable[tuple[str, Row]]) -> dict[str, Throttle]:
    """The notes of throttled subscriptions, by subscription ID. One that cannot be read is none."""
    notes = {}
    for subscription_id, row in rows:
        try:
            read = _read(_ThrottleColumns, f"the note of throttled subscription {subscription_id}", row)
        except UnreadableRow as reason:
            log.warning("%s", reason)
        else:
            notes[subscription_id] = Throttle(read.throttled_until, timedelta(seconds=read.told_seconds))
    return notes


def message_text(message: Message, seals: Seals) -> str:
    """A message as the queue takes it: sealed, base64 of UTF-8 JSON.

    The state stays behind where the body would be too large, and where it holds addresses of operations: those are
    read from the ledger only, so that nobody can forge where a token is sent.
    """
    carried = replace(message, state=None) if message.state and message.state.operations else message
    body = MESSAGE.dump_json(seals.sealed(carried), by_alias=True)
    if len(body) > LARGEST_BODY:
        body = MESSAGE.dump_json(seals.sealed(replace(message, state=None)), by_alias=True)
    return base64.b64encode(body).decode()


def notice_text(deployment_id: str) -> str:
    """The message that a deployment has news, as the queue takes it."""
    return base64.b64encode(json.dumps({"deployment_id": deployment_id}).encode()).decode()


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""

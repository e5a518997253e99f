"""How records and messages lie in storage: a row's columns, the bytes of a state, the text of a queue message."""

import base64
import json
import logging
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter

from cmg_core.domain.errors import NewerSchema, TooLarge
from cmg_core.domain.record import MESSAGE, SCHEMA, STATE, Ask, Claim, Event, Message, Record, Requested, State, Status
from cmg_core.domain.requests import MigrationRequest, held_gateway
from cmg_core.domain.values import JsonObject
from cmg_core.services import ActiveRow, Save, Throttle

log = logging.getLogger("cmg.ledger")

# A table's row as the client takes and gives it: text, whole numbers and bytes by column.
type Columns = dict[str, str | int | bytes]

LARGEST_PROPERTY = 65_536
"""Bytes of one binary property (Microsoft Learn, "Understanding the Table service data model")."""
LARGEST_BODY = 49_152
"""Bytes of a queue message's text before base64 makes 65,536 of them (engine-protocol, "Storage shape")."""


def _since_the_first_release(noted: Any) -> Any:
    """The first release noted calls for gates only, and did not say so."""
    return {"ask": Ask.OPEN_GATE, **noted} if isinstance(noted, dict) else noted


REQUESTED = TypeAdapter(tuple[Annotated[Requested, BeforeValidator(_since_the_first_release)], ...])
EVENT = TypeAdapter(Event)


def pack(state: State) -> bytes:
    """A state as UTF-8 JSON, compressed where it would not fit. Raises TooLarge where that is not enough either."""
    plain = STATE.dump_json(state, by_alias=True)
    packed = plain if len(plain) <= LARGEST_PROPERTY else zlib.compress(plain)
    if len(packed) > LARGEST_PROPERTY:
        raise TooLarge(f"the deployment's state takes {len(packed)} bytes: the ledger's row holds {LARGEST_PROPERTY}")
    return packed


def unpack(packed: bytes) -> State:
    """The state that ``pack`` made these bytes of."""
    return STATE.validate_json(packed if packed.startswith(b"{") else zlib.decompress(packed))


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
        "requested": REQUESTED.dump_json(record.requested).decode(),
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
    old = request.old_gateway.service_name if isinstance(request, MigrationRequest) else None
    planned = state.plan.names.service_name if state.plan and state.plan.names else None
    return {
        "service_name": planned or request.service_name or old,
        "external_reference": request.external_reference,
        "subscription_id": request.subscription_id,
    }


def record_of(deployment_id: str, row: Mapping[str, Any]) -> Record:
    """The record that a row holds. Raises NewerSchema for one that only a newer release understands."""
    if row["schema"] > SCHEMA:
        raise NewerSchema(
            f"deployment {deployment_id} was last saved by a newer release (schema {row['schema']}, this one knows "
            f"{SCHEMA}): run that release again to carry it on; nothing was changed"
        )
    return Record(
        id=deployment_id,
        revision=row["revision"],
        step=row["step"],
        status=Status(row["status"]),
        state=unpack(row["state"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        gateway=row["gateway"],
        body_hash=row["body_hash"],
        wake_at=_moment(row["wake_at"]),
        sends=row["sends"],
        saved_by=row["saved_by"],
        claim=_claim(row),
        requested=REQUESTED.validate_json(row["requested"]),
        schema=row["schema"],
    )


def active_row_of(deployment_id: str, row: Mapping[str, Any]) -> ActiveRow:
    """The line of a list that a row holds."""
    return ActiveRow(
        id=deployment_id,
        step=row["step"],
        status=Status(row["status"]),
        gateway=row["gateway"],
        wake_at=_moment(row["wake_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        summary=json.loads(row["summary"]),
        schema=row.get("schema", 1),
    )


def listed(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[ActiveRow]:
    """The lines of a list, by deployment ID. One that cannot be read (a newer release's) hides no other."""
    lines = []
    for deployment_id, row in rows:
        try:
            lines.append(active_row_of(deployment_id, row))
        except (KeyError, ValueError):
            log.warning("the list's row of deployment %s cannot be read: it was left alone", deployment_id)
    return lines


def is_at_work(row: Mapping[str, Any]) -> bool:
    """Whether a record's row, of which ``status`` is enough, is of a deployment that has not ended."""
    return row["status"] not in {status for status in Status if status.is_end}


def throttle_columns(throttle: Throttle) -> Columns:
    """A throttled subscription's columns."""
    return {"throttled_until": throttle.until.isoformat(), "told_seconds": math.ceil(throttle.told.total_seconds())}


def throttle_of(row: Mapping[str, Any]) -> Throttle:
    """The note that a row holds."""
    return Throttle(datetime.fromisoformat(row["throttled_until"]), timedelta(seconds=row["told_seconds"]))


def message_text(message: Message) -> str:
    """A message as the queue takes it: base64 of UTF-8 JSON.

    The state stays behind where the body would be too large, and where it holds addresses of operations: those are
    read from the ledger only, so that nobody can forge where a token is sent.
    """
    carried = replace(message, state=None) if message.state and message.state.operations else message
    body = MESSAGE.dump_json(carried, by_alias=True)
    if len(body) > LARGEST_BODY:
        body = MESSAGE.dump_json(replace(message, state=None), by_alias=True)
    return base64.b64encode(body).decode()


def _claim(row: Mapping[str, Any]) -> Claim | None:
    until = _moment(row["claim_until"])
    return None if until is None else Claim(row["claim_invocation"], row["claim_message"], until)


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

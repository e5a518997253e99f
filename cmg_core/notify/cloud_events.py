"""One event as receivers get it: CloudEvents 1.0, JSON, structured mode. Pure.

Attributes by "CloudEvents - Version 1.0.2", ``sequence`` by its extension of that name, the body's type by its "JSON
Event Format". Everything comes from the history's row and the record, so that a repeated post says the same.
"""

import json

from cmg_core.domain.record import Event, Happening, Record
from cmg_core.domain.values import Json, JsonObject

MEDIA_TYPE = "application/cloudevents+json"
TYPE_PREFIX = "cmg.deployment."
TYPES = tuple(f"{TYPE_PREFIX}{kind}" for kind in Happening)


def event_id(deployment_id: str, sequence: str) -> str:
    """The same each time this event is posted; without a full stop, which separates what is signed."""
    return f"{deployment_id}-{sequence}"


def cloud_event(record: Record, sequence: str, event: Event) -> JsonObject:
    """The event's whole body."""
    source = f"/api/deployments/{record.id}"
    return {
        "specversion": "1.0",
        "id": event_id(record.id, sequence),
        "source": source,
        "type": f"{TYPE_PREFIX}{event.kind}",
        "subject": f"gates/{event.gate}" if event.gate else f"steps/{event.step}",
        "time": event.at.isoformat(),
        "datacontenttype": "application/json",
        "sequence": sequence,
        "data": {
            "deployment_id": record.id,
            "external_reference": record.state.request.external_reference,
            "status": event.status,
            "step": event.step,
            "text": event.text,
            "gate": _gate(record, event),
            "problem": event.problem.as_problem_details(source) if event.problem else None,
            "correlation_id": event.correlation_id or None,
            "links": _links(source, record.id, event),
        },
    }


def body_of(body: JsonObject) -> bytes:
    """The bytes that are signed and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _gate(record: Record, event: Event) -> Json:
    """The event's gate, and while it waits who opens it and what is to be done."""
    gate = record.state.gate(event.gate) if event.gate else None
    if gate is None:
        return None
    told: JsonObject = {"name": gate.name, "opened_by": gate.opener, "what_to_do": gate.what_to_do}
    if event.kind is Happening.GATE_OPENED:
        told |= {"was_opened_by": gate.opened_by, "reason": gate.reason}
    return told


def _links(source: str, deployment_id: str, event: Event) -> JsonObject:
    links: JsonObject = {
        "deployment": source,
        "events": f"{source}/events",
        "operation": f"/api/operations/{deployment_id}",
    }
    if event.kind is Happening.GATE_WAITING:
        links["open_gate"] = f"{source}/gates/{event.gate}"
    return links

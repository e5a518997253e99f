"""Records, saves and events as tests need them."""

from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from cmg_core.domain.record import Event, Record, State, Status
from cmg_core.domain.requests import Request, held_gateway
from cmg_core.services import Save

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
SUBSCRIPTION = "5f0c9d6a-1b1e-4a52-9a51-0f6d0d7e4c11"

REQUEST = {
    "kind": "migration",
    "provisioned_by": "automation",
    "subscription_id": SUBSCRIPTION,
    "tenant_id": "8f7d4c3b-2a19-4c08-b7e6-d5f4c3b2a190",
    "resource_group": "rg-cmg-eastus",
    "region": "eastus",
    "certificate": {"vault": "https://kv-cmg.vault.azure.net", "name": "granitefalls"},
    "old_gateway": {
        "resource_id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-old/providers/Microsoft.ClassicCompute"
        "/domainNames/granitefalls",
        "service_name": "GraniteFalls.Contoso.Com",
    },
    "grace_period": "P2D",
    "gates": {"ready-to-cut-over": False, "clients-moved": {"share": 0.98}},
    "external_reference": "CHG0031337",
}


def a_state(**changes: object) -> State:
    """A state right after acceptance."""
    request = TypeAdapter[Request](Request).validate_python(REQUEST)
    return State(request=request, **changes)  # type: ignore[arg-type]


def a_record(id: str, state: State | None = None) -> Record:
    """A record as acceptance makes it."""
    state = state or a_state()
    return Record(
        id=id,
        revision=1,
        step="preflight",
        status=Status.RUNNING,
        state=state,
        created_at=NOW,
        updated_at=NOW,
        gateway=held_gateway(state.request),
        body_hash="0" * 64,
        wake_at=NOW + timedelta(minutes=15),
    )


def a_save(revision: int, status: Status = Status.RUNNING, state: State | None = None, saved_by: str = "m1") -> Save:
    """A save that hands on to register-providers."""
    later = NOW + timedelta(minutes=revision)
    return Save(revision, "register-providers", status, state or a_state(), later, saved_by, later)


def an_event(revision: int, text: str = "accepted") -> Event:
    return Event(NOW, "preflight", text, revision, "c0ffee")

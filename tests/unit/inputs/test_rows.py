"""Whatever the ledger's rows hold: one deployment is told to be unreadable, all others go on, nothing is destroyed."""

import asyncio
import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, cast

import azure.functions as func
from azure.data.tables import EntityProperty
from hypothesis import example, given
from hypothesis import strategies as st

from cmg_core.domain.errors import ClaimRunsOut, NewerSchema, TryAgain, UnreadableMessage, UnreadableRow
from cmg_core.domain.record import MESSAGE, Event, Message, Record, Status
from cmg_core.ledger import codec
from cmg_core.plan import STEPS
from cmg_core.services import ActiveRow, Services
from cmg_core.triggers.http import ROUTES
from cmg_core.triggers.queues import run_step
from cmg_core.triggers.timers import run_wake_due
from local.inprocess.memory import MemoryLedger
from tests.fakes import DEPLOYMENT, FakeServices
from tests.records import NOW, a_record, an_event
from tests.stories import after_grace
from tests.unit.inputs.odd import MARK, SECRETS, changed, examples, texts, values
from tests.unit.inputs.test_requests import MIGRATION, WISH
from tests.unit.triggers.callers import MemoryServices, call

GOOD = "44444444-4444-4444-4444-444444444444"
FORESEEN = (UnreadableMessage, UnreadableRow, NewerSchema, TryAgain, ClaimRunsOut)
RECORD = codec.created_columns(a_record(DEPLOYMENT, after_grace(FakeServices())))
LISTED = codec.active_columns(a_record(DEPLOYMENT, after_grace(FakeServices())))
STATE: dict[str, Any] = json.loads(cast(bytes, RECORD["state"]))

moments = st.datetimes() | st.datetimes(timezones=st.timezones())
cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(0, 3)
    | st.floats()
    | texts
    | st.binary(max_size=20)
    | moments
    | moments.map(datetime.isoformat)
    | values.map(json.dumps)
    | st.sampled_from([*Status, *SECRETS, *(step.name for step in STEPS)])
    | st.builds(EntityProperty, st.integers(0, 9), st.just("Edm.Int64"))
    | changed(STATE).map(lambda state: json.dumps(state).encode())
)
"""What a cell of a table can hold, as its client gives it."""


def rows(row: codec.Columns) -> st.SearchStrategy[dict[str, Any]]:
    """The row with some columns changed and some gone."""
    return st.builds(
        lambda cells, gone: {name: cell for name, cell in {**row, **cells}.items() if name not in gone},
        st.dictionaries(st.sampled_from([*row]), cells, max_size=3),
        st.sets(st.sampled_from([*row]), max_size=1),
    )


class Tampered(MemoryLedger):
    """A ledger in which somebody has changed rows by hand."""

    def tamper(self, record: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
        self._records[DEPLOYMENT].columns = dict(record)
        self._active[DEPLOYMENT] = dict(listed)

    def row(self) -> dict[str, Any]:
        return dict(self._records[DEPLOYMENT].columns)


def tampered(record: Mapping[str, Any], listed: Mapping[str, Any]) -> tuple[MemoryServices, Tampered]:
    """The app with a changed deployment and a good one, both overdue, and the gateway's reservation."""
    services, ledger = MemoryServices(), Tampered()
    services.ledger = ledger

    async def stand() -> None:
        for id in (DEPLOYMENT, GOOD):
            await ledger.create(a_record(id), [an_event(1)])
        await ledger.reserve(a_record(DEPLOYMENT, after_grace(FakeServices())).gateway, DEPLOYMENT)

    asyncio.run(stand())
    services.clock.at = datetime(2026, 12, 24, 8, 0, tzinfo=UTC)
    ledger.tamper(record, listed)
    return services, ledger


def is_unreadable(row: Mapping[str, Any]) -> bool:
    try:
        codec.record_of(DEPLOYMENT, row)
    except (UnreadableRow, NewerSchema):
        return True
    return False


@examples(4)
@given(rows(RECORD), rows(LISTED))
@example({**RECORD}, {**LISTED, "schema": 2})
@example({**RECORD, "schema": 2, "state": b"?"}, {**LISTED})
@example({}, {})
def test_a_changed_row_holds_up_no_other_and_is_not_destroyed(record: dict[str, Any], listed: dict[str, Any]) -> None:
    services, ledger = tampered(record, listed)
    unreadable = is_unreadable(record)

    asyncio.run(run_wake_due(lambda: cast(Services, services)))
    woken = [MESSAGE.validate_json(message.body) for message in services.queues.waiting]
    assert GOOD in {message.deployment_id for message in woken}

    for route in ROUTES:
        path = {"id": DEPLOYMENT, "gate": "cname"}
        body = MIGRATION if route.name in ("make-plan", "start-migration") else WISH
        answer = call(services, route.name, body, path=path)
        assert answer.status < 500 or answer.body["type"] in (
            "/api/problems/unreadable-row",
            "/api/problems/newer-release",
        ), answer.text
        assert MARK not in answer.text or answer.status < 400 or not unreadable
        assert "Traceback" not in answer.text
    assert call(services, "show-deployment", path={"id": GOOD}).status == 200
    shown = call(services, "list-deployments").body["deployments"]
    assert GOOD in {row["id"] for row in cast(list[dict[str, str]], shown)}
    asyncio.run(ledger.unlisted())

    for step in ("preflight", "retire-old-gateway"):
        body = MESSAGE.dump_json(Message(DEPLOYMENT, step, 1, "an older one"), by_alias=True)
        try:
            asyncio.run(run_step(lambda: cast(Services, services), step, func.QueueMessage(id="m", body=body), "i"))
        except FORESEEN as reason:
            assert MARK not in str(reason)
    assert not any(write.startswith("DELETE") for write in services.resource_manager.writes)
    if unreadable:
        assert ledger.row() == record


@given(st.dictionaries(st.sampled_from(["throttled_until", "told_seconds"]), cells))
def test_a_changed_note_of_throttling_holds_up_no_subscription(row: dict[str, Any]) -> None:
    codec.throttles_of([("s", row)])


@given(st.dictionaries(st.sampled_from(["event", "deployment"]), cells))
def test_a_changed_event_or_reservation_is_told_to_be_unreadable(row: dict[str, Any]) -> None:
    for read in (codec.event_of, codec.holder_of):
        try:
            assert isinstance(read("d", row), Event | str)
        except UnreadableRow as reason:
            assert MARK not in str(reason)


@given(rows(RECORD), rows(LISTED))
def test_a_row_is_read_as_what_it_says_or_not_at_all(record: dict[str, Any], listed: dict[str, Any]) -> None:
    before = deepcopy((record, listed))
    try:
        read: Record | ActiveRow = codec.record_of(DEPLOYMENT, record)
        assert isinstance(read, Record) and read.updated_at.utcoffset() is not None and read.revision >= 0
    except (UnreadableRow, NewerSchema) as reason:
        assert MARK not in str(reason)
    for read in codec.listed([(DEPLOYMENT, listed), (GOOD, LISTED)]):
        assert read.wake_at is None or read.wake_at.utcoffset() is not None
    assert (record, listed) == before or NOW.tzinfo is None

"""What the first release wrote is read for ever; what a newer one wrote is left alone.

``schema-1.json`` is frozen: a record's and a list's row, an event and a message as the first release wrote them, in the
middle of a grace period. A change that cannot read it needs a new schema and a way from the old one.
"""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import azure.functions as func
import pytest

from cmg_core.domain.errors import NewerSchema, UnreadableMessage
from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Outcome, Wait
from cmg_core.domain.principals import NOBODY
from cmg_core.domain.record import MESSAGE, SCHEMA, Ask, Message, Status
from cmg_core.engine import Engine
from cmg_core.ledger import codec
from cmg_core.plan import PlannedStep
from cmg_core.services import Services
from cmg_core.steps.context import StepContext
from cmg_core.triggers.queues import run_step
from local.inprocess.memory import MemoryLedger
from tests.fakes import CLASSIC_ID, DEPLOYMENT
from tests.records import a_record
from tests.unit.triggers.callers import MemoryServices

FROZEN: dict[str, Any] = json.loads((Path(__file__).parent / "schema-1.json").read_text())
OLD_ROW = FROZEN["record"] | {"state": json.dumps(FROZEN["record"]["state"]).encode()}
OLD_BODY = json.dumps(FROZEN["message"])


class Inherited(MemoryLedger):
    """A ledger that holds a row as another release left it."""

    def take_over(self, id: str, row: dict[str, Any], active: dict[str, Any]) -> str:
        etag = asyncio.run(self.create(a_record(id), []))
        self._records[id].columns = row
        self._active[id] = active
        return etag

    def left(self, id: str) -> tuple[dict[str, Any], str]:
        """A record's row as it is now."""
        return self._records[id].columns, self._records[id].etag


def inherited(row: dict[str, Any], active: dict[str, Any]) -> tuple[MemoryServices, str]:
    services = MemoryServices()
    services.ledger = ledger = Inherited()
    return services, ledger.take_over(DEPLOYMENT, row, active)


def deliver(services: MemoryServices, step: str, body: bytes) -> None:
    """Hand a message to the step's function."""
    message = func.QueueMessage(id="m", body=body)
    given = cast(Services, services)
    asyncio.run(run_step(lambda: given, step, message, "i"))


def test_a_record_of_the_first_release_is_understood() -> None:
    record = codec.record_of(DEPLOYMENT, OLD_ROW)
    assert (record.schema, record.revision, record.status) == (1, 17, Status.GRACE)
    assert record.state.plan is not None and record.state.plan.delete[0].id == CLASSIC_ID
    assert record.state.grace_ends_at == record.wake_at
    assert record.claim is not None and record.state.roll_back is None
    [asked] = record.requested
    assert record.asked_by == asked.called_by == NOBODY
    assert (asked.ask, asked.gate, asked.by) == (Ask.OPEN_GATE, GateName.CLIENTS_MOVED, "ann@contoso.com")


def test_a_list_and_a_history_of_the_first_release_are_understood() -> None:
    [row] = codec.listed([(DEPLOYMENT, FROZEN["active"])])
    assert (row.status, row.schema, row.summary["service_name"]) == (Status.GRACE, 1, "GraniteFalls.Contoso.Com")
    assert codec.EVENT.validate_python(FROZEN["event"]).text == "cut-over is done"
    assert codec.EVENT.validate_python(FROZEN["event"]).called_by == NOBODY


def test_a_message_of_the_first_release_is_understood_and_its_record_carried_on() -> None:
    message = MESSAGE.validate_json(OLD_BODY)
    assert message.state == codec.record_of(DEPLOYMENT, OLD_ROW).state

    async def wait(context: StepContext) -> Outcome:
        return Wait(context.state, timedelta(days=1), "for the grace period", grace=True)

    services, etag = inherited(OLD_ROW | codec.claim_columns(None), FROZEN["active"])
    step = PlannedStep("retire-old-gateway", wait, reads_ledger=True)
    body = MESSAGE.dump_json(replace(message, etag=etag)).decode()
    asyncio.run(Engine(cast(Services, services), (step,)).handle(step.name, body, "m", "i"))
    stored = services.ledger.peek(DEPLOYMENT)
    assert stored is not None
    assert message.state is not None
    assert (stored.record.revision, stored.record.state.request) == (18, message.state.request)


@pytest.mark.parametrize("step", ["preflight", "retire-old-gateway"])
@pytest.mark.parametrize(
    "change",
    [{"schema": SCHEMA + 1}, {"schema": SCHEMA + 1, "state": {"anything": "new"}}, {"schema": 99, "step": ["x"]}],
)
def test_a_newer_releases_message_goes_to_the_poison_queue_and_touches_nothing(
    step: str, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    services, _ = inherited(OLD_ROW, FROZEN["active"])
    before = services.ledger.peek(DEPLOYMENT)
    body = json.dumps(FROZEN["message"] | change).encode()
    with pytest.raises(NewerSchema, match="newer release"):
        deliver(services, step, body)
    assert services.ledger.peek(DEPLOYMENT) == before
    assert [line.levelno for line in caplog.records] == [logging.ERROR]


def test_a_newer_releases_record_is_left_as_it_is_whatever_message_comes() -> None:
    newer = OLD_ROW | {"schema": SCHEMA + 1, "state": b'{"only": "the newer one knows"}'}
    services, etag = inherited(newer, FROZEN["active"] | {"schema": SCHEMA + 1})
    body = json.dumps(FROZEN["message"] | {"etag": "an older one"}).encode()
    with pytest.raises(NewerSchema):
        deliver(services, "retire-old-gateway", body)
    with pytest.raises(NewerSchema):
        asyncio.run(services.ledger.read(DEPLOYMENT))
    assert isinstance(services.ledger, Inherited)
    assert services.ledger.left(DEPLOYMENT) == (newer, etag)


def test_a_message_without_a_record_is_kept_as_evidence(caplog: pytest.LogCaptureFixture) -> None:
    services = MemoryServices()
    body = MESSAGE.dump_json(Message(DEPLOYMENT, "retire-old-gateway", 1, "e")).decode()
    with pytest.raises(UnreadableMessage, match="no record"):
        deliver(services, "retire-old-gateway", body.encode())
    assert [vars(line)["deployment_id"] for line in caplog.records] == [DEPLOYMENT]

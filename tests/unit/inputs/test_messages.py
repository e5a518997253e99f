"""Whatever lies in a queue: a forged message changes nothing, and none is an unknown error."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.errors import ClaimRunsOut, NewerSchema, TryAgain, UnreadableMessage, UnreadableRow
from cmg_core.domain.record import MESSAGE, Message, Status, schema_of
from cmg_core.plan import STEPS
from cmg_core.services import Save, Services
from cmg_core.triggers.queues import RunFailed, run_step
from local.inprocess.loop import run as run_virtually
from tests.fakes import CLASSIC_ID, DEPLOYMENT, NOW, FakeServices
from tests.records import a_record
from tests.stories import after_grace, before_cut_over, opened
from tests.unit.inputs.odd import MARK, SECRETS, changed, texts, values
from tests.unit.triggers.callers import MemoryServices

FORESEEN = (UnreadableMessage, UnreadableRow, NewerSchema, TryAgain, ClaimRunsOut)
NAMES = [step.name for step in STEPS]


@dataclass
class Standing:
    """A deployment right before a step, and the message that carries it on."""

    services: MemoryServices
    message: Message

    def row(self) -> str:
        return repr(self.services.ledger.peek(DEPLOYMENT))


async def stand(step: str) -> Standing:
    """A deployment whose next run of a step would write."""
    world = FakeServices()
    state = after_grace(world) if step == "retire-old-gateway" else before_cut_over(world)
    state = opened(state) if step == "cut-over" else state
    services = MemoryServices(dns=world.dns, dialer=world.dialer, resource_manager=world.resource_manager)
    etag = await services.ledger.create(a_record(DEPLOYMENT, state), [])
    save = Save(2, step, Status.RUNNING, state, NOW, "a test", NOW)
    etag = await services.ledger.save(DEPLOYMENT, etag, save, [])
    return Standing(services, Message(DEPLOYMENT, step, 2, etag, state))


async def deliver(services: Services, step: str, body: bytes) -> None:
    """Hand a message to the step's function. Raises what the host is to be told, and fails where that is unforeseen."""
    try:
        await run_step(lambda: services, step, func.QueueMessage(id="m", body=body), "i")
    except FORESEEN as reason:
        assert MARK not in str(reason)


def as_dict(message: Message) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(MESSAGE.dump_json(message, by_alias=True))
    return document


@cache
def genuine(step: str) -> dict[str, Any]:
    return as_dict(asyncio.run(stand(step)).message)


def forged(step: str) -> st.SearchStrategy[Any]:
    """A message for the step with something wrong in it; its ETag is a guess."""
    return st.builds(
        lambda document, etag: {**document, "etag": etag} if isinstance(document, dict) else document,
        st.just(genuine(step))
        | changed(genuine(step))
        | st.builds(
            lambda revision, step, has_state: {
                **genuine(step),
                "revision": revision,
                "step": step,
                "state": genuine(step)["state"] if has_state else None,
            },
            st.integers(-1, 4),
            st.sampled_from(["verify-gateway", "cut-over", "retire-old-gateway"]),
            st.booleans(),
        ),
        texts | st.sampled_from(['W/"1"', "*"]),
    )


def repeats_the_ledger(body: Any, real: Message) -> bool:
    """Whether acting on a message is acting on the ledger's truth: it names the record's present run. Its state says
    nothing, it is not sealed."""
    try:
        read = MESSAGE.validate_json(json.dumps(body))
    except ValueError:
        return False
    return (read.deployment_id, read.step, read.revision) == (real.deployment_id, real.step, real.revision)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[str, str, Any]:
    step = draw(st.sampled_from(["cut-over", "verify-gateway", "retire-old-gateway"]))
    return step, draw(st.just(step) | st.sampled_from(NAMES)), draw(forged(step))


@given(deliveries())
def test_a_forged_message_is_neither_acted_upon_nor_saved(delivery: tuple[str, str, Any]) -> None:
    step, queue, body = delivery

    async def story() -> None:
        standing = await stand(step)
        before, azure = standing.row(), standing.services.resource_manager
        # A state that contradicts itself may end a run anyhow; the ledger's own never gets there.
        with suppress(RunFailed):
            await deliver(cast(Services, standing.services), queue, json.dumps(body).encode())
        assert {write for write in azure.writes if write.startswith("DELETE")} <= {f"DELETE {CLASSIC_ID}"}
        if queue != step or not repeats_the_ledger(body, standing.message):
            assert azure.writes == []
            assert standing.row() == before
            assert standing.services.queues.waiting == []

    run_virtually(story())


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("key", ["step", "deployment_id"])
def test_what_looks_like_a_secret_in_a_message_is_not_repeated(key: str, secret: str) -> None:
    body = json.dumps({**genuine("cut-over"), key: secret}).encode()

    async def story() -> None:
        standing = await stand("cut-over")
        with pytest.raises(UnreadableMessage) as raised:
            await run_step(
                lambda: cast(Services, standing.services), "cut-over", func.QueueMessage(id="m", body=body), "i"
            )
        assert MARK not in str(raised.value)

    run_virtually(story())


@given(st.sampled_from(NAMES), st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_message_is_never_an_unknown_error(step: str, body: bytes) -> None:
    schema_of(body.decode(errors="replace"))
    run_virtually(deliver(cast(Services, MemoryServices()), step, body))

"""Bad messages all through a whole story: it ends as without them, and each of them ends, too."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import azure.functions as func
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.record import Message, Status
from cmg_core.plan import STEPS
from cmg_core.triggers.queues import run_step
from cmg_core.triggers.timers import run_wake_due
from cmg_core.views import status_view
from local.azure.messages import is_change
from local.azure.site import apply_site
from local.inprocess.calling import ask
from local.inprocess.harness import LEFTOVERS
from local.inprocess.hosting import MOST_TRIES, Host
from local.inprocess.loop import run as run_virtually
from local.inprocess.memory import MemoryLedger, MemoryQueues
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Tape
from local.sample import Sample, load
from tests.unit.inputs.odd import examples, texts, values

SAMPLES = Path(__file__).parents[3] / "samples"
NAMES = [step.name for step in STEPS]


@dataclass(frozen=True)
class Bad:
    """Bytes in a step's queue, after so many sends of the product's own."""

    after: int
    step: str
    raw: bytes


@dataclass(frozen=True)
class Copied:
    """The product's message of that number once more, with some of its keys changed."""

    after: int
    changes: Mapping[str, Any]


bad = st.builds(
    Bad,
    st.integers(1, 12),
    st.sampled_from(NAMES),
    st.binary(max_size=60)
    | values.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda revision, text: json.dumps(
            {"deployment_id": text, "step": text, "revision": revision, "etag": text}
        ).encode(),
        st.integers(),
        texts,
    ),
)
copied = st.builds(
    Copied,
    st.integers(1, 12),
    st.fixed_dictionaries(
        {"etag": texts | st.sampled_from(['W/"1"', "*"])},
        optional={
            "revision": st.integers(0, 20),
            "step": st.sampled_from(NAMES) | texts,
            "state": st.none() | values,
            "deployment_id": st.just("44444444-4444-4444-4444-444444444444") | texts,
            "schema": st.integers(0, 99),
            "more": values,
        },
    )
    | st.just({}),
)


class Overheard(MemoryQueues):
    """Queues into which somebody lays messages of their own besides the product's."""

    def listen(self, told: Sequence[Bad | Copied]) -> None:
        self.told, self.count = told, 0

    async def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        await super().send(message, delay)
        self.count += 1
        sent = json.loads(self.waiting[-1].body)
        for each in self.told:
            match each:
                case Bad(after, step, raw) if after == self.count:
                    self.put(step, base64.b64encode(raw).decode())
                case Copied(after, changes) if after == self.count:
                    forged = json.dumps({**sent, **changes}).encode()
                    self.put(message.step, base64.b64encode(forged).decode())


class Stage(InProcess):
    """The stage of a story with those queues."""

    def storage(self) -> tuple[MemoryLedger, MemoryQueues]:
        return MemoryLedger(self.tape), Overheard(self.clock, self.tape)


@dataclass(frozen=True)
class Told:
    """What a story came to."""

    status: Status
    writes: tuple[str, ...]
    resources: frozenset[str]
    left: int
    poison: tuple[int, ...]
    """How often each message there was received."""
    errors: tuple[str, ...]


async def play(sample: Sample, told: Sequence[Bad | Copied]) -> Told:
    """Tell the story to its end, with these messages besides."""
    stage = Stage(sample, Tape(), Settings())
    assert isinstance(stage.queues, Overheard)
    stage.queues.listen(told)
    services = stage.wire(stage.clock)

    async def function(step: str, body: str, message_id: str, invocation_id: str) -> None:
        message = func.QueueMessage(id=message_id, body=body.encode())
        await run_step(lambda: services, step, message, invocation_id)

    host = Host(stage.clock, stage.queues, function, lambda: run_wake_due(lambda: services))
    serving = asyncio.ensure_future(host.run())
    id, then = await ask(sample, services, host), list(sample.then)
    while True:
        stage.ledger.changed.clear()
        stored = stage.ledger.peek(id)
        assert stored is not None
        if stored.record.status.is_end:
            break
        while then and then[0].when.has_come(status_view(stored.record).model_dump(mode="json")):
            apply_site(stage.world, then.pop(0).world or {}, stage.clock.now())
        await stage.ledger.changed.wait()
    await asyncio.sleep(LEFTOVERS.total_seconds())
    serving.cancel()
    await stage.close()
    requests = [entry.request for entry in stage.world.log]
    return Told(
        stored.record.status,
        tuple(sorted(f"{sent.method} {sent.path}" for sent in requests if is_change(sent.method, sent.path))),
        frozenset(stage.world.resources),
        len(stage.queues.waiting),
        tuple(message.dequeued for message in stage.queues.poison),
        tuple(host.errors),
    )


@cache
def sample() -> Sample:
    return load(SAMPLES / "new-own-domain.json")


@cache
def undisturbed() -> Told:
    return run_virtually(play(sample(), ()))


@examples(10)
@given(st.lists(bad | copied, min_size=1, max_size=20))
def test_a_story_ends_as_without_bad_messages_and_each_of_them_ends(told: list[Bad | Copied]) -> None:
    story, before = run_virtually(play(sample(), told)), undisturbed()
    assert (story.status, story.writes, story.resources) == (before.status, before.writes, before.resources)
    assert story.left == 0
    assert all(tries == MOST_TRIES for tries in story.poison)
    assert not [error for error in story.errors if "RunFailed" in error or "TimerFailed" in error]

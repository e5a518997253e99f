"""The engine's protocol with toy steps, over ledger and queues in memory on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import (
    AzureRefused,
    ClaimRunsOut,
    NewerSchema,
    StepFailed,
    Throttled,
    TryAgain,
    UnreadableMessage,
)
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.principals import Principal
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import (
    MESSAGE,
    SCHEMA,
    Ask,
    Claim,
    ConnectionCount,
    Event,
    Happening,
    Message,
    Record,
    Requested,
    State,
    Status,
    StepProgress,
    Waiting,
)
from cmg_core.engine import LONGEST_DELAY, OVERDUE, RETRIES, SLEPT_THROUGH, Engine, taken_up
from cmg_core.ledger.seals import Seals
from cmg_core.notify.ports import Callbacks
from cmg_core.plan import PlannedStep
from cmg_core.services import Limits, Save, Stored
from cmg_core.steps.context import Step, StepContext
from cmg_core.telemetry.port import UNTOLD, Telemetry
from cmg_core.wake import SENDS_WITHOUT_PROGRESS, wake_due
from local.inprocess.listeners import MemorySubscriptions
from local.inprocess.memory import MemoryLedger, MemoryQueues
from tests.fakes import FakeClock, FakePoster
from tests.records import a_record, a_state

ID = "33333333-3333-3333-3333-333333333333"


@dataclass
class World:
    """Services over memory, with a clock that only tests move; what toy steps did is noted."""

    clock: FakeClock = field(default_factory=FakeClock)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    limits: Limits = field(default_factory=lambda: Limits(timedelta(days=1), timedelta(minutes=5), {}))
    written: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    telemetry: Telemetry = UNTOLD

    def __post_init__(self) -> None:
        self.queues = MemoryQueues(self.clock)
        self.callbacks = Callbacks(MemorySubscriptions(), FakePoster())

    async def begin(self, state: State | None = None) -> Message:
        record = replace(a_record(ID, state), step="one", wake_at=self.clock.now() + OVERDUE)
        etag = await self.ledger.create(record, [])
        return Message(ID, "one", 1, etag, record.state)

    async def stored(self) -> Stored:
        found = await self.ledger.read(ID)
        assert found is not None
        return found

    async def record(self) -> Record:
        return (await self.stored()).record

    def sent(self) -> list[Message]:
        return [MESSAGE.validate_json(message.body) for message in self.queues.waiting]


class DeafLedger(MemoryLedger):
    """A ledger whose next saves get no answer."""

    deaf_for = 0

    async def save(self, deployment_id: str, etag: str, save: Save, events: Sequence[Event]) -> str:
        if self.deaf_for:
            self.deaf_for -= 1
            raise TryAgain("storage does not answer")
        return await super().save(deployment_id, etag, save, events)


class Forgetful(MemoryLedger):
    """A ledger that takes a save and does not answer: its client sends it again, and meets what it wrote itself."""

    async def save(self, deployment_id: str, etag: str, save: Save, events: Sequence[Event]) -> str:
        await super().save(deployment_id, etag, save, events)
        return await super().save(deployment_id, etag, save, events)


class CountedReads(MemoryLedger):
    """A ledger that counts how often a record is read."""

    reads = 0

    async def read(self, deployment_id: str) -> Stored | None:
        self.reads += 1
        return await super().read(deployment_id)


def writes(world: World, name: str, then: Callable[[StepContext], Outcome] | None = None) -> Step:
    """A step that claims, writes under its name, and is done."""

    async def run(context: StepContext) -> Outcome:
        world.runs.append(name)
        claim = await context.claim()
        claim.ensure_covers_a_call(world.clock.now())
        world.written.append(name)
        return then(context) if then else Done(context.state)

    return run


def engine(world: World, *steps: Step) -> Engine:
    names = ("one", "two", "three")
    planned = tuple(PlannedStep(name, step) for name, step in zip(names, steps, strict=False))
    return Engine(world, planned, jitter=lambda: 1.0)  # type: ignore[arg-type]  # toy steps use neither Azure nor DNS


def handle(
    world: World, steps: tuple[Step, ...], message: Message, message_id: str = "m1", run: str = "i1"
) -> Awaitable[None]:
    """Deliver a message as the product's own queues bring it: sealed."""
    return deliver(world, steps, world.queues.seals.sealed(message), message_id, run)


def deliver(
    world: World, steps: tuple[Step, ...], message: Message, message_id: str = "m1", run: str = "i1"
) -> Awaitable[None]:
    """Deliver a message as it is, whoever wrote it."""
    return engine(world, *steps).handle(message.step, MESSAGE.dump_json(message).decode(), message_id, run)


@pytest.mark.parametrize("seal", ["none", "of another key", "of what it was"])
def test_an_unsealed_state_is_not_used_though_the_claim_with_its_etag_succeeds(
    seal: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[State] = []

    async def story() -> None:
        world = World()
        message = await world.begin()
        assert message.state is not None
        forged = replace(message, state=replace(message.state, deleted=("forged",), grace_ends_at=world.clock.now()))
        match seal:
            case "of another key":
                forged = Seals.of_a_new_key().sealed(forged)
            case "of what it was":
                forged = replace(forged, seal=world.queues.seals.sealed(message).seal)

        async def looks(context: StepContext) -> Outcome:
            seen.append(context.state.facts())
            await context.claim()
            return Done(context.state)

        await deliver(world, (looks, writes(world, "two")), forged)
        record = await world.record()
        assert seen == [message.state.facts()]
        assert (record.step, record.state.deleted, record.state.grace_ends_at) == ("two", (), None)

    asyncio.run(story())
    assert f"deployment {ID}" in caplog.text and "not sealed" in caplog.text


@pytest.mark.parametrize("status", [status for status in Status if status.is_end] + [Status.NEEDS_ATTENTION])
def test_a_forged_message_starts_nothing_where_the_ledger_has_nothing_in_mind(status: Status) -> None:
    """What a person stopped would go on: a parked name would go though its release was cancelled."""

    async def story() -> None:
        world = World()
        began = await world.begin()
        rests = Save(2, "one", status, a_state(), None, "m0", world.clock.now())
        await world.ledger.save(ID, began.etag, rests, [])
        before = await world.stored()
        for etag in ("forged", before.etag):
            forged = Message(ID, "one", 2, etag)
            await deliver(world, (writes(world, "one"), writes(world, "two")), forged, "forged", "i1")
        assert (world.runs, world.written) == ([], []) and await world.stored() == before

    asyncio.run(story())


def test_a_sealed_state_saves_the_read_and_an_unsealed_one_costs_it() -> None:
    async def story(sealed: bool) -> int:
        ledger = CountedReads()
        world = World(ledger=ledger)
        message = await world.begin()
        steps = (writes(world, "one"), writes(world, "two"))
        await deliver(world, steps, world.queues.seals.sealed(message) if sealed else message)
        return ledger.reads

    assert (asyncio.run(story(True)), asyncio.run(story(False))) == (0, 1)


def test_without_keys_the_engine_works_from_the_ledger_alone() -> None:
    async def story() -> None:
        world = World()
        world.queues.seals = Seals()
        steps = (writes(world, "one"), writes(world, "two"))
        await deliver(world, steps, await world.begin())
        [sent] = world.sent()
        assert (sent.state, sent.seal) == (None, "")
        await deliver(world, steps, sent, "m2", "i2")
        assert world.written == ["one", "two"] and (await world.record()).status is Status.SUCCEEDED

    asyncio.run(story())


def test_a_false_copy_of_the_state_is_neither_acted_upon_nor_saved_even_under_a_good_seal() -> None:
    async def story() -> None:
        world = World()
        message = await world.begin()
        assert message.state is not None
        forged = replace(message, etag="guessed", state=replace(message.state, deleted=("forged",)))
        with pytest.raises(UnreadableMessage):
            await handle(world, (writes(world, "one"), writes(world, "two")), forged, "forged")
        assert world.written == [] and (await world.record()).state == message.state
        await handle(world, (writes(world, "one"), writes(world, "two")), message)
        assert world.written == ["one"] and (await world.record()).step == "two"

    asyncio.run(story())


def test_a_false_copy_under_a_good_seal_is_not_saved_by_a_step_that_only_looks() -> None:
    async def looks(context: StepContext) -> Outcome:
        return Wait(context.state, timedelta(minutes=1), "for a gate")

    async def story() -> None:
        world = World()
        message = await world.begin()
        assert message.state is not None
        before = await world.stored()
        for forged in (
            replace(message, etag="guessed", state=replace(message.state, deleted=("forged",))),
            replace(message, etag="guessed", step="two"),
        ):
            with pytest.raises(UnreadableMessage):
                await handle(world, (looks, looks), forged, "forged")
        assert await world.stored() == before and world.sent() == []

    asyncio.run(story())


def test_a_done_step_hands_on_with_the_saves_etag() -> None:
    async def story() -> None:
        world = World()
        await handle(world, (writes(world, "one"), writes(world, "two")), await world.begin())
        stored, [sent] = await world.stored(), world.sent()
        assert (stored.record.step, stored.record.revision, stored.record.claim) == ("two", 2, None)
        assert (sent.step, sent.revision, sent.etag) == ("two", 2, stored.etag)

    asyncio.run(story())


def test_the_history_has_what_was_told_before_a_short_wait() -> None:
    async def story(last: Outcome) -> list[str]:
        world = World()
        outcomes = iter([Wait(a_state(), timedelta(microseconds=1), "Azure works", told=("began",)), last])

        async def step(_: StepContext) -> Outcome:
            return next(outcomes)

        await handle(world, (step,), await world.begin())
        return [event.text for event in await world.ledger.events(ID)]

    problem = Problem(code="c", title="broke", detail="d", cure="do")
    assert asyncio.run(story(Done(a_state(), ("ended",)))) == ["began", "ended", "one is done"]
    assert asyncio.run(story(Failed(a_state(), problem))) == ["began", "one failed: broke"]


def test_the_last_step_ends_the_deployment_and_sends_nothing() -> None:
    async def story() -> None:
        world = World()
        await handle(world, (writes(world, "one"),), await world.begin())
        assert (await world.record()).status is Status.SUCCEEDED
        assert world.sent() == [] and await world.ledger.active() == []
        assert [event.kind for event in await world.ledger.events(ID)] == [Happening.ENDED]

    asyncio.run(story())


def test_a_step_that_the_request_does_not_take_is_passed_over() -> None:
    async def story() -> None:
        world = World()
        steps = (
            PlannedStep("one", writes(world, "one")),
            PlannedStep("two", writes(world, "two"), is_taken_by=lambda request: request.kind == "retirement"),
            PlannedStep("three", writes(world, "three")),
        )
        body = MESSAGE.dump_json(world.queues.seals.sealed(await world.begin())).decode()
        await Engine(world, steps).handle("one", body, "m1", "i1")  # type: ignore[arg-type]  # toy steps use neither Azure nor DNS
        assert (await world.record()).step == "three"

    asyncio.run(story())


def test_invariant_1_fence_an_old_revision_never_causes_a_write() -> None:
    async def story() -> None:
        world = World()
        steps = (writes(world, "one"), writes(world, "two"))
        first = await world.begin()
        await handle(world, steps, first)
        await handle(world, steps, world.sent()[0], "m2", "i2")
        await handle(world, steps, first, "duplicate", "i3")
        assert world.written == ["one", "two"]

    asyncio.run(story())


def test_the_message_of_a_lost_send_sends_again_and_writes_nothing() -> None:
    async def story() -> None:
        world = World()
        steps = (writes(world, "one"), writes(world, "two"))
        first = await world.begin()
        await handle(world, steps, first)
        world.queues.waiting.clear()
        await handle(world, steps, first, "m1", "i2")
        assert world.written == ["one"] and [message.step for message in world.sent()] == ["two"]

    asyncio.run(story())


def test_another_runs_live_claim_is_left_alone_and_a_lapsed_one_is_taken_over() -> None:
    async def story() -> None:
        world = World()
        message = await world.begin()
        held = Claim("other", "m0", world.clock.now() + timedelta(minutes=5))
        await world.ledger.claim(ID, message.etag, held)
        await handle(world, (writes(world, "one"),), message)
        assert world.written == []
        world.clock.pass_by(timedelta(minutes=6))
        await handle(world, (writes(world, "one"),), message, run="i2")
        assert world.written == ["one"]

    asyncio.run(story())


def test_a_run_that_finds_a_dead_holders_work_done_goes_on_without_wake_due() -> None:
    async def story() -> None:
        world = World()

        async def finds_it_right(context: StepContext) -> Outcome:
            return Done(context.state)

        message = await world.begin()
        held = Claim("killed", "m1", world.clock.now() + timedelta(minutes=5))
        await world.ledger.claim(ID, message.etag, held)
        world.clock.pass_by(timedelta(minutes=6))
        await handle(world, (finds_it_right, writes(world, "two")), message, run="i2")
        assert (await world.record()).step == "two" and [sent.step for sent in world.sent()] == ["two"]

    asyncio.run(story())


def test_a_run_that_only_looked_leaves_a_live_claim_alone() -> None:
    async def story() -> None:
        world = World()

        async def looks(context: StepContext) -> Outcome:
            held = Claim("other", "m0", world.clock.now() + timedelta(minutes=5))
            await world.ledger.claim(ID, message.etag, held)
            return Done(context.state)

        message = await world.begin()
        await handle(world, (looks, writes(world, "two")), message)
        assert (await world.record()).revision == 1 and world.sent() == []

    asyncio.run(story())


def test_a_claim_that_runs_out_stops_the_run_and_keeps_the_message() -> None:
    async def story() -> None:
        world = World()

        async def slow(context: StepContext) -> Outcome:
            claim = await context.claim()
            world.clock.pass_by(timedelta(minutes=4, seconds=30))
            claim.ensure_covers_a_call(world.clock.now())
            return Done(context.state)

        with pytest.raises(ClaimRunsOut):
            await handle(world, (slow,), await world.begin())
        assert (await world.record()).revision == 1

    asyncio.run(story())


def test_a_gate_opened_while_a_run_holds_its_claim_is_taken_up_by_its_save() -> None:
    async def story() -> None:
        world = World()
        gate = Gate(GateName.READY_TO_CUT_OVER, Opener.PERSON, "Say so.", early=True)
        message = await world.begin(a_state(gates=(gate,)))

        caller = Principal(id="entra:somebody", name="somebody")

        async def run(context: StepContext) -> Outcome:
            await context.claim()
            request = Requested(Ask.OPEN_GATE, "somebody", "because", world.clock.now(), gate.name, called_by=caller)
            await world.ledger.note_request(ID, (await world.stored()).etag, [request])
            return Done(context.state)

        await handle(world, (run, writes(world, "two")), message)
        opened = (await world.record()).state.gate(gate.name)
        assert opened is not None and opened.opened_by == "somebody"
        [event] = [event for event in await world.ledger.events(ID) if event.kind is Happening.GATE_OPENED]
        assert event.called_by == caller

    asyncio.run(story())


def test_a_gate_opened_under_a_claim_whose_holder_died_is_not_lost() -> None:
    async def story() -> None:
        world = World()
        gate = Gate(GateName.READY_TO_CUT_OVER, Opener.PERSON, "Say so.", early=True)
        message = await world.begin(a_state(gates=(gate,)))
        held = Claim("killed", "m1", world.clock.now() + timedelta(minutes=5))
        etag = await world.ledger.claim(ID, message.etag, held)
        await world.ledger.note_request(
            ID, etag, [Requested(Ask.OPEN_GATE, "somebody", "because", world.clock.now(), gate.name)]
        )
        world.clock.pass_by(timedelta(minutes=16))
        assert (await wake_due(world)).sent == 1  # type: ignore[arg-type]  # toy steps use neither Azure nor DNS
        await handle(world, (writes(world, "one"), writes(world, "two")), world.sent()[-1], "m2", "i2")
        opened = (await world.record()).state.gate(gate.name)
        assert opened is not None and opened.opened_by == "somebody"

    asyncio.run(story())


def test_a_long_wait_has_no_message_and_a_short_one_a_delayed_one() -> None:
    async def story(after: timedelta) -> tuple[World, Record]:
        world = World()

        async def run(context: StepContext) -> Outcome:
            return Wait(context.state, after, "for the world")

        await handle(world, (run,), await world.begin())
        return world, await world.record()

    world, record = asyncio.run(story(timedelta(hours=30)))
    assert world.sent() == [] and record.wake_at == world.clock.now() + timedelta(hours=30)
    world, record = asyncio.run(story(timedelta(minutes=30)))
    [waiting] = world.queues.waiting
    assert waiting.visible_at == world.clock.now() + timedelta(minutes=30)
    assert record.wake_at == waiting.visible_at + OVERDUE


def test_a_wait_for_a_moment_is_written_down_as_that_moment_whatever_this_hosts_clock_says() -> None:
    async def story() -> None:
        world = World()
        ends = world.clock.now() - timedelta(days=28)

        async def run(context: StepContext) -> Outcome:
            return Wait(context.state, timedelta(days=2), "grace", grace=True, until=ends)

        await handle(world, (run,), await world.begin())
        assert (await world.record()).wake_at == ends and world.sent() == []

    asyncio.run(story())


def test_short_waits_stay_in_the_function_and_cost_no_save() -> None:
    async def story() -> None:
        world = World()

        async def run(context: StepContext) -> Outcome:
            world.runs.append("one")
            if len(world.runs) < 4:
                return Wait(
                    replace(context.state, operations={"id": "address"}), timedelta(milliseconds=1), "Azure works"
                )
            return Done(context.state)

        await handle(world, (run,), await world.begin())
        assert len(world.runs) == 4 and (await world.record()).revision == 2

    asyncio.run(story())


@pytest.mark.parametrize("gate", [None, GateName.CNAME])
def test_a_wait_at_a_gate_that_everybody_knows_of_is_slept_through_too(gate: GateName | None) -> None:
    async def story() -> None:
        world = World()
        known = Waiting("for you", world.clock.now(), world.clock.now(), gate=GateName.CNAME)

        async def run(context: StepContext) -> Outcome:
            world.runs.append("one")
            if len(world.runs) < 3:
                return Wait(context.state, timedelta(milliseconds=1), "for you", gate=gate)
            return Done(context.state)

        await handle(world, (run,), await world.begin(replace(a_state(), waiting=known)))
        assert len(world.runs) == 3 and (await world.record()).revision == 2

    asyncio.run(story())


def test_a_wait_that_brings_a_fact_is_saved_at_once() -> None:
    async def story() -> None:
        world = World()

        async def run(context: StepContext) -> Outcome:
            world.runs.append("one")
            return Wait(replace(context.state, deleted=("something",)), timedelta(milliseconds=1), "Azure works")

        await handle(world, (run,), await world.begin())
        assert world.runs == ["one"] and (await world.record()).state.deleted == ("something",)

    asyncio.run(story())


def test_waits_in_the_function_end_before_they_hold_a_message_too_long() -> None:
    assert timedelta(seconds=20) == SLEPT_THROUGH

    async def story() -> None:
        world = World()

        async def run(context: StepContext) -> Outcome:
            return Wait(context.state, timedelta(seconds=21), "Azure works")

        await handle(world, (run,), await world.begin())
        assert len(world.sent()) == 1

    asyncio.run(story())


def test_try_again_obeys_retry_after_grows_and_has_a_budget() -> None:
    async def story() -> None:
        world = World()

        async def run(context: StepContext) -> Outcome:
            raise TryAgain("Azure throttles", timedelta(minutes=2))

        message = await world.begin()
        pauses = []
        for number in range(RETRIES + 1):
            await handle(world, (run,), message, f"m{number}", f"i{number}")
            record = await world.record()
            if record.status is not Status.RUNNING:
                break
            assert record.state.waiting is not None
            pauses.append(record.state.waiting.next_look - world.clock.now())
            message = world.sent()[-1]
        assert len(pauses) == RETRIES and min(pauses) >= timedelta(minutes=2) and max(pauses) <= timedelta(minutes=5)
        assert record.state.problem is not None and "Azure throttles" in record.state.problem.detail

    asyncio.run(story())


def test_waiting_for_what_azure_has_announced_costs_no_try_but_a_new_refusal_does() -> None:
    async def story(asked: bool) -> Record:
        world = World()

        async def run(context: StepContext) -> Outcome:
            raise Throttled("Azure throttles", timedelta(minutes=10), asked=asked)

        message = await world.begin()
        for number in range(2 * RETRIES):
            await handle(world, (run,), message, f"m{number}", f"i{number}")
            record = await world.record()
            if record.status is not Status.RUNNING:
                break
            assert record.state.waiting is not None
            assert timedelta(minutes=10) <= record.state.waiting.next_look - world.clock.now() <= timedelta(minutes=11)
            message = world.sent()[-1]
        return record

    assert asyncio.run(story(asked=False)).state.retries == 0
    assert asyncio.run(story(asked=True)).state.problem is not None


@pytest.mark.parametrize(
    "error",
    [
        AzureRefused(status=403, code="AuthorizationFailed", message="may not", target="/x"),
        StepFailed(Problem(code="c", title="t", detail="d", cure="do")),
    ],
)
def test_a_step_that_fails_for_good_refuses_in_preflight_and_calls_for_attention_later(error: Exception) -> None:
    async def story() -> None:
        async def run(context: StepContext) -> Outcome:
            raise error

        world = World()
        await handle(world, (run,), await world.begin())
        assert (await world.record()).status is Status.REFUSED
        world = World()
        await handle(world, (writes(world, "one"), run), await world.begin())
        await handle(world, (writes(world, "one"), run), world.sent()[0], "m2", "i2")
        record = await world.record()
        assert record.status is Status.NEEDS_ATTENTION and record.wake_at is None and len(world.sent()) == 1
        assert record.state.problem is not None and record.state.problem.step == "two"

    asyncio.run(story())


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"deployment_id": 1}', "\x00"])
def test_what_is_no_message_is_refused_and_touches_nothing(body: str) -> None:
    async def story() -> None:
        world = World()
        await world.begin()
        with pytest.raises(UnreadableMessage):
            await engine(world, writes(world, "one")).handle("one", body, "m1", "i1")
        assert world.runs == []

    asyncio.run(story())


def test_invariant_2_nothing_lost_wake_due_sends_again_and_calls_for_attention_after_five() -> None:
    async def story() -> None:
        world = World()
        await world.begin()
        for number in range(SENDS_WITHOUT_PROGRESS):
            assert (await wake_due(world)).sent == 0  # type: ignore[arg-type]  # as above
            world.clock.pass_by(timedelta(minutes=16))
            assert (await wake_due(world)).sent == 1  # type: ignore[arg-type]
            stored = await world.stored()
            assert world.sent()[-1].etag == stored.etag and stored.record.sends == number + 1
        world.clock.pass_by(timedelta(minutes=16))
        assert (await wake_due(world)).sent == 0  # type: ignore[arg-type]
        record = await world.record()
        assert record.status is Status.NEEDS_ATTENTION and record.state.problem is not None
        assert (await wake_due(world)).sent == 0  # type: ignore[arg-type]

    asyncio.run(story())


def test_wake_due_leaves_a_live_claim_alone() -> None:
    async def story() -> None:
        world = World()
        message = await world.begin()
        world.clock.pass_by(timedelta(minutes=16))
        await world.ledger.claim(ID, message.etag, Claim("i", "m", world.clock.now() + timedelta(minutes=5)))
        assert (await wake_due(world)).sent == 0 and world.sent() == []  # type: ignore[arg-type]

    asyncio.run(story())


WAITED = StepProgress("two")


def in_progress() -> State:
    return a_state(progress=(StepProgress("one"), WAITED), operations={"id": "address"}, retries=3)


def running_step(outcome: Callable[[StepContext], Outcome]) -> Step:
    async def run(context: StepContext) -> Outcome:
        return outcome(context)

    return run


async def after(world: World, outcome: Callable[[StepContext], Outcome], state: State | None = None) -> Record:
    """The record after one run of a first step with a second one behind it."""
    await handle(world, (running_step(outcome), writes(world, "two")), await world.begin(state or in_progress()))
    return await world.record()


def failed(context: StepContext) -> Outcome:
    return Failed(context.state, Problem(code="c", title="broke", detail="d", cure="do"))


def test_the_progress_tells_when_a_step_began_and_ended_and_how_often_it_ran() -> None:
    async def story() -> None:
        world = World()
        began = world.clock.now()
        record = await after(world, lambda context: Wait(context.state, timedelta(minutes=1), "for the world"))
        assert record.state.progress == (StepProgress("one", "running", began, None, 1), WAITED)
        world.clock.pass_by(timedelta(minutes=1))
        steps = (running_step(lambda context: Done(context.state)), writes(world, "two"))
        await handle(world, steps, world.sent()[0], "m2", "i2")
        done = StepProgress("one", "done", began, world.clock.now(), 2)
        assert (await world.record()).state.progress == (done, WAITED)

    asyncio.run(story())


def test_a_step_that_failed_is_told_with_its_problem_and_the_runs_mark() -> None:
    async def story() -> None:
        world = World()
        waiting = Waiting("for the world", world.clock.now(), world.clock.now())
        record = await after(world, failed, replace(in_progress(), waiting=waiting))
        now, problem = world.clock.now(), record.state.problem
        assert record.state.progress == (StepProgress("one", "failed", now, now, 1), WAITED)
        assert problem is not None and (problem.step, problem.at, problem.correlation_id) == ("one", now, "i1")
        assert record.state.waiting is None and record.wake_at is None and world.sent() == []
        [event] = await world.ledger.events(ID)
        assert (event.at, event.step, event.revision, event.correlation_id) == (now, "one", 2, "i1")

    asyncio.run(story())


def test_what_is_done_leaves_no_wait_and_no_operation_and_is_due_again_soon() -> None:
    async def story() -> None:
        world = World()
        waiting = Waiting("for the world", world.clock.now(), world.clock.now())
        record = await after(world, lambda context: Done(context.state), replace(in_progress(), waiting=waiting))
        assert (record.state.waiting, record.state.operations, record.state.retries) == (None, {}, 0)
        assert record.wake_at == world.clock.now() + OVERDUE
        [sent] = world.sent()
        assert sent.state == record.state

    asyncio.run(story())


def at_a_gate(context: StepContext) -> Outcome:
    return Wait(context.state, timedelta(minutes=30), "for you", gate=GateName.CNAME)


def in_grace(context: StepContext) -> Outcome:
    return Wait(context.state, timedelta(minutes=30), "for you", grace=True)


def counting(context: StepContext) -> Outcome:
    """In a grace period, each look a new fact."""
    count = ConnectionCount(context.services.clock.now(), context.services.clock.now(), 7)
    counted = replace(context.state, connections=(*context.state.connections, count))
    return Wait(counted, timedelta(minutes=30), "for you", grace=True)


def for_azure(context: StepContext) -> Outcome:
    return Wait(context.state, timedelta(minutes=30), "for Azure")


@pytest.mark.parametrize(
    ("wait", "status", "told"),
    [
        (at_a_gate, Status.WAITING, ["waits: for you"]),
        (in_grace, Status.GRACE, ["waits: for you"]),
        (counting, Status.GRACE, ["waits: for you"]),
        (for_azure, Status.RUNNING, []),
    ],
)
def test_a_wait_that_people_see_is_told_once_and_keeps_its_beginning(
    wait: Callable[[StepContext], Outcome], status: Status, told: list[str]
) -> None:
    async def story() -> None:
        world = World()
        began = world.clock.now()
        record = await after(world, wait)
        assert record.status is status and record.state.waiting is not None
        seen = wait(StepContext("", record.state, world, lambda: None))  # type: ignore[arg-type,return-value]  # only looked at
        assert isinstance(seen, Wait)
        assert record.state.waiting == Waiting(seen.reason, began, began + seen.after, seen.gate, seen.grace)
        world.clock.pass_by(timedelta(minutes=30))
        await handle(world, (running_step(wait), writes(world, "two")), world.sent()[0], "m2", "i2")
        again = (await world.record()).state.waiting
        assert again is not None and (again.since, again.next_look) == (began, world.clock.now() + seen.after)
        assert [event.text for event in await world.ledger.events(ID)] == told

    asyncio.run(story())


@pytest.mark.parametrize("earlier", [at_a_gate, in_grace, for_azure])
@pytest.mark.parametrize("later", [at_a_gate, in_grace, for_azure])
def test_another_wait_begins_anew(
    earlier: Callable[[StepContext], Outcome], later: Callable[[StepContext], Outcome]
) -> None:
    async def story() -> None:
        world = World()
        began = world.clock.now()
        await after(world, earlier)
        world.clock.pass_by(timedelta(minutes=30))
        await handle(world, (running_step(later), writes(world, "two")), world.sent()[0], "m2", "i2")
        waiting = (await world.record()).state.waiting
        assert waiting is not None and waiting.since == (began if earlier is later else world.clock.now())

    asyncio.run(story())


@pytest.mark.parametrize("wait", [at_a_gate, in_grace])
def test_a_wait_that_people_see_is_saved_at_once_however_short(wait: Callable[[StepContext], Outcome]) -> None:
    async def story() -> None:
        world = World()

        def short(context: StepContext) -> Outcome:
            world.runs.append("one")
            return replace(wait(context), after=timedelta(microseconds=1))  # type: ignore[call-arg]  # each is a wait

        await after(world, short)
        assert world.runs == ["one"]

    asyncio.run(story())


def test_short_waits_add_up_and_are_not_slept_through_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def passes(_: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", passes)

    async def story(each: timedelta) -> int:
        world = World()

        def waits(context: StepContext) -> Outcome:
            world.runs.append("one")
            return Wait(context.state, each, "Azure works")

        await after(world, waits)
        return len(world.runs)

    assert asyncio.run(story(timedelta(seconds=6))) == 4
    assert asyncio.run(story(timedelta(seconds=10))) == 3, "20 seconds in all are still slept through"


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_pauses_double_up_to_five_minutes_and_are_spread(jitter: float, share: float) -> None:
    async def story() -> None:
        for retries, seconds in [(6, 64), (7, 128), (8, 256), (9, 300), (19, 300)]:
            world = World()

            async def run(_: StepContext) -> Outcome:
                raise TryAgain("nothing answers")

            engine = Engine(world, (PlannedStep("one", run),), jitter=lambda: jitter)  # type: ignore[arg-type]  # toy steps
            message = await world.begin(a_state(retries=retries))
            await engine.handle("one", MESSAGE.dump_json(message).decode(), "m1", "i1")
            waiting = (await world.record()).state.waiting
            pause = waiting.next_look - world.clock.now() if waiting else timedelta(days=1)
            assert pause == timedelta(seconds=seconds) * share

    asyncio.run(story())


@pytest.mark.parametrize(("jitter", "late"), [(0.0, 0), (0.5, 5), (1.0, 10)])
def test_the_deployments_of_a_throttled_subscription_come_back_one_after_the_other(jitter: float, late: int) -> None:
    async def story() -> None:
        world = World()

        async def run(_: StepContext) -> Outcome:
            raise Throttled("Azure throttles", timedelta(minutes=10), asked=True)

        engine = Engine(world, (PlannedStep("one", run),), jitter=lambda: jitter)  # type: ignore[arg-type]  # toy steps
        await engine.handle("one", MESSAGE.dump_json(await world.begin()).decode(), "m1", "i1")
        waiting = (await world.record()).state.waiting
        assert waiting is not None and waiting.next_look - world.clock.now() == timedelta(minutes=10, seconds=late)

    asyncio.run(story())


def test_a_step_that_answered_has_all_its_tries_again() -> None:
    async def story() -> None:
        record = await after(World(), for_azure, a_state(retries=RETRIES))
        assert record.state.retries == 0
        stopped = await after(World(), lambda _: raises(TryAgain("nothing answers")), a_state(retries=RETRIES))
        assert stopped.state.problem is not None and stopped.state.problem.code == "gave-up-trying"

    asyncio.run(story())


def raises(error: Exception) -> Outcome:
    raise error


def test_an_hour_is_waited_for_with_a_message_and_more_without() -> None:
    async def story() -> None:
        world = World()
        record = await after(world, lambda context: Wait(context.state, LONGEST_DELAY, "for the world"))
        assert len(world.sent()) == 1 and record.wake_at == world.clock.now() + LONGEST_DELAY + OVERDUE
        world = World()
        more = LONGEST_DELAY + timedelta(seconds=1)
        record = await after(world, lambda context: Wait(context.state, more, "for the world"))
        assert world.sent() == [] and record.wake_at == world.clock.now() + more

    asyncio.run(story())


def test_a_step_is_given_its_deployment_and_its_services() -> None:
    async def story() -> None:
        world, given = World(), list[StepContext]()

        def looks(context: StepContext) -> Outcome:
            given.append(context)
            return Done(context.state)

        await after(world, looks)
        assert given[0].deployment_id == ID and given[0].services is world  # type: ignore[comparison-overlap]  # toy steps

    asyncio.run(story())


def test_a_run_takes_its_claim_once_and_keeps_it() -> None:
    async def story() -> None:
        world, claims = World(), list[Claim]()

        async def writes_twice(context: StepContext) -> Outcome:
            claims.append(await context.claim())
            claims.append(await context.claim())
            return Done(context.state)

        await handle(world, (writes_twice, writes(world, "two")), await world.begin())
        assert claims[0] is claims[1] and claims[0].until == world.clock.now() + world.limits.claim
        assert len([call for call in world.ledger.tape.calls if call.name == "claim"]) == 1

    asyncio.run(story())


def test_a_claim_whose_answer_was_lost_is_this_runs_own_while_it_lasts() -> None:
    async def story(passed: timedelta) -> World:
        world = World()
        message = await world.begin()
        held = Claim("i1", "m1", world.clock.now() + world.limits.claim)
        await world.ledger.claim(ID, message.etag, held)
        world.clock.pass_by(passed)
        await handle(world, (writes(world, "one"), writes(world, "two")), message)
        assert world.written == ["one"] and (await world.record()).step == "two"
        return world

    asyncio.run(story(timedelta(minutes=1)))
    with pytest.raises(ClaimRunsOut):
        asyncio.run(story(timedelta(minutes=5)))


def test_a_run_whose_claims_answer_was_lost_tries_its_save_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def passes(seconds: float) -> None: ...

    monkeypatch.setattr(asyncio, "sleep", passes)

    async def story() -> None:
        ledger = DeafLedger()
        world = World(ledger=ledger)
        message = await world.begin()
        await ledger.claim(ID, message.etag, Claim("i1", "m1", world.clock.now() + world.limits.claim))
        ledger.deaf_for = 1
        await handle(world, (writes(world, "one"), writes(world, "two")), message)
        assert (await world.record()).step == "two"

    asyncio.run(story())


@pytest.mark.parametrize("subscribed", [True, False])
def test_a_save_whose_answer_was_lost_is_this_runs_own_and_those_who_listen_hear_of_it(subscribed: bool) -> None:
    async def story() -> None:
        world = World(ledger=Forgetful())
        message = await world.begin()

        async def meanwhile(context: StepContext) -> Outcome:
            if subscribed:
                await world.ledger.note_subscribed(ID)
            return Done(context.state)

        await handle(world, (meanwhile, writes(world, "two")), message)
        assert [(each.step, each.subscribed) for each in steps_sent(world)] == [("two", subscribed)]
        assert notices(world) == subscribed

    asyncio.run(story())


@pytest.mark.parametrize(
    ("behind", "saved_by", "claimed", "sends"),
    [(1, "m1", False, True), (2, "m1", False, False), (1, "another", False, False), (1, "m1", True, False)],
)
def test_only_the_message_that_was_saved_last_sends_again(
    behind: int, saved_by: str, claimed: bool, sends: bool
) -> None:
    async def story() -> None:
        world = World()
        message = await world.begin()
        etag = message.etag
        for revision in range(2, 2 + behind):
            now = world.clock.now()
            save = Save(revision, "two", Status.RUNNING, in_progress(), now, saved_by, now)
            etag = await world.ledger.save(ID, etag, save, [])
        if claimed:
            await world.ledger.claim(ID, etag, Claim("other", "m2", world.clock.now() + timedelta(minutes=5)))
        await handle(world, (writes(world, "one"), writes(world, "two")), message)
        assert (len(world.sent()) == 1) is sends and world.written == []

    asyncio.run(story())


def test_a_message_in_the_wrong_queue_or_for_a_step_that_there_is_not_is_refused() -> None:
    async def story() -> None:
        world = World()
        message = await world.begin()
        for queue, named in (("two", "one"), ("four", "four")):
            body = MESSAGE.dump_json(replace(message, step=named)).decode()
            with pytest.raises(UnreadableMessage):
                await engine(world, writes(world, "one"), writes(world, "two")).handle(queue, body, "m1", "i1")
        assert world.runs == []

    asyncio.run(story())


def test_a_message_of_a_newer_release_is_left_for_it() -> None:
    async def story() -> None:
        world = World()
        message = await world.begin()
        body = MESSAGE.dump_json(replace(message, schema=SCHEMA + 1)).decode()
        with pytest.raises(NewerSchema):
            await engine(world, writes(world, "one")).handle("one", body, "m1", "i1")
        assert world.runs == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("ask", "status", "rests"),
    [(Ask.CHECK, Status.RUNNING, False), (Ask.CANCEL, Status.CANCELLED, True)],
)
def test_what_was_asked_meanwhile_decides_whether_it_is_woken_again(ask: Ask, status: Status, rests: bool) -> None:
    now = FakeClock().now()
    change = Save(2, "preflight", Status.RUNNING, a_state(), now + timedelta(days=9), "m1", now)
    saved, told = taken_up(change, (Requested(ask, "ann@contoso.com", "because", now),))
    assert (saved.status, saved.wake_at) == (status, None if rests else now + OVERDUE)
    assert len(told) == 1 and "ann@contoso.com" in told[0].text
    assert taken_up(change, ()) == (change, ())


def test_what_stopped_stays_at_rest_whatever_was_asked_too_late() -> None:
    now = FakeClock().now()
    change = Save(2, "cut-over", Status.NEEDS_ATTENTION, a_state(), None, "m1", now)
    saved, _ = taken_up(change, (Requested(Ask.CHECK, "ann@contoso.com", "because", now),))
    assert saved == change


def test_a_rollback_asked_for_meanwhile_goes_on_at_its_own_step() -> None:
    now = FakeClock().now()
    change = Save(2, "cut-over", Status.WAITING, a_state(), None, "m1", now)
    saved, _ = taken_up(change, (Requested(Ask.ROLLBACK, "ann@contoso.com", "because", now),))
    assert (saved.step, saved.status, saved.wake_at) == ("roll-back", Status.RUNNING, now + OVERDUE)
    assert saved.state.roll_back is not None


# --- Those who listen ------------------------------------------------------------------------------------------------


def notices(world: World) -> int:
    return sum(message.step == "notify" for message in world.queues.waiting)


def steps_sent(world: World) -> list[Message]:
    return [MESSAGE.validate_json(each.body) for each in world.queues.waiting if each.step != "notify"]


def test_a_save_that_tells_something_is_followed_by_news_only_where_somebody_listens() -> None:
    async def story(subscribed: bool) -> World:
        world = World()
        record = replace(a_record(ID), step="one", subscribed=subscribed)
        etag = await world.ledger.create(record, [])
        message = Message(ID, "one", 1, etag, record.state, subscribed=subscribed)
        await handle(world, (writes(world, "one"), writes(world, "two")), message)
        assert [each.subscribed for each in steps_sent(world)] == [subscribed]
        return world

    told = asyncio.run(story(True))
    assert notices(told) == 1 and ID in next(each.body for each in told.queues.waiting if each.step == "notify")
    assert notices(asyncio.run(story(False))) == 0


def test_a_wait_that_brings_nothing_new_is_no_news() -> None:
    async def looks(context: StepContext) -> Outcome:
        return Wait(context.state, timedelta(minutes=1), "for Azure")

    async def story() -> None:
        world = World()
        record = replace(a_record(ID), step="one", subscribed=True)
        etag = await world.ledger.create(record, [])
        await handle(world, (looks,), Message(ID, "one", 1, etag, record.state, subscribed=True))
        assert len(steps_sent(world)) == 1 and notices(world) == 0

    asyncio.run(story())


@pytest.mark.parametrize("claims", ["before", "after", "never"])
def test_a_run_that_began_before_anybody_listened_knows_it_when_it_saves(claims: str) -> None:
    async def story() -> None:
        world = World()
        message = await world.begin()

        async def meanwhile(context: StepContext) -> Outcome:
            if claims == "before":
                await context.claim()
            await world.ledger.note_subscribed(ID)
            if claims == "after":
                await context.claim()
            return Done(context.state)

        await handle(world, (meanwhile, writes(world, "two")), message)
        assert (await world.record()).step == "two"
        assert notices(world) == 1 and [each.subscribed for each in steps_sent(world)] == [True]

    asyncio.run(story())


def test_a_queue_that_takes_no_news_holds_no_step_up() -> None:
    async def refuses(deployment_id: str, delay: timedelta = timedelta()) -> None:
        raise TryAgain("queue cmg-notify did not answer")

    async def story() -> None:
        world = World()
        world.queues.notify = refuses  # type: ignore[method-assign]
        record = replace(a_record(ID), step="one", subscribed=True)
        etag = await world.ledger.create(record, [])
        message = Message(ID, "one", 1, etag, record.state, subscribed=True)
        await handle(world, (writes(world, "one"), writes(world, "two")), message)
        assert [each.step for each in steps_sent(world)] == ["two"]

    asyncio.run(story())


@pytest.mark.parametrize(("wrote", "deaf_for", "tried"), [(True, 3, 20), (True, 4, 20), (False, 1, 0)])
def test_a_run_that_has_written_tries_its_save_again(
    wrote: bool, deaf_for: int, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsaved, its message would meet its own claim and wait for wake-due; one that only looked is tried anew."""
    slept: list[float] = []

    async def passes(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", passes)

    async def story() -> None:
        ledger = DeafLedger()
        world = World(ledger=ledger)
        message = await world.begin()
        ledger.deaf_for = deaf_for

        async def looks(context: StepContext) -> Outcome:
            return Done(context.state)

        steps = (writes(world, "one") if wrote else looks, looks)
        if wrote and deaf_for == 3:
            await handle(world, steps, message)
            assert (await world.record()).step == "two" and [each.step for each in world.sent()] == ["two"]
            return
        with pytest.raises(TryAgain):
            await handle(world, steps, message)
        assert (await world.record()).revision == 1 and world.sent() == []

    asyncio.run(story())
    assert sum(slept) == tried

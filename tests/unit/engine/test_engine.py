"""The engine's protocol with toy steps, over ledger and queues in memory on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import AzureRefused, ClaimRunsOut, StepFailed, Throttled, TryAgain, UnreadableMessage
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import MESSAGE, Ask, Claim, Message, Record, Requested, State, Status
from cmg_core.engine import OVERDUE, RETRIES, SLEPT_THROUGH, Engine
from cmg_core.plan import PlannedStep
from cmg_core.services import Limits, Stored
from cmg_core.steps.context import Step, StepContext
from cmg_core.wake import SENDS_WITHOUT_PROGRESS, wake_due
from local.inprocess.memory import MemoryLedger, MemoryQueues
from tests.fakes import FakeClock
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

    def __post_init__(self) -> None:
        self.queues = MemoryQueues(self.clock)

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
    return engine(world, *steps).handle(message.step, MESSAGE.dump_json(message).decode(), message_id, run)


def test_a_forged_copy_of_the_state_is_neither_acted_upon_nor_saved() -> None:
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


def test_a_forged_copy_is_not_saved_by_a_step_that_only_looks() -> None:
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

        async def run(context: StepContext) -> Outcome:
            await context.claim()
            request = Requested(Ask.OPEN_GATE, "somebody", "because", world.clock.now(), gate.name)
            await world.ledger.note_request(ID, (await world.stored()).etag, [request])
            return Done(context.state)

        await handle(world, (run, writes(world, "two")), message)
        opened = (await world.record()).state.gate(gate.name)
        assert opened is not None and opened.opened_by == "somebody"

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

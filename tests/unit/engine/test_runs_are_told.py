"""What operators see of the engine's runs: a span each, how it came out, and how often it had to try again."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import Throttled, TryAgain
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.steps.context import Step, StepContext
from cmg_core.telemetry.ids import save_of, trace_of
from tests.records import a_state
from tests.telling import Told, telling
from tests.unit.engine.test_engine import ID, World, deliver, handle, writes

PROBLEM = Problem(code="no-capacity", title="No room", detail="Azure has none", cure="Wait")


def answering(outcome: Outcome | Exception) -> Step:
    async def run(context: StepContext) -> Outcome:
        if isinstance(outcome, Exception):
            raise outcome
        return replace(outcome, state=context.state)

    return run


@contextmanager
def told_of(outcome: Outcome | Exception) -> Iterator[Told]:
    """What one run tells that comes out like this."""

    async def story(told: Told) -> None:
        world = World(telemetry=told.telemetry)
        await handle(world, (answering(outcome), writes(world, "two")), await world.begin())

    with telling() as told:
        asyncio.run(story(told))
        yield told


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("outcome", "facts"),
    [
        (Done(a_state()), {"cmg.outcome": "done"}),
        (Wait(a_state(), MINUTE, "for Azure"), {"cmg.outcome": "waits", "cmg.reason": "for Azure"}),
        (Failed(a_state(), PROBLEM), {"cmg.outcome": "failed", "cmg.problem": "no-capacity"}),
    ],
)
def test_a_run_is_a_span_in_the_deployments_trace_and_says_how_it_came_out(
    outcome: Outcome, facts: dict[str, str]
) -> None:
    with told_of(outcome) as told:
        [span] = [span for span in told.spans if span.name == "run one"]
    assert span.context.trace_id == trace_of(ID)
    wanted = {"cmg.step": "one", "cmg.invocation": "i1", **facts}
    assert {name: span.attributes.get(name) for name in wanted} == wanted


def test_a_run_that_comes_too_late_says_so() -> None:
    async def story(told: Told) -> None:
        world = World(telemetry=told.telemetry)
        await deliver(world, (writes(world, "one"),), replace(await world.begin(), state=None, revision=7))

    with telling() as told:
        asyncio.run(story(told))
    [span] = told.spans
    assert (span.name, span.attributes["cmg.outcome"]) == ("run one", "superseded")


def test_the_next_run_goes_on_from_what_this_one_saved() -> None:
    async def story(told: Told) -> None:
        world = World(telemetry=told.telemetry)
        await handle(world, (writes(world, "one"), writes(world, "two")), await world.begin())
        await handle(world, (writes(world, "one"), writes(world, "two")), world.sent()[0], "m2", "i2")

    with telling() as told:
        asyncio.run(story(told))
    saved = {span.context.span_id for span in told.spans}
    [second] = [span for span in told.spans if span.name == "run two"]
    assert save_of(ID, 2) in saved and save_of(ID, 2) in {link.context.span_id for link in second.links}


@pytest.mark.parametrize(
    ("error", "why"), [(TryAgain("cut off", MINUTE), "no answer"), (Throttled("Azure is busy", MINUTE), "throttled")]
)
def test_each_try_again_is_counted_by_its_step_and_its_reason(error: Exception, why: str) -> None:
    with told_of(error) as told:
        counted = told.figures()["cmg.retries"]
    assert {tuple(json.loads(by).items()): count for by, count in counted.items()} == {
        (("cmg.step", "one"), ("cmg.why", why)): 1
    }

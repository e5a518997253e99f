"""What the alerts of ``infra/queries`` look for is what queue functions and calls say, and nobody else can say it."""

import ast
import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.functions.queue import QueueMessage

from cmg_core.domain.errors import ClaimRunsOut, TryAgain, UnreadableMessage
from cmg_core.domain.record import MESSAGE, Message
from cmg_core.services import Services
from cmg_core.triggers.callbacks import NotifyFailed, run_notify
from cmg_core.triggers.poison import MOST_TRIES
from cmg_core.triggers.queues import RunFailed, run_step
from tests.records import a_state
from tests.unit.triggers.callers import MemoryServices

ROOT = Path(__file__).resolve().parents[3]
QUERIES = ROOT / "infra" / "queries"
TRIGGERS = ROOT / "cmg_core" / "triggers"
ID = "33333333-3333-3333-3333-333333333333"
STEP = "cut-over"
BODIES = {STEP: MESSAGE.dump_json(Message(ID, STEP, 1, "etag")), "notify": json.dumps({"deployment_id": ID}).encode()}


def words(query: str) -> list[str]:
    """The texts that a query wants in a message: the first is what it begins with."""
    found = re.search(r'Message startswith "(.*?)" and Message has "(.*?)"', (QUERIES / query).read_text())
    assert found is not None
    return [*found.groups()]


def seen_by(query: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    begins, has = words(query)
    said = [line.getMessage() for line in caplog.records]
    return [text for text in said if text.startswith(begins) and has in text]


def deliver(step: str, body: bytes, tries: int | None, error: Exception | None = None) -> None:
    def services() -> Services:
        if error is not None:
            raise error
        return MemoryServices()  # type: ignore[return-value]  # what the ports need, from dictionaries

    message = QueueMessage(id="m", body=body, dequeue_count=tries)
    told = run_notify(services, message) if step == "notify" else run_step(services, step, message, "invocation")
    asyncio.run(told)


# --- Messages that are given up --------------------------------------------------------------------------------------


def test_the_last_try_is_the_hosts() -> None:
    assert json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]["maxDequeueCount"] == MOST_TRIES


@pytest.mark.parametrize("error", [TryAgain("busy"), ClaimRunsOut("slow"), RuntimeError("unknown")])
@pytest.mark.parametrize("step", BODIES)
def test_a_message_that_is_given_up_is_found_by_its_query(
    step: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    for tries in (None, 1, MOST_TRIES - 1):
        with pytest.raises((TryAgain, ClaimRunsOut, RunFailed, NotifyFailed)):
            deliver(step, BODIES[step], tries, error)
    assert seen_by("poison-messages.kql", caplog) == []
    with pytest.raises((TryAgain, ClaimRunsOut, RunFailed, NotifyFailed)):
        deliver(step, BODIES[step], MOST_TRIES, error)
    [line] = seen_by("poison-messages.kql", caplog)
    assert ID in line and line.startswith(f"step {step} ")


@pytest.mark.parametrize("step", BODIES)
def test_one_that_nobody_can_read_is_found_once_a_try(step: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnreadableMessage):
        deliver(step, b"{}", MOST_TRIES)
    assert len(seen_by("poison-messages.kql", caplog)) == 1


# --- Unknown errors --------------------------------------------------------------------------------------------------


def lines_of_unknown_errors() -> Iterator[tuple[str, str]]:
    """What the triggers say with an error's traceback, or call an unknown error; where, and with «x» in each gap."""
    for path in sorted(TRIGGERS.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            match call:
                case ast.Call(
                    ast.Attribute(ast.Name("log"), level), [ast.Constant(str() as text), *_], keywords=named
                ) if level == "exception" or "unknown" in text or "exc_info" in [each.arg for each in named]:
                    yield f"{path.name}:{call.lineno}", text.replace("%s", "x")


def test_each_line_of_an_unknown_error_is_found_with_its_place() -> None:
    query = (QUERIES / "unknown-errors.kql").read_text()
    place = re.search(r'extract\(@"(.*?)", 1, Message\)', query)
    has = re.search(r'Message has "(.*?)"', query)
    assert place is not None and has is not None
    lines = dict(lines_of_unknown_errors())
    assert {where.partition(":")[0] for where in lines} == {"answering.py", "callbacks.py", "queues.py", "timers.py"}
    assert [at for at, text in lines.items() if has[1] not in text or not re.match(place[1], text)] == []


@pytest.mark.parametrize("step", BODIES)
def test_an_unknown_error_is_told_once(step: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises((RunFailed, NotifyFailed)):
        deliver(step, BODIES[step], MOST_TRIES, RuntimeError("unknown"))
    said = [line for line in caplog.records if "met an unknown error" in line.getMessage()]
    assert [line.levelno for line in said] == [logging.ERROR]
    assert said[0].getMessage().startswith(f"step {step} of deployment {ID} met")


# --- Attacks ---------------------------------------------------------------------------------------------------------


FORGERIES = [
    f"{ID} needs attention since Monday\x1b[2J\nERROR forged",
    f"{ID} leaves a message to the poison queue",
    f"{ID}\n",
    f"x met an unknown error\u202e\u2028{ID}",
    "",
]


@pytest.mark.parametrize("key", ["deployment_id", "step", "etag"])
@pytest.mark.parametrize("text", FORGERIES)
@pytest.mark.parametrize("state", [False, True])
def test_nobody_writes_into_the_log_through_a_queue(
    key: str, text: str, state: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "cmg")
    genuine = json.loads(MESSAGE.dump_json(a_message(state), by_alias=True))
    with pytest.raises(UnreadableMessage) as refused:
        deliver(STEP, json.dumps(genuine | {key: text}).encode(), 1)
    assert len(caplog.records) == 1 + (state and key == "etag")
    told = [line.getMessage() for line in caplog.records]
    assert all(line.isprintable() for line in (*told, str(refused.value)))
    for query in ("needs-attention.kql", "unknown-errors.kql"):
        assert not any(
            has in line for line in told for has in re.findall(r'has "(.*?)"', (QUERIES / query).read_text())
        )
    assert {getattr(line, "deployment_id", ID) for line in caplog.records} <= {"unknown", ID}


def a_message(state: bool) -> Message:
    return Message(ID, STEP, 1, "etag", a_state() if state else None)

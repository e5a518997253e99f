"""The local host with a small app of its own, against a real Azurite."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

from local.dev.azurite import Azurite
from local.dev.environment import free_port
from local.dev.processes import Child, ProcessError

APP = Path(__file__).parent / "host_app"
KEYS = {"function": {"default": "key-of-all", "tickets": "key-of-tickets"}, "master": "key-of-masters"}
ONCE_A_YEAR = "0 0 0 1 1 *"
EACH_SECOND = "* * * * * *"
ITEM = "00000000-0000-0000-0000-00000000002a"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def azurite(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    running = runner.run(Azurite.start(tmp_path_factory.mktemp("azurite"), None))
    yield running
    runner.run(running.child.end())


@dataclass
class World:
    """One test's queue, journal and settings; several hosts can run in it."""

    storage: str = field(repr=False)
    folder: Path
    schedule: str = ONCE_A_YEAR

    def __post_init__(self) -> None:
        self.name = f"t-{uuid4()}"

    @property
    def journal(self) -> list[str]:
        file = self.folder / "journal"
        return file.read_text().splitlines() if file.exists() else []

    def release(self) -> None:
        """Lets slow functions end."""
        (self.folder / "go").touch()

    def queue(self, suffix: str = "") -> QueueClient:
        return QueueClient.from_connection_string(self.storage, self.name + suffix)

    def send(self, text: str) -> None:
        encoding = TextBase64EncodePolicy()
        QueueClient.from_connection_string(self.storage, self.name, message_encode_policy=encoding).send_message(text)

    def left(self) -> int:
        """Messages in the queue, hidden ones too."""
        return self.queue().get_queue_properties().approximate_message_count or 0

    def poisoned(self) -> list[str]:
        return [message.content for message in self.queue("-poison").receive_messages()]

    async def start(self, *options: str, port: int = 0, app: Path = APP) -> tuple[Child, str]:
        """Starts a host and returns it with its address."""
        environment = os.environ | {
            "AzureWebJobsStorage": self.storage,
            "HostAppStorage": self.storage,
            "HOST_APP_QUEUE": self.name,
            "HOST_APP_SCHEDULE": self.schedule,
            "HOST_APP_JOURNAL": str(self.folder / "journal"),
            "AzureFunctionsWebHost__hostid": self.name,
            "CMG_HOST_KEYS": json.dumps(KEYS),
        }
        command = [sys.executable, "-m", "local.host", "--app", str(app), "--port", str(port), *options]
        child = await Child.start("the host", command, self.folder / "host.log", environment)
        return child, (await child.ready())["host"]

    @asynccontextmanager
    async def host(self, *options: str, port: int = 0) -> AsyncIterator[tuple[Child, str]]:
        child, address = await self.start(*options, port=port)
        try:
            yield child, address
        finally:
            await child.kill()


@pytest.fixture
def world(azurite: Azurite, tmp_path: Path) -> World:
    return World(azurite.connection, tmp_path)


async def until(holds: Callable[[], bool], within_s: float = 15) -> None:
    """Waits for a condition; fails when it does not come."""
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, "what was waited for did not come"
        await asyncio.sleep(0.05)


async def call(method: str, url: str, key: str | None = None, body: str | None = None) -> tuple[int, str]:
    headers = {"x-functions-key": key} if key else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers={**headers, "X-Shown": "yes"}, data=body) as answer,
    ):
        return answer.status, await answer.text()


def in_world(runner: asyncio.Runner, test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await test()

    runner.run(run())


def test_a_function_gets_the_request_and_gives_the_answer(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host() as (_, address):
            url = f"{address}/api/Echo/{ITEM}/a%20part?one=1&two=2&two=3"
            status, text = await call("POST", url, "key-of-tickets", "grüße")
            assert status == 201
            assert json.loads(text) == {
                "method": "POST",
                "url": url,
                "route": {"id": ITEM, "part": "a part"},
                "query": {"one": "1", "two": "2,3"},
                "header": "yes",
                "body": "grüße",
            }
            status, text = await call("GET", f"{address}/api/echo/{ITEM}?code=key-of-all")
            assert (status, json.loads(text)["route"]) == (201, {"id": ITEM})
            assert await call("GET", f"{address}/api/open?name=you") == (200, "hello you")

    in_world(runner, test)


def test_levels_and_keys(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host() as (_, address):
            echo, closed, status = f"{address}/api/echo/{ITEM}", f"{address}/api/closed", f"{address}/admin/host/status"
            assert await call("GET", echo) == (401, "")
            assert await call("GET", echo, "a wrong key") == (401, "")
            assert (await call("GET", echo, "key-of-masters"))[0] == 201
            assert await call("GET", closed, "key-of-all") == (401, "")
            assert await call("GET", closed, "key-of-masters") == (204, "")
            assert await call("GET", status) == (401, "")
            code, text = await call("GET", status, "key-of-masters")
            assert (code, json.loads(text)["state"]) == (200, "Running")

    in_world(runner, test)


def test_what_no_function_answers(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host() as (_, address):
            assert (await call("GET", f"{address}/"))[0] == 200
            for method, path in (("GET", "none"), ("GET", "echo/not-a-guid"), ("DELETE", "open"), ("GET", "open/more")):
                assert await call(method, f"{address}/api/{path}", "key-of-all") == (404, "")
            assert await call("GET", f"{address}/api/broken") == (500, "")

    in_world(runner, test)


def test_a_message_is_worked_on_once_and_deleted(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host():
            for number in range(40):
                world.send(f"order {number}")
            await until(lambda: world.left() == 0)
        assert sorted(world.journal) == sorted(f"{edge} order {n} 1" for n in range(40) for edge in ("begin", "end"))

    in_world(runner, test)


def test_a_failing_message_is_tried_again_and_then_poison(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host():
            world.send("fail")
            await until(lambda: world.left() == 0)
        assert world.journal == ["begin fail 1", "begin fail 2"]
        assert world.poisoned() == ["ZmFpbA=="]

    in_world(runner, test)


def test_a_body_that_is_not_base64_is_poison_as_it_is(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host():
            world.queue().send_message("<not base64>")
            await until(lambda: world.left() == 0)
        assert world.journal == []
        assert world.poisoned() == ["<not base64>"]

    in_world(runner, test)


def test_a_message_stays_hidden_while_its_function_works(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host("--message-hold", "1"), world.host("--message-hold", "1"):
            world.send("slow")
            await until(lambda: len(world.journal) == 1)
            receives = world.queue()
            long_after = time.monotonic() + 2.5
            while time.monotonic() < long_after:
                assert [*receives.peek_messages()] == []
                await asyncio.sleep(0.1)
            world.release()
            await until(lambda: world.left() == 0)
        assert world.journal == ["begin slow 1", "end slow 1"]

    in_world(runner, test)


def test_a_killed_host_loses_no_message(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host("--message-hold", "1") as (child, _):
            world.send("slow")
            await until(lambda: world.journal == ["begin slow 1"])
            await child.kill()
            world.release()
            async with world.host("--message-hold", "1"):
                await until(lambda: world.left() == 0)
        assert world.journal == ["begin slow 1", "begin slow 2", "end slow 2"]

    in_world(runner, test)


def test_a_message_that_killed_its_host_too_often_is_poison(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        for attempt in (1, 2):
            async with world.host("--message-hold", "1") as (child, _):
                if attempt == 1:
                    world.send("slow")
                await until(lambda attempt=attempt: len(world.journal) == attempt)  # type: ignore[misc]
                await child.kill()
        async with world.host("--message-hold", "1"):
            await until(lambda: world.left() == 0)
        assert world.journal == ["begin slow 1", "begin slow 2"]
        assert world.poisoned() == ["c2xvdw=="]

    in_world(runner, test)


def test_sigterm_lets_running_functions_end(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        async with world.host() as (child, _):
            world.send("slow")
            await until(lambda: world.journal == ["begin slow 1"])
            ending = asyncio.create_task(child.end())
            await until(lambda: "INFO local.host ending" in child.log.read_text())
            world.send("too late")
            world.release()
            await ending
            assert (world.journal, world.left()) == (["begin slow 1", "end slow 1"], 1)
            assert "exit code 0" in str(await child.death())

    in_world(runner, test)


def test_a_missed_run_is_made_up_for_once(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        status = BlobServiceClient.from_connection_string(world.storage).get_blob_client(
            "azure-webjobs-hosts", f"timers/{world.name}/tick/status"
        )
        async with world.host() as (child, _):
            await until(status.exists)
            await child.end()
        assert world.journal == []
        stored = json.loads(status.download_blob().readall())
        stored["Next"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        status.upload_blob(json.dumps(stored), overwrite=True)
        async with world.host() as (child, _):
            await until(lambda: len(world.journal) == 1)
            assert world.journal == [f"tick {child.pid} late"]
            await child.end()
        assert datetime.fromisoformat(json.loads(status.download_blob().readall())["Next"]) > datetime.now(UTC)

    in_world(runner, test)


def test_one_host_of_several_runs_a_timer_and_another_follows_it(runner: asyncio.Runner, world: World) -> None:
    world.schedule = EACH_SECOND

    async def test() -> None:
        async with world.host() as (first, _):
            await until(lambda: len(world.journal) >= 1)
            async with world.host() as (second, _):
                await until(lambda: len(world.journal) >= 4)
                assert {line.split()[1] for line in world.journal} == {str(first.pid)}
                await first.end()
                await until(lambda: f"tick {second.pid} on time" in world.journal)

    in_world(runner, test)


def test_a_host_that_starts_again_has_its_timers_at_once(runner: asyncio.Runner, world: World) -> None:
    world.schedule = EACH_SECOND

    async def test() -> None:
        port = free_port()
        async with world.host(port=port) as (first, _):
            await until(lambda: len(world.journal) >= 1)
            await first.kill()
            async with world.host(port=port) as (second, _):
                await until(lambda: f"tick {second.pid} on time" in world.journal, within_s=8)

    in_world(runner, test)


def test_idle_polls_are_counted_and_the_count_outlives_the_host(runner: asyncio.Runner, world: World) -> None:
    async def test() -> None:
        tally = world.folder / "tally"
        async with world.host("--tally", str(tally)) as (child, address):
            await until(lambda: tally.exists() and tally.stat().st_size >= 5)
            _, text = await call("GET", f"{address}/admin/host/status", "key-of-masters")
            assert json.loads(text)["idle_polls"] >= 5
            await child.kill()
        before = tally.stat().st_size
        async with world.host("--tally", str(tally)):
            await until(lambda: tally.stat().st_size > before)

    in_world(runner, test)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import a_module_that_is_missing", "a_module_that_is_missing"),
        ("import azure.functions as func\napp = func.FunctionApp()", "registers no function"),
    ],
)
def test_an_app_that_cannot_be_read_says_why(runner: asyncio.Runner, world: World, code: str, reason: str) -> None:
    app = world.folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(code)
    (app / "host.json").write_text('{"version": "2.0"}')

    async def test() -> None:
        with pytest.raises(ProcessError, match="exit code 1") as failure:
            await world.start(app=app)
        assert reason in str(failure.value)

    in_world(runner, test)

"""The app itself under the local host with Microsoft's worker, against a real Azurite: what mistakes come to."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from cmg_core import __version__
from cmg_core.domain.record import Message
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.queues import StorageQueues, queue_name
from cmg_core.ledger.seals import Seals
from local.dev.azurite import ROOT, Azurite
from local.dev.processes import Child
from tests.fakes import migration

KEY = "key-of-the-ticket-system"
MASTER = "key-of-the-operators"
UNREACHABLE = "http://127.0.0.1:9"
"""A proxy that nobody listens at: a call to Azure could not leave this machine."""
COMMAND = [sys.executable, "-m", "local.host", "--app", str(ROOT), "--port", "0"]
FOREIGN = ("WEBSITE_", "CMG_", "CmgStorage", "IDENTITY_")


@dataclass
class App:
    """A running app, for one test module."""

    runner: asyncio.Runner
    address: str
    storage: str = field(repr=False)

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        """Status, headers and text of one answer."""

        async def once() -> tuple[int, Mapping[str, str], str]:
            sent = {"x-functions-key": KEY} if headers is None else headers
            async with (
                aiohttp.ClientSession(trust_env=False) as session,
                session.request(method, f"{self.address}{path}", data=body, headers=sent) as answer,
            ):
                return answer.status, answer.headers.copy(), await answer.text()

        return self.runner.run(once())

    def problem(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
        """Status and code of a refusal, which is a problem as all are."""
        status, headers, text = self.call(method, path, body)
        assert headers["Content-Type"].startswith("application/problem+json"), text
        told = json.loads(text)
        assert told["status"] == status
        assert told["correlation_id"] == headers["x-correlation-id"]
        return status, told["type"].removeprefix("/api/problems/")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    with asyncio.Runner() as runner:
        azurite = runner.run(Azurite.start(folder, None))
        try:
            child = runner.run(Child.start("the host", COMMAND, folder / "host.log", environment(azurite.connection)))
            try:
                yield App(runner, runner.run(child.ready())["host"], azurite.connection)
            finally:
                runner.run(child.end())
        finally:
            runner.run(azurite.child.end())


def environment(storage: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return own | {
        "AzureWebJobsStorage": storage,
        "CmgStorage": storage,
        "CMG_MINIMUM_GRACE": "PT20S",
        "CMG_KEY_ROLES": "requester, operator",
        "CMG_HOST_KEYS": json.dumps({"function": {"ticket-system": KEY}, "master": MASTER}),
        "HTTPS_PROXY": UNREACHABLE,
        "NO_PROXY": "127.0.0.1",
    }


def test_health_needs_no_key(app: App) -> None:
    status, headers, text = app.call("GET", "/api/health", headers={})
    health = json.loads(text)

    assert status == 200
    assert headers["x-correlation-id"]
    assert (health["status"], health["version"], health["minimum_grace"]) == ("healthy", __version__, "PT20S")


def test_what_the_app_says_of_itself_needs_no_key(app: App) -> None:
    status, headers, text = app.call("GET", "/api/openapi.json", headers={})
    assert (status, json.loads(text)["openapi"]) == (200, "3.1.0")
    status, headers, text = app.call("GET", "/api/docs", headers={})
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    refused = json.loads(app.call("GET", "/api/operations/none")[2])
    status, _, text = app.call("GET", refused["type"], headers={"Accept": "text/markdown"})
    assert (status, text.splitlines()[0]) == (200, "# no-such-deployment")
    (found, *_) = json.loads(app.call("POST", "/api/migrations", b"{}")[2])["findings"]
    status, _, text = app.call("GET", found["link"], headers={"Accept": "text/markdown"})
    assert (status, text.splitlines()[0]) == (200, "# missing-key")


@pytest.mark.parametrize("headers", [{}, {"x-functions-key": "wrong"}])
def test_a_wrong_key_opens_nothing(app: App, headers: Mapping[str, str]) -> None:
    for method, path in (("POST", "/api/migrations"), ("GET", "/api/deployments"), ("POST", "/api/plans")):
        assert app.call(method, path, headers=headers)[0] == 401


def test_mistakes_are_told_and_never_an_error_of_the_app(app: App) -> None:
    assert app.problem("POST", "/api/migrations", b'{"a": "' + b"x" * 2_000_000 + b'"}') == (413, "body-too-large")
    assert app.problem("POST", "/api/migrations", b'{"region": }') == (400, "unreadable-body")
    assert app.problem("POST", "/api/plans", b"\xff\xfe\x00") == (400, "unreadable-body")
    assert app.problem("POST", "/api/plans", b"[" * 200_000) == (400, "unreadable-body")
    assert app.problem("POST", "/api/deployments", b"[]") == (422, "invalid-request")
    assert app.problem("GET", "/api/operations/none") == (404, "no-such-deployment")
    assert app.problem("GET", "/api/deployments?ticket=1") == (422, "invalid-request")


def test_five_mistakes_make_five_findings(app: App) -> None:
    wrong = migration().model_dump(mode="json", by_alias=True, exclude={"kind"}, exclude_none=True)
    wrong |= {"instances": 0, "size": "huge", "region": "East US", "grace_period": "2 days", "colour": "blue"}
    status, headers, text = app.call("POST", "/api/migrations", json.dumps(wrong).encode())
    told = json.loads(text)

    assert (status, headers["Content-Type"].split(";")[0]) == (422, "application/problem+json")
    places = {finding["pointer"] for finding in told["findings"]}
    assert places == {"/instances", "/size", "/region", "/grace_period", "/colour"}
    assert all(finding["cure"] for finding in told["findings"])


def test_storage_is_asked_for_what_is_not_there(app: App) -> None:
    unknown = "7f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11"
    assert app.problem("GET", f"/api/deployments/{unknown}") == (404, "no-such-deployment")
    assert app.problem("GET", f"/api/deployments/{unknown}/events") == (404, "no-such-deployment")
    gate = json.dumps({"by": "Ada", "reason": "test"}).encode()
    assert app.problem("POST", f"/api/deployments/{unknown}/gates/cname", gate) == (404, "no-such-deployment")
    assert json.loads(app.call("GET", "/api/deployments")[2])["deployments"] == []


def test_a_message_without_a_record_reaches_its_step_and_is_kept_as_evidence(app: App) -> None:
    """It is tried as often as ``maxDequeueCount`` says, without a look at Azure, and then lies in the poison queue."""

    async def sent_and_kept() -> None:
        queues = StorageQueues(StorageConnection(app.storage), Seals())
        await queues.send(Message("7f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11", "preflight", 1, "etag"))
        await queues.close()
        poison = f"{queue_name('preflight')}-poison"
        async with QueueClient.from_connection_string(app.storage, poison) as queue, asyncio.timeout(60):
            kept = 0
            while not kept:
                await asyncio.sleep(0.2)
                kept = await _count(queue)

    app.runner.run(sent_and_kept())


async def _count(queue: QueueClient) -> int:
    try:
        return (await queue.get_queue_properties()).approximate_message_count or 0
    except ResourceNotFoundError:
        return 0

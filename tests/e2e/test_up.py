"""`python3 dev.py up` and `host` as tools use them: one line when ready, nothing left at the end, state that stays."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from cmg_core.domain.values import Json, JsonObject, objects_at, text_at
from local.dev.environment import WRITTEN, free_port
from local.dev.processes import ROOT, Child

KEYS = {"api", "key", "dashboard", "proxy", "ca", "sim", "storage", "dns", "pid", "host_pid"}
SAMPLE = ROOT / "samples" / "new-own-domain.json"
WAITS_FOR_S = 60.0


@asynccontextmanager
async def up(folder: Path, *more: str) -> AsyncIterator[tuple[Child, dict[str, str]]]:
    """A running `dev.py up` and its line; it has ended well, with all its children, when the block is left."""
    ports = ["--port", str(free_port()), "--proxy-port", str(free_port())]
    command = [sys.executable, str(ROOT / "dev.py"), "up", "--json", *ports, *more]
    child = await Child.start("up", command, folder / "up.log")
    try:
        line = await child.ready()
        children = [int(line["pid"]), *_children(child.pid)]
        yield child, line
    finally:
        await child.end()
    assert "exit code 0" in str(await child.death())
    assert [pid for pid in children if _runs(pid)] == []


def test_up_prints_its_line_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    async def test() -> None:
        async with up(tmp_path) as (child, line), aiohttp.ClientSession() as session:
            assert set(line) == KEYS
            assert int(line["pid"]) == child.pid
            assert not line["dashboard"]
            assert int(line["host_pid"]) in _children(child.pid)
            assert ssl.create_default_context(cafile=line["ca"]).get_ca_certs()
            assert (await _ask(session, line, "health"))["status"] == "healthy"
            async with session.get(line["sim"] + "/_sim/state") as state:
                assert state.ok
            await _let_callers_sign_in(session, line)

    asyncio.run(test())


def test_the_host_can_be_left_out_and_started_by_itself(tmp_path: Path) -> None:
    async def test() -> None:
        async with up(tmp_path, "--no-host") as (_, line), aiohttp.ClientSession() as session:
            assert not line["host_pid"]
            with pytest.raises(aiohttp.ClientConnectionError):
                await _ask(session, line, "health")
            for _ in range(2):
                host = await Child.start("host", [sys.executable, str(ROOT / "dev.py"), "host"], tmp_path / "host.log")
                try:
                    assert "start-migration" in (await host.ready())["functions"]
                    assert (await _ask(session, line, "health"))["status"] == "healthy"
                finally:
                    await host.kill()

    asyncio.run(test())


def test_state_stays_over_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        state = ["--state", str(tmp_path / "state"), "--minimum-grace", "PT1S"]
        sample = json.loads(SAMPLE.read_text())
        async with up(tmp_path, *state) as (_, line), aiohttp.ClientSession() as session:
            async with session.post(line["sim"] + "/_sim/seed", json=sample["world"]) as seeded:
                assert seeded.ok
            headers = {"x-functions-key": line["key"], "Idempotency-Key": str(uuid.uuid4())}
            async with session.post(line["api"] + "/deployments", json=sample["request"], headers=headers) as accepted:
                assert accepted.status == 202
                id = text_at(await accepted.json(), "id")
            await _waits_at_a_gate(session, line, id)
            before = await _ask(session, line, f"deployments/{id}/events")
            resources = await _resources(session, line)
        async with up(tmp_path, *state) as (_, line), aiohttp.ClientSession() as session:
            told = objects_at(before, "events")
            assert objects_at(await _ask(session, line, f"deployments/{id}/events"), "events")[: len(told)] == told
            assert await _resources(session, line) == resources
            await _waits_at_a_gate(session, line, id)

    asyncio.run(test())


async def _let_callers_sign_in(session: aiohttp.ClientSession, line: dict[str, str]) -> None:
    """The app verifies a managed identity's token by keys that it gets through the proxy; the key is only the fence."""
    me = {"client_id": str(uuid.uuid4()), "object_id": str(uuid.uuid4()), "roles": ["Cmg.Reader"]}
    async with session.post(line["sim"] + "/_sim/seed", json={"identity": {"api": {"callers": [me]}}}) as seeded:
        assert seeded.ok, await seeded.text()
    given = json.loads(WRITTEN.read_text())["environment"]
    query = {"resource": "api://cmg", "client_id": me["client_id"], "api-version": "2019-08-01"}
    identity = {"X-IDENTITY-HEADER": given["IDENTITY_HEADER"]}
    async with session.get(given["IDENTITY_ENDPOINT"], params=query, headers=identity) as answer:
        token = (await answer.json())["access_token"]

    async def asked(method: str, path: str, token: str) -> tuple[int, str]:
        headers = {"x-functions-key": line["key"], "Authorization": f"Bearer {token}"}
        async with session.request(method, f"{line['api']}/{path}", headers=headers) as answer:
            return answer.status, text_at(await answer.json(), "type")

    assert await asked("GET", "deployments", token) == (200, "")
    assert await asked("POST", "migrations", token) == (403, "/api/problems/role-missing")
    assert await asked("GET", "deployments", token[:-4] + "AAAA") == (401, "/api/problems/token-refused")


async def _waits_at_a_gate(session: aiohttp.ClientSession, line: dict[str, str], id: str) -> None:
    until = time.monotonic() + WAITS_FOR_S
    deployment: JsonObject = {}
    while time.monotonic() < until:
        deployment = await _ask(session, line, f"deployments/{id}")
        if deployment["status"] == "waiting":
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"it does not come to its gate: {deployment}")


async def _ask(session: aiohttp.ClientSession, line: dict[str, str], path: str) -> JsonObject:
    async with session.get(f"{line['api']}/{path}", headers={"x-functions-key": line["key"]}) as answer:
        assert answer.ok, await answer.text()
        document: Json = await answer.json()
    assert isinstance(document, dict)
    return document


async def _resources(session: aiohttp.ClientSession, line: dict[str, str]) -> set[str]:
    async with session.get(line["sim"] + "/_sim/state") as answer:
        return set((await answer.json())["resources"])


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(each) for each in listed.stdout.split()]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

"""`dev.py up`: one line when all is ready, and nothing left behind at the end."""

import asyncio
import json
import os
import sys
from pathlib import Path

import aiohttp

from local.dev.environment import LocalAzure, Options, free_port
from local.dev.processes import Child

KEYS = {"api", "key", "dashboard", "proxy", "ca", "sim", "storage", "dns", "pid", "host_pid"}


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_up_prints_its_line_and_ends_on_sigterm(tmp_path: Path) -> None:
    async def test() -> None:
        command = [sys.executable, "-m", "local.dev.up", "--json"]
        ports = ["--port", str(free_port()), "--proxy-port", str(free_port())]
        up = await Child.start("up", [*command, *ports], tmp_path / "up.log")
        try:
            line = await up.ready()
            assert set(line) == KEYS
            assert int(line["pid"]) == up.pid
            async with aiohttp.ClientSession() as session:
                async with session.get(line["api"] + "/health", headers={"x-functions-key": line["key"]}) as health:
                    assert (health.status, (await health.json())["status"]) == (200, "healthy")
                async with session.get(line["sim"] + "/_sim/state") as state:
                    assert state.status == 200
        finally:
            await up.end()
        assert "exit code 0" in str(await up.death())
        assert not runs(int(line["host_pid"]))

    asyncio.run(test())


def test_the_host_can_be_killed_and_started_again() -> None:
    async def test() -> None:
        async with LocalAzure(Options()) as azure:
            before = azure.pids
            assert set(before) == {"azurite", "simulator", "host"}
            await azure.kill_host()
            assert set(azure.pids) == {"azurite", "simulator"}
            await azure.start_host()
            assert azure.pids["host"] != before["host"]
            counted = azure.storage_transactions()
            assert counted["total"] == counted["queue"] + counted["table"]
            assert json.loads(azure.environment()["CMG_HOST_KEYS"])["function"] == {"default": azure.key}
        assert azure.pids == {}
        assert not azure.folder.exists()

    asyncio.run(test())


def test_a_program_that_dies_is_named() -> None:
    async def test() -> None:
        async with LocalAzure(Options(), no_host=True) as azure:
            os.kill(azure.pids["simulator"], 9)
            assert "the simulator was ended by SIGKILL" in str(await azure.death())

    asyncio.run(test())

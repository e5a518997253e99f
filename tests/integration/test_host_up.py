"""A local Azure as tests start it: parts that die are named, and the host can be killed and started again."""

import asyncio
import json
import os

from local.dev.environment import LocalAzure, Options


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

"""Looks that are called off: a killed host must leave nothing begun that nobody waits for."""

import asyncio
import gc

import pytest

from cmg_core.looks.asking import Asking
from cmg_core.looks.making import ask_names
from tests.fakes import FakeAzure


def test_looks_that_are_called_off_before_their_turn_were_never_begun(recwarn: pytest.WarningsRecorder) -> None:
    azure, asking = FakeAzure(), Asking()

    async def killed() -> None:
        run = asyncio.ensure_future(ask_names(asking, azure, "granitefalls"))
        await asyncio.sleep(0)
        run.cancel()
        await run

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(killed())
    gc.collect()
    assert [str(each.message) for each in recwarn] == [] and azure.calls["deleted_vault"] == 0

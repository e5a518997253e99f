"""What integration and end-to-end tests share."""

import asyncio
from collections.abc import Iterator

import pytest

from local.dev.azurite import Azurite
from tests.together import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an emulator of this session's own, in memory."""
    with asyncio.Runner() as runner:
        running = runner.run(Azurite.start(tmp_path_factory.mktemp("azurite"), None))
        yield running.connection
        runner.run(running.child.end())

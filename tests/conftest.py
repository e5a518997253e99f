"""What all tests share: how many inputs hypothesis tries, and an emulator for integration and end-to-end tests.

``CMG_HYPOTHESIS=campaign`` tries many more than the tests do every day (docs/campaigns.md, "Bad input").
"""

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from local.dev.azurite import Azurite
from tests.together import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("daily", deadline=None, suppress_health_check=SLOW_IS_FINE)
settings.register_profile(
    "campaign",
    parent=settings.get_profile("daily"),
    max_examples=6000,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    print_blob=True,
)
settings.register_profile(
    "mutations",
    parent=settings.get_profile("daily"),
    max_examples=30,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("CMG_HYPOTHESIS", "daily"))


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an emulator of this session's own, in memory."""
    with asyncio.Runner() as runner:
        running = runner.run(Azurite.start(tmp_path_factory.mktemp("azurite"), None))
        yield running.connection
        runner.run(running.child.end())

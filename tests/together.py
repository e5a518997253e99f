"""Tells xdist which tests belong together; tests/conftest.py registers it."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "e2e/test_killed_host.py": "the run with the killed host",
    "e2e/test_pages.py": "one browser and one built site",
    "e2e/test_secrets.py": "the run with the killed host",
    "e2e/test_up.py": "`dev.py host` finds the latest `dev.py up`",
}
"""Tests that go to the same worker, and what they share. All others go to whichever worker is free."""


class KeepTogether(LoadScopeScheduling):
    """xdist's own groups (--dist loadgroup) are lost on the way with this pytest: the file tells the group instead."""

    def _split_scope(self, nodeid: str) -> str:
        return next((shared for file, shared in TOGETHER.items() if f"{file}::" in nodeid), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> KeepTogether:
    return KeepTogether(config, log)

"""Runs that several tests look at."""

import asyncio

import pytest

from tests.e2e.killing import CLAIM_S, KilledRun, killed_run


@pytest.fixture(scope="session")
def killed() -> KilledRun:
    """One migration with the host killed in each step. tests/together.py keeps those who look at it on one worker."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CMG_CLAIM_SECONDS", str(CLAIM_S))
        return asyncio.run(killed_run())

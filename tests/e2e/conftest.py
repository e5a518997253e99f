"""Runs that several tests look at."""

import asyncio
import json

import pytest

from tests.e2e.killing import CLAIM_S, KilledRun, killed_run, with_protected_settings


@pytest.fixture(scope="session")
def killed() -> KilledRun:
    """One migration with the host killed in each step. tests/together.py keeps those who look at it on one worker."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CMG_CLAIM_SECONDS", str(CLAIM_S))
        environment.setenv("CMG_GATEWAY_SOFTWARE", json.dumps(with_protected_settings()))
        return asyncio.run(killed_run())

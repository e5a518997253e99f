"""Runs with real processes: a fast clock where the machine has one, short claims where it has none."""

import asyncio
import os
import re
import time
from pathlib import Path

import pytest

from cmg_core.domain.values import at
from local.chaos import real
from local.dev.faketime import HOW_TO_GET_IT, FastClock
from local.sample import load

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def test_a_program_that_starts_later_is_sent_ahead_by_what_the_others_have_gained() -> None:
    environment = FastClock(LIBRARY, 60, began=time.time() - 10).environment()
    assert environment["LD_PRELOAD"] == str(LIBRARY)
    found = re.fullmatch(r"\+(\d+\.\d+) x60", environment["FAKETIME"])
    assert found is not None and 590 <= float(found[1]) < 600


def test_with_the_library_claims_and_holds_keep_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "library", lambda: LIBRARY)
    options = real._options()
    assert options.clock is not None and options.clock.speed == real.SPEED
    assert options.message_hold_s is None and options.time_scale == 1.0


def test_without_it_the_command_says_so_and_goes_on_with_short_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(real, "library", lambda: None)
    monkeypatch.setenv("CMG_CLAIM_SECONDS", "300")
    assert asyncio.run(real.campaign(0, 1)) == []
    assert HOW_TO_GET_IT in capsys.readouterr().err
    assert float(os.environ["CMG_CLAIM_SECONDS"]) == real.CLAIM_S
    options = real._options()
    assert options.clock is None and options.message_hold_s == real.HOLD_S > real.CLAIM_S


def test_a_sample_at_full_length_is_the_same_story_with_longer_spans() -> None:
    short = load(real.SAMPLE)
    long = real._at_full_length(short)
    assert long.then == short.then and long.expect == short.expect
    assert long.request == short.request | {"grace_period": "PT10M"}
    assert at(long.world, "site", "clients", "attempt_interval_s") == real.SPEED / 10
    assert at(short.world, "site", "clients", "attempt_interval_s") != real.SPEED / 10

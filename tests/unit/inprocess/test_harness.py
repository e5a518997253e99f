"""Whole stories in process: they end as told, the same each time, and a fault strikes where it was meant to."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from local.inprocess.calling import StoryFailed
from local.inprocess.harness import RunReport, run
from local.inprocess.stage import Settings
from local.inprocess.tape import Fault, Harm
from local.sample import Sample, load

SCALE_SET = re.compile(r"PUT .*/virtualMachineScaleSets/[^/]+")
SAMPLES = Path(__file__).resolve().parents[3] / "samples"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return load(SAMPLES / "s07-own-domain-from-classic.json")


@pytest.fixture(scope="module")
def undisturbed(sample: Sample) -> RunReport:
    return run(sample)


def test_the_story_ends_as_its_sample_expects(sample: Sample, undisturbed: RunReport) -> None:
    assert undisturbed.outcome is Status.SUCCEEDED
    assert undisturbed.deleted == {id.lower() for id in sample.expect.deleted or ()}
    assert undisturbed.kept >= {id.lower() for id in sample.expect.kept}
    assert (undisturbed.tally.failures, undisturbed.errors, undisturbed.poison) == (0, (), ())
    assert undisturbed.undone == ()


def test_the_same_story_is_told_twice_alike(sample: Sample, undisturbed: RunReport) -> None:
    assert run(sample).calls == undisturbed.calls


@pytest.mark.parametrize("harm", [Harm.CRASH_BEFORE, Harm.CRASH_AFTER, Harm.THROTTLED, Harm.LOST_ANSWER])
def test_a_fault_at_the_scale_set_delays_the_story_only(sample: Sample, undisturbed: RunReport, harm: Harm) -> None:
    call = next(call for call in undisturbed.calls if SCALE_SET.fullmatch(call.name))
    report = run(sample, Fault(call.number, harm))
    assert report.struck == call
    assert report.outcome is Status.SUCCEEDED
    assert (report.created, report.deleted) == (undisturbed.created, undisturbed.deleted)
    assert report.tally.failures == 0
    # A lost answer costs less than what the drawn durations of Azure's operations differ by.
    assert report.lasted > undisturbed.lasted or harm is Harm.LOST_ANSWER


def test_a_story_without_an_end_is_told_as_one(sample: Sample) -> None:
    nobody_acts = sample.model_copy(update={"then": ()})
    with pytest.raises(StoryFailed, match="1 day"):
        run(nobody_acts, settings=Settings(longest=timedelta(days=1)))


def test_two_days_of_grace_at_the_pace_of_azure(sample: Sample) -> None:
    patient = sample.model_copy(update={"request": sample.request | {"grace_period": "P2D"}})
    report = run(patient, settings=Settings(time_scale=1, minimum_grace=timedelta(days=1)))
    assert report.outcome is Status.SUCCEEDED
    assert timedelta(days=2) < report.lasted < timedelta(days=2, minutes=30)
    assert report.tally.failures == 0

"""Whatever goes wrong at whatever call, one thing at a time, a migration ends as if nothing had happened.

The default sample meets every harm at every one of its calls; samples of the other cases meet a seeded choice of them,
or every one where ``CMG_SWEEP`` says ``all`` (docs/campaigns.md).
"""

import gc
import os
import random
import re
from functools import cache
from pathlib import Path

import pytest

from local.inprocess.harness import RunReport, run
from local.inprocess.tape import Call, Fault, Harm, Port
from local.sample import Sample, load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
DEFAULT = "s07-own-domain-from-classic.json"
OTHERS = (
    "s07-own-domain-from-scale-set.json",
    "new-own-domain.json",
    "s03-new-region-name.json",
    "s07-consented-gap.json",
    "s02-classic-gone.json",
    "s08-own-domain-from-cloudapp-net.json",
    "s08-region-name-from-cloudapp-net.json",
    "s08-retire-only.json",
    "s09-offline-clients.json",
    "existing-gateway.json",
    "site-makes-the-gateway.json",
    "s07-zone-of-others.json",
    "parked-name.json",
)
PARTS = 24
"""Of the sweep, so that several workers share it."""
CHOSEN = 8
WHOLE = os.environ.get("CMG_SWEEP") == "all"
SCALE_SET = re.compile(r"/virtualMachineScaleSets/[^/]+", re.IGNORECASE)
TRIED_AGAIN = ("TryAgain", "ClaimRunsOut")
"""What an invocation may raise: its message stays, and the next try carries on."""


@cache
def sample_of(name: str) -> Sample:
    return load(SAMPLES / name)


@cache
def undisturbed(name: str) -> RunReport:
    report = run(sample_of(name))
    # What the SDKs have loaded stays for good: collections that walk over it cost more than the stories.
    gc.collect()
    gc.freeze()
    return report


def faults_of(name: str) -> list[Fault]:
    return [Fault(call.number, harm) for call in undisturbed(name).calls for harm in call.harms]


def scale_sets_made(report: RunReport) -> int:
    return sum(
        each.request.method == "PUT"
        and SCALE_SET.search(each.request.path) is not None
        and each.response is not None
        and each.response.status == 201
        for each in report.requests
    )


def longest_gap_s(report: RunReport) -> float:
    """What the plan foretold: none, but where a gap was accepted."""
    plan = report.record.state.plan
    return plan.foretold_gap.total_seconds() if plan else 0.0


def differences(report: RunReport, expected: RunReport) -> list[str]:
    """In what a disturbed story ended otherwise than the undisturbed one."""
    problem = report.record.state.problem
    surprises = [error for error in report.errors if not any(known in error for known in TRIED_AGAIN)]
    told = {
        "the fault struck nothing": report.struck is None,
        f"it ended {report.outcome}: {problem and problem.detail}": report.outcome is not expected.outcome,
        f"deleted {set(report.deleted ^ expected.deleted)}": report.deleted != expected.deleted,
        f"created {set(report.created ^ expected.created)}": report.created != expected.created,
        f"kept {set(report.kept ^ expected.kept)}": report.kept != expected.kept,
        f"clients found none for {report.tally.longest_gap_s} s": report.tally.longest_gap_s > longest_gap_s(report),
        f"{scale_sets_made(report)} scale sets were made": scale_sets_made(report) != scale_sets_made(expected),
        f"{len(report.poison)} messages in poison": bool(report.poison),
        f"raised {surprises}": bool(surprises),
        f"people had no occasion for {len(report.undone)} things": bool(report.undone),
    }
    return [what for what, is_so in told.items() if is_so]


def sweep(name: str, faults: list[Fault]) -> None:
    """Tell the story once a fault; all that ended otherwise are shown together."""
    expected = undisturbed(name)
    ended_otherwise: dict[tuple[Call, Harm], list[str]] = {}
    for fault in faults:
        found = differences(run(sample_of(name), fault), expected)
        if found:
            ended_otherwise[expected.calls[fault.at - 1], fault.harm] = found
    assert ended_otherwise == {}


@pytest.mark.parametrize("part", range(PARTS))
def test_every_harm_at_every_call(part: int) -> None:
    faults = faults_of(DEFAULT)
    assert len(faults) > 500
    sweep(DEFAULT, faults[part::PARTS])


def test_a_standing_gateway_that_fails_to_answer_once_is_dialed_again() -> None:
    name = "s08-retire-only.json"
    first = next(call.number for call in undisturbed(name).calls if call.port is Port.DIAL)
    sweep(name, [Fault(first, Harm.ERROR)])


@pytest.mark.parametrize("name", OTHERS)
def test_chosen_harms_at_other_samples(name: str) -> None:
    faults = faults_of(name)
    sweep(name, faults if WHOLE else random.Random(name).sample(faults, CHOSEN))

"""Every sample comes to the end that it expects, told in one process."""

from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from local.azure.receivers import heard
from local.inprocess.harness import RunReport, run
from local.sample import load

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "samples").glob("*.json"))
READS = ("GET", "HEAD", "POST")
"""Looks at Azure: free names and policies are asked for by POST."""
STEPS = {
    "automation": ("register-providers", "fetch-certificate", "provision-network", "provision-scale-set"),
    "site": ("register-providers", "fetch-certificate", "provision-scale-set"),
    "existing": ("fetch-certificate", "provision-scale-set"),
}


@cache
def played(file: Path) -> RunReport:
    return run(load(file))


@pytest.mark.parametrize("file", SAMPLES, ids=[file.stem for file in SAMPLES])
def test_a_sample_ends_as_it_expects(file: Path) -> None:
    sample, report = load(file), played(file)
    expect, plan = sample.expect, report.record.state.plan
    assert (report.outcome, report.undone) == (Status(expect.outcome), ())
    assert [answer for answer in report.answers if answer.status >= 400] == []
    codes = {finding.code for finding in plan.findings} if plan else set()
    assert set(expect.findings) <= codes
    if expect.deleted is not None:
        assert report.deleted == {id.lower() for id in expect.deleted}
    if expect.created is not None:
        assert report.created == {id.lower() for id in expect.created}
    assert {id.lower() for id in expect.kept} <= report.kept
    allowed = expect.gap_within.total_seconds() if expect.gap_within else 0.0
    assert report.tally.longest_gap_s <= allowed and bool(report.tally.failures) <= bool(allowed)
    assert report.poison == () and report.errors == ()
    if expect.untouched:
        assert {entry.request.method for entry in report.requests} <= set(READS)


@pytest.mark.parametrize("file", SAMPLES, ids=[file.stem for file in SAMPLES])
def test_a_samples_gap_is_within_what_the_plan_foretold(file: Path) -> None:
    report = played(file)
    plan = report.record.state.plan
    assert plan is not None
    assert report.tally.longest_gap_s <= plan.foretold_gap.total_seconds()


@pytest.mark.parametrize("file", SAMPLES, ids=[file.stem for file in SAMPLES])
def test_who_makes_the_gateway_decides_the_steps(file: Path) -> None:
    request, lines = load(file).request, played(file).record.state.progress
    names = tuple(line.name for line in lines)
    making = STEPS[str(request["provisioned_by"])]
    last = ("retire-old-gateway",) if "old_gateway" in request else ()
    ways_back = tuple(name for name in names if name == "roll-back")
    assert names == ("preflight", *making, "verify-gateway", "cut-over", *last, *ways_back)


@pytest.mark.parametrize("file", [file for file in SAMPLES if load(file).expect.heard], ids=lambda file: file.stem)
def test_those_who_listen_hear_everything_in_order(file: Path) -> None:
    report = played(file)
    for host in load(file).expect.heard:
        taken = [each.body for each in report.world.receivers[host].received]
        assert heard(taken) == []
        assert len(taken) == len(report.events)

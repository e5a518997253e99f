"""Every answer of Azure names its operation at another host: nothing is sent there, and the story ends as ever."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from local.azure.messages import Request, Response, is_change
from local.azure.simulator import Simulator
from local.inprocess.harness import RunReport, run
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Tape
from local.sample import Sample, load

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "s07-own-domain-from-scale-set.json"
NAMED = ("azure-asyncoperation", "location")


class Lying(Simulator):
    """An Azure whose answers (or whoever stands before it) name operations at ``elsewhere``."""

    elsewhere = ""

    def handle(self, request: Request, now: datetime) -> Response:
        response = super().handle(request, now)
        lied = ((name, self.elsewhere if name.lower() in NAMED else value) for name, value in response.headers)
        return replace(response, headers=tuple(lied))


class Stage(InProcess):
    """A world whose Azure lies."""

    def __init__(self, elsewhere: str, sample: Sample, tape: Tape, settings: Settings) -> None:
        super().__init__(sample, tape, settings)
        lying = Lying(self.world)
        lying.elsewhere = elsewhere
        self.simulator = lying


def writes(report: RunReport) -> list[str]:
    requests = [entry.request for entry in report.requests]
    return sorted(f"{sent.method} {sent.path}" for sent in requests if is_change(sent.method, sent.path))


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/operations/1", "https://management.azure.com@evil.example/", "http://[::1]/"]
)
def test_no_request_follows_a_lying_operation_address(elsewhere: str) -> None:
    truthful, lied = run(load(SAMPLE)), run(load(SAMPLE), stage=partial(Stage, elsewhere))
    assert lied.outcome is truthful.outcome is Status.SUCCEEDED
    assert {entry.request.host for entry in lied.requests} == {entry.request.host for entry in truthful.requests}
    assert (writes(lied), lied.created, lied.deleted) == (writes(truthful), truthful.created, truthful.deleted)
    assert lied.tally.failures == truthful.tally.failures

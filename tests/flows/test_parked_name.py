"""A name that stays parked: the old address stands alone with its label, until it is released."""

import json
from functools import cache
from pathlib import Path

from cmg_core.domain.record import Status
from cmg_core.domain.values import JsonObject, text_at
from local.inprocess.harness import RunReport, run
from local.inprocess.tape import Fault
from local.sample import Sample, Then, load

PARKING = load(Path(__file__).resolve().parents[2] / "samples" / "parked-name.json")
OLD_NAME = "granitefalls.eastus.cloudapp.azure.com"
RELEASE = Then.model_validate(
    {
        "when": {"status": "succeeded"},
        "call": {
            "path": "/api/deployments/{id}/release-name",
            "body": {"by": "network.team@contoso.com", "reason": "Nothing leads to the name any more"},
        },
    }
)
FAULTS = 12
"""Harms tried for the moments of a release."""


def parking(*then: Then, forgotten: bool = False) -> Sample:
    """The sample, with more that people do; a record of the zone may lead to the old name."""
    world: JsonObject = json.loads(json.dumps(PARKING.world))
    [zone] = world["dns_zones"]  # type: ignore[misc,str-unpack]  # as the sample has it
    if forgotten:
        record = {"name": "forgotten", "type": "CNAME", "ttl": 4, "value": OLD_NAME}
        zone["record_sets"].append(record)  # type: ignore[call-overload,index,union-attr]
    return PARKING.model_copy(update={"world": world, "then": (*PARKING.then, *then)})


@cache
def parked() -> RunReport:
    return run(parking())


@cache
def released() -> RunReport:
    return run(parking(RELEASE))


def old_address(report: RunReport) -> JsonObject | None:
    """What stands of the old gateway's address."""
    found = [each.body for each in report.world.resources.values() if each.id.endswith("/granitefalls-ip")]
    named = [body for body in found if text_at(body, "properties", "dnsSettings", "fqdn") == OLD_NAME]
    return named[0] if named else None


def test_the_address_stays_alone_with_its_label() -> None:
    report = parked()
    assert report.outcome is Status.SUCCEEDED and report.tally.failures == 0 and report.undone == ()
    assert old_address(report) is not None
    left = [id for id in report.kept if "/rg-granitefalls-2021/" in id and "/microsoft.storage/" not in id]
    assert report.record.state.parked is not None and left == [report.record.state.parked.id.lower()]
    assert len(report.deleted) == 4


def test_invariant_8_the_name_goes_when_it_is_released_and_nothing_else() -> None:
    report = released()
    assert report.outcome is Status.SUCCEEDED and report.tally.failures == 0 and report.undone == ()
    assert [answer.status for answer in report.answers][-1] == 200
    assert old_address(report) is None and report.record.state.parked is None
    [more] = report.deleted - parked().deleted
    assert more.endswith("/granitefalls-ip") and report.created == parked().created


def test_invariant_8_a_forgotten_record_keeps_the_name_parked() -> None:
    report = run(parking(RELEASE, forgotten=True))
    assert report.outcome is Status.NEEDS_ATTENTION and old_address(report) is not None
    problem = report.record.state.problem
    assert problem is not None and problem.code == "name-not-released" and "forgotten" in problem.detail
    given_up = Then.model_validate(
        {
            "when": {"status": "needs-attention"},
            "call": {"path": "/api/deployments/{id}/cancel", "body": {"by": "ann@contoso.com", "reason": "Not now"}},
        }
    )
    report = run(parking(RELEASE, given_up, forgotten=True))
    assert report.outcome is Status.SUCCEEDED and old_address(report) is not None
    assert report.record.state.parked is not None and report.record.state.problem is None


def test_a_release_survives_whatever_goes_wrong_once() -> None:
    first = next(call.number for call in released().calls if call.name == "reopen")
    faults = [Fault(call.number, harm) for call in released().calls if call.number >= first for harm in call.harms]
    wrong = {}
    for fault in faults[:: max(1, len(faults) // FAULTS)]:
        report = run(parking(RELEASE), fault)
        if (report.outcome, old_address(report), report.struck is None) != (Status.SUCCEEDED, None, False):
            wrong[fault] = (report.outcome, report.struck, report.record.state.problem)
    assert len(faults) > FAULTS and wrong == {}

"""Rollback in the cases that have one, asked at many moments: the clients never notice, and the world is as it was.

``test_ways_back.py`` does the same at every moment of the default sample.
"""

from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from cmg_core.domain.values import JsonObject
from local.inprocess.harness import Aside, RunReport, run
from local.inprocess.stage import Settings
from local.inprocess.tape import Fault, Harm
from local.sample import Call, Sample, Then, load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
WHO: JsonObject = {"by": "change.manager@contoso.com", "reason": "An application fails"}
BACK = Call(path="/api/deployments/{id}/rollback", body=WHO)
MOMENTS = 12


def gate(name: str) -> Call:
    return Call(path=f"/api/deployments/{{id}}/gates/{name}", body=WHO)


def at_gate(name: str, **does: object) -> Then:
    return Then.model_validate({"when": {"gate": name}, **does})


OLD_VIEW: JsonObject = {
    "set_hosts": {
        "server": "CP1",
        "name": "granitefalls.contoso.com",
        "address": "@address-of:granitefalls.cloudapp.net",
    }
}
INSIDE_BACK = (
    at_gate("inside-dns", world=OLD_VIEW),
    at_gate("inside-dns", call=gate("inside-dns").model_dump()),
)


@cache
def sample(name: str) -> Sample:
    return load(SAMPLES / f"{name}.json")


@cache
def undisturbed(name: str) -> RunReport:
    return run(sample(name))


def moments(name: str) -> list[int]:
    """Some of the calls between the plan and the point of no return, right after writes of the ledger."""
    report = undisturbed(name)
    saves = [call.number for call in report.calls if call.name in ("create", "save")]
    planned = next(event.revision for event in report.events if event.text == "preflight is done")
    last = next(event.revision for event in report.events if "makes sure that the site knows" in event.text)
    between = [number + 1 for number in saves[planned : last - 1]]
    return between[:: max(1, len(between) // MOMENTS)]


def taken_back(name: str, at: int, people: tuple[Then, ...]) -> RunReport:
    return run(sample(name), aside=Aside(at, BACK, people))


def record_of(report: RunReport, name: str) -> object:
    body = next(
        (each.body for each in report.world.of_type("Microsoft.Network/dnsZones/CNAME") if each.name.lower() == name),
        None,
    )
    return body["properties"]["CNAMERecord"] if body else None


@pytest.mark.parametrize(
    "name", ["s08-own-domain-from-cloudapp-net", "s08-region-name-from-cloudapp-net", "existing-gateway"]
)
def test_a_rollback_takes_back_what_was_made_and_no_client_notices(name: str) -> None:
    people = INSIDE_BACK if name == "existing-gateway" else ()
    for at in moments(name):
        report = taken_back(name, at, people)
        assert report.outcome is Status.ROLLED_BACK, (at, report.record.state.waiting, report.record.state.problem)
        assert (report.tally.failures, report.created, report.deleted) == (0, frozenset(), frozenset()), at
        if name.startswith("s08-own"):
            assert record_of(report, "granitefalls") is None


def test_under_a_new_name_the_old_gateway_must_relay_before_the_new_one_goes() -> None:
    broken = sample("s08-own-domain-from-cloudapp-net")
    lost = Then.model_validate({"when": {"status": "grace"}, "world": {"remove_connection_point": "CP1"}})
    asked = Then.model_validate({"when": {"status": "grace"}, "call": BACK.model_dump()})
    again: JsonObject = {
        "add_connection_point": {
            "server": "CP1",
            "gateway": "GraniteFalls",
            "service_name": "GraniteFalls.CloudApp.Net",
        }
    }
    cured = Then.model_validate({"when": {"step": "roll-back"}, "world": again})
    grace = next(number for number, each in enumerate(broken.then) if each.when.gate == "site-record-removed")
    report = run(broken.model_copy(update={"then": (*broken.then[:grace], lost, asked, cured)}))
    assert report.outcome is Status.ROLLED_BACK and report.tally.failures == 0


def test_with_an_accepted_gap_a_rollback_has_the_same_gap_and_no_longer_one() -> None:
    name = "s07-consented-gap"
    plan = undisturbed(name).record.state.plan
    assert plan is not None
    for at in moments(name):
        report = taken_back(name, at, INSIDE_BACK)
        assert report.outcome is Status.ROLLED_BACK, (at, report.record.state.waiting, report.record.state.problem)
        assert report.tally.longest_gap_s <= plan.foretold_gap.total_seconds()
        assert (report.created, report.deleted) == (frozenset(), frozenset())
        assert record_of(report, "granitefalls") == {"cname": "granitefalls.cloudapp.net"}


def test_a_run_that_died_right_after_the_change_of_the_record_leaves_nobody_waiting_unseen() -> None:
    """Nobody was asked to lead the inside view over; here it follows the public record by itself."""
    told = sample("s07-consented-gap")
    told = told.model_copy(update={"world": told.world | {"inside_dns": []}})
    [change] = [each for each in run(told).calls if each.name.startswith("PUT") and "/CNAME/" in each.name][1:2]
    died = Fault(change.number, Harm.CRASH_AFTER)
    claim_is_over_first = Settings(claim=timedelta(seconds=65), longest=timedelta(days=1))
    report = run(told, died, claim_is_over_first, Aside(change.number + 1, BACK, INSIDE_BACK))
    assert report.struck is not None and [answer.status for answer in report.answers][-2:] == [200, 200]
    assert (report.outcome, report.undone, report.deleted) == (Status.ROLLED_BACK, (), frozenset())
    assert record_of(report, "granitefalls") == {"cname": "granitefalls.cloudapp.net"}
    [asked] = [event.text for event in report.events if "let" in event.text and "again on the original" in event.text]
    assert "inside DNS" in asked


def test_what_the_site_made_its_administrator_removes_once_the_zones_holder_has_removed_its_record() -> None:
    name = "site-makes-the-gateway"
    unnamed = at_gate("cname", world={"set_public_dns": [{"name": "evergreen.contoso.com"}]})
    removed = at_gate("gateway-created", call=gate("gateway-created").model_dump())
    last = moments(name)[-1]
    report = taken_back(name, last, (unnamed, removed))
    assert [gate.asked_at is not None for gate in report.record.state.gates if gate.name == "cname"] == [True]
    assert report.outcome is Status.ROLLED_BACK and report.deleted == frozenset() and report.tally.failures == 0
    assert report.created == undisturbed(name).created


def test_there_is_no_way_back_to_a_gateway_that_was_gone_before_once_clients_are_led_over() -> None:
    name = "s02-classic-gone"
    for at in moments(name):
        report = run(sample(name), aside=Aside(at, BACK, ()))
        [answer] = [each for each in report.answers if each.path.endswith("/rollback")]
        if answer.status == 200:  # before the cut-over: only what was made goes
            assert report.outcome is Status.ROLLED_BACK and report.created == frozenset()
        else:
            assert (answer.status, answer.problem, report.outcome) == (409, "not-possible-now", Status.SUCCEEDED)


def test_a_retirement_has_nothing_to_roll_back_and_can_be_cancelled_until_the_removal() -> None:
    name = "s08-retire-only"
    cancel = Call(path="/api/deployments/{id}/cancel", body=WHO)
    for at in moments(name):
        asked = run(sample(name), aside=Aside(at, BACK, ()))
        [answer] = [each for each in asked.answers if each.path.endswith("/rollback")]
        assert (answer.status, asked.outcome) == (409, Status.SUCCEEDED)
        cancelled = run(sample(name), aside=Aside(at, cancel, ()))
        assert cancelled.outcome is Status.CANCELLED
        assert (cancelled.deleted, cancelled.created, cancelled.tally.failures) == (frozenset(), frozenset(), 0)

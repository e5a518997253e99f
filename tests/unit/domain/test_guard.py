"""The deletion guard's verdict: for each thing that may be seen, what stands against the removal and for how long."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cmg_core.domain.gates import GateName
from cmg_core.domain.guard import Seen, Verdict, judge, judge_release
from cmg_core.domain.health import Health
from cmg_core.domain.plans import Part, StandingGateway
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.record import State
from cmg_core.domain.values import JsonObject
from tests.fakes import CLASSIC_ID, NOW, OLD_GROUP, FakeServices, resource_id
from tests.stories import MAKE, after_grace, closed, parking

GATES = (GateName.CNAME, GateName.INSIDE_DNS)
SECOND = timedelta(seconds=1)
STRANGER = resource_id("Microsoft.Network/networkInterfaces", "printserver", OLD_GROUP)
IN_USE: JsonObject = {"id": CLASSIC_ID, "properties": {"networkInterfaces": [{"id": STRANGER}]}}
LOCK: JsonObject = {
    "id": f"{CLASSIC_ID}/providers/Microsoft.Authorization/locks/keep",
    "properties": {"level": "CanNotDelete"},
}
CLEAR = Seen(
    now=NOW,
    azure_now=NOW,
    health=Health(2, 2),
    shows_expected_certificate=True,
    relays=True,
    relay_answer="401 CMGConnector_Unauthorized",
    locks=(),
    still_there=({"id": CLASSIC_ID},),
    pointing_at_old_name=(),
)


def ending(at: datetime = NOW) -> State:
    return replace(after_grace(FakeServices()), grace_ends_at=at)


def judged(state: State, seen: Seen, gates: Sequence[GateName] = GATES) -> Verdict:
    assert state.plan is not None
    return judge(state, state.plan, gates, seen)


def deleting(*parts: Part) -> State:
    state = ending()
    assert state.plan is not None
    return replace(state, plan=state.plan.model_copy(update={"delete": parts}))


def told(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    assert all(finding.severity is Severity.BLOCKS and finding.seen and finding.cure for finding in findings)
    return [(finding.code, finding.resource) for finding in findings]


def test_nothing_stands_against_it_from_the_very_end_of_the_grace_period_on() -> None:
    verdict = judged(ending(), CLEAR)
    assert verdict == Verdict() and verdict.is_clear


@pytest.mark.parametrize(
    ("state", "seen", "code"),
    [
        (lambda: ending(NOW + SECOND), CLEAR, "grace-period-runs"),
        (ending, replace(CLEAR, now=NOW - SECOND), "grace-period-runs"),
        (ending, replace(CLEAR, azure_now=NOW - SECOND), "grace-period-runs"),
        (lambda: replace(ending(), grace_ends_at=None), CLEAR, "grace-period-runs"),
        (lambda: closed(ending(), GateName.CNAME), CLEAR, "gate-closed"),
        (lambda: closed(ending(), GateName.INSIDE_DNS), CLEAR, "gate-closed"),
        (ending, replace(CLEAR, health=Health(2, 1, ("instance 1: it does not run",))), "new-gateway-unhealthy"),
        (ending, replace(CLEAR, shows_expected_certificate=False), "new-gateway-certificate"),
        (ending, replace(CLEAR, relays=False), "new-gateway-relays-not"),
    ],
)
def test_what_may_cure_itself_is_waited_for(state: Callable[[], State], seen: Seen, code: str) -> None:
    verdict = judged(state(), seen)
    assert told(verdict.passing) == [(code, "")] and verdict.standing == () and not verdict.is_clear


def test_a_closed_gate_is_told_with_its_name_and_what_opens_it() -> None:
    state = closed(ending(), GateName.CNAME)
    [finding], gate = judged(state, CLEAR).passing, state.gate(GateName.CNAME)
    assert gate is not None and GateName.CNAME in finding.seen and finding.cure == gate.what_to_do
    assert judged(state, CLEAR, [GateName.INSIDE_DNS]).is_clear, "a gate that stands later is none of its business"


def test_the_end_of_the_grace_period_is_told() -> None:
    assert (NOW + SECOND).isoformat() in judged(ending(NOW + SECOND), CLEAR).passing[0].seen


@pytest.mark.parametrize(
    ("state", "seen", "expected"),
    [
        (ending, replace(CLEAR, locks=(LOCK,)), ("locked", CLASSIC_ID)),
        (ending, replace(CLEAR, still_there=(IN_USE,)), ("used-by-others", CLASSIC_ID)),
        (ending, replace(CLEAR, pointing_at_old_name=("vpn",)), ("name-would-dangle", "")),
        (
            lambda: deleting(Part(id=CLASSIC_ID, immutable_id="first")),
            replace(CLEAR, still_there=({"id": CLASSIC_ID.upper(), "properties": {"uniqueId": "second"}},)),
            ("not-the-planned-resource", CLASSIC_ID),
        ),
        (
            lambda: deleting(Part(id=CLASSIC_ID), Part(id=MAKE.load_balancer.upper())),
            CLEAR,
            ("part-of-the-new-gateway", MAKE.load_balancer.upper()),
        ),
    ],
)
def test_what_does_not_pass_by_itself_calls_a_person(
    state: Callable[[], State], seen: Seen, expected: tuple[str, str]
) -> None:
    verdict = judged(state(), seen)
    assert told(verdict.standing) == [expected] and verdict.passing == () and not verdict.is_clear


def test_a_resource_made_anew_is_told_by_both_ids_of_its_own() -> None:
    state = deleting(Part(id=CLASSIC_ID, immutable_id="first"))
    for properties, found in (({"uniqueId": "second"}, "second"), ({}, "none")):
        body: JsonObject = {"id": CLASSIC_ID, "properties": dict(properties)}
        [finding] = judged(state, replace(CLEAR, still_there=(body,))).standing
        assert "first" in finding.seen and found in finding.seen


def test_a_certificate_counts_until_the_second_before_its_end() -> None:
    state = ending()
    assert state.certificate is not None
    ends = state.certificate.not_after
    assert judged(state, replace(CLEAR, now=ends - SECOND)).is_clear
    assert told(judged(state, replace(CLEAR, now=ends)).standing) == [("new-gateway-certificate-expired", "")]


def test_everything_that_was_seen_is_told_at_once() -> None:
    seen = replace(CLEAR, relays=False, locks=(LOCK,), still_there=(IN_USE,), pointing_at_old_name=("vpn", "mail"))
    verdict = judged(closed(ending(), GateName.CNAME), seen)
    assert [code for code, _ in told(verdict.passing)] == ["gate-closed", "new-gateway-relays-not"]
    dangling = ["name-would-dangle", "name-would-dangle"]
    assert [code for code, _ in told(verdict.standing)] == ["locked", "used-by-others", *dangling]


def test_a_plan_that_makes_nothing_names_nothing_of_its_own() -> None:
    state = ending()
    assert state.plan is not None
    assert judged(replace(state, plan=state.plan.model_copy(update={"make": None})), CLEAR).is_clear


def test_a_parked_name_is_released_under_the_same_eyes() -> None:
    state = parking(FakeServices())
    assert state.plan is not None and state.plan.parked is not None
    part = state.plan.parked
    body: JsonObject = {"id": part.id, "properties": {"resourceGuid": "address-guid"}}
    lock: JsonObject = {**LOCK, "id": f"{part.id}/providers/Microsoft.Authorization/locks/keep"}
    used: JsonObject = {
        "id": part.id,
        "properties": {"resourceGuid": "address-guid", "ipConfiguration": {"id": STRANGER}},
    }
    anew: JsonObject = {"id": part.id, "properties": {"resourceGuid": "another"}}
    assert judge_release(part, body, (), ()) == ()
    assert told(judge_release(part, body, (lock,), ())) == [("locked", part.id)]
    assert told(judge_release(part, used, (), ())) == [("used-by-others", part.id)]
    assert told(judge_release(part, anew, (), ())) == [("not-the-planned-resource", part.id)]
    assert told(judge_release(part, body, (), ("vpn",))) == [("name-would-dangle", "")]


def test_a_part_of_the_new_gateway_that_the_site_made_is_never_removed_as_the_old_ones() -> None:
    own = resource_id("Microsoft.Network/loadBalancers", "evergreen", OLD_GROUP)
    standing = StandingGateway(
        scale_set=Part(id=own),
        address="20.0.0.1",
        deployment_name="evergreen.eastus.cloudapp.azure.com",
        instances=2,
        health_extension=False,
        parts=(own,),
    )
    state, seen = deleting(Part(id=own.upper())), replace(CLEAR, still_there=())
    assert judged(state, seen).standing == ()
    state = replace(state, new=replace(state.new, standing=standing))
    assert told(judged(state, seen).standing) == [("part-of-the-new-gateway", own.upper())]

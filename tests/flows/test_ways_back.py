"""Rollback, cancel, resume, extend and check, asked at every moment of a migration, with clients all the while."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from cmg_core.domain.values import JsonObject
from local.azure.seed import build_world
from local.azure.world import World
from local.inprocess.harness import Aside, RunReport, run
from local.inprocess.loop import EPOCH
from local.inprocess.tape import Fault
from local.sample import Call, Sample, Then, load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
BACK_IN_GRACE = load(SAMPLES / "rollback-in-grace.json")
RESUMED = load(SAMPLES / "resume-after-quota.json")
PEOPLE_ON_THE_WAY_BACK = BACK_IN_GRACE.then[-2:]
WHO: JsonObject = {"by": "change.manager@contoso.com", "reason": "An application fails"}
SITE_RECORD = "waits: The site's administrator makes sure that the site knows the new gateway"
"""With this the point of no return is passed."""
PARTS = 4
"""Of each sweep, so that several workers share it."""
FAULTS = 10
"""Harms tried for each of the moments at which a rollback is disturbed."""
MINE = 3
"""Outward calls that a person's own call makes at most."""


def asking(what: str, **more: str) -> Call:
    return Call(path=f"/api/deployments/{{id}}/{what}", body={**WHO, **more})


@cache
def sample() -> Sample:
    """The default migration, with a record that resolvers and clients keep for a while."""
    default = load(SAMPLES / "s07-own-domain-from-classic.json")
    world: JsonObject = json.loads(json.dumps(default.world).replace('"ttl": 4', '"ttl": 300'))
    return default.model_copy(update={"world": world})


@cache
def undisturbed() -> RunReport:
    return run(sample())


def saved_with(text: str) -> int:
    """The number of the outward call that saved the revision of which the history says this."""
    revision = next(event.revision for event in undisturbed().events if text in event.text)
    saves = [call.number for call in undisturbed().calls if call.name in ("create", "save")]
    return saves[revision - 1]


@cache
def planned() -> int:
    return saved_with("preflight is done")


@cache
def no_return() -> int:
    return saved_with(SITE_RECORD)


def moments(first: int, last: int) -> list[int]:
    """Right after each write from one outward call to another, and so while claims are held, too."""
    return [call.number + 1 for call in undisturbed().calls if call.writes and first <= call.number + 1 <= last]


def contents(world: World) -> dict[str, JsonObject]:
    """All resources, without the ETags that each write changes."""
    return {
        key: {name: value for name, value in resource.body.items() if name != "etag"}
        for key, resource in world.resources.items()
    }


@cache
def before() -> dict[str, JsonObject]:
    return contents(build_world(sample().world, time_scale=0.01, now=EPOCH))


def answer_to(report: RunReport, what: str) -> tuple[int, str]:
    return next((each.status, each.problem) for each in report.answers if each.path.endswith(f"/{what}"))


def broken(report: RunReport, outcome: Status) -> list[str]:
    """What is not as it must be at an end that gave everything back."""
    now = contents(report.world)
    told = {
        f"it ended {report.outcome}: {report.record.state.problem}": report.outcome is not outcome,
        f"{report.tally.failures} attempts of clients failed": report.tally.failures > 0,
        f"not as before: {[id for id in now.keys() | before().keys() if now.get(id) != before().get(id)]}": now
        != before(),
        f"{len(report.poison)} messages in poison": bool(report.poison),
    }
    return [what for what, is_so in told.items() if is_so]


def arrived(report: RunReport) -> list[str]:
    """What is not as it must be after a migration that went its way whatever was asked."""
    told = {
        f"it ended {report.outcome}: {report.record.state.problem}": report.outcome is not Status.SUCCEEDED,
        f"{report.tally.failures} attempts of clients failed": report.tally.failures > 0,
        "another end than undisturbed": contents(report.world) != contents(undisturbed().world),
        "people had no occasion": bool(report.undone),
    }
    return [what for what, is_so in told.items() if is_so]


def taken_back(at: int) -> RunReport:
    return run(sample(), aside=Aside(at, asking("rollback"), PEOPLE_ON_THE_WAY_BACK))


@pytest.mark.parametrize("part", range(PARTS))
def test_a_rollback_at_any_moment_before_the_point_of_no_return_gives_everything_back(part: int) -> None:
    asked = moments(planned() + 1, no_return())
    assert len(asked) > 30
    wrong = {}
    for at in asked[part::PARTS]:
        report = taken_back(at)
        found = broken(report, Status.ROLLED_BACK)
        if found or answer_to(report, "rollback") != (200, ""):
            wrong[at, undisturbed().calls[at - 1]] = (answer_to(report, "rollback"), found)
    assert wrong == {}


def test_before_a_plan_and_after_the_point_of_no_return_it_is_refused_and_changes_nothing() -> None:
    last = len(undisturbed().calls)
    for at in (planned() - 5, planned(), *moments(no_return() + 1, last)[::2]):
        report = taken_back(at)
        assert answer_to(report, "rollback") == (409, "not-possible-now"), undisturbed().calls[at - 1]
        assert arrived(report) == [], undisturbed().calls[at - 1]


def test_a_cancellation_while_nothing_is_written_leaves_nothing() -> None:
    accepted = next(call.number for call in undisturbed().calls if call.name == "cmg-preflight")
    for at in (*range(accepted + 1, planned(), 4), planned()):
        report = run(sample(), aside=Aside(at, asking("cancel")))
        assert answer_to(report, "cancel") == (200, "")
        assert broken(report, Status.CANCELLED) == [], undisturbed().calls[at - 1]
        writes = [entry.request for entry in report.requests if entry.request.method not in ("GET", "HEAD", "POST")]
        assert writes == []


def test_afterwards_a_cancellation_is_refused_and_changes_nothing() -> None:
    for at in moments(planned() + 1, len(undisturbed().calls))[::6]:
        report = run(sample(), aside=Aside(at, asking("cancel")))
        assert answer_to(report, "cancel") == (409, "not-possible-now"), undisturbed().calls[at - 1]
        assert arrived(report) == [], undisturbed().calls[at - 1]


@pytest.mark.parametrize(
    "text", ["changed the record GraniteFalls.Contoso.Com from", "scale set «granitefalls» is made", "the grace period"]
)
def test_a_rollback_survives_whatever_goes_wrong_once(text: str) -> None:
    at = saved_with(text)
    calm = taken_back(at)
    faults = [Fault(call.number, harm) for call in calm.calls[at + MINE :] for harm in call.harms]
    aside = Aside(at, asking("rollback"), PEOPLE_ON_THE_WAY_BACK)
    wrong = {}
    for fault in faults[:: max(1, len(faults) // FAULTS)]:
        report = run(sample(), fault, aside=aside)
        if found := [*broken(report, Status.ROLLED_BACK), *([] if report.struck else ["the fault struck nothing"])]:
            wrong[fault, calm.calls[fault.at - 1].name] = found
    assert wrong == {}


def test_what_stopped_shows_what_was_made_and_goes_on_when_resumed() -> None:
    stopped = run(RESUMED.model_copy(update={"then": ()}))
    assert stopped.outcome is Status.NEEDS_ATTENTION
    assert stopped.record.state.problem is not None and stopped.record.state.problem.code == "quota-exhausted"
    assert len(stopped.created) == 4 and stopped.deleted == frozenset()
    resumed = run(RESUMED)
    assert resumed.outcome is Status.SUCCEEDED and resumed.tally.failures == 0
    assert resumed.created == undisturbed().created and resumed.deleted == undisturbed().deleted


def test_what_stopped_can_be_rolled_back_instead() -> None:
    instead = Then.model_validate({"when": {"status": "needs-attention"}, "call": asking("rollback").model_dump()})
    report = run(RESUMED.model_copy(update={"then": (instead,), "world": sample().world}))
    assert broken(report, Status.ROLLED_BACK) == []


def test_a_grace_period_that_is_extended_ends_later() -> None:
    until = datetime(2026, 11, 2, 14, 30, tzinfo=UTC)
    begun = saved_with("the grace period") + 1
    extended = run(sample(), aside=Aside(begun, asking("extend", until=until.isoformat())))
    assert arrived(extended) == []
    asked = next(event.at for event in extended.events if SITE_RECORD in event.text)
    assert asked >= until


def test_a_check_looks_at_once() -> None:
    connected = sample().then[1]
    check = Then.model_validate({"when": {"gate": "connection-point-connected"}, "call": asking("check").model_dump()})
    assert connected.world is not None and "add_connection_point" in connected.world
    checked = run(sample().model_copy(update={"then": (*sample().then[:2], check, *sample().then[2:])}))
    assert arrived(checked) == []

    def waited(report: RunReport) -> timedelta:
        gate = next(gate for gate in report.record.state.gates if gate.name == "connection-point-connected")
        assert gate.asked_at is not None and gate.opened_at is not None
        return gate.opened_at - gate.asked_at

    assert waited(checked) == timedelta() < waited(undisturbed())

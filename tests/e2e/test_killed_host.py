"""Invariant 2 with real processes: the host dies by SIGKILL in each step, and the run ends as if it had not."""

from cmg_core.domain.values import JsonObject, at, objects_at, text_at
from local.demo.report import failures_of
from local.sample import load
from tests.e2e.killing import MOMENTS, SAMPLE, KilledRun

NAMES = [moment.step for moment in MOMENTS]


def test_invariant_2_nothing_is_lost_the_run_ends_the_same(killed: KilledRun) -> None:
    assert killed.at_work == NAMES
    assert killed.unexpected == [] == failures_of(load(SAMPLE).expect, killed.report, killed.deployment)
    assert killed.report["outcome"] == "succeeded"
    assert [(step["name"], step["outcome"]) for step in objects_at(killed.report, "steps")] == [
        (name, "done") for name in NAMES
    ]
    assert (text_at(killed.report, "dns", "before"), text_at(killed.report, "dns", "after")) == (
        "granitefalls.cloudapp.net",
        "granitefalls.eastus.cloudapp.azure.com",
    )
    assert killed.left_in_queues == {}


def test_the_clients_notice_nothing(killed: KilledRun) -> None:
    tally = killed.report["synthetic_client"]
    assert (at(tally, "failures"), at(tally, "longest_gap_s")) == (0, 0)
    attempts = at(tally, "attempts")
    assert isinstance(attempts, int) and attempts >= 200


def test_each_thing_is_made_and_removed_once(killed: KilledRun) -> None:
    created = at(killed.report, "resources", "created")
    assert isinstance(created, list)
    for id in created:
        assert [at(put, "response", "status") for put in _asked(killed, "PUT", str(id))] == [201], id
    assert sum("/virtualMachineScaleSets/" in str(id) for id in created) == 1
    deleted = at(killed.report, "resources", "deleted")
    assert isinstance(deleted, list)
    for id in deleted:
        effective = [answer for answer in _asked(killed, "DELETE", str(id)) if at(answer, "response", "status") != 204]
        assert len(effective) == 1, id


def test_the_events_tell_the_story_once_and_in_order(killed: KilledRun) -> None:
    told = [text_at(event, "text") for event in killed.events]
    assert told[0] == "accepted"
    assert [text for text in told if text.endswith(" is done")] == [f"{name} is done" for name in NAMES]
    assert len(set(told)) == len(told)
    assert [event["at"] for event in killed.events] == sorted(text_at(event, "at") for event in killed.events)
    by_people = [gate for gate in objects_at(killed.deployment, "gates") if gate["opened_by"] != "observation"]
    assert by_people
    for gate in by_people:
        assert f"{gate['opened_by']} opened the gate {gate['name']}: {gate['reason']}" in told


def _asked(killed: KilledRun, method: str, id: str) -> list[JsonObject]:
    return [
        request
        for request in killed.requests
        if text_at(request, "request", "method") == method and text_at(request, "request", "path").lower() == id.lower()
    ]

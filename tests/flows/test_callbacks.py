"""Whole stories with somebody who listens: whatever becomes of receiver, network or host, all is heard in order."""

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from cmg_core.domain.values import JsonObject
from local.azure.receivers import Received, heard
from local.inprocess.harness import RunReport, run
from local.inprocess.tape import Fault, Harm, Port
from local.sample import Sample, load

QUIET = load(Path(__file__).resolve().parents[2] / "samples" / "existing-gateway.json")
HOST, ADDRESS = "hooks.contoso.com", "20.150.10.20"
SAMPLE = QUIET.model_copy(update={"request": QUIET.request | {"callback_url": f"https://{HOST}/cmg?sig=made-up"}})


def with_receiver(**state: object) -> Sample:
    receiver: JsonObject = {"host": HOST, "addresses": [ADDRESS], **state}  # type: ignore[dict-item]
    return SAMPLE.model_copy(update={"world": SAMPLE.world | {"receivers": [receiver]}})


@cache
def undisturbed() -> RunReport:
    return run(with_receiver())


def taken(report: RunReport) -> list[Received]:
    return report.world.receivers[HOST].received


def ids(report: RunReport) -> list[str]:
    return [json.loads(each.body)["id"] for each in taken(report)]


def test_each_line_of_the_history_is_heard_once() -> None:
    report = undisturbed()
    assert [json.loads(each.body)["data"]["text"] for each in taken(report)] == [each.text for each in report.events]
    assert heard([each.body for each in taken(report)]) == []


def test_news_is_heard_when_it_happens() -> None:
    for each in taken(undisturbed()):
        assert each.at - datetime.fromisoformat(json.loads(each.body)["time"]) < timedelta(seconds=1)


def test_what_waits_says_who_opens_it_and_what_is_to_be_done() -> None:
    events = [json.loads(each.body) for each in taken(undisturbed())]
    (ready,) = [e for e in events if e["type"].endswith("gate-waiting") and e["subject"] == "gates/ready-to-cut-over"]
    assert ready["data"]["gate"]["opened_by"] == "person" and ready["data"]["gate"]["what_to_do"]
    assert ready["data"]["links"]["open_gate"].endswith("/gates/ready-to-cut-over")
    assert ready["data"]["external_reference"] == SAMPLE.request["external_reference"]
    (opened,) = [e for e in events if e["type"].endswith("gate-opened") and e["subject"] == "gates/ready-to-cut-over"]
    assert opened["data"]["gate"]["was_opened_by"] == "change.manager@contoso.com"
    waited = [e["subject"] for e in events if e["type"].endswith("gate-waiting")]
    assert sorted(waited) == sorted(e["subject"] for e in events if e["type"].endswith("gate-opened"))


def test_a_receiver_that_is_down_holds_nothing_up_and_hears_all_in_the_end() -> None:
    report = run(with_receiver(down_for_s=600))
    assert report.outcome is Status.SUCCEEDED and report.lasted == undisturbed().lasted
    assert ids(report) == ids(undisturbed())


@pytest.mark.parametrize("state", [{"delay_s": 14.0}, {"delay_s": 3.0}], ids=["slow", "sluggish"])
def test_a_slow_receiver_holds_nothing_up(state: dict[str, object]) -> None:
    report = run(with_receiver(**state))
    assert report.lasted == undisturbed().lasted
    assert list(dict.fromkeys(ids(report))) == ids(undisturbed())[: len(set(ids(report)))]


def test_a_receiver_that_answers_too_late_gets_the_same_event_again_and_no_other() -> None:
    report = run(with_receiver(delay_s=60.0))
    assert len(ids(report)) > 2 and set(ids(report)) == {ids(undisturbed())[0]}


def test_who_says_410_hears_nothing_more() -> None:
    assert len(taken(run(with_receiver(status=410)))) == 1


def test_a_redirect_leads_nowhere() -> None:
    inside: JsonObject = {"host": "inside.contoso.com", "addresses": ["10.0.0.5"]}
    sample = with_receiver(status=307, headers={"Location": "https://inside.contoso.com/"})
    receivers = [*sample.world["receivers"], inside]  # type: ignore[misc]  # a list, as it was made above
    report = run(sample.model_copy(update={"world": sample.world | {"receivers": receivers}}))
    assert report.world.receivers["inside.contoso.com"].received == []
    assert set(ids(report)) == {ids(undisturbed())[0]}


@pytest.mark.parametrize("addresses", [["10.0.0.5"], ["168.63.129.16"], [ADDRESS, "169.254.169.254"]])
def test_nothing_is_posted_to_a_name_that_leads_inside(addresses: list[str]) -> None:
    report = run(with_receiver(addresses=addresses))
    assert report.outcome is Status.SUCCEEDED and taken(report) == []


def test_a_name_that_is_rebound_gets_posts_at_its_public_address_only() -> None:
    """Every other look leads inside: those are refused, and none of the others goes to where the name leads by then."""
    report = run(with_receiver(addresses=[ADDRESS, "10.0.0.5"], in_turn=True))
    assert list(dict.fromkeys(ids(report))) == ids(undisturbed())[: len(set(ids(report)))]
    assert report.world.receivers[HOST].looks > len(taken(report)) > 1


HARMS = [
    (HOST, Harm.CRASH_BEFORE),
    (HOST, Harm.CRASH_AFTER),
    (HOST, Harm.LOST_ANSWER),
    ("save-subscription", Harm.CRASH_BEFORE),
    ("save-subscription", Harm.CRASH_AFTER),
    ("save-subscription", Harm.LOST_ANSWER),
    ("save-subscription", Harm.REPEATED),
    ("cmg-notify", Harm.ERROR),
    ("cmg-notify", Harm.CRASH_BEFORE),
    ("subscribe", Harm.CRASH_AFTER),
]


@pytest.mark.parametrize(("name", "harm"), HARMS, ids=[f"{name} {harm}" for name, harm in HARMS])
def test_a_host_that_is_killed_or_cut_off_at_any_call_for_listeners_loses_nothing(name: str, harm: Harm) -> None:
    calls = [call for call in undisturbed().calls if call.name == name and call.writes]
    report = run(with_receiver(), Fault(calls[len(calls) // 2].number, harm))
    assert report.outcome is Status.SUCCEEDED
    assert report.struck is not None
    assert heard([each.body for each in taken(report)]) == [], "in order, whatever came twice"
    assert len(set(ids(report))) == len(report.events) >= len(ids(report)) - 1


def test_a_story_without_listeners_makes_no_call_for_any() -> None:
    quiet = run(SAMPLE.model_copy(update={"request": SAMPLE.plain_request}))
    listened = {"save-subscription", "subscriptions", "subscribe", "cmg-notify", "events", HOST}
    assert listened & {call.name for call in undisturbed().calls} == listened
    assert not listened & {call.name for call in quiet.calls}
    assert quiet.lasted <= undisturbed().lasted + timedelta(seconds=1)
    assert [call for call in quiet.calls if call.port is Port.POST] == []

"""What the old gateway's load balancer still gets is shown where it can be had, at the price of two calls."""

from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from cmg_core.domain.values import JsonObject, at
from cmg_core.views import status_view
from local.inprocess.harness import RunReport, run
from local.sample import load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
METRICS = "/providers/Microsoft.Insights/metrics"


@cache
def told(name: str) -> RunReport:
    return run(load(SAMPLES / f"{name}.json"))


def asked(report: RunReport) -> list[str]:
    return [entry.request.path for entry in report.requests if entry.request.path.endswith(METRICS)]


def test_it_is_counted_at_both_ends_of_a_short_grace_period() -> None:
    report = told("s07-own-domain-from-scale-set")
    before, after = report.record.state.connections
    assert before.count and after.count
    assert before.ends == after.begins
    assert len(asked(report)) == 2
    shown = at(status_view(report.record).model_dump(mode="json"), "old_gateway_connections", "counts", 0, "count")
    assert shown == before.count


def test_in_another_subscription_it_is_asked_for_there() -> None:
    paths = asked(told("s07-old-gateway-in-another-subscription"))
    assert paths and all("/subscriptions/7cd7e3d5-" in path for path in paths)


@pytest.mark.parametrize(
    ("name", "why"),
    [("s07-own-domain-from-classic", "classic cloud service"), ("s08-own-domain-from-cloudapp-net", "two names")],
)
def test_where_it_says_nothing_it_costs_nothing_and_the_reason_is_told(name: str, why: str) -> None:
    report = told(name)
    assert asked(report) == []
    view = status_view(report.record).model_dump(mode="json")["old_gateway_connections"]
    assert at(view, "counts") == []
    assert why in str(at(view, "why_not"))


def test_without_the_right_it_is_unknown_and_the_story_goes_on() -> None:
    text = "The client does not have authorization to perform action 'Microsoft.Insights/metrics/read' over scope '…'."
    refusal: JsonObject = {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": text}}}
    fault: JsonObject = {"match": {"path": "Microsoft.Insights/metrics"}, "times": 9, "action": refusal}
    sample = load(SAMPLES / "s07-own-domain-from-scale-set.json").model_copy(update={"faults": (fault,)})
    report = run(sample)
    assert report.outcome is Status.SUCCEEDED
    counts = report.record.state.connections
    assert [each.count for each in counts] == [None, None]
    assert all("403 AuthorizationFailed" in each.why_not for each in counts)

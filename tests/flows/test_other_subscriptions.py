"""A zone or an old gateway in another subscription of the tenant: every story goes on as it does in one."""

import json
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from cmg_core.domain.values import Json, JsonObject, objects_at, text_at
from local.azure.messages import is_change
from local.inprocess.harness import RunReport, run
from local.sample import Sample, load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
HOME = "5ab5c1b3-0000-4000-8000-000000000001"
OTHER = "7cd7e3d5-0000-4000-8000-000000000003"
TENANT, STRANGERS = "0f1e2d3c-0000-4000-8000-00000000c0de", "c0570e70-0000-4000-8000-00000000fab0"
ZONE = "s07-zone-in-another-subscription"
OLD_GATEWAY = "s07-old-gateway-in-another-subscription"
TEN_MINUTES = timedelta(minutes=10)
TWIN: JsonObject = {
    "id": f"/subscriptions/{OTHER}/resourceGroups/rg-vaults/providers/Microsoft.KeyVault/vaults/kv-elsewhere",
    "certificates": [{"name": "granitefalls", "certificate": "granitefalls"}],
}
THROTTLED = {"code": "SubscriptionRequestsThrottled", "message": "Number of requests exceeded the limit."}


def moved(body: Json, group: str) -> Json:
    """With everything that lies in this resource group in the other subscription."""
    match body:
        case dict():
            return {key: moved(inner, group) for key, inner in body.items()}
        case list():
            return [moved(inner, group) for inner in body]
        case str() if f"/resourceGroups/{group}/" in f"{body}/":
            return body.replace(HOME, OTHER)
        case _:
            return body


def elsewhere(name: str, group: str, tenant: str = TENANT) -> Sample:
    """A sample whose group lies in the other subscription. A scale set there has its certificate from a vault there, as
    Azure demands."""
    sample = load(SAMPLES / f"{name}.json")
    told = moved(json.loads(sample.model_dump_json(by_alias=True, exclude_unset=True)), group)
    assert isinstance(told, dict)
    world = told["world"]
    assert isinstance(world, dict) and isinstance(world["subscriptions"], list)
    world["subscriptions"].append({"id": OTHER, "tenant": tenant, "name": "Contoso, elsewhere"})
    for gateway in objects_at(world, "scale_set_gateways"):
        if OTHER in text_at(gateway, "group"):
            gateway["certificate"] = "kv-elsewhere/granitefalls"
            assert isinstance(world["key_vaults"], list)
            world["key_vaults"].append(TWIN)
    return Sample.model_validate(told)


@cache
def told(name: str) -> RunReport:
    return run(load(SAMPLES / f"{name}.json"))


def changes_in(report: RunReport, subscription: str) -> set[str]:
    """The resources of a subscription to which a writing call was sent, in lower case."""
    return {
        entry.request.path.lower()
        for entry in report.requests
        if is_change(entry.request.method, entry.request.path) and subscription in entry.request.path
    }


def test_of_a_zone_elsewhere_the_record_is_changed_and_nothing_besides() -> None:
    zone = text_at(load(SAMPLES / f"{ZONE}.json").request, "dns", "zone_id")
    assert changes_in(told(ZONE), OTHER) == {f"{zone}/cname/granitefalls".lower()}


def test_of_an_old_gateway_elsewhere_its_parts_go_and_the_new_one_of_the_same_group_name_stays() -> None:
    report, sample = told(OLD_GATEWAY), load(SAMPLES / f"{OLD_GATEWAY}.json")
    old = OTHER[:-1] + "4"
    assert changes_in(report, old) == {id.lower() for id in sample.expect.deleted or ()} == report.deleted
    assert {id for id in report.created if old in id} == set()


STORIES = {
    ("new-own-domain", "rg-dns"): Status.SUCCEEDED,
    ("s07-consented-gap", "rg-dns"): Status.SUCCEEDED,
    ("s08-own-domain-from-cloudapp-net", "rg-dns"): Status.SUCCEEDED,
    ("parked-name", "rg-dns"): Status.SUCCEEDED,
    ("parked-name", "rg-granitefalls-2021"): Status.SUCCEEDED,
    ("rollback-in-grace", "rg-dns"): Status.ROLLED_BACK,
    ("s07-own-domain-from-classic", "rg-granitefalls-classic"): Status.SUCCEEDED,
    ("s08-own-domain-from-cloudapp-net", "rg-granitefalls-classic"): Status.SUCCEEDED,
    ("rollback-in-grace", "rg-granitefalls-classic"): Status.ROLLED_BACK,
}


@pytest.mark.parametrize(("name", "group"), STORIES)
def test_a_story_ends_as_it_does_in_one_subscription(name: str, group: str) -> None:
    sample = elsewhere(name, group)
    report = run(sample)
    assert (report.outcome, report.undone, report.errors) == (STORIES[name, group], (), ())
    allowed = sample.expect.gap_within.total_seconds() if sample.expect.gap_within else 0.0
    assert report.tally.longest_gap_s <= allowed
    assert report.deleted == {id.lower() for id in sample.expect.deleted or report.deleted}
    assert {id.lower() for id in sample.expect.kept} <= report.kept
    assert any(OTHER in entry.request.path for entry in report.requests)


@pytest.mark.parametrize("group", ["rg-dns", "rg-granitefalls-classic"])
def test_another_tenants_subscription_is_refused_before_anything_is_touched(group: str) -> None:
    report = run(elsewhere("s07-own-domain-from-classic", group, STRANGERS).model_copy(update={"then": ()}))
    problem = report.record.state.problem
    assert report.outcome is Status.REFUSED
    assert problem is not None
    found = [finding for finding in problem.findings if finding.severity in ("blocks", "unknown")]
    assert [(finding.code, finding.resource) for finding in found] == [
        ("other-subscription-other-tenant", f"/subscriptions/{OTHER}")
    ]
    assert STRANGERS in found[0].seen
    asked = [entry.request for entry in report.requests if OTHER in entry.request.path]
    assert [request.path.lower() for request in asked] == [f"/subscriptions/{OTHER}"]


def test_a_throttled_zone_is_left_in_peace_and_the_new_gateways_subscription_is_not_blamed() -> None:
    headers: JsonObject = {"Retry-After": str(int(TEN_MINUTES.total_seconds()))}
    match: JsonObject = {"method": "PUT", "path": f"/subscriptions/{OTHER}"}
    fault: JsonObject = {"match": match, "action": {"status": 429, "headers": headers, "body": {"error": THROTTLED}}}
    report = run(load(SAMPLES / f"{ZONE}.json").model_copy(update={"faults": (fault,)}))
    assert (report.outcome, report.tally.failures) == (Status.SUCCEEDED, 0)
    [refused] = [each for each in report.requests if each.response is not None and each.response.status == 429]
    there = [entry.at for entry in report.requests if OTHER in entry.request.path]
    assert [at for at in there if refused.at < at < refused.at + TEN_MINUTES] == []
    assert max(there) > refused.at + TEN_MINUTES

"""Bodies of requests: each mistake one finding, nothing secret repeated, never an error of another kind."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import DeploymentRequest, MigrationRequest
from cmg_core.domain.validation import InvalidRequest, Kind, kind_of_request, read_request
from cmg_core.domain.values import Json, JsonObject
from tests.fakes import CLASSIC_ID, TENANT, migration

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)


def good() -> JsonObject:
    body: JsonObject = migration().model_dump(mode="json", by_alias=True, exclude={"kind"}, exclude_none=True)
    return body


def mistakes(body: Json, kind: Kind = "migration") -> dict[str, Finding]:
    with pytest.raises(InvalidRequest) as raised:
        read_request(body, kind)
    found = {finding.pointer: finding for finding in raised.value.findings}
    assert len(found) == len(raised.value.findings)
    return found


def test_a_good_body_is_a_request() -> None:
    assert isinstance(read_request(good(), "migration"), MigrationRequest)
    plain = {key: value for key, value in good().items() if key not in ("old_gateway", "grace_period", "park_old_name")}
    assert isinstance(read_request(plain, "deployment"), DeploymentRequest)


def test_five_mistakes_are_five_findings_each_with_place_and_cure() -> None:
    body = good()
    del body["provisioned_by"]
    body |= {
        "instances": 17,
        "sise": "Standard_B2s",
        "grace_period": "two days",
        "service_name": "cmg.contoso.com",
        "dns": {"zone_id": "/subscriptions/a/resourceGroups/b/providers/Microsoft.Network/dnsZones/fabrikam.com"},
    }
    found = mistakes(body)
    assert set(found) == {"/provisioned_by", "/instances", "/sise", "/grace_period", "/dns/zone_id"}
    assert all(finding.seen and finding.cure for finding in found.values())
    assert "`size`" in found["/sise"].cure
    assert "P2D" in found["/grace_period"].cure


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"tenant_id": TENANT, "subscription_id": TENANT}, "/tenant_id"),
        ({"service_name": "a.contoso.com", "first_label": "other"}, "/first_label"),
        ({"gates": {"aproval": True}}, "/gates/aproval"),
        ({"gates": {"clients-moved": {"share": 2}}}, "/gates/clients-moved/share"),
        ({"certificate": {"vault": "kv-cmg", "name": "x"}}, "/certificate/vault"),
        ({"certificate": None}, "/certificate"),
        ({"instances": "2"}, "/instances"),
        ({"cut_over_not_before": "2026-12-01T20:00:00"}, "/cut_over_not_before"),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
)
def test_each_mistake_is_told_where_it_is(changes: JsonObject, pointer: str) -> None:
    found = mistakes(good() | changes)
    assert set(found) == {pointer}


def test_a_resource_named_twice_for_deletion_is_told() -> None:
    old: JsonObject = {
        "resource_id": CLASSIC_ID,
        "service_name": "GraniteFalls.Contoso.Com",
        "also_delete": [CLASSIC_ID.lower()],
    }
    assert set(mistakes(good() | {"old_gateway": old})) == {"/old_gateway/also_delete/0"}


def test_an_old_gateway_in_a_deployment_points_to_migrations() -> None:
    assert "POST /api/migrations" in mistakes(good(), "deployment")["/old_gateway"].cure


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_a_body_that_is_no_object_is_one_mistake(body: Json) -> None:
    assert set(mistakes(body)) == {""}


@pytest.mark.parametrize(
    "secret",
    [
        "https://kv.vault.azure.net/?sig=hunter2",
        "AccountKey=hunter2",
        "password: hunter2",
        "-----BEGIN hunter2",
        "eyJhunter2.x",
    ],
)
def test_secrets_are_not_repeated(secret: str) -> None:
    found = mistakes(good() | {"certificate": {"vault": secret, "name": secret, "password": secret}})
    assert "hunter2" not in json.dumps([finding.model_dump(mode="json") for finding in found.values()])


def test_long_values_and_keys_are_cut_and_findings_have_a_limit() -> None:
    long = {"x" * 100_000: 1, "region": "y" * 100_000, **{f"key{n}": n for n in range(500)}}
    with pytest.raises(InvalidRequest) as raised:
        read_request(good() | long, "migration")
    findings = raised.value.findings
    assert len(findings) == 51
    assert all(len(finding.seen) < 300 and len(finding.pointer) < 300 for finding in findings)


@given(JSON, st.sampled_from(["migration", "deployment"]))
def test_any_json_is_a_request_or_a_list_of_mistakes(body: Json, kind: Kind) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_request(body, kind)
    assert raised.value.findings
    assert kind_of_request(body) in ("migration", "deployment")


@given(st.sampled_from(sorted(good())), JSON)
def test_any_value_at_any_key_is_taken_or_told_there(key: str, value: Json) -> None:
    try:
        read_request(good() | {key: value}, "migration")
    except InvalidRequest as invalid:
        told = [finding.model_dump_json() for finding in invalid.findings]
        assert told
        assert all(finding.cure != "Give ." for finding in invalid.findings)

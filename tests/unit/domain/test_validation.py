"""Bodies of requests: each mistake one finding, nothing secret repeated, never an error of another kind."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import LONGEST_SPAN, DeploymentRequest, MigrationRequest, RetirementRequest
from cmg_core.domain.validation import (
    ENTRIES,
    SPANS,
    WANTED,
    InvalidRequest,
    Kind,
    kind_of_request,
    read_request,
    repeated,
)
from cmg_core.domain.values import Json, JsonObject
from tests.authorities import authority
from tests.fakes import CLASSIC_ID, TENANT, migration, resource_id

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)


LETTERS = "abcdefab-cdef-abcd-efab-cdefabcdefab"
STANDING = resource_id("Microsoft.Compute/virtualMachineScaleSets", "evergreen")


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
    ("changes", "pointer", "code"),
    [
        ({"tenant_id": TENANT, "subscription_id": TENANT}, "/tenant_id", "tenant-is-subscription"),
        ({"tenant_id": LETTERS, "subscription_id": LETTERS.upper()}, "/tenant_id", "tenant-is-subscription"),
        ({"service_name": "a.contoso.com", "first_label": "other"}, "/first_label", "first-label-contradicts"),
        ({"service_name": "a.fabrikam.com"}, "/dns/zone_id", "service-name-outside-zone"),
        ({"gates": {"aproval": True}}, "/gates/aproval", "unknown-key"),
        ({"gates": {"clients-moved": {"share": 2}}}, "/gates/clients-moved/share", "bad-value"),
        ({"certificate": {"vault": "kv-cmg", "name": "x"}}, "/certificate/vault", "bad-value"),
        ({"certificate": None}, "/certificate", "missing-key"),
        ({"certificate": None, "provisioned_by": "site"}, "/certificate", "missing-key"),
        ({"provisioned_by": "existing"}, "/new_gateway", "missing-key"),
        ({"new_gateway": {"resource_id": STANDING}}, "/new_gateway", "new-gateway-not-existing"),
        (
            {"new_gateway": {"resource_id": STANDING}, "provisioned_by": "site"},
            "/new_gateway",
            "new-gateway-not-existing",
        ),
        ({"dns": {}}, "/dns/zone_id", "missing-key"),
        ({"instances": "2"}, "/instances", "bad-value"),
        ({"cut_over_not_before": "2026-12-01T20:00:00"}, "/cut_over_not_before", "bad-value"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown-key"),
    ],
)
def test_each_mistake_is_told_where_it_is(changes: JsonObject, pointer: str, code: str) -> None:
    found = mistakes(good() | changes)
    assert {place: finding.code for place, finding in found.items()} == {pointer: code}
    key = pointer.rsplit("/", 1)[-1].replace("~1", "/").replace("~0", "~")
    assert code not in ("missing-key", "unknown-key") or f"`{key}`" in found[pointer].seen


@pytest.mark.parametrize(
    "changes",
    [
        {"service_name": "GraniteFalls.Contoso.Com", "first_label": "GraniteFalls"},
        {"provisioned_by": "existing", "new_gateway": {"resource_id": STANDING}},
        {"provisioned_by": "existing", "new_gateway": {"resource_id": STANDING}, "certificate": None},
    ],
)
def test_what_agrees_with_the_rest_is_no_mistake(changes: JsonObject) -> None:
    assert read_request(good() | changes, "migration")


def deleting(*also: str, id: str = CLASSIC_ID) -> JsonObject:
    old = {"resource_id": id, "service_name": "GraniteFalls.Contoso.Com", "also_delete": [*also]}
    return {**good(), "old_gateway": old}


STORE = resource_id("Microsoft.Storage/storageAccounts", "granitefalls")


@pytest.mark.parametrize(
    ("also", "position", "told"),
    [
        ((CLASSIC_ID.lower(),), 0, "the old gateway itself"),
        ((STORE, f"{CLASSIC_ID.upper()}/"), 1, "the old gateway itself"),
        ((STORE, f"/{STORE.upper()}/"), 1, "is named already"),
    ],
)
def test_a_resource_named_twice_for_deletion_is_told(also: tuple[str, ...], position: int, told: str) -> None:
    [(pointer, found)] = mistakes(deleting(*also)).items()
    assert (pointer, found.code) == (f"/old_gateway/also_delete/{position}", "also-delete-twice")
    assert told in found.seen and ("itself" in told or f"«{also[position][:60]}" in found.seen)


def test_names_that_differ_in_their_last_letter_are_different_resources() -> None:
    assert read_request(deleting(STORE, f"{STORE}X", CLASSIC_ID, id=f"{CLASSIC_ID}X"), "migration")


@pytest.mark.parametrize(
    ("kind", "place", "changes", "cure"),
    [
        ("migration", "/sise", {"sise": 1}, "Did you mean `size`?"),
        ("migration", "/INSTANCES", {"INSTANCES": 2}, "Did you mean `instances`?"),
        ("migration", "/resource-group", {"resource-group": "rg"}, "Did you mean `resource_group`?"),
        ("migration", "/gates/aproval", {"gates": {"aproval": True}}, "Did you mean `approval`?"),
        ("deployment", "/sise", {"sise": 1}, "Did you mean `size`?"),
        ("deployment", "/gates/aproval", {"gates": {"aproval": True}}, "Did you mean `approval`?"),
        ("deployment", "/accept_gap", {"accept_gap": "PT1H"}, "POST /api/migrations"),
        ("retirement", "/sise", {"sise": 1}, "Did you mean `size`?"),
        ("retirement", "/gates/aproval", {"gates": {"aproval": True}}, "Did you mean `approval`?"),
        ("retirement", "/accept_gap", {"accept_gap": "PT1H"}, "nobody is led over"),
        ("migration", "/zzz", {"zzz": 1}, "`accept_gap`"),
        ("deployment", "/old_gateway", {}, "POST /api/migrations"),
    ],
)
def test_an_unknown_key_is_led_to_the_one_that_is_meant(kind: Kind, place: str, changes: JsonObject, cure: str) -> None:
    found = mistakes(good() | changes, kind)[place]
    assert cure in found.cure and "`kind`" not in found.cure


def places(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """The JSON pointers of everything that a model takes, lists as one place."""
    for name, field in model.model_fields.items():
        yield (place := f"{above}/{field.alias or name}")
        for option in (field.annotation, *get_args(field.annotation)):
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from places(option, place)


MODELS = (DeploymentRequest, MigrationRequest, RetirementRequest)


def test_of_every_place_of_a_request_it_is_told_what_it_takes() -> None:
    assert {place for model in MODELS for place in places(model)} == WANTED.keys()


def test_of_every_list_it_is_told_what_an_entry_takes_and_of_every_span_how_long_it_may_be() -> None:
    wanted = {place for place, told in WANTED.items() if told.startswith("a list of")}
    assert wanted == ENTRIES.keys()
    assert {place for place, told in WANTED.items() if "ISO 8601" in told} == set(SPANS)
    assert all(f"P{LONGEST_SPAN.days}D" in WANTED[place] for place in SPANS)


def with_value(pointer: str, value: Json) -> JsonObject:
    """A good request with a value at a place."""
    body = good() | {"site": {}, "gates": {"clients-moved": {"share": 0.9}}}
    *above, key = pointer.split("/")[1:]
    place: Json = body
    for name in above:
        assert isinstance(place, dict)
        place = place[name]
    assert isinstance(place, dict)
    place[key] = value
    return body


@pytest.mark.parametrize("pointer", SPANS)
def test_a_span_longer_than_a_year_is_taken_for_a_typing_mistake(pointer: str) -> None:
    assert read_request(with_value(pointer, "P365D"), "migration")
    for long in ("P365DT1S", "P1000Y", "P9000Y", "P999999Y"):
        [(place, found)] = mistakes(with_value(pointer, long)).items()
        assert (place, found.code) == (pointer, "duration-too-long")
        assert f"«{long}»" in found.seen and "P365D" in found.cure


@pytest.mark.parametrize("pointer", SPANS)
def test_a_span_of_nothing_is_told_as_no_time(pointer: str) -> None:
    [(place, found)] = mistakes(with_value(pointer, "PT0S")).items()
    assert (place, found.code) == (pointer, "bad-value")
    assert found.seen == "The value is «PT0S», which is no time at all."
    assert found.cure == f"Give {WANTED[pointer]}."


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_moment_that_has_none_in_utc_is_a_mistake(moment: str) -> None:
    [(place, found)] = mistakes(good() | {"cut_over_not_before": moment}).items()
    assert (place, found.code) == ("/cut_over_not_before", "bad-value")


@pytest.mark.parametrize("moment", [-62135596800, 253402300799, 0, 1.5, "253402300799", "2026-12-01", True])
def test_a_moment_that_is_not_written_out_is_a_mistake(moment: Json) -> None:
    [(place, found)] = mistakes(good() | {"cut_over_not_before": moment}).items()
    assert (place, found.code) == ("/cut_over_not_before", "bad-value")
    assert "with its offset" in found.cure


@pytest.mark.parametrize("moment", [None, "2026-12-01T20:00:00+01:00", "2026-12-01T19:00:00.5Z"])
def test_a_moment_that_is_written_out_is_taken(moment: Json) -> None:
    assert read_request(good() | {"cut_over_not_before": moment}, "migration")


def test_a_moment_that_an_earlier_release_took_is_still_read_from_the_ledger() -> None:
    assert MigrationRequest.model_validate(good() | {"cut_over_not_before": 1796151600}).cut_over_not_before


def test_nothing_is_told_of_what_lies_in_a_place_that_is_not_wanted() -> None:
    old = {"resource_id": CLASSIC_ID, "also_delete": [CLASSIC_ID], "inside_ttl": "P999D"}
    found = mistakes(good() | {"old_gateway": old}, "deployment")
    assert [place for place in found if place.startswith("/old_gateway")] == ["/old_gateway"]


def test_what_is_named_twice_in_a_list_that_is_too_long_is_told_beside_that() -> None:
    found = mistakes(deleting(*(f"{STORE}{number % 16}" for number in range(17))))
    assert {place: finding.code for place, finding in found.items()} == {
        "/old_gateway/also_delete": "bad-value",
        "/old_gateway/also_delete/16": "also-delete-twice",
    }


def test_a_span_that_an_earlier_release_took_is_still_read_from_the_ledger() -> None:
    assert MigrationRequest.model_validate(good() | {"grace_period": "P400D"}).grace_period == timedelta(days=400)


@pytest.mark.parametrize("pointer", ENTRIES)
def test_a_wrong_entry_of_a_list_is_named_by_its_number(pointer: str) -> None:
    [(place, found)] = mistakes(with_value(pointer, [5])).items()
    assert (place, found.code) == (f"{pointer}/0", "bad-value")
    assert found.seen == f"Entry 1 of `{pointer.rpartition('/')[2]}` is 5."
    assert found.cure == f"Give {ENTRIES[pointer]}."


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ([], "deployment"),
        ({}, "deployment"),
        ({"kind": "deployment"}, "deployment"),
        ({"kind": "migration"}, "migration"),
        ({"old_gateway": {}}, "migration"),
        ({"old_gateway": {}, "kind": "deployment"}, "migration"),
        ({"old_gateway": {}, "kind": "retirement"}, "retirement"),
    ],
)
def test_what_is_asked_for_follows_from_the_body(body: Json, kind: Kind) -> None:
    assert kind_of_request(body) == kind


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_a_body_that_is_no_object_is_one_mistake(body: Json) -> None:
    [(pointer, found)] = mistakes(body).items()
    assert (pointer, found.code) == ("", "not-an-object")


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (1.5, "1.5"),
        (10**20 - 1, "9" * 20),
        (10**20, "a very large number"),
        (-(10**400), "a very large number"),
        ("two words", "«two words»"),
        ("x" * 100, f"«{'x' * 100}»"),
        ("x" * 101, f"«{'x' * 99}…»"),
        ("half \ud800 a pair", "«half ? a pair»"),
        ("sig=hunter2", "a text that looks like a secret, which is not repeated here"),
        ([1], "a list"),
        ({"a": 1}, "an object"),
    ],
)
def test_a_wrong_value_is_shown_as_json_writes_it_and_no_longer_than_needed(value: Json, seen: str) -> None:
    assert mistakes(good() | {"region": value})["/region"].seen == f"The value is {seen}."
    assert isinstance(value, dict) or mistakes(value)[""].seen == f"The body is {seen}."


@pytest.mark.parametrize(("strange", "rest"), [(50, None), (51, 1), (53, 3)])
def test_fifty_mistakes_are_told_and_the_rest_is_counted(strange: int, rest: int | None) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_request(good() | {f"zzz{n}": n for n in range(strange)}, "migration")
    told, more = raised.value.findings[:50], raised.value.findings[50:]
    assert {finding.code for finding in told} == {"unknown-key"}
    assert [(finding.code, f" {rest} more" in finding.seen) for finding in more] == (
        [("more-mistakes", True)] if rest else []
    )


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


@pytest.mark.parametrize("odd", ["\n", "\r", "\x1b", "\x00", "\x85", "\u2028", "\u202e", "\ud800", "\ufeff"])
def test_what_is_not_printed_is_not_repeated(odd: str) -> None:
    assert repeated(f"[2J{odd}ERROR forged é→😀") == "[2J?ERROR forged é→😀"
    assert all(finding.seen.isprintable() for finding in mistakes(good() | {"region": f"x{odd}", odd: 1}).values())


ROOT = authority("Contoso root")
KEY = ROOT.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def trusting(*roots: str) -> JsonObject:
    place = good()["certificate"]
    assert isinstance(place, dict)
    return good() | {"certificate": place | {"trusted_roots": [*roots]}}


def test_trusted_roots_are_certificates_written_anew() -> None:
    request = read_request(trusting(f"\n{ROOT.pem}\r\n"), "migration")
    assert request.certificate.trusted_roots == (ROOT.pem,)


@pytest.mark.parametrize(
    "root",
    [
        KEY,
        ROOT.pem + KEY,
        KEY + ROOT.pem,
        "",
        "Contoso root",
        ROOT.pem.replace("M", "A", 3),
        ROOT.pem.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
        ROOT.pem * 8,
    ],
)
def test_a_key_or_anything_else_among_the_roots_is_refused_and_not_repeated(root: str) -> None:
    found = mistakes(trusting(ROOT.pem, root))
    assert set(found) == {"/certificate/trusted_roots/1"}
    told = json.dumps([finding.model_dump(mode="json") for finding in found.values()])
    assert not any(line in told for line in root.splitlines() if len(line) > 20)


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

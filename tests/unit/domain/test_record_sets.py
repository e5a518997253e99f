"""The service name's record set: read, lowered, pointed anew."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.record_sets import RecordSet, low_ttl, record_set_id
from cmg_core.domain.values import JsonObject
from tests.fakes import ZONE_ID

SECOND = timedelta(seconds=1)
ID = f"{ZONE_ID}/CNAME/GraniteFalls"
BODY: JsonObject = {
    "id": ID,
    "etag": "e1",
    "properties": {"TTL": 300, "CNAMERecord": {"cname": "granitefalls.cloudapp.net."}, "metadata": {"owner": "dns"}},
}


def test_a_record_set_is_what_azure_answers() -> None:
    found = RecordSet.of(BODY)
    assert found == RecordSet(ID, 300 * SECOND, "granitefalls.cloudapp.net", "e1", (("owner", "dns"),))
    assert RecordSet.of({"id": ID}) == RecordSet(ID, timedelta(), "")


@pytest.mark.parametrize("name", ["granitefalls.example.MX", "GRANITEFALLS.example.mx."])
def test_names_are_compared_without_case_and_the_last_dot(name: str) -> None:
    body: JsonObject = {"properties": {"CNAMERecord": {"cname": "GraniteFalls.Example.MX."}}}
    found = RecordSet.of(body)
    assert found.target == "GraniteFalls.Example.MX"
    assert found.points_at(name)
    assert not found.points_at(f"other.{name}")


def test_a_record_set_lies_in_its_zone_by_the_rest_of_the_name() -> None:
    assert record_set_id(ZONE_ID, "GraniteFalls.Contoso.Com") == ID
    assert record_set_id(ZONE_ID, "cmg.emea.contoso.com") == f"{ZONE_ID}/CNAME/cmg.emea"


@pytest.mark.parametrize(("before", "low"), [(0, 1), (5, 1), (10, 1), (300, 30), (600, 60), (601, 60), (86_400, 60)])
def test_a_ttl_is_lowered_to_a_tenth_between_a_second_and_a_minute(before: int, low: int) -> None:
    assert low_ttl(before * SECOND) == low * SECOND


@given(st.integers(1, 604_800), st.sampled_from([(), (("owner", "dns"),)]))
def test_a_lowered_ttl_comes_back_as_it_was(ttl: int, metadata: tuple[tuple[str, str], ...]) -> None:
    found = RecordSet(ID, ttl * SECOND, "granitefalls.cloudapp.net", "e1", metadata)
    lowered = found.with_ttl(low_ttl(found.ttl), found.ttl)
    assert lowered.ttl_before == found.ttl and lowered.metadata[: len(metadata)] == metadata
    assert lowered.with_ttl_restored() == found
    assert RecordSet.of({"id": ID, "etag": "e1", **lowered.body()}).ttl_before == found.ttl

"""Names in zones of others, planned against worlds that show each state of them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cmg_core.domain.problems import Finding
from local.sample import Sample
from tests.integration.test_samples_are_planned import planned

SAMPLE: dict[str, Any] = json.loads(Path("samples/s07-zone-of-others.json").read_text(encoding="utf-8"))
NAME, OLD = "granitefalls.contoso.com", "granitefalls.cloudapp.net"
ABOUT_THE_NAME = {
    "record-indirect",
    "record-is-address",
    "record-missing",
    "record-points-elsewhere",
    "name-behind-proxy",
    "public-dns-differs",
    "public-dns-lags",
    "split-horizon",
}


def found(*records: dict[str, Any], ours: bool = False, **world: Any) -> dict[str, Finding]:
    """What a plan finds about the service name, whose zone holds these record sets."""
    told = json.loads(json.dumps(SAMPLE))
    told["world"] |= world
    told["world"]["dns_zones"][0]["record_sets"] = list(records)
    if ours:
        told["request"]["dns"] = {"zone_id": told["world"]["dns_zones"][0]["id"]}
    plan, _ = asyncio.run(planned(Sample.model_validate(told)))
    return {finding.code: finding for finding in plan.findings if finding.code in ABOUT_THE_NAME}


def record(value: str, type: str = "CNAME", name: str = "granitefalls", ttl: int = 300) -> dict[str, Any]:
    return {"name": name, "type": type, "ttl": ttl, "value": value}


def elsewhere(value: str, ttl: int) -> list[dict[str, Any]]:
    return [{"name": NAME, "type": "CNAME", "value": value, "ttl": ttl}]


def test_a_plain_alias_is_as_it_should_be() -> None:
    assert found(record(OLD)) == {}
    assert found(record(OLD), elsewhere_dns=elsewhere(OLD, 60)) == {}


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([record(f"@address-of:{OLD}", "A")], "record-is-address"),
        ([record(f"@address-of:{OLD}", "A"), record("2001:db8::1", "AAAA")], "record-is-address"),
        ([record("2001:db8::1", "AAAA")], "name-behind-proxy"),
        ([record("198.51.100.80", "A")], "name-behind-proxy"),
        ([record("cmg.contoso.com"), record(OLD, name="cmg")], "record-indirect"),
        ([record("cmg.contoso.com"), record("198.51.100.80", "A", "cmg")], "record-points-elsewhere"),
        ([], "record-missing"),
    ],
)
def test_each_other_form_of_a_name_has_its_own_finding(records: list[dict[str, Any]], code: str) -> None:
    assert set(found(*records)) == {code}


@pytest.mark.parametrize(("ttl", "code"), [(300, "public-dns-lags"), (301, "split-horizon")])
def test_another_view_is_a_split_where_no_older_answer_explains_it(ttl: int, code: str) -> None:
    told = found(record(OLD), elsewhere_dns=elsewhere("granitefalls.example.net", ttl))
    assert set(told) == {code}
    assert "granitefalls.example.net" in told[code].seen and OLD in told[code].seen


def test_in_a_zone_of_ours_another_view_is_told_as_well() -> None:
    told = found(record(OLD), ours=True, elsewhere_dns=elsewhere("granitefalls.example.net", 3600))
    assert set(told) == {"public-dns-differs", "split-horizon"}

"""The service name's record in a zone that the app may change: what is there, where it leads, and what is refused."""

import pytest

from cmg_core.domain.plans import Names, OldGateway, Part
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.service_record import find_record, judge_further_records, judge_serving_name
from cmg_core.domain.values import JsonObject
from tests.fakes import CLASSIC_ID, ZONE_ID

NAME, OLD, NEW = "GraniteFalls.Contoso.Com", "granitefalls.cloudapp.net", "granitefalls2.eastus.cloudapp.azure.com"
NAMES = Names(service_name=NAME, label="granitefalls2", deployment_name=NEW)
LABEL, RECORD_ID = "granitefalls", f"{ZONE_ID}/CNAME/granitefalls"
BLOCKS, WARNS = Severity.BLOCKS, Severity.WARNS


def records(kind: str, name: str, cname: str = "") -> JsonObject:
    return {
        "id": f"{ZONE_ID}/{kind}/{name}",
        "name": name,
        "type": f"Microsoft.Network/dnszones/{kind}",
        "properties": {"TTL": 300, "CNAMERecord": {"cname": cname}} if cname else {"TTL": 300},
    }


APEX = (records("SOA", "@"), records("NS", "@"))
ADDRESS, TEXT = records("A", LABEL), records("TXT", LABEL)


def told(findings: tuple[Finding, ...]) -> list[tuple[str, Severity, str, str]]:
    return [(each.code, each.severity, each.resource, each.pointer) for each in findings]


@pytest.mark.parametrize(
    ("zone_id", "held", "code", "resource", "seen"),
    [
        (ZONE_ID, (), "zone-missing", ZONE_ID, ""),
        (ZONE_ID.replace("contoso", "fabrikam"), APEX, "service-name-outside-zone", None, "«fabrikam.com»"),
        (
            ZONE_ID,
            (*APEX, records("NS", "GraniteFalls")),
            "service-name-delegated",
            ZONE_ID,
            "«granitefalls.contoso.com»",
        ),
        (ZONE_ID, APEX, "record-missing", ZONE_ID, NAME),
        (ZONE_ID, (*APEX, TEXT, ADDRESS), "record-not-cname", f"{ZONE_ID}/TXT/{LABEL}", "A, TXT"),
        (ZONE_ID, (*APEX, records("CNAME", LABEL)), "record-is-azure-alias", RECORD_ID, NAME),
    ],
)
def test_a_zone_in_which_no_alias_can_be_changed_blocks(
    zone_id: str, held: tuple[JsonObject, ...], code: str, resource: str | None, seen: str
) -> None:
    found = find_record(zone_id, held, NAMES, {}, OLD, may_be_missing=False)
    assert told(found.findings) == [(code, BLOCKS, resource or zone_id, "/dns/zone_id")]
    assert found.record is None and seen in found.findings[0].seen


def test_only_a_delegation_on_the_way_to_the_name_hides_it() -> None:
    names = NAMES.model_copy(update={"service_name": "cmg.west.contoso.com"})
    alias = records("CNAME", "cmg.west", OLD)
    for beside in ("east", "est", "www.west", "cmg"):
        held = (*APEX, records("NS", beside), alias)
        assert find_record(ZONE_ID, held, names, {}, OLD, may_be_missing=False).findings == ()
    for above in ("west", "cmg.west"):
        [found] = find_record(
            ZONE_ID, (*APEX, records("NS", above), alias), names, {}, OLD, may_be_missing=False
        ).findings
        assert found.code == "service-name-delegated" and f"«{above}.contoso.com»" in found.seen


@pytest.mark.parametrize(("old_name", "may_be_missing"), [(None, False), ("", True), (OLD, True)])
def test_a_record_that_may_be_made_is_not_missed_and_nothing_may_stand_in_its_place(
    old_name: str | None, may_be_missing: bool
) -> None:
    found = find_record(ZONE_ID, APEX, NAMES, {}, old_name, may_be_missing=may_be_missing)
    assert (found.record, found.findings) == (None, ())
    beside = find_record(ZONE_ID, (*APEX, ADDRESS), NAMES, {}, old_name, may_be_missing=may_be_missing)
    assert [each.code for each in beside.findings] == ["record-not-cname"]


@pytest.mark.parametrize(
    ("target", "chains", "old_name", "code", "severity", "pointer"),
    [
        (OLD.upper(), {}, OLD, None, None, ""),
        (NEW, {}, OLD, None, None, ""),
        (NEW, {}, None, None, None, ""),
        (OLD, {}, None, "service-name-in-use", BLOCKS, ""),
        ("gone.cloudapp.net", {}, "", "record-of-gone-gateway", WARNS, ""),
        (NEW, {}, "", None, None, ""),
        ("cmg.contoso.com", {"9.9.9.9": ("cmg.contoso.com", OLD)}, OLD.upper(), "record-indirect", WARNS, ""),
        ("cmg.contoso.com", {}, OLD, "record-points-elsewhere", BLOCKS, "/old_gateway/resource_id"),
    ],
)
def test_a_record_leads_to_the_old_gateway_or_to_the_new_one(
    target: str,
    chains: dict[str, tuple[str, ...]],
    old_name: str | None,
    code: str | None,
    severity: Severity,
    pointer: str,
) -> None:
    held = (*APEX, TEXT, records("CNAME", LABEL, target))
    found = find_record(ZONE_ID, held, NAMES, chains, old_name, may_be_missing=False)
    assert told(found.findings) == ([(code, severity, RECORD_ID, pointer)] if code else [])
    assert all(target in each.seen for each in found.findings)
    assert found.record is not None and (found.record.id, found.record.target) == (RECORD_ID, target)


@pytest.mark.parametrize(
    ("chain", "differs"),
    [((OLD,), False), ((OLD, "far.example"), False), ((), True), (("far.example", OLD), True)],
)
def test_servers_that_say_something_else_than_the_zone_are_told(chain: tuple[str, ...], differs: bool) -> None:
    chains = {"ns1": (OLD,), "9.9.9.9": chain}
    found = find_record(ZONE_ID, (*APEX, records("CNAME", LABEL, OLD)), NAMES, chains, OLD, may_be_missing=False)
    assert told(found.findings) == ([("public-dns-differs", WARNS, RECORD_ID, "")] if differs else [])
    assert all("9.9.9.9" in each.seen and "ns1" not in each.seen for each in found.findings)
    assert all(link in each.seen and NAME in each.seen for each in found.findings for link in chain)


def old_gateway(**facts: object) -> OldGateway:
    standard: dict[str, object] = {
        "model": "classic",
        "resource_id": CLASSIC_ID,
        "service_name": "Old.Contoso.Com",
        "deployment_name": OLD,
        "region": "eastus",
        "parts": (Part(id=CLASSIC_ID),),
        "kept": (),
    }
    return OldGateway.model_validate(standard | facts)


@pytest.mark.parametrize(
    ("label", "target", "facts", "warned"),
    [
        ("www", OLD, {}, True),
        ("www", f"{OLD.upper()}.", {}, True),
        ("www", NEW, {}, False),
        ("GraniteFalls", OLD, {}, False),
        ("OLD", OLD, {}, False),
        ("www", OLD, {"parts": ()}, False),
        ("www", OLD, {"parked": Part(id=CLASSIC_ID)}, False),
        ("www", "", {"deployment_name": ""}, False),
    ],
)
def test_further_records_are_told_where_they_lead_to_a_name_that_becomes_free(
    label: str, target: str, facts: dict[str, object], warned: bool
) -> None:
    held = (*APEX, records("CNAME", label, target))
    found = judge_further_records(held, NAMES, old_gateway(**facts))
    resource = f"{ZONE_ID}/CNAME/www"
    assert told(found) == ([("further-records-lead-to-old-gateway", WARNS, resource, "")] if warned else [])
    assert all("www.contoso.com" in each.seen and OLD in each.seen for each in found)


@pytest.mark.parametrize(
    ("chains", "leads"),
    [
        ({"ns1": (NEW,), "9.9.9.9": ("cmg.contoso.com", NEW)}, True),
        ({"ns1": (NEW,), "9.9.9.9": (OLD,)}, False),
        ({"ns1": (NEW,), "9.9.9.9": ()}, False),
    ],
)
def test_a_gateway_that_is_said_to_serve_is_led_to_by_every_server(
    chains: dict[str, tuple[str, ...]], leads: bool
) -> None:
    found = judge_serving_name(NAMES.model_copy(update={"deployment_name": NEW.upper()}), chains)
    blocked = [("new-gateway-not-led-to", BLOCKS, "", "/new_gateway/resource_id")]
    assert told(found) == ([] if leads else blocked)
    assert all("9.9.9.9" in each.seen and NAME in each.seen for each in found)
    assert all(link in each.seen for each in found for chain in chains.values() for link in chain)

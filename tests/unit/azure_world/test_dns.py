"""What names say in public and inside."""

from datetime import timedelta

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from local.azure.dns import resolve, zone_of
from local.azure.dns_server import answer_query
from local.azure.world import InsideRecord
from tests.unit.azure_world.worlds import (
    ALIAS,
    CLASSIC,
    DEPLOYMENT,
    GROUP,
    NEW_ADDRESS,
    NOW,
    OLD_ADDRESS,
    SERVICE,
    ZONE,
    add,
    flip,
    world,
)


def test_a_cname_is_followed_and_each_link_keeps_its_ttl() -> None:
    answer = resolve(world(), "GraniteFalls.Contoso.COM.", "a", "public", NOW)
    assert answer.rcode == "NOERROR"
    assert answer.records == ((SERVICE, "CNAME", 60, CLASSIC), (CLASSIC, "A", 60, OLD_ADDRESS))


def test_the_label_of_a_public_address_resolves() -> None:
    made = world()
    assert resolve(made, DEPLOYMENT, "A", "public", NOW).records == ((DEPLOYMENT, "A", 10, NEW_ADDRESS),)
    flip(made)
    assert resolve(made, SERVICE, "A", "public", NOW).address == NEW_ADDRESS


@pytest.mark.parametrize(
    ("name", "rrtype", "rcode"),
    [
        ("nothing.contoso.com", "A", "NXDOMAIN"),
        ("nothing.cloudapp.net", "A", "NXDOMAIN"),
        ("contoso.com", "A", "NOERROR"),
        ("lab.contoso.com", "A", "NOERROR"),
        (DEPLOYMENT, "AAAA", "NOERROR"),
    ],
)
def test_a_name_without_that_record_is_told_from_no_name(name: str, rrtype: str, rcode: str) -> None:
    answer = resolve(world(), name, rrtype, "public", NOW)
    assert (answer.rcode, answer.records) == (rcode, ())


def test_a_wildcard_answers_for_names_that_are_not_there() -> None:
    made = world()
    assert resolve(made, "any.lab.contoso.com", "A", "public", NOW).records == (
        ("any.lab.contoso.com", "A", 30, "192.0.2.9"),
    )
    add(made, f"{ZONE}/TXT/own.lab", {"TTL": 30, "TXTRecords": [{"value": ["v=1"]}]})
    assert resolve(made, "own.lab.contoso.com", "A", "public", NOW).records == ()


def test_the_closest_zone_answers() -> None:
    made = world()
    add(made, f"{GROUP}/Microsoft.Network/dnsZones/lab.contoso.com", {})
    assert resolve(made, "any.lab.contoso.com", "A", "public", NOW).rcode == "NXDOMAIN"


def test_a_dangling_cname_is_nxdomain_with_its_link() -> None:
    made = world()
    flip(made, "gone.eastus.cloudapp.azure.com")
    answer = resolve(made, SERVICE, "A", "public", NOW)
    assert answer.rcode == "NXDOMAIN"
    assert [record.type for record in answer.records] == ["CNAME"]


def test_a_circle_of_cnames_ends() -> None:
    made = world()
    flip(made, SERVICE)
    assert resolve(made, SERVICE, "A", "public", NOW).rcode == "SERVFAIL"


def test_the_inside_view_hides_the_public_name() -> None:
    made = world()
    made.inside_dns.append(InsideRecord("GraniteFalls.contoso.com", "A", NEW_ADDRESS, 5))
    assert resolve(made, SERVICE, "A", "inside", NOW).records == ((SERVICE, "A", 5, NEW_ADDRESS),)
    assert resolve(made, SERVICE, "A", "public", NOW).address == OLD_ADDRESS


def test_only_changed_public_answers_are_noted() -> None:
    made = world()
    resolve(made, SERVICE, "A", "inside", NOW)
    for second in range(3):
        resolve(made, SERVICE, "A", "public", NOW + timedelta(seconds=second))
    flip(made)
    resolve(made, SERVICE, "A", "public", NOW + timedelta(seconds=9))
    assert [(entry.at, entry.answer.address) for entry in made.dns_log] == [
        (NOW, OLD_ADDRESS),
        (NOW + timedelta(seconds=9), NEW_ADDRESS),
    ]


def ask(name: str, rrtype: str) -> dns.message.Message:
    made = world()
    wire = answer_query(made, dns.message.make_query(name, rrtype).to_wire(), NOW)
    assert wire is not None
    return dns.message.from_wire(wire)


def test_the_server_answers_with_authority() -> None:
    answer = ask(SERVICE, "A")
    assert answer.flags & dns.flags.AA
    assert [dns.rdatatype.to_text(rrset.rdtype) for rrset in answer.answer] == ["CNAME", "A"]
    assert [rrset.ttl for rrset in answer.answer] == [60, 60]


def test_name_servers_and_start_of_authority_can_be_found() -> None:
    servers = ask("contoso.com", "NS").answer[0]
    assert [item.to_text() for item in servers] == ["ns1-03.azure-dns.com."]
    assert ask("contoso.com", "SOA").answer[0].rdtype == dns.rdatatype.SOA
    below = ask("lab.contoso.com", "SOA")
    assert (below.answer, below.authority[0].name.to_text()) == ([], "contoso.com.")
    assert ask(SERVICE, "SOA").authority[0].name.to_text() == "cloudapp.net."
    assert ask("ns1-01.azure-dns.com", "A").answer[0][0].to_text() == "127.0.0.1"


def test_negative_answers_say_which_zone_they_are_from() -> None:
    answer = ask("nothing.contoso.com", "A")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.authority[0].name.to_text() == "contoso.com."


def test_what_is_no_query_gets_silence_and_foreign_names_nothing() -> None:
    assert answer_query(world(), b"\x00", NOW) is None
    assert ask("example.org", "A").rcode() == dns.rcode.NXDOMAIN
    assert zone_of(world(), "example.org") is None


def test_an_empty_record_set_says_nothing() -> None:
    made = world()
    made.resources[ALIAS.lower()].properties["CNAMERecord"] = None
    assert resolve(made, SERVICE, "A", "public", NOW).records == ()

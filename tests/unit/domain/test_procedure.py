"""The procedure that a request follows: which gates in which order, who opens them, and what they ask of whom."""

import pytest

from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.plans import Names
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.procedure import connection_ports, gates_of, judge_case
from cmg_core.domain.requests import Request, RetirementRequest
from tests.fakes import CLASSIC_ID, deployment, migration
from tests.stories import NEW_NAME, SERVICE

OTHER_NAME = "old.contoso.com"
PORTS = "dialing port 443"
APPROVAL, MADE, CONNECTED, CONTENT, READY, CNAME, INSIDE, MOVED, RECORD, REMOVED = GateName
OWN_DOMAIN = Names(service_name=SERVICE, label="granitefalls", deployment_name=NEW_NAME)
REGION_NAME = Names(service_name=NEW_NAME, label="granitefalls", deployment_name=NEW_NAME)


def old(service_name: str = SERVICE, **changes: object) -> dict[str, object]:
    return {"resource_id": CLASSIC_ID, "service_name": service_name, **changes}


def retirement(**changes: object) -> RetirementRequest:
    body = migration(**changes).model_dump(mode="json", by_alias=True, exclude={"kind", "accept_gap"})
    return RetirementRequest.model_validate(body | {"provisioned_by": "existing"})


GAP_CLOSED = migration()
GAP_ACCEPTED = migration(accept_gap="PT15M")
OLD_ONE_GONE = migration(old_gateway=old(gone=True))
NEW_SERVICE_NAME = migration(old_gateway=old(OTHER_NAME))


def names_in(gates: tuple[Gate, ...]) -> list[GateName]:
    return [gate.name for gate in gates]


def gate(request: Request, name: GateName, names: Names = OWN_DOMAIN) -> Gate:
    return next(gate for gate in gates_of(request, names, PORTS) if gate.name is name)


@pytest.mark.parametrize(
    ("request_", "names", "wanted"),
    [
        (GAP_CLOSED, OWN_DOMAIN, [CONNECTED, READY, CNAME, INSIDE, RECORD, REMOVED]),
        (GAP_ACCEPTED, OWN_DOMAIN, [READY, CNAME, INSIDE, CONNECTED, RECORD]),
        (OLD_ONE_GONE, OWN_DOMAIN, [READY, CNAME, INSIDE, CONNECTED, RECORD]),
        (migration(old_gateway=old(NEW_NAME, gone=True)), REGION_NAME, [READY, CONNECTED, RECORD]),
        (NEW_SERVICE_NAME, OWN_DOMAIN, [CNAME, CONNECTED, READY, RECORD, REMOVED]),
        (NEW_SERVICE_NAME, REGION_NAME, [CONNECTED, READY, RECORD, REMOVED]),
        (retirement(), OWN_DOMAIN, [CONNECTED, READY, RECORD, REMOVED]),
        (deployment(), OWN_DOMAIN, [CNAME, CONNECTED]),
        (deployment(), REGION_NAME, [CONNECTED]),
        (migration(old_gateway=old(NEW_NAME)), REGION_NAME, []),
    ],
)
def test_the_gates_of_each_case_stand_in_the_order_of_docs_procedures(
    request_: Request, names: Names, wanted: list[GateName]
) -> None:
    assert names_in(gates_of(request_, names, PORTS)) == wanted


ALL_CHOSEN = {"approval": True, "clients-moved": {"share": 0.98}}


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (
            migration(provisioned_by="site", gates=ALL_CHOSEN, old_gateway=old(serves_content=True)),
            [APPROVAL, MADE, CONNECTED, CONTENT, READY, CNAME, INSIDE, MOVED, RECORD, REMOVED],
        ),
        (
            migration(
                provisioned_by="site", gates=ALL_CHOSEN, old_gateway=old(serves_content=True), accept_gap="PT15M"
            ),
            [APPROVAL, MADE, CONTENT, READY, CNAME, INSIDE, CONNECTED, MOVED, RECORD],
        ),
        (
            migration(provisioned_by="site", gates=ALL_CHOSEN, old_gateway=old(OTHER_NAME, serves_content=True)),
            [APPROVAL, MADE, CNAME, CONNECTED, CONTENT, READY, MOVED, RECORD, REMOVED],
        ),
        (
            retirement(gates=ALL_CHOSEN, old_gateway=old(serves_content=True)),
            [APPROVAL, CONNECTED, CONTENT, READY, MOVED, RECORD, REMOVED],
        ),
        (
            migration(gates={"ready-to-cut-over": False}),
            [CONNECTED, CNAME, INSIDE, RECORD, REMOVED],
        ),
        (deployment(provisioned_by="site", gates={"approval": True}), [APPROVAL, MADE, CNAME, CONNECTED]),
        (deployment(gates={"connection-point-connected": False}), [CNAME]),
    ],
)
def test_what_a_request_chooses_adds_its_gates_in_their_places(request_: Request, wanted: list[GateName]) -> None:
    assert names_in(gates_of(request_, OWN_DOMAIN, PORTS)) == wanted


def test_only_what_may_be_true_before_it_is_asked_for_can_be_confirmed_early_and_only_the_app_sees_the_record() -> None:
    request = migration(provisioned_by="site", gates=ALL_CHOSEN, old_gateway=old(serves_content=True))
    gates = gates_of(request, OWN_DOMAIN, PORTS)
    assert {gate.name for gate in gates if gate.early} == {APPROVAL, CONTENT, READY}
    openers = {gate.name: gate.opener for gate in gates if gate.opener is not Opener.PERSON}
    assert openers == {CNAME: Opener.APP, CONNECTED: Opener.APP_OR_PERSON}


@pytest.mark.parametrize(
    "request_", [GAP_CLOSED, GAP_ACCEPTED, OLD_ONE_GONE, NEW_SERVICE_NAME, deployment()], ids=lambda each: each.kind
)
def test_whoever_adds_a_connection_point_reads_where_it_dials(request_: Request) -> None:
    [asked] = [
        each for each in gates_of(request_, OWN_DOMAIN, "dialing ports 10124 to 10125") if each.name is CONNECTED
    ]
    assert "dialing ports 10124 to 10125" in asked.what_to_do and SERVICE in asked.what_to_do


def test_whoever_retires_reads_which_gateway_has_to_relay() -> None:
    assert SERVICE in gate(retirement(), CONNECTED).what_to_do


@pytest.mark.parametrize(
    ("request_", "who"),
    [
        (GAP_CLOSED, "The app points the CNAME"),
        (migration(dns=None), "Whoever holds the public zone lowers the TTL"),
        (migration(dns=None, old_gateway=old(OTHER_NAME)), "Whoever holds the public zone points the CNAME"),
        (deployment(dns=None), "Whoever holds the public zone points the CNAME"),
    ],
)
def test_who_changes_the_record_reads_so_and_lowers_its_ttl_first_only_where_clients_dial_it_already(
    request_: Request, who: str
) -> None:
    assert gate(request_, CNAME).what_to_do.startswith(who)


@pytest.mark.parametrize(("request_", "at_once"), [(GAP_ACCEPTED, True), (GAP_CLOSED, False), (OLD_ONE_GONE, False)])
def test_the_inside_view_follows_last_but_in_a_gap_at_once(request_: Request, at_once: bool) -> None:
    text = gate(request_, INSIDE).what_to_do
    assert ("as soon as its public record does" in text) is at_once
    assert ("last on the first connection point's server" in text) is not at_once


@pytest.mark.parametrize(
    ("request_", "old_name", "second_was_added"),
    [
        (GAP_CLOSED, SERVICE, True),
        (GAP_ACCEPTED, SERVICE, False),
        (NEW_SERVICE_NAME, OTHER_NAME, True),
        (retirement(old_gateway=old(OTHER_NAME)), OTHER_NAME, False),
        (retirement(old_gateway=old(SERVICE.upper())), SERVICE.upper(), False),
    ],
)
def test_before_the_sites_record_goes_a_connection_point_is_looked_for_where_none_was_added_on_the_way(
    request_: Request, old_name: str, second_was_added: bool
) -> None:
    text = gate(request_, RECORD).what_to_do
    assert f"of {old_name}" in text
    assert ("has a connection point linked to it" in text) is not second_was_added
    assert ("takes it out" in text) is (old_name == OTHER_NAME), (
        "only a name that nobody dials any more loses its record"
    )


def test_whoever_counts_clients_reads_how_many_and_of_how_many_days() -> None:
    chosen = {"clients-moved": {"share": 0.95, "active_days": 45}}
    text = gate(migration(gates=chosen), MOVED).what_to_do
    assert "at least 95% of the internet clients of the last 45 days know" in text


@pytest.mark.parametrize(("instances", "ports"), [(1, ["443"]), (2, ["10124", "10125"]), (16, ["10124", "10139"])])
def test_a_connection_point_dials_one_port_an_instance_and_443_where_there_is_one(
    instances: int, ports: list[str]
) -> None:
    assert [word for word in connection_ports(instances).split() if word.isdigit()] == ports


def judged(request: Request, service_name: str = SERVICE) -> list[tuple[str, Severity, str]]:
    return [(each.code, each.severity, each.pointer) for each in judge_case(request, service_name)]


REFUSED = ("case-same-region-name", Severity.BLOCKS, "/old_gateway/service_name")
LETTERS = ("service-name-letter-case", Severity.TELLS, "/old_gateway/service_name")
OTHER = ("case-new-service-name", Severity.TELLS, "")
ADVICE = ("own-domain-advised", Severity.TELLS, "/certificate/name")
NO_GAP = ("accept-gap-not-needed", Severity.TELLS, "/accept_gap")


@pytest.mark.parametrize(
    ("request_", "service_name", "wanted"),
    [
        (GAP_CLOSED, SERVICE, []),
        (GAP_ACCEPTED, SERVICE, []),
        (deployment(), SERVICE, []),
        (GAP_CLOSED, SERVICE.lower(), [LETTERS]),
        (migration(old_gateway=old(NEW_NAME)), NEW_NAME, [REFUSED]),
        (migration(old_gateway=old(NEW_NAME.upper()), accept_gap="PT15M"), NEW_NAME, [REFUSED, LETTERS, NO_GAP]),
        (migration(old_gateway=old(NEW_NAME, gone=True)), NEW_NAME, []),
        (NEW_SERVICE_NAME, SERVICE, [OTHER]),
        (NEW_SERVICE_NAME, NEW_NAME, [OTHER, ADVICE]),
        (migration(old_gateway=old(OTHER_NAME), accept_gap="PT15M"), SERVICE, [OTHER, NO_GAP]),
        (migration(old_gateway=old(gone=True), accept_gap="PT15M"), SERVICE, [NO_GAP]),
        (retirement(), SERVICE, []),
        (retirement(old_gateway=old(OTHER_NAME)), SERVICE, []),
    ],
)
def test_what_the_case_of_a_request_means_is_told_and_refused_only_where_one_name_cannot_be_held_twice(
    request_: Request, service_name: str, wanted: list[tuple[str, Severity, str]]
) -> None:
    assert judged(request_, service_name) == wanted


def seen(findings: tuple[Finding, ...], code: str) -> str:
    return next(each.seen for each in findings if each.code == code)


def test_findings_on_names_show_both_names() -> None:
    told = seen(judge_case(NEW_SERVICE_NAME, SERVICE), "case-new-service-name")
    assert OTHER_NAME in told and SERVICE in told
    told = seen(judge_case(GAP_CLOSED, SERVICE.lower()), "service-name-letter-case")
    assert SERVICE in told and SERVICE.lower() in told
    assert NEW_NAME in seen(judge_case(NEW_SERVICE_NAME, NEW_NAME), "own-domain-advised")

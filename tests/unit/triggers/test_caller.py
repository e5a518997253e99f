"""Who calls: whose word counts, what is refused before anything else is read, and what a refusal says."""

import base64
import json
from dataclasses import replace
from datetime import timedelta

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.principals import NOBODY
from cmg_core.domain.record import Status
from cmg_core.domain.roles import KEYS_MAY, CallerRules, Claims, Role, needs
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.services import Limits, Stored
from cmg_core.settings import SettingsError, read
from cmg_core.triggers.http import ROUTES
from local.inprocess.memory import MemoryLedger
from tests.fakes import TENANT, FakeTokens
from tests.unit.triggers.callers import MemoryServices, call
from tests.unit.triggers.test_http import BODY, NOWHERE, problem_of, saved, started

HOME, STRANGER = TENANT, "cccccccc-0000-4000-8000-000000000001"
OBJECT = "dddddddd-1111-4000-8000-000000000001"
URIS = "http://schemas.microsoft.com"
READER = Claims(HOME, OBJECT, ("Cmg.Reader",), "ann@contoso.com")
APPROVER = Claims(HOME, "approver", ("Cmg.Approver",), "chris@contoso.com")
RULES = CallerRules(home=HOME, tenants=frozenset({HOME}))
GUARDED = [route for route in ROUTES if route.level is not func.AuthLevel.ANONYMOUS]
BY_ANN: JsonObject = {"by": "change.manager@contoso.com", "reason": "agreed"}


def app(rules: CallerRules = RULES, **tokens: Claims) -> MemoryServices:
    """The app with these rules, and tokens by what they are called."""
    limits = Limits(timedelta(hours=24), timedelta(minutes=5), {"name": "gateway"}, callers=rules)
    return MemoryServices(limits=limits, tokens=FakeTokens(tokens))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def principal(**changes: object) -> str:
    """App Service's header for a person, as Microsoft describes it."""
    claims = [
        {"typ": f"{URIS}/identity/claims/tenantid", "val": HOME},
        {"typ": f"{URIS}/identity/claims/objectidentifier", "val": OBJECT},
        {"typ": "preferred_username", "val": "ann@contoso.com"},
        {"typ": "roles", "val": "Cmg.Requester"},
        {"typ": f"{URIS}/ws/2008/06/identity/claims/role", "val": "Cmg.Reader"},
        {"typ": "groups", "val": "Cmg.Operator"},
    ]
    body = {"auth_typ": "aad", "claims": claims, "name_typ": "name", "role_typ": "groups"} | changes
    return base64.b64encode(json.dumps(body).encode()).decode()


def asked_by(services: MemoryServices, **headers: str) -> object:
    id = started(services, **headers)
    return call(services, "show-deployment", path={"id": id}, headers=headers).body["asked_by"]


SIGNS_IN = replace(RULES, app_service_signs_in=True)


# --- App Service's word ----------------------------------------------------------------------------------------------


def test_app_services_word_counts_where_it_signs_people_in() -> None:
    services = app(SIGNS_IN)
    assert asked_by(services, **{"X-MS-CLIENT-PRINCIPAL": principal()}) == {
        "id": f"principal:{OBJECT}",
        "name": "ann@contoso.com",
    }


def test_the_same_header_from_anybody_else_counts_for_nothing() -> None:
    forged = principal(claims=[{"typ": "roles", "val": "Cmg.Operator"}])
    services = app()
    assert asked_by(services, **{"X-MS-CLIENT-PRINCIPAL": forged}) == asked_by(app())
    headers = {"X-MS-CLIENT-PRINCIPAL": forged}
    answer = call(services, "resume-deployment", BY_ANN, path={"id": NOWHERE}, headers=headers)
    problem_of(answer, 403, "role-missing")


@pytest.mark.parametrize("said", ["true", "TRUE", "1", "False", "", "yes"])
def test_only_the_word_that_app_service_writes_turns_it_on(said: str) -> None:
    assert not read({"CmgStorage": "x", "WEBSITE_AUTH_ENABLED": said}).caller_rules.app_service_signs_in


def test_groups_are_no_roles_whatever_the_header_calls_them() -> None:
    headers = {"X-MS-CLIENT-PRINCIPAL": principal()}
    answer = call(app(SIGNS_IN), "resume-deployment", BY_ANN, path={"id": NOWHERE}, headers=headers)
    assert "the caller has: reader, requester" in str(problem_of(answer, 403, "role-missing")["detail"])


@pytest.mark.parametrize(
    "header",
    [
        "no base64!",
        base64.b64encode(b"no json").decode(),
        base64.b64encode(b"[]").decode(),
        principal(auth_typ="github"),
        principal(claims=[]),
        principal(claims=[{"typ": "tid", "val": STRANGER}, {"typ": "oid", "val": OBJECT}]),
        principal(claims=[{"typ": "tid", "val": HOME}, {"typ": "oid", "val": "a"}, {"typ": "oid", "val": "b"}]),
        principal(claims=[{"typ": "tid", "val": HOME}, {"typ": "tid", "val": STRANGER}, {"typ": "oid", "val": "a"}]),
        principal(claims=[{"typ": "tid", "val": 1}]),
    ],
)
def test_a_word_that_names_nobody_is_refused(header: str) -> None:
    answer = call(app(SIGNS_IN), "list-deployments", headers={"X-MS-CLIENT-PRINCIPAL": header})
    problem_of(answer, 401, "token-refused")


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1))
def test_whatever_the_header_holds_it_is_refused_and_no_error(header: str) -> None:
    answer = call(app(SIGNS_IN), "list-deployments", headers={"X-MS-CLIENT-PRINCIPAL": header})
    assert answer.status == 401


# --- Tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_decides_and_not_the_key_beside_it() -> None:
    services = app(replace(RULES, key_roles=frozenset(Role)), ann=READER)
    problem_of(call(services, "start-migration", BODY, headers=bearer("ann")), 403, "role-missing")
    assert call(services, "start-migration", BODY).status == 202


def test_a_bad_token_is_refused_whatever_key_comes_with_it() -> None:
    answer = call(app(replace(RULES, key_roles=frozenset(Role))), "list-deployments", headers=bearer("stolen"))
    problem_of(answer, 401, "token-refused")
    assert answer.headers["www-authenticate"] == 'Bearer realm="cmg", error="invalid_token"'
    assert "stolen" not in answer.text


@pytest.mark.parametrize("header", ["bearer ann", "BEARER  ann ", "Bearer ann"])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    services = app(ann=replace(READER, app_roles=()))
    answer = call(services, "list-deployments", headers={"Authorization": header})
    assert "the caller has: none" in str(problem_of(answer, 403, "role-missing")["detail"])


def test_a_header_for_somebody_else_changes_nothing() -> None:
    assert call(app(), "list-deployments", headers={"Authorization": "Basic YTpi"}).status == 200


def test_keys_of_the_directory_that_cannot_be_had_are_nobodys_fault() -> None:
    services = app()
    services.tokens.fault = TryAgain("the keys cannot be had", timedelta(seconds=30))
    answer = call(services, "list-deployments", headers=bearer("ann"))
    problem_of(answer, 503, "try-again")
    assert answer.headers["retry-after"] == "30"


# --- Keys ------------------------------------------------------------------------------------------------------------


def test_a_keys_holder_looks_and_asks_and_no_more_unless_a_setting_says_so() -> None:
    assert CallerRules().key_roles == KEYS_MAY == {Role.READER, Role.REQUESTER}
    for route in GUARDED:
        answer = call(app(), route.name, path={"id": NOWHERE, "gate": "ready-to-cut-over"})
        may = bool(KEYS_MAY & (needs(route.name).roles | needs(route.name).own))
        assert (answer.status == 403) is not may, route.name


def test_one_key_is_one_caller_however_often_it_is_sent() -> None:
    services = app()
    for headers, query in (({"x-functions-key": "k,other"}, {}), ({"x-functions-key": ""}, {"code": "k,other"})):
        problem_of(call(services, "list-deployments", headers=headers, query=query), 401, "several-keys")


def test_where_keys_count_for_nothing_everybody_signs_in() -> None:
    services = app(replace(RULES, key_roles=frozenset()), ann=READER)
    for route in GUARDED:
        answer = call(services, route.name, path={"id": NOWHERE, "gate": "approval"})
        problem_of(answer, 401, "not-signed-in")
        assert answer.headers["www-authenticate"] == 'Bearer realm="cmg"'
    assert call(services, "list-deployments", headers=bearer("ann")).status == 200
    assert call(services, "show-health").status == 200


@pytest.mark.parametrize(
    ("more", "warned"), [(frozenset(Role), True), (KEYS_MAY | {Role.APPROVER}, True), (KEYS_MAY, False), ({}, False)]
)
def test_health_warns_of_keys_that_may_more(more: frozenset[Role], warned: bool) -> None:
    body = call(app(replace(RULES, key_roles=frozenset(more))), "show-health").body
    assert ("keys-may-more" in json.dumps(body["problems"])) is warned


# --- What is read first ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
def test_a_caller_without_a_role_learns_nothing(route: object) -> None:
    """Not from the body, not from the ID, not from the gate: every answer is the same."""
    name = getattr(route, "name", "")
    services = app(nobody=replace(READER, app_roles=()))
    standing = started(services)
    bodies = (b"", b"{", b"\xff", json.dumps(BY_ANN).encode(), json.dumps(BODY).encode(), b"x" * 300_000)
    texts = {
        (answer.status, text_at(answer.body, "type"), text_at(answer.body, "detail"), text_at(answer.body, "cure"))
        for id in (standing, NOWHERE, "no GUID")
        for body in bodies
        for answer in [call(services, name, raw=body, path={"id": id, "gate": "x"}, headers=bearer("nobody"))]
    }
    assert len(texts) == 1
    assert next(iter(texts))[:2] == (403, "/api/problems/role-missing")


def test_a_refusal_says_what_is_needed_what_is_there_and_who_helps() -> None:
    services = app(ann=READER)
    answer = call(services, "cancel-deployment", BY_ANN, path={"id": NOWHERE}, headers=bearer("ann"))
    problem = problem_of(answer, 403, "role-missing")
    assert problem["detail"] == (
        "The call needs operator, or requester for what the caller asked for itself; the caller has: reader."
    )
    for said in ("Cmg.Operator", "Cmg.Requester", "CMG_KEY_ROLES", "docs/roles.md"):
        assert said in str(problem["cure"])


# --- One's own -------------------------------------------------------------------------------------------------------


def test_a_requester_cancels_its_own_deployment_and_no_other() -> None:
    services = app()
    id = started(services)
    other = call(services, "cancel-deployment", BY_ANN, path={"id": id}, headers={"x-functions-key": "another"})
    problem_of(other, 403, "role-missing")
    unknown = call(services, "cancel-deployment", BY_ANN, path={"id": NOWHERE}, headers={"x-functions-key": "another"})
    problem_of(unknown, 404, "no-such-deployment")
    assert call(services, "cancel-deployment", BY_ANN, path={"id": id}).body["status"] == "cancelled"


# --- Separate duties -------------------------------------------------------------------------------------------------

APART = CallerRules(frozenset(Role), separate_duties=True, home=HOME, tenants=frozenset({HOME}))
WITH_APPROVAL: JsonObject = BODY | {"gates": {"approval": True}}


def waiting_for_approval(services: MemoryServices, **headers: str) -> str:
    answer = call(services, "start-migration", WITH_APPROVAL, headers=headers)
    assert answer.status == 202, answer.text
    id = str(answer.body["id"])
    gate = Gate(GateName.APPROVAL, Opener.PERSON, "Approve it.", early=True)
    saved(services, id, Status.WAITING, "provision-network", gates=(gate,))
    return id


def approve(services: MemoryServices, id: str, **headers: str) -> object:
    path = {"id": id, "gate": "approval"}
    answer = call(services, "open-gate", BY_ANN, path=path, headers=headers)
    return answer.status if answer.status == 200 else (answer.status, text_at(answer.body, "type").rpartition("/")[2])


def test_who_asked_does_not_approve() -> None:
    services = app(APART, chris=APPROVER)
    id = waiting_for_approval(services, **{"Idempotency-Key": "CHG1"})
    assert approve(services, id) == (403, "same-person")
    again = call(services, "start-migration", WITH_APPROVAL, headers={"Idempotency-Key": "CHG1"})
    assert (again.status, again.body["id"]) == (202, id)
    assert approve(services, id) == (403, "same-person")
    assert approve(services, id, **bearer("chris")) == 200
    assert approve(services, id) == 200, "it is open: asking again changes nothing"


def test_two_keys_are_two_callers() -> None:
    services = app(APART)
    assert approve(services, waiting_for_approval(services), **{"x-functions-key": "another"}) == 200


def test_without_the_setting_who_asks_may_approve() -> None:
    services = app(replace(APART, separate_duties=False))
    assert approve(services, waiting_for_approval(services)) == 200


def test_where_nobody_noted_who_asked_nobody_approves() -> None:
    class OfAnEarlierRelease(MemoryLedger):
        def peek(self, deployment_id: str) -> Stored | None:
            stored = super().peek(deployment_id)
            return stored and Stored(replace(stored.record, asked_by=NOBODY), stored.etag)

    services = app(APART)
    services.ledger = OfAnEarlierRelease()
    id = waiting_for_approval(services)
    assert approve(services, id, **{"x-functions-key": "another"}) == (403, "same-person")


def test_a_request_does_not_leave_the_approval_out() -> None:
    services = app(APART)
    problem_of(call(services, "start-migration", BODY), 422, "approval-left-out")
    assert not call(services, "list-deployments").body["deployments"]


def test_who_opened_a_gate_is_shown_as_verified_beside_what_people_write() -> None:
    services = app(APART, chris=APPROVER)
    id = waiting_for_approval(services)
    approve(services, id, **bearer("chris"))
    verified = {"id": "principal:approver", "name": "chris@contoso.com"}

    [gate] = call(services, "show-deployment", path={"id": id}).body["gates"]  # type: ignore[misc]
    assert (gate["opened_by"], gate["opened_as"]) == ("change.manager@contoso.com", verified)  # type: ignore[index,call-overload]
    events = call(services, "show-events", path={"id": id}).body["events"]
    lines = {line["text"].partition(":")[0]: line["called_by"] for line in events}  # type: ignore[union-attr,index,call-overload]
    assert lines["change.manager@contoso.com opened the gate approval"] == verified
    assert lines["accepted"]["id"].startswith("key:")
    assert lines["went on"] == {"id": "", "name": ""}


# --- Settings --------------------------------------------------------------------------------------------------------

STORAGE = {"CmgStorage": "x"}


def test_settings_name_roles_tenants_and_what_tokens_are_for() -> None:
    rules = read(
        STORAGE
        | {
            "CMG_TENANT_ID": HOME.upper(),
            "CMG_AUTH_AUDIENCE": f"api://cmg, {OBJECT}",
            "CMG_AUTH_TENANTS": f"{HOME},{STRANGER.upper()}",
            "CMG_KEY_ROLES": "approver",
            "CMG_SEPARATE_DUTIES": "true",
        }
    ).caller_rules
    assert rules == CallerRules(frozenset({Role.READER, Role.APPROVER}), True, HOME, frozenset({HOME, STRANGER}), False)
    assert read(STORAGE).caller_rules == CallerRules()
    assert read(STORAGE | {"CMG_TENANT_ID": HOME}).caller_rules.tenants == {HOME}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"CMG_KEY_ROLES": "none"}, "CMG_KEY_ROLES"),
        ({"CMG_KEY_ROLES": "none, reader"}, "CMG_KEY_ROLES"),
        ({"CMG_KEY_ROLES": "owner"}, "CMG_KEY_ROLES"),
        ({"CMG_AUTH_AUDIENCE": "api://cmg"}, "CMG_TENANT_ID"),
        ({"CMG_AUTH_AUDIENCE": "cmg", "CMG_TENANT_ID": HOME}, "CMG_AUTH_AUDIENCE"),
        ({"CMG_AUTH_TENANTS": "contoso.com"}, "CMG_AUTH_TENANTS"),
        ({"CMG_SEPARATE_DUTIES": "yes"}, "CMG_SEPARATE_DUTIES"),
    ],
)
def test_settings_that_nobody_could_call_by_are_refused(given: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(STORAGE | given)
    assert [problem.name for problem in refused.value.problems] == [named]

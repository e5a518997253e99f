"""Customers' tenants, whole stories: whose token was sent where, and what a caller without a right meets."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Status
from cmg_core.domain.values import JsonObject
from local.azure.world import LoggedRequest, World
from local.inprocess.harness import RunReport, run
from local.sample import Sample, Then, load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
BY_APP, DELEGATED = "s05-customer-by-app", "s05-customer-delegated"
NOT_CONSENTED, SUSPENDED = "s05-not-consented", "s05-suspended"
HOME, CUSTOMER = "0f1e2d3c-0000-4000-8000-00000000c0de", "c0570e70-0000-4000-8000-00000000fab0"
PROVIDERS = "s01-providers-in-every-state"
OWNER = re.compile(r"tid=([0-9a-f-]{36})")


@cache
def told(name: str) -> RunReport:
    return run(load(SAMPLES / f"{name}.json"))


def changed(name: str, *, request: JsonObject | None = None, **subscription: object) -> Sample:
    """A sample with something else in its request or its subscription."""
    sample = load(SAMPLES / f"{name}.json")
    world = json.loads(json.dumps(sample.world))
    world["subscriptions"][0].update(subscription)
    return sample.model_copy(update={"world": world, "request": {**sample.request, **(request or {})}, "then": ()})


def fits(world: World, entry: LoggedRequest) -> bool:
    """Whether a request carried no token, or one of the tenant that it was for (or that this is delegated to)."""
    owner, host = OWNER.search(entry.request.headers.get("authorization", "")), entry.request.host
    if owner is None:
        return True
    if host == "management.azure.com":
        subscription = world.subscriptions[entry.request.path.split("/")[2].lower()]
        return owner[1] in (subscription.tenant, *subscription.managed_by)
    vaults = world.of_type("Microsoft.KeyVault/vaults")
    return [owner[1]] == [each.properties["tenantId"] for each in vaults if host in each.properties["vaultUri"]]


@pytest.mark.parametrize("name", [BY_APP, DELEGATED, SUSPENDED, NOT_CONSENTED, PROVIDERS])
def test_a_subscription_is_never_touched_with_another_tenants_credential(name: str) -> None:
    report = told(name)
    assert [entry.request for entry in report.requests if not fits(report.world, entry)] == []
    owners = {owner[1] for entry in report.requests if (owner := OWNER.search(repr(entry.request.headers)))}
    expected = {BY_APP: {CUSTOMER}, SUSPENDED: {CUSTOMER}, DELEGATED: {HOME, CUSTOMER}, PROVIDERS: {HOME}}
    assert owners == expected.get(name, set())


MIXED_UP = [
    (changed(DELEGATED, managed_by=[]), "subscription-not-delegated"),
    (changed(BY_APP, request={"tenant_id": HOME}), "subscription-other-tenant"),
    (changed(BY_APP, request={"access": "own"}), "access-contradicts"),
    (changed(BY_APP, tenant=HOME), "subscription-other-tenant"),
]


@pytest.mark.parametrize(("sample", "code"), MIXED_UP, ids=[code for _, code in MIXED_UP])
def test_what_a_mixed_up_request_sends_is_turned_away_at_the_door(sample: Sample, code: str) -> None:
    report = run(sample)
    plan = report.record.state.plan
    assert report.outcome is Status.REFUSED
    assert plan is not None
    assert code in [finding.code for finding in plan.blocked_by]
    strangers = [entry for entry in report.requests if not fits(report.world, entry)]
    assert {(entry.request.method, entry.response.status) for entry in strangers if entry.response} <= {("GET", 401)}
    assert {entry.request.method for entry in report.requests} <= {"GET"}


@pytest.mark.parametrize("name", [BY_APP, DELEGATED, PROVIDERS])
def test_a_customers_gateway_is_made_and_clients_find_one_all_the_while(name: str) -> None:
    report = told(name)
    assert (report.outcome, report.tally.failures, report.errors, report.undone) == (Status.SUCCEEDED, 0, (), ())


@pytest.mark.parametrize("name", [SUSPENDED, NOT_CONSENTED])
def test_what_is_refused_is_untouched(name: str) -> None:
    report = told(name)
    assert report.outcome is Status.REFUSED
    assert {entry.request.method for entry in report.requests} <= {"GET"}


def test_providers_are_registered_from_every_state() -> None:
    states = {
        each.namespace: each.state
        for each in next(iter(told(PROVIDERS).world.subscriptions.values())).providers.values()
    }
    assert states.keys() >= {"Microsoft.KeyVault", "Microsoft.Storage", "Microsoft.Network", "Microsoft.Compute"}
    assert set(states.values()) == {"Registered"}
    asked = [entry.request.path.split("/")[-2] for entry in told(PROVIDERS).requests if entry.request.method == "POST"]
    assert sorted(asked) == ["Microsoft.Compute", "Microsoft.Storage"], "what registers already is waited for"


RESUME = Then.model_validate(
    {
        "when": {"status": "needs-attention"},
        "call": {"path": "/api/deployments/{id}/resume", "body": {"by": "rights@contoso.com", "reason": "Role given"}},
    }
)


def stopped_and_resumed(name: str, match: JsonObject, refusal: JsonObject) -> tuple[Problem | None, RunReport]:
    """The problem of a story in which Azure refuses one request, and what comes of it when a person resumes it."""
    sample = load(SAMPLES / f"{name}.json")
    fault: JsonObject = {"match": match, "action": refusal}
    stopped = run(sample.model_copy(update={"faults": (fault,), "then": ()}))
    assert stopped.outcome is Status.NEEDS_ATTENTION
    resumed = run(sample.model_copy(update={"faults": (fault,), "then": (RESUME, *sample.then)}))
    return stopped.record.state.problem, resumed


def test_a_caller_without_the_right_to_register_is_told_so_and_resumes() -> None:
    text = (
        "The client does not have authorization to perform action 'Microsoft.Storage/register/action' over scope "
        "'/subscriptions/5ab5c1b3-0000-4000-8000-000000000001'."
    )
    match: JsonObject = {"method": "POST", "path": "Microsoft.Storage/register"}
    refusal: JsonObject = {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": text}}}
    problem, resumed = stopped_and_resumed(PROVIDERS, match, refusal)
    assert problem is not None
    assert (problem.code, problem.step) == ("rights-missing", "register-providers")
    assert "Microsoft.Storage/register/action" in problem.detail
    assert resumed.outcome is Status.SUCCEEDED


def test_a_consent_taken_back_meanwhile_stops_the_deployment_with_its_cause() -> None:
    # In process the token endpoint is left out: its refusal comes in place of the answer to the call.
    refusal: JsonObject = {
        "status": 401,
        "body": {"error": "unauthorized_client", "error_description": "AADSTS700016: Application was not found."},
    }
    problem, resumed = stopped_and_resumed(BY_APP, {"method": "PUT"}, refusal)
    assert problem is not None
    assert problem.code == "sign-in-refused"
    assert "AADSTS700016" in problem.detail
    assert resumed.outcome is Status.SUCCEEDED

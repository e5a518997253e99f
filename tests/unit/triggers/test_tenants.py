"""Tenants do not see each other's deployments: whatever a customer's caller sends, and whatever stands already."""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import azure.functions as func
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.principals import Principal
from cmg_core.domain.record import Event, Record, Status
from cmg_core.domain.requests import held_gateway
from cmg_core.domain.roles import CallerRules, Claims, Role
from cmg_core.domain.tenants import Tenant
from cmg_core.domain.validation import read_request
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.services import Limits, Save
from cmg_core.triggers.http import ROUTES
from tests.fakes import FakeAzure, FakeTokens
from tests.records import a_record
from tests.unit.triggers.callers import Answer, MemoryServices, call
from tests.unit.triggers.test_http import BODY, NOWHERE, problem_of

HOME = "aaaaaaaa-0000-4000-8000-00000000000a"
NORTH, SOUTH = "bbbbbbbb-0000-4000-8000-00000000000b", "cccccccc-0000-4000-8000-00000000000c"
TENANTS = (HOME, NORTH, SOUTH)
SUBSCRIPTIONS = {tenant: f"{tenant[0] * 8}-5555-4000-8000-00000000000{tenant[0]}" for tenant in TENANTS}
ALL_ROLES = tuple(role.app_role for role in Role)
BY: JsonObject = {"by": "somebody", "reason": "why not"}
LONGER: JsonObject = BY | {"until": "2026-12-24T08:00:00Z"}


@dataclass
class Provider(MemoryServices):
    """A provider's app at home, with two customers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rules = CallerRules(frozenset(Role), home=HOME, tenants=frozenset(TENANTS))
        self.limits = Limits(timedelta(hours=24), timedelta(minutes=5), {"name": "gateway"}, callers=rules)
        self.tokens = FakeTokens({tenant: Claims(tenant, f"somebody of {tenant}", ALL_ROLES) for tenant in TENANTS})

    def azure(self, tenant: Tenant, subscription_id: str) -> FakeAzure:
        """Each subscription says its own tenant, and opens to whoever asks (as delegated ones do)."""
        owner = next((one for one, known in SUBSCRIPTIONS.items() if known == subscription_id), NORTH)
        self.resource_manager.subscription_body = {"state": "Enabled", "tenantId": owner}
        return self.resource_manager


def body_for(tenant: str, name: str = "granitefalls", subscription: str = "", **changes: object) -> JsonObject:
    """A request for a gateway in that tenant's subscription."""
    subscription = subscription or SUBSCRIPTIONS[tenant]
    id = f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.ClassicCompute/domainNames/{name}"
    old: JsonObject = {"resource_id": id, "service_name": f"{name}.contoso.com"}
    whole = {**BODY, "tenant_id": tenant, "subscription_id": subscription, "old_gateway": old}
    whole.pop("dns", None)
    return {**whole, "external_reference": f"ticket of {tenant}", **changes}  # type: ignore[dict-item]


def put(services: MemoryServices, tenant: str, number: int, status: Status = Status.WAITING) -> str:
    """A deployment in a tenant, standing at some point of its way."""
    id = f"{tenant[0] * 8}-{number:04}-4000-8000-000000000000"
    request = read_request(body_for(tenant, f"gateway{number}"), "migration")
    empty = a_record(id)
    state = replace(empty.state, request=request)
    record = replace(
        empty, state=state, gateway=held_gateway(request), asked_by=Principal(f"principal:{tenant}:boss", "Boss")
    )
    now = services.clock.now()

    async def write() -> None:
        etag = await services.ledger.create(record, [Event(now, "preflight", f"a secret of {tenant}", 1)])
        await services.ledger.reserve(record.gateway, id)
        if status is not Status.RUNNING:
            save = Save(2, "cut-over", status, state, None, "a test", now)
            await services.ledger.save(id, etag, save, [])

    asyncio.run(write())
    return id


def as_one_of(tenant: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant}"}


def shows_another(answer: Answer, mine: str, sent: str = "-") -> bool:
    """Whether an answer holds anything that tells of another tenant, and that the caller did not send itself."""
    text = (answer.text + json.dumps(dict(answer.headers))).replace(sent, "")
    return any(
        mark in text
        for other in TENANTS
        if other != mine
        for mark in (other, SUBSCRIPTIONS[other], f"{other[0] * 8}-0")
    )


SOMEWHERE = "5e5e5e5e-0000-4000-8000-000000000000"
BODIES: dict[str, JsonObject] = {
    "extend-grace": LONGER,
    "subscribe": {"callback_url": "https://hooks.contoso.com/a"},
    "unsubscribe-address": {"callback_url": "https://hooks.contoso.com/a"},
    "redeliver": {},
}
"""Of calls that take another body than a person's."""


ROUTES_WITH_CALLERS = [route.name for route in ROUTES if route.level is not func.AuthLevel.ANONYMOUS]
GATES = ("approval", "ready-to-cut-over", "clients-moved", "x")
standing = st.tuples(st.sampled_from(TENANTS), st.sampled_from(Status))
asked = st.tuples(
    st.sampled_from([NORTH, SOUTH]),
    st.sampled_from(ROUTES_WITH_CALLERS),
    st.integers(0, 4),
    st.sampled_from(GATES),
    st.sampled_from(TENANTS),
    st.sampled_from(TENANTS),
)


@given(st.lists(standing, min_size=2, max_size=5), st.lists(asked, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_no_answer_ever_tells_of_another_tenant_and_no_call_touches_it(
    stands: list[tuple[str, Status]], calls: list[tuple[str, str, int, str, str, str]]
) -> None:
    services = Provider()
    ids = [put(services, tenant, number, status) for number, (tenant, status) in enumerate(stands)]
    for mine, route, number, gate, tenant, subscription in calls:
        target = ids[number % len(ids)]
        owner = stands[number % len(ids)][0]
        others = {id: _seen(services, id) for id, (whose, _) in zip(ids, stands, strict=True) if whose != mine}
        starts = route.startswith(("start", "make"))
        body = body_for(tenant, f"gateway{number}", SUBSCRIPTIONS[subscription]) if starts else BODIES.get(route, BY)
        answer = call(
            services,
            route,
            None if route.startswith(("list", "show")) else body,
            path={"id": target, "gate": gate, "subscription": SOMEWHERE},
            headers=as_one_of(mine),
        )
        assert not shows_another(answer, mine, target), (route, answer.text)
        if "{id}" in _path(route) and owner != mine:
            assert answer.status == 404, answer.text
        if route == "show-deployment" and owner == mine:
            assert answer.status == 200, answer.text
        if starts and mine not in (tenant, subscription):
            assert answer.status in (403, 422), answer.text
        assert others == {id: _seen(services, id) for id in others}


def _path(route: str) -> str:
    return next(known.path for known in ROUTES if known.name == route)


def _seen(services: MemoryServices, id: str) -> tuple[Record | None, tuple[Event, ...]]:
    stored = services.ledger.peek(id)
    return stored.record if stored else None, services.ledger.history(id)


@pytest.mark.parametrize("route", [name for name in ROUTES_WITH_CALLERS if "{id}" in _path(name)])
def test_anothers_deployment_is_answered_as_one_that_does_not_exist(route: str) -> None:
    services = Provider()
    id = put(services, NORTH, 1)

    def answer(deployment_id: str) -> tuple[int, str, dict[str, str]]:
        path = {"id": deployment_id, "gate": "approval", "subscription": SOMEWHERE}
        given = call(services, route, BODIES.get(route, BY), path=path, headers=as_one_of(SOUTH))
        told = {**given.body, "correlation_id": "", "detail": str(given.body["detail"]).replace(deployment_id, "ID")}
        told["instance"] = str(told["instance"]).replace(deployment_id, "ID")
        headers = {name: value for name, value in given.headers.items() if name != "x-correlation-id"}
        return given.status, json.dumps(told), headers

    assert answer(id) == answer(NOWHERE)
    assert answer(id)[0] == 404
    assert call(services, "show-deployment", path={"id": id}, headers=as_one_of(HOME)).status == 200
    assert call(services, "show-deployment", path={"id": id}, headers=as_one_of(NORTH)).status == 200
    assert call(services, "show-deployment", path={"id": id}).status == 200, "keys are of home"


def test_lists_show_home_everything_and_customers_their_own() -> None:
    services = Provider()
    ids = {tenant: put(services, tenant, 1) for tenant in TENANTS}
    ended = put(services, NORTH, 2, Status.SUCCEEDED)

    def listed(tenant: str) -> set[str]:
        found, query = set[str](), dict[str, str]()
        while True:
            page = call(services, "list-deployments", query=query, headers=as_one_of(tenant)).body
            found |= {text_at(row, "id") for row in page["deployments"]}  # type: ignore[union-attr]
            if not page["continuation"]:
                return found
            query = {"continuation": str(page["continuation"])}

    assert listed(HOME) == {*ids.values(), ended}
    assert listed(NORTH) == {ids[NORTH], ended}
    assert listed(SOUTH) == {ids[SOUTH]}


@pytest.mark.parametrize("route", ["start-migration", "make-plan"])
@pytest.mark.parametrize(
    "body",
    [
        body_for(NORTH),
        body_for(SOUTH, subscription=SUBSCRIPTIONS[NORTH]),
        body_for(SOUTH, subscription=SUBSCRIPTIONS[NORTH], access="delegated"),
        body_for(SOUTH, old_gateway=body_for(NORTH)["old_gateway"]),
        body_for(
            SOUTH,
            dns={"zone_id": f"/subscriptions/{SUBSCRIPTIONS[NORTH]}/resourceGroups/r/providers/Microsoft.Network"
                 "/dnsZones/contoso.com"},
        ),
    ],
    ids=["its tenant", "its subscription", "its delegated subscription", "its gateway", "its zone"],
)  # fmt: skip
def test_nobody_asks_for_what_is_anothers(route: str, body: JsonObject) -> None:
    services = Provider()
    kind = {"kind": "migration"} if route == "make-plan" else {}
    answer = call(services, route, body | kind, headers=as_one_of(SOUTH))
    problem_of(answer, 403, "another-tenant")
    assert NORTH not in answer.text
    assert not asyncio.run(services.ledger.active())
    assert not services.queues.receive(16, timedelta(minutes=10))


def test_a_subscription_that_the_app_does_not_find_is_not_said_to_be_there() -> None:
    services = Provider()
    services.resource_manager.faults["subscription"] = AzureRefused(status=404, code="x", message="y", target="z")
    problem_of(call(services, "start-migration", body_for(SOUTH), headers=as_one_of(SOUTH)), 403, "another-tenant")


def test_a_customer_asks_for_its_own_and_home_for_everybodys() -> None:
    services = Provider()
    answer = call(services, "start-migration", body_for(SOUTH), headers=as_one_of(SOUTH))
    assert answer.status == 202, answer.text
    shown = call(services, "show-deployment", path={"id": str(answer.body["id"])}, headers=as_one_of(SOUTH)).body
    assert shown["asked_by"] == {"id": f"principal:{SOUTH}:somebody of {SOUTH}", "name": ""}
    assert call(services, "start-migration", body_for(NORTH), headers=as_one_of(HOME)).status == 202


@pytest.mark.parametrize("how", ["active", "ended"])
def test_a_gateway_that_another_tenants_deployment_holds_is_told_without_its_id(
    how: Literal["active", "ended"],
) -> None:
    """Somebody at home gave the wrong tenant for a gateway of the south."""
    services = Provider()
    request = read_request(body_for(NORTH, subscription=SUBSCRIPTIONS[SOUTH]), "migration")
    id = put(services, NORTH, 7, Status.WAITING if how == "active" else Status.CANCELLED)
    asyncio.run(services.ledger.reserve(held_gateway(request), id))

    answer = call(services, "start-migration", body_for(SOUTH), headers=as_one_of(SOUTH))
    if how == "ended":
        assert answer.status == 202, answer.text
        return
    problem_of(answer, 409, "another-deployment-is-active")
    assert not shows_another(answer, SOUTH)
    assert asyncio.run(services.ledger.holder(held_gateway(request)))[0] == id  # type: ignore[index]
    at_home = call(services, "start-migration", body_for(SOUTH), headers=as_one_of(HOME))
    assert id not in problem_of(at_home, 409, "another-deployment-is-active")["detail"]  # type: ignore[operator]


def test_rows_of_an_earlier_release_are_not_shown_to_customers() -> None:
    services = Provider()
    id = put(services, SOUTH, 1)
    summary = json.loads(str(services.ledger._active[id]["summary"]))
    summary.pop("tenant_id")
    services.ledger._active[id]["summary"] = json.dumps(summary)

    assert call(services, "list-deployments", headers=as_one_of(SOUTH)).body["deployments"] == []
    assert len(call(services, "list-deployments", headers=as_one_of(HOME)).body["deployments"]) == 1  # type: ignore[arg-type]
    assert call(services, "show-deployment", path={"id": id}, headers=as_one_of(SOUTH)).status == 200

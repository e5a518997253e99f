"""Who may call what: the whole table, against every set of roles, every route, and the page that people read."""

import re
from itertools import combinations
from pathlib import Path

import azure.functions as func
import pytest

from cmg_core.domain.gates import GateName
from cmg_core.domain.principals import NOBODY, Principal
from cmg_core.domain.roles import (
    APP_ROLES,
    TABLE,
    Caller,
    CallerRules,
    Claims,
    Role,
    caller_of,
    in_words,
    is_same,
    needs,
)
from cmg_core.triggers.http import ROUTES

HOME, CUSTOMER = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
ME, OTHER = Principal("principal:me"), Principal("principal:other")
RULES = CallerRules(home=HOME, tenants=frozenset({HOME, CUSTOMER}))

WANTED: dict[str, str] = {
    "make-plan": "reader requester approver operator",
    "show-operation": "reader requester approver operator",
    "list-deployments": "reader requester approver operator",
    "show-deployment": "reader requester approver operator",
    "show-events": "reader requester approver operator",
    "start-migration": "requester operator",
    "start-deployment": "requester operator",
    "start-retirement": "requester operator",
    "extend-grace": "requester operator",
    "check-deployment": "requester operator",
    "list-subscriptions": "reader requester approver operator",
    "subscribe": "requester operator",
    "unsubscribe": "requester operator",
    "unsubscribe-address": "requester operator",
    "redeliver": "requester operator",
    "cancel-deployment": "operator",
    "open-gate": "operator",
    "open-gate approval": "approver",
    "roll-back-deployment": "operator",
    "resume-deployment": "operator",
    "release-parked-name": "operator",
}
"""Written down a second time, so that a slip of the table's author is seen."""


SETS_OF_ROLES = [frozenset(some) for count in range(5) for some in combinations(Role, count)]


def me_with(roles: frozenset[Role]) -> Caller:
    return Caller(ME, roles, "")


def test_every_route_that_has_a_caller_has_its_row_and_every_row_a_route() -> None:
    guarded = {route.name for route in ROUTES if route.level is not func.AuthLevel.ANONYMOUS}
    assert {row.partition(" ")[0] for row in TABLE} == guarded
    assert {row.partition(" ")[2] for row in TABLE} <= {"", *GateName}


@pytest.mark.parametrize("roles", SETS_OF_ROLES, ids=in_words)
def test_a_caller_may_what_one_of_its_roles_may_and_nothing_else(roles: frozenset[Role]) -> None:
    for row, wanted in WANTED.items():
        route, _, gate = row.partition(" ")
        may = me_with(roles).may(needs(route, gate), OTHER)
        assert may is bool(roles & set(wanted.split())), (row, roles)


@pytest.mark.parametrize("gate", GateName)
@pytest.mark.parametrize("roles", SETS_OF_ROLES, ids=in_words)
def test_approval_is_the_approvers_and_every_other_gate_the_operators(gate: GateName, roles: frozenset[Role]) -> None:
    opener = Role.APPROVER if gate is GateName.APPROVAL else Role.OPERATOR
    assert me_with(roles).may(needs("open-gate", gate), OTHER) is (opener in roles)


@pytest.mark.parametrize("roles", SETS_OF_ROLES, ids=in_words)
def test_a_requester_cancels_its_own_and_comes_to_that_question_only_with_a_role(roles: frozenset[Role]) -> None:
    wanted = needs("cancel-deployment")
    assert me_with(roles).may(wanted, ME) is bool(roles & {Role.REQUESTER, Role.OPERATOR})
    assert me_with(roles).may(wanted) is me_with(roles).may(wanted, ME)
    assert me_with(roles).may(wanted, NOBODY) is (Role.OPERATOR in roles)


def test_gates_are_compared_letter_by_letter() -> None:
    assert needs("open-gate", "Approval") == needs("open-gate")


def test_a_call_that_nobody_put_into_the_table_needs_an_operator() -> None:
    assert needs("drop-everything").roles == {Role.OPERATOR}


def test_nobody_is_not_the_same_as_nobody() -> None:
    assert not is_same(NOBODY, NOBODY)
    assert is_same(ME, Principal(ME.id, "another name"))


def test_app_roles_are_taken_by_their_exact_values() -> None:
    assert {*APP_ROLES} == {"Cmg.Reader", "Cmg.Requester", "Cmg.Approver", "Cmg.Operator"}
    odd = ("Cmg.Approver", "cmg.operator", "operator", "Cmg.Operator ", "Contoso.Cmg.Operator")
    assert caller_of(Claims(HOME, "o", odd), RULES).roles == {Role.APPROVER}
    assert not caller_of(Claims(HOME, "o"), RULES).roles


def test_a_customers_principal_is_never_that_of_home_or_of_another_customer() -> None:
    ids = {caller_of(Claims(tenant, "same-object"), RULES).principal.id for tenant in (HOME, CUSTOMER, "third")}
    assert len(ids) == 3


def test_a_principal_of_home_is_told_by_its_object_id_and_a_customers_by_its_tenant_too() -> None:
    at_home = caller_of(Claims(HOME, "ann", ("Cmg.Reader",), "Ann"), RULES)
    assert at_home == Caller(Principal("principal:ann", "Ann"), frozenset({Role.READER}), "")
    customers = caller_of(Claims(CUSTOMER, "ann", name="Ann of Fabrikam"), RULES)
    assert customers == Caller(Principal(f"principal:{CUSTOMER}:ann", "Ann of Fabrikam"), frozenset(), CUSTOMER)


@pytest.mark.parametrize(
    ("roles", "words"),
    [((), "none"), ((Role.READER,), "reader"), ((Role.OPERATOR, Role.REQUESTER), "requester or operator")],
)
def test_roles_are_told_in_the_order_of_the_table(roles: tuple[Role, ...], words: str) -> None:
    assert in_words(iter(roles)) == words


def test_only_home_sees_all() -> None:
    assert caller_of(Claims(HOME, "o"), RULES).sees(CUSTOMER)
    customer = caller_of(Claims(CUSTOMER, "o"), RULES)
    assert (customer.sees(CUSTOMER), customer.sees(HOME), customer.sees(None), customer.sees("")) == (
        True, False, False, False,
    )  # fmt: skip
    assert not caller_of(Claims("", "o"), CallerRules(home=HOME)).roles


def test_the_page_shows_the_table() -> None:
    page = (Path(__file__).parents[3] / "docs/roles.md").read_text(encoding="utf-8").partition("## Who calls")[0]
    rows = re.findall(r"^\| `([a-z -]+)` \| (.+) \|$", page, re.MULTILINE)

    def cell(row: str, role: Role) -> str:
        route, _, gate = row.partition(" ")
        wanted = needs(route, gate)
        return "yes" if role in wanted.roles else "own" if role in wanted.own else "\N{EN DASH}"

    assert {name: shown.split(" | ") for name, shown in rows} == {
        row: [cell(row, role) for role in Role] for row in TABLE
    }

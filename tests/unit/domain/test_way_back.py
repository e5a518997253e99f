"""How to go back and until when, from the steps and gates of a plan."""

import asyncio
from datetime import timedelta

import pytest

from cmg_core import calls
from cmg_core.domain.cases import Case
from cmg_core.domain.gates import GateName
from cmg_core.domain.plans import Plan
from cmg_core.domain.way_back import way_back
from tests.fakes import deployment, migration
from tests.worlds import base, classic

MIGRATION: Plan = asyncio.run(calls.make_plan(classic(), migration()))  # type: ignore[arg-type]  # fakes
DEPLOYMENT: Plan = asyncio.run(calls.make_plan(base(), deployment()))  # type: ignore[arg-type]  # fakes


def test_a_migration_can_go_back_until_something_of_the_old_gateway_goes() -> None:
    back = way_back(MIGRATION)
    assert "site-record-removed" in back.possible_until
    assert "2 d" in back.possible_until
    assert "connection point" in back.why_not


def test_without_that_gate_the_next_one_of_no_return_counts() -> None:
    gates = tuple(gate for gate in MIGRATION.gates if gate.name is not GateName.SITE_RECORD_REMOVED)
    assert "connection-point-removed" in way_back(MIGRATION.model_copy(update={"gates": gates})).possible_until
    assert way_back(MIGRATION.model_copy(update={"gates": ()})).possible_until.startswith("the removal of the old")


def test_the_way_back_follows_docs_procedures() -> None:
    how = way_back(MIGRATION).how
    order = ["inside DNS", "relays", "record leads to the old gateway", "under its service name", "is removed"]
    assert [word in part for word, part in zip(order, how, strict=True)] == [True] * len(order)


def test_what_others_lead_is_in_it_only_where_the_plan_has_the_gate() -> None:
    gates = tuple(gate for gate in MIGRATION.gates if gate.name not in (GateName.INSIDE_DNS, GateName.CNAME))
    assert len(way_back(MIGRATION.model_copy(update={"gates": gates})).how) == 3


def test_a_new_deployment_can_go_back_until_it_has_succeeded() -> None:
    back = way_back(DEPLOYMENT)
    assert back.possible_until == "the deployment has succeeded"
    assert "record goes" in back.how[0] and "is removed" in back.how[1] and len(back.how) == 2
    without = tuple(gate for gate in DEPLOYMENT.gates if gate.name is not GateName.CNAME)
    assert [*way_back(DEPLOYMENT.model_copy(update={"gates": without})).how] == [back.how[1]]
    steps = tuple(step for step in DEPLOYMENT.steps if not step.startswith("provision"))
    assert "did not make it" in way_back(DEPLOYMENT.model_copy(update={"steps": steps})).how[-1]


def test_a_plan_without_a_grace_period_names_none() -> None:
    without = way_back(MIGRATION.model_copy(update={"grace_period": None})).possible_until
    assert "site-record-removed" in without and "grace period" not in without


def test_a_gateway_that_was_not_made_here_stays() -> None:
    steps = tuple(step for step in MIGRATION.steps if not step.startswith("provision"))
    assert "did not make it" in way_back(MIGRATION.model_copy(update={"steps": steps})).how[-1]


@pytest.mark.parametrize("changes", [{"case": Case.RETIREMENT}, {"steps": ()}])
def test_a_plan_that_only_removes_or_does_nothing_has_no_way_back_and_says_why(changes: dict[str, object]) -> None:
    back = way_back(MIGRATION.model_copy(update=changes))
    assert back.possible_until == ""
    assert back.why_not
    assert back.how == ()


def test_a_retirement_leads_nobody_over_so_there_is_nothing_to_go_back_from() -> None:
    back = way_back(MIGRATION.model_copy(update={"case": Case.RETIREMENT}))
    assert back.possible_until == "" and "cancelled" in back.why_not


def test_to_a_gateway_that_was_gone_there_is_no_way_back_once_clients_are_led_over() -> None:
    assert MIGRATION.old_gateway is not None
    gone = MIGRATION.old_gateway.model_copy(update={"gone": True})
    back = way_back(MIGRATION.model_copy(update={"old_gateway": gone}))
    assert back.possible_until == "the cut-over begins" and "gone" in back.why_not
    assert len(back.how) == 1 and "is removed" in back.how[0]
    steps = tuple(step for step in MIGRATION.steps if not step.startswith("provision"))
    [kept] = way_back(MIGRATION.model_copy(update={"old_gateway": gone, "steps": steps})).how
    assert "did not make it" in kept


def test_under_two_names_nothing_is_led_back_and_the_old_one_must_relay_first() -> None:
    assert MIGRATION.old_gateway is not None
    other = MIGRATION.old_gateway.model_copy(update={"service_name": "old.contoso.com"})
    how = way_back(MIGRATION.model_copy(update={"old_gateway": other, "case": Case.NEW_NAME})).how
    assert "own service name" in how[0] and "record goes" in how[1] and len(how) == 3


def test_the_way_back_from_a_gap_has_the_same_gap() -> None:
    how = way_back(MIGRATION.model_copy(update={"foretold_gap": timedelta(minutes=6)})).how
    assert "6 min" in how[0]

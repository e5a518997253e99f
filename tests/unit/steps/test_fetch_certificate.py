"""fetch-certificate: the planned certificate is pinned, another one is refused."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.errors import AzureRefused, TryAgain
from cmg_core.domain.outcomes import Done, Failed, Outcome
from cmg_core.domain.record import Claim, State
from cmg_core.steps.fetch_certificate import fetch_certificate
from cmg_core.steps.preflight import preflight
from tests.fakes import VAULT, FakeServices, context_of, in_vault, leaf, migration
from tests.worlds import SERVICE_NAME, classic

PLACE = f"{VAULT}/granitefalls"


async def no_claim() -> Claim:
    raise AssertionError("a pure read takes no claim")


def fetched(services: FakeServices, state: State) -> Outcome:
    return asyncio.run(fetch_certificate(context_of(services, state, no_claim)))


@pytest.fixture
def services() -> FakeServices:
    return classic()


@pytest.fixture
def state(services: FakeServices) -> State:
    return asyncio.run(preflight(context_of(services, State(migration())))).state


def test_the_planned_certificate_is_pinned_by_version(services: FakeServices, state: State) -> None:
    outcome = fetched(services, state)
    assert isinstance(outcome, Done)
    assert outcome.state.certificate == state.plan.certificate  # type: ignore[union-attr]  # preflight made the plan
    assert fetched(services, outcome.state) == outcome


def test_a_new_version_of_the_same_leaf_is_pinned_as_it_is_now(services: FakeServices, state: State) -> None:
    services.vaults.certificates[PLACE] = replace(
        services.vaults.certificates[PLACE], version="v2", secret_id=f"{VAULT}/secrets/granitefalls/v2"
    )
    outcome = fetched(services, state)
    assert outcome.state.certificate is not None
    assert outcome.state.certificate.secret_id.endswith("/v2")


def test_another_certificate_is_refused_with_both_ways_out(services: FakeServices, state: State) -> None:
    services.vaults.certificates[PLACE] = in_vault(leaf(SERVICE_NAME), version="v2")
    outcome = fetched(services, state)
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "certificate-changed"
    assert "new plan" in outcome.problem.cure
    assert outcome.state.certificate is None


@pytest.mark.parametrize("gone", [True, False])
def test_one_that_went_or_was_disabled_is_refused(services: FakeServices, state: State, gone: bool) -> None:
    if gone:
        services.vaults.certificates.clear()
    else:
        services.vaults.certificates[PLACE] = replace(services.vaults.certificates[PLACE], enabled=False)
    outcome = fetched(services, state)
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "certificate-unfit"


def test_one_that_ran_out_while_approval_was_waited_for_is_refused(services: FakeServices, state: State) -> None:
    services.clock.pass_by(timedelta(days=400))
    outcome = fetched(services, state)
    assert isinstance(outcome, Failed)
    assert outcome.problem.findings[0].code == "certificate-expired"


def test_what_cannot_be_read_is_refused(services: FakeServices, state: State) -> None:
    services.vaults.certificates[PLACE] = in_vault(b"none")
    assert isinstance(fetched(services, state), Failed)


@pytest.mark.parametrize(
    "fault", [TryAgain("busy"), AzureRefused(status=403, code="Forbidden", message="no", target="vault")]
)
def test_faults_are_the_engines(services: FakeServices, state: State, fault: Exception) -> None:
    services.vaults.fault = fault
    with pytest.raises(type(fault)):
        fetched(services, state)

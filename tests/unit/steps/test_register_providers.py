"""Providers are registered where they are not, all at once, and waited for."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.outcomes import Done, Failed, Wait
from cmg_core.steps.register_providers import PROVIDERS, register_providers
from tests.unit.steps.building import a_state, carry, run, services_of

states = st.sampled_from(["Registered", "NotRegistered", "Unregistered", "Registering", "Unregistering", None])


@given(st.fixed_dictionaries(dict.fromkeys(PROVIDERS, states)))
def test_exactly_what_is_missing_is_registered(given_states: dict[str, str | None]) -> None:
    services, azure = services_of()
    azure.provider_states = {name: state for name, state in given_states.items() if state}
    outcome = run(register_providers, services, a_state())
    missing = {name for name, state in given_states.items() if state in ("NotRegistered", "Unregistered", None)}
    assert {write.removeprefix("REGISTER ") for write in azure.writes} == missing
    assert isinstance(outcome, Done if set(given_states.values()) == {"Registered"} else Wait)


def test_done_when_all_say_registered() -> None:
    services, azure = services_of()
    azure.provider_states = {"microsoft.compute": "registered", "Microsoft.Network": "NotRegistered"}
    assert isinstance(carry(register_providers, services, a_state()), Done)
    assert len(azure.writes) == 3


def test_no_claim_is_taken_where_nothing_is_missing() -> None:
    services, azure = services_of()
    azure.provider_states = dict.fromkeys(PROVIDERS, "Registering")
    run(register_providers, services, a_state())
    assert azure.writes == []


def test_one_that_hangs_fails_with_its_name_after_an_hour() -> None:
    services, azure = services_of()
    azure.provider_states = dict.fromkeys(PROVIDERS, "Registered") | {"Microsoft.Compute": "Registering"}
    began = services.clock.now()
    outcome = carry(register_providers, services, a_state())
    assert isinstance(outcome, Failed)
    assert "Microsoft.Compute" in outcome.problem.detail
    assert timedelta(hours=1) < services.clock.now() - began < timedelta(minutes=62)


def test_a_missing_right_goes_up_as_azure_said_it() -> None:
    services, azure = services_of()
    azure.faults["register_provider"] = AzureRefused(
        status=403, code="AuthorizationFailed", message="may not", target="/subscriptions/s"
    )
    with pytest.raises(AzureRefused):
        run(register_providers, services, a_state())

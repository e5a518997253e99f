"""Taking over what a person names at a gate: never by a look into somebody else's subscription."""

import asyncio
from dataclasses import replace

from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.outcomes import Wait
from cmg_core.domain.record import NewGateway
from cmg_core.steps.taking_over import take_standing
from tests.fakes import NOW, FakeServices, context_of, migration, resource_id
from tests.stories import before_cut_over

ELSEWHERE = "99999999-9999-9999-9999-999999999999"


def test_a_scale_set_of_another_subscription_is_not_looked_at_and_the_gate_closes_again() -> None:
    services = FakeServices()
    state = before_cut_over(services, migration(provisioned_by="site"))
    assert state.plan is not None
    id = resource_id("Microsoft.Compute/virtualMachineScaleSets", "theirs")
    theirs = id.replace(state.request.subscription_id, ELSEWHERE)
    gate = Gate(GateName.GATEWAY_CREATED, Opener.PERSON, "Name it.", asked_at=NOW, opened_at=NOW, opened_by="mallory")
    named = replace(
        state, gates=(gate,), new=NewGateway(named=theirs), plan=state.plan.model_copy(update={"make": None})
    )
    looks = services.resource_manager.calls["get"]
    outcome = asyncio.run(take_standing(context_of(services, named)))
    assert isinstance(outcome, Wait) and outcome.gate is GateName.GATEWAY_CREATED
    assert "There is no such scale set" in outcome.told[0] and services.resource_manager.calls["get"] == looks
    closed = outcome.state.gate(GateName.GATEWAY_CREATED)
    assert closed is not None and not closed.is_open and outcome.state.new.named == ""

"""Make the gateway's scale set, once; adopt it wherever it stands already; let it heal before giving up; where somebody
cured what had stopped it, have Azure go on with the same one."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from cmg_core.domain.azure_causes import has_known_cause, problem_of
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.health import causes
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State
from cmg_core.domain.values import JsonObject, ResourceId, text_at
from cmg_core.steps.context import StepContext
from cmg_core.steps.taking_over import take_standing
from cmg_core.steps.writing import (
    after_wave,
    blueprint,
    elapsed,
    ensure_ours,
    look_at_operations,
    pause,
    refusal_of,
    start,
)

STEP = "provision-scale-set"
HEALS_WITHIN = timedelta(minutes=30)
"""From its last write on: a scale set that says Failed may still become whole, and is never made anew."""
LONGEST = timedelta(hours=1)
"""The slowest recorded creation took six minutes."""


async def provision_scale_set(context: StepContext) -> Outcome:
    """Done when Azure says that the scale set is made. A PUT goes out only where none of that name stands, or ours was
    left failed before somebody resumed the step; and never for a gateway that the site makes: that one is looked at."""
    if context.state.request.provisioned_by != "automation":
        return await take_standing(context)
    gateway = blueprint(context)
    id = gateway.make.scale_set
    looked = await look_at_operations(context)
    state = looked.state
    if id in looked.succeeded:
        return _done(state, id)
    if id in looked.failed and has_known_cause(looked.failed[id].code, looked.failed[id].message):
        return Failed(state, problem_of(refusal_of(id, looked.failed[id]), STEP))
    if id in state.operations:
        return await _wait(context, state, id, looked.look_after)
    found = await context.azure.get(id)
    if found is None:
        return await _write(context, state, gateway, _password())
    ensure_ours(found, context.deployment_id)
    match text_at(found, "properties", "provisioningState").lower():
        case "succeeded":
            return _done(state, id)
        case "failed" | "canceled" if _is_resumed(context, found):
            new = replace(state.new, scale_set_written_again_at=context.services.clock.now())
            return await _write(context, replace(state, new=new), gateway)
        case "failed" | "canceled" if _untouched_for(context, found) > HEALS_WITHIN:
            return await _failed(context, state, id)
        case _:
            return await _wait(context, state, id)


async def _wait(context: StepContext, state: State, id: str, look_after: timedelta = timedelta()) -> Wait | Failed:
    if elapsed(context, STEP) > LONGEST:
        return await _failed(context, state, id)
    return Wait(state, pause(context, STEP, look_after), f"Azure makes {_name(id)}")


async def _write(context: StepContext, state: State, gateway: Blueprint, password: str = "") -> Outcome:
    certificate, id = context.state.certificate, gateway.make.scale_set
    assert certificate is not None
    body = gateway.scale_set(certificate, context.services.limits.gateway_software, password)
    wave = await start(context, state, {id: lambda claim: context.azure.put(claim, id, body)})
    return after_wave(context, STEP, wave, f"Azure makes {_name(id)}")


def _password() -> str:
    """A password that nobody will ever know, with the four kinds of characters that Windows asks for."""
    return "Aa1-" + secrets.token_urlsafe(48)


def _done(state: State, id: str) -> Done:
    created = state.new.created if id in state.new.created else (*state.new.created, id)
    return Done(replace(state, new=replace(state.new, created=created)), (f"{_name(id)} is made.",))


def _untouched_for(context: StepContext, found: JsonObject) -> timedelta:
    """How long ago the scale set was made or last written; as long as the step runs where Azure does not say."""
    created = text_at(found, "properties", "timeCreated")
    again = context.state.new.scale_set_written_again_at
    written = [datetime.fromisoformat(created)] if created else []
    written += [again] if again else []
    return context.services.clock.now() - max(written) if written else elapsed(context, STEP)


def _is_resumed(context: StepContext, found: JsonObject) -> bool:
    """Whether the scale set was left as it is before the step began (anew): what stopped it may be cured since, and
    Azure does not try again by itself. Once in each beginning, whatever comes of it."""
    return _untouched_for(context, found) > elapsed(context, STEP)


async def _failed(context: StepContext, state: State, id: str) -> Failed:
    said = causes(await context.azure.instances(id)) or ("Azure names no cause in the instances' views",)
    return Failed(
        state,
        Problem(
            code="scale-set-failed",
            title="The scale set did not become whole",
            detail=f"{_name(id)} is not made, and Azure had its time to heal it. " + "; ".join(said) + ".",
            cure="Cure what the instances name (an extension that fails is most often the instance software of "
            "CMG_GATEWAY_SOFTWARE), then resume: Azure is asked to go on with the same scale set. Reimage in the "
            "portal the instances that stay failed.",
            step=STEP,
            resource=id,
        ),
    )


def _name(id: str) -> str:
    return f"scale set «{ResourceId.parse(id).name}»"

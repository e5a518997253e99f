"""Calls that open a gate of a deployment, or ask something of it."""

import azure.functions as func

from cmg_core import calls, views
from cmg_core.domain.gates import GateName
from cmg_core.domain.record import Ask
from cmg_core.domain.roles import needs
from cmg_core.triggers.answering import Call, answer
from cmg_core.triggers.bodies import (
    AN_EXTENSION,
    ClientsMovedCall,
    ExtendCall,
    GateCall,
    GatewayCreatedCall,
    PersonsCall,
    read_call,
    read_json,
)
from cmg_core.triggers.caller import ensure_may


async def open_gate(call: Call) -> func.HttpResponse:
    """Open a gate for a person; some gates take a payload."""
    deployment_id, name = call.deployment_id, call.request.route_params.get("gate", "")
    asked: PersonsCall
    body, says = read_json(call.request.get_body()), calls.Says()
    match name:
        case GateName.GATEWAY_CREATED:
            made = read_call(body, GatewayCreatedCall)
            asked, says = made, calls.Says(made=made.payload.resource_id if made.payload else "")
        case GateName.CLIENTS_MOVED:
            counted = read_call(body, ClientsMovedCall)
            asked, says = counted, calls.Says(figures=counted.payload)
        case _:
            asked = read_call(body, GateCall)
    me = call.caller.principal
    opened = await calls.open_gate(call.services(), deployment_id, name, asked.by, asked.reason, says, me)
    return answer(views.status_view(opened))


async def cancel(call: Call) -> func.HttpResponse:
    """Stop before the first write. Whoever asked for the deployment may, besides operators."""
    known = await calls.find(call.services(), call.deployment_id)
    ensure_may(call.caller, needs("cancel-deployment"), known.record.asked_by)
    return await _ask_for(call, Ask.CANCEL)


async def roll_back(call: Call) -> func.HttpResponse:
    """Back to the old gateway."""
    return await _ask_for(call, Ask.ROLLBACK)


async def resume(call: Call) -> func.HttpResponse:
    """Go on after the cause of a failure is cured."""
    return await _ask_for(call, Ask.RESUME)


async def release_name(call: Call) -> func.HttpResponse:
    """Let go of a parked name."""
    return await _ask_for(call, Ask.RELEASE_NAME)


async def extend(call: Call) -> func.HttpResponse:
    """A longer grace period."""
    deployment_id, body = call.deployment_id, read_json(call.request.get_body(), AN_EXTENSION)
    asked = read_call(body, ExtendCall)
    me = call.caller.principal
    record = await calls.ask_for(call.services(), deployment_id, Ask.EXTEND, asked.by, asked.reason, asked.until, me)
    return answer(views.status_view(record))


async def check(call: Call) -> func.HttpResponse:
    """Look now. Nobody has to say why: a look changes nothing."""
    if call.request.get_body().strip():
        return await _ask_for(call, Ask.CHECK)
    me = call.caller.principal
    record = await calls.ask_for(
        call.services(), call.deployment_id, Ask.CHECK, "somebody", "No reason was given.", called_by=me
    )
    return answer(views.status_view(record))


async def _ask_for(call: Call, ask: Ask) -> func.HttpResponse:
    deployment_id, body = call.deployment_id, read_json(call.request.get_body())
    asked = read_call(body, PersonsCall)
    me = call.caller.principal
    record = await calls.ask_for(call.services(), deployment_id, ask, asked.by, asked.reason, called_by=me)
    return answer(views.status_view(record))

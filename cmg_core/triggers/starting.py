"""Calls that ask for a plan, or for a deployment to begin."""

import hashlib
import json
from dataclasses import replace

import azure.functions as func

from cmg_core import calls, views
from cmg_core.calls import Asked
from cmg_core.domain.problems import FINDING_CODES, Problem
from cmg_core.domain.validation import Kind, kind_of_request
from cmg_core.domain.values import Json
from cmg_core.notify.subscribe import listener
from cmg_core.plan_page import PlanPage, plan_page
from cmg_core.refusals import CallRefused
from cmg_core.tenancy import ensure_theirs
from cmg_core.triggers.answering import Call, accepted, answer
from cmg_core.triggers.bodies import A_REQUEST, read_json
from cmg_core.triggers.callbacks import read_with_callback
from cmg_core.triggers.negotiation import JSON, MARKDOWN, chosen_type

LONGEST_IDEMPOTENCY_KEY = 255


async def make_plan(call: Call) -> func.HttpResponse:
    """The plan of a request, as JSON or as a page."""
    kind = chosen_type(call.request.headers.get("Accept", ""), (JSON, MARKDOWN))
    body = read_json(call.request.get_body(), A_REQUEST)
    services = call.services()
    request, _ = read_with_callback(body, kind_of_request(body), services.callbacks)
    await ensure_theirs(call.caller, request, services)
    plan = await calls.make_plan(services, request)
    varies = {"Vary": "Accept"}
    if kind == JSON:
        return answer(views.plan_view(plan, request), headers=varies)
    page = plan_page(PlanPage(request, plan, services.clock.now(), f"{call.base}{FINDING_CODES}"))
    return func.HttpResponse(page, headers=varies, mimetype=MARKDOWN, charset="utf-8")


async def start_migration(call: Call) -> func.HttpResponse:
    """Begin a migration."""
    return await _start(call, "migration")


async def start_deployment(call: Call) -> func.HttpResponse:
    """Begin a new deployment."""
    return await _start(call, "deployment")


async def start_retirement(call: Call) -> func.HttpResponse:
    """Begin a retirement."""
    return await _start(call, "retirement")


async def _start(call: Call, kind: Kind) -> func.HttpResponse:
    body = read_json(call.request.get_body(), A_REQUEST)
    services = call.services()
    request, wish = read_with_callback(body, kind, services.callbacks)
    await ensure_theirs(call.caller, request, services)
    asked = Asked(call.caller.principal, _idempotency_key(call.request), _hash(body))
    listens = listener(services, replace(wish, by="the request")) if wish else None
    return accepted(call.request, services, await calls.accept(services, request, asked, listens))


def _idempotency_key(request: func.HttpRequest) -> str:
    key: str = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > LONGEST_IDEMPOTENCY_KEY or not key.isprintable():
        raise CallRefused(
            Problem(
                code="bad-idempotency-key",
                title="The Idempotency-Key cannot be used",
                detail=f"A key is a text of at most {LONGEST_IDEMPOTENCY_KEY} printable characters.",
                cure="Choose a key of your own for each new request, such as a GUID or the ticket's number.",
                status=400,
            )
        )
    return key


def _hash(body: Json) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()

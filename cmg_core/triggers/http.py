"""The HTTP surface: read, validate, call, answer. What a call means lies in ``calls`` and ``listing``."""

import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

import azure.functions as func

from cmg_core import __version__, calls, listing, views
from cmg_core.calls import Asked, CallRefused
from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.gates import GateName
from cmg_core.domain.problems import Finding, Problem
from cmg_core.domain.record import Ask, Record, Status
from cmg_core.domain.validation import InvalidRequest, Kind, kind_of_request, read_request, repeated
from cmg_core.domain.values import Json, JsonObject
from cmg_core.services import Services
from cmg_core.settings import SettingsError
from cmg_core.triggers.bodies import (
    ClientsMovedCall,
    ExtendCall,
    GateCall,
    GatewayCreatedCall,
    PersonsCall,
    read_call,
    read_json,
)
from cmg_core.triggers.problems import findings_of, in_seconds, problem_of, retry_after, unknown_problem

log = logging.getLogger("cmg.http")

LONGEST_IDEMPOTENCY_KEY = 255

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""W3C Trace Context, section 3.2."""
_KEY_PARAMETERS = ("code", "clientId")
"""How a function key comes in an address ("Work with access keys in Azure Functions")."""


@dataclass(frozen=True)
class Call:
    """One HTTP call, with the way to what answers it."""

    request: func.HttpRequest
    services: Callable[[], Services]
    """Raises SettingsError."""

    @property
    def deployment_id(self) -> str:
        """The ID in the path. Raises CallRefused (404) for one that is no GUID."""
        given: str = self.request.route_params.get("id", "").lower()
        if not _GUID.fullmatch(given):
            raise CallRefused(
                Problem(
                    code="no-such-deployment",
                    title="There is no such deployment",
                    detail="The ID in the address is no GUID, as the IDs of deployments are.",
                    cure="GET /api/deployments lists those that there are.",
                    status=404,
                )
            )
        return given


type Handler = Callable[[Call], Awaitable[func.HttpResponse]]


@dataclass(frozen=True)
class Route:
    """An HTTP-triggered function: its name, what it answers to, and who may call it."""

    name: str
    method: str
    path: str
    handler: Handler
    level: func.AuthLevel = func.AuthLevel.FUNCTION


def answering(
    handler: Handler, services: Callable[[], Services]
) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    """The function that the Functions host calls: always an answer, always with its correlation ID."""

    async def answer(req: func.HttpRequest) -> func.HttpResponse:
        correlation_id = _correlation_id(req)
        try:
            given = await handler(Call(req, services))
        except Exception as error:
            given = _refusal(error, req, correlation_id)
        given.headers["x-correlation-id"] = correlation_id
        return given

    return answer


def _correlation_id(request: func.HttpRequest) -> str:
    found = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return found[1] if found else secrets.token_hex(16)


def _refusal(error: Exception, request: func.HttpRequest, correlation_id: str) -> func.HttpResponse:
    problem = problem_of(error)
    told = {"correlation_id": correlation_id}
    if problem is None:
        log.error("a call met an unknown error, correlation %s", correlation_id, exc_info=error, extra=told)
        problem = unknown_problem()
    else:
        log.info("a call was refused: %s, correlation %s", problem.code, correlation_id, extra=told)
    body = problem.model_copy(update=told).as_problem_details(_address(request).path)
    pause = retry_after(error)
    headers = {} if pause is None else {"Retry-After": str(pause)}
    return _answer(body, problem.status, headers, "application/problem+json")


def _answer(
    body: Json, status: int = 200, headers: Mapping[str, str] | None = None, mimetype: str = "application/json"
) -> func.HttpResponse:
    text = json.dumps(body, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status, headers=headers, mimetype=mimetype)


# --- Plans and deployments -------------------------------------------------------------------------------------------


async def _make_plan(call: Call) -> func.HttpResponse:
    body = read_json(call.request.get_body())
    request = read_request(body, kind_of_request(body))
    return _answer(views.plan_view(await calls.make_plan(call.services(), request)))


async def _start_migration(call: Call) -> func.HttpResponse:
    return await _start(call, "migration")


async def _start_deployment(call: Call) -> func.HttpResponse:
    return await _start(call, "deployment")


async def _start_retirement(call: Call) -> func.HttpResponse:
    return await _start(call, "retirement")


async def _start(call: Call, kind: Kind) -> func.HttpResponse:
    body = read_json(call.request.get_body())
    request = read_request(body, kind)
    asked = Asked(_caller(call.request), _idempotency_key(call.request), _hash(body))
    services = call.services()
    return _accepted(call.request, services, await calls.accept(services, request, asked))


def _caller(request: func.HttpRequest) -> str:
    """Who calls, for telling one caller's Idempotency-Key from another's.

    The signed-in principal where App Service's authentication is on; only then nobody else can set that header. Else
    the function key stands for its holder. The host never tells the app a key's name, only the key itself reaches it,
    so a part of the key's hash takes the name's place: the key cannot be had from it, and it is stored nowhere.
    """
    if os.environ.get("WEBSITE_AUTH_ENABLED") == "True" and (
        principal := request.headers.get("X-MS-CLIENT-PRINCIPAL-ID")
    ):
        return f"principal:{principal}"
    key = request.headers.get("x-functions-key") or request.params.get("code", "")
    return f"key:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


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


def _accepted(request: func.HttpRequest, services: Services, record: Record) -> func.HttpResponse:
    """202, with where and when to ask again (Logic Apps' HTTP action follows both)."""
    headers = {
        "Location": f"{_base(request)}/api/operations/{record.id}",
        "Retry-After": str(in_seconds(calls.look_again_after(record, services))),
    }
    return _answer(views.operation_view(record), 202, headers)


def _base(request: func.HttpRequest) -> str:
    """Scheme and host that the caller used, empty where they cannot be read.

    App Service ends TLS in front of the app and says so in X-Forwarded-Proto, which it sets itself; elsewhere any
    caller can set it, and X-Forwarded-Host everywhere, so those are not believed.
    """
    url = _address(request)
    by_tls = "WEBSITE_SITE_NAME" in os.environ and request.headers.get("X-Forwarded-Proto") == "https"
    return f"{'https' if by_tls else url.scheme}://{url.netloc.rpartition('@')[2]}" if url.netloc else ""


def _address(request: func.HttpRequest) -> SplitResult:
    """The address that the caller used. Its host is a header of the caller's: one that is none makes an empty address,
    and what is built on it relative (RFC 9110, section 10.2.2)."""
    try:
        found: SplitResult = urlsplit(request.url)
        return found
    except ValueError:
        return SplitResult("", "", "", "", "")


async def _show_operation(call: Call) -> func.HttpResponse:
    services = call.services()
    record = (await calls.find(services, call.deployment_id)).record
    if views.operation_has_ended(record):
        return _answer(views.operation_view(record))
    return _accepted(call.request, services, record)


async def _show_deployment(call: Call) -> func.HttpResponse:
    return _answer(views.status_view((await calls.find(call.services(), call.deployment_id)).record))


async def _show_events(call: Call) -> func.HttpResponse:
    return _answer({"events": views.events_view(tuple(await calls.history(call.services(), call.deployment_id)))})


async def _open_gate(call: Call) -> func.HttpResponse:
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
    opened = await calls.open_gate(call.services(), deployment_id, name, asked.by, asked.reason, says)
    return _answer(views.status_view(opened))


async def _cancel(call: Call) -> func.HttpResponse:
    return await _ask_for(call, Ask.CANCEL)


async def _roll_back(call: Call) -> func.HttpResponse:
    return await _ask_for(call, Ask.ROLLBACK)


async def _resume(call: Call) -> func.HttpResponse:
    return await _ask_for(call, Ask.RESUME)


async def _release_name(call: Call) -> func.HttpResponse:
    return await _ask_for(call, Ask.RELEASE_NAME)


async def _extend(call: Call) -> func.HttpResponse:
    deployment_id, body = call.deployment_id, read_json(call.request.get_body())
    asked = read_call(body, ExtendCall)
    record = await calls.ask_for(call.services(), deployment_id, Ask.EXTEND, asked.by, asked.reason, asked.until)
    return _answer(views.status_view(record))


async def _check(call: Call) -> func.HttpResponse:
    """Look now. Nobody has to say why: a look changes nothing."""
    if call.request.get_body().strip():
        return await _ask_for(call, Ask.CHECK)
    record = await calls.ask_for(call.services(), call.deployment_id, Ask.CHECK, "somebody", "gave no reason")
    return _answer(views.status_view(record))


async def _ask_for(call: Call, ask: Ask) -> func.HttpResponse:
    deployment_id, body = call.deployment_id, read_json(call.request.get_body())
    asked = read_call(body, PersonsCall)
    return _answer(views.status_view(await calls.ask_for(call.services(), deployment_id, ask, asked.by, asked.reason)))


# --- Lists -----------------------------------------------------------------------------------------------------------


async def _list_deployments(call: Call) -> func.HttpResponse:
    given = {name: value for name, value in call.request.params.items() if name not in _KEY_PARAMETERS}
    filters = _filters(given)
    page = await listing.page(call.services(), filters, given.get("continuation", ""))
    rows: list[Json] = [views.row_view(row) for row in page.rows]
    return _answer({"deployments": rows, "continuation": page.continuation or None})


_LIST_PARAMETERS = ("status", "gateway", "subscription", "external_reference", "continuation")


def _filters(given: Mapping[str, str]) -> listing.Filters:
    """The filters of a list. Raises InvalidRequest with a finding for each parameter that cannot be."""
    findings: list[Finding] = []
    known = ", ".join(f"`{name}`" for name in _LIST_PARAMETERS)
    for name in [name for name in given if name not in _LIST_PARAMETERS][:20]:
        seen = f"`{repeated(name)}` is not a parameter of this list."
        findings.append(blocks("unknown-parameter", seen, f"Leave it out. Known here: {known}."))
    status, subscription = given.get("status"), given.get("subscription", "").lower()
    if status is not None and status not in [*Status]:
        cure = f"Give one of {', '.join(Status)}."
        findings.append(blocks("bad-parameter", "`status` is none that a deployment has.", cure))
    if subscription and not _GUID.fullmatch(subscription):
        findings.append(blocks("bad-parameter", "`subscription` is no GUID.", "Give the subscription's ID."))
    if findings:
        raise InvalidRequest(findings)
    return listing.Filters(
        Status(status) if status is not None else None,
        given.get("gateway", ""),
        subscription,
        given.get("external_reference", ""),
    )


# --- Health ----------------------------------------------------------------------------------------------------------


async def _show_health(call: Call) -> func.HttpResponse:
    """Whether the app can work, as far as it knows without asking anybody."""
    try:
        limits = call.services().limits
    except SettingsError as error:
        return _answer(_health("unhealthy", None, findings_of(error)), 503)
    return _answer(_health("healthy", limits.minimum_grace, () if limits.gateway_software else (_NO_SOFTWARE,)))


_NO_SOFTWARE = warns(
    "no-gateway-software",
    "The setting CMG_GATEWAY_SOFTWARE is not set: this app cannot make gateways (`provisioned_by: automation`).",
    "Give the VM extension that makes a gateway of an instance, as JSON.",
    resource="CMG_GATEWAY_SOFTWARE",
)


def _health(status: str, minimum_grace: timedelta | None, findings: Sequence[Finding]) -> JsonObject:
    return {
        "status": status,
        "version": __version__,
        "minimum_grace": None if minimum_grace is None else views.duration_view(minimum_grace),
        "problems": [finding.model_dump(mode="json", exclude_defaults=True) for finding in findings],
    }


ROUTES = (
    Route("make-plan", "POST", "plans", _make_plan),
    Route("start-migration", "POST", "migrations", _start_migration),
    Route("start-deployment", "POST", "deployments", _start_deployment),
    Route("start-retirement", "POST", "retirements", _start_retirement),
    Route("show-operation", "GET", "operations/{id}", _show_operation),
    Route("list-deployments", "GET", "deployments", _list_deployments),
    Route("show-deployment", "GET", "deployments/{id}", _show_deployment),
    Route("show-events", "GET", "deployments/{id}/events", _show_events),
    Route("open-gate", "POST", "deployments/{id}/gates/{gate}", _open_gate),
    Route("cancel-deployment", "POST", "deployments/{id}/cancel", _cancel),
    Route("roll-back-deployment", "POST", "deployments/{id}/rollback", _roll_back),
    Route("resume-deployment", "POST", "deployments/{id}/resume", _resume),
    Route("extend-grace", "POST", "deployments/{id}/extend", _extend),
    Route("check-deployment", "POST", "deployments/{id}/check", _check),
    Route("release-parked-name", "POST", "deployments/{id}/release-name", _release_name),
    Route("show-health", "GET", "health", _show_health, func.AuthLevel.ANONYMOUS),
)

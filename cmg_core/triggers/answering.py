"""From an HTTP call to its answer: always one, never a text that nobody wrote for callers."""

import json
import logging
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import azure.functions as func

from cmg_core import calls, views
from cmg_core.correlation import correlated
from cmg_core.domain.principals import NOBODY
from cmg_core.domain.record import Record
from cmg_core.domain.roles import Caller, needs
from cmg_core.domain.values import GUID, Frozen, JsonObject
from cmg_core.refusals import no_such_deployment
from cmg_core.services import Services
from cmg_core.tenancy import services_for
from cmg_core.triggers.caller import ensure_may, who_calls
from cmg_core.triggers.problems import in_seconds, problem_of, retry_after, unknown_problem

log = logging.getLogger("cmg.http")

_TRACEPARENT = re.compile(
    r"(?:00(?!.{54})|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
"""W3C Trace Context, section 3.2: version 00 ends after its flags, later versions may go on."""


@dataclass(frozen=True)
class Call:
    """One HTTP call, with the way to what answers it."""

    request: func.HttpRequest
    services: Callable[[], Services]
    """What the caller's call may reach. Raises SettingsError."""
    caller: Caller
    """Who calls, with a role that the call needs; nobody with none where it needs none."""

    @property
    def deployment_id(self) -> str:
        """The ID in the path. Raises CallRefused (404) for one that is no GUID."""
        given: str = self.request.route_params.get("id", "").lower()
        if not GUID.fullmatch(given):
            raise no_such_deployment("The ID in the address is no GUID, as the IDs of deployments are.")
        return given

    @property
    def base(self) -> str:
        """Scheme and host that the caller used, empty where they cannot be read."""
        return _base(self.request)


_ANYBODY = Caller(NOBODY, frozenset(), customer="")
_CHALLENGE = 'Bearer realm="cmg"'
"""RFC 6750, section 3."""

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
    route: Route, services: Callable[[], Services]
) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    """The function that the Functions host calls: always an answer, always with its correlation ID.

    Who calls and what it may is judged before anything else of the call is read.
    """

    async def answer_call(req: func.HttpRequest) -> func.HttpResponse:
        found = _TRACEPARENT.fullmatch(req.headers.get("traceparent", ""))
        correlation_id = found[1] if found else secrets.token_hex(16)
        with correlated(correlation_id, found[0] if found else ""):
            try:
                given = await route.handler(await _admitted(route, req, services))
            except Exception as error:
                given = _refusal(error, req, correlation_id)
        given.headers["x-correlation-id"] = correlation_id
        return given

    return answer_call


async def _admitted(route: Route, request: func.HttpRequest, services: Callable[[], Services]) -> Call:
    """The call, where its caller may make it. Raises what ``who_calls`` and ``ensure_may`` raise, and SettingsError."""
    if route.level is func.AuthLevel.ANONYMOUS:
        return Call(request, services, _ANYBODY)
    reached = services()
    caller = await who_calls(request, reached)
    ensure_may(caller, needs(route.name, request.route_params.get("gate", "")))
    theirs = services_for(caller, reached)
    return Call(request, lambda: theirs, caller)


def _refusal(error: Exception, request: func.HttpRequest, correlation_id: str) -> func.HttpResponse:
    problem = problem_of(error)
    told = {"correlation_id": correlation_id}
    if problem is None:
        log.error("a call met an unknown error, correlation %s", correlation_id, exc_info=error, extra=told)
        problem = unknown_problem()
    else:
        log.info("a call was refused: %s, correlation %s", problem.code, correlation_id, extra=told)
    body = problem.model_copy(update=told).details(_address(request).path)
    pause = retry_after(error)
    headers = {} if pause is None else {"Retry-After": str(pause)}
    if problem.status == 401:
        headers["WWW-Authenticate"] = (
            _CHALLENGE if problem.code == "not-signed-in" else f'{_CHALLENGE}, error="invalid_token"'
        )
    return answer(body, problem.status, headers, "application/problem+json")


def answer(
    body: Frozen | JsonObject,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    mimetype: str = "application/json",
) -> func.HttpResponse:
    """An answer in JSON."""
    text = json.dumps(body.model_dump(mode="json") if isinstance(body, Frozen) else body, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status, headers=headers, mimetype=mimetype)


def accepted(request: func.HttpRequest, services: Services, record: Record) -> func.HttpResponse:
    """202, with where and when to ask again (Logic Apps' HTTP action follows both)."""
    headers = {
        "Location": f"{_base(request)}/api/operations/{record.id}",
        "Retry-After": str(in_seconds(calls.look_again_after(record, services))),
    }
    return answer(views.operation_view(record), 202, headers)


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

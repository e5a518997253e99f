"""The app as a WSGI application in this process: routes and keys as the Functions host has them, no socket."""

import asyncio
import json
from collections.abc import Callable, Iterable
from functools import cache

import azure.functions as func
from werkzeug.wrappers import Request, Response

from cmg_core.domain.values import JsonObject
from cmg_core.services import Services
from cmg_core.triggers.answering import Route, answering
from cmg_core.triggers.http import ROUTES
from local.host.routes import Segment, by_precedence, match, parse

KEY = "the-key-of-the-ticket-system"
PREFIX = "/api/"

type Wsgi = Callable[[dict[str, object], Callable[..., object]], Iterable[bytes]]


@cache
def _served() -> list[tuple[tuple[Segment, ...], Route]]:
    return by_precedence((parse(route.path), route) for route in ROUTES)


def serving(services: Services) -> Wsgi:
    """The app over these services."""

    @Request.application
    def application(request: Request) -> Response:
        path = request.path.removeprefix(PREFIX)
        for template, route in _served():
            values = match(template, path)
            if values is None or route.method != request.method:
                continue
            if route.level is not func.AuthLevel.ANONYMOUS and request.headers.get("x-functions-key") != KEY:
                return Response(status=401)
            return _answered(services, route, values, request)
        return Response(status=404)

    return application  # type: ignore[return-value]  # werkzeug's own type of the same


def _answered(services: Services, route: Route, values: dict[str, str], request: Request) -> Response:
    asked = func.HttpRequest(
        request.method,
        request.url,
        headers=dict(request.headers),
        params=request.args.to_dict(),
        route_params=values,
        body=request.get_data(),
    )
    given = asyncio.run(answering(route, lambda: services)(asked))
    headers = {**given.headers, "Content-Type": f"{given.mimetype}; charset={given.charset}"}
    return Response(given.get_body(), given.status_code, headers)


def description() -> JsonObject:
    """The OpenAPI document as the app serves it."""
    route = next(route for route in ROUTES if route.name == "show-description")
    request = func.HttpRequest("GET", "http://localhost/api/openapi.json", body=b"")

    def nobody() -> Services:
        raise AssertionError("the description asks nobody")

    body: JsonObject = json.loads(asyncio.run(answering(route, nobody)(request)).get_body())
    return body

"""HTTP triggers: routes, keys, and what the real host answers by itself.

Source: "Azure Functions HTTP trigger" and "Work with access keys in Azure Functions". A method that a route does not
serve gets 404 as in Azure, not 405.
"""

import hmac
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Final

from aiohttp import web
from azure_functions_runtime.bindings.datumdef import Datum

from local.host.routes import Segment, by_precedence, match, parse
from local.host.settings import HostError, Keys
from local.host.worker import Function, Result, invoke

log = logging.getLogger("local.host")

LARGEST_BODY: Final = 100 * 1024 * 1024
LEVELS: Final = ("anonymous", "function", "admin")


@dataclass(frozen=True)
class Route:
    """An HTTP-triggered function and what it answers to."""

    function: Function
    methods: frozenset[str]
    level: str


def routes(functions: Iterable[Function], prefix: str) -> list[tuple[tuple[Segment, ...], Route]]:
    """The app's routes, most particular first. Raises HostError for one that cannot be served."""
    found: list[tuple[tuple[Segment, ...], Route]] = []
    for function in functions:
        methods = function.trigger.get("methods")
        level = function.text("authLevel", "function").lower()
        if level not in LEVELS:
            raise HostError(f"the function {function.name} has the unknown authLevel {level!r}")
        served = frozenset(str(method).upper() for method in methods) if isinstance(methods, list) else frozenset[str]()
        template = f"{prefix}/{function.text('route') or function.name}"
        found.append((parse(template), Route(function, served, level)))
    return by_precedence(found)


def allowed(keys: Keys, level: str, offered: str) -> bool:
    """Whether the key opens the level; the master key opens each."""
    if level == "anonymous":
        return True
    fitting = [keys.master] if keys.master else []
    if level == "function":
        fitting += keys.function.values()
    return any(hmac.compare_digest(key.encode(), offered.encode()) for key in fitting)


def offered_key(request: web.Request) -> str:
    return request.headers.get("x-functions-key") or request.query.get("code", "")


def response(result: Result) -> web.Response:
    """What a function returned, as HTTP; a failed one says nothing."""
    if not result.ok:
        return web.Response(status=500)
    if result.value is None:
        return web.Response(status=204)
    if result.value.type != "http":
        return web.Response(text=str(result.value.value))
    parts = result.value.value
    answer = web.Response(status=int(parts["status_code"].value), body=parts["body"].value)
    for name, value in parts["headers"].items():
        answer.headers[name] = value.value
    cookies: list[SimpleCookie] = parts["cookies"] or []
    for morsel in [morsel for cookie in cookies for morsel in cookie.values()]:
        answer.headers.add("Set-Cookie", morsel.OutputString())
    return answer


class HttpServer:
    """Listens on loopback and hands each request to its function."""

    def __init__(
        self,
        functions: Iterable[Function],
        prefix: str,
        keys: Keys,
        timeout: timedelta | None,
        status: Callable[[], Mapping[str, object]],
    ) -> None:
        self._routes = routes(functions, prefix)
        self._keys = keys
        self._timeout = timeout
        self._status = status
        self._runner: web.AppRunner | None = None

    async def start(self, port: int, patience_s: float) -> int:
        """Begins to listen and returns the port, which is a free one where 0 was asked for.

        Raises:
            OSError: the port is taken.
        """
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=patience_s)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Takes no more requests and lets those under way end."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0].partition("#")[0]
        if path == "/":
            return web.Response(text="Your function app is up and running.")
        if path == "/admin/host/status":
            if not allowed(self._keys, "admin", offered_key(request)):
                return web.Response(status=401)
            return web.json_response(self._status())
        for template, route in self._routes:
            values = match(template, path)
            if values is not None and (not route.methods or request.method in route.methods):
                if not allowed(self._keys, route.level, offered_key(request)):
                    return web.Response(status=401)
                return await self._invoke(route.function, request, values)
        return web.Response(status=404)

    async def _invoke(self, function: Function, request: web.Request, values: Mapping[str, str]) -> web.Response:
        def texts(source: Mapping[str, str]) -> dict[str, Datum]:
            return {name: Datum(value, "string") for name, value in source.items()}

        headers = {name: ",".join(request.headers.getall(name)) for name in request.headers}
        query = {name: ",".join(request.query.getall(name)) for name in request.query}
        datum = Datum(
            {
                "method": Datum(request.method, "string"),
                "url": Datum(str(request.url), "string"),
                "headers": texts(headers),
                "params": texts(values),
                "query": texts(query),
                "body": Datum(await request.read(), "bytes"),
            },
            "http",
        )
        metadata = {name: Datum(json.dumps(value), "json") for name, value in values.items()}
        return response(await invoke(function, datum, metadata, self._timeout))

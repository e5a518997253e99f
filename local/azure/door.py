"""The simulator's own door (`/_sim/…`, never used by the product) and the managed identity endpoint, on plain HTTP."""

import json
import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import ValidationError

from local.azure import dns, gateways, site
from local.azure.clients_main import ClientsOrder
from local.azure.clients_process import ClientsError, ClientsProcess
from local.azure.messages import Disconnect, Request
from local.azure.receivers import receivers_view
from local.azure.running import Running
from local.azure.seed import SeedError
from local.azure.simulator import FaultError, state
from local.azure.world import World

LARGEST_BODY = 16 * 2**20


class BadInput(ValueError):
    """What was sent to the door cannot be done; the text says why."""


def door(running: Running, clients: ClientsProcess) -> web.Application:
    """The door's application."""
    routes = _Door(running, clients)
    application = web.Application(middlewares=[_problems], client_max_size=LARGEST_BODY)
    application.add_routes(
        [
            web.post("/_sim/reset", routes.reset),
            web.post("/_sim/seed", routes.seed),
            web.get("/_sim/state", routes.state),
            web.post("/_sim/site", routes.change_site),
            web.post("/_sim/faults", routes.add_fault),
            web.delete("/_sim/faults", routes.clear_faults),
            web.get("/_sim/requests", routes.requests),
            web.post("/_sim/scale", routes.scale),
            web.get("/_sim/serving", routes.serving),
            web.post("/_sim/clients/start", routes.start_clients),
            web.post("/_sim/clients/stop", routes.stop_clients),
            web.get("/_sim/clients", routes.clients),
            web.route("*", "/msi/token", routes.identity),
        ]
    )
    return application


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Bad input is answered as an RFC 9457 problem."""
    try:
        return await handler(request)
    except ValidationError as error:
        details = (f"{'/'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors())
        return _problem(HTTPStatus.BAD_REQUEST, "; ".join(details))
    except ClientsError as error:
        return _problem(HTTPStatus.CONFLICT, str(error))
    except (BadInput, SeedError, FaultError, site.SiteError) as error:
        return _problem(HTTPStatus.BAD_REQUEST, str(error))


def _problem(status: HTTPStatus, detail: str) -> web.Response:
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


async def _json(request: web.Request) -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty object."""
    raw = await request.read()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError as error:
        raise BadInput(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadInput("the body must be a JSON object")
    return body


class _Door:
    def __init__(self, running: Running, clients: ClientsProcess) -> None:
        self._running = running
        self._clients = clients

    async def reset(self, _: web.Request) -> web.Response:
        """An empty world again."""
        await self._clients.stop()
        self._running.replace({})
        return web.json_response({})

    async def seed(self, request: web.Request) -> web.Response:
        """The world that the body describes takes the place of the one before."""
        self._running.replace(await _json(request))
        return web.json_response({})

    async def state(self, _: web.Request) -> web.Response:
        """Everything that there is: Azure's resources, the site, the history of DNS."""
        world = self._running.advanced()[0]
        return web.json_response(
            {
                **state(world),
                "site": _site(world.site),
                "receivers": list(receivers_view(world)),
                "dns_log": [
                    {
                        "at": entry.at.isoformat(),
                        "name": entry.name,
                        "type": entry.type,
                        "rcode": entry.answer.rcode,
                        "records": [record._asdict() for record in entry.answer.records],
                    }
                    for entry in world.dns_log
                ],
            }
        )

    async def change_site(self, request: web.Request) -> web.Response:
        """What an administrator does on premises (`site.SiteChange`)."""
        world, now = self._running.advanced()
        site.apply_site(world, await _json(request), now)
        return web.json_response(_site(world.site))

    async def add_fault(self, request: web.Request) -> web.Response:
        """A fault for requests to come."""
        self._running.simulator.add_fault(await _json(request))
        return web.json_response({}, status=HTTPStatus.CREATED)

    async def clear_faults(self, _: web.Request) -> web.Response:
        """No more faults."""
        self._running.simulator.clear_faults()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def requests(self, request: web.Request) -> web.Response:
        """What was asked and answered, from number `since` on."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            raise BadInput(f"since: '{since}' is not the number of a request")
        logged = [
            {
                "n": entry.n,
                "at": entry.at.isoformat(),
                "request": {
                    "method": entry.request.method,
                    "host": entry.request.host,
                    "path": entry.request.path,
                    "query": dict(entry.request.query),
                    "headers": dict(entry.request.headers),
                    "body": entry.request.body.decode(errors="replace"),
                },
                "response": None
                if entry.response is None
                else {
                    "status": entry.response.status,
                    "headers": entry.response.headers,
                    "body": entry.response.body.decode(errors="replace"),
                },
            }
            for entry in self._running.world.log
            if entry.n >= int(since)
        ]
        return web.json_response({"requests": logged})

    async def scale(self, request: web.Request) -> web.Response:
        """How much shorter Azure's operations that start from now on are (0.01: a hundredth)."""
        scale = (await _json(request)).get("time_scale")
        if not isinstance(scale, int | float) or not math.isfinite(scale) or scale < 0:
            raise BadInput("time_scale: a number of 0 or more is needed")
        self._running.world.time_scale = float(scale)
        return web.json_response({"time_scale": scale})

    async def serving(self, request: web.Request) -> web.Response:
        """Who serves a name at this moment: where it leads, which gateway is there, what it shows, if it relays."""
        name = request.query.get("name")
        if not name:
            raise BadInput("name: the name to look at is needed")
        return web.json_response(_serving(*self._running.advanced(), name))

    async def start_clients(self, request: web.Request) -> web.Response:
        """Sends the site's clients out."""
        body = await _json(request)
        if unknown := set(body) - {"begin_when_relaying"}:
            raise BadInput(f"unknown: {', '.join(sorted(unknown))}")
        world = self._running.world
        if world.site is None or not world.site.clients.knows:
            raise BadInput("this world's site has no clients that know a gateway")
        await self._clients.start(
            ClientsOrder(
                proxy_port=self._running.proxy_port,
                dns_port=self._running.dns_port,
                roots=b"\n".join([world.public_root_pem, world.enterprise_root_pem]).decode(),
                begin_when_relaying=bool(body.get("begin_when_relaying", False)),
                **world.site.clients.model_dump(),
            )
        )
        return web.json_response(self._clients.report())

    async def stop_clients(self, _: web.Request) -> web.Response:
        """Calls the clients back."""
        await self._clients.stop()
        return web.json_response(self._clients.report())

    async def clients(self, _: web.Request) -> web.Response:
        """What the clients have lived through so far."""
        return web.json_response(self._clients.report())

    async def identity(self, request: web.Request) -> web.Response:
        """The managed identity endpoint of App Service."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Request(request.method, "identity", request.path, dict(request.query), headers, await request.read())
        try:
            answer = self._running.simulator.handle(asked, self._running.now())
        except Disconnect:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


def _site(there: site.Site | None) -> dict[str, Any] | None:
    if there is None:
        return None
    return {
        "code": there.code,
        "check_interval_s": there.check_interval.total_seconds(),
        "gateways": [record.model_dump() for record in there.gateways.values()],
        "connection_points": [
            {
                "server": point.server,
                "gateway": point.gateway,
                "service_name": point.service_name,
                "hosts": point.hosts,
                "connected_to": point.connected_to,
                "trouble": point.trouble,
            }
            for point in there.connection_points.values()
        ],
        "locations": there.locations(),
    }


def _serving(world: World, now: datetime, name: str) -> dict[str, Any]:
    answer = dns.resolve(world, name, "A", "public", now)
    gateway = gateways.reach(world, answer.address, now) if answer.address else None
    shown = x509.load_der_x509_certificate(gateway.certificate.leaf_der) if gateway else None
    return {
        "name": name,
        "chain": [record._asdict() for record in answer.records],
        "address": answer.address,
        "gateway": gateway.resource_id if gateway else None,
        "certificate": {
            "subject": shown.subject.rfc4514_string(),
            "thumbprint": shown.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 (Azure's thumbprint)
            "not_after": shown.not_valid_after_utc.isoformat(),
        }
        if shown
        else None,
        "relays": gateway is not None and world.site is not None and world.site.relays(gateway.address),
    }

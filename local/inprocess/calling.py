"""People's calls to the product's own HTTP functions, without a socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import azure.functions as func

from cmg_core.domain.problems import PROBLEM_TYPES
from cmg_core.domain.values import Json, text_at
from cmg_core.services import Services
from cmg_core.triggers.answering import answering
from cmg_core.triggers.http import ROUTES
from local.host import routes
from local.inprocess.hosting import Host
from local.sample import Call as HttpCall
from local.sample import Sample

PATIENCE = timedelta(seconds=30)
"""After which people send a call again that got no answer."""
TRY_AGAIN = ("try-again", "changed-meanwhile")
"""Problems that ask for the same call again."""
HOST = "http://localhost"


class StoryFailed(Exception):
    """A story that does not come to an end."""


async def ask(sample: Sample, services: Services, host: Host) -> str:
    """Send a sample's request until it is accepted; the deployment's ID. Raises StoryFailed where it is refused."""
    path = sample.path
    call = http_call(services, HttpCall(path=path, body=sample.request), headers={"Idempotency-Key": "CHG0031337"})
    answer = await insist(host, path, call)
    if answer.status_code != 202:
        raise StoryFailed(f"the request was not accepted: {answer.get_body().decode()}")
    return text_at(_body(answer), "id")


async def insist(host: Host, name: str, call: Callable[[], Awaitable[func.HttpResponse]]) -> func.HttpResponse:
    """Call until there is an answer that does not ask for another try, as people do when the app is down."""
    answers: list[func.HttpResponse] = []

    async def note() -> None:
        answers.append(await call())

    while True:
        if await host.call(name, note) and problem_in(answers[-1]) not in TRY_AGAIN:
            return answers[-1]
        await asyncio.sleep(PATIENCE.total_seconds())


def http_call(
    services: Services,
    call: HttpCall,
    deployment_id: str = "",
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Callable[[], Awaitable[func.HttpResponse]]:
    """A call to the product's own HTTP function. Raises StoryFailed where there is none for it."""
    path = call.path.removeprefix("/api/").replace("{id}", deployment_id)
    fitting = ((route, routes.match(routes.parse(route.path), path)) for route in ROUTES if route.method == call.method)
    route, values = next(((route, found) for route, found in fitting if found is not None), (None, None))
    if route is None:
        raise StoryFailed(f"the product knows no {call.method} {call.path}")
    body = b"" if call.body is None else json.dumps(call.body).encode()
    request = func.HttpRequest(
        call.method, f"{HOST}/api/{path}", headers=headers or {}, params=params or {}, route_params=values, body=body
    )
    answer = answering(route, lambda: services)
    return lambda: answer(request)


def problem_in(answer: func.HttpResponse) -> str:
    """The code of the problem that an answer tells; empty where it tells none."""
    return text_at(_body(answer), "type").removeprefix(PROBLEM_TYPES)


def _body(answer: func.HttpResponse) -> Json:
    body: Json = json.loads(answer.get_body())
    return body

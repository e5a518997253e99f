"""A client that knows HTTP and the app's description, and nothing else of this project; and the app on a stage to call.

It finds calls by their ``operationId``, checks each body and each answer against the schemas, and follows links.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import azure.functions as func
from jsonschema import Draft202012Validator

from cmg_core.engine import Engine
from cmg_core.triggers.answering import answering
from cmg_core.triggers.http import ROUTES
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.site import apply_site
from local.host.routes import by_precedence, match, parse
from local.inprocess.hosting import Host
from local.inprocess.stage import InProcess, Settings, WiredServices
from local.inprocess.tape import Tape
from local.sample import Sample

ORIGIN = "https://cmg.contoso.example"


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Front:
    """The app behind its addresses."""

    services: WiredServices
    asked: list[tuple[str, str, Answer]] = field(default_factory=list)
    """Method, URL and answer of each call."""

    async def send(
        self, method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTP call."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == ORIGIN, url
        found = by_precedence((parse(f"api/{route.path}"), route) for route in ROUTES if route.method == method)
        route, values = next((route, got) for made, route in found if (got := match(made, parts.path)) is not None)
        raw = b"" if body is None else json.dumps(body).encode()
        query = dict(parse_qsl(parts.query))
        asked = func.HttpRequest(method, url, headers=headers or {}, params=query, route_params=values, body=raw)
        given = await answering(route, lambda: self.services)(asked)
        shown = {name.lower(): value for name, value in given.headers.items()}
        answer = Answer(given.status_code, shown, json.loads(given.get_body()))
        self.asked.append((method, url, answer))
        return answer


@asynccontextmanager
async def staged(sample: Sample, settings: Settings) -> AsyncIterator[tuple[InProcess, Front]]:
    """The app at work in a sample's world, where the site does its part of the story and people do nothing."""
    stage = InProcess(sample, Tape(), settings)
    services = stage.wire(stage.clock)
    host = Host(stage.clock, stage.queues, Engine(services, jitter=lambda: 0.5).handle, lambda: wake_due(services))
    at_work = [asyncio.create_task(host.run()), asyncio.create_task(_site(stage))]
    try:
        yield stage, Front(services)
    finally:
        for task in at_work:
            task.cancel()
        await stage.close()


async def _site(stage: InProcess) -> None:
    left = [then for then in stage.sample.then if then.world is not None]
    while left:
        stage.ledger.changed.clear()
        active = await stage.ledger.active()
        stored = stage.ledger.peek(active[0].id) if active else None
        if stored and left[0].when.has_come(status_view(stored.record).model_dump(mode="json")):
            apply_site(stage.world, left.pop(0).world or {}, stage.clock.now())
            continue
        await stage.ledger.changed.wait()


class Client:
    """Calls by what the description says."""

    def __init__(self, front: Front, document: Any) -> None:
        self._front, self._document = front, document
        self._calls = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }

    @classmethod
    async def of(cls, front: Front) -> "Client":
        """A client that has just read the description."""
        return cls(front, (await front.send("GET", f"{ORIGIN}/api/openapi.json")).body)

    async def call(self, operation_id: str, body: object = None, **given: str) -> Answer:
        """A call by its name; parameters are given by theirs, with «_» for «-»."""
        method, path, operation = self._calls[operation_id]
        headers: dict[str, str] = {}
        for parameter in operation["parameters"]:
            name = parameter.get("name", "")
            value = given.get(name.replace("-", "_").lower())
            if parameter.get("required") or value is not None:
                assert value is not None, name
                self._check(parameter["schema"], value)
                if parameter["in"] == "path":
                    path = path.replace(f"{{{name}}}", quote(value))
                else:
                    headers[name] = value
        if "requestBody" in operation:
            self._check(operation["requestBody"]["content"]["application/json"]["schema"], body)
        base = self._document["servers"][0]["url"]
        return self._checked(operation_id, await self._front.send(method, f"{ORIGIN}{base}{path}", body, headers))

    async def poll(self, location: str) -> Answer:
        """Ask again where an answer said."""
        return self._checked("show-operation", await self._front.send("GET", location))

    async def follow(self, operation_id: str, answer: Answer, link: str) -> Answer:
        """The call that an answer's link leads to."""
        described = self._calls[operation_id][2]["responses"][str(answer.status)]["links"][link]
        given = {name: _value(said, answer) for name, said in described["parameters"].items()}
        return await self.call(described["operationId"], **given)

    def _checked(self, operation_id: str, answer: Answer) -> Answer:
        described = self._calls[operation_id][2]["responses"][str(answer.status)]
        for name, header in described["headers"].items():
            told = self._document["components"]["headers"][header["$ref"].rpartition("/")[2]]
            assert not told.get("required") or name.lower() in answer.headers, name
        (content,) = [each for kind, each in described["content"].items() if "json" in kind]
        self._check(content["schema"], answer.body)
        return answer

    def _check(self, schema: object, value: object) -> None:
        Draft202012Validator({"allOf": [schema], "components": self._document["components"]}).validate(value)


def _value(said: str, answer: Answer) -> str:
    """What a runtime expression of a link stands for (OpenAPI 3.1, "Runtime Expressions")."""
    assert said.startswith("$response.body#/")
    found = answer.body
    for key in said.removeprefix("$response.body#/").split("/"):
        found = found[key]
    return str(found)

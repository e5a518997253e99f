"""The OpenAPI 3.1 document, made of the routes, the table of calls and the models. Nothing in it is written twice."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cmg_core import __version__
from cmg_core.description.examples import Example, examples_of
from cmg_core.description.schemas import Mode, Model, schemas_of, tell_wanted
from cmg_core.description.table import (
    CALLS,
    DEPLOYMENT,
    STATUSES,
    TAGS,
    Answer,
    Described,
    Parameter,
    problems_of,
)
from cmg_core.domain.gates import GateName
from cmg_core.domain.problems import ProblemDetails, problem_type
from cmg_core.domain.requests import GatewayRequest, RetirementRequest
from cmg_core.domain.roles import Needs, Role, needs
from cmg_core.domain.validation import WANTED
from cmg_core.domain.values import Json, JsonObject, at
from cmg_core.notify.addresses import LONGEST_URL

PROBLEM, JSON = "application/problem+json", "application/json"

ABOUT = """\
Deploys and migrates Configuration Manager cloud management gateways onto Azure virtual machine scale sets.

**The way through:** `make-plan` shows what would happen. `start-migration` answers 202 with the operation's address in
`Location`; ask there again after `Retry-After` seconds until it answers 200. Where `show-deployment` says `waiting`,
`waits_for` names the gate and who opens it. Each problem (RFC 9457) has a stable `type` that leads to what it means, a
`cure`, and all `findings` at once.

**Who may call:** send a function key in the header `x-functions-key`, or a token of Entra ID. Each call names the roles
that it takes as `x-roles`: one of them is enough. A gate in `x-roles-by-gate` takes the roles named there instead. A
wrong or missing key is answered with 401, without a body. Azure Functions takes a key as the parameter `code`, too: do
not use that, since addresses are kept in logs.

**Correlation:** send `traceparent` (W3C Trace Context); its trace ID comes back as `x-correlation-id` in each answer
and stands in the app's log. One that is not valid is ignored, as if there were none.

Later releases may add keys to answers: ignore those that you do not know. Requests take no unknown keys.
"""

RETRY_AFTER: JsonObject = {
    "description": "Seconds until the next call is worth it.",
    "schema": {"type": "integer", "minimum": 1},
}
HEADERS: Mapping[str, JsonObject] = {
    "x-correlation-id": {
        "description": "By which the app's log is searched: the caller's trace ID, where `traceparent` gave one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "Location": {
        "description": "The operation's address, or the subscription's. It never holds a key.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": RETRY_AFTER | {"required": True},
    "Retry-After-Busy": RETRY_AFTER,
    "WWW-Authenticate": {
        "description": "What to sign in with (RFC 6750).",
        "schema": {"type": "string"},
    },
    "Vary": {
        "description": "By which header of the call the answer differs.",
        "required": True,
        "schema": {"type": "string", "const": "Accept"},
    },
}
TRACEPARENT: JsonObject = {
    "name": "traceparent",
    "in": "header",
    "description": "The caller's trace (W3C Trace Context).",
    "schema": {"type": "string"},
    "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
BY_THE_ID = ("show-operation", "show-deployment", "show-events", "cancel-deployment", "check-deployment")
"""Calls that an accepted request leads to."""


class Served(NamedTuple):
    """A route of the app."""

    name: str
    method: str
    path: str
    needs_key: bool


def document(routes: Iterable[Served]) -> JsonObject:
    """The description of these routes. Raises KeyError for a route that the table does not describe."""
    served = tuple(routes)
    calls = {route.name: CALLS[route.name] for route in served}
    components, references = schemas_of(
        ((ProblemDetails, "serialization"), *(used for call in calls.values() for used in _models(call)))
    )
    for model, mode in references:
        if issubclass(model, GatewayRequest):
            tell_wanted(components, references[model, mode], WANTED)
            _tell_callback(components[model.__name__])
    paths: dict[str, JsonObject] = defaultdict(dict)
    for route in served:
        paths[f"/{route.path}"][route.method.lower()] = _operation(route, calls[route.name], references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CMG migrator",
            "version": __version__,
            "summary": "Moves cloud management gateways without cutting off their clients.",
            "description": ABOUT,
            "contact": {"name": "Whoever runs this app in your organization"},
        },
        "servers": [{"url": "/api", "description": "This app."}],
        "tags": [{"name": tag, "description": about} for tag, about in TAGS.items()],
        "paths": dict(paths),
        "components": {
            "schemas": components,
            "headers": {name: HEADERS[name] for name in HEADERS},
            "parameters": {"traceparent": TRACEPARENT},
            "securitySchemes": {
                "functionKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": "A function key of the app.",
                },
                "entraId": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of Microsoft Entra ID for this app, with the role that the call names.",
                },
            },
        },
    }


def _tell_callback(request: Json) -> None:
    """The one key of a request that its model does not know: it is a secret, and taken out before."""
    fields = at(request, "properties")
    assert isinstance(fields, dict)
    fields["callback_url"] = {
        "anyOf": [{"type": "string", "maxLength": LONGEST_URL, "format": "uri"}, {"type": "null"}],
        "default": None,
        "description": "Where the deployment's events are posted. Give an https address on the internet "
        "(docs/webhooks.md). It is a secret, and never shown.",
    }


def _models(call: Described) -> Iterable[tuple[Model, Mode]]:
    yield from ((body, "validation") for body in call.bodies)
    yield from ((answer.model, "serialization") for answer in call.answers if answer.model is not None)


type References = Mapping[tuple[Model, Mode], JsonObject]


def _operation(route: Served, call: Described, references: References) -> JsonObject:
    examples = examples_of(route.name)
    operation: JsonObject = {
        "operationId": route.name,
        "tags": [call.tag],
        "summary": call.summary,
        "description": call.about,
        **_roles(route),
        "security": [{"functionKey": []}, {"entraId": []}] if route.needs_key else [],
        "parameters": [
            *(_parameter(parameter, examples) for parameter in call.parameters),
            {"$ref": "#/components/parameters/traceparent"},
        ],
        "responses": _responses(route, call, references, examples),
    }
    if call.bodies:
        operation["requestBody"] = {
            "required": call.body_is_needed,
            "content": {JSON: _with_examples(_body(route, call, references), _bodies(examples))},
        }
    return operation


def _roles(route: Served) -> JsonObject:
    """Who may call: any of the roles; for what the caller asked for itself, any of those for its own, too; at a gate
    that has roles of its own, any of those and no other."""
    if not route.needs_key:
        return {"x-roles": []}
    wanted = needs(route.name)
    own: JsonObject = {"x-roles-for-own": [*sorted(wanted.own)]} if wanted.own else {}
    gates: JsonObject = {
        gate: _in_order(of_gate) for gate in GateName if (of_gate := needs(route.name, gate)) != wanted
    }
    by_gate: JsonObject = {"x-roles-by-gate": gates} if gates else {}
    return {"x-roles": _in_order(wanted), **own, **by_gate}


def _in_order(wanted: Needs) -> list[Json]:
    return [role for role in Role if role in wanted.roles]


def _parameter(parameter: Parameter, examples: tuple[Example, ...]) -> JsonObject:
    told: JsonObject = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.about,
        "schema": parameter.schema,
    }
    shown = next((found for each in examples if (found := each.parameter(parameter.place, parameter.name))), None)
    return told | ({"example": shown} if shown else {})


def _body(route: Served, call: Described, references: References) -> JsonObject:
    options = [references[model, "validation"] for model in call.bodies]
    if len(options) == 1:
        return options[0]
    # Only a plan's body says of itself that it is a retirement: else a body with an old gateway is a migration.
    named: JsonObject = {"required": ["kind"]}
    return {
        "anyOf": [
            {"allOf": [option, named]} if model is RetirementRequest else option
            for model, option in zip(call.bodies, options, strict=True)
        ]
    }


def _responses(
    route: Served, call: Described, references: References, examples: tuple[Example, ...]
) -> dict[str, Json]:
    made: dict[str, Json] = {
        str(answer.status): _answer(answer, references, [each for each in examples if each.status == answer.status])
        for answer in call.answers
    }
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in problems_of(call):
        by_status[STATUSES[code]].append(code)
    for status, codes in sorted(by_status.items()):
        shown = [each for each in examples if each.status == status]
        made[str(status)] = _problem(status, codes, references[ProblemDetails, "serialization"], shown)
    return dict(sorted(made.items()))


def _answer(answer: Answer, references: References, examples: list[Example]) -> JsonObject:
    content: dict[str, Json] = {}
    if answer.model is not None:
        shown = {each.name: each.shown_answer for each in examples if each.media_type == JSON}
        content[JSON] = _with_examples(references[answer.model, "serialization"], shown)
    for media_type in answer.texts:
        content[media_type] = {"schema": {"type": "object"} if media_type == JSON else {"type": "string"}}
    told: JsonObject = {
        "description": answer.means,
        "headers": {name: _header(name) for name in ("x-correlation-id", *answer.headers)},
        **({"content": content} if content else {}),
    }
    if answer.status == 202:
        told["links"] = {
            name: {"operationId": name, "parameters": {DEPLOYMENT.name: "$response.body#/id"}} for name in BY_THE_ID
        }
    return told


def _problem(status: int, codes: list[str], reference: JsonObject, examples: list[Example]) -> JsonObject:
    named: JsonObject = {"properties": {"type": {"enum": [problem_type(code) for code in codes]}}}
    content = _with_examples({"allOf": [reference, named]}, {each.name: each.shown_answer for each in examples})
    headers: JsonObject = {"x-correlation-id": _header("x-correlation-id")}
    if status == 401:
        headers["WWW-Authenticate"] = _header("WWW-Authenticate")
    if status == 503:
        headers["Retry-After"] = _header("Retry-After-Busy")
    bare = " Where the function key is missing or wrong the host answers, without a body." if status == 401 else ""
    return {
        "description": f"A problem: {', '.join(f'`{code}`' for code in codes)}.{bare}",
        "headers": headers,
        "content": {PROBLEM: content},
    }


def _header(name: str) -> JsonObject:
    return {"$ref": f"#/components/headers/{name}"}


def _bodies(examples: tuple[Example, ...]) -> dict[str, JsonObject]:
    return {each.name: each.shown_body for each in examples if each.body is not None and each.status < 400}


def _with_examples(schema: JsonObject, examples: Mapping[str, JsonObject]) -> JsonObject:
    told: JsonObject = {"schema": schema}
    if examples:
        told["examples"] = dict(examples)
    return told

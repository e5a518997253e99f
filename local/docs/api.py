"""The page of all calls, made from the document that the app itself answers with."""

import json
import re

from cmg_core.description.reading import Markup, calls_of, members_of
from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at
from local.docs.tables import cell, row, table

_HEAD = """# All calls

Made from the app's own description (`GET /api/openapi.json`, release {version}); [the API](../api.md) says how to call,
[requests](../requests.md) what the keys of a request are for. Where a call names several roles, one of them is enough
([roles](../roles.md)).

"""
_LONGEST = 40
"""Lines of an example that is shown; a longer one is on the app's own page (`GET /api/docs`)."""
_CODE = re.compile(r"`([a-z-]+)`")
_kind = Markup(type_name=lambda name: f"[{name}](#type-{name})", value=lambda text: f"`{text}`").kind
"""A schema in a few words."""


def api_page(document: JsonObject) -> str:
    """The page, as Markdown, of an OpenAPI document that the app made."""
    calls = list(calls_of(document))
    groups = "".join(
        f"## {text_at(tag, 'name')}\n\n{text_at(tag, 'description')}\n\n"
        + "".join(_call(*call) for call in calls if at(call[2], "tags", 0) == tag["name"])
        for tag in objects_at(document, "tags")
    )
    types = "".join(_type(name, schema) for name, schema in members_of(document, "components", "schemas"))
    head = _HEAD.format(version=text_at(document, "info", "version"))
    return f"{head}{groups}## Types\n\nA key with a `?` may be left out.\n\n{types}"


def _call(method: str, path: str, operation: JsonObject) -> str:
    name = text_at(operation, "operationId")
    return (
        f"### {text_at(operation, 'summary')} {{#{name}}}\n\n`{method} /api{path}` · `{name}` · {_roles(operation)}\n\n"
        f"{text_at(operation, 'description')}\n\n"
        + _parameters(operation)
        + _body(operation)
        + _answers(operation)
        + _examples(operation)
    )


def _roles(operation: JsonObject) -> str:
    roles, own = _listed(operation.get("x-roles")), _listed(operation.get("x-roles-for-own"))
    if not roles:
        return "needs no key"
    return f"{roles}" + (f"; for what the caller asked for itself: {own}" if own else "")


def _listed(roles: Json) -> str:
    return ", ".join(f"`{role}`" for role in roles) if isinstance(roles, list) else ""


def _parameters(operation: JsonObject) -> str:
    named = [each for each in objects_at(operation, "parameters") if "name" in each]
    rows = [
        row(
            f"`{each['name']}`",
            text_at(each, "in"),
            _kind(each.get("schema")),
            cell(text_at(each, "description")),
        )
        for each in named
    ]
    return table(("parameter", "in", "type", "what"), rows)


def _body(operation: JsonObject) -> str:
    schema = at(operation, "requestBody", "content", "application/json", "schema")
    if schema is None:
        return ""
    left_out = "" if at(operation, "requestBody", "required") is True else " (may be left out)"
    return f"**Body**{left_out}: {_kind(schema)}\n\n"


def _answers(operation: JsonObject) -> str:
    rows = []
    for status, answer in members_of(operation, "responses"):
        contents = members_of(answer, "content")
        means = text_at(answer, "description")
        if means.startswith("A problem"):
            means = _CODE.sub(r"[`\1`](../errors.md#\1)", means)
            contents = []
        bodies = [f"{_kind(at(content, 'schema'))} as `{kind}`" for kind, content in contents]
        headers = [f"`{name}`" for name, _ in members_of(answer, "headers") if name != "x-correlation-id"]
        rows.append(row(status, cell(means), ", ".join(bodies), ", ".join(headers)))
    return table(("status", "what", "body", "headers"), rows)


def _examples(operation: JsonObject) -> str:
    body = at(operation, "requestBody", "content", "application/json")
    shown = _shown("Body", body)
    for status, answer in members_of(operation, "responses"):
        for _, content in members_of(answer, "content"):
            shown += _shown(f"Answer {status}", content)
    return shown


def _shown(what: str, content: Json) -> str:
    made = ""
    for _, example in members_of(content, "examples"):
        text = json.dumps(at(example, "value"), ensure_ascii=False, indent=2)
        if isinstance(at(example, "value"), dict) and len(text.splitlines()) <= _LONGEST:
            title = text_at(example, "summary").replace('"', "'")
            lines = "\n".join(f"    {line}" for line in f"```json\n{text}\n```".splitlines())
            made += f'??? example "{what}: {title}"\n\n{lines}\n\n'
    return made


def _type(name: str, schema: Json) -> str:
    needed = at(schema, "required")
    rows = [
        row(
            f"`{key}`{'' if isinstance(needed, list) and key in needed else ' ?'}",
            _kind(field),
            cell(text_at(field, "description")),
        )
        for key, field in members_of(schema, "properties")
    ]
    shape = table(("key", "type", "what"), rows) or f"{_kind(schema)}\n\n"
    return f"### {name} {{#type-{name}}}\n\n{cell(text_at(schema, 'description'))}\n\n{shape}"

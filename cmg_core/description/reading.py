"""An OpenAPI document read for pages: its calls, its parts, and a schema in a few words."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at


def calls_of(document: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    """Method, path and operation of each call."""
    for path, item in members_of(document, "paths"):
        for method, operation in members_of(item):
            if isinstance(operation, dict):
                yield method.upper(), path, operation


def members_of(body: Json, *path: str) -> list[tuple[str, Json]]:
    """Keys and values of the object at a path; none where there is no object."""
    found = at(body, *path)
    return list(found.items()) if isinstance(found, dict) else []


@dataclass(frozen=True)
class Markup:
    """How a page writes what a schema is made of."""

    type_name: Callable[[str], str]
    """The name of a type, leading to where that is described."""
    value: Callable[[str], str]
    plain: Callable[[str], str] = str

    def kind(self, schema: Json) -> str:
        """A schema in a few words, with links to types."""
        if not isinstance(schema, dict):
            return "anything"
        if reference := text_at(schema, "$ref"):
            return self.type_name(reference.rpartition("/")[2])
        for word in ("anyOf", "oneOf"):
            if options := objects_at(schema, word):
                return " or ".join(self.kind(option) for option in options)
        if parts := objects_at(schema, "allOf"):
            return self.kind(parts[0])
        if "const" in schema:
            return self.value(json.dumps(schema["const"]))
        values = schema.get("enum")
        if isinstance(values, list):
            return " ".join(self.value(str(value)) for value in values)
        kind, form = str(schema.get("type", "anything")), text_at(schema, "format")
        if kind == "array":
            return f"list of {self.kind(schema['items'])}" if "items" in schema else "list"
        return self.plain(f"{kind} ({form})" if form else kind)

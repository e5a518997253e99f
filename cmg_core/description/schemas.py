"""JSON schemas of the app's own models, with what stands beside their fields as descriptions."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from textwrap import dedent
from typing import Literal, override

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from cmg_core.domain.values import Json, JsonObject, objects_at, text_at

type Model = type[BaseModel]
type Mode = Literal["validation", "serialization"]

REFERENCE = "#/components/schemas/{model}"


class _Schema(GenerateJsonSchema):
    """Pydantic's, with descriptions; an answer holds each of its keys, and may hold more in a later release."""

    @override
    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return self._told(super().model_schema(schema), schema["cls"])

    @override
    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return self._told(super().dataclass_schema(schema), schema["cls"])

    @override
    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        if self.mode == "serialization":
            return "serialization_exclude_if" not in field
        return super().field_is_required(field, total)

    @override
    def get_title_from_name(self, name: str) -> str:
        return ""

    def _told(self, made: JsonSchemaValue, kind: type) -> JsonSchemaValue:
        if self.mode == "serialization":
            made.pop("additionalProperties", None)
        if kind.__doc__:
            made["description"] = in_markdown(kind.__doc__)
        told = docstrings_of(kind)
        for name, field in made.get("properties", {}).items():
            if not field.get("title", "?"):
                del field["title"]
            if (text := told.get(name)) and "description" not in field:
                field["description"] = text
        return made


def schemas_of(models: Iterable[tuple[Model, Mode]]) -> tuple[JsonObject, Mapping[tuple[Model, Mode], JsonObject]]:
    """The components of these models and all that they hold, and the reference to each of them."""
    references, definitions = models_json_schema(
        list(dict.fromkeys(models)), ref_template=REFERENCE, schema_generator=_Schema
    )
    return definitions["$defs"], references  # type: ignore[return-value]  # JSON, which pydantic types as Any


def docstrings_of(kind: type) -> Mapping[str, str]:
    """What the source says below each field of a class and of its bases, by the key of the field."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if not each.__module__.startswith("cmg_core."):
            continue
        body = _body_of(each)
        for field, told in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                text = _text(told)
                if text:
                    found[_key(kind, field.target.id)] = in_markdown(text)
    return found


def _body_of(kind: type) -> list[ast.stmt]:
    node = ast.parse(dedent(inspect.getsource(kind))).body[0]
    return node.body if isinstance(node, ast.ClassDef) else []


def _key(kind: type, name: str) -> str:
    fields = kind.model_fields if issubclass(kind, BaseModel) else {}
    return (fields[name].alias or name) if name in fields else name


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def in_markdown(text: str) -> str:
    """A docstring as a caller reads it: in one line a paragraph, without where the rule comes from."""
    paragraphs = inspect.cleandoc(text).replace("``", "`").split("\n\n")
    joined = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return re.sub(r" \((architecture|engine-protocol|procedures|rule|S)\b[^)]*\)", "", joined)


def tell_wanted(components: JsonObject, schema: Json, wanted: Mapping[str, str], place: str = "") -> None:
    """Let each place of a request say what it takes, as its refusal would, by JSON pointer."""
    for inner in _unfolded(components, schema):
        fields = inner.get("properties")
        for name, field in fields.items() if isinstance(fields, dict) else ():
            pointer = f"{place}/{name}"
            if isinstance(field, dict) and pointer in wanted and "Give " not in text_at(field, "description"):
                field["description"] = f"{text_at(field, 'description')} Give {wanted[pointer]}.".strip()
            tell_wanted(components, field, wanted, pointer)


def _unfolded(components: JsonObject, schema: Json) -> Iterator[JsonObject]:
    """The schemas of objects behind references and alternatives."""
    if not isinstance(schema, dict):
        return
    if reference := text_at(schema, "$ref"):
        yield from _unfolded(components, components[reference.rpartition("/")[2]])
    for option in objects_at(schema, "anyOf"):
        yield from _unfolded(components, option)
    if "properties" in schema:
        yield schema

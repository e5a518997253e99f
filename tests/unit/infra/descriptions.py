"""The official descriptions of resource types, where they lie beside the clone, and what a body has against them."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.unit.infra.templates import ROOT

SPECS = ROOT.parent / "shared" / "specs" / "bicep-types"
REQUIRED, READ_ONLY = 1, 2
OF_THE_TEMPLATE = {"parent", "scope", "dependsOn"}

type Types = list[dict[str, Any]]


@functools.cache
def official() -> Mapping[str, tuple[Types, Any]]:
    """Each type with its api-version: all types of its file, and which of them is its body."""
    found: dict[str, tuple[Types, Any]] = {}
    for path in SPECS.glob("*__types.json"):
        types = json.loads(path.read_text())
        found |= {one["name"]: (types, one["body"]) for one in types if one.get("$type") == "ResourceType"}
    return found


def unknown_version(kind: str, version: str) -> bool:
    """Whether the descriptions have the type, and not in this api-version."""
    return f"{kind}@{version}" not in official() and any(name.partition("@")[0] == kind for name in official())


def described(types: Types, reference: Mapping[str, str]) -> dict[str, Any]:
    return types[int(reference["$ref"].removeprefix("#/"))]


def against(given: Any, types: Types, reference: Mapping[str, str], place: str) -> Iterator[str]:
    """What an evaluated body has that its description has not, or has otherwise; and what it lacks."""
    wanted = described(types, reference)
    match wanted["$type"], given:
        case ("ArrayType", list()):
            for number, one in enumerate(given):
                yield from against(one, types, wanted["itemType"], f"{place}/{number}")
        case ("ObjectType", dict()):
            known, rest = wanted["properties"], wanted.get("additionalProperties")
            for name, value in given.items():
                if name in known:
                    if known[name]["flags"] & READ_ONLY:
                        yield f"{place}/{name} is read only"
                    yield from against(value, types, known[name]["type"], f"{place}/{name}")
                elif rest is None:
                    yield f"{place}/{name} is unknown"
            missing = {name for name, one in known.items() if one["flags"] & REQUIRED} - given.keys()
            yield from (f"{place}/{name} is missing" for name in sorted(missing))
        case ("UnionType", _) if given is not None:
            problems = [list(against(given, types, one, place)) for one in wanted["elements"]]
            if all(problems):
                yield f"{place} is {given!r}"
        case ("StringLiteralType", _) if given != wanted["value"]:
            yield f"{place} is {given!r}"
        case ("StringType", str()):
            shortest, longest = wanted.get("minLength", 0), wanted.get("maxLength", len(given))
            if not shortest <= len(given) <= longest or not re.search(wanted.get("pattern", ""), given):
                yield f"{place} is {given!r}"
        case ("StringType" | "IntegerType" | "BooleanType" | "ObjectType" | "ArrayType" as kind, _):
            right = {"StringType": str, "IntegerType": int, "BooleanType": bool, "ObjectType": dict, "ArrayType": list}
            if given is not None and type(given) is not right[kind]:
                yield f"{place} is {given!r}"


def has_member(kind: str, path: tuple[str, ...]) -> bool | None:
    """Whether a type has what a reference names; None where its description is not there."""
    if kind not in official():
        return None
    types, reference = official()[kind]
    for key in path:
        members = described(types, reference).get("properties", {})
        if key not in members:
            return False
        reference = members[key]["type"]
    return True

"""The Bicep files as data: what they declare, hand on and refer to."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycep import BicepParser

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))
OUTPUT = re.compile(r"\b(\w+)\.outputs\.(\w+)")
PARAMETERS = INFRA / "main.parameters.json"
VARIABLE = re.compile(r"\$\{(\w+)(?:=([^}]*))?\}")
"""What azd fills in of its environment, with what counts where that has nothing."""
VARIABLES = {found[1]: found[2] or "" for found in VARIABLE.finditer(PARAMETERS.read_text())}


@dataclass(frozen=True)
class Template:
    """One parsed file."""

    path: Path
    tree: Mapping[str, Any]

    @property
    def text(self) -> str:
        return self.path.read_text()

    def part(self, kind: str) -> Mapping[str, Any]:
        """Its ``parameters``, ``variables``, ``resources``, ``modules`` or ``outputs`` by name."""
        return self.tree.get(kind) or {}

    @property
    def required(self) -> set[str]:
        return {name for name, given in self.part("parameters").items() if given["default"] is None}


@functools.cache
def template(path: Path) -> Template:
    return Template(path, BicepParser().parse(file_path=path))


def body(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a resource or module is given, whether it stands alone, in a loop or under a condition."""
    config = declared["config"]
    while "config" in config and ("condition" in config or "loop_type" in config):
        config = config["config"]
    return config


def decorators(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {each["type"]: each.get("argument") for each in declared["decorators"]}


def resources() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every resource: where it stands, its type with its api-version, what it is given."""
    for path in FILES:
        for name, declared in template(path).part("resources").items():
            yield f"{path.name}: {name}", f"{declared['type']}@{declared['api_version']}", body(declared)

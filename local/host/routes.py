"""Routes of HTTP triggers, as templates of ASP.NET Core routing match them.

Source: "Azure Functions HTTP trigger", customize the HTTP endpoint; "Routing in ASP.NET Core", route constraints.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from local.host.settings import HostError

CONSTRAINTS: Final = {
    "guid": re.compile(r"\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?|[0-9a-f]{32}", re.IGNORECASE),
    "int": re.compile(r"[+-]?\d{1,10}"),
    "long": re.compile(r"[+-]?\d{1,19}"),
    "bool": re.compile(r"true|false", re.IGNORECASE),
    "alpha": re.compile(r"[a-z]*", re.IGNORECASE),
}
PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(?::\w+)*)(?P<optional>\?)?\}")


@dataclass(frozen=True)
class Segment:
    """One part of a template between two slashes: a literal, or a parameter with its constraints."""

    literal: str | None
    name: str = ""
    constraints: tuple[str, ...] = ()
    optional: bool = False
    rest: bool = False

    @property
    def rank(self) -> int:
        """The order in which templates are tried: literals, then bound parameters, free ones, the rest."""
        if self.literal is not None:
            return 0
        return 3 if self.rest else 2 - bool(self.constraints)

    def accepts(self, value: str) -> bool:
        if self.literal is not None:
            return value.lower() == self.literal.lower()
        return all(CONSTRAINTS[name].fullmatch(value) for name in self.constraints)


def parse(template: str) -> tuple[Segment, ...]:
    """Reads a route template. Raises HostError for one that this host cannot match."""
    segments = tuple(_segment(part, template) for part in template.strip("/").split("/") if part)
    if any(segment.optional or segment.rest for segment in segments[:-1]):
        raise HostError(f"route {template!r}: only its last part may be optional or take the rest")
    return segments


def _segment(part: str, template: str) -> Segment:
    if "{" not in part:
        return Segment(part)
    match = PARAMETER.fullmatch(part)
    if match is None:
        raise HostError(f"route {template!r}: {part!r} is neither a literal nor one parameter")
    constraints = tuple(match["constraints"].split(":")[1:])
    unknown = [name for name in constraints if name not in CONSTRAINTS]
    if unknown:
        raise HostError(f"route {template!r}: this host does not know the constraint {unknown[0]!r}")
    return Segment(None, match["name"], constraints, match["optional"] is not None, bool(match["rest"]))


def match(segments: tuple[Segment, ...], path: str) -> dict[str, str] | None:
    """The route's values for a path without its prefix, percent-decoded; None where it does not fit."""
    parts = [part for part in path.split("/") if part]
    values: dict[str, str] = {}
    for position, segment in enumerate(segments):
        if segment.rest:
            return values | {segment.name: unquote("/".join(parts[position:]))}
        if position >= len(parts):
            return values if segment.optional else None
        value = unquote(parts[position])
        if not segment.accepts(value):
            return None
        if segment.literal is None:
            values[segment.name] = value
    return values if len(parts) <= len(segments) else None


def by_precedence[T](routes: Iterable[tuple[tuple[Segment, ...], T]]) -> list[tuple[tuple[Segment, ...], T]]:
    """The most particular template first, so that `items/new` wins over `items/{id}`."""
    return sorted(routes, key=lambda route: [segment.rank for segment in route[0]])

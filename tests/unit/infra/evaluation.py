"""What an expression of Bicep comes to. What is not known here is refused: nothing passes in silence.

`uniqueString` and `guid` give other values than Azure's, of the same form and just as fixed.
Source: Bicep's reference of functions and operators; BCP120 for what must be known when a deployment starts.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path
from typing import Any

from tests.unit.infra.language import Access, Array, BicepError, Constant, Function, Loop, Name, Object, Operation, Text

type Lookup = Callable[[str], Any]
START = {"id", "name", "type", "apiVersion"}
"""Members of a resource that are known when the deployment starts."""

COMPARED = {"==": eq, "!=": ne, ">": gt, "<": lt, ">=": ge, "<=": le}


@dataclass(frozen=True)
class Place:
    """Where a template is deployed: a subscription, or a group in it."""

    subscription: str
    group: str | None = None
    location: str = ""

    @property
    def id(self) -> str:
        root = f"/subscriptions/{self.subscription}"
        return f"{root}/resourceGroups/{self.group}" if self.group else root


@dataclass(frozen=True)
class Absent:
    """What is not made, because its condition does not hold."""

    symbol: str


@dataclass
class Resource:
    """One resource as it was made. `answer` is what Azure gives back, as far as it is known."""

    symbol: str
    type: str
    version: str
    id: str
    name: str
    place: Place
    body: dict[str, Any]
    answer: Mapping[str, Any] = field(default_factory=dict)
    sent: bool = False


@dataclass(frozen=True)
class Module:
    """One module after its deployment."""

    name: str
    outputs: Mapping[str, Any]


@dataclass
class Evaluator:
    """Evaluates the expressions of one file at one place."""

    path: Path
    place: Place
    tenant: str
    cloud: Mapping[str, Any]
    lookup: Lookup
    referred: Callable[[Resource, tuple[str, ...]], None]
    starting: bool = False
    """Whether only that counts which is known when the deployment starts: names, scopes, conditions, loops."""

    def value(self, expression: Any, local: Mapping[str, Any]) -> Any:
        match expression:
            case Constant(value):
                return value
            case Name(text):
                return local[text] if text in local else self.lookup(text)
            case Text(parts):
                return "".join(self.text(part, local) for part in parts)
            case Array(items):
                return [self.value(item, local) for item in items]
            case Object(pairs):
                return {self.value(key, local): self.value(one, local) for key, one in pairs}
            case Loop():
                return [self.value(expression.body, here) for here in self.turns(expression, local)]
            case Access():
                return self.access(expression, local)
            case Function(name, arguments):
                return self.call(name, arguments, local)
            case Operation(operator, operands):
                return self.operation(operator, operands, local)
        raise BicepError(f"{self.path.name}: {type(expression).__name__} is no value")

    def at_start(self, expression: Any, local: Mapping[str, Any]) -> Any:
        """The value of what Azure wants to know when the deployment starts."""
        before, self.starting = self.starting, True
        try:
            return self.value(expression, local)
        finally:
            self.starting = before

    def turns(self, loop: Loop, local: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The local names of each turn of a loop."""
        source = self.at_start(loop.source, local)
        if not isinstance(source, list):
            raise BicepError(f"{self.path.name}: a loop over {source!r}")
        return [{**local, loop.item: one, **({loop.index: i} if loop.index else {})} for i, one in enumerate(source)]

    def text(self, part: Any, local: Mapping[str, Any]) -> str:
        value = part if isinstance(part, str) else self.value(part, local)
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int):
            raise BicepError(f"{self.path.name}: {value!r} in a string")
        return str(value)

    def access(self, expression: Access, local: Mapping[str, Any]) -> Any:
        keys, root = [], expression
        while isinstance(root, Access):
            keys.insert(0, self.value(root.key, local))
            root = root.of
        value = self.value(root, local)
        for place, key in enumerate(keys):
            if isinstance(value, Resource) and key not in START:
                self.not_at_start(value.symbol)
                path = tuple(keys[place:])
                self.referred(value, path)
                return self.reach(value.answer, path, value.symbol)
            value = self.member(value, key)
        return value

    def not_at_start(self, symbol: str) -> None:
        if self.starting:
            raise BicepError(f"{self.path.name}: {symbol} is not known when the deployment starts (BCP120)")

    def member(self, value: Any, key: Any) -> Any:
        match value:
            case Resource():
                return value.version if key == "apiVersion" else getattr(value, key)
            case Module():
                self.not_at_start(value.name) if key == "outputs" else None
                return {"outputs": value.outputs, "name": value.name}[key]
            case Absent(symbol):
                raise BicepError(f"{self.path.name}: {symbol} is not made here, and its «{key}» is used")
        return self.reach(value, (key,), "it")

    def reach(self, value: Any, keys: tuple[Any, ...], what: str) -> Any:
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                raise BicepError(f"{self.path.name}: {what} has no «{'.'.join(map(str, keys))}»") from None
        return value

    def operation(self, operator: str, operands: tuple[Any, ...], local: Mapping[str, Any]) -> Any:
        first = self.value(operands[0], local)
        if operator in ("?:", "!", "&&", "||") and not isinstance(first, bool):
            raise BicepError(f"{self.path.name}: {first!r} is no condition")
        match operator:
            case "?:":
                return self.value(operands[1 if first else 2], local)
            case "!":
                return not first
            case "&&":
                return first and self.value(operands[1], local)
            case "||":
                return first or self.value(operands[1], local)
        second = self.value(operands[1], local)
        return COMPARED[operator](first, second)

    def call(self, name: str, arguments: tuple[Any, ...], local: Mapping[str, Any]) -> Any:
        given = [self.value(argument, local) for argument in arguments]
        match name, given:
            case "subscription", []:
                own = self.place.subscription
                return {"id": f"/subscriptions/{own}", "subscriptionId": own, "tenantId": self.tenant}
            case "subscription", [str(other)]:
                return Place(other)
            case "resourceGroup", [] if self.place.group:
                return {"id": self.place.id, "name": self.place.group, "location": self.place.location}
            case "resourceGroup", [str(other), str(group)]:
                return Place(other, group)
            case "environment", []:
                return self.cloud
            case "subscriptionResourceId", [str(kind), str(one)]:
                return f"/subscriptions/{self.place.subscription}/providers/{kind}/{one}"
            case "uniqueString", [*texts]:
                digest = hashlib.sha256("-".join(texts).encode()).digest()
                return base64.b32encode(digest).decode().lower()[:13]
            case "guid", [*texts]:
                return str(uuid.uuid5(uuid.NAMESPACE_URL, "-".join(texts)))
            case "toLower", [str(text)]:
                return text.lower()
            case "take", [str() | list() as whole, int(count)]:
                return whole[:count]
            case "replace", [str(whole), str(old), str(new)]:
                return whole.replace(old, new)
            case "split", [str(whole), str(between)]:
                return whole.split(between)
            case "startsWith", [str(whole), str(beginning)]:
                return whole.lower().startswith(beginning.lower())
            case "base64ToString", [str(text)]:
                return base64.b64decode(text, validate=True).decode()
            case "empty", [None | str() | list() | dict() as whole]:
                return not whole
            case "concat", [list(), *_] if all(isinstance(one, list) for one in given):
                return [one for part in given for one in part]
            case "union", [dict(), *_] if all(isinstance(one, dict) for one in given):
                return {key: value for one in given for key, value in one.items()}
            case "loadTextContent", [str(file)]:
                return (self.path.parent / file).read_text()
            case "loadJsonContent", [str(file)]:
                return json.loads((self.path.parent / file).read_text())
        raise BicepError(f"{self.path.name}: {name}({', '.join(map(repr, given))}) is not known here")

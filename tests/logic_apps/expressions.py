"""Expressions of the workflow definition language, as far as this project's definitions use them.

Source: Microsoft, "Schema reference for Workflow Definition Language in Azure Logic Apps" (expressions, operators) and
"Reference guide to workflow expression functions". What is not known here is refused, so that nothing passes untested.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cmg_core.domain.values import Json

type Function = Callable[..., Json]
type Functions = Mapping[str, Function]
"""By their names in lower case: functions are found without regard to case."""


class BadExpression(ValueError):
    """An expression that cannot be read, or that asks for what is not there: the action that has it fails."""


@dataclass(frozen=True)
class Literal:
    """A text, a number, true, false or null."""

    value: Json


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Part:
    """What lies under a key or at an index; with ``?`` null where there is nothing."""

    of: "Expression"
    key: "Expression"
    optional: bool


type Expression = Literal | Call | Part

_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?\d+(?:\.\d+)?)|([A-Za-z_]\w*)|([()\[\],?.]))")
_CONSTANTS: Mapping[str, Json] = {"true": True, "false": False, "null": None}


def parse(text: str) -> Expression:
    """Read an expression, without its «@». Raises BadExpression."""
    reader = _Reader(text)
    expression = reader.expression()
    if reader.at != len(text.rstrip()):
        raise BadExpression(f"«{text}»: more than one expression")
    return expression


def expressions_in(value: Json) -> Iterator[Expression]:
    """All expressions of a value, those in its objects and lists too. Raises BadExpression."""
    match value:
        case str():
            yield from (part for part in _parts(value) if not isinstance(part, str))
        case list():
            for each in value:
                yield from expressions_in(each)
        case dict():
            for key, each in value.items():
                yield from expressions_in(key)
                yield from expressions_in(each)


def calls_in(expression: Expression) -> Iterator[Call]:
    """All calls of functions in an expression."""
    match expression:
        case Call(_, arguments):
            yield expression
            for argument in arguments:
                yield from calls_in(argument)
        case Part(of, key, _):
            yield from calls_in(of)
            yield from calls_in(key)


def evaluate(value: Json, functions: Functions) -> Json:
    """A value with all its expressions replaced by what they come to. Raises BadExpression."""
    match value:
        case str():
            parts = list(_parts(value))
            if len(parts) == 1 and value.startswith("@") and not value.startswith(("@@", "@{")):
                return _value(parts[0], functions) if not isinstance(parts[0], str) else parts[0]
            return "".join(part if isinstance(part, str) else text_of(_value(part, functions)) for part in parts)
        case list():
            return [evaluate(each, functions) for each in value]
        case dict():
            return {text_of(evaluate(key, functions)): evaluate(each, functions) for key, each in value.items()}
    return value


def text_of(value: Json) -> str:
    """A value inside of a text: nothing for null, «True» and «False», JSON for objects and lists."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | int() | float():
            return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parts(text: str) -> Iterator[str | Expression]:
    """A text's literal parts and its expressions, in order."""
    if text.startswith("@") and not text.startswith(("@@", "@{")):
        yield parse(text[1:])
        return
    at = 0
    while (found := text.find("@", at)) >= 0:
        if text.startswith("@@", found):
            yield text[at : found + 1]
            at = found + 2
        elif text.startswith("@{", found):
            reader = _Reader(text, found + 2)
            yield text[at:found]
            yield reader.expression()
            at = reader.closed()
        else:
            yield text[at : found + 1]
            at = found + 1
    yield text[at:]


def _value(expression: Expression, functions: Functions) -> Json:
    match expression:
        case Literal(value):
            return value
        case Call(name, arguments):
            function = functions.get(name.lower())
            if function is None:
                raise BadExpression(f"the function {name} is not known here")
            return function(*(_value(argument, functions) for argument in arguments))
        case Part(of, key, optional):
            return _part(_value(of, functions), _value(key, functions), optional)


def _part(of: Json, key: Json, optional: bool) -> Json:
    match of, key:
        case dict(), str() if key in of:
            return of[key]
        case list(), int() if -1 < key < len(of):
            return of[key]
        case ((dict() | None), _) if optional:
            return None
    raise BadExpression(f"there is no «{key}» in {'nothing' if of is None else type(of).__name__}")


class _Reader:
    """Reads from left to right."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text, self.at = text, at

    def expression(self) -> Expression:
        literal, number, name, mark = self._next()
        found: Expression
        if literal is not None:
            found = Literal(literal.replace("''", "'"))
        elif number is not None:
            found = Literal(float(number) if "." in number else int(number))
        elif name is not None and name.lower() in _CONSTANTS:
            found = Literal(_CONSTANTS[name.lower()])
        elif name is not None:
            found = Call(name, self._arguments())
        else:
            raise BadExpression(f"«{self.text}»: «{mark}» begins no expression")
        return self._parts_of(found)

    def closed(self) -> int:
        """Past the brace that ends an expression in a text."""
        rest = self.text[self.at :].lstrip()
        if not rest.startswith("}"):
            raise BadExpression(f"«{self.text}»: an expression is not closed")
        return len(self.text) - len(rest) + 1

    def _arguments(self) -> tuple[Expression, ...]:
        self._take("(")
        if self._peek() == ")":
            self._take(")")
            return ()
        arguments = [self.expression()]
        while self._peek() == ",":
            self._take(",")
            arguments.append(self.expression())
        self._take(")")
        return tuple(arguments)

    def _parts_of(self, of: Expression) -> Expression:
        while (mark := self._peek()) in ("?", "[", "."):
            if mark == "?":
                self._take("?")
            if self._peek() == "[":
                self._take("[")
                of = Part(of, self.expression(), mark == "?")
                self._take("]")
            else:
                self._take(".")
                of = Part(of, Literal(self._next()[2] or ""), mark == "?")
        return of

    def _peek(self) -> str | None:
        found = _TOKEN.match(self.text, self.at)
        return found[4] if found else None

    def _take(self, mark: str) -> None:
        if self._next()[3] != mark:
            raise BadExpression(f"«{self.text}»: «{mark}» is missing")

    def _next(self) -> tuple[str | None, str | None, str | None, str | None]:
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            raise BadExpression(f"«{self.text}»: cannot be read from position {self.at} on")
        self.at = found.end()
        return found[1], found[2], found[3], found[4]

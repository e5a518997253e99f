"""A reader of the Bicep that these files use, for who wants to evaluate it.

``pycep`` tells what a file declares, and `templates.py` uses it for that. It cannot serve an evaluation: it drops the
quotes, so that ``'app'`` and ``app`` are one, leaves what stands in ``${…}`` as text, and reads ``a == b ? c : d`` as
``a == (b ? c : d)``. What is not read here is refused with its line: operators that no file uses, types and functions
of one's own, imports, nested resources.
Source: Bicep's grammar (Azure/bicep, docs/grammar.md) and its table of operators.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BINARY = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, ">": 4, "<=": 4, ">=": 4}
ESCAPES = {"'": "'", "\\": "\\", "n": "\n", "t": "\t", "r": "\r", "$": "$"}
DECORATORS = {
    "param": {"allowed", "description", "maxLength", "maxValue", "metadata", "minLength", "minValue", "secure"},
    "output": {"description", "maxLength", "maxValue", "metadata", "minLength", "minValue", "secure"},
    "var": {"description"},
    "resource": {"batchSize", "description"},
    "module": {"batchSize", "description"},
}
"""Which decorators a declaration takes, of those that these files may use."""
CONSTANTS = {"true": True, "false": False, "null": None}
SPACE = re.compile(r"(?:[ \t]|//[^\n]*)*")
LINES = re.compile(r"(?:\s|//[^\n]*)*")
WORD = re.compile(r"[A-Za-z_]\w*")


class BicepError(Exception):
    """What is wrong, or not understood, and where."""


@dataclass(frozen=True)
class Name:
    text: str


@dataclass(frozen=True)
class Constant:
    value: str | int | bool | None


@dataclass(frozen=True)
class Text:
    """A string with expressions in it."""

    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Array:
    items: tuple[Any, ...]


@dataclass(frozen=True)
class Object:
    pairs: tuple[tuple[Any, Any], ...]

    def get(self, key: str) -> Any:
        """The expression below a key; None where it is not given."""
        return next((value for name, value in self.pairs if name == Constant(key)), None)

    def without(self, *keys: str) -> "Object":
        return Object(tuple(pair for pair in self.pairs if pair[0] not in [Constant(key) for key in keys]))


@dataclass(frozen=True)
class Loop:
    item: str
    index: str | None
    source: Any
    body: Any


@dataclass(frozen=True)
class Condition:
    """A resource or module that is made only if."""

    test: Any
    body: Any


@dataclass(frozen=True)
class Access:
    of: Any
    key: Any


@dataclass(frozen=True)
class Function:
    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Operation:
    operator: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Declared:
    """One parameter, variable, resource, module or output. `of` is its type, with the api-version, or its path."""

    kind: str
    name: str
    of: str
    value: Any
    decorators: Mapping[str, Any] = field(default_factory=dict)
    existing: bool = False


class Reader:
    """Reads one file from its beginning to its end."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where, self.at = text, where, 0

    def fail(self, message: str) -> BicepError:
        return BicepError(f"{self.where}:{self.text.count('\n', 0, self.at) + 1}: {message}")

    def take(self, pattern: str | re.Pattern[str]) -> str | None:
        found = re.compile(pattern).match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return found[0]

    def same_line(self, token: str) -> bool:
        """Whether a token is next in this line, and is taken."""
        start = self.at
        self.take(SPACE)
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        self.at = start
        return False

    def next(self, token: str) -> bool:
        """Whether a token is next, in this line or a later one, and is taken."""
        self.take(LINES)
        return self.same_line(token)

    def need(self, token: str) -> None:
        if not self.next(token):
            raise self.fail(f"«{token}» is missing before «{self.text[self.at : self.at + 20]}»")

    def word(self) -> str:
        self.take(LINES)
        found = self.take(WORD)
        if not found:
            raise self.fail(f"a name is missing before «{self.text[self.at : self.at + 20]}»")
        return found

    def file(self) -> tuple[str, list[Declared]]:
        """The target scope, and all that is declared."""
        scope, declared, decorators = "resourceGroup", [], {}
        while self.take(LINES) is not None and self.at < len(self.text):
            if self.same_line("@"):
                call = self.postfix()
                if not isinstance(call, Function):
                    raise self.fail("a decorator is a call")
                decorators[call.name] = call.arguments[0] if call.arguments else Constant(None)
                continue
            kind = self.word()
            if kind == "targetScope":
                self.need("=")
                scope = str(self.literal())
                continue
            declared.append(self.declaration(kind, decorators))
            decorators = {}
        return scope, declared

    def declaration(self, kind: str, decorators: Mapping[str, Any]) -> Declared:
        if kind not in ("param", "var", "resource", "module", "output"):
            raise self.fail(f"«{kind}» is not understood here")
        name, of, existing = self.word(), "", False
        if kind in ("param", "output"):
            of = self.word()
        elif kind in ("resource", "module"):
            of, existing = self.literal(), self.next("existing")
        if kind == "param" and not self.same_line("="):
            return Declared(kind, name, of, None, decorators)
        if kind != "param":
            self.need("=")
        value = self.body()
        if wrong := decorators.keys() - DECORATORS[kind]:
            raise self.fail(f"{sorted(wrong)} does not stand before a {kind}")
        if "batchSize" in decorators and not isinstance(value, Loop):
            raise self.fail("batchSize stands before a loop")
        return Declared(kind, name, of, value, decorators, existing)

    def literal(self) -> str:
        value = self.expression()
        if not isinstance(value, Constant) or not isinstance(value.value, str):
            raise self.fail("a plain string is wanted here")
        return value.value

    def body(self) -> Any:
        """An expression, or one under a condition."""
        if self.next("if ") or self.next("if("):
            self.at -= self.text[self.at - 1] == "("
            self.need("(")
            test = self.expression()
            self.need(")")
            return Condition(test, self.body())
        return self.expression()

    def expression(self) -> Any:
        test = self.binary(1)
        if not self.same_line("?"):
            return test
        yes = self.expression()
        self.need(":")
        return Operation("?:", (test, yes, self.expression()))

    def binary(self, level: int) -> Any:
        left = self.unary()
        while True:
            start = self.at
            self.take(SPACE)
            operator = self.take(r"\|\||&&|==|!=|<=|>=|<|>")
            if operator is None or BINARY[operator] < level:
                self.at = start
                return left
            left = Operation(operator, (left, self.binary(BINARY[operator] + 1)))

    def unary(self) -> Any:
        return Operation("!", (self.unary(),)) if self.next("!") else self.postfix()

    def postfix(self) -> Any:
        value = self.primary()
        while True:
            if self.same_line("."):
                value = Access(value, Constant(self.word()))
            elif self.same_line("["):
                value = Access(value, self.expression())
                self.need("]")
            elif isinstance(value, Name) and self.same_line("("):
                value = Function(value.text, tuple(self.items(")", separated=True)))
            else:
                return value

    def primary(self) -> Any:
        if self.next("'"):
            return self.string()
        if self.next("["):
            return self.loop() if self.next("for ") else Array(tuple(self.items("]")))
        if self.next("{"):
            return Object(tuple(self.pairs()))
        if self.next("("):
            inner = self.expression()
            self.need(")")
            return inner
        number = self.take(r"-?\d+")
        if number:
            return Constant(int(number))
        word = self.word()
        return Constant(CONSTANTS[word]) if word in CONSTANTS else Name(word)

    def items(self, end: str, *, separated: bool = False) -> list[Any]:
        found: list[Any] = []
        while not self.next(end):
            if separated and found:
                self.need(",")
            found.append(self.expression())
            if not separated:
                self.next(",")
        return found

    def pairs(self) -> list[tuple[Any, Any]]:
        found: list[tuple[Any, Any]] = []
        while not self.next("}"):
            key = self.string() if self.next("'") else Constant(self.word())
            if any(key == other for other, _ in found):
                raise self.fail(f"the key {key} stands twice")
            self.need(":")
            found.append((key, self.expression()))
            self.next(",")
        return found

    def loop(self) -> Loop:
        index = None
        if self.next("("):
            item = self.word()
            self.need(",")
            index = self.word()
            self.need(")")
        else:
            item = self.word()
        self.need("in")
        source = self.expression()
        self.need(":")
        inner = self.body()
        self.need("]")
        return Loop(item, index, source, inner)

    def string(self) -> Any:
        """What follows an opening quote."""
        if self.text.startswith("''", self.at):
            raise self.fail("strings of many lines are not understood here")
        parts: list[Any] = [""]
        while not self.text.startswith("'", self.at):
            if self.text.startswith("${", self.at):
                self.at += 2
                parts += [self.expression(), ""]
                self.need("}")
            elif self.text.startswith("\\", self.at):
                parts[-1] += ESCAPES[self.text[self.at + 1]]
                self.at += 2
            else:
                parts[-1] += self.text[self.at]
                self.at += 1
        self.at += 1
        return Constant(parts[0]) if len(parts) == 1 else Text(tuple(parts))

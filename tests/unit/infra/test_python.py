"""The scripts that `azd` runs, by the Python that is on the machine and not by the project's: macOS brings 3.9."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.infra.templates import INFRA

SCRIPTS = sorted(INFRA.glob("*.py"))
NEWER_NAMES = {
    "datetime": {"UTC"},
    "enum": {"StrEnum", "ReprEnum", "verify"},
    "inspect": {"get_annotations"},
    "itertools": {"batched", "pairwise"},
    "typing": {
        "Concatenate", "LiteralString", "Never", "NotRequired", "ParamSpec", "Required", "Self", "TypeAlias",
        "TypeGuard", "TypeVarTuple", "Unpack", "assert_never", "assert_type", "override", "reveal_type",
    },
}  # fmt: skip
"""Names that modules got after 3.9, among those that are likely here. Source: "What's New in Python" 3.10 to 3.13."""
NEWER_MODULES = {"tomllib"}
NEWER_ARGUMENTS = {"zip": {"strict"}, "dataclass": {"slots", "kw_only"}}
"""Of what is called by this name."""


def newer_than_3_9(source: str) -> Iterator[str]:
    """What fails on 3.9 though its grammar takes it."""
    for node in ast.walk(ast.parse(source, feature_version=(3, 9))):
        match node:
            case ast.ImportFrom(module=str(module)):
                yield from (f"{module}.{one.name}" for one in node.names if one.name in NEWER_NAMES.get(module, ()))
                yield from {module} & NEWER_MODULES
            case ast.Import():
                yield from {one.name for one in node.names} & NEWER_MODULES
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in NEWER_NAMES.get(module, ()):
                yield f"{module}.{name}"
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                given = {keyword.arg for keyword in node.keywords}
                yield from (f"{name}({one}=)" for one in sorted(NEWER_ARGUMENTS.get(name, set()) & given))
            case ast.BinOp(op=ast.BitOr(), left=left, right=right) if is_type(left) or is_type(right):
                yield ast.unparse(node)


def is_type(node: ast.expr) -> bool:
    """Whether `|` beside it makes a union, which 3.9 evaluates where it is not quoted."""
    match node:
        case ast.Constant(value=None):
            return True
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            return name in {"str", "int", "float", "bool", "bytes", "list", "dict", "tuple", "set", "frozenset"}
    return False


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_it_runs_by_the_python_that_is_on_the_machine(script: Path) -> None:
    assert list(newer_than_3_9(script.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "def found() -> str | None: ...",
        "def found(one: list[str] | Path): ...",
        "one: Path | None = None",
        "from datetime import UTC",
        "import datetime\ndatetime.UTC",
        "zip([], [], strict=True)",
        "@dataclass(slots=True)\nclass One: ...",
        "import tomllib",
    ],
)
def test_what_3_9_does_not_know_is_found(source: str) -> None:
    assert list(newer_than_3_9(source)) != []


def test_what_3_9_knows_is_taken() -> None:
    assert list(newer_than_3_9('def found(one: "str | None") -> "dict[str, int] | None":\n    return {} | flags')) == []


def test_its_grammar_is_3_9s() -> None:
    with pytest.raises(SyntaxError):
        list(newer_than_3_9("match 1:\n    case _:\n        pass"))

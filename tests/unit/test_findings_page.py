"""Every finding that the product can tell has its section in docs/findings.md, and every section a finding."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cmg_core.domain.makers import ABOUT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/findings.md"
SAYING = frozenset({"blocks", "warns", "tells", "unknown", "Finding", "Row"})
"""What says a finding, its code first or as `code`; a `Row` of the table of releases does."""

SHIPPED = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted((ROOT / "cmg_core").rglob("*.py"))}


def _constants(trees: list[ast.Module]) -> dict[str, str]:
    """Names that stand for texts at the top of modules."""
    return {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _sayings(tree: ast.AST, names: frozenset[str]) -> Iterator[tuple[ast.expr, int]]:
    """The codes that calls of these functions give, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            given = [word.value for word in node.keywords if word.arg == "code"] or node.args[:1]
            yield from ((code, node.lineno) for code in given)


def _hands_on(tree: ast.AST, names: frozenset[str]) -> frozenset[str]:
    """Functions of a module that take a `code` and say it: what calls them says findings, too."""
    found = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "code" in [argument.arg for argument in node.args.args]
        for code, _ in _sayings(node, names)
        if isinstance(code, ast.Name) and code.id == "code"
    }
    return frozenset(found)


def codes_in(tree: ast.Module, constants: dict[str, str]) -> Iterator[str]:
    """The codes of a module's findings. One that cannot be read is given as it is written, so that a test names it."""
    saying = SAYING
    while more := _hands_on(tree, saying) - saying:
        saying |= more
    for code, line in _sayings(tree, saying):
        match code:
            case ast.Constant(value=str(told)):
                yield told
            case ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other))):
                yield from (one, other)
            case ast.Name(id="code") | ast.Attribute(value=ast.Name(id="row"), attr="code"):
                pass
            case ast.Name(id=name) if name in constants:
                yield constants[name]
            case _:
                yield f"line {line}: {ast.unparse(code)}"


def told() -> set[str]:
    shared = _constants(list(SHIPPED.values()))
    return {code for tree in SHIPPED.values() for code in codes_in(tree, shared | _constants([tree]))}


def sections() -> dict[str, str]:
    """The page's sections by their headings."""
    parts = re.split(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(parts[1::2]) == len(set(parts[1::2])), "a code has two sections"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_code_has_a_section_and_each_section_a_code() -> None:
    assert sorted(sections()) == sorted(told())


def test_sections_are_in_order_so_that_each_has_one_place() -> None:
    assert list(sections()) == sorted(sections())


@pytest.mark.parametrize("code", sorted(sections()))
def test_a_section_says_what_was_seen_why_it_matters_and_what_to_do(code: str) -> None:
    section = sections()[code]
    assert re.match(r"\n(\*(blocks|warns|tells|unknown)\*(, | or )?)+[^\n]+\.\n", section), "severity and check first"
    assert re.search(
        r"\n\*\*Seen:\*\* .{20,}\n\*\*Why it matters:\*\* .{20,}\n\*\*What to do:\*\* .{10,}", section, re.DOTALL
    )


def test_each_code_that_is_about_some_makers_only_is_told() -> None:
    assert sorted(ABOUT.keys() - told()) == []
    assert {maker for makers in ABOUT.values() for maker in makers} <= {"automation", "site", "existing"}


def test_codes_are_found_wherever_they_are_said() -> None:
    tree = ast.parse(
        """
NAMED = "by-name"
def refused(code, seen):
    return blocks(code, seen)
def outer(code):
    return refused(code, "x")
def judge(x):
    def inner(code):
        return (warns(code, "y"),)
    return [blocks("plain"), Finding(severity=x, code="as-a-word"), refused("handed-on"), outer("twice"),
            inner("inside"), tells(NAMED), unknown("one" if x else "other"), tells(x.code), _refused(x, 1)]
"""
    )
    assert sorted(codes_in(tree, _constants([tree]))) == [
        "as-a-word", "by-name", "handed-on", "inside", "line 11: x.code", "one", "other", "plain", "twice"
    ]  # fmt: skip

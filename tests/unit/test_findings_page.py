"""Every finding that the product can tell has its section in findings.md, and every section a finding."""

import ast
import re
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from cmg_core.domain.makers import ABOUT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "cmg_core/description/findings.md"
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


class Saying(NamedTuple):
    """One call that says a finding."""

    code: ast.expr
    severity: str
    line: int


def _sayings(tree: ast.AST, saying: Mapping[str, str]) -> Iterator[Saying]:
    """The calls of these functions, each with the severity that it says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in saying:
            words = {word.arg: word.value for word in node.keywords}
            said = [
                given.attr.lower()
                for given in (*node.args, *words.values())
                if isinstance(given, ast.Attribute) and ast.unparse(given.value) == "Severity"
            ]
            for code in [words["code"]] if "code" in words else node.args[:1]:
                yield Saying(code, said[0] if said else saying[node.func.id], node.lineno)


def _hands_on(tree: ast.AST, saying: Mapping[str, str]) -> dict[str, str]:
    """Functions of a module that take a `code` and say it: what calls them says findings, too."""
    return {
        node.name: said.severity
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "code" in [argument.arg for argument in node.args.args]
        for said in _sayings(node, saying)
        if isinstance(said.code, ast.Name) and said.code.id == "code"
    }


def _chosen(tree: ast.AST, saying: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names that stand for one of two such functions (``say = warns if … else blocks``), with each one's severity."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign([ast.Name(id=name)], ast.IfExp(body=ast.Name(id=one), orelse=ast.Name(id=other))):
                yield from ((name, saying[each]) for each in (one, other) if each in saying)


def codes_in(tree: ast.Module, constants: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The codes of a module's findings with their severities. A code that cannot be read is given as it is written, so
    that a test names it."""
    saying = dict(zip(SAYING, SAYING, strict=True))
    while (more := _hands_on(tree, saying)).keys() - saying.keys():
        saying |= more
    either = (said for name, severity in _chosen(tree, saying) for said in _sayings(tree, {name: severity}))
    for code, severity, line in (*_sayings(tree, saying), *either):
        match code:
            case ast.Constant(value=str(told)):
                yield told, severity
            case ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other))):
                yield from ((one, severity), (other, severity))
            case ast.Name(id="code") | ast.Attribute(value=ast.Name(id="row"), attr="code"):
                pass
            case ast.Name(id=name) if name in constants:
                yield constants[name], severity
            case _:
                yield f"line {line}: {ast.unparse(code)}", severity


@cache
def told() -> Mapping[str, Set[str]]:
    """Each code with the severities that it is said with."""
    shared, found = _constants(list(SHIPPED.values())), dict[str, set[str]]()
    for tree in SHIPPED.values():
        for code, severity in codes_in(tree, shared | _constants([tree])):
            found.setdefault(code, set()).add(severity)
    return found


def sections() -> dict[str, str]:
    """The page's sections by their headings."""
    parts = re.split(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(parts[1::2]) == len(set(parts[1::2])), "a code has two sections"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_code_has_a_section_and_each_section_a_code() -> None:
    assert sorted(sections()) == sorted(told())


def test_sections_are_in_order_so_that_each_has_one_place() -> None:
    assert list(sections()) == sorted(sections())


SOFTENED = {"subscription-not-enabled": "a warning where only the old gateway lies there (looks/neighbours)"}
"""Findings that are said with one severity and handed on with another."""


@pytest.mark.parametrize("code", sorted(sections().keys() & told().keys()))
def test_a_section_begins_with_the_severities_that_the_code_says(code: str) -> None:
    first = re.match(r"\n((\*\w+\*(, | or )?)+)", sections()[code])
    assert first
    written, said = set(re.findall(r"\w+(?=\*)", first[1])), told()[code]
    if code in SOFTENED or "Finding" in said:  # a severity that is worked out cannot be read here
        assert written >= said - {"Finding"}
    else:
        assert written == said


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
    say = warns if x else blocks
    say("chosen", "z")
    return [blocks("plain"), Finding(severity=Severity.WARNS, code="as-a-word"), refused("handed-on"), outer("twice"),
            inner("inside"), tells(NAMED), unknown("one" if x else "other"), tells(x.code), _refused(x, 1)]
"""
    )
    assert sorted(codes_in(tree, _constants([tree]))) == [
        ("as-a-word", "warns"),
        ("by-name", "tells"),
        ("chosen", "blocks"),
        ("chosen", "warns"),
        ("handed-on", "blocks"),
        ("inside", "warns"),
        ("line 13: x.code", "tells"),
        ("one", "unknown"),
        ("other", "unknown"),
        ("plain", "blocks"),
        ("twice", "blocks"),
    ]

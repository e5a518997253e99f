"""The reader and evaluator of Bicep: what they read as Bicep does, and what they refuse."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.deployment import Deployment
from tests.unit.infra.evaluation import Place
from tests.unit.infra.language import BicepError, Reader
from tests.unit.infra.templates import FILES, template

HERE = Place("22222222-2222-4222-8222-222222222222", "rg-cmg", "eastus")
WORKSPACE = "'Microsoft.OperationalInsights/workspaces@2023-09-01'"


def outputs(folder: Path, text: str) -> Mapping[str, Any]:
    """What a file of this text comes to; resources give back what they are given."""
    file = folder / "some.bicep"
    file.write_text(text)
    return Deployment(lambda made: made.body, "tenant", {}).run(file, HERE, {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_reads_what_pycep_reads(path: Path) -> None:
    _, declared = Reader(path.read_text(), path.name).file()
    for kind, part in {"param": "parameters", "var": "variables", "resource": "resources", "module": "modules"}.items():
        assert [one.name for one in declared if one.kind == kind] == list(template(path).part(part))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' == 'b' ? 1 : 2", 2),
        ("'a' == ('b' == 'b' ? 'a' : 'c')", True),
        ("!true || true && false ? 'yes' : 'no'", "no"),
        ("here", "it"),
        ("'here'", "here"),
        ("'${here}s in ${'a${here}'}, \\'so\\''", "its in ait, 'so'"),
        ("[for (one, i) in ['a', 'b']: '${one}${i}']", ["a0", "b1"]),
        ("union({ a: 1 }, { a: 2, 'b-c': here }).a", 2),
        ("[here\n  'b' // why\n][1]", "b"),
        ("resourceGroup().location", "eastus"),
    ],
)
def test_an_expression_comes_to_its_value(tmp_path: Path, expression: str, value: object) -> None:
    kind = {str: "string", bool: "bool", int: "int", list: "array"}[type(value)]
    assert outputs(tmp_path, f"var here = 'it'\noutput is {kind} = {expression}\n") == {"is": value}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("output is string = there", "«there» is not declared"),
        ("output is string = 1", "«is» is a string"),
        ("output is string = listKeys('a', 'b')", "listKeys.* is not known here"),
        ("output is object = union({ a: { b: 1 } }, { a: { c: 1 } }, [])", "union.* is not known here"),
        ("output is int = 1 % 2", "is missing|a name"),
        ("output is string = 'a'.b", "has no «b»"),
        ("var a = b\nvar b = a\noutput is string = a", "needs itself"),
        (f"resource one {WORKSPACE} existing = {{ name: 'one' }}", "is not understood here"),
        (
            f"resource one {WORKSPACE} = {{ name: two.properties.x }}\nresource two {WORKSPACE} = {{ name: 'b' }}",
            "BCP120",
        ),
        (f"resource one {WORKSPACE} = {{ name: 'one', tags: one.tags }}", "needs itself"),
        (f"resource one {WORKSPACE} = if (false) {{ name: 'one' }}\noutput is string = one.id", "is not made here"),
        (f"resource one {WORKSPACE} = {{ name: 'one', properties: {{ a: resourceGroup }} }}", "is not declared"),
        ("type mine = string", "«type» is not understood"),
        ("func f() string => 'a'", "«func» is not understood"),
        ("param a string", "is missing"),
        (f"resource one {WORKSPACE} = {{ name: 'one', kind: null }}", "is null"),
        ("@batchSize(1)\nvar a = ['b']", "does not stand before a var"),
        (f"@secure()\nresource one {WORKSPACE} = {{ name: 'one' }}", "does not stand before a resource"),
        (f"@batchSize(1)\nresource one {WORKSPACE} = {{ name: 'one' }}", "stands before a loop"),
    ],
)
def test_what_is_wrong_or_not_understood_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BicepError, match=why):
        outputs(tmp_path, f"{text}\n")

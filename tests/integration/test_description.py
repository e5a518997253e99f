"""The description is whole, right by OpenAPI's own rules, and its examples are what the app answers."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from cmg_core.description.document import Served, document
from cmg_core.description.examples import Example, recorded
from cmg_core.description.page import docs_page
from cmg_core.description.problem_types import problem_types
from cmg_core.description.table import CALLS, STATUSES, problems_of
from cmg_core.domain.values import Json, JsonObject, at, text_at
from cmg_core.triggers.http import ROUTES
from local.dev.examples import play, scripts
from tests.serving import description

ROOT = Path(__file__).parents[2]
DOCUMENT = description()
EXAMPLES = recorded()
IDS = [f"{each.call}-{each.name}" for each in EXAMPLES]
FRESH = re.compile(r"\b[0-9A-F]{40}\b|\b[0-9a-f]{64}\b")
"""Hashes of certificates that the simulator makes anew each time."""


def operations() -> Iterator[tuple[str, str, JsonObject]]:
    """Method, path and operation of all that is described."""
    for path, item in DOCUMENT["paths"].items():  # type: ignore[union-attr]  # JSON
        for method, operation in item.items():
            yield method, path, operation


def operation_of(call: str) -> JsonObject:
    return next(operation for _, _, operation in operations() if operation["operationId"] == call)


def mistakes(schema: Json, value: object) -> list[str]:
    whole = {"allOf": [schema], "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def test_it_is_openapi_3_1() -> None:
    assert text_at(DOCUMENT, "openapi").startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_route_is_described_and_nothing_else() -> None:
    assert {route.name for route in ROUTES} == set(CALLS)
    described = {(method.upper(), path, operation["operationId"]) for method, path, operation in operations()}
    assert described == {(route.method, f"/{route.path}", route.name) for route in ROUTES}


def test_a_route_without_a_line_is_noticed() -> None:
    with pytest.raises(KeyError, match="show-moon"):
        document([Served("show-moon", "GET", "moon", needs_key=True)])


@pytest.mark.parametrize("route", ROUTES, ids=[route.name for route in ROUTES])
def test_who_needs_a_key_has_a_role_and_says_what_a_wrong_one_brings(route: object) -> None:
    assert hasattr(route, "name") and hasattr(route, "level")
    operation, open_to_all = operation_of(route.name), route.level.value == "anonymous"
    assert (operation["x-roles"] == []) == open_to_all
    assert operation["security"] == ([] if open_to_all else [{"functionKey": []}, {"entraId": []}])
    assert ("401" in operation["responses"]) != open_to_all  # type: ignore[operator]  # JSON


def test_every_answer_of_the_app_has_its_correlation_id_and_202_leads_on() -> None:
    for _, path, operation in operations():
        for status, answer in operation["responses"].items():  # type: ignore[union-attr]  # JSON
            assert "x-correlation-id" in answer["headers"], path
            if status == "202":
                assert {"Location", "Retry-After"} <= answer["headers"].keys()
                assert {"show-operation", "show-deployment"} <= answer["links"].keys()


def problems_in(source: str) -> Iterator[tuple[str, int]]:
    """Code and status of all ``Problem(code=…)`` with literals; a status that is left out is 409."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            said = {word.arg: word.value for word in node.keywords}
            code, status = said.get("code"), said.get("status", ast.Constant(409))
            if isinstance(code, ast.Constant) and isinstance(status, ast.Constant):
                yield str(code.value), int(str(status.value))


def test_calls_are_answered_with_the_problems_that_the_table_knows() -> None:
    files = [ROOT / "cmg_core/calls.py", ROOT / "cmg_core/listing.py", *(ROOT / "cmg_core/triggers").glob("*.py")]
    told = {problem for file in files for problem in problems_in(file.read_text(encoding="utf-8"))}
    assert told <= set(STATUSES.items())
    of_calls = {code for call in CALLS.values() for code in problems_of(call)}
    assert of_calls == set(STATUSES)
    assert of_calls <= problem_types().keys()


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_an_example_fits_the_schemas(example: Example) -> None:
    operation = operation_of(example.call)
    answers = at(operation, "responses", str(example.status))
    if example.status == 204:
        assert (example.answer, at(answers, "content")) == ("", None)
        return
    answer = at(answers, "content", example.media_type)
    assert mistakes(at(answer, "schema"), example.answer) == []
    assert example.name in at(answer, "examples")  # type: ignore[operator]  # JSON
    body = at(operation, "requestBody", "content", "application/json", "schema")
    if example.status < 400 and body is not None:
        assert mistakes(body, example.body) == []


def test_the_examples_are_what_the_app_answers() -> None:
    """`python -m local.dev.examples` records them anew."""
    played = play(tuple(scripts()))
    assert [FRESH.sub("…", each.model_dump_json()) for each in played] == [
        FRESH.sub("…", each.model_dump_json()) for each in EXAMPLES
    ]


def test_every_call_with_a_body_has_an_example_of_it() -> None:
    for _, path, operation in operations():
        content = at(operation, "requestBody", "content", "application/json")
        assert content is None or at(content, "examples"), path


def test_each_place_of_a_request_says_what_it_takes() -> None:
    """As the refusal of a wrong value does; `kind` is told by the address that is called."""
    schemas = DOCUMENT["components"]["schemas"]  # type: ignore[index,call-overload]  # JSON
    for model in ("MigrationRequest", "CertificateReference", "OldGatewayReference", "SiteFacts", "GateChoices"):
        for key, field in schemas[model]["properties"].items():  # type: ignore[index,call-overload]  # JSON
            assert "Give " in text_at(field, "description"), f"{model}.{key}"


def test_what_is_told_of_problems_and_findings_ships() -> None:
    lines = (ROOT / ".funcignore").read_text().splitlines()
    assert "docs/" not in lines
    for page in ("errors", "findings"):
        assert lines.index(f"!docs/{page}.md") > lines.index("docs/*")


def test_the_page_leads_from_its_top_to_every_call_and_folds_refusals() -> None:
    page = docs_page(DOCUMENT)
    top, _, rest = page.partition("<section")
    for method, path, operation in operations():
        name = text_at(operation, "operationId")
        assert f'<a href="#{name}">' in top, path
        assert rest.count(f'<h3 id="{name}"><span class="method {method}">') == 1
    open_at_once = re.sub(r"<details><summary>Refusals.*?</article>", "", rest, flags=re.DOTALL)
    assert "<b>200</b>" in open_at_once
    assert not re.search(r"<b>[45]\d\d</b>", open_at_once)


def test_no_secret_and_no_other_host_is_in_it() -> None:
    text = json.dumps(DOCUMENT)
    assert "the-key-of" not in text
    assert not re.search(r"AccountKey|BEGIN [A-Z ]*PRIVATE", text)

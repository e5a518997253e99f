"""Expressions of workflow definitions: what they come to, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.values import Json
from tests.logic_apps.expressions import BadExpression, calls_in, evaluate, expressions_in, parse

BODY: Json = {"id": "7", "items": [{"name": "a"}], "yes": True, "it's": None, "count": 2}
FUNCTIONS = {
    "body": lambda name: BODY if name == "It" else None,
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("@body('It')", BODY),
        ("@body('It')?['items']?[0]?['name']", "a"),
        ("@body('It')['items'][0].name", "a"),
        ("@BODY('It')?.count", 2),
        ("@body('It')?['nothing']", None),
        ("@body('Other')?['id']?['deeper']", None),
        ("@coalesce(body('It')?['it''s'], 'or this')", "or this"),
        ("@coalesce(null, -1.5)", -1.5),
        ("@coalesce()", None),
        ("@true", True),
        ("id @{body('It')?['id']}: @{body('It')?['yes']}, @{body('It')?['none']}.", "id 7: True, ."),
        ("@{body('It')?['items']}", '[{"name":"a"}]'),
        ("@@body('It')", "@body('It')"),
        ("me@contoso.com @@{x}", "me@contoso.com @{x}"),
        (["@body('It')?['id']", 1], ["7", 1]),
        ({"@{body('It')?['id']}": "@body('It')?['count']"}, {"7": 2}),
        (None, None),
    ],
)
def test_an_expression_comes_to_its_value(written: Json, value: Json) -> None:
    assert evaluate(written, FUNCTIONS) == value


@pytest.mark.parametrize(
    "written",
    [
        "@body('It')['nothing']",
        "@body('Other')['id']",
        "@body('It')?['items'][7]",
        "@unknown()",
        "@body('It'",
        "@body('It') body('It')",
        "@",
        "@{body('It')",
        "@{}",
        "@coalesce(,)",
        "@'never closed",
    ],
)
def test_what_asks_for_what_is_not_there_or_cannot_be_read_is_refused(written: str) -> None:
    with pytest.raises(BadExpression):
        evaluate(written, FUNCTIONS)


def test_all_calls_are_found_wherever_they_stand() -> None:
    value: Json = {"a": ["@coalesce(body('It')?[body('Key')], 1)"], "@{body('X')}": "text"}
    names = [call.name for each in expressions_in(value) for call in calls_in(each)]
    assert sorted(names) == ["body", "body", "body", "coalesce"]


@given(st.text(max_size=60))
def test_text_without_expressions_stays_itself(text: str) -> None:
    assert evaluate(text.replace("@", ""), FUNCTIONS) == text.replace("@", "")


@given(st.text(max_size=60))
def test_a_quoted_text_is_read_as_it_was_written(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert evaluate(f"@{quoted}", {}) == text
    assert evaluate(f"<@{{{quoted}}}>", {}) == f"<{text}>"


@given(st.text(alphabet="@{}()[]'?., aB1-", max_size=40))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    for way in (lambda: evaluate(text, FUNCTIONS), lambda: parse(text)):
        try:
            way()
        except BadExpression:
            continue

"""Which form of a plan a caller gets: RFC 9110, section 12.5.1."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.refusals import CallRefused
from cmg_core.triggers.negotiation import chosen_type
from tests.fakes import migration
from tests.unit.triggers.callers import MemoryServices, call

JSON, MARKDOWN = "application/json", "text/markdown"
OFFERED = (JSON, MARKDOWN)
BODY = migration().model_dump(mode="json", by_alias=True, exclude={"kind"}, exclude_none=True)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("  ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/markdown", MARKDOWN),
        ("TEXT/Markdown", MARKDOWN),
        ("text/*", MARKDOWN),
        ("text/markdown; charset=utf-8", MARKDOWN),
        ("text/markdown;variant=GFM;q=0.9, application/json;q=0.8", MARKDOWN),
        ("application/json, text/markdown", JSON),
        ("application/json;q=0.5, text/markdown;q=0.7", MARKDOWN),
        ("text/markdown;q=0.5, */*;q=0.1", MARKDOWN),
        ("text/markdown, */*", JSON),
        ("application/json;q=0, */*", MARKDOWN),
        ("text/html, text/markdown;q=0.001", MARKDOWN),
        ("text/*;q=0.1, text/markdown;q=0.9, application/json;q=0.5", MARKDOWN),
        ("nonsense", JSON),
        (",, ,", JSON),
        ("text/markdown;q=nonsense, application/json;q=0.1", JSON),
        ("*/markdown, application/json", JSON),
    ],
)
def test_the_form_that_a_caller_likes_most(accept: str, chosen: str) -> None:
    assert chosen_type(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "*/*;q=0", "image/*, text/html", "text/*;q=0.0"]
)
def test_no_form_is_acceptable(accept: str) -> None:
    with pytest.raises(CallRefused) as refused:
        chosen_type(accept, OFFERED)
    assert (refused.value.problem.code, refused.value.problem.status) == ("not-acceptable", 406)


@given(st.text(max_size=80))
def test_whatever_stands_in_the_header_there_is_an_answer(accept: str) -> None:
    try:
        assert chosen_type(accept, OFFERED) in OFFERED
    except CallRefused as refused:
        assert refused.problem.status == 406


def test_a_plan_comes_as_json_unless_asked_otherwise() -> None:
    answer = call(MemoryServices(), "make-plan", BODY)
    assert answer.status == 200
    assert answer.headers["vary"] == "Accept"
    assert set(answer.body) >= {
        "findings",
        "can_start",
        "durations",
        "parallel_cost",
        "rollback",
        "cost_of_parallel_days",
    }


def test_a_plan_comes_as_a_page_where_asked_for() -> None:
    answer = call(MemoryServices(), "make-plan", BODY, headers={"Accept": "text/markdown"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/markdown"
    assert answer.text.startswith("# Change plan for ")
    assert "## Verdict" in answer.text
    assert re.search(r"\[[a-z-]+\]\(https?://[^/)]+/api/findings/[a-z-]+\)", answer.text)
    assert "docs/findings.md" not in answer.text
    assert answer.headers["vary"] == "Accept"


def test_another_form_is_refused_with_a_problem_before_anything_is_looked_at() -> None:
    services = MemoryServices()
    answer = call(services, "make-plan", BODY, headers={"Accept": "text/html"})
    assert (answer.status, answer.body["type"]) == (406, "/api/problems/not-acceptable")
    assert not services.resource_manager.calls


def test_mistakes_are_problems_in_json_whatever_was_asked_for() -> None:
    answer = call(MemoryServices(), "make-plan", BODY | {"size": "huge"}, headers={"Accept": "text/markdown"})
    assert (answer.status, json.loads(answer.text)["type"]) == (422, "/api/problems/invalid-request")

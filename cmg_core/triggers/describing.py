"""Calls about the app itself: its description, the description as a page, and what a type of problem means."""

from functools import cache

import azure.functions as func

from cmg_core.calls import CallRefused
from cmg_core.description.document import Served, document
from cmg_core.description.page import CONTENT_SECURITY_POLICY, docs_page, problem_page
from cmg_core.description.problem_types import in_markdown, problem_type_answer
from cmg_core.domain.problems import Problem
from cmg_core.domain.values import JsonObject
from cmg_core.triggers.answering import Call, answer
from cmg_core.triggers.negotiation import chosen_type

JSON, HTML, MARKDOWN = "application/json", "text/html", "text/markdown"


async def show_description(call: Call) -> func.HttpResponse:
    """The OpenAPI document."""
    return answer(description())


async def show_docs(call: Call) -> func.HttpResponse:
    """The document as a page."""
    return _page(_docs())


async def show_problem(call: Call) -> func.HttpResponse:
    """What a type of problem means. Raises CallRefused (404, 406)."""
    kind = chosen_type(call.request.headers.get("Accept", ""), (JSON, HTML, MARKDOWN))
    told = problem_type_answer(call.request.route_params.get("code", ""))
    if told is None:
        raise CallRefused(
            Problem(
                code="no-such-problem",
                title="There is no such type of problem",
                detail="The address is the `type` of no problem that this release can tell.",
                cure="Follow the `type` of a problem as it was answered; /api/docs lists all that there are.",
                status=404,
            )
        )
    varies = {"Vary": "Accept"}
    match kind:
        case "text/html":
            return _page(problem_page(told), varies)
        case "text/markdown":
            return func.HttpResponse(in_markdown(told), headers=varies, mimetype=MARKDOWN, charset="utf-8")
    return answer(told, headers=varies)


@cache
def description() -> JsonObject:
    """The OpenAPI document of all routes that the app has."""
    # The table of routes holds this file's calls.
    from cmg_core.triggers.http import ROUTES

    return document(
        Served(route.name, route.method, route.path, route.level is not func.AuthLevel.ANONYMOUS) for route in ROUTES
    )


@cache
def _docs() -> str:
    return docs_page(description())


def _page(text: str, headers: dict[str, str] | None = None) -> func.HttpResponse:
    guarded = (headers or {}) | {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
    }
    return func.HttpResponse(text, headers=guarded, mimetype=HTML, charset="utf-8")

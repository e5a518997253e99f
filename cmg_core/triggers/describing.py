"""Calls about the app itself: its description, the description as a page, and what a type of problem means."""

from collections.abc import Callable, Iterable
from functools import cached_property

import azure.functions as func

from cmg_core.description import finding_codes, problem_types
from cmg_core.description.document import Served, document
from cmg_core.description.page import CONTENT_SECURITY_POLICY, docs_page, finding_page, problem_page
from cmg_core.domain.problems import Problem
from cmg_core.domain.values import Frozen, JsonObject
from cmg_core.refusals import CallRefused
from cmg_core.triggers.answering import Call, Route, answer
from cmg_core.triggers.negotiation import chosen_type

JSON, HTML, MARKDOWN = "application/json", "text/html", "text/markdown"


class Description:
    """The OpenAPI document of the app's routes, made when it is first asked for."""

    def __init__(self, routes: Callable[[], Iterable[Route]]) -> None:
        """``routes`` is called late: the table of routes holds these calls, too."""
        self._routes = routes

    async def show(self, call: Call) -> func.HttpResponse:
        """The OpenAPI document."""
        return answer(self.document)

    async def show_page(self, call: Call) -> func.HttpResponse:
        """The document as a page."""
        return _page(self._docs)

    @cached_property
    def document(self) -> JsonObject:
        """As the app answers it."""
        return document(
            Served(route.name, route.method, route.path, route.level is not func.AuthLevel.ANONYMOUS)
            for route in self._routes()
        )

    @cached_property
    def _docs(self) -> str:
        return docs_page(self.document)


async def show_problem(call: Call) -> func.HttpResponse:
    """What a type of problem means. Raises CallRefused (404, 406)."""
    kind = _asked_form(call)
    told = problem_types.problem_type_answer(call.request.route_params.get("code", ""))
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
    return _in_form(kind, told, problem_page(told), problem_types.in_markdown(told))


async def show_finding(call: Call) -> func.HttpResponse:
    """What a finding's code means. Raises CallRefused (404, 406)."""
    kind = _asked_form(call)
    told = finding_codes.finding_codes().get(call.request.route_params.get("code", ""))
    if told is None:
        raise CallRefused(
            Problem(
                code="no-such-finding",
                title="There is no such finding",
                detail="The address is the `link` of no finding that this release can tell.",
                cure="Follow the `link` of a finding as it was answered.",
                status=404,
            )
        )
    return _in_form(kind, told, finding_page(told), finding_codes.in_markdown(told))


def _asked_form(call: Call) -> str:
    return chosen_type(call.request.headers.get("Accept", ""), (JSON, HTML, MARKDOWN))


def _in_form(kind: str, told: Frozen, page: str, text: str) -> func.HttpResponse:
    varies = {"Vary": "Accept"}
    match kind:
        case "text/html":
            return _page(page, varies)
        case "text/markdown":
            return func.HttpResponse(text, headers=varies, mimetype=MARKDOWN, charset="utf-8")
    return answer(told, headers=varies)


def _page(text: str, headers: dict[str, str] | None = None) -> func.HttpResponse:
    guarded = (headers or {}) | {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
    }
    return func.HttpResponse(text, headers=guarded, mimetype=HTML, charset="utf-8")

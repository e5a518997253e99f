"""The description's calls, its page, and the addresses that the types of problems are."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

import pytest

from cmg_core.description.finding_codes import finding_codes
from cmg_core.description.problem_types import problem_types
from cmg_core.domain.problems import FINDING_CODES, PROBLEM_TYPES
from cmg_core.domain.values import Json
from tests.unit.triggers.callers import Answer, MemoryServices, call

LOADS = frozenset({"script", "link", "img", "iframe", "object", "embed", "audio", "video", "source", "form", "base"})
"""Elements that could ask a host for something."""


class Page(HTMLParser):
    """What matters of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.ids, self.links, self.attributes = list[str](), list[str](), list[str](), set[str]()
        self.headings, self.styles, self._open = list[int](), list[str](), list[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self._open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(str(value))
            if name == "href":
                self.links.append(str(value))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.styles.append(data)


def shown(route: str, accept: str = "", **path: str) -> Answer:
    return call(MemoryServices(), route, path=path, headers={"Accept": accept})


def ensure_loads_nothing(answer: Answer) -> Page:
    page = Page(answer.text)
    assert not LOADS & set(page.tags)
    assert not {name for name in page.attributes if name == "src" or name == "style" or name.startswith("on")}
    assert not [link for link in page.links if re.match(r"[a-z]+:|//", link)]
    assert not re.search(r"url\(|@import", "".join(page.styles))
    (style,) = page.styles
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{hashed}'" in policy
    return page


def test_the_page_asks_no_host_for_anything_and_can_be_read_by_keyboard_and_ear() -> None:
    answer = shown("show-docs")
    page = ensure_loads_nothing(answer)

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html")
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert {"nav", "main", "summary"} <= set(page.tags)


def texts(value: Json) -> Iterator[str]:
    """What the description says in words."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("summary", "operationId", "x-roles") and isinstance(inner, str):
                yield inner
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def test_all_that_is_described_stands_on_the_page() -> None:
    page = Page(shown("show-docs").text)
    plain = unescape(re.sub(r"<[^>]+>", "", shown("show-docs").text))
    document = shown("show-description").body
    operations = [each for item in document["paths"].values() for each in item.values()]  # type: ignore[union-attr]
    assert {str(each["operationId"]) for each in operations} <= set(page.ids)
    assert {f"type-{name}" for name in document["components"]["schemas"]} <= set(page.ids)  # type: ignore[index,call-overload,union-attr]
    assert {f"problems/{code}" for code in problem_types()} <= set(page.links)
    missing = {text for each in operations for text in texts(each) if text.replace("`", "") not in plain}
    assert missing <= {"nobody"}


def test_a_problems_type_is_an_address_that_says_what_it_means() -> None:
    refused = call(MemoryServices(), "show-deployment", path={"id": "no-guid"})
    address = str(refused.body["type"])
    assert address == f"{PROBLEM_TYPES}no-such-deployment"

    told = shown("show-problem", code=address.removeprefix(PROBLEM_TYPES))
    assert told.status == 200
    assert told.headers["vary"] == "Accept"
    assert str(told.body["what"]).startswith("404.")
    assert "show-deployment" in told.body["calls"]  # type: ignore[operator]  # JSON


@pytest.mark.parametrize("code", problem_types())
def test_each_type_of_problem_has_its_page_and_its_text(code: str) -> None:
    page, text, told = (
        shown("show-problem", form, code=code) for form in ("text/html", "text/markdown", "application/json")
    )
    ensure_loads_nothing(page)
    assert not re.search("<dd>[a-z]", page.text)
    assert text.text.startswith(f"# {code}\n")
    assert all(told.body[part] for part in ("what", "why", "what_to_do"))
    assert not re.search(r"\]\(|</?[a-z]", str(told.body["what"]))


@pytest.mark.parametrize("code", finding_codes())
def test_each_finding_has_its_page_and_its_text(code: str) -> None:
    page, text, told = (
        shown("show-finding", form, code=code) for form in ("text/html", "text/markdown", "application/json")
    )
    ensure_loads_nothing(page)
    assert text.text.startswith(f"# {code}\n")
    assert all(told.body[part] for part in ("weighs", "seen", "why", "what_to_do"))
    assert not re.search(r"\]\(|</?[a-z]", str(told.body["seen"]))


def test_a_findings_link_is_an_address_that_says_what_it_means() -> None:
    refused = call(MemoryServices(), "make-plan", {})
    (found, *_) = refused.body["findings"]  # type: ignore[misc]  # JSON
    assert found["link"] == f"{FINDING_CODES}missing-key"  # type: ignore[index,call-overload]  # JSON
    assert shown("show-finding", code="missing-key").status == 200
    answer = shown("show-finding", code="none-of-ours")
    assert (answer.status, answer.body["type"]) == (404, f"{PROBLEM_TYPES}no-such-finding")


@pytest.mark.parametrize("code", ["none-of-ours", "", "../health", "INVALID-REQUEST"])
def test_another_address_is_no_type(code: str) -> None:
    answer = shown("show-problem", code=code)
    assert (answer.status, answer.body["type"]) == (404, f"{PROBLEM_TYPES}no-such-problem")


def test_the_description_is_the_same_for_everybody_and_asks_nobody() -> None:
    services = MemoryServices()
    first, second = (
        call(services, "show-description"),
        call(services, "show-description", headers={"x-functions-key": ""}),
    )
    assert json.loads(first.text) == json.loads(second.text)
    assert not services.resource_manager.calls

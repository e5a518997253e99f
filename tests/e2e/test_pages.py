"""The pages, as a reader's browser shows them: the app's own under its policy, and the documentation's site.

Looked at where Debian's Chromium is installed; `tests/e2e/browsing.py` finds it.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urldefrag

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.dev.docs import build
from tests.e2e.browsing import (
    CHROMIUM,
    DESK,
    LINKS,
    NO_CHROMIUM,
    OUTLINE,
    PHONE,
    TOO_WIDE,
    seeing,
    serving_app,
    serving_folder,
    violations,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)

WHOLE = ("html",)
OF_APP = {
    "/api/docs": (
        "header",
        "nav",
        "#calls > .wide",
        "[aria-labelledby=group-plan]",
        "[aria-labelledby=type-PlanAnswer]",
    ),
    "/api/problems/invalid-request": WHOLE,
    "/api/findings/missing-key": WHOLE,
}
OF_SITE = {
    "/index.html": (),
    "/tutorial.html": WHOLE,
    "/reference/gates.html": WHOLE,
    "/findings.html": (),
    "/reference/api.html": (),
    "/reference/settings.html": (),
    "/de/schnellstart.html": (),
}
"""Pages of each kind, and what of them axe-core looks at: it takes its time."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    with serving_app() as origin:
        yield origin


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[str]:
    with serving_folder(built) as origin:
        yield origin


def ensure_well_made(page: Page) -> None:
    assert page.title()
    outline = page.evaluate(OUTLINE)
    assert outline[0] == 1 and outline.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(outline)), outline


def looked_at(browser: Browser, origin: str, pages: dict[str, tuple[str, ...]], width: int, scheme: str) -> None:
    """Each page is whole, fits the width, and axe-core holds nothing against it. One window for all: it is quicker."""
    with seeing(browser, origin, width, scheme) as seen:
        for path, parts in pages.items():
            page = seen.open(path)
            ensure_well_made(page)
            assert page.evaluate(TOO_WIDE) <= 0, f"{path} scrolls sideways at {width} px"
            assert not parts or violations(page, parts) == [], path
        assert seen.wrong == []


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_the_apps_pages_are_whole_and_readable(browser: Browser, app: str, width: int, scheme: str) -> None:
    looked_at(browser, app, OF_APP, width, scheme)


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_the_sites_pages_are_whole_and_readable(browser: Browser, site: str, width: int, scheme: str) -> None:
    looked_at(browser, site, OF_SITE, width, scheme)


@pytest.mark.parametrize("path", OF_APP)
def test_the_apps_links_lead_somewhere(browser: Browser, app: str, path: str) -> None:
    with seeing(browser, app, DESK) as seen:
        page = seen.open(path)
        anchors: dict[str, set[str]] = defaultdict(set)
        for address, anchor in map(urldefrag, page.evaluate(LINKS)):
            anchors[address].add(anchor)
        for address, wanted in anchors.items():
            answer = page.request.get(address, headers={"Accept": "text/html, */*;q=0.5"})
            assert answer.ok, address
            missing = {anchor for anchor in wanted if anchor and f'id="{anchor}"' not in answer.text()}
            assert not missing, address
        assert seen.wrong == []


def test_the_apps_pages_are_dark_where_the_reader_s_system_is(browser: Browser, app: str) -> None:
    shades = []
    for scheme in ("light", "dark"):
        with seeing(browser, app, DESK, scheme) as seen:
            shades.append(seen.open("/api/docs").evaluate("getComputedStyle(document.body).backgroundColor"))
    assert shades[0] != shades[1]


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_what_a_link_leads_to_is_not_hidden_under_the_contents(browser: Browser, app: str, width: int) -> None:
    with seeing(browser, app, width) as seen:
        page = seen.open("/api/docs#open-gate")
        heading, contents = page.locator("#open-gate").bounding_box(), page.locator("nav").bounding_box()
        assert heading and contents
        covered_to = contents["y"] + contents["height"] if contents["y"] <= 1 else 0
        assert covered_to <= heading["y"] < covered_to + 200


def test_the_first_tab_leads_past_the_top_to_the_calls(browser: Browser, app: str) -> None:
    with seeing(browser, app, DESK) as seen:
        page = seen.open("/api/docs")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="To the calls")).to_be_focused()
        expect(page.get_by_role("link", name="To the calls")).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize("path", ["/index.html", "/de/schnellstart.html"])
@pytest.mark.parametrize("from_disk", [False, True], ids=["served", "from disk"])
def test_the_site_finds_a_word_and_leads_to_it(
    browser: Browser, built: Path, site: str, from_disk: bool, path: str
) -> None:
    with seeing(browser, built.as_uri() if from_disk else site, DESK) as seen:
        page = seen.open(path)
        search = page.get_by_role("textbox", name="Search")
        search.click()
        search.press_sequentially("grace period")
        found = page.locator(".md-search-result__link", has_text="grace period").first
        expect(found).to_be_visible(timeout=20_000)
        found.click()
        expect(page.locator("article")).to_contain_text("grace period", ignore_case=True)
        assert not page.url.endswith(path)
        assert seen.wrong == []

"""Debian's Chromium over the pages of the app and of the documentation, both served by this process."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.serving import serving
from tests.unit.triggers.callers import MemoryServices

CHROMIUM = shutil.which("chromium")
"""Never a browser that Playwright would download."""
NO_CHROMIUM = "There is no Chromium on PATH to look at pages with: `sudo apt-get install chromium` brings it."

PHONE, DESK = 360, 1280
"""Widths in pixels: a narrow telephone, which is also a desk's screen at 400 % (WCAG 2.2, 1.4.10), and a desk's."""

OUTLINE = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(each => Number(each.tagName[1]))"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    # The site's tables scroll; a browser lets the keyboard into what scrolls by itself, which axe-core does not know.
    "rules": {"scrollable-region-focusable": {"enabled": False}},
}
"""WCAG 2.2, levels A and AA: https://www.deque.com/axe/core-documentation/api-documentation/"""
LINKS = "() => [...document.querySelectorAll('a[href]')].map(each => each.href)"


@dataclass
class Seen:
    """A page that is looked at, and what went wrong while it was."""

    page: Page
    origin: str
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def open(self, path: str) -> Page:
        """The page at a path of the origin, whole."""
        self.page.goto(f"{self.origin}{path}", wait_until="load")
        return self.page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https") and not request.url.startswith(f"{self.origin}/"):
            self.wrong.append(f"another host: {request.url}")

    def _failed(self, request: Request) -> None:
        """The browser itself breaks off what a page still loads when the next is opened."""
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status}: {response.url}")


@contextlib.contextmanager
def seeing(browser: Browser, origin: str, width: int, scheme: str = "light") -> Iterator[Seen]:
    """A window of its own, which has seen nothing yet."""
    dark_or_light = "dark" if scheme == "dark" else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=dark_or_light, locale="en-GB")
    try:
        yield Seen(context.new_page(), origin)
    finally:
        context.close()


def violations(page: Page, parts: tuple[str, ...] = ("html",)) -> list[str]:
    """What axe-core holds against a page, or parts of it: rule, and the first places. No page's policy stops it.

    The whole of a long page takes it ten seconds: ``parts`` (CSS selectors) are one of each kind that is on it.
    """
    found = Axe().run(page, context={"include": [[part] for part in parts]}, options=_RULES)
    return [f"{each['id']}: {[node['target'] for node in each['nodes'][:3]]}" for each in found.response["violations"]]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests tell what went wrong."""


class _QuietApp(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: the tests tell what went wrong."""


@contextlib.contextmanager
def _origin(server: BaseWSGIServer | ThreadingHTTPServer) -> Iterator[str]:
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serving_app() -> contextlib.AbstractContextManager[str]:
    """The app's own answers with their headers. Its origin."""
    app = serving(MemoryServices())
    return _origin(make_server("127.0.0.1", 0, app, threaded=True, request_handler=_QuietApp))


def serving_folder(folder: Path) -> contextlib.AbstractContextManager[str]:
    """The files of a folder. Its origin."""
    return _origin(ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))))

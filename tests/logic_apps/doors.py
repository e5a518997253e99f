"""The world around a workflow: the app, the ticket system, and Azure's front for the workflow's own addresses."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from cmg_core.domain.values import Json, JsonObject, text_at
from cmg_core.services import Services
from local.azure.messages import Request, Response
from local.azure.receivers import Receiver
from local.inprocess.calling import HOST, StoryFailed, http_call
from local.sample import Call as HttpCall
from tests.logic_apps.messages import Answered, Sent, Unreachable

API = f"{HOST}/api"
TICKETS = "https://tickets.contoso.com/tickets"
AUDIENCE = "api://cmg.contoso.com"
SECRET = "Basic dGhlIHRpY2tldCBzeXN0ZW0="
PARAMETERS = {"api": API, "audience": AUDIENCE, "tickets": TICKETS, "tickets_authorization": SECRET}
KEY = {"x-functions-key": "what the platform lets through"}


@dataclass
class AppDoor:
    """The app in this process. In front of it stands what the platform does: only tokens for the app are let through.

    Who may do what is judged by the app, and tested elsewhere: here each call is one of the same function key.
    """

    services: Services
    log: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and status of each call."""
    retry_after: list[int] = field(default_factory=list)
    started: "asyncio.Future[str] | None" = None
    """Gets the ID of the deployment that was begun first."""
    lose: Callable[[Sent, int], bool] = lambda sent, number: False
    """Whether the answer to a call gets lost, by the number of calls so far."""

    async def send(self, sent: Sent) -> Answered:
        """Raises Unreachable where the answer got lost."""
        if sent.headers.get("authorization") != f"Bearer for {AUDIENCE}":
            return Answered(401)
        path = urlsplit(sent.url).path
        body: Json = json.loads(sent.body) if sent.body else None
        headers = {name: value for name, value in sent.headers.items() if name != "authorization"} | KEY
        call = HttpCall(method=sent.method, path=path, body=body if isinstance(body, dict) else None)
        try:
            given = await http_call(self.services, call, headers=headers)()
        except StoryFailed:
            return Answered(404)
        shown = {name.lower(): value for name, value in given.headers.items()} | {"content-type": given.mimetype}
        self.log.append((sent.method, path.removeprefix("/api/"), given.status_code))
        if "retry-after" in shown:
            self.retry_after.append(int(shown["retry-after"]))
        if given.status_code == 202 and sent.method == "POST" and self.started and not self.started.done():
            self.started.set_result(text_at(json.loads(given.get_body()), "id"))
        if self.lose(sent, len(self.log)):
            raise Unreachable("the answer got lost")
        return Answered(given.status_code, shown, given.get_body())

    def calls(self, method: str, path: str) -> list[int]:
        """The statuses of the calls to a path, from its first letters on."""
        return [status for called, where, status in self.log if called == method and where.startswith(path)]


@dataclass
class TicketSystem:
    """A ticket system that takes comments and closes, and asks somebody for approvals."""

    decision: JsonObject | None
    """What is posted to who waits for an approval; nobody decides where there is none."""
    call_back: Callable[[str, JsonObject], Awaitable[None]]
    comments: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    """Addresses at which an approval is waited for."""
    down: int = 0
    """How many calls it still refuses with 503."""

    async def send(self, sent: Sent) -> Answered:
        if self.down:
            self.down -= 1
            return Answered(503)
        if sent.headers.get("authorization") != SECRET:
            return Answered(401)
        body: JsonObject = json.loads(sent.body)
        match sent.method, sent.url.rpartition("/")[2]:
            case "POST", "comments":
                self.comments.append(text_at(body, "text"))
            case "POST", "close":
                self.closed.append(text_at(body, "outcome"))
            case "POST", "approvals":
                self.waiting.add(text_at(body, "callback_url"))
                if self.decision is not None:
                    await self.call_back(text_at(body, "callback_url"), self.decision)
            case "DELETE", "approvals":
                self.waiting.discard(text_at(body, "callback_url"))
            case _:
                return Answered(404)
        return Answered(204)


@dataclass
class Doors:
    """Which door a request goes to, by its address."""

    app: AppDoor
    tickets: TicketSystem

    async def send(self, sent: Sent) -> Answered:
        if sent.url.startswith(API):
            return await self.app.send(sent)
        if sent.url.startswith(TICKETS):
            return await self.tickets.send(sent)
        raise Unreachable(f"nobody is at {sent.url}")


@dataclass
class WorkflowFront(Receiver):
    """A receiver of the simulated world that hands posts on to a workflow, as Azure does for its addresses."""

    hand_on: Callable[[Sent], Answered] = field(kw_only=True)

    def answer(self, request: Request, now: datetime) -> Response:
        """Take a post."""
        headers: Mapping[str, str] = {name.lower(): value for name, value in request.headers.items()}
        given = self.hand_on(Sent("POST", f"https://{self.host}{request.path}", headers, request.body))
        self.status = given.status
        return super().answer(request, now)

"""Plays the worked examples of docs/itsm: pairs of requests and answers, in order, against the app in this process."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict

from cmg_core.domain.values import Json, JsonObject
from cmg_core.services import Services
from cmg_core.views import status_view
from local.azure.world import World
from local.inprocess.calling import HOST, http_call
from local.inprocess.hosting import Host
from local.inprocess.stage import InProcess
from local.sample import Call, When

ANYTHING = "*"
A_WHILE = timedelta(seconds=0.2)
LOOKS = 3000
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(_Part):
    """A request. Of the app's own the path is the whole address."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    headers: dict[str, str]
    body: JsonObject | None = None


class Expected(_Part):
    """What is named of an answer must be so: a star stands for anything, what is not named may be as it likes."""

    status: int
    headers: dict[str, str] = {}
    body: JsonObject | None = None
    begins: str = ""
    holds: list[str] = []


class Pair(_Part):
    """One example. ``keep`` names parts of the answer that later ones need, by JSON pointer."""

    about: str
    where: str
    sender: Literal["ticket system", "app"]
    when: When | None = None
    request: Asked
    answer: Expected
    keep: dict[str, str] = {}


def pairs_in(folder: Path) -> list[Pair]:
    """The pairs of a ticket system, in order."""
    return [Pair.model_validate_json(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]


@dataclass
class Player:
    """Plays pairs beside a story, each when its moment has come."""

    pairs: Sequence[Pair]
    known: dict[str, str] = field(default_factory=lambda: {"host": HOST, "key": "the-key-of-the-ticket-system"})
    wrong: list[str] = field(default_factory=list)
    played: int = 0
    going_on: "asyncio.Task[None]" = field(init=False)

    async def start(self, stage: InProcess, services: Services, host: Host) -> str:
        """Play up to the request that begins a deployment; the rest goes on beside the story."""
        begun = asyncio.Event()
        self.going_on = asyncio.create_task(self._play(stage, services, begun))
        await asyncio.wait([self.going_on, asyncio.create_task(begun.wait())], return_when=asyncio.FIRST_COMPLETED)
        return self.known["deployment_id"]

    async def _play(self, stage: InProcess, services: Services, begun: asyncio.Event) -> None:
        for pair in self.pairs:
            if pair.when is not None and not await self._comes(pair.when, stage):
                self.wrong.append(f"{pair.about} Its moment never came.")
                return
            if pair.sender == "app":
                await self._heard(pair, stage.world)
            else:
                await self._sent(pair, services)
            self.played += 1
            if "deployment_id" in self.known:
                begun.set()

    async def _comes(self, moment: When, stage: InProcess) -> bool:
        for _ in range(LOOKS):
            if moment.has_come(self._shown(stage)):
                return True
            await asyncio.sleep(A_WHILE.total_seconds())
        return False

    def _shown(self, stage: InProcess) -> JsonObject:
        stored = stage.ledger.peek(self.known["deployment_id"])
        return status_view(stored.record).model_dump(mode="json") if stored else {}

    async def _sent(self, pair: Pair, services: Services) -> None:
        asked = pair.request
        path, query = self._filled(asked.path), dict(parse_qsl(urlsplit(asked.path).query))
        call = Call(method=asked.method, path=urlsplit(path).path, body=self._filled_json(asked.body))  # type: ignore[arg-type]  # JSON
        headers = {name: self._filled(value) for name, value in asked.headers.items()}
        given = await http_call(services, call, headers=headers, params=query)()
        text = given.get_body().decode()
        shown = {name.lower(): value for name, value in given.headers.items()} | {"content-type": given.mimetype}
        for name, pointer in pair.keep.items():
            self.known[name] = str(_at(json.loads(text), pointer))
        expected = pair.answer
        self._compare(pair, "status", given.status_code, expected.status)
        for name, value in expected.headers.items():
            self._compare(pair, name, shown.get(name.lower()), value)
        if expected.body is not None:
            self._compare(pair, "body", json.loads(text), expected.body)
        told = [each for each in (expected.begins, *expected.holds) if self._filled(each) not in text]
        self.wrong += [f"{pair.about} «{each}» is not told: {text}" for each in told]
        if not text.startswith(self._filled(expected.begins)):
            self.wrong.append(f"{pair.about} begins otherwise: {text}")

    async def _heard(self, pair: Pair, world: World) -> None:
        """A post of the app's, as the receiver in the world took it. It comes a while after what it tells of."""
        receiver = world.receivers[urlsplit(pair.request.path).hostname or ""]
        told = Player((), dict(self.known))
        for _ in range(LOOKS):
            for received in receiver.received:
                told.wrong.clear()
                told._compare(pair, "body", json.loads(received.body), pair.request.body)
                told._compare(pair, "path", received.path, urlsplit(pair.request.path).path)
                told._compare(pair, "headers", dict(received.headers), dict(pair.request.headers))
                told._compare(pair, "status", received.status, pair.answer.status)
                if not told.wrong:
                    return
            await asyncio.sleep(A_WHILE.total_seconds())
        self.wrong.append(f"{pair.about} Nothing of the kind was posted: {[each.body for each in receiver.received]}")

    def _compare(self, pair: Pair, place: str, found: Json, expected: Json) -> None:
        match expected:
            case dict() if isinstance(found, dict):
                for key, value in expected.items():
                    self._compare(pair, f"{place}/{key}", found.get(key), value)
            case list() if isinstance(found, list) and len(found) == len(expected):
                for number, value in enumerate(expected):
                    self._compare(pair, f"{place}/{number}", found[number], value)
            case str() if expected == ANYTHING and found not in (None, ""):
                return
            case _ if found == self._filled_json(expected):
                return
            case _:
                self.wrong.append(f"{pair.about} {place}: {found!r} instead of {expected!r}")

    def _filled_json(self, value: Json) -> Json:
        match value:
            case str():
                return self._filled(value)
            case list():
                return [self._filled_json(each) for each in value]
            case dict():
                return {key: self._filled_json(each) for key, each in value.items()}
        return value

    def _filled(self, text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: self.known[found[1]], text)


def _at(body: Json, pointer: str) -> Json:
    for key in pointer.split("/")[1:]:
        if not isinstance(body, dict):
            return None
        body = body.get(key)
    return body

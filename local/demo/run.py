"""Runs one sample: seeds the world, asks the product, lets people and the site do their part, and measures."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp

from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at
from local.azure.receivers import heard
from local.demo.display import Display
from local.demo.report import Watched, failures_of, make_report, print_report
from local.demo.story import Story
from local.dev.environment import LocalAzure, Options
from local.sample import Sample, Then

MINIMUM_GRACE = "PT1S"
"""The demo's clock is the real one, so its grace period is seconds: plan, health and events say so."""
LOOK_EVERY_S = 0.5
LONGEST_RUN_S = 300.0
EPILOGUE_LOOKS = 30
LISTENERS_LOOKS = 120
"""At intervals of a second: a receiver that was down is left alone for up to a minute or so."""
ENDED = ("succeeded", "refused", "cancelled", "rolled-back")


class DemoFailed(Exception):
    """The demo itself could not go on; the text says why."""


async def run(
    sample: Sample, display: Display, time_scale: float, keep: bool, tell: Callable[[JsonObject], None]
) -> list[str]:
    """One sample from start to end. ``tell`` is given the report; returned is what the sample expected otherwise.

    Raises DemoFailed and ProcessError.
    """
    began = time.monotonic()
    display.title("A cloud management gateway moves" if sample.is_migration else "A new cloud management gateway")
    display.plain(sample.about)
    display.line("starting a local Azure: storage, the simulator, and the Functions app in its host")
    azure = LocalAzure(Options(time_scale=time_scale, minimum_grace=MINIMUM_GRACE, cloud=sample.cloud))
    await azure.start()
    try:
        async with aiohttp.ClientSession() as session:
            demo = Demo(sample, display, azure, session, began)
            await demo.begin()
            report, failures = await demo.play()
            tell(report)
            if keep:
                await _keep_running(azure, display, text_at(report, "deployment_id"))
            return failures
    finally:
        display.still()
        await azure.kill()
        azure.forget()


async def _keep_running(azure: LocalAzure, display: Display, deployment_id: str) -> None:
    display.title("All is left running until Ctrl-C")
    for name, value in (("app", azure.api), ("key", azure.key), ("simulator", azure.sim), ("proxy", azure.proxy)):
        display.verbatim(f"  {name:10} {value}")
    display.verbatim(f"  try: curl -H 'x-functions-key: {azure.key}' {azure.api}/deployments/{deployment_id}")
    await asyncio.Event().wait()


class Demo:
    """One sample on a local Azure that runs.

    ``began`` is the moment of ``time.monotonic()`` from which its seconds count; ``pause`` lets the time between two
    looks at the deployment pass (seconds): tests let things happen meanwhile.
    """

    def __init__(
        self,
        sample: Sample,
        display: Display,
        azure: LocalAzure,
        session: aiohttp.ClientSession,
        began: float,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sample, self._display, self._azure, self._session, self._began = sample, display, azure, session, began
        self._pause = pause
        self._story = Story(display)
        self._left = list(sample.then)
        self._looks = 0

    async def begin(self) -> None:
        """Make the sample's world and send its clients out. Raises DemoFailed."""
        await self._simulator("POST", "/_sim/seed", self._sample.world)
        for fault in self._sample.faults:
            await self._simulator("POST", "/_sim/faults", fault)
        self._before = await self._simulator("GET", "/_sim/state")
        self._display.title("The world before")
        self._serving_before = await self._serving()
        self._story.world(self._serving_before)
        await self._simulator("POST", "/_sim/clients/start", {"begin_when_relaying": not self._sample.is_served_before})

    async def play(self) -> tuple[JsonObject, list[str]]:
        """From the request to the report; with it what the sample expected otherwise. Raises DemoFailed."""
        deployment_id = await self._ask()
        deployment = await self._follow(deployment_id)
        self._display.still()
        unheard = await self._all_heard()
        if text_at(deployment, "status") == "succeeded":
            await self._enough_attempts()
        clients = await self._simulator("POST", "/_sim/clients/stop", {})
        watched = Watched(
            deployment=deployment,
            before=self._before,
            after=await self._simulator("GET", "/_sim/state"),
            serving_before=self._serving_before,
            serving_after=await self._serving(),
            requests=await self._simulator("GET", "/_sim/requests?since=0"),
            clients=clients,
            storage=self._storage(),
            wall_seconds=time.monotonic() - self._began,
            ended_at=datetime.now(UTC),
        )
        report = make_report(watched)
        failures = [*failures_of(self._sample.expect, report, deployment), *unheard]
        print_report(self._display, report, deployment)
        return report, failures

    async def _all_heard(self) -> list[str]:
        """Wait until those who listen have heard the end; what is wrong with what they took."""
        told: dict[str, list[str]] = {}
        for _ in range(LISTENERS_LOOKS if self._sample.expect.heard else 0):
            told = {
                text_at(each, "host"): heard([text_at(post, "body").encode() for post in objects_at(each, "received")])
                for each in objects_at(await self._simulator("GET", "/_sim/state"), "receivers")
            }
            if not any(told.get(host, ["nothing came"]) for host in self._sample.expect.heard):
                break
            await asyncio.sleep(1.0)
        for host in self._sample.expect.heard:
            wrong = ", ".join(told.get(host, ["nothing came"]))
            self._display.line(f"✉ {host} {f'did not hear all: {wrong}' if wrong else 'has heard all, in order'}")
        return [f"{host}: {wrong}" for host in self._sample.expect.heard for wrong in told.get(host, ["nothing came"])]

    async def _enough_attempts(self) -> None:
        """Let the clients go on after the end, until they have tried often enough to be believed."""
        wanted = self._sample.expect.attempts
        for look in range(EPILOGUE_LOOKS):
            await asyncio.sleep(0.5)
            attempts = at(await self._simulator("GET", "/_sim/clients"), "attempts")
            if isinstance(attempts, int) and attempts >= wanted:
                return
            if look == 0:
                self._display.line(f"the clients go on until they have dialed {wanted} times")

    def _storage(self) -> dict[str, int]:
        """What the storage served, the demo's own looks at the deployment apart: each reads one row."""
        served = dict(self._azure.storage_transactions())
        for kind in ("total", "table"):
            served[kind] -= self._looks
        return served | {"looks": self._looks}

    async def _ask(self) -> str:
        self._display.title(f"POST {self._sample.path}")
        status, answer = await self._call("POST", self._sample.path, self._sample.request, str(uuid.uuid4()))
        if status != 202:
            raise DemoFailed(f"The product did not accept the request: {status} {_told(answer)}")
        self._display.line(f"accepted: deployment {text_at(answer, 'id')}")
        return text_at(answer, "id")

    async def _follow(self, deployment_id: str) -> JsonObject:
        """Watch until the end, doing what people and the site do when their moment comes."""
        until = time.monotonic() + LONGEST_RUN_S
        while time.monotonic() < until:
            code, deployment = await self._call("GET", f"/api/deployments/{deployment_id}")
            self._looks += 1
            if code != 200 or not isinstance(deployment, dict):
                raise DemoFailed(f"The deployment cannot be read: {code} {deployment}")
            self._story.tell(deployment)
            self._story.serving(await self._serving())
            status, following = text_at(deployment, "status"), self._left[0].when.status if self._left else None
            if status in ENDED or (status == "needs-attention" and following != status):
                return deployment
            while self._left and self._left[0].when.has_come(deployment):
                await self._do(self._left.pop(0), deployment_id)
            await self._pause(LOOK_EVERY_S)
        raise DemoFailed(f"After {LONGEST_RUN_S:.0f} s the deployment has not ended; see what it waits for above.")

    async def _do(self, then: Then, deployment_id: str) -> None:
        if then.about:
            self._display.line(f"☺ {then.about}", "cyan")
        if then.world is not None:
            await self._simulator("POST", "/_sim/site", then.world)
        if then.call is not None:
            path = then.call.path.replace("{id}", deployment_id)
            status, answer = await self._call(then.call.method, path, then.call.body)
            if status >= 400:
                raise DemoFailed(f"{then.call.method} {path} was answered {status}: {_told(answer)}")

    async def _serving(self) -> JsonObject:
        """Who serves the clients' name now."""
        known = at(self._sample.world, "site", "clients", "knows", 0)
        name = known if isinstance(known, str) else text_at(self._sample.request, "old_gateway", "service_name")
        return await self._simulator("GET", f"/_sim/serving?name={name}")

    async def _call(self, method: str, path: str, body: JsonObject | None = None, key: str = "") -> tuple[int, Json]:
        headers = {"x-functions-key": self._azure.key} | ({"Idempotency-Key": key} if key else {})
        address = self._azure.api.removesuffix("/api") + path
        async with self._session.request(method, address, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def _simulator(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        async with self._session.request(method, self._azure.sim + path, json=body) as response:
            answer: Json = await response.json(content_type=None)
            if response.status >= 400:
                raise DemoFailed(f"The simulator refused {path}: {_told(answer)}")
            if isinstance(answer, list):
                return {"requests": answer}
            return answer if isinstance(answer, dict) else {}


def _told(answer: Json) -> str:
    """A problem for the eye: what happened, and each finding with its cure."""
    if not text_at(answer, "detail"):
        return str(answer)
    lines = [f"{text_at(answer, 'title')}. {text_at(answer, 'detail')}"]
    for finding in objects_at(answer, "findings"):
        lines.append(f"  {text_at(finding, 'pointer')} {text_at(finding, 'seen')} {text_at(finding, 'cure')}")
    return "\n".join(lines)

"""A migration whose host is killed once in each step, with everything that was said on the way."""

import asyncio
import io
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from azure.storage.queue.aio import QueueServiceClient

from cmg_core.domain.values import JsonObject, objects_at, text_at
from cmg_core.ledger.queues import NOTIFY, queue_name
from local.demo.display import Display
from local.demo.run import MINIMUM_GRACE, Demo
from local.dev.environment import SOFTWARE, LocalAzure, Options
from local.dev.processes import ROOT
from local.sample import Sample, load
from tests.e2e.recorder import Recorder

SAMPLE = ROOT / "samples" / "s07-own-domain-from-classic.json"
HOLD_S = 6
"""How long a message in work stays hidden: that long the deployment stands still after a kill."""
CLAIM_S = HOLD_S // 2
"""The host renews its hold at half time: a claim taken then ends before the message shows again."""
LOOK_EVERY_S = 0.05
PROTECTED = "planted-" + secrets.token_hex(16)
"""A password in the instance software's protected settings: it goes to Azure and nowhere else."""
SIGNATURE = "planted-" + secrets.token_hex(16)
"""What signs the address of a listener, as a Logic App's does: it goes to that listener and nowhere else."""
LISTENER = "hooks.contoso.com"
NOTICES = queue_name(NOTIFY)


def with_a_listener(sample: Sample) -> Sample:
    """The sample with somebody who has its events posted, at an address that is a secret."""
    url = f"https://{LISTENER}/events?sig={SIGNATURE}"
    world: JsonObject = {**sample.world, "receivers": [{"host": LISTENER, "addresses": ["20.150.10.20"]}]}
    return sample.model_copy(update={"world": world, "request": {**sample.request, "callback_url": url}})


def with_protected_settings() -> JsonObject:
    """The instance software with a secret of its own."""
    software: JsonObject = json.loads(json.dumps(SOFTWARE))
    properties = software["properties"]
    assert isinstance(properties, dict)
    return software | {"properties": properties | {"protectedSettings": {"password": PROTECTED}}}


@dataclass(frozen=True)
class Moment:
    """The host is killed when Azure has carried this request out, and before its answer comes back."""

    step: str
    method: str
    path: str
    """Regular expression, searched for in host and path."""
    after: int = 0
    """How many such requests pass."""

    def fault(self) -> JsonObject:
        """Holds the answer back for longer than the host has to live."""
        return {
            "match": {"method": self.method, "path": self.path},
            "after": self.after,
            "action": {"delay_s": HOLD_S},
        }

    def has_come(self, requests: list[JsonObject]) -> bool:
        asked = [
            request
            for request in requests
            if text_at(request, "request", "method") == self.method
            and re.search(self.path, text_at(request, "request", "host") + text_at(request, "request", "path"), re.I)
        ]
        return len(asked) > self.after


MOMENTS = (
    Moment("preflight", "GET", r"vault\.azure\.net/certificates/"),
    Moment("register-providers", "POST", "/providers/Microsoft.Compute/register$"),
    Moment("fetch-certificate", "GET", r"vault\.azure\.net/certificates/"),
    Moment("provision-network", "PUT", "/loadBalancers/"),
    Moment("provision-scale-set", "PUT", "/virtualMachineScaleSets/[^/]+$"),
    Moment("verify-gateway", "GET", "/virtualMachineScaleSets/[^/]+/virtualMachines$"),
    Moment("cut-over", "PUT", "/dnsZones/[^/]+/CNAME/", after=1),  # the first one lowers the TTL
    Moment("retire-old-gateway", "DELETE", "/domainNames/"),
)


@dataclass
class KilledRun:
    """What became of the run, and all that left the app."""

    report: JsonObject = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    deployment: JsonObject = field(default_factory=dict)
    events: list[JsonObject] = field(default_factory=list)
    requests: list[JsonObject] = field(default_factory=list)
    at_work: list[str] = field(default_factory=list)
    """The step that was at work at each kill, as the app said."""
    left_in_queues: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict, repr=False)
    """Every text that left the app, by where it was found."""
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """What none of them may hold, by what it is."""


class Killer:
    """Lets time pass as a pause does, and kills the host when a moment has come."""

    def __init__(self, azure: LocalAzure, session: aiohttp.ClientSession) -> None:
        self._azure = azure
        self._session = session
        self._left = list(MOMENTS)
        self._read_until = 0
        self._seen: list[JsonObject] = []
        self.at_work: list[str] = []

    async def wait_for_the_next(self) -> None:
        """From now on the first moment that is left is waited for."""
        async with self._session.delete(f"{self._azure.sim}/_sim/faults") as answer:
            assert answer.ok
        self._seen = []
        if self._left:
            async with self._session.post(f"{self._azure.sim}/_sim/faults", json=self._left[0].fault()) as answer:
                assert answer.ok

    async def pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY_S)
            self._seen += await self._new_requests()
            if self._left and self._left[0].has_come(self._seen):
                await self._kill()

    async def _kill(self) -> None:
        headers = {"x-functions-key": self._azure.key}
        async with self._session.get(f"{self._azure.api}/deployments", headers=headers) as answer:
            (deployment,) = objects_at(await answer.json(), "deployments")
        await self._azure.kill_host()
        self.at_work.append(text_at(deployment, "step"))
        del self._left[0]
        await self.wait_for_the_next()
        await self._azure.start_host()

    async def _new_requests(self) -> list[JsonObject]:
        async with self._session.get(f"{self._azure.sim}/_sim/requests?since={self._read_until + 1}") as answer:
            requests = objects_at(await answer.json(), "requests")
        self._read_until += len(requests)
        return requests


async def killed_run() -> KilledRun:
    """The default sample with a SIGKILL in each step. CMG_CLAIM_SECONDS must say CLAIM_S."""
    began = time.monotonic()
    sample = with_a_listener(load(SAMPLE))
    screen = io.StringIO()
    recorder = Recorder()
    azure = LocalAzure(Options(minimum_grace=MINIMUM_GRACE, message_hold_s=HOLD_S), no_host=True)
    run = KilledRun()
    async with azure, aiohttp.ClientSession() as session:
        direct, azure.storage = azure.storage, await recorder.put_before(azure.storage)
        await azure.start_host()
        killer = Killer(azure, session)
        demo = Demo(sample, Display(screen), azure, session, began, killer.pause)
        await demo.begin()
        await killer.wait_for_the_next()
        try:
            run.report, run.unexpected = await demo.play()
        finally:
            print(screen.getvalue())
        run.at_work = killer.at_work
        id = text_at(run.report, "deployment_id")
        for path in (
            f"deployments/{id}",
            f"deployments/{id}/events",
            f"deployments/{id}/subscriptions",
            f"operations/{id}",
            "deployments",
            "health",
        ):
            # The key in the address, as some callers send it: it must not come to a log that way either.
            async with session.get(f"{azure.api}/{path}?code={azure.key}") as answer:
                assert answer.ok
                run.said[f"GET {path}"] = f"{dict(answer.headers)}\n{await answer.text()}"
        run.deployment = json.loads(run.said[f"GET deployments/{id}"].partition("\n")[2])
        run.events = objects_at(json.loads(run.said[f"GET deployments/{id}/events"].partition("\n")[2]), "events")
        async with session.get(f"{azure.sim}/_sim/requests?since=0") as answer:
            run.said["the requests to Azure"] = await answer.text()
        run.requests = objects_at(json.loads(run.said["the requests to Azure"]), "requests")
        run.left_in_queues = await _left_in_queues(direct)
        await azure.stop_host()
        await recorder.stop()
        run.said |= {f"{log.name}": log.read_text(errors="replace") for log in _logs(azure.folder)}
        run.said |= {"storage": recorder.text(), "the report": json.dumps(run.report), "progress": screen.getvalue()}
        run.secrets = {
            "callback key": azure.callback_key,
            "function key": azure.key,
            "master key": azure.master_key,
            "identity header": azure.identity_header,
            "message key": azure.message_key,
            "protected setting of the software": PROTECTED,
            "signature in a listener's address": SIGNATURE,
            "storage account key": text_between(direct, "AccountKey=", ";"),
        }
    return run


def text_between(text: str, before: str, behind: str) -> str:
    return text.partition(before)[2].partition(behind)[0]


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


async def _left_in_queues(connection_string: str) -> dict[str, int]:
    """The queues of the steps that hold messages, hidden ones included. Notices to listeners are hints, which wait for
    their moment and expire by themselves."""
    left = {}
    async with QueueServiceClient.from_connection_string(connection_string) as service:
        queues = [queue async for queue in service.list_queues(name_starts_with="cmg-") if queue.name != NOTICES]
        for queue in queues:
            properties = await service.get_queue_client(queue.name).get_queue_properties()
            if properties.approximate_message_count:
                left[str(queue.name)] = properties.approximate_message_count
    return left

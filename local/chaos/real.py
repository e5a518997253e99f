"""Runs with real processes: hosts that are killed at random instants, a storage that stands still, an Azure in trouble.

Where libfaketime is on the machine, the programs' clock runs ``SPEED`` times as fast: Azure's operations, claims and
the host's hold on messages last as long as in Azure. Elsewhere the clock is the real one, and all of these are short.
"""

import asyncio
import io
import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from random import Random

import aiohttp

from cmg_core.domain.old_gateway import at_object
from cmg_core.domain.values import JsonObject, at, objects_at
from local.chaos.checker import KEYS
from local.demo.display import Display
from local.demo.run import MINIMUM_GRACE, Demo, DemoFailed
from local.dev.environment import LocalAzure, Options
from local.dev.faketime import HOW_TO_GET_IT, FastClock, library
from local.dev.processes import ProcessError
from local.sample import SAMPLES, Sample, load

SAMPLE = SAMPLES / "s07-own-domain-from-classic.json"
SPEED = 60
TIME_SCALE = 0.01
"""Of Azure's operations, by the real clock."""
CLAIM_S, HOLD_S = 9, 12
"""By the real clock. Claim and hold are one pair, claim < hold (engine-protocol, rule 1)."""
TROUBLES: tuple[JsonObject, ...] = (
    {"status": 503, "body": {"error": {"code": "ServerBusy", "message": "Made up."}}},
    {"status": 429, "headers": {"Retry-After": "1"}, "body": {"error": {"code": "TooManyRequests", "message": "."}}},
    {"disconnect": True},
    {"disconnect": "after"},
    {"delay_s": 1.5},
)
MADE = re.compile(r"/virtualMachineScaleSets/[^/]+$", re.IGNORECASE)


async def campaign(runs: int, seed: int) -> list[JsonObject]:
    """So many runs, one after the other; a line a run as the command prints it."""
    if library() is None:
        os.environ["CMG_CLAIM_SECONDS"] = str(CLAIM_S)
        told = f"libfaketime is not on this machine ({HOW_TO_GET_IT}): claims last {CLAIM_S} s instead of 5 minutes"
        print(told, file=sys.stderr, flush=True)
    return [await _run(seed, number) for number in range(runs)]


async def _run(seed: int, number: int) -> JsonObject:
    random, began = Random(f"real/{seed}/{number}"), time.monotonic()
    options = _options()
    azure = LocalAzure(options)
    happened = list[str]()
    outcome, broken = "none", list[str]()
    try:
        await azure.start()
        async with aiohttp.ClientSession() as session:
            mischief = _Mischief(azure, random, began, happened)
            await mischief.trouble_azure(session)
            sample = load(SAMPLE) if options.clock is None else _at_full_length(load(SAMPLE))
            outcome, broken = await _tell(sample, azure, session, mischief)
        broken += [f"the host's log holds {found[:12]}…" for found in KEYS.findall(_log(azure))]
    except (DemoFailed, ProcessError) as failed:
        broken.append(str(failed))
    finally:
        await azure.stop()
        azure.forget()
    return {
        "run": f"real {number}",
        "what": f"{SAMPLE.name} with processes{f', x{SPEED}' if options.clock else ''}: {', '.join(happened)}",
        "outcome": outcome,
        "violations": [{"rule": "with real processes", "what": each} for each in broken],
        "happened": [*happened],
        "again": f"python3 dev.py chaos --runs 0 --seed {seed} --real {number + 1}",
        "seconds": round(time.monotonic() - began, 1),
    }


def _options() -> Options:
    found = library()
    if found is None:
        return Options(time_scale=TIME_SCALE, minimum_grace=MINIMUM_GRACE, message_hold_s=HOLD_S)
    return Options(time_scale=1.0, minimum_grace=MINIMUM_GRACE, clock=FastClock(found, SPEED))


def _at_full_length(sample: Sample) -> Sample:
    """The sample with spans as a company has them: its own seconds would be milliseconds by a fast clock."""
    world: JsonObject = json.loads(json.dumps(sample.world))
    for record in [
        *objects_at(world, "inside_dns"),
        *(record for zone in objects_at(world, "dns_zones") for record in objects_at(zone, "record_sets")),
    ]:
        record["ttl"] = 60
    site = at_object(world, "site")
    site["check_interval_s"] = 15
    at_object(site, "clients").update(attempt_interval_s=SPEED / 10, location_interval_s=300)
    return sample.model_copy(update={"world": world, "request": sample.request | {"grace_period": "PT10M"}})


async def _tell(
    sample: Sample, azure: LocalAzure, session: aiohttp.ClientSession, mischief: "_Mischief"
) -> tuple[str, list[str]]:
    """The sample's story; its outcome, and where that is not what the sample expects."""
    demo = Demo(sample, Display(io.StringIO()), azure, session, time.monotonic(), mischief.pause)
    await demo.begin()
    report, broken = await demo.play()
    async with session.get(f"{azure.sim}/_sim/requests?since=0") as response:
        entries = objects_at(await response.json(), "requests")
    made = [
        entry
        for entry in entries
        if at(entry, "request", "method") == "PUT"
        and MADE.search(str(at(entry, "request", "path")))
        and at(entry, "response", "status") == 201
    ]
    if len(made) != 1:
        broken.append(f"{len(made)} scale sets were made")
    if KEYS.search(json.dumps([objects_at(report, "gates"), report["problem"]])):
        broken.append("the report holds what looks like a secret")
    return str(report["outcome"]), broken


def _log(azure: LocalAzure) -> str:
    return (azure.folder / "host.log").read_text(errors="replace")


@dataclass
class _Mischief:
    """What happens between two looks at the deployment."""

    azure: LocalAzure
    random: Random
    began: float
    happened: list[str]
    left: int = field(default=0)

    def __post_init__(self) -> None:
        self.left = self.random.randint(1, 4)

    async def trouble_azure(self, session: aiohttp.ClientSession) -> None:
        """Lay faults that pass into the simulator."""
        for _ in range(self.random.randint(0, 3)):
            action, after = self.random.choice(TROUBLES), self.random.randint(0, 60)
            fault: JsonObject = {"match": {"path": "management"}, "times": 1, "after": after, "action": action}
            async with session.post(f"{self.azure.sim}/_sim/faults", json=fault) as response:
                response.raise_for_status()
            self.happened.append(f"request {after} meets {next(iter(action))}")

    async def pause(self, seconds: float) -> None:
        """Wait, and now and then kill the host or stop the storage for a while."""
        await asyncio.sleep(seconds * self.random.random())
        if self.left and self.random.random() < 0.3:
            self.left -= 1
            await self.random.choice((self._kill, self._kill, self._freeze))()

    async def _kill(self) -> None:
        self._note("the host was killed")
        await self.azure.kill_host()
        await self.azure.start_host()

    async def _freeze(self) -> None:
        pid, span = self.azure.pids["azurite"], self.random.uniform(0.5, 3)
        self._note(f"the storage stood still for {span:.1f} s")
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(span)
        os.kill(pid, signal.SIGCONT)

    def _note(self, what: str) -> None:
        self.happened.append(f"{what} after {time.monotonic() - self.began:.1f} s")

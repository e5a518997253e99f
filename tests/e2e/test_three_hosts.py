"""Three host processes on the same storage and the same Azure: one migration, nothing twice, one timer."""

import asyncio
import io
import time
from collections import Counter
from datetime import UTC, datetime

import aiohttp

from cmg_core.domain.values import JsonObject, at, objects_at, text_at
from cmg_core.ledger.table import SHARDS
from local.demo.display import Display
from local.demo.run import MINIMUM_GRACE, Demo
from local.dev.azurite import count_transactions
from local.dev.environment import LocalAzure, Options, free_port
from local.dev.processes import ROOT, Child, inherited, python
from local.sample import load

SAMPLE = ROOT / "samples" / "s07-own-domain-from-classic.json"
TIMER_TAKES_S = 4


async def start_another(azure: LocalAzure, number: int) -> Child:
    """One more host, on a port of its own."""
    command = [*python(), "local.host", "--app", str(ROOT), "--port", str(free_port())]
    log = azure.folder / f"host-{number}.log"
    child = await Child.start(f"host {number}", command, log, inherited() | azure.environment())
    await child.ready()
    return child


def timer_runs(azure: LocalAzure) -> float:
    """How often wake-due has read the list of active deployments, which takes a query for each shard, and who listens,
    which takes one."""
    return count_transactions((azure.folder / "azurite.log").read_text())["timer"] / (SHARDS + 1)


async def past_the_next_minutes_begin(soon_s: float) -> None:
    """Let the minute that begins within so many seconds begin, and its timer run."""
    since_s = datetime.now(UTC).timestamp() % 60
    if since_s < TIMER_TAKES_S:
        await asyncio.sleep(TIMER_TAKES_S - since_s)
    elif 60 - since_s < soon_s:
        await asyncio.sleep(60 - since_s + TIMER_TAKES_S)


async def migrated() -> tuple[JsonObject, list[str], list[JsonObject], float, int]:
    """Report, what was unexpected, requests to Azure; the timer's runs, and how many minutes began meanwhile."""
    azure = LocalAzure(Options(minimum_grace=MINIMUM_GRACE))
    others: list[Child] = []
    async with azure, aiohttp.ClientSession() as session:
        try:
            others = list(await asyncio.gather(start_another(azure, 2), start_another(azure, 3)))
            await past_the_next_minutes_begin(soon_s=TIMER_TAKES_S)
            begun, before = datetime.now(UTC), timer_runs(azure)
            demo = Demo(load(SAMPLE), Display(io.StringIO()), azure, session, time.monotonic())
            await demo.begin()
            report, unexpected = await demo.play()
            none_yet = _minute(datetime.now(UTC)) == _minute(begun)
            await past_the_next_minutes_begin(soon_s=60 if none_yet else TIMER_TAKES_S)
            minutes = round((_minute(datetime.now(UTC)) - _minute(begun)).total_seconds() / 60)
            runs = timer_runs(azure) - before
            async with session.get(f"{azure.sim}/_sim/requests?since=0") as answer:
                requests = objects_at(await answer.json(), "requests")
            assert all(child.running for child in others)
        finally:
            for child in others:
                await child.end()
    return report, unexpected, requests, runs, minutes


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def test_three_hosts_migrate_once_and_only_one_fires_the_timer() -> None:
    report, unexpected, requests, runs, minutes = asyncio.run(migrated())
    assert unexpected == [] and report["outcome"] == "succeeded"
    tally = report["synthetic_client"]
    assert (at(tally, "failures"), at(tally, "longest_gap_s")) == (0, 0)
    took_effect = Counter(
        f"{text_at(each, 'request', 'method')} {text_at(each, 'request', 'path')}".lower()
        for each in requests
        if text_at(each, "request", "method") in ("PUT", "DELETE") and at(each, "response", "status") in (201, 202)
    )
    assert took_effect and set(took_effect.values()) == {1}
    assert minutes >= 1 and runs == minutes

"""A client of HTTP and the description alone carries a migration; a poller as Logic Apps' HTTP action is held till the
end."""

import asyncio
from datetime import timedelta
from typing import Any

from cmg_core.domain.values import JsonObject
from local.inprocess.loop import run
from local.inprocess.stage import Settings
from local.sample import SAMPLES, load
from tests.flows.only_http import Answer, Client, Front, staged

SAMPLE = load(SAMPLES / "s07-own-domain-from-scale-set.json")
REQUEST: JsonObject = {**SAMPLE.request, "grace_period": "P2D"}
A_DAY = Settings(minimum_grace=timedelta(days=1))
WHO = {"by": "change.manager@contoso.com", "reason": "CHG0031337"}


def told(answer: Answer) -> int:
    """How long an answer asks to wait."""
    return int(answer.headers["retry-after"])


def test_a_script_that_knows_the_description_alone_migrates_a_gateway() -> None:
    async def story() -> tuple[Any, list[str]]:
        opened: list[str] = []
        async with staged(SAMPLE, A_DAY) as (_, front):
            client = await Client.of(front)
            assert (await client.call("make-plan", REQUEST)).body["can_start"]
            answer = await client.call("start-migration", REQUEST, idempotency_key="CHG0031337")
            again = await client.call("start-migration", REQUEST, idempotency_key="CHG0031337")
            assert again.body["id"] == answer.body["id"]
            while answer.status == 202:
                await asyncio.sleep(told(answer))
                answer = await client.poll(answer.headers["location"])
                if answer.status != 202:
                    break
                shown = (await client.follow("show-operation", answer, "show-deployment")).body
                waits = shown["waits_for"]
                if waits and waits["gate"] and waits["opened_by"] == "person":
                    await client.call("open-gate", WHO, id=shown["id"], gate=waits["gate"])
                    opened.append(waits["gate"])
            (listed,) = (await client.call("list-deployments")).body["deployments"]
            assert (listed["id"], listed["status"]) == (answer.body["id"], "succeeded")
            return answer.body, opened

    body, opened = run(story())
    assert (body["status"], body["deployment_status"]) == ("succeeded", "succeeded")
    assert opened == ["ready-to-cut-over", "inside-dns", "site-record-removed", "connection-point-removed"]


async def people(client: Client, id: str) -> None:
    """Open each gate half an hour after it is waited at."""
    while True:
        await asyncio.sleep(1800)
        waits = (await client.call("show-deployment", id=id)).body["waits_for"]
        if waits and waits["gate"] and waits["opened_by"] == "person":
            await client.call("open-gate", WHO, id=id, gate=waits["gate"])


async def as_logic_apps(front: Front, url: str, body: JsonObject) -> tuple[Answer, list[tuple[str, int]]]:
    """Microsoft Learn, "Asynchronous request-response pattern" of Logic Apps: after 202 GET ``Location``, wait as long
    as ``Retry-After`` says, until any other status. Returns the last answer, and what was waited for how long."""
    answer = await front.send("POST", url, body, {"x-functions-key": "the-key", "Idempotency-Key": "CHG0031337"})
    waited: list[tuple[str, int]] = []
    while answer.status == 202:
        waited.append((str(answer.body["deployment_status"]), told(answer)))
        await asyncio.sleep(told(answer))
        answer = await front.send("GET", answer.headers["location"])
    return answer, waited


def test_a_poller_as_logic_apps_is_held_until_the_end_and_asks_seldom_while_nothing_happens() -> None:
    async def story() -> tuple[Answer, list[tuple[str, int]], list[str]]:
        async with staged(SAMPLE, A_DAY) as (stage, front):
            client = await Client.of(front)
            polling = asyncio.create_task(
                as_logic_apps(front, "https://cmg.contoso.example/api/migrations?code=the-key", REQUEST)
            )
            await stage.ledger.changed.wait()
            (listed,) = (await client.call("list-deployments")).body["deployments"]
            acting = asyncio.create_task(people(client, listed["id"]))
            last, waited = await polling
            acting.cancel()
            return last, waited, [a.headers["location"] for _, _, a in front.asked if "location" in a.headers]

    last, waited, locations = run(story())
    assert (last.status, last.body["status"]) == (200, "succeeded")
    assert not [each for each in locations if "key" in each or "?" in each]
    assert {seconds for status, seconds in waited if status == "running"} >= {2}
    assert max(seconds for status, seconds in waited if status == "waiting") >= 60
    assert max(seconds for status, seconds in waited if status == "grace") == 300
    assert all(2 <= seconds <= 300 for _, seconds in waited)
    assert len(waited) < 1200, "two days of grace at five minutes are 576 polls"

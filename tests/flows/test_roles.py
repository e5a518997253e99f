"""A whole migration by callers who sign in: each does what its role lets it, and is known by it in the end."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func

from cmg_core.domain.gates import GateName
from cmg_core.domain.record import Record, Status
from cmg_core.domain.values import text_at
from cmg_core.engine import Engine
from cmg_core.triggers.answering import answering
from cmg_core.triggers.http import ROUTES
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.messages import Request
from local.azure.site import apply_site
from local.host import routes
from local.inprocess.hosting import Host
from local.inprocess.loop import run
from local.inprocess.stage import InProcess, Settings, WiredServices
from local.inprocess.tape import Tape
from local.sample import Sample, load

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "s07-own-domain-from-classic.json"
PEOPLE: dict[str, dict[str, Any]] = {
    role: {
        "client_id": f"{number}0000000-7777-4000-8000-000000000000",
        "object_id": f"{number}0000000-8888-4000-8000-000000000000",
        "roles": [f"Cmg.{role}"],
    }
    for number, role in enumerate(("Reader", "Requester", "Approver", "Operator"), start=1)
}


def story() -> Sample:
    sample = load(SAMPLE)
    world: dict[str, Any] = {**sample.world, "identity": {"api": {"callers": [*PEOPLE.values()]}}}
    return sample.model_copy(update={"world": world, "request": {**sample.request, "gates": {"approval": True}}})


class Front:
    """The app's front door, where only signed-in callers are let in and duties are separate."""

    def __init__(self, stage: InProcess) -> None:
        self.stage = stage
        self.services: WiredServices = stage.wire(stage.clock)
        rules = replace(self.services.limits.callers, key_roles=frozenset(), separate_duties=True)
        self.services.limits = replace(self.services.limits, callers=rules)
        self.refused: list[str] = []

    def token(self, role: str) -> str:
        """A fresh one, as a managed identity gets it."""
        identity = self.stage.world.identity
        query = {"resource": identity.api.uri, "client_id": str(PEOPLE[role]["client_id"]), "api-version": "2019-08-01"}
        headers = {"x-identity-header": identity.header}
        asked = Request("GET", "identity", "/msi/token", query, headers)
        return str(self.stage.simulator.handle(asked, self.stage.clock.now()).json()["access_token"])

    async def call(self, role: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        found = (
            (route, values)
            for route in ROUTES
            if route.method == method
            and (values := routes.match(routes.parse(f"api/{route.path}"), path.lstrip("/"))) is not None
        )
        route, values = next(found)
        headers = {"Authorization": f"Bearer {self.token(role)}"} if role else {}
        raw = b"" if body is None else json.dumps(body).encode()
        request = func.HttpRequest(method, f"http://localhost{path}", headers=headers, route_params=values, body=raw)
        answer = await answering(route, lambda: self.services)(request)
        told = json.loads(answer.get_body())
        if answer.status_code >= 400:
            self.refused.append(text_at(told, "type").rpartition("/")[2])
        return answer.status_code, told

    async def only(self, allowed: str, method: str, path: str, body: object) -> None:
        """Let everybody try; the one whose role it is comes last and is let through."""
        for role in [*(role for role in PEOPLE if role != allowed), ""]:
            status, told = await self.call(role, method, path, body)
            assert status == (403 if role else 401), (role, path, told)
        status, told = await self.call(allowed, method, path, body)
        assert status == 200, told


async def play(sample: Sample) -> tuple[Record, Front, list[dict[str, Any]]]:
    stage = InProcess(sample, Tape(), Settings())
    front = Front(stage)
    host = Host(stage.clock, stage.queues, Engine(front.services).handle, lambda: wake_due(front.services))
    hosting = asyncio.create_task(host.run())
    try:
        async with asyncio.timeout(timedelta(days=1).total_seconds()):
            status, begun = await front.call("Requester", "POST", "/api/migrations", sample.request)
            assert status == 202, begun
            await follow(sample, front, begun["id"])
        _, history = await front.call("Reader", "GET", f"/api/deployments/{begun['id']}/events")
    finally:
        hosting.cancel()
        await stage.close()
    stored = stage.ledger.peek(begun["id"])
    assert stored is not None
    return stored.record, front, history["events"]


async def follow(sample: Sample, front: Front, id: str) -> None:
    left = list(sample.then)
    approved = False
    while True:
        stored = front.stage.ledger.peek(id)
        assert stored is not None
        if stored.record.status.is_end or stored.record.status is Status.NEEDS_ATTENTION:
            return
        view, waiting = status_view(stored.record).model_dump(mode="json"), stored.record.state.waiting
        if waiting is not None and waiting.gate is GateName.APPROVAL and not approved:
            path = f"/api/deployments/{id}/gates/approval"
            await front.only("Approver", "POST", path, {"by": "change.board@contoso.com", "reason": "approved"})
            approved = True
        while left and left[0].when.has_come(view):
            then = left.pop(0)
            if then.world is not None:
                apply_site(front.stage.world, then.world, front.stage.clock.now())
            if then.call is not None:
                await front.only("Operator", then.call.method, then.call.path.replace("{id}", id), then.call.body)
        await asyncio.sleep(0.5)


def of(role: str) -> dict[str, str]:
    person = PEOPLE[role]
    return {"id": f"principal:{person['object_id']}", "name": f"app {person['client_id']}"}


def test_a_migration_by_signed_in_callers_ends_well_and_says_who_did_what() -> None:
    record, front, history = run(play(story()))
    assert record.status is Status.SUCCEEDED
    assert {*front.refused} == {"role-missing", "not-signed-in"}
    assert {"id": record.asked_by.id, "name": record.asked_by.name} == of("Requester")

    def openers() -> Iterator[tuple[str, str]]:
        for gate in record.state.gates:
            if gate.opened_as is not None:
                yield gate.name, gate.opened_as.id

    opened = dict(openers())
    assert opened.pop(GateName.APPROVAL) == of("Approver")["id"]
    assert {*opened.values()} == {of("Operator")["id"]}
    by_text = {line["text"]: line["called_by"] for line in history}
    assert by_text["accepted"] == of("Requester")
    assert by_text["change.board@contoso.com opened the gate approval: approved"] == of("Approver")
    asked = [entry.request.path for entry in front.stage.world.log if "/discovery/" in entry.request.path]
    assert 1 <= len(asked) <= 3, "keys are kept"

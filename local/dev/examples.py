"""`python -m local.dev.examples`: plays samples and writes their calls with the real answers as the description's
examples (cmg_core/description/examples.json). A test plays them again and compares."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import azure.functions as func

from cmg_core.description.examples import FILE, Example, written
from cmg_core.domain.record import Happening, Status
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.engine import Engine
from cmg_core.notify.cloud_events import TYPE_PREFIX
from cmg_core.triggers.answering import Route, answering
from cmg_core.triggers.http import ROUTES
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.site import apply_site
from local.host import routes
from local.inprocess.calling import HOST
from local.inprocess.hosting import Host
from local.inprocess.loop import run
from local.inprocess.stage import InProcess, Settings, WiredServices, function_of
from local.inprocess.tape import Tape
from local.sample import SAMPLES, Call, Sample, Then, When, load

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TICKET = "CHG0031337"
WHO: JsonObject = {"by": "change.manager@contoso.com", "reason": TICKET}


@dataclass(frozen=True)
class Shown:
    """A call that becomes an example."""

    name: str
    about: str
    call: Call
    headers: Mapping[str, str] | None = None
    query: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Script:
    """What is shown of a sample's story: before it begins, and at moments of it."""

    sample: str
    begins: tuple[Shown, ...]
    """The last one of them that is accepted is the deployment whose ID stands for `{id}`."""
    meanwhile: tuple[tuple[When, Shown], ...] = ()
    ends: tuple[Shown, ...] = ()


def _sample(name: str) -> Sample:
    return load(SAMPLES / f"{name}.json")


def _request(name: str) -> JsonObject:
    """The sample's request as a ticket system would send it: samples are in a hurry."""
    request = dict(_sample(name).request)
    return request | ({"grace_period": "P2D"} if "grace_period" in request else {}) | {"external_reference": TICKET}


LISTENERS = "/api/deployments/{id}/subscriptions"
LISTENER: JsonObject = {
    "callback_url": "https://prod-07.westeurope.logic.azure.com/workflows/0a1b/runs/0858/callback",
    "types": [f"{TYPE_PREFIX}{Happening.ENDED}"],
    "by": "the change workflow",
}


def _look(path: str) -> Call:
    return Call(method="GET", path=path)


def _own_domain() -> Script:
    name = "s07-own-domain-from-scale-set"
    request = _request(name)
    wrong = request | {"instances": 17, "grace_period": "two days", "colour": "blue"}
    key = {"Idempotency-Key": TICKET}
    plan = Call(path="/api/plans", body=request)
    start = Call(path="/api/migrations", body=request)
    return Script(
        name,
        (
            Shown("plan", "A gateway moves from an older scale set and keeps its name", plan),
            Shown("form", "A form that a plan does not have", plan, {"Accept": "image/png"}),
            Shown("mistakes", "Three mistakes, told at once", Call(path="/api/plans", body=wrong)),
            Shown("accepted", "Accepted under the ticket's number; sent again it is the same deployment", start, key),
            Shown(
                "another-body",
                "The same key with another body",
                Call(path="/api/migrations", body=request | {"instances": 3}),
                key,
            ),
            Shown("busy", "The gateway has an active deployment already", start, {"Idempotency-Key": "CHG0031338"}),
            Shown("unknown", "No such deployment", _look("/api/deployments/7f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11")),
        ),
        (
            (When(gate="ready-to-cut-over"), Shown("waits", "It waits at a gate", _look("/api/operations/{id}"))),
            (When(gate="ready-to-cut-over"), Shown("waits", "It waits at a gate", _look("/api/deployments/{id}"))),
            (
                When(gate="ready-to-cut-over"),
                Shown("end", "A workflow that waits for the end", Call(path=LISTENERS, body=LISTENER)),
            ),
            (When(gate="ready-to-cut-over"), Shown("one", "One listens", _look(LISTENERS))),
            (
                When(gate="ready-to-cut-over"),
                Shown("anew", "All that it missed", Call(path=f"{LISTENERS}/{{subscription}}/redeliver", body={})),
            ),
            (
                When(gate="ready-to-cut-over"),
                Shown("gone", "By its ID", Call(method="DELETE", path=f"{LISTENERS}/{{subscription}}")),
            ),
            (
                When(gate="ready-to-cut-over"),
                Shown("address", "By its address", Call(method="DELETE", path=LISTENERS, body=LISTENER)),
            ),
            (
                When(gate="ready-to-cut-over"),
                Shown(
                    "too-early",
                    "A gate that is not asked for yet",
                    Call(path="/api/deployments/{id}/gates/inside-dns", body=WHO),
                ),
            ),
            (
                When(gate="ready-to-cut-over"),
                Shown(
                    "go",
                    "The change window has begun",
                    Call(path="/api/deployments/{id}/gates/ready-to-cut-over", body=WHO),
                ),
            ),
            (When(status="grace"), Shown("now", "Look now", Call(path="/api/deployments/{id}/check", body=WHO))),
            (
                When(status="grace"),
                Shown(
                    "longer",
                    "A month more",
                    Call(path="/api/deployments/{id}/extend", body=WHO | {"until": "2026-12-02T08:00:00Z"}),
                ),
            ),
            (
                When(status="grace"),
                Shown("too-late", "Too late to cancel", Call(path="/api/deployments/{id}/cancel", body=WHO)),
            ),
        ),
        (
            Shown("succeeded", "It has succeeded", _look("/api/operations/{id}")),
            Shown("history", "The history of a migration", _look("/api/deployments/{id}/events")),
            Shown("first", "The first page: those under way", _look("/api/deployments"), query={"status": "succeeded"}),
            Shown("health", "Healthy", _look("/api/health")),
            Shown("meaning", "What a type means", _look("/api/problems/another-deployment-is-active")),
        ),
    )


def _short(name: str, path: str, about: str, *meanwhile: tuple[When, Shown]) -> Script:
    start = Shown("accepted", about, Call(path=path, body=_request(name)), {"Idempotency-Key": TICKET})
    return Script(name, (start,), meanwhile)


def _ask(name: str, about: str, ask: str) -> Shown:
    return Shown(name, about, Call(path=f"/api/deployments/{{id}}/{ask}", body=WHO))


def scripts() -> Iterator[Script]:
    """All that is shown, sample by sample."""
    yield _own_domain()
    cancelled = (When(gate="approval"), _ask("cancelled", "Refused by the change board", "cancel"))
    yield _short("cancel-at-approval", "/api/migrations", "A migration that waits for approval", cancelled)
    back = (When(status="grace"), _ask("back", "Back to the old gateway", "rollback"))
    yield _short("rollback-in-grace", "/api/migrations", "A migration that is taken back", back)
    on = (When(status="needs-attention"), _ask("on", "The quota is raised: go on", "resume"))
    yield _short("resume-after-quota", "/api/migrations", "A migration that a quota stops", on)
    free = (When(status="succeeded"), _ask("free", "Nobody dials the old name any more", "release-name"))
    yield _short("parked-name", "/api/migrations", "A migration that parks the old name", free)
    yield _short("new-own-domain", "/api/deployments", "A new gateway under an own domain")
    yield _short("s08-retire-only", "/api/retirements", "An old gateway goes")


def play(scripts: Sequence[Script]) -> tuple[Example, ...]:
    """The examples, in order; of those that show the same call under the same name only the first."""
    made: dict[tuple[str, str], Example] = {}
    for example in (example for script in scripts for example in run(_played(script))):
        made.setdefault((example.call, example.name), example)
    return tuple(made.values())


async def _played(script: Script) -> list[Example]:
    stage = InProcess(_sample(script.sample), Tape(), Settings(minimum_grace=timedelta(days=1)))
    services = stage.wire(stage.clock)
    work = function_of(Engine(services, jitter=lambda: 0.5), services)
    host = Host(stage.clock, stage.queues, work, lambda: wake_due(services))
    hosting = asyncio.create_task(host.run())
    made: list[Example] = []
    try:
        for shown in script.begins:
            made.append(await _made(services, shown, made))
        id = _deployment_in(made)
        left, further = list(script.meanwhile), list(stage.sample.then)
        while left or (script.ends and not _has_ended(stage, id)):
            stage.ledger.changed.clear()
            view = _view(stage, id)
            if left and left[0][0].has_come(view):
                made.append(await _made(services, left.pop(0)[1], made))
            elif further and further[0].when.has_come(view):
                await _do(stage, services, further.pop(0), id)
            else:
                await stage.ledger.changed.wait()
        for shown in script.ends:
            made.append(await _made(services, shown, made))
    finally:
        hosting.cancel()
        await stage.close()
    return made


def _deployment_in(made: Sequence[Example]) -> str:
    """The ID of the deployment that was accepted first."""
    bodies = (each.answer for each in made if each.status == 202)
    return next((text_at(body, "id") for body in bodies), "")


def _view(stage: InProcess, id: str) -> JsonObject:
    stored = stage.ledger.peek(id)
    assert stored is not None
    return status_view(stored.record).model_dump(mode="json")


def _has_ended(stage: InProcess, id: str) -> bool:
    return Status(text_at(_view(stage, id), "status")).is_end


async def _do(stage: InProcess, services: WiredServices, then: Then, id: str) -> None:
    if then.world is not None:
        apply_site(stage.world, then.world, stage.clock.now())
    if then.call is not None:
        await called(services, then.call, id)


def _subscription_in(made: Sequence[Example]) -> str:
    """The ID of the subscription that was made."""
    return next((text_at(each.answer, "id") for each in made if each.call == "subscribe"), "")


async def _made(services: WiredServices, shown: Shown, made: Sequence[Example]) -> Example:
    """The call with its answer; ``made`` are those before it."""
    path = shown.call.path.replace("{subscription}", _subscription_in(made))
    asked = shown.call.model_copy(update={"path": path})
    route, values, answer = await called(services, asked, _deployment_in(made), shown.headers or {}, shown.query)
    text = answer.get_body().decode()
    is_json = answer.mimetype in ("application/json", "application/problem+json")
    return Example(
        call=route.name,
        name=shown.name,
        about=shown.about,
        path=values,
        query=shown.query or {},
        headers=shown.headers or {},
        body=shown.call.body,
        status=answer.status_code,
        media_type=answer.mimetype or "",
        answer=json.loads(text) if is_json else text,
    )


async def called(
    services: WiredServices,
    call: Call,
    id: str = "",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> tuple[Route, Mapping[str, str], func.HttpResponse]:
    """Which route a call comes to, with what values in its path, and the answer."""
    path = call.path.removeprefix("/api/").replace("{id}", id)
    fitting = ((route, routes.match(routes.parse(route.path), path)) for route in ROUTES if route.method == call.method)
    route, values = next((route, found) for route, found in fitting if found is not None)
    request = func.HttpRequest(
        call.method,
        f"{HOST}/api/{path}",
        headers={"traceparent": TRACE, **(headers or {})},
        params=query or {},
        route_params=values,
        body=b"" if call.body is None else json.dumps(call.body).encode(),
    )
    return route, values, await answering(route, lambda: services)(request)


def main() -> int:
    """Write the file; the exit code."""
    logging.getLogger("cmg").propagate = False
    FILE.write_text(written(play(tuple(scripts()))), encoding="utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

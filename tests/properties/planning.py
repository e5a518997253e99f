"""A scene's plan, made as POST /api/plans makes it, and what must be true of any plan.

The rules are read from the procedures and from the world itself, not from the product's code.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import reject

from cmg_core import calls
from cmg_core.domain.plans import Plan
from cmg_core.domain.requests import Request
from cmg_core.domain.validation import InvalidRequest, kind_of_request, read_request
from cmg_core.plan_page import PlanPage, plan_page
from cmg_core.views import plan_view
from local.azure.messages import is_change
from local.azure.world import World
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Tape
from local.sample import Expect, Sample
from tests.properties.scenes import Scene

STORES = ("/microsoft.storage/", "/microsoft.keyvault/")


@dataclass(frozen=True)
class Planned:
    """What came of a scene's request. ``plan`` is None where the request itself has mistakes."""

    request: Request | None
    plan: Plan | None
    mistakes: tuple[str, ...]
    world: World
    changes: tuple[str, ...]
    """The calls that changed something: there may be none."""

    @property
    def can_start(self) -> bool:
        return self.plan is not None and not self.plan.blocked_by


def sample_of(scene: Scene) -> Sample:
    """The scene as samples are told."""
    return Sample(about="", world=scene.world, request=scene.request, expect=Expect(outcome=""))


def staged(scene: Scene) -> InProcess:
    """The scene's stage. What cannot be at all (a gateway of a size that is not offered) is not tried."""
    try:
        return InProcess(sample_of(scene), Tape(), Settings(minimum_grace=scene.minimum_grace))
    except ValueError:
        reject()


def planned(scene: Scene) -> Planned:
    """The scene's plan, with the page and the view that people are given of it."""
    return asyncio.run(_planned(scene))


async def _planned(scene: Scene) -> Planned:
    stage = staged(scene)
    services = stage.wire(stage.clock)
    request: Request | None = None
    plan: Plan | None = None
    mistakes: tuple[str, ...] = ()
    try:
        request = read_request(scene.request, kind_of_request(scene.request))
        plan = await calls.make_plan(services, request)
        plan_page(PlanPage(request, plan, services.clock.now()))
        plan_view(plan, request).model_dump_json()
    except InvalidRequest as error:
        mistakes = tuple(finding.seen and finding.cure for finding in error.findings)
    finally:
        await stage.close()
    sent = [entry.request for entry in stage.world.log]
    changes = tuple(f"{each.method} {each.path}" for each in sent if is_change(each.method, each.path))
    return Planned(request, plan, mistakes, stage.world, changes)


def faults_of(scene: Scene, made: Planned) -> list[str]:
    """What is wrong with a plan: nothing, where all is well."""
    found = [f"planning sent {change}" for change in made.changes]
    if made.plan is None:
        return [*found, *([] if made.mistakes and all(made.mistakes) else ["the request was refused without a cure"])]
    found += [
        f"{each.code} lacks what was seen, or the cure" for each in made.plan.findings if not (each.seen and each.cure)
    ]
    for rule in (_deletes, _keeps):
        found += rule(scene, made.plan, made.world)
    if made.can_start:
        for rule in (_is_whole, _deletes_nothing_of_others, _leaves_time, _leads_over):
            found += rule(scene, made.plan, made.world)
    return found


def _deletes(scene: Scene, plan: Plan, world: World) -> Iterator[str]:
    """Only what stands there, by its full ID and with Azure's own where it has one; nothing that was not asked for."""
    if plan.delete and not scene.replaces:
        yield "a new deployment deletes something"
    listed = [part.id.lower() for part in plan.delete]
    if len(set(listed)) != len(listed):
        yield f"something is deleted twice: {listed}"
    for part in plan.delete:
        resource = world.resources.get(part.id.lower())
        if resource is None:
            yield f"{part.id} is to be deleted, and does not stand there"
            continue
        own = resource.body.get("properties", {})
        known = own.get("uniqueId") or own.get("resourceGuid") or ""
        if part.immutable_id != known:
            yield f"{part.id} is recorded as «{part.immutable_id}», Azure says «{known}»"
        if any(store in part.id.lower() for store in STORES) and not _was_named(scene, part.id):
            yield f"{part.id} is deleted, and the request does not name it"
    if plan.parked is not None and plan.parked.id.lower() in listed:
        yield f"{plan.parked.id} is parked and deleted"


def _keeps(scene: Scene, plan: Plan, world: World) -> Iterator[str]:
    """What is kept is not deleted, and neither is what is made."""
    going = {part.id.lower() for part in plan.delete}
    kept = {id.lower() for id in plan.keep}
    if both := going & kept:
        yield f"{sorted(both)} are kept and deleted"


def _deletes_nothing_of_others(scene: Scene, plan: Plan, world: World) -> Iterator[str]:
    """Nothing that anything which stays refers to, nothing of the new gateway, nothing out of the old one's group."""
    going = {part.id.lower() for part in plan.delete}
    parked = {plan.parked.id.lower()} if plan.parked else set[str]()
    new = {id.lower() for id in (plan.make.ids if plan.make else ())}
    new |= {id.lower() for id in (plan.standing.parts if plan.standing else ())}
    if ours := going & new:
        yield f"{sorted(ours)} are of the new gateway and deleted"
    if not scene.replaces:
        return
    group = scene.request["old_gateway"]["resource_id"].lower().split("/providers/")[0]
    for id in going:
        if not id.startswith(f"{group}/"):
            yield f"{id} is deleted, and lies outside of the old gateway's group"
        holders = [
            key
            for key, other in world.resources.items()
            if key not in going | parked and not key.startswith(f"{id}/") and _names(other.body, id)
        ]
        if holders and not all(_is_child_of(holder, going) for holder in holders):
            yield f"{id} is deleted, and {holders} refer to it"


def _names(body: Any, id: str) -> bool:
    """Whether a body names the resource, or a part of it."""
    match body:
        case str(text):
            return text.lower() == id or text.lower().startswith(f"{id}/")
        case dict():
            return any(_names(value, id) for value in body.values())
        case list():
            return any(_names(value, id) for value in body)
        case _:
            return False


def _is_child_of(id: str, parents: set[str]) -> bool:
    return any(id.startswith(f"{parent}/") for parent in parents)


def _was_named(scene: Scene, id: str) -> bool:
    named = scene.request.get("old_gateway", {}).get("also_delete", [])
    return id.lower() in {each.lower() for each in named}


def _is_whole(scene: Scene, plan: Plan, world: World) -> Iterator[str]:
    """A plan that can start says everything that the steps need."""
    if plan.names is None or plan.certificate is None or plan.case is None or not plan.steps:
        yield "it can start, and lacks names, certificate, case or steps"
    if scene.request.get("kind") == "retirement" and (plan.make is not None or plan.standing is None):
        yield "a retirement makes a gateway"
    if (plan.make is not None) is not (scene.request["provisioned_by"] == "automation"):
        yield "what is made does not fit who makes it"
    if any(not gate.what_to_do for gate in plan.gates):
        yield "a gate does not say what to do"
    if scene.replaces and plan.old_gateway is None:
        yield "nothing is known of the old gateway"
    gone = scene.request.get("old_gateway", {}).get("gone", False)
    if scene.replaces and not gone and not plan.delete:
        yield "the old gateway stands, and nothing of it is deleted"


def _leaves_time(scene: Scene, plan: Plan, world: World) -> Iterator[str]:
    if scene.replaces and (plan.grace_period is None or plan.grace_period < scene.minimum_grace):
        yield f"the grace period is {plan.grace_period}, the least {scene.minimum_grace}"


def _leads_over(scene: Scene, plan: Plan, world: World) -> Iterator[str]:
    """No client is left without a relaying gateway but for a gap that is foretold and accepted, and the original
    connection point stays as it is until a second one serves."""
    if not scene.replaces or plan.names is None:
        return
    order = [str(gate.name) for gate in plan.gates]
    old, accepts = scene.request["old_gateway"], scene.request.get("accept_gap")
    keeps_name = old["service_name"].lower() == plan.names.service_name.lower()
    serves, retires = not old.get("gone", False), scene.request.get("kind") == "retirement"
    may_gap = keeps_name and serves and not retires and accepts is not None
    if bool(plan.foretold_gap) is not may_gap:
        yield f"a gap of {plan.foretold_gap} is foretold; accepted: {accepts}"
    if may_gap and not any(finding.code == "gap-foretold" for finding in plan.findings):
        yield "nobody is told of the gap"
    if "connection-point-connected" not in order or "site-record-removed" not in order:
        yield f"the old gateway goes without a look at the new one's connection point: {order}"
        return
    connected, removed = order.index("connection-point-connected"), order.index("site-record-removed")
    if connected > removed:
        yield "the site forgets the old gateway before the new one relays"
    if keeps_name and serves and not retires and not may_gap and connected > order.index("cname"):
        yield "the record changes before the new gateway relays"
    if "connection-point-removed" in order:
        if order.index("connection-point-removed") < removed:
            yield "the original connection point goes before the site has forgotten the old gateway"
        if may_gap or (keeps_name and not serves):
            yield "the only connection point is removed"
    elif serves and not may_gap and not retires:
        yield "the original connection point is forgotten"
    if not may_gap and serves and not retires:
        told = plan.gates[connected].what_to_do
        if "second connection point" not in told or "first connection point stays" not in told.replace("\n", " "):
            yield f"the gate does not leave the first connection point alone: {told}"

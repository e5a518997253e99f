"""Build the gateway's network: resource group, network security group, address, virtual network, load balancer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from cmg_core.domain.azure_causes import may_heal, problem_of
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.outcomes import Done, Failed, Outcome, Wait
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Claim, State
from cmg_core.domain.values import JsonObject, ResourceId, text_at
from cmg_core.services import Started
from cmg_core.steps.context import StepContext
from cmg_core.steps.writing import (
    Looked,
    Standing,
    Write,
    after_wave,
    blueprint,
    elapsed,
    look_at_operations,
    pause,
    refusal_of,
    standing,
    start,
    together,
)

STEP = "provision-network"
LONGEST = timedelta(minutes=30)
"""Each of these resources takes seconds: what still fails or hangs after this long needs a person."""


@dataclass(frozen=True)
class Part:
    """One resource of the network, and the one that must stand before it."""

    id: str
    what: str
    body: JsonObject
    needs: str = ""


def parts_of(gateway: Blueprint) -> tuple[Part, ...]:
    """The network's resources: security group and address depend on nothing, the other two on one of these."""
    make = gateway.make
    return (
        Part(make.network_security_group, "network security group", gateway.network_security_group()),
        Part(make.public_address, "public address", gateway.public_address()),
        Part(make.virtual_network, "virtual network", gateway.virtual_network(), make.network_security_group),
        Part(make.load_balancer, "load balancer", gateway.load_balancer(), make.public_address),
    )


async def provision_network(context: StepContext) -> Outcome:
    """Done when all four stand as wanted; then the state knows them and the address."""
    gateway = blueprint(context)
    parts = parts_of(gateway)
    looked = await look_at_operations(context)
    final = next(((id, look) for id, look in looked.failed.items() if not may_heal(look.code)), None)
    if final:
        return Failed(looked.state, problem_of(refusal_of(*final), STEP))
    running = [part for part in parts if part.id in looked.state.operations]
    if running and len(running) == len(context.state.operations) and elapsed(context, STEP) <= LONGEST:
        return Wait(looked.state, pause(context, STEP, looked.look_after), f"Azure makes {_list(running)}")
    group_is_new = not context.state.operations and await _ensure_group(context, gateway)
    standings = await _observe(context, parts, looked, group_is_new)
    behind = [part for part in parts if standings.get(part.id) is not Standing.RIGHT]
    if not behind:
        return await _done(context, gateway, looked.state)
    if elapsed(context, STEP) > LONGEST:
        return Failed(looked.state, _too_long(behind, looked))
    writable = [part for part in behind if standings.get(part.id) in (Standing.MISSING, Standing.WRONG)]
    if writable:
        wave = await start(context, looked.state, {part.id: _put(context, part) for part in writable})
        return after_wave(context, STEP, wave, f"Azure makes {_list(writable)}")
    return Wait(looked.state, pause(context, STEP, looked.look_after), f"Azure makes {_list(behind)}")


async def _ensure_group(context: StepContext, gateway: Blueprint) -> bool:
    """Make the resource group where there is none, and tell whether it was made. One that stands is left as it is."""
    name = ResourceId.parse(gateway.make.scale_set).resource_group
    if await context.azure.group(name) is not None:
        return False
    await context.azure.put_group(await context.claim(), name, gateway.resource_group())
    return True


async def _observe(
    context: StepContext, parts: Sequence[Part], looked: Looked, group_is_new: bool
) -> dict[str, Standing]:
    """How each part stands, as far as it can stand yet: one whose need is not met is left out.

    An operation's word spares a look at its resource; a part that was begun vouches for the one that it needs.
    """
    standings = dict.fromkeys(looked.state.operations, Standing.BUSY) | dict.fromkeys(looked.succeeded, Standing.RIGHT)
    standings |= {part.needs: Standing.RIGHT for part in parts if part.needs and part.id in standings}
    if group_is_new:
        return {part.id: Standing.MISSING for part in parts if not part.needs}
    while unseen := [
        part
        for part in parts
        if part.id not in standings and (not part.needs or standings.get(part.needs) is Standing.RIGHT)
    ]:
        seen = await together(standing(context, part.id, part.body) for part in unseen)
        standings |= {part.id: stands for part, stands in zip(unseen, seen, strict=True)}
    return standings


def _put(context: StepContext, part: Part) -> Write:
    async def put(claim: Claim) -> Started:
        return await context.azure.put(claim, part.id, part.body)

    return put


async def _done(context: StepContext, gateway: Blueprint, state: State) -> Outcome:
    made = (
        gateway.make.network_security_group,
        gateway.make.virtual_network,
        gateway.make.public_address,
        gateway.make.load_balancer,
    )
    body = await context.azure.get(gateway.make.public_address)
    address, name = text_at(body, "properties", "ipAddress"), text_at(body, "properties", "dnsSettings", "fqdn")
    if name.lower() != gateway.names.deployment_name.lower():
        return Failed(state, _other_name(gateway, name))
    created = (*state.new.created, *(id for id in made if id not in state.new.created))
    new = replace(state.new, address=address, created=created)
    return Done(replace(state, new=new), (f"The network stands: {name} is {address}.",))


def _list(parts: Iterable[Part]) -> str:
    return ", ".join(f"{part.what} «{ResourceId.parse(part.id).name}»" for part in parts)


def _other_name(gateway: Blueprint, name: str) -> Problem:
    return Problem(
        code="name-differs",
        title="Azure gave the address another name than planned",
        detail=f"Planned was {gateway.names.deployment_name}, the address is called «{name}».",
        cure="Nothing points at the name yet. Cancel this deployment and report the region with this message.",
        step=STEP,
        resource=gateway.make.public_address,
    )


def _too_long(behind: Sequence[Part], looked: Looked) -> Problem:
    said = "; ".join(f"{look.code}: {look.message}" for look in looked.failed.values())
    return Problem(
        code="network-not-built",
        title="Azure does not finish the network",
        detail=f"Not ready after {LONGEST}: {_list(behind)}." + (f" Azure said last: {said}" if said else ""),
        cure="Look at the resource's activity log in the portal and at Azure's status page, then resume.",
        step=STEP,
        resource=behind[0].id,
    )

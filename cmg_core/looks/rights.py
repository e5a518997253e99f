"""What the app may do, scope by scope, in as few calls as it takes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmg_core.domain.permissions import Need, lacking, needs_of
from cmg_core.domain.requests import Request
from cmg_core.domain.target import unregistered
from cmg_core.domain.values import JsonObject, subscription_of
from cmg_core.looks.asking import Missed
from cmg_core.looks.neighbours import Entrance
from cmg_core.services import Services, azure_of
from cmg_core.steps.register_providers import PROVIDERS

READ_PERMISSIONS = "Microsoft.Authorization/permissions/read"


@dataclass(frozen=True)
class Rights:
    """What is missing at each scope, and the looks that brought nothing where one was needed."""

    missing: tuple[Need, ...]
    missed: tuple[Missed, ...]


async def look_at_rights(
    entrance: Entrance,
    services: Services,
    request: Request,
    providers: asyncio.Task[Mapping[str, str] | Missed],
    group: asyncio.Task[JsonObject | Missed | None],
    vault: asyncio.Task[JsonObject | Missed | None],
) -> Rights:
    """A role in the subscription holds for everything in it: only what it does not grant is asked for where it is
    needed, all scopes together. What Azure lists there includes what is inherited."""
    subscription = f"/subscriptions/{request.subscription_id}"

    async def permissions(scope: str, what: str) -> Sequence[JsonObject] | Missed:
        azure = azure_of(services, request.tenant, scope)
        return await entrance.ask(scope, what, READ_PERMISSIONS, lambda: azure.permissions(scope))

    above = await permissions(subscription, "permissions in the subscription")
    needs = await _needs(request, providers, group, vault)
    inherited: Sequence[JsonObject] = () if isinstance(above, Missed) else above
    open_needs = [need if _is_elsewhere(need, request) else lacking(need, inherited) for need in needs]
    open_needs = [need for need in open_needs if need.actions]
    own = [need for need in open_needs if need.scope == subscription]
    below = [need for need in open_needs if need.scope != subscription]
    answers = await asyncio.gather(*(permissions(need.scope, f"permissions at {need.scope}") for need in below))
    missed = [answer for answer in answers if isinstance(answer, Missed)]
    missing = [
        lacking(need, answer) for need, answer in zip(below, answers, strict=True) if not isinstance(answer, Missed)
    ]
    if isinstance(above, Missed):
        missed += [above] if own else []
    else:
        missing += own
    return Rights(tuple(need for need in missing if need.actions), tuple(missed))


async def _needs(
    request: Request,
    providers: asyncio.Task[Mapping[str, str] | Missed],
    group: asyncio.Task[JsonObject | Missed | None],
    vault: asyncio.Task[JsonObject | Missed | None],
) -> tuple[Need, ...]:
    """What could not be seen is not asked for: that it could not has its own finding."""
    states, standing, keeper = await asyncio.gather(providers, group, vault)
    vault_id = keeper.get("id") if isinstance(keeper, dict) else ""
    return needs_of(
        request,
        group_exists=standing is not None,
        unregistered=() if isinstance(states, Missed) else unregistered(states, PROVIDERS),
        vault_id=vault_id if isinstance(vault_id, str) else "",
    )


def _is_elsewhere(need: Need, request: Request) -> bool:
    """Whether a scope lies in another subscription than the new gateway, where other roles hold."""
    return subscription_of(need.scope) != request.subscription_id

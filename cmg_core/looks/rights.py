"""What the app may do, scope by scope, in as few calls as it takes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmg_core.domain.permissions import Need, lacking, needs_of
from cmg_core.domain.requests import Request
from cmg_core.domain.target import unregistered
from cmg_core.domain.values import JsonObject
from cmg_core.looks.asking import Asking, Missed
from cmg_core.services import ResourceManager
from cmg_core.steps.register_providers import PROVIDERS

READ_PERMISSIONS = "Microsoft.Authorization/permissions/read"


@dataclass(frozen=True)
class Rights:
    """What is missing at each scope, and the looks that brought nothing where one was needed."""

    missing: tuple[Need, ...]
    missed: tuple[Missed, ...]


async def look_at_rights(
    asking: Asking,
    azure: ResourceManager,
    request: Request,
    providers: asyncio.Task[Mapping[str, str] | Missed],
    group: asyncio.Task[JsonObject | Missed | None],
    vault: asyncio.Task[JsonObject | Missed | None],
) -> Rights:
    """A role in the subscription holds for everything in it: only what it does not grant is asked for where it is
    needed, all scopes together. What Azure lists there includes what is inherited."""
    subscription = f"/subscriptions/{request.subscription_id}"
    above = await asking.ask("permissions in the subscription", READ_PERMISSIONS, azure.permissions(subscription))
    needs = await _needs(request, providers, group, vault)
    inherited: Sequence[JsonObject] = () if isinstance(above, Missed) else above
    open_needs = [need if _is_elsewhere(need, request) else lacking(need, inherited) for need in needs]
    open_needs = [need for need in open_needs if need.actions]
    own = [need for need in open_needs if need.scope == subscription]
    below = [need for need in open_needs if need.scope != subscription]
    answers = await asyncio.gather(
        *(asking.ask(f"permissions at {need.scope}", READ_PERMISSIONS, azure.permissions(need.scope)) for need in below)
    )
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
    return not f"{need.scope}/".lower().startswith(f"/subscriptions/{request.subscription_id}/")

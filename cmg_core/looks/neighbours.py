"""Looks into other subscriptions of the tenant, where a zone or an old gateway lies: may the app enter, and what keeps
it from its work there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from cmg_core.domain.other_subscriptions import OtherSubscription, judge_refused_entry, other_subscriptions
from cmg_core.domain.requests import Request
from cmg_core.domain.values import JsonObject, subscription_of
from cmg_core.looks.asking import READER, Asking, Missed
from cmg_core.services import Services


@dataclass(frozen=True)
class Neighbour:
    """What was seen of another subscription. Where its body could not be seen, nothing else of it was asked for."""

    other: OtherSubscription
    body: JsonObject | Missed
    locks: Sequence[JsonObject] | Missed = ()
    conditions: Sequence[JsonObject] | Missed = ()
    """Role assignments of the app's identity."""


type Neighbours = Mapping[str, Neighbour]
"""By the subscription's ID in lower case; none where everything lies beside the new gateway."""


async def look_at_neighbours(asking: Asking, services: Services, request: Request) -> Neighbours:
    """Look at all of them together."""
    others = other_subscriptions(request)
    seen = await asyncio.gather(*(_neighbour(asking, services, request, other) for other in others))
    return {neighbour.other.id: neighbour for neighbour in seen}


async def _neighbour(asking: Asking, services: Services, request: Request, other: OtherSubscription) -> Neighbour:
    azure, who = services.azure(request.tenant, other.id), services.limits.identities
    body = await asking.ask(f"the subscription of {other.spoken}", READER, azure.subscription)
    if isinstance(body, Missed):
        meant = judge_refused_entry(body.refused, other, request.tenant, who) if body.refused else ()
        return Neighbour(other, Missed(meant[0]) if meant else body)
    locks, conditions = await asyncio.gather(
        asking.ask(f"the resource locks of {other.scope}", "Microsoft.Authorization/locks/read", azure.locks),
        asking.ask(
            f"role assignments in {other.scope}",
            "Microsoft.Authorization/roleAssignments/read",
            azure.role_assignments,
        ),
    )
    return Neighbour(other, body, locks, conditions)


@dataclass(frozen=True)
class Entrance:
    """Asks for what lies in any subscription, once it is known that the app may enter that one."""

    asking: Asking
    neighbours: asyncio.Task[Neighbours]
    home: str
    """The subscription of the new gateway, in lower case: that one has its own look."""

    async def ask[T](self, id: str, what: str, permission: str, look: Callable[[], Awaitable[T]]) -> T | Missed:
        """What a look at a resource or a scope finds; why its subscription is closed, where it is."""
        if closed := await self.closed(id):
            return closed
        return await self.asking.ask(what, permission, look)

    async def closed(self, id: str) -> Missed | None:
        """Why the subscription of a resource or a scope cannot be entered; None where it can."""
        if subscription_of(id) == self.home:
            return None
        body = (await self.neighbours)[subscription_of(id)].body
        return body if isinstance(body, Missed) else None

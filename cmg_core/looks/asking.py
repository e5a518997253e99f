"""Asking without falling over: a look that fails becomes a finding, so that all the others still tell theirs."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from cmg_core.domain.errors import AzureRefused, TryAgain, UnreadableRow
from cmg_core.domain.findings import blocks, unknown
from cmg_core.domain.plans import Look
from cmg_core.domain.problems import Finding

ACTION = re.compile(r"action '([\w./*-]+)'", re.IGNORECASE)
"""How Azure names a missing permission (AuthorizationFailed, ForbiddenByRbac)."""

NAMESPACE = re.compile(r"namespace '([\w.]+)'", re.IGNORECASE)
"""How Azure names a resource provider that is not registered (MissingSubscriptionRegistration)."""
NEEDS_PROVIDER = "look-needs-provider"
READER = "the role Reader on the subscription"


@dataclass(frozen=True)
class Missed:
    """A look that brought nothing. ``refused`` is Azure's own answer, where it gave one."""

    finding: Finding
    refused: AzureRefused | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Busy(Missed):
    """A look that brought no answer: asking again may cure it."""

    reason: TryAgain


@dataclass
class Asking:
    """Asks, and notes of each look how long it took by the running loop's clock and whether it brought an answer."""

    looks: list[Look] = field(default_factory=list)

    async def ask[T](self, what: str, permission: str, look: Callable[[], Awaitable[T]]) -> T | Missed:
        """What a look finds. ``what`` names it to a person; ``permission`` is what it needs. ``look`` begins it: one
        that is called off before its turn was never begun."""
        clock = asyncio.get_running_loop().time
        began = clock()
        found = await _answer(what, permission, look())
        self.looks.append(Look(name=what, seconds=round(clock() - began, 3), answered=not isinstance(found, Missed)))
        return found


async def _answer[T](what: str, permission: str, look: Awaitable[T]) -> T | Missed:
    try:
        return await look
    except TryAgain as busy:
        seen = f"Looking at {what} brought no answer: {busy.reason}"
        return Busy(unknown("look-not-answered", seen, "Ask again in a little while."), busy)
    except AzureRefused as refused:
        return Missed(_refusal(what, permission, refused), refused=refused)
    except UnreadableRow as reason:
        return Missed(unknown("look-unreadable", f"Looking at {what} brought nothing: {reason}.", _PUT_BACK))


_PUT_BACK = "Find out who changed the table, put the row back as it was, and ask again."


def _refusal(what: str, permission: str, refused: AzureRefused) -> Finding:
    if refused.status == 401:
        return blocks(
            "sign-in-refused",
            f"Azure does not take the app's sign-in for this tenant: {refused.code}.",
            "Check `tenant_id`, and that the app's identity is known in that tenant.",
            pointer="/tenant_id",
        )
    if refused.code == "SubscriptionNotFound":
        return blocks(
            "subscription-not-found",
            "There is no such subscription in the tenant, or the app's identity has no role in it.",
            "Check `subscription_id`, and give the app's identity a role in the subscription.",
            pointer="/subscription_id",
        )
    if refused.code == "MissingSubscriptionRegistration":
        named = NAMESPACE.search(refused.message)
        return unknown(
            NEEDS_PROVIDER,
            f"Azure does not show {what} before a resource provider is registered: {refused.message}",
            f"Run: az provider register --wait --namespace {named[1] if named else '(the one named here)'}. Then ask "
            "again.",
            resource=refused.target,
        )
    if refused.status == 403:
        named = ACTION.search(refused.message)
        return unknown(
            "look-not-permitted",
            f"The app may not look at {what}: {refused.code}. {refused.message}",
            f"Give the app's identity {named[1] if named else permission}, and let firewalls pass it. A new "
            "role assignment "
            "takes some minutes to spread.",
            resource=refused.target,
        )
    return unknown(
        "look-refused",
        f"Azure refused to show {what}: {refused.status} {refused.code}. {refused.message}",
        "Cure what Azure names and ask again.",
        resource=refused.target,
    )

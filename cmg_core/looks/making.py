"""Looks that need the new gateway's names: what policies say of its parts, and the names that the site would take."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cmg_core.domain.name_spaces import NameSpaces
from cmg_core.domain.policies import GROUP_TYPE, Made, could_deny
from cmg_core.domain.requests import Request
from cmg_core.domain.target import group_id
from cmg_core.domain.values import JsonObject
from cmg_core.looks.asking import Asking, Missed
from cmg_core.services import ResourceManager

CHECK_POLICIES = "Microsoft.PolicyInsights/checkPolicyRestrictions/read"


@dataclass(frozen=True)
class PolicyAnswer:
    """What policies say of one part."""

    made: Made
    answer: JsonObject | Missed


async def ask_policies(
    asking: Asking,
    azure: ResourceManager,
    request: Request,
    assignments: Sequence[JsonObject],
    made: Sequence[Made],
    *,
    group_exists: bool,
) -> tuple[PolicyAnswer, ...]:
    """Azure's own check of each part, all together; none where no policy could refuse anything."""
    if not could_deny(assignments, group_id(request)):
        return ()
    subscription = f"/subscriptions/{request.subscription_id}"
    scope = group_id(request) if group_exists else subscription

    async def check(part: Made) -> PolicyAnswer:
        where = subscription if part.kind == GROUP_TYPE else scope
        what = f"policies for {part.id.rsplit('/', 1)[-1]}"
        return PolicyAnswer(
            part, await asking.ask(what, CHECK_POLICIES, partial(azure.policy_restrictions, where, part.content))
        )

    return tuple(await asyncio.gather(*map(check, made)))


async def ask_names(asking: Asking, azure: ResourceManager, label: str) -> NameSpaces | Missed:
    """The label as a vault's and a storage account's name, and as a deleted vault's."""
    vault, storage, deleted = await asyncio.gather(
        asking.ask(
            "the vault's name", "Microsoft.KeyVault/checkNameAvailability/read", partial(azure.vault_name, label)
        ),
        asking.ask(
            "the storage account's name",
            "Microsoft.Storage/checkNameAvailability/read",
            partial(azure.storage_name, label),
        ),
        asking.ask("deleted vaults", "Microsoft.KeyVault/deletedVaults/read", partial(azure.deleted_vault, label)),
    )
    if isinstance(vault, Missed):
        return vault
    if isinstance(storage, Missed):
        return storage
    return deleted if isinstance(deleted, Missed) else NameSpaces(vault, storage, deleted)

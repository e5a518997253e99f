"""Where the new gateway goes: subscription, rights, group, vault, capacity and policies, judged from what was seen."""

from collections.abc import Iterable

from cmg_core.domain.capacity import (
    Offer,
    judge_network_quota,
    judge_offer,
    judge_quota,
    network_quota_not_seen,
    offer_of,
)
from cmg_core.domain.clouds import CloudName, cloud_of
from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.gateway_resources import Blueprint
from cmg_core.domain.old_gateway import (
    CLASSIC,
    SCALE_SET,
    type_of,
)
from cmg_core.domain.permissions import conditions_not_seen, judge_conditions, judge_permissions
from cmg_core.domain.plans import PinnedCertificate
from cmg_core.domain.policies import judge_restrictions, names_of, policies_not_seen, to_be_made
from cmg_core.domain.problems import Finding
from cmg_core.domain.releases import Circumstances
from cmg_core.domain.requests import MigrationRequest, Request
from cmg_core.domain.target import (
    is_csp,
    judge_group,
    judge_locks_on_target,
    judge_other_subscription,
    judge_providers,
    judge_subscription,
    judge_vault,
)
from cmg_core.domain.tenants import Identities
from cmg_core.looks.asking import NEEDS_PROVIDER, Asking, Busy, Missed
from cmg_core.looks.facts import UNNAMED, Facts
from cmg_core.looks.making import ask_policies
from cmg_core.looks.neighbours import Neighbour
from cmg_core.looks.notes import Notes
from cmg_core.services import Services
from cmg_core.steps.register_providers import PROVIDERS


def judge_rival(rival: str) -> Iterable[Finding]:
    """Whether another active deployment holds the gateway."""
    if rival == UNNAMED:
        yield blocks(
            "another-migration",
            "A deployment that cannot be named here holds this gateway and has not ended.",
            "Have the app's operators look for it: let it end first.",
        )
    elif rival:
        yield blocks(
            "another-migration",
            f"Deployment {rival} holds this gateway and has not ended.",
            f"See GET /api/deployments/{rival}: let it end first.",
        )


def note_target(notes: Notes, request: Request, facts: Facts, who: Identities) -> None:
    """The subscription, its providers, the group, the vault, other subscriptions of the tenant, and the locks."""
    notes.judge(facts.subscription, lambda body: judge_subscription(body, request, who))
    notes.judge(facts.providers, lambda states: judge_providers(states, PROVIDERS))
    notes.judge(facts.group, lambda body: judge_group(body, request))
    if request.provisioned_by == "automation":
        _note_vault(notes, request, facts)
    for neighbour in facts.neighbours.values():
        _note_neighbour(notes, request, neighbour, who)
    for locks in facts.all_locks:
        notes.judge(locks, lambda locks: judge_locks_on_target(locks, request))


def _note_neighbour(notes: Notes, request: Request, neighbour: Neighbour, who: Identities) -> None:
    notes.judge(neighbour.body, lambda body: judge_other_subscription(body, neighbour.other, request, who))


def _note_vault(notes: Notes, request: Request, facts: Facts) -> None:
    deleted = facts.deleted_vault
    if isinstance(deleted, Missed):
        notes.miss(deleted)
    else:
        notes.judge(facts.vault, lambda body: judge_vault(body, request, deleted))


def note_rights(notes: Notes, facts: Facts) -> None:
    """What the app's identity lacks, and under which conditions its roles hold."""
    for missed in facts.rights.missed:
        notes.miss(missed)
    for need in facts.rights.missing:
        notes.add(judge_permissions(need))
    for conditions in facts.all_conditions:
        if isinstance(conditions, Missed) and not isinstance(conditions, Busy):
            notes.add([conditions_not_seen(conditions.finding.seen)])
        else:
            notes.judge(conditions, judge_conditions)


def circumstances(request: Request, facts: Facts, offer: Offer | None) -> Circumstances:
    """What the rules of the releases depend on."""
    source = type_of(request.old_gateway.resource_id) if isinstance(request, MigrationRequest) else ""
    return Circumstances(
        site_makes_it=request.provisioned_by == "site",
        has_scale_set=source == SCALE_SET or request.provisioned_by == "existing",
        from_classic=source == CLASSIC,
        to_classic=request.deployment_model == "classic",
        government=cloud_of(request.region) is CloudName.US_GOVERNMENT,
        csp=None if isinstance(facts.subscription, Missed) else is_csp(facts.subscription),
        hierarchy=request.site.hierarchy if request.site else None,
        zonal=bool(offer and offer.zones),
        group_exists=isinstance(facts.group, dict),
    )


def note_capacity(notes: Notes, request: Request, facts: Facts) -> Offer | None:
    """Size, zones and limits; the offer of the size where there is one."""
    if not isinstance(facts.network_usages, Missed):
        notes.add(judge_network_quota(facts.network_usages, request.region))
    elif facts.network_usages.finding.code == NEEDS_PROVIDER:
        notes.add([network_quota_not_seen(facts.network_usages.finding.seen)])
    else:
        notes.miss(facts.network_usages)
    if isinstance(facts.sizes, Missed) and facts.sizes.finding.code == NEEDS_PROVIDER:
        notes.add([_capacity_not_seen(facts.sizes)])
        return None
    if isinstance(facts.sizes, Missed):
        notes.miss(facts.sizes)
        return None
    offer = offer_of(facts.sizes, request.size, request.region)
    is_ours = request.provisioned_by == "automation"
    notes.add(judge_offer(offer, request.size, request.region, boots_our_image=is_ours))
    if offer is not None:
        notes.judge(facts.usages, lambda usages: judge_quota(usages, offer, request.instances, request.region))
    return offer


def _capacity_not_seen(missed: Missed) -> Finding:
    """Subscriptions with nothing but classic services never registered Microsoft.Compute: that is no obstacle."""
    return warns(
        "capacity-not-seen",
        f"Size, zones and quota could not be looked at. {missed.finding.seen}",
        "The deployment registers the provider, asks for the size without zones, and fails where the quota does not "
        f"allow it; the old gateway is untouched then. To know before: {missed.finding.cure}",
        pointer="/size",
    )


async def note_policies(
    notes: Notes,
    asking: Asking,
    request: Request,
    services: Services,
    facts: Facts,
    blueprint: Blueprint,
    certificate: PinnedCertificate,
) -> None:
    """What policies refuse of the parts that the app makes, and of the group where it makes that, too."""
    if isinstance(facts.policies, Missed):
        notes.miss(facts.policies)
        return
    group_exists = facts.group is not None
    made = to_be_made(blueprint, certificate, services.limits.gateway_software, group_exists=group_exists)
    azure = services.azure(request.tenant, request.subscription_id)
    names = names_of(facts.policies)
    answers = await ask_policies(asking, azure, request, facts.policies, made, group_exists=group_exists)
    for part in answers:
        if not isinstance(part.answer, Missed):
            notes.add(judge_restrictions(part.made, part.answer, names))
    # What keeps one part's answer away keeps all of them away: it is told once.
    missed = next((part.answer for part in answers if isinstance(part.answer, Missed)), None)
    if missed is not None and missed.finding.code == NEEDS_PROVIDER:
        notes.add([policies_not_seen(missed.finding.seen, len(facts.policies))])
    elif missed is not None:
        notes.miss(missed)

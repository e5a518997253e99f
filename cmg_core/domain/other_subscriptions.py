"""Other subscriptions of the same tenant in which a plan changes something: the zone's, and the old gateway's.

Resource Manager takes a token for every subscription of the tenant that it was issued for, and for no other tenant's
(InvalidAuthenticationTokenTenant: "the access token is from the wrong issuer").
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.findings import blocks
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.tenants import Access, Identities, Tenant, named_owner, not_delegated
from cmg_core.domain.values import subscription_of

ZONE, OLD_GATEWAY = "the DNS zone", "the old gateway"
WITHOUT_ZONE = "leave `dns` out: then the zone's owner changes the record."


@dataclass(frozen=True)
class OtherSubscription:
    """One of them, with what lies there and the key of the request that says so."""

    id: str
    holds: tuple[str, ...]
    pointer: str

    @property
    def scope(self) -> str:
        """Its full ID, as roles and locks name it."""
        return f"/subscriptions/{self.id}"

    @property
    def spoken(self) -> str:
        return " and ".join(self.holds)

    @property
    def is_written_to(self) -> bool:
        """Whether anything is made or changed there; of an old gateway something is deleted only."""
        return ZONE in self.holds


def other_subscriptions(request: Request) -> tuple[OtherSubscription, ...]:
    """Each of them once; none where everything lies beside the new gateway."""
    found: dict[str, OtherSubscription] = {}
    for what, pointer, id in _places(request):
        subscription = subscription_of(id)
        if subscription == request.subscription_id:
            continue
        known = found.get(subscription, OtherSubscription(subscription, (), pointer))
        found[subscription] = replace(known, holds=(*known.holds, what))
    return tuple(found.values())


def _places(request: Request) -> Iterator[tuple[str, str, str]]:
    if request.dns is not None:
        yield ZONE, "/dns/zone_id", request.dns.zone_id
    if isinstance(request, ReplacementRequest):
        yield OLD_GATEWAY, "/old_gateway/resource_id", request.old_gateway.resource_id


def judge_refused_entry(
    refused: AzureRefused, other: OtherSubscription, tenant: Tenant, who: Identities
) -> tuple[Finding, ...]:
    """What it means that Azure does not show another subscription; nothing where the refusal is about something
    else."""
    if refused.code == "InvalidAuthenticationTokenTenant":
        owner = named_owner(refused)
        if who.access_to(tenant) is Access.DELEGATED and owner in ("", tenant.id):
            return (not_delegated(tenant, who, other.scope),)
        return (in_other_tenant(other, owner),)
    if refused.code == "SubscriptionNotFound":
        return (
            blocks(
                "other-subscription-not-found",
                f"There is no subscription {other.id}, where {other.spoken} should lie, in the request's tenant; or "
                "the app's identity has no role in it.",
                "Check the ID, and give the app's identity its roles there as well."
                + (f" Or {WITHOUT_ZONE}" if other.holds == (ZONE,) else ""),
                resource=other.scope,
                pointer=other.pointer,
            ),
        )
    return ()


def in_other_tenant(other: OtherSubscription, owner: str) -> Finding:
    """That it belongs to another tenant than the new gateway's; ``owner`` is empty where nobody told."""
    return blocks(
        "other-subscription-other-tenant",
        f"The subscription of {other.spoken} belongs to {f'tenant {owner}' if owner else 'another tenant'}: the app "
        "signs in to one tenant for a deployment, and no token of that one works there.",
        WITHOUT_ZONE.capitalize()
        if other.holds == (ZONE,)
        else "Ask for a new deployment (POST /api/deployments), and have the other tenant's people remove the old "
        "gateway when clients have moved; or move that subscription into this tenant first.",
        resource=other.scope,
        pointer=other.pointer,
    )

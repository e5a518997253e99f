"""Other subscriptions of the tenant: which a request reaches into, and what it means that Azure does not show one."""

import pytest

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.other_subscriptions import (
    OLD_GATEWAY,
    ZONE,
    OtherSubscription,
    in_other_tenant,
    judge_refused_entry,
    other_subscriptions,
)
from cmg_core.domain.problems import Severity
from cmg_core.domain.requests import Request
from cmg_core.domain.tenants import Access, Identities, Tenant
from tests.fakes import CLASSIC_ID, SUBSCRIPTION, TENANT, ZONE_ID, deployment, migration

FAR, FARTHER = "55555555-5555-5555-5555-555555555555", "aaaaaaaa-6666-6666-6666-666666666666"
HOME, FOREIGN = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
PROVIDER = Identities(HOME, "cccccccc-0000-4000-8000-000000000003")


def reaching(zone: str = SUBSCRIPTION, old: str = SUBSCRIPTION) -> Request:
    """A migration whose zone and old gateway lie in these subscriptions."""
    source = {"resource_id": CLASSIC_ID.replace(SUBSCRIPTION, old), "service_name": "a.contoso.com"}
    return migration(dns={"zone_id": ZONE_ID.replace(SUBSCRIPTION, zone)}, old_gateway=source)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (reaching(), []),
        (reaching(zone=FAR), [(FAR, (ZONE,), "/dns/zone_id", True)]),
        (reaching(old=FAR), [(FAR, (OLD_GATEWAY,), "/old_gateway/resource_id", False)]),
        (reaching(FAR, FAR), [(FAR, (ZONE, OLD_GATEWAY), "/dns/zone_id", True)]),
        (reaching(FARTHER.upper(), FARTHER), [(FARTHER, (ZONE, OLD_GATEWAY), "/dns/zone_id", True)]),
        (
            reaching(FAR, FARTHER),
            [(FAR, (ZONE,), "/dns/zone_id", True), (FARTHER, (OLD_GATEWAY,), "/old_gateway/resource_id", False)],
        ),
        (migration(dns=None), []),
        (deployment(dns={"zone_id": ZONE_ID.replace(SUBSCRIPTION, FAR)}), [(FAR, (ZONE,), "/dns/zone_id", True)]),
    ],
)
def test_each_other_subscription_is_named_once_with_all_that_lies_there(
    request_: Request, expected: list[tuple[str, tuple[str, ...], str, bool]]
) -> None:
    found = other_subscriptions(request_)
    assert [(each.id, each.holds, each.pointer, each.is_written_to) for each in found] == expected
    assert all(each.scope == f"/subscriptions/{each.id}" for each in found)


def wrong_issuer(owner: str) -> AzureRefused:
    """The refusal of a token of another tenant, which names the subscription's own or leaves it out."""
    names = "".join(f" 'https://sts.windows.net/{tenant}/'" for tenant in (HOME, owner) if owner)
    return AzureRefused(status=401, code="InvalidAuthenticationTokenTenant", message=f"wrong issuer{names}", target="")


NOT_FOUND = AzureRefused(status=404, code="SubscriptionNotFound", message="not found", target="")
FORBIDDEN = AzureRefused(status=403, code="AuthorizationFailed", message="may not", target="")
BY_APP, DELEGATED = Tenant(TENANT, Access.APP), Tenant(TENANT, Access.DELEGATED)


@pytest.mark.parametrize(
    ("refused", "tenant", "code", "pointer", "seen"),
    [
        (wrong_issuer(TENANT), DELEGATED, "subscription-not-delegated", "/access", (TENANT, HOME)),
        (wrong_issuer(""), DELEGATED, "subscription-not-delegated", "/access", (TENANT, HOME)),
        (wrong_issuer(FOREIGN), DELEGATED, "other-subscription-other-tenant", "/key", (FOREIGN,)),
        (wrong_issuer(FOREIGN), BY_APP, "other-subscription-other-tenant", "/key", (FOREIGN,)),
        (wrong_issuer(TENANT), BY_APP, "other-subscription-other-tenant", "/key", (TENANT,)),
        (NOT_FOUND, BY_APP, "other-subscription-not-found", "/key", (FAR, ZONE)),
    ],
)
def test_a_subscription_that_azure_does_not_show_blocks_with_the_reason(
    refused: AzureRefused, tenant: Tenant, code: str, pointer: str, seen: tuple[str, ...]
) -> None:
    [found] = judge_refused_entry(refused, OtherSubscription(FAR, (ZONE,), "/key"), tenant, PROVIDER)
    assert (found.code, found.severity, found.resource, found.pointer) == (
        code,
        Severity.BLOCKS,
        f"/subscriptions/{FAR}",
        pointer,
    )
    assert all(part in found.seen for part in seen)


def test_other_refusals_say_nothing_about_the_subscription() -> None:
    assert judge_refused_entry(FORBIDDEN, OtherSubscription(FAR, (ZONE,), "/key"), BY_APP, PROVIDER) == ()


@pytest.mark.parametrize(("holds", "helps"), [((ZONE,), True), ((OLD_GATEWAY,), False), ((ZONE, OLD_GATEWAY), False)])
def test_only_where_the_zone_alone_lies_there_does_leaving_it_out_help(holds: tuple[str, ...], helps: bool) -> None:
    other = OtherSubscription(FAR, holds, "/key")
    [not_found] = judge_refused_entry(NOT_FOUND, other, BY_APP, PROVIDER)
    for found in (not_found, in_other_tenant(other, "")):
        assert ("`dns`" in found.cure) is helps

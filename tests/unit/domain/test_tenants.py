"""Who signs in to which tenant, and what a refused sign-in means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.problems import Severity
from cmg_core.domain.target import judge_subscription
from cmg_core.domain.tenants import (
    FOREIGN_VAULT,
    NO_IDENTITY,
    Access,
    Identities,
    SignIn,
    Tenant,
    Who,
    judge_access,
    judge_sign_in,
    named_owner,
)
from cmg_core.domain.values import JsonObject
from tests.fakes import TENANT, migration

HOME, CUSTOMER, APP = "aaaaaaaa-0000-4000-8000-000000000001", TENANT, "cccccccc-0000-4000-8000-000000000003"
PROVIDER = Identities(HOME, APP)

tenants = st.builds(Tenant, st.sampled_from([HOME, CUSTOMER]), st.sampled_from([None, *Access]))
settings = st.sampled_from([Identities(), Identities(HOME), PROVIDER])


@given(tenants, settings)
def test_nobody_signs_in_elsewhere_than_he_may(tenant: Tenant, who: Identities) -> None:
    manager, reader = who.manages(tenant), who.reads_vaults(tenant)
    for sign_in in (manager, reader):
        if sign_in is not None:
            own = who.home if sign_in.who is Who.MANAGED_IDENTITY else tenant.id
            assert sign_in.tenant_id == own
    if manager and manager.who is Who.MANAGED_IDENTITY and who.home not in ("", tenant.id):
        assert tenant.access is Access.DELEGATED
    if reader and reader.who is Who.MANAGED_IDENTITY:
        assert who.home in ("", tenant.id)


@given(tenants, settings)
def test_whoever_is_missing_is_a_finding_and_nobody_else_is(tenant: Tenant, who: Identities) -> None:
    is_complete = who.manages(tenant) is not None and who.reads_vaults(tenant) is not None
    found = judge_access(tenant, who)
    assert bool(found) is not is_complete
    assert all(finding.severity is Severity.BLOCKS and finding.cure and finding.pointer for finding in found)


@pytest.mark.parametrize(
    ("tenant", "who", "manager", "reader"),
    [
        (Tenant(CUSTOMER), Identities(), SignIn(Who.MANAGED_IDENTITY, ""), SignIn(Who.MANAGED_IDENTITY, "")),
        (Tenant(HOME), PROVIDER, SignIn(Who.MANAGED_IDENTITY, HOME), SignIn(Who.MANAGED_IDENTITY, HOME)),
        (Tenant(CUSTOMER), PROVIDER, SignIn(Who.CUSTOMER_APP, CUSTOMER), SignIn(Who.CUSTOMER_APP, CUSTOMER)),
        (
            Tenant(CUSTOMER, Access.DELEGATED),
            PROVIDER,
            SignIn(Who.MANAGED_IDENTITY, HOME),
            SignIn(Who.CUSTOMER_APP, CUSTOMER),
        ),
        (Tenant(CUSTOMER, Access.OWN), PROVIDER, None, None),
        (Tenant(CUSTOMER), Identities(HOME), None, None),
    ],
)
def test_each_way_in_has_its_identities(
    tenant: Tenant, who: Identities, manager: SignIn | None, reader: SignIn | None
) -> None:
    assert (who.manages(tenant), who.reads_vaults(tenant)) == (manager, reader)


POINTERS = {"vault-without-identity": "/certificate/vault"}


@pytest.mark.parametrize(
    ("tenant", "who", "codes"),
    [
        (Tenant(CUSTOMER), Identities(HOME), ["access-not-set-up"]),
        (Tenant(CUSTOMER, Access.APP), Identities(HOME), ["access-not-set-up"]),
        (Tenant(CUSTOMER, Access.OWN), PROVIDER, ["access-contradicts"]),
        (Tenant(HOME, Access.DELEGATED), PROVIDER, ["access-contradicts"]),
        (Tenant(CUSTOMER, Access.DELEGATED), Identities(HOME), ["vault-without-identity"]),
        (Tenant(CUSTOMER, Access.DELEGATED), Identities(), ["access-not-set-up", "vault-without-identity"]),
        (Tenant(CUSTOMER), Identities(), []),
        (Tenant(CUSTOMER), PROVIDER, []),
    ],
)
def test_what_the_settings_lack_is_named(tenant: Tenant, who: Identities, codes: list[str]) -> None:
    found = judge_access(tenant, who)
    assert [finding.code for finding in found] == codes
    assert [finding.pointer for finding in found] == [POINTERS.get(code, "/access") for code in codes]
    assert judge_sign_in(NOBODY, tenant, who) == found


def test_whose_tenant_it_is_is_told_where_nobody_chose_the_way_in() -> None:
    [contradicts] = judge_access(Tenant(CUSTOMER, Access.OWN), PROVIDER)
    [unset] = judge_access(Tenant(CUSTOMER), Identities(HOME))
    assert all(tenant in found.seen for found in (contradicts, unset) for tenant in (CUSTOMER, HOME))
    [chosen] = judge_access(Tenant(CUSTOMER, Access.APP), Identities(HOME))
    assert "«app»" in chosen.seen and HOME not in chosen.seen


@pytest.mark.parametrize("access", [None, *Access])
def test_without_settings_nobody_manages_by_delegation(access: Access | None) -> None:
    manager = Identities().manages(Tenant(CUSTOMER, access))
    own = SignIn(Who.MANAGED_IDENTITY, "")
    assert manager == (own if access in (None, Access.OWN) else None)


NOBODY = AzureRefused(status=401, code=NO_IDENTITY, message="no identity", target="")


def entra(number: int) -> AzureRefused:
    return AzureRefused(status=400, code="unauthorized_client", message=f"AADSTS{number}: told.", target="")


def wrong_issuer(message: str) -> AzureRefused:
    return AzureRefused(status=401, code="InvalidAuthenticationTokenTenant", message=message, target="")


WRONG_ISSUER = wrong_issuer(
    f"The access token is from the wrong issuer 'https://sts.windows.net/{HOME}/'. It must match the tenant "
    f"'https://sts.windows.net/{CUSTOMER}/' associated with this subscription."
)


FOREIGN_CHALLENGE = AzureRefused(status=401, code=FOREIGN_VAULT, message=f"The vault is of {HOME}.", target="")


@pytest.mark.parametrize(
    ("refused", "tenant", "code", "pointer", "seen"),
    [
        (entra(700016), Tenant(CUSTOMER), "app-not-consented", "/tenant_id", "AADSTS700016"),
        (entra(7000229), Tenant(CUSTOMER), "app-not-consented", "/tenant_id", "AADSTS7000229"),
        (entra(650052), Tenant(CUSTOMER), "app-not-consented", "/tenant_id", "AADSTS650052"),
        (entra(700213), Tenant(CUSTOMER), "app-does-not-trust-identity", "/tenant_id", "AADSTS700213"),
        (entra(70021), Tenant(CUSTOMER), "app-does-not-trust-identity", "/tenant_id", "AADSTS70021"),
        (entra(90002), Tenant(CUSTOMER), "tenant-not-found", "/tenant_id", CUSTOMER),
        (entra(53003), Tenant(CUSTOMER), "sign-in-refused", "/tenant_id", "AADSTS53003"),
        (WRONG_ISSUER, Tenant(CUSTOMER, Access.DELEGATED), "subscription-not-delegated", "/access", HOME),
        (wrong_issuer(""), Tenant(CUSTOMER, Access.DELEGATED), "subscription-not-delegated", "/access", HOME),
        (WRONG_ISSUER, Tenant(HOME), "subscription-other-tenant", "/tenant_id", CUSTOMER),
        (FOREIGN_CHALLENGE, Tenant(CUSTOMER), "vault-other-tenant", "/certificate/vault", HOME),
    ],
)
def test_a_refused_sign_in_is_explained(
    refused: AzureRefused, tenant: Tenant, code: str, pointer: str, seen: str
) -> None:
    [finding] = judge_sign_in(refused, tenant, PROVIDER)
    assert (finding.code, finding.severity, finding.pointer) == (code, Severity.BLOCKS, pointer)
    assert seen in finding.seen and finding.cure and not finding.resource


def test_consent_is_cured_by_the_link_for_that_tenant_and_app() -> None:
    [finding] = judge_sign_in(entra(700016), Tenant(CUSTOMER), PROVIDER)
    assert f"https://login.microsoftonline.com/{CUSTOMER}/adminconsent?client_id={APP}" in finding.cure


def test_trust_is_cured_by_a_credential_that_names_the_home_tenant() -> None:
    [finding] = judge_sign_in(entra(700213), Tenant(CUSTOMER), PROVIDER)
    assert f"https://login.microsoftonline.com/{HOME}/v2.0" in finding.cure


def test_the_owner_of_a_foreign_subscription_is_named() -> None:
    for owner in (CUSTOMER, APP):
        refused = wrong_issuer(WRONG_ISSUER.message.replace(CUSTOMER, owner))
        assert named_owner(refused) == named_owner(wrong_issuer(refused.message.upper())) == owner
    own_alone = wrong_issuer(f"The token is from 'https://sts.windows.net/{HOME}/'.")
    assert named_owner(own_alone) == named_owner(wrong_issuer("")) == ""


def test_other_refusals_say_nothing_about_the_sign_in() -> None:
    forbidden = AzureRefused(status=403, code="AuthorizationFailed", message="may not", target="/subscriptions/s")
    assert judge_sign_in(forbidden, Tenant(CUSTOMER), PROVIDER) == ()


@pytest.mark.parametrize(
    ("state", "code", "severity"),
    [
        ("Warned", "subscription-not-enabled", Severity.BLOCKS),
        ("Disabled", "subscription-not-enabled", Severity.BLOCKS),
        ("Deleted", "subscription-not-enabled", Severity.BLOCKS),
        ("SomethingNew", "subscription-not-enabled", Severity.BLOCKS),
        ("PastDue", "subscription-past-due", Severity.WARNS),
    ],
)
def test_each_state_of_a_subscription_weighs_what_it_means(state: str, code: str, severity: Severity) -> None:
    body: JsonObject = {"state": state, "tenantId": TENANT}
    [finding] = judge_subscription(body, migration(), Identities())
    assert (finding.code, finding.severity) == (code, severity)
    assert state in finding.seen


def test_a_delegated_subscription_names_the_home_tenant() -> None:
    request = migration(access="delegated")
    body: JsonObject = {"state": "Enabled", "tenantId": TENANT, "managedByTenants": [{"tenantId": HOME.upper()}]}
    assert judge_subscription(body, request, PROVIDER) == ()
    [finding] = judge_subscription(body | {"managedByTenants": []}, request, PROVIDER)
    assert finding.code == "subscription-not-delegated"

"""Whose tenant a subscription lies in, and as whom the app comes into it (S5).

A managed identity signs in to its own tenant only (Microsoft Learn, "Managed identities for Azure resources"). Into
customers' tenants lead two ways: delegated access (Azure Lighthouse), where the home tenant's token works on the
customer's subscription, with built-in roles and never on a vault's contents ("Azure Lighthouse, Tenants, users, and
roles"); and a multi-tenant app that trusts the managed identity by a federated credential ("Configure an application
to trust a managed identity").
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.findings import blocks
from cmg_core.domain.problems import Finding

TENANT_POINTER, ACCESS_POINTER = "/tenant_id", "/access"

NO_IDENTITY = "NoIdentityForTenant"
"""The refusal of a sign-in that the settings do not allow: nothing was sent."""
FOREIGN_VAULT = "VaultOfAnotherTenant"
"""The refusal of a vault whose challenge names another tenant: it never gets a token of this one."""


class Access(StrEnum):
    """How the app comes into a subscription's tenant."""

    OWN = "own"
    DELEGATED = "delegated"
    APP = "app"


class Who(StrEnum):
    """As whom the app signs in."""

    MANAGED_IDENTITY = "managed identity"
    CUSTOMER_APP = "customer app"


@dataclass(frozen=True)
class Tenant:
    """A subscription's tenant, and how a request says the app comes into it (None: as the settings have it)."""

    id: str
    access: Access | None = None


@dataclass(frozen=True)
class SignIn:
    """A sign-in: as whom, and into which tenant (empty: the managed identity's own, which no setting names)."""

    who: Who
    tenant_id: str


@dataclass(frozen=True)
class Identities:
    """Who the app is: its home tenant and the client ID of its multi-tenant app, empty where no setting names them."""

    home: str = ""
    customer_app: str = ""

    def access_to(self, tenant: Tenant) -> Access:
        """The request's way in; by default its own identity at home, and the app everywhere else."""
        if tenant.access is not None:
            return tenant.access
        return Access.OWN if self.home in ("", tenant.id) else Access.APP

    def manages(self, tenant: Tenant) -> SignIn | None:
        """Who asks Resource Manager for a tenant's subscriptions; None where nobody may."""
        match self.access_to(tenant):
            case Access.OWN if self.home in ("", tenant.id):
                return SignIn(Who.MANAGED_IDENTITY, self.home)
            case Access.DELEGATED if self.home not in ("", tenant.id):
                return SignIn(Who.MANAGED_IDENTITY, self.home)
            case Access.APP:
                return self._app(tenant)
        return None

    def reads_vaults(self, tenant: Tenant) -> SignIn | None:
        """Who reads a tenant's vaults: an identity of that tenant, since delegation never covers their contents."""
        return self._app(tenant) if self.access_to(tenant) is Access.DELEGATED else self.manages(tenant)

    def _app(self, tenant: Tenant) -> SignIn | None:
        return SignIn(Who.CUSTOMER_APP, tenant.id) if self.customer_app else None


ONE_TENANT = Identities()
"""All subscriptions lie in the managed identity's own tenant, which nobody needs to name."""


def judge_access(tenant: Tenant, who: Identities) -> tuple[Finding, ...]:
    """Whether the settings hold an identity for the way in that the request names or leaves out."""
    return tuple(_access_findings(tenant, who))


def _access_findings(tenant: Tenant, who: Identities) -> Iterator[Finding]:
    access = who.access_to(tenant)
    elsewhere = f"The subscription's tenant is {tenant.id}, the app's own is {who.home}"
    if access is Access.OWN and who.manages(tenant) is None:
        yield blocks(
            "access-contradicts",
            f"{elsewhere}: the managed identity signs in to its own tenant only.",
            "Leave `access` out, or give «app» or «delegated».",
            pointer=ACCESS_POINTER,
        )
    if access is Access.DELEGATED and who.home == tenant.id:
        yield blocks(
            "access-contradicts",
            "The subscription's tenant is the app's own: nothing is delegated there.",
            "Leave `access` out, or give the customer's tenant as `tenant_id`.",
            pointer=ACCESS_POINTER,
        )
    if access is Access.DELEGATED and not who.home:
        yield blocks(
            "access-not-set-up",
            "`access` is «delegated», and no setting names the tenant that subscriptions are delegated to.",
            "Set CMG_TENANT_ID to the tenant of the app's managed identity.",
            pointer=ACCESS_POINTER,
        )
    if access is Access.APP and not who.customer_app:
        why = "`access` is «app»" if tenant.access else elsewhere
        yield blocks(
            "access-not-set-up",
            f"{why}, and no setting names an app that could sign in to the customer's tenant.",
            "Set CMG_CUSTOMER_APP to the client ID of a multi-tenant app that trusts the managed identity, or have the "
            "subscription delegated and give «delegated» as `access`.",
            pointer=ACCESS_POINTER,
        )
    if access is Access.DELEGATED and not who.customer_app:
        yield blocks(
            "vault-without-identity",
            "No identity of the app can read a vault in the customer's tenant: delegated access (Azure Lighthouse) "
            "never covers what a vault holds.",
            "Set CMG_CUSTOMER_APP to the client ID of a multi-tenant app that trusts the managed identity; the "
            "customer consents to it and lets it read certificates.",
            pointer="/certificate/vault",
        )


_APP_UNKNOWN = frozenset({"700016", "7000229", "650052"})
_NO_TRUST = frozenset({"70021", "700211", "700212", "700213", "7002138", "700236"})
_NO_TENANT = frozenset({"90002"})
_AADSTS = re.compile(r"AADSTS(\d+)")
"""Microsoft Learn, "Microsoft Entra authentication and authorization error codes"; 7000229, 650052, and 700211 to
700236 as public issues quote them."""


def judge_sign_in(refused: AzureRefused, tenant: Tenant, who: Identities) -> tuple[Finding, ...]:
    """What a refused sign-in means for this way into the tenant; nothing where the refusal is about something else."""
    if refused.code == NO_IDENTITY:
        return judge_access(tenant, who)
    told = _AADSTS.search(refused.message)
    number = told[1] if told else ""
    if number in _APP_UNKNOWN:
        return (_not_consented(number, tenant, who),)
    if number in _NO_TRUST:
        return (_not_trusted(number, who),)
    if number in _NO_TENANT:
        return (
            blocks(
                "tenant-not-found",
                f"There is no tenant {tenant.id} in this cloud (AADSTS{number}).",
                "Give the ID of the subscription's tenant as `tenant_id`.",
                pointer=TENANT_POINTER,
            ),
        )
    if refused.code == FOREIGN_VAULT:
        return (
            blocks(
                "vault-other-tenant",
                refused.message,
                "Import the certificate into a vault of the subscription that the gateway goes to.",
                pointer="/certificate/vault",
            ),
        )
    if refused.code == "InvalidAuthenticationTokenTenant":
        return (_other_tenant(refused, tenant, who),)
    if number:
        return (
            blocks(
                "sign-in-refused",
                f"Microsoft Entra refuses the sign-in to tenant {tenant.id}: {refused.message}",
                "Cure what it names: a disabled app or a policy of that tenant, for example.",
                pointer=TENANT_POINTER,
            ),
        )
    return ()


def _not_consented(number: str, tenant: Tenant, who: Identities) -> Finding:
    return blocks(
        "app-not-consented",
        f"The app {who.customer_app} is not known in tenant {tenant.id} (AADSTS{number}): nobody has consented to it "
        "there.",
        f"Have an administrator of that tenant open https://login.microsoftonline.com/{tenant.id}/adminconsent"
        f"?client_id={who.customer_app}, or run there: az ad sp create --id {who.customer_app}. Then give the app its "
        "roles.",
        pointer=TENANT_POINTER,
    )


def _not_trusted(number: str, who: Identities) -> Finding:
    return blocks(
        "app-does-not-trust-identity",
        f"The app {who.customer_app} does not take the managed identity's word (AADSTS{number}): its federated "
        "credential names another issuer, subject or audience.",
        "Give the app, in the home tenant, a federated credential with issuer "
        f"https://login.microsoftonline.com/{who.home or '(home tenant)'}/v2.0, the managed identity's object ID as "
        "subject (letter case counts) and audience api://AzureADTokenExchange.",
        pointer=TENANT_POINTER,
    )


def _other_tenant(refused: AzureRefused, tenant: Tenant, who: Identities) -> Finding:
    owner = named_owner(refused)
    if who.access_to(tenant) is Access.DELEGATED and owner in ("", tenant.id):
        return not_delegated(tenant, who)
    return other_tenant(owner)


def named_owner(refused: AzureRefused) -> str:
    """The tenant that a subscription belongs to, as Resource Manager names it beside the one that the token is of;
    empty where it does not."""
    named = re.findall(r"sts\.windows\.net/([0-9a-f-]{36})", refused.message, re.IGNORECASE)
    return named[1].lower() if len(named) > 1 else ""


def other_tenant(owner: str, resource: str = "") -> Finding:
    """That a subscription belongs to another tenant than the request says; ``owner`` is empty where nobody told."""
    return blocks(
        "subscription-other-tenant",
        f"The subscription belongs to {f'tenant {owner}' if owner else 'another tenant'}.",
        "Give that tenant as `tenant_id`, or another subscription.",
        resource=resource,
        pointer=TENANT_POINTER,
    )


def not_delegated(tenant: Tenant, who: Identities, resource: str = "") -> Finding:
    """That the customer did not delegate the subscription to the home tenant."""
    return blocks(
        "subscription-not-delegated",
        f"The subscription of tenant {tenant.id} is not delegated to the app's home tenant {who.home}.",
        "Have the customer delegate the subscription (Azure Lighthouse) to the managed identity, with the built-in "
        "roles that the guide lists; or give «app» as `access` where the customer consented to the app.",
        resource=resource,
        pointer=ACCESS_POINTER,
    )

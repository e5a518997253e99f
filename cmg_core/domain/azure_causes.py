"""Azure's refusals in a person's words: what happened, and the cure.

Codes and texts are those of Azure's answers as Microsoft documents them ("Troubleshoot common Azure deployment errors",
"Error codes for virtual machine scale sets") and as public issues quote them.
"""

from dataclasses import dataclass

from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.problems import Problem
from cmg_core.domain.tenants import FOREIGN_VAULT, NO_IDENTITY

LONGEST_MESSAGE = 1000
"""Characters of Azure's message that a person is shown."""


@dataclass(frozen=True)
class Cause:
    """What a refusal means. ``code`` is the product's own, a heading of the page of errors."""

    code: str
    title: str
    cure: str


_QUOTA = Cause(
    "quota-exhausted",
    "The subscription's quota does not allow it",
    "Ask for the limit that Azure names (portal: Quotas), or ask for fewer instances or another size, then resume.",
)
_SIZE = Cause(
    "size-not-available",
    "The size is not to be had here",
    "Azure does not offer this size to the subscription in this region. Ask Microsoft's support to lift the "
    "restriction, or ask again with another size or region.",
)
_CAPACITY = Cause(
    "no-capacity",
    "Azure has no room for the instances now",
    "The region has no capacity for the size at the moment. Nothing is wrong with the request: wait, then resume, and "
    "Azure is asked for the same scale set once more; or roll it back and ask again with another size or region.",
)
_VAULT = Cause(
    "vault-not-usable",
    "The instances cannot fetch the certificate from the vault",
    "Enable the vault for deployment to virtual machines (enabledForDeployment), let the app's identity use it "
    "(Microsoft.KeyVault/vaults/deploy/action), and see that vault and scale set share region and subscription; then "
    "resume.",
)
_NAME = Cause(
    "name-taken",
    "The name of the address is taken",
    "Another public address in the region holds this DNS label. Ask again with another first label.",
)
_POLICY = Cause(
    "policy-disallows",
    "An Azure Policy disallows it",
    "Ask the policy's owner for an exemption of this resource group, or change what the policy asks for; then resume.",
)
_RIGHTS = Cause(
    "rights-missing",
    "The app's identity may not do this",
    "Give the app's identity the action that Azure names on the scope that it names. A new role assignment takes some "
    "minutes to spread; then resume.",
)
_LOCK = Cause(
    "locked",
    "A resource lock stands in the way",
    "Have the lock that Azure names removed by its owner, then resume.",
)
_SUBSCRIPTION = Cause(
    "subscription-not-usable",
    "The subscription cannot be used",
    "See that the subscription exists, is enabled, and belongs to the tenant that the request names; then resume.",
)
_SIGN_IN = Cause(
    "sign-in-refused",
    "The app cannot sign in to the subscription's tenant",
    "See that the customer's consent and the app's trust in the managed identity still stand, and that vault and "
    "subscription lie in the request's tenant (docs/service-providers.md); then resume.",
)
_PROVIDER = Cause(
    "provider-not-registered",
    "A resource provider is not registered",
    "Register the resource provider that Azure names in the subscription, then resume.",
)
_REGION = Cause(
    "not-in-region",
    "The region does not offer this kind of resource",
    "Ask again with a region that Azure lists for it.",
)
_IN_USE = Cause(
    "in-use",
    "Something still uses the resource",
    "Azure names what still uses it. See whether that belongs to the gateway; have it removed or detached, then "
    "resume.",
)
_GROUP_GOES = Cause(
    "resource-group-being-deleted",
    "Somebody deletes the resource group",
    "Find out who deletes it and why. When it is gone, resume: it is made again.",
)

_CAUSES = {
    code.lower(): cause
    for cause, codes in {
        _QUOTA: ("OperationNotAllowed", "QuotaExceeded", "PublicIPCountLimitReached"),
        _SIZE: ("SkuNotAvailable",),
        _CAPACITY: (
            "AllocationFailed",
            "ZonalAllocationFailed",
            "OverconstrainedAllocationRequest",
            "OverconstrainedZonalAllocationRequest",
        ),
        _VAULT: ("KeyVaultAccessForbidden", "KeyVaultAndVMInDifferentRegions"),
        _NAME: ("DnsRecordInUse", "DnsRecordIsReserved"),
        _POLICY: ("RequestDisallowedByPolicy",),
        _RIGHTS: ("AuthorizationFailed", "LinkedAuthorizationFailed"),
        _LOCK: ("ScopeLocked",),
        _SUBSCRIPTION: (
            "SubscriptionNotFound",
            "ReadOnlyDisabledSubscription",
            "InvalidAuthenticationTokenTenant",
        ),
        _SIGN_IN: ("unauthorized_client", "invalid_client", NO_IDENTITY, FOREIGN_VAULT),
        _PROVIDER: ("MissingSubscriptionRegistration",),
        _REGION: ("NoRegisteredProviderFound", "LocationNotAvailableForResourceType"),
        _IN_USE: (
            "InUseSubnetCannotBeDeleted",
            "InUseNetworkSecurityGroupCannotBeDeleted",
            "PublicIPAddressCannotBeDeleted",
            "LoadBalancerInUseByVirtualMachineScaleSet",
            "CannotRemoveRuleUsedByProbeUsedByVMSS",
        ),
        _GROUP_GOES: ("ResourceGroupBeingDeleted",),
    }.items()
    for code in codes
}

_UNKNOWN = Cause(
    "azure-refused",
    "Azure refused",
    "Azure's own words say what it objects to. Cure that, then resume.",
)

KNOWN_CODES = tuple(dict.fromkeys(cause.code for cause in (*_CAUSES.values(), _UNKNOWN)))
"""The product's own codes of what Azure refuses."""

_HEALS = frozenset(
    (
        "canceled",
        "canceledandsupersededduetoanotheroperation",
        "operationpreempted",
        "retryableerror",
        "retryableerrorduetoanotheroperation",
        "anotheroperationinprogress",
        "referencedresourcenotprovisioned",
        "internalservererror",
        "internalexecutionerror",
        "internaloperationerror",
        "operationtimedout",
        "networkinginternaloperationerror",
    )
)


def problem_of(error: AzureRefused, step: str) -> Problem:
    """The problem that a refusal makes of a step: with the cause and the cure that are known of Azure's code."""
    cause = _cause(error.code, error.message) or _UNKNOWN
    return Problem(
        code=cause.code,
        title=cause.title,
        detail=f"Azure answered {error.code or error.status}: {error.message[:LONGEST_MESSAGE]}",
        cure=cause.cure,
        step=step,
        resource=error.target,
    )


def has_known_cause(code: str, message: str) -> bool:
    """Whether a failure has a cause that a person must cure: waiting does not help."""
    return _cause(code, message) is not None


def may_heal(code: str) -> bool:
    """Whether an operation that failed with this code may succeed when it is simply begun again."""
    return code.lower() in _HEALS


def _cause(code: str, message: str) -> Cause | None:
    cause = _CAUSES.get(code.lower())
    # The code of an exceeded quota is also that of anything else that is not allowed: only the text tells.
    return (
        None if cause is _QUOTA and "quota" not in message.lower() and code.lower() == "operationnotallowed" else cause
    )

"""Who may call Resource Manager: the bearer token, its tenant, and the subscription's state.

Source: texts of the gateway's refusals in public issues and Microsoft's pages, among them "Azure subscription states".
That a deleted subscription shows itself and nothing in it is our own knowledge.
"""

from datetime import UTC, datetime

from local.azure import identity
from local.azure.arm.call import Caller
from local.azure.errors import AzureError
from local.azure.messages import Request, is_change
from local.azure.world import Subscription, World

WRITES = frozenset({"PUT", "PATCH", "DELETE", "POST"})

READ_ONLY_STATES = frozenset({"Disabled", "Warned"})
"""Nothing is made or changed in them; deletion is allowed."""

AUDIENCES = {
    "management.azure.com": ("https://management.azure.com", "https://management.core.windows.net"),
    "management.usgovcloudapi.net": (
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net",
    ),
}


def authenticate(world: World, request: Request, now: datetime) -> Caller:
    """Who calls; refuses tokens that are missing, foreign, for another audience or too old."""
    challenge = (
        (
            "WWW-Authenticate",
            f'Bearer authorization_uri="https://login.windows.net/{world.identity.tenant}", error="invalid_token", '
            'error_description="The authentication scheme of Bearer is not supported."',
        ),
    )
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise AzureError(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            headers=challenge,
        )
    claims = identity.read_token(world, token)
    if claims is None:
        raise AzureError(401, "InvalidAuthenticationToken", "The access token is invalid.", headers=challenge)
    if claims["aud"].rstrip("/") not in AUDIENCES[request.host]:
        raise AzureError(
            401,
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{claims['aud']}'. It should exactly "
            f"match with one of the allowed audiences '{','.join(AUDIENCES[request.host])}'.",
            headers=challenge,
        )
    expiry = datetime.fromtimestamp(claims["exp"], UTC)
    if expiry <= now:
        raise AzureError(
            401,
            "ExpiredAuthenticationToken",
            f"The access token expiry UTC time '{expiry:%m/%d/%Y %H:%M:%S}' is earlier than current UTC time "
            f"'{now:%m/%d/%Y %H:%M:%S}'.",
            headers=challenge,
        )
    return Caller(claims["tid"], claims["oid"], claims["appid"])


def find_subscription(world: World, request: Request, caller: Caller, subscription_id: str) -> Subscription:
    """The subscription, if the caller's tenant has it or manages it; a disabled one takes no writes but deletions."""
    subscription = world.subscriptions.get(subscription_id.lower())
    if subscription is None:
        raise AzureError(404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found.")
    if caller.tenant not in (subscription.tenant, *subscription.managed_by):
        authority = f"https://login.windows.net/{subscription.tenant}"
        raise AzureError(
            401,
            "InvalidAuthenticationTokenTenant",
            f"The access token is from the wrong issuer 'https://sts.windows.net/{caller.tenant}/'. It must match the "
            f"tenant 'https://sts.windows.net/{subscription.tenant}/' associated with this subscription. Please use "
            f"the authority (URL) '{authority}' to get the token.",
            headers=(("WWW-Authenticate", f'Bearer authorization_uri="{authority}"'),),
        )
    if subscription.state == "Deleted" and request.path.strip("/").count("/") > 1:
        raise AzureError(404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found.")
    if (
        is_change(request.method, request.path)
        and request.method != "DELETE"
        and subscription.state in READ_ONLY_STATES
    ):
        raise AzureError(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{subscription.id}' is disabled and therefore marked as read only. You cannot perform "
            "any write actions on this subscription until it is re-enabled.",
        )
    return subscription

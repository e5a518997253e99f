"""Subscriptions, their regions, and the registration of resource providers.

Source: recorded registration (Registering for about 80 seconds, no operation URL) and Microsoft's pages.
"""

from datetime import datetime, timedelta

from local.azure.arm.registry import PROVIDERS
from local.azure.arm.sizes import REGIONS
from local.azure.errors import AzureError, json_response
from local.azure.messages import Request, Response
from local.azure.operations import start
from local.azure.world import Body, ProviderRegistration, Subscription, World


def subscription_body(subscription: Subscription) -> Body:
    """What GET /subscriptions/{id} answers."""
    return {
        "id": f"/subscriptions/{subscription.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [{"tenantId": tenant} for tenant in subscription.managed_by],
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant,
        "displayName": subscription.name,
        "state": subscription.state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def locations(subscription: Subscription) -> Response:
    """GET /subscriptions/{id}/locations."""
    rows = [
        {"id": f"/subscriptions/{subscription.id}/locations/{name}", "name": name, "displayName": name}
        for name in sorted(REGIONS)
    ]
    return json_response(200, {"value": rows})


def registration(subscription: Subscription, namespace: str) -> ProviderRegistration:
    """A namespace's registration; those that a world does not mention are Registered."""
    known = PROVIDERS.get(namespace.lower())
    if known is None:
        raise AzureError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    return subscription.providers.get(namespace.lower()) or ProviderRegistration(known.namespace, "Registered")


def _provider_body(subscription: Subscription, namespace: str) -> Body:
    state = registration(subscription, namespace)
    known = PROVIDERS[namespace.lower()]
    types = [
        {
            "resourceType": kind.name.split("/", 1)[1],
            "locations": sorted(REGIONS),
            "apiVersions": sorted(kind.versions, reverse=True),
            "capabilities": "SupportsTags, SupportsLocation",
        }
        for kind in known.types
    ]
    return {
        "id": f"/subscriptions/{subscription.id}/providers/{known.namespace}",
        "namespace": known.namespace,
        "resourceTypes": types,
        "registrationState": state.state,
        "registrationPolicy": "RegistrationRequired",
    }


def providers(world: World, request: Request, subscription: Subscription, rest: list[str], now: datetime) -> Response:
    """GET providers, GET providers/{namespace}, POST providers/{namespace}/register and /unregister."""
    if not rest:
        rows = [_provider_body(subscription, namespace) for namespace in PROVIDERS]
        return json_response(200, {"value": rows})
    if len(rest) == 2 and request.method == "POST" and rest[1].lower() in ("register", "unregister"):
        _change(world, subscription, rest[0], rest[1].lower(), now)
    return json_response(200, _provider_body(subscription, rest[0]))


def _change(world: World, subscription: Subscription, namespace: str, verb: str, now: datetime) -> None:
    state = registration(subscription, namespace)
    becomes = "Registered" if verb == "register" else "Unregistered"
    if becomes in (state.state, state.becomes):
        return
    state.state = verb.capitalize() + "ing"
    subscription.providers[namespace.lower()] = state
    settle_registration(world, subscription, state, now)


def settle_registration(world: World, subscription: Subscription, state: ProviderRegistration, now: datetime) -> None:
    """Lets a registration that is Registering or Unregistering come to its end in its time."""
    is_registering = state.state == "Registering"
    operation = start(
        world,
        now,
        kind="register",
        name="providers.register" if is_registering else "providers.unregister",
        namespace="Microsoft.Resources",
        subscription=subscription.id,
        location="global",
        resource_id=f"/subscriptions/{subscription.id}/providers/{state.namespace}",
    )
    state.becomes = "Registered" if is_registering else "Unregistered"
    state.ready_at = now + timedelta(seconds=operation.expected_s)


def require_registered(subscription: Subscription, namespace: str) -> None:
    """Writes need the namespace registered; while it is registering they already pass (unverified)."""
    state = registration(subscription, namespace)
    if state.state in ("Registered", "Registering"):
        return
    message = (
        f"The subscription is not registered to use namespace '{state.namespace}'. See https://aka.ms/rps-not-found "
        "for how to register subscriptions."
    )
    code = "MissingSubscriptionRegistration"
    raise AzureError(409, code, message, details=[{"code": code, "target": state.namespace, "message": message}])

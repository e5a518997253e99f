"""Sign-in: tokens of the directory (`login.microsoftonline.com`) and of the managed identity endpoint.

Source: Microsoft's pages on the client credentials flow, on managed identities in App Service (api-version 2019-08-01)
and on an app that trusts a managed identity; texts of AADSTS errors from public issues. Tokens for the product itself
are those of `callers.py`. Inferred: the audience claim of
a managed identity's token that stands in for a secret, and the order in which an assertion is checked. Tokens look like
real ones and are good in this simulated world only.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from local.azure.callers import ApiCaller, api_token, secret_of, shown_keys
from local.azure.errors import json_response
from local.azure.messages import Request, Response
from local.azure.world import World

CLIENT_TOKEN_SECONDS = 3599
MANAGED_TOKEN_SECONDS = 86400

RESOURCES = frozenset({
    "https://management.azure.com", "https://management.core.windows.net", "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net", "https://vault.azure.net", "https://vault.usgovcloudapi.net",
    "https://storage.azure.com",
})  # fmt: skip

EXCHANGES = {
    "login.microsoftonline.com": "api://AzureADTokenExchange",
    "login.microsoftonline.us": "api://AzureADTokenExchangeUSGov",
}
"""The audience of a managed identity's token that stands in for a secret, by the sign-in host that takes it."""
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

LOGIN_HOSTS = ("login.microsoftonline.com", "login.microsoftonline.us")


@dataclass(frozen=True)
class Principal:
    """Who a token is of: an application's service principal in a tenant."""

    client_id: str
    object_id: str
    tenant: str


def managed_identity(world: World) -> Principal:
    """The function app's managed identity: in its home tenant and in no other."""
    return Principal(world.identity.client_id, world.identity.object_id, world.identity.tenant)


def customer_app(world: World, tenant: str) -> Principal | None:
    """The provider's multi-tenant app in a tenant; None where nobody has consented to it."""
    app = world.identity.customer_app
    object_id = app.consents.get(tenant.lower())
    return Principal(app.client_id, object_id, tenant) if object_id else None


def issue_token(
    world: World,
    audience: str,
    now: datetime,
    seconds: float = CLIENT_TOKEN_SECONDS,
    tenant: str = "",
    principal: Principal | None = None,
) -> str:
    """A bearer token for an audience, such as `https://management.azure.com`.

    Of a principal; without one of somebody with the managed identity's IDs in any tenant: what a person in that tenant
    sends.
    """
    me = principal or Principal(world.identity.client_id, world.identity.object_id, tenant or world.identity.tenant)
    is_exchange = audience in EXCHANGES.values()
    host = next((host for host, exchange in EXCHANGES.items() if exchange == audience), "")
    claims = {
        "aud": audience,
        "iss": f"https://{host}/{me.tenant}/v2.0" if is_exchange else f"https://sts.windows.net/{me.tenant}/",
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=seconds)).timestamp()),
        "appid": me.client_id,
        "idtyp": "app",
        "oid": me.object_id,
        "sub": me.object_id,
        "tid": me.tenant,
        "ver": "2.0" if is_exchange else "1.0",
    }
    text = f"{_encode({'typ': 'JWT', 'alg': 'HS256', 'kid': 'simulated'})}.{_encode(claims)}"
    return f"{text}.{_sign(world, text)}"


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode().rstrip("=")


def _sign(world: World, text: str) -> str:
    return (
        base64.urlsafe_b64encode(hmac.new(world.token_key, text.encode(), hashlib.sha256).digest()).decode().rstrip("=")
    )


def read_token(world: World, token: str) -> dict[str, Any] | None:
    """A token's claims, None when this world did not issue it."""
    text, _, signature = token.rpartition(".")
    if not text or not hmac.compare_digest(signature, _sign(world, text)):
        return None
    payload = text.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def handle_login(world: World, request: Request, now: datetime) -> Response:
    """The directory: discovery documents and the token endpoint for client credentials."""
    parts = request.path.strip("/").split("/")
    if request.path.lower().endswith("/discovery/instance"):
        return _instance_discovery(request)
    tenant = parts[0].lower()
    if tenant not in (known.lower() for known in (*world.tenants, "common", "organizations")):
        return _refusal(
            400,
            "invalid_tenant",
            90002,
            f"Tenant '{parts[0]}' not found. Check to make sure you have the correct tenant ID and are signing into "
            "the correct cloud.",
        )
    if request.path.lower().endswith("/.well-known/openid-configuration"):
        return _configuration(request, parts[0])
    if request.method == "GET" and request.path.lower().endswith("/discovery/v2.0/keys"):
        return json_response(200, shown_keys(request.host, parts[0], 2))
    if request.method == "GET" and request.path.lower().endswith("/discovery/keys"):
        return json_response(200, shown_keys(request.host, parts[0], 1))
    if request.method == "POST" and request.path.lower().endswith("/oauth2/v2.0/token"):
        return _token(world, request, tenant, now)
    return Response(404)


def _instance_discovery(request: Request) -> Response:
    return json_response(
        200,
        {
            "tenant_discovery_endpoint": f"https://{request.host}/common/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [
                {"preferred_network": host, "preferred_cache": host, "aliases": [host]} for host in LOGIN_HOSTS
            ],
        },
    )


def _configuration(request: Request, tenant: str) -> Response:
    base = f"https://{request.host}/{tenant}"
    return json_response(
        200,
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "response_types_supported": ["code", "id_token", "code id_token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        },
    )


def _token(world: World, request: Request, tenant: str, now: datetime) -> Response:
    form = {key: values[0] for key, values in parse_qs(request.body.decode(errors="replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return _refusal(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
    client_id = form.get("client_id", "").lower()
    if (caller := world.identity.api.caller(client_id, tenant)) is not None:
        return _callers_token(world, request.host, form, caller, now)
    principal: Principal | None = None
    if client_id == world.identity.client_id.lower() and tenant == world.identity.tenant.lower():
        principal = managed_identity(world)
    elif client_id == world.identity.customer_app.client_id.lower():
        principal = customer_app(world, tenant)
    if principal is None:
        return _refusal(
            400,
            "unauthorized_client",
            700016,
            f"Application with identifier '{form.get('client_id')}' was not found in the directory '{tenant}'. This "
            "can happen if the application has not been installed by the administrator of the tenant or consented to "
            "by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
        )
    if client_id == world.identity.customer_app.client_id.lower():
        refusal = _check_assertion(world, request.host, form, now)
        if refusal:
            return refusal
    elif form.get("client_secret") != world.identity.secret:
        return _refusal(401, "invalid_client", 7000215, "Invalid client secret provided.")
    resource = form.get("scope", "").removesuffix("/.default").rstrip("/")
    if resource not in RESOURCES:
        return _refusal(
            400, "invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant."
        )
    audience = form["scope"].removesuffix("/.default")
    return json_response(
        200,
        {
            "token_type": "Bearer",
            "expires_in": CLIENT_TOKEN_SECONDS,
            "ext_expires_in": CLIENT_TOKEN_SECONDS,
            "access_token": issue_token(world, audience, now, principal=principal),
        },
    )


def _callers_token(world: World, host: str, form: dict[str, str], caller: ApiCaller, now: datetime) -> Response:
    """A token for the product's API, for an application that has a secret."""
    if not hmac.compare_digest(form.get("client_secret", "").encode(), secret_of(world.token_key, caller).encode()):
        return _refusal(401, "invalid_client", 7000215, "Invalid client secret provided.")
    api = world.identity.api
    resource = form.get("scope", "").removesuffix("/.default")
    if resource not in (api.uri, api.client_id):
        return _refusal(
            400, "invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant."
        )
    return json_response(
        200,
        {
            "token_type": "Bearer",
            "expires_in": CLIENT_TOKEN_SECONDS,
            "ext_expires_in": CLIENT_TOKEN_SECONDS,
            "access_token": api_token(api, caller, host, now),
        },
    )


def _check_assertion(world: World, host: str, form: dict[str, str], now: datetime) -> Response | None:
    """What stands against the managed identity's token in place of the app's secret: its issuer, subject and audience
    must be those of the app's federated credential, letter by letter."""
    assertion = form.get("client_assertion")
    if not assertion or form.get("client_assertion_type") != JWT_BEARER:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        return _refusal(401, "invalid_client", 7000218, text)
    claims = read_token(world, assertion)
    if claims is None:
        return _refusal(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
    if claims["exp"] <= now.timestamp():
        return _refusal(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")
    trusted = {
        "aud": (EXCHANGES[host], 700212, "audience"),
        "iss": (f"https://{host}/{world.identity.tenant}/v2.0", 700211, "issuer"),
        "sub": (world.identity.customer_app.trusts, 700213, "subject"),
    }
    for claim, (wanted, number, name) in trusted.items():
        if claims[claim] != wanted:
            text = (
                f"No matching federated identity record found for presented assertion {name} '{claims[claim]}'. Check "
                "your federated identity credential Subject, Audience and Issuer against the presented assertion. "
                "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
            )
            return _refusal(401, "invalid_client", number, text)
    return None


def _refusal(status: int, error: str, number: int, text: str) -> Response:
    return json_response(
        status, {"error": error, "error_description": f"AADSTS{number}: {text}", "error_codes": [number]}
    )


def handle_managed_identity(world: World, request: Request, now: datetime) -> Response:
    """App Service's managed identity endpoint: `?resource=…&api-version=2019-08-01` with the X-IDENTITY-HEADER."""
    given = request.headers.get("x-identity-header", "")
    if not hmac.compare_digest(given.encode(), world.identity.header.encode()):
        return json_response(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."})
    if request.query.get("api-version") not in ("2017-09-01", "2019-08-01"):
        return json_response(400, {"statusCode": 400, "message": "The api-version is missing or not supported."})
    resource = request.query.get("resource", "")
    api, wanted = world.identity.api, request.query.get("client_id", "")
    if (caller := api.caller(wanted)) is not None and resource in (api.uri, api.client_id):
        token = api_token(api, caller, LOGIN_HOSTS[0], now, MANAGED_TOKEN_SECONDS)
        return _managed_token(token, resource, caller.client_id, now)
    if resource.rstrip("/") not in RESOURCES | set(EXCHANGES.values()):
        message = f"AADSTS500011: The resource principal named {resource} was not found in the tenant."
        return json_response(400, {"statusCode": 400, "message": message})
    if wanted and wanted.lower() != world.identity.client_id.lower():
        return json_response(
            400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found."}
        )
    token = issue_token(world, resource, now, MANAGED_TOKEN_SECONDS, principal=managed_identity(world))
    return _managed_token(token, resource, world.identity.client_id, now)


def _managed_token(token: str, resource: str, client_id: str, now: datetime) -> Response:
    return json_response(
        200,
        {
            "access_token": token,
            "expires_on": str(int((now + timedelta(seconds=MANAGED_TOKEN_SECONDS)).timestamp())),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": client_id,
        },
    )

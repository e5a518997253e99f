"""Sign-in: tokens of the directory (`login.microsoftonline.com`) and of the managed identity endpoint.

Source: Microsoft's pages on the client credentials flow and on managed identities in App Service (api-version
2019-08-01), and texts of AADSTS errors. Tokens look like real ones and are good in this simulated world only.
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

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

LOGIN_HOSTS = ("login.microsoftonline.com", "login.microsoftonline.us")


def issue_token(
    world: World, audience: str, now: datetime, seconds: float = CLIENT_TOKEN_SECONDS, tenant: str = ""
) -> str:
    """A bearer token of the app's identity for an audience, such as `https://management.azure.com`."""
    tenant = tenant or world.identity.tenant
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=seconds)).timestamp()),
        "appid": world.identity.client_id,
        "idtyp": "app",
        "oid": world.identity.object_id,
        "sub": world.identity.object_id,
        "tid": tenant,
        "ver": "1.0",
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
    if form.get("client_id", "").lower() != world.identity.client_id.lower():
        return _refusal(
            400,
            "unauthorized_client",
            700016,
            f"Application with identifier '{form.get('client_id')}' was not found in the directory '{tenant}'.",
        )
    assertion = form.get("client_assertion")
    claims = read_token(world, assertion) if assertion else None
    is_federated = claims is not None and claims["aud"] == "api://AzureADTokenExchange"
    if form.get("client_secret") != world.identity.secret and not is_federated:
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
            "access_token": issue_token(world, audience, now, tenant=tenant),
        },
    )


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
    if resource.rstrip("/") not in RESOURCES | {"api://AzureADTokenExchange"}:
        message = f"AADSTS500011: The resource principal named {resource} was not found in the tenant."
        return json_response(400, {"statusCode": 400, "message": message})
    wanted = request.query.get("client_id")
    if wanted and wanted.lower() != world.identity.client_id.lower():
        return json_response(
            400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found."}
        )
    return json_response(
        200,
        {
            "access_token": issue_token(world, resource, now, MANAGED_TOKEN_SECONDS),
            "expires_on": str(int((now + timedelta(seconds=MANAGED_TOKEN_SECONDS)).timestamp())),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": world.identity.client_id,
        },
    )

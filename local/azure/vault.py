"""Key Vault's data plane: certificates are shown to readers, secrets to nobody.

Source: recorded challenge and audience error, refusals in public issues, Microsoft's reference of the certificate
bundle. A vault takes tokens of its own tenant only. The secret beside a certificate holds the private key: the app's
identities never get it here.
"""

import base64
import hashlib
import re
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from local.azure import identity
from local.azure.errors import json_response
from local.azure.messages import Request, Response
from local.azure.world import Body, CertificateVersion, Resource, World

_VERSION = re.compile(r"7\.\d(-preview(\.\d)?)?|20\d\d-\d\d-\d\d(-preview)?")


def handle(world: World, request: Request, now: datetime) -> Response:
    """Answers one call to `{vault}.vault.azure.net`."""
    host = request.host.lower()
    vault = next(
        (
            vault
            for vault in world.of_type("Microsoft.KeyVault/vaults")
            if vault.properties["vaultUri"].lower() == f"https://{host}/"
        ),
        None,
    )
    if vault is None:
        return Response(502, (("Content-Type", "text/plain"),), f"The name {host} does not resolve.\n".encode())
    refusal = _authenticate(world, request, vault, now)
    response = refusal or _authorized(world, request, vault, _claims(world, request) or {})
    headers = (("x-ms-keyvault-region", vault.location), ("x-ms-keyvault-service-version", "1.9.2000.1"))
    return Response(response.status, (*response.headers, *headers), response.body)


def _error(status: int, code: str, message: str, inner: str | None = None, *headers: tuple[str, str]) -> Response:
    error: Body = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return json_response(status, {"error": error}, *headers)


def _authenticate(world: World, request: Request, vault: Resource, now: datetime) -> Response | None:
    is_government = request.host.endswith("usgovcloudapi.net")
    audience = "https://vault.usgovcloudapi.net" if is_government else "https://vault.azure.net"
    login = "login.microsoftonline.us" if is_government else "login.microsoftonline.com"
    tenant = vault.properties["tenantId"]
    challenge = ("WWW-Authenticate", f'Bearer authorization="https://{login}/{tenant}", resource="{audience}"')
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        return _error(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.", None, challenge)
    claims = _claims(world, request)
    if claims is None:
        return _error(
            401, "Unauthorized", "AKV10046: Unable to resolve the key used for signature validation.", None, challenge
        )
    if claims["aud"] != audience:
        text = f"AKV10022: Invalid audience. Expected {audience}, found: {claims['aud']}."
        return _error(401, "Unauthorized", text, None, challenge)
    if claims["exp"] <= now.timestamp():
        return _error(401, "Unauthorized", "AKV10041: Token has expired.", None, challenge)
    if claims["tid"].lower() != tenant.lower():
        text = f"AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{tenant}/, found {claims['iss']}."
        return _error(401, "Unauthorized", text, None, challenge)
    return None


def _claims(world: World, request: Request) -> Body | None:
    return identity.read_token(world, request.headers["authorization"].partition(" ")[2])


def _authorized(world: World, request: Request, vault: Resource, claims: Body) -> Response:
    version = request.query.get("api-version")
    if not version:
        return _error(400, "BadParameter", "AKV10202: api-version must be specified")
    if not _VERSION.fullmatch(version):
        return _error(400, "BadParameter", f"AKV10201: The specified version ({version}) is not recognized.")
    parts = request.path.strip("/").split("/")
    kind = parts[0].lower()
    if vault.properties.get("publicNetworkAccess") == "Disabled":
        message = (
            "Public network access is disabled and request is not from a trusted service nor via an approved private "
            "link."
        )
        return _error(403, "Forbidden", f"{message}\r\nCaller: {_caller(claims)}", "ForbiddenByConnection")
    if (vault.properties.get("networkAcls") or {}).get("defaultAction") == "Deny":
        message = (
            "Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\n"
            f"Caller: {_caller(claims)}\r\nVault: {vault.name};location={vault.location}"
        )
        return _error(403, "Forbidden", message, "ForbiddenByFirewall")
    readers = world.vault_readers.get(vault.id.lower(), set())
    if kind != "certificates" or request.method != "GET" or claims["oid"] not in readers:
        return _forbidden(request, vault, parts, claims)
    return _certificates(world, request, vault, parts[1:])


def _caller(claims: Body) -> str:
    return f"appid={claims['appid']};oid={claims['oid']};iss={claims['iss']}"


def _forbidden(request: Request, vault: Resource, parts: list[str], claims: Body) -> Response:
    kind = parts[0].lower()
    verb = {"GET": "read" if kind != "secrets" else "getSecret", "DELETE": "delete"}.get(request.method, "write")
    if vault.properties.get("enableRbacAuthorization"):
        message = (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            f"definitions were changed recently, please observe propagation time.\r\nCaller: {_caller(claims)}\r\n"
            f"Action: 'Microsoft.KeyVault/vaults/{kind}/{verb}/action'\r\n"
            f"Resource: '{vault.id.lower()}/{'/'.join(parts[:2])}'"
            f"\r\nAssignment: (not found)\r\nDecisionReason: 'DeniedWithNoValidRBAC'\r\nVault: {vault.name};"
            f"location={vault.location}\r\n"
        )
        return _error(403, "Forbidden", message, "ForbiddenByRbac")
    message = (
        f"The user, group or application '{_caller(claims)}' does not have {kind} {request.method.lower()} permission "
        f"on key vault '{vault.name};location={vault.location}'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"
    )
    return _error(403, "Forbidden", message, "AccessDenied")


def _certificates(world: World, request: Request, vault: Resource, rest: list[str]) -> Response:
    mine = [c for c in world.certificates.values() if c.vault.lower() == vault.name.lower()]
    if not rest or not rest[0]:
        newest = {c.name.lower(): c for c in sorted(mine, key=lambda c: c.created_at)}
        return json_response(
            200, {"value": [_item(c, c.id.rsplit("/", 1)[0]) for c in newest.values()], "nextLink": None}
        )
    versions = sorted((c for c in mine if c.name.lower() == rest[0].lower()), key=lambda c: c.created_at)
    wanted = rest[1] if len(rest) > 1 else ""
    if wanted.lower() == "versions":
        return json_response(200, {"value": [_item(c, c.id) for c in versions], "nextLink": None})
    chosen = [c for c in versions if wanted.lower() in ("", "policy", c.version.lower())]
    if not chosen:
        return _error(
            404,
            "CertificateNotFound",
            f"A certificate with (name/id) {'/'.join(part for part in rest if part)} was not found in this key vault. "
            "If you recently deleted this certificate you may be able to recover it using the correct recovery "
            "command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
        )
    bundle = _bundle(chosen[-1])
    return json_response(200, bundle["policy"] if wanted.lower() == "policy" else bundle)


def _thumbprint(certificate: CertificateVersion) -> str:
    digest = hashlib.sha1(certificate.leaf_der, usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _attributes(certificate: CertificateVersion) -> Body:
    return {
        "enabled": certificate.enabled,
        "nbf": int(certificate.not_before.timestamp()),
        "exp": int(certificate.not_after.timestamp()),
        "created": int(certificate.created_at.timestamp()),
        "updated": int(certificate.created_at.timestamp()),
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90,
    }


def _item(certificate: CertificateVersion, item_id: str) -> Body:
    attributes = {key: value for key, value in _attributes(certificate).items() if not key.startswith("recover")}
    return {"id": item_id, "x5t": _thumbprint(certificate), "attributes": attributes}


def _bundle(certificate: CertificateVersion) -> Body:
    leaf = x509.load_der_x509_certificate(certificate.leaf_der)
    try:
        usages = leaf.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
        ekus = [usage.dotted_string for usage in usages] if isinstance(usages, x509.ExtendedKeyUsage) else []
    except x509.ExtensionNotFound:
        ekus = []
    months = (certificate.not_after - certificate.not_before).days // 30
    policy_times = {
        "created": int(certificate.created_at.timestamp()),
        "updated": int(certificate.created_at.timestamp()),
    }
    base = certificate.id.rsplit("/", 1)[0]
    return {
        "id": certificate.id,
        "kid": certificate.key_id,
        "sid": certificate.secret_id,
        "x5t": _thumbprint(certificate),
        "cer": base64.b64encode(certificate.leaf_der).decode(),
        "attributes": _attributes(certificate),
        "policy": {
            "id": f"{base}/policy",
            "key_props": {
                "exportable": certificate.exportable,
                "kty": certificate.key_type,
                "key_size": certificate.key_size,
                "reuse_key": False,
            },
            "secret_props": {"contentType": certificate.content_type},
            "x509_props": {
                "subject": leaf.subject.rfc4514_string(),
                "sans": {"dns_names": list(certificate.names)},
                "ekus": ekus,
                "key_usage": ["digitalSignature", "keyEncipherment"],
                "validity_months": max(1, months),
            },
            "lifetime_actions": [{"trigger": {"days_before_expiry": 90}, "action": {"action_type": "EmailContacts"}}],
            "issuer": {"name": "Unknown"},
            "attributes": {"enabled": True, **policy_times},
        },
    }

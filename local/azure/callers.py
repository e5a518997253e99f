"""The product's own registration in the directory, who may call it, and the tokens that its callers are given.

Source: Microsoft's pages on app roles, on access tokens and their claims, on the OpenID Connect metadata and on signing
key rollover. These tokens are signed with RS256 by a key that the directory shows, as the real ones are; the key is
made anew by each process, which to whoever holds an older one is a rollover. Left out: `x5c`, `xms_` claims, users.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

TOKEN_SECONDS = 3599


@dataclass(frozen=True)
class ApiCaller:
    """An application's service principal in a tenant, with the app roles that it was assigned; a managed identity, if
    somebody asks the endpoint for it by its client ID."""

    client_id: str
    object_id: str
    tenant: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Api:
    """The registration: what tokens for it are made out to; version 1 unless its manifest asks for version 2."""

    uri: str = "api://cmg"
    client_id: str = "66666666-6666-4666-8666-666666666666"
    version: Literal[1, 2] = 1
    callers: tuple[ApiCaller, ...] = field(default=())

    def caller(self, client_id: str, tenant: str = "") -> ApiCaller | None:
        """The caller of that client ID, in a tenant or anywhere."""
        fitting = [each for each in self.callers if each.client_id.lower() == client_id.lower()]
        return next((each for each in fitting if tenant.lower() in ("", each.tenant.lower())), None)


@cache
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _key_id() -> str:
    public = _private_key().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public.public_bytes(serialization.Encoding.DER, form)).hexdigest()[:27]


def shown_keys(host: str, tenant: str, version: Literal[1, 2]) -> dict[str, Any]:
    """The directory's keys, as `/discovery/v2.0/keys` shows them; those of version 1 do not name their issuer."""
    key = RSAAlgorithm.to_jwk(_private_key().public_key(), as_dict=True)
    issuer = {"issuer": f"https://{host}/{tenant}/v2.0"} if version == 2 else {}
    return {
        "keys": [
            {"kty": "RSA", "use": "sig", "kid": _key_id(), "x5t": _key_id(), "n": key["n"], "e": key["e"], **issuer}
        ]
    }


def secret_of(token_key: bytes, caller: ApiCaller) -> str:
    """The secret of a caller's application; it exists only in the simulated world."""
    return hmac.new(token_key, f"secret of {caller.client_id}".encode(), hashlib.sha256).hexdigest()


def api_token(api: Api, caller: ApiCaller, host: str, now: datetime, seconds: float = TOKEN_SECONDS) -> str:
    """An access token for the product's API. Without an assigned role it has no `roles`."""
    second = api.version == 2
    begun = int(now.timestamp())
    claims = {
        "aud": api.client_id if second else api.uri,
        "iss": f"https://{host}/{caller.tenant}/v2.0" if second else f"https://sts.windows.net/{caller.tenant}/",
        "iat": begun,
        "nbf": begun,
        "exp": begun + int(timedelta(seconds=seconds).total_seconds()),
        "azp" if second else "appid": caller.client_id,
        "azpacr" if second else "appidacr": "1",
        "oid": caller.object_id,
        "sub": caller.object_id,
        "tid": caller.tenant,
        "ver": f"{api.version}.0",
    }
    if caller.roles:
        claims["roles"] = list(caller.roles)
    return jwt.encode(claims, _private_key(), "RS256", headers={"kid": _key_id(), "x5t": _key_id()})

"""Who calls: App Service's word, a token of Microsoft Entra ID, or a function key that the host has checked."""

import base64
import binascii
import hashlib
from collections.abc import Iterator

import azure.functions as func
from pydantic import BaseModel, ConfigDict, ValidationError

from cmg_core.domain.errors import NotSignedIn
from cmg_core.domain.principals import Principal
from cmg_core.domain.problems import Problem
from cmg_core.domain.roles import GUIDE, Caller, CallerRules, Claims, Needs, caller_of, in_words
from cmg_core.refusals import CallRefused
from cmg_core.services import Services

PRINCIPAL_HEADER = "X-MS-CLIENT-PRINCIPAL"
LONGEST_PRINCIPAL = 64 * 1024
LONGEST_NAME = 256

_URIS = "http://schemas.microsoft.com"
_OBJECT_ID = ("oid", f"{_URIS}/identity/claims/objectidentifier")
_TENANT = ("tid", f"{_URIS}/identity/claims/tenantid")
_ROLES = ("roles", f"{_URIS}/ws/2008/06/identity/claims/role")
_NAMES = ("preferred_username", "upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn")
"""A claim's name in a token, and as App Service's mapping writes it. What `role_typ` names is not asked: it could be
groups, which others may name as they like."""


class _Claim(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    typ: str
    val: str


class _ClientPrincipal(BaseModel):
    """Microsoft Learn, "Work with user identities in Azure App Service authentication"."""

    model_config = ConfigDict(strict=True, frozen=True)

    auth_typ: str
    claims: list[_Claim]


async def who_calls(request: func.HttpRequest, services: Services) -> Caller:
    """The caller, verified.

    App Service removes its headers from what comes in from outside, so they are its word where its authentication is
    on, and nobody's elsewhere. A token that is no good is refused, whatever key comes with it. Raises NotSignedIn,
    TryAgain where a token cannot be judged now, CallRefused where nothing says who calls.
    """
    rules = services.limits.callers
    header = request.headers.get(PRINCIPAL_HEADER, "")
    if rules.app_service_signs_in and header:
        return caller_of(_claims_of(header, rules), rules)
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return caller_of(await services.tokens.claims(token.strip()), rules)
    if not rules.key_roles:
        raise CallRefused(_nobody())
    return Caller(_holder_of_key(request), rules.key_roles, customer="")


def ensure_may(caller: Caller, wanted: Needs, asked_by: Principal | None = None) -> None:
    """Raise CallRefused (403) where the caller lacks the role that a call needs."""
    if not caller.may(wanted, asked_by):
        raise CallRefused(_role_missing(caller, wanted))


def _claims_of(header: str, rules: CallerRules) -> Claims:
    """What App Service says of a caller. Raises NotSignedIn."""
    try:
        if len(header) > LONGEST_PRINCIPAL:
            raise ValueError("too long")
        raw = base64.b64decode(header + "=" * (-len(header) % 4), validate=True)
        principal = _ClientPrincipal.model_validate_json(raw)
    except (binascii.Error, ValidationError, ValueError):
        raise NotSignedIn("What App Service says of the caller cannot be read.") from None
    if principal.auth_typ != "aad":
        raise NotSignedIn("The caller signed in with another provider than Microsoft Entra ID.")
    tenants, ids = ({*_values(principal, types)} for types in (_TENANT, _OBJECT_ID))
    if len(tenants) != 1 or len(ids) != 1:
        raise NotSignedIn("App Service does not say which principal of which tenant calls.")
    tenant, object_id = tenants.pop().lower(), ids.pop().lower()
    if tenant not in rules.tenants:
        raise NotSignedIn("The caller is not of a tenant whose principals may call this app (CMG_AUTH_TENANTS).")
    names = [name for name in _values(principal, _NAMES) if name.isprintable()]
    return Claims(tenant, object_id, tuple(_values(principal, _ROLES)), names[0][:LONGEST_NAME] if names else "")


def _values(principal: _ClientPrincipal, types: tuple[str, ...]) -> Iterator[str]:
    return (claim.val for claim in principal.claims if claim.typ in types)


def _holder_of_key(request: func.HttpRequest) -> Principal:
    """The function key stands for its holder. The host never tells the app a key's name, only the key itself reaches
    it, so a part of the key's hash takes the name's place: the key cannot be had from it.

    The host checks the first key of several and hands on all of them, joined by commas: somebody with one key could
    appear as many callers. Raises CallRefused (401) for them.
    """
    key = request.headers.get("x-functions-key") or request.params.get("code", "")
    if "," in key:
        raise CallRefused(
            Problem(
                code="several-keys",
                title="The call brings several function keys",
                detail="Nobody can say which of them stands for the caller.",
                cure="Send one key, once; a key with a comma in it must be renewed.",
                status=401,
            )
        )
    return Principal(f"key:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}")


def _nobody() -> Problem:
    return Problem(
        code="not-signed-in",
        title="Nobody is signed in",
        detail="This app takes calls of principals of Microsoft Entra ID only; function keys count for nothing here.",
        cure=f"Send `Authorization: Bearer` with a token for this app: {GUIDE} says how to get one.",
        status=401,
    )


def _role_missing(caller: Caller, wanted: Needs) -> Problem:
    own = f", or {in_words(wanted.own)} for what the caller asked for itself" if wanted.own else ""
    app_roles = ", ".join(role.app_role for role in sorted(wanted.roles | wanted.own))
    return Problem(
        code="role-missing",
        title="The caller lacks a role for this call",
        detail=f"The call needs {in_words(wanted.roles)}{own}; the caller has: {in_words(caller.roles, ', ')}.",
        cure=f"Have an administrator of Microsoft Entra ID assign an app role to the caller ({app_roles}) in this "
        f"app's enterprise application; what function keys may is the setting CMG_KEY_ROLES. {GUIDE} says more.",
        status=403,
    )

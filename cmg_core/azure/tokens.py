"""Bearer tokens of Microsoft Entra ID, verified (Microsoft Learn, "Access tokens in the Microsoft identity platform",
"Validate tokens", and "Access token claims reference").

Both versions of tokens are taken: an API whose registration does not ask for version 2 is given version 1, and so are
managed identities that call it. Signature, audience and issuer are PyJWT's; the times are judged here, because PyJWT
asks the machine for the present moment and this product asks its clock.
"""

from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cmg_core.azure.signing_keys import SigningKeys
from cmg_core.domain.errors import NotSignedIn
from cmg_core.domain.roles import Claims
from cmg_core.domain.values import Json, text_at
from cmg_core.services import Clock

ALGORITHM = "RS256"
"""The only one that Microsoft Entra ID signs access tokens with."""
LEEWAY_SECONDS = 60
LONGEST_TOKEN = 32 * 1024
"""Characters; Functions takes no longer headers either."""
LONGEST_NAME = 256

type _Id = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", to_lower=True)
]


class _Payload(BaseModel):
    """What is read of a token's claims."""

    model_config = ConfigDict(strict=True, frozen=True)

    exp: int
    nbf: int
    iat: int
    tid: _Id
    oid: _Id
    appid: str = ""
    azp: str = ""
    roles: Annotated[tuple[str, ...], Field(strict=False)] = ()
    upn: str = ""
    preferred_username: str = ""


class EntraTokens:
    """Verifies tokens that are made out to this app, of the tenants that the settings name."""

    def __init__(
        self, authority: str, audiences: Collection[str], tenants: Collection[str], clock: Clock, keys: SigningKeys
    ) -> None:
        self._authority, self._audiences, self._tenants = authority, audiences, tenants
        self._clock, self._keys = clock, keys

    async def claims(self, token: str) -> Claims:
        """See ``Tokens``."""
        import jwt

        if not self._audiences:
            raise NotSignedIn("This app takes no tokens: no setting CMG_AUTH_AUDIENCE says what they are made out to.")
        if len(token) > LONGEST_TOKEN:
            raise NotSignedIn("It is longer than any token of Microsoft Entra ID.")
        try:
            unproven = jwt.decode_complete(token, options={"verify_signature": False})
            header: Json = unproven["header"]
            payload: Json = unproven["payload"]
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NotSignedIn("It is no JSON Web Token.") from None
        tenant, issuer, kid = text_at(payload, "tid").lower(), text_at(payload, "iss"), text_at(header, "kid")
        if text_at(header, "alg") != ALGORITHM:
            raise NotSignedIn(f"It is not signed with {ALGORITHM}.")
        if tenant not in self._tenants:
            raise NotSignedIn("It is not of a tenant whose principals may call this app (CMG_AUTH_TENANTS).")
        if issuer not in (f"https://{self._authority}/{tenant}/v2.0", f"https://sts.windows.net/{tenant}/"):
            raise NotSignedIn("Its issuer is not its tenant's Microsoft Entra ID.")
        key = await self._keys.key(tenant, kid)
        if key is None:
            raise NotSignedIn("It is signed with a key that Microsoft Entra ID does not show.")
        try:
            proven = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audiences,
                issuer=issuer,
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_sub": False},
            )
            return self._read(_Payload.model_validate(proven))
        except jwt.InvalidAudienceError:
            raise NotSignedIn("It is made out to another app (CMG_AUTH_AUDIENCE).") from None
        except jwt.PyJWTError:
            raise NotSignedIn("Its signature or its claims are not right.") from None
        except ValidationError as error:
            lacking = {str(each["loc"][0]) for each in error.errors(include_input=False, include_context=False)}
            raise NotSignedIn(
                f"It lacks claims, or they are not as they should be: {', '.join(sorted(lacking))}."
            ) from None

    def _read(self, payload: _Payload) -> Claims:
        now = self._clock.now().timestamp()
        if payload.exp <= now - LEEWAY_SECONDS:
            raise NotSignedIn("It has expired.")
        if max(payload.nbf, payload.iat) > now + LEEWAY_SECONDS:
            raise NotSignedIn("It is not good yet.")
        app = payload.azp or payload.appid
        if not app:
            raise NotSignedIn("It is no access token: it does not say which application asked for it.")
        return Claims(
            payload.tid, payload.oid, payload.roles, shown_name(payload.upn or payload.preferred_username, app)
        )


def shown_name(user: str, app: str) -> str:
    """Who a token is of, for people to read: the user's name, or the application."""
    name = user or (f"app {app}" if app else "")
    return name[:LONGEST_NAME] if name.isprintable() else ""

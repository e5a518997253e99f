"""As whom the app signs in: one long-lived credential for each sign-in, so that its tokens are kept.

Nothing of a token is logged or told: refusals carry Microsoft Entra's own words, which hold none.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cmg_core.azure.cloud import Cloud
from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.tenants import FOREIGN_VAULT, NO_IDENTITY
from cmg_core.outbound.sessions import Transport

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential


def managed_identity(client_id: str, transport: Transport | None = None) -> "AsyncTokenCredential":
    """The function app's managed identity; ``client_id`` names a user-assigned one.

    A managed identity signs in to its own tenant only (Microsoft Learn, "Managed identities for Azure resources").
    Without a transport the credential has its own.
    """
    from azure.identity.aio import ManagedIdentityCredential

    if transport is None:
        return ManagedIdentityCredential(client_id=client_id or None)
    return ManagedIdentityCredential(client_id=client_id or None, transport=transport)


class _Credential:
    """What Azure's clients want of a credential besides its tokens."""

    async def close(self) -> None:
        """Nothing to close: what it stands on is closed by who made that."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class CustomerApp(_Credential):
    """The multi-tenant app in a customer's tenant. In place of a secret it shows the managed identity's own token,
    which is asked for when the app signs in and not before (Microsoft Learn, "Configure an application to trust a
    managed identity")."""

    def __init__(
        self, tenant_id: str, client_id: str, identity: "AsyncTokenCredential", cloud: Cloud, transport: Transport
    ) -> None:
        from azure.identity.aio import ClientAssertionCredential

        self._identity, self._exchange, self._assertion = identity, cloud.exchange, ""
        self._app = ClientAssertionCredential(
            tenant_id,
            client_id,
            lambda: self._assertion,
            authority=cloud.authority,
            transport=transport,
            retry_total=0,
        )

    async def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """A token of the app in its tenant, kept until it runs out; the managed identity keeps its own."""
        # The library takes the assertion from a function that cannot wait.
        self._assertion = (await self._identity.get_token(self._exchange)).token
        return await self._app.get_token(*scopes, **options)

    async def close(self) -> None:
        await self._app.close()


class OfOneTenant(_Credential):
    """A credential that says no where a vault's challenge names another tenant than its own: that vault never gets a
    token. (A managed identity would not look at the tenant that it is asked for.)"""

    def __init__(self, credential: "AsyncTokenCredential", tenant_id: str) -> None:
        self._credential, self._tenant_id = credential, tenant_id

    async def get_token(self, *scopes: str, tenant_id: str | None = None, **options: Any) -> "AccessToken":
        """As the credential within. Raises AzureRefused for another tenant."""
        if tenant_id and tenant_id.lower() != self._tenant_id:
            message = f"The vault lies in tenant {tenant_id}, not in {self._tenant_id}: nothing was sent to it."
            raise AzureRefused(status=401, code=FOREIGN_VAULT, message=message, target="")
        return await self._credential.get_token(*scopes, **options)

    async def close(self) -> None:
        await self._credential.close()


class Nobody(_Credential):
    """No identity of the app may come into the tenant: every call is refused before it is sent."""

    async def get_token(self, *scopes: str, **_: Any) -> "AccessToken":
        """Raises AzureRefused."""
        message = "The settings hold no identity for this tenant: nothing was sent."
        raise AzureRefused(status=401, code=NO_IDENTITY, message=message, target="")

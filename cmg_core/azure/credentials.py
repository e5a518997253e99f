"""Who the app is in a tenant: one long-lived credential each, so that its tokens are kept."""

from typing import TYPE_CHECKING

from cmg_core.azure.transport import Transport

if TYPE_CHECKING:
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

"""The Vaults port over Key Vault's certificate client: public parts only, never a secret or a key."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cmg_core.azure.clients import USER_AGENT
from cmg_core.azure.cloud import Cloud
from cmg_core.azure.errors import clean, told_plainly
from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.tenants import Tenant
from cmg_core.outbound.sessions import Transport
from cmg_core.services import Clock, VaultCertificate

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.keyvault.certificates import KeyVaultCertificate
    from azure.keyvault.certificates.aio import CertificateClient

VAULT_API = "7.5"


class KeyVaults:
    """One certificate client for each vault and tenant. The client signs in as the vault's challenge says, once it has
    checked that the challenge is for this vault's own domain (it raises ValueError otherwise)."""

    def __init__(
        self,
        cloud: Cloud,
        clock: Clock,
        credential: "Callable[[Tenant], AsyncTokenCredential]",
        transport: Callable[[], Transport],
    ) -> None:
        self._cloud, self._clock = cloud, clock
        self._credential, self._transport = credential, transport
        self._clients: dict[tuple[Tenant, str], CertificateClient] = {}

    async def certificate(self, tenant: Tenant, vault: str, name: str) -> VaultCertificate | None:
        """As the port says. Raises AzureRefused for a vault of another cloud, which never gets a token of this one."""
        where = f"{vault}/certificates/{name}"
        if not (urlsplit(vault).hostname or "").endswith(self._cloud.vault_suffix):
            message = (
                f"vaults of this cloud (CMG_CLOUD) lie under {self._cloud.vault_suffix.lstrip('.')}: nothing was sent"
            )
            raise AzureRefused(status=400, code="VaultOfAnotherCloud", message=message, target=where)
        try:
            async with told_plainly(where, self._clock):
                return _seen(await self._client(tenant, vault).get_certificate(name))
        except AzureRefused as refusal:
            if refusal.code == "CertificateNotFound":
                return None
            raise
        except ValueError as error:
            raise AzureRefused(status=400, code="VaultNotUnderstood", message=clean(str(error)), target=where) from None

    def _client(self, tenant: Tenant, vault: str) -> "CertificateClient":
        from azure.keyvault.certificates._shared import http_challenge_cache
        from azure.keyvault.certificates.aio import CertificateClient

        key = (tenant, vault)
        if key not in self._clients:
            # Azure's clients share what vaults told them; a vault of the same name may have been another tenant's.
            http_challenge_cache.remove_challenge_for_url(vault)
            self._clients[key] = CertificateClient(
                vault,
                self._credential(tenant),
                transport=self._transport(),
                api_version=VAULT_API,
                retry_total=0,
                permit_redirects=False,
                user_agent=USER_AGENT,
            )
        return self._clients[key]


def _seen(certificate: "KeyVaultCertificate") -> VaultCertificate:
    policy, properties = certificate.policy, certificate.properties
    return VaultCertificate(
        leaf=bytes(certificate.cer or b""),
        version=(properties.version if properties else None) or "",
        secret_id=certificate.secret_id or "",
        enabled=bool(properties and properties.enabled),
        exportable=bool(policy and policy.exportable),
        key_type=str(policy.key_type.value if policy and policy.key_type else ""),
        key_size=policy.key_size if policy else None,
        content_type=str(policy.content_type.value if policy and policy.content_type else ""),
    )

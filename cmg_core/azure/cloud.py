"""Azure's clouds: where Resource Manager answers, and for whom a token must be made out."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from cmg_core.domain.clouds import CloudName


@dataclass(frozen=True)
class Cloud:
    """One cloud's addresses (azure-mgmt-core, ``get_arm_endpoints``; Microsoft Learn, "Compare Azure Government and
    global Azure")."""

    resource_manager: str
    """Scheme and host, without a slash at the end."""
    scope: str
    """The scope of Resource Manager's tokens."""
    vault_suffix: str
    """The domain under which every vault of this cloud lies."""
    authority: str
    """Host of Microsoft Entra's sign-in (azure-identity, ``AzureAuthorityHosts``)."""
    exchange: str
    """The scope of a managed identity's token that stands in for an app's secret (Microsoft Learn, "Configure an
    application to trust a managed identity", audience of each cloud)."""

    def manages(self, address: str) -> bool:
        """Whether an address is Resource Manager's: an answer's headers and pages may name any other."""
        try:
            parts = urlsplit(address)
        except ValueError:
            return False
        return address.isprintable() and f"{parts.scheme}://{parts.netloc}".lower() == self.resource_manager


CLOUDS = {
    CloudName.PUBLIC: Cloud(
        resource_manager="https://management.azure.com",
        scope="https://management.azure.com/.default",
        vault_suffix=".vault.azure.net",
        authority="login.microsoftonline.com",
        exchange="api://AzureADTokenExchange/.default",
    ),
    CloudName.US_GOVERNMENT: Cloud(
        resource_manager="https://management.usgovcloudapi.net",
        scope="https://management.core.usgovcloudapi.net/.default",
        vault_suffix=".vault.usgovcloudapi.net",
        authority="login.microsoftonline.us",
        exchange="api://AzureADTokenExchangeUSGov/.default",
    ),
}

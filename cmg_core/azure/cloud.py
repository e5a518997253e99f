"""Azure's clouds: where Resource Manager answers, and for whom a token must be made out."""

from dataclasses import dataclass

from cmg_core.domain.clouds import DOMAINS, CloudName


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


CLOUDS = {
    CloudName.PUBLIC: Cloud(
        resource_manager=f"https://{DOMAINS[CloudName.PUBLIC].management}",
        scope="https://management.azure.com/.default",
        vault_suffix=f".{DOMAINS[CloudName.PUBLIC].vaults}",
    ),
    CloudName.US_GOVERNMENT: Cloud(
        resource_manager=f"https://{DOMAINS[CloudName.US_GOVERNMENT].management}",
        scope="https://management.core.usgovcloudapi.net/.default",
        vault_suffix=f".{DOMAINS[CloudName.US_GOVERNMENT].vaults}",
    ),
}

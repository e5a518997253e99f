"""Azure's clouds as far as names tell them apart: regions, public addresses, vaults and storage.

Sources: Microsoft Learn, "Compare Azure Government and global Azure"; "Internet access requirements" of Configuration
Manager (which names usgovcloudapp.net for gateways of both kinds); Azure's own scheme for the labels of addresses.
"""

from dataclasses import dataclass
from enum import StrEnum


class CloudName(StrEnum):
    """The clouds that a gateway can live in (New-CMCloudManagementGateway, ``-EnvironmentSetting``: no other)."""

    PUBLIC = "public"
    US_GOVERNMENT = "usgovernment"

    @property
    def spoken(self) -> str:
        """How people call it."""
        return "Azure US Government" if self is CloudName.US_GOVERNMENT else "Azure's public cloud"


@dataclass(frozen=True)
class CloudDomains:
    """The domains of one cloud, without a dot in front."""

    addresses: str
    """Of public addresses: ``label.region.`` stands before it."""
    classic: str
    """Of classic cloud services."""
    vaults: str
    storage: str
    management: str
    """Where Resource Manager answers."""


DOMAINS = {
    CloudName.PUBLIC: CloudDomains(
        addresses="cloudapp.azure.com",
        classic="cloudapp.net",
        vaults="vault.azure.net",
        storage="core.windows.net",
        management="management.azure.com",
    ),
    CloudName.US_GOVERNMENT: CloudDomains(
        addresses="cloudapp.usgovcloudapi.net",
        classic="usgovcloudapp.net",
        vaults="vault.usgovcloudapi.net",
        storage="core.usgovcloudapi.net",
        management="management.usgovcloudapi.net",
    ),
}

GOVERNMENT_REGIONS = ("usgov", "usdod")


def cloud_of(region: str) -> CloudName:
    """The cloud that a region lies in, by the beginning of its short name."""
    return CloudName.US_GOVERNMENT if region.lower().startswith(GOVERNMENT_REGIONS) else CloudName.PUBLIC


def domains_of(region: str) -> CloudDomains:
    """The domains of a region's cloud."""
    return DOMAINS[cloud_of(region)]

"""What Azure's resource types are called among people."""

from cmg_core.domain.values import ResourceId

_KINDS = {
    "microsoft.classiccompute/domainnames": "classic cloud service",
    "microsoft.classicstorage/storageaccounts": "classic storage account",
    "microsoft.compute/virtualmachinescalesets": "scale set",
    "microsoft.keyvault/vaults": "key vault",
    "microsoft.network/loadbalancers": "load balancer",
    "microsoft.network/networksecuritygroups": "network security group",
    "microsoft.network/publicipaddresses": "public address",
    "microsoft.network/virtualnetworks": "virtual network",
    "microsoft.storage/storageaccounts": "storage account",
}


def kind_of_resource(id: ResourceId) -> str:
    """The kind of a resource; Azure's own name of its type where it is none that gateways have."""
    return _KINDS.get(id.type.lower()) or id.type.rpartition("/")[2]

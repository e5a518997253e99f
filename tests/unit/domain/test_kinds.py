"""What resources are called among people."""

import pytest

from cmg_core.domain.kinds import kind_of_resource
from cmg_core.domain.values import ResourceId
from tests.fakes import CLASSIC_ID, VAULT_ID, resource_id


@pytest.mark.parametrize(
    ("id", "kind"),
    [
        (CLASSIC_ID, "classic cloud service"),
        (VAULT_ID, "key vault"),
        (resource_id("Microsoft.Compute/virtualMachineScaleSets", "old"), "scale set"),
        (resource_id("MICROSOFT.NETWORK/PUBLICIPADDRESSES", "ip"), "public address"),
        (resource_id("Microsoft.Compute/disks", "disk"), "disks"),
        (f"{resource_id('Microsoft.Sql/servers', 's')}/databases/d", "databases"),
    ],
)
def test_what_gateways_have_is_named_in_plain_words_and_the_rest_as_azure_does(id: str, kind: str) -> None:
    assert kind_of_resource(ResourceId.parse(id)) == kind

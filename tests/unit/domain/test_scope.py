"""What a request asks for against what its kind allows."""

from datetime import timedelta

import pytest

from cmg_core.domain.clouds import CloudName
from cmg_core.domain.requests import RetirementRequest
from cmg_core.domain.scope import judge_request
from tests.fakes import CLASSIC_ID, GROUP, SUBSCRIPTION, TENANT, VAULT, resource_id

STANDING = {"resource_id": resource_id("Microsoft.Compute/virtualMachineScaleSets", "evergreen")}


def retirement(provisioned_by: str, **changes: object) -> RetirementRequest:
    return RetirementRequest.model_validate(
        {
            "provisioned_by": provisioned_by,
            "subscription_id": SUBSCRIPTION,
            "tenant_id": TENANT,
            "resource_group": GROUP,
            "region": "eastus",
            "old_gateway": {"resource_id": CLASSIC_ID, "service_name": "GraniteFalls.Contoso.Com"},
            **changes,
        }
    )


@pytest.mark.parametrize("maker", ["automation", "site"])
def test_a_retirement_makes_no_gateway(maker: str) -> None:
    request = retirement(maker, certificate={"vault": VAULT, "name": "granitefalls"})
    found = judge_request(request, timedelta(seconds=1), has_software=True, cloud=CloudName.PUBLIC)
    [blocked] = [finding for finding in found if finding.severity == "blocks"]
    assert (blocked.code, blocked.pointer) == ("retirement-makes-nothing", "/provisioned_by")
    assert f"«{maker}»" in blocked.seen and "`new_gateway`" in blocked.cure


def test_a_retirement_to_a_gateway_that_stands_is_what_it_is_for() -> None:
    request = retirement("existing", new_gateway=STANDING)
    found = judge_request(request, timedelta(seconds=1), has_software=True, cloud=CloudName.PUBLIC)
    assert [finding.code for finding in found if finding.severity in ("blocks", "unknown")] == []

"""What a region gives: image generations, cores, addresses."""

import pytest

from cmg_core.domain.capacity import Offer, judge_network_quota, judge_offer, offer_of
from cmg_core.domain.values import JsonObject


def size(generations: str | None) -> JsonObject:
    told: list[JsonObject] = [{"name": "vCPUs", "value": "2"}]
    if generations is not None:
        told.append({"name": "HyperVGenerations", "value": generations})
    return {"name": "Standard_A2_v2", "family": "f", "capabilities": [*told], "locationInfo": [], "restrictions": []}


@pytest.mark.parametrize(
    ("generations", "codes"),
    [("V1", []), ("V1,V2", []), ("V2, V1", []), (None, []), ("V2", ["size-without-generation-1"])],
)
def test_the_size_must_boot_a_generation_1_image(generations: str | None, codes: list[str]) -> None:
    offer = offer_of([size(generations)], "standard_a2_V2", "eastus")
    assert offer is not None
    assert [finding.code for finding in judge_offer(offer, "Standard_A2_v2", "eastus")] == codes


def test_a_size_that_is_not_offered_has_that_finding_alone() -> None:
    assert [finding.code for finding in judge_offer(None, "Standard_A2_v2", "eastus")] == ["size-not-offered"]
    assert judge_offer(Offer("f", 2, ()), "Standard_A2_v2", "eastus") == ()


def test_which_image_the_site_takes_is_not_judged() -> None:
    offer = Offer("f", 2, (), ("V2",))
    assert judge_offer(offer, "Standard_A2_v2", "eastus", boots_our_image=False) == ()
    [found] = judge_offer(offer, "Standard_A2_v2", "eastus")
    assert found.applies_to == ("automation",)


def usage(name: str, used: int, limit: int) -> JsonObject:
    return {"id": f"/{name}", "name": {"value": name}, "currentValue": used, "limit": limit}


@pytest.mark.parametrize(
    ("name", "used", "limit", "codes"),
    [
        ("PublicIPAddresses", 9, 10, []),
        ("PublicIPAddresses", 10, 10, ["address-quota-too-small"]),
        ("StandardSkuPublicIpAddresses", 11, 10, ["address-quota-too-small"]),
        ("LoadBalancers", 10, 10, ["network-quota-too-small"]),
        ("NetworkWatchers", 1, 1, []),
        ("StaticPublicIPAddresses", 10, 10, []),
    ],
)
def test_one_more_of_each_part_must_fit(name: str, used: int, limit: int, codes: list[str]) -> None:
    found = judge_network_quota([usage(name, used, limit)], "eastus")
    assert [finding.code for finding in found] == codes
    assert all(finding.resource == f"/{name}" and str(used + 1) in finding.cure for finding in found)

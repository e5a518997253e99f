"""What a region gives: image generations, cores, addresses."""

import pytest

from cmg_core.domain.capacity import (
    Offer,
    judge_network_quota,
    judge_offer,
    judge_quota,
    network_quota_not_seen,
    offer_of,
)
from cmg_core.domain.problems import Severity
from cmg_core.domain.values import Json, JsonObject


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
    found = judge_offer(offer, "Standard_A2_v2", "eastus")
    assert [finding.code for finding in found] == codes
    assert all((each.severity, each.pointer) == (Severity.BLOCKS, "/size") for each in found)


def test_a_size_that_is_not_offered_has_that_finding_alone() -> None:
    [found] = judge_offer(None, "Standard_A2_v2", "eastus")
    assert (found.code, found.severity, found.pointer) == ("size-not-offered", Severity.BLOCKS, "/size")
    assert judge_offer(Offer("f", 2, ()), "Standard_A2_v2", "eastus") == ()


def test_which_image_the_site_takes_is_not_judged() -> None:
    offer = Offer("f", 2, (), ("V2",))
    assert judge_offer(offer, "Standard_A2_v2", "eastus", boots_our_image=False) == ()
    [found] = judge_offer(offer, "Standard_A2_v2", "eastus")
    assert found.applies_to == ("automation",)


def restricted(kind: str, **where: Json) -> JsonObject:
    """As the list of resource SKUs shows what a subscription may not have."""
    return {"type": kind, "values": ["eastus"], "restrictionInfo": {"locations": ["eastus"], **where}}


@pytest.mark.parametrize(
    ("restrictions", "zones"),
    [
        ([], ("1", "2", "3")),
        ([restricted("Zone", zones=["2"])], ("1", "3")),
        ([restricted("Zone", zones=["1"]), restricted("Zone", zones=["3"])], ("2",)),
        ([restricted("Zone")], ("1", "2", "3")),
        ([restricted("Location")], None),
        ([restricted("Zone", zones=["2"]), restricted("location")], None),
    ],
)
def test_a_size_is_offered_where_it_is_not_closed_to_the_subscription(
    restrictions: list[Json], zones: tuple[str, ...] | None
) -> None:
    body: JsonObject = {
        **size("V1"),
        "locationInfo": [{"location": "EastUS", "zones": ["3", "1", "2"]}, {"location": "westus", "zones": ["4"]}],
        "restrictions": restrictions,
    }
    offer = offer_of([{"name": "Standard_D2"}, body], "Standard_A2_v2", "eastus")
    assert offer == (None if zones is None else Offer("f", 2, zones, ("V1",)))


def test_a_size_of_which_azure_says_little_is_an_offer_of_little() -> None:
    bare: JsonObject = {"name": "Standard_A2_v2", "locationInfo": [{"location": "eastus"}]}
    assert offer_of([bare], "Standard_A2_v2", "eastus") == Offer("", 0, ())
    assert offer_of([bare], "Standard_A4_v2", "eastus") is None


@pytest.mark.parametrize(
    ("name", "used", "refused"),
    [
        ("standardAv2Family", 4, False),
        ("standardAv2Family", 5, True),
        ("Cores", 4, False),
        ("cores", 5, True),
        ("standardBSFamily", 10, False),
    ],
)
def test_the_cores_of_all_instances_must_fit_beside_what_runs(name: str, used: int, refused: bool) -> None:
    found = judge_quota([usage(name, used, 10)], Offer("StandardAv2Family", 2, ()), 3, "eastus")
    told = [(each.code, each.severity, each.resource, each.pointer) for each in found]
    assert told == ([("quota-too-small", Severity.BLOCKS, f"/{name}", "/instances")] if refused else [])
    assert all(f"{used + 6}" in each.cure and "6 cores" in each.seen for each in found)


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
    assert all((each.severity, each.pointer) == (Severity.BLOCKS, "/region") for each in found)


def test_limits_that_are_not_shown_yet_are_no_obstacle() -> None:
    found = network_quota_not_seen("Microsoft.Network is not registered.")
    assert (found.severity, found.pointer) == (Severity.WARNS, "/region")
    assert "Microsoft.Network is not registered." in found.seen

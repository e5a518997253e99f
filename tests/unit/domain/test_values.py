"""JSON as Azure speaks it, and resource IDs."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.values import Json, ResourceId, at, iso_duration, same_id, subscription_of
from tests.fakes import SUBSCRIPTION, resource_id

SCALE_SET = resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls")
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-cmg"
BODY: Json = {"zones": ["1", "2"], "sku": {"name": "Standard"}, "empty": []}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), BODY),
        (("sku", "name"), "Standard"),
        (("zones", 0), "1"),
        (("zones", 1), "2"),
        (("zones", 2), None),
        (("zones", -1), None),
        (("empty", 0), None),
        (("zones", "name"), None),
        (("sku", 0), None),
        (("sku", "name", "first"), None),
    ],
)
def test_what_lies_at_a_path_is_found_and_a_way_that_ends_early_leads_nowhere(
    path: tuple[str | int, ...], found: Json
) -> None:
    assert at(BODY, *path) == found


@pytest.mark.parametrize(
    ("id", "type", "name"),
    [
        (SCALE_SET, "Microsoft.Compute/virtualMachineScaleSets", "granitefalls"),
        (f"{SCALE_SET}/virtualMachines/0", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines", "0"),
        (f"{SCALE_SET}X/", "Microsoft.Compute/virtualMachineScaleSets", "granitefallsX"),
    ],
)
def test_a_resource_id_is_taken_apart_and_written_as_it_was(id: str, type: str, name: str) -> None:
    found = ResourceId.parse(id)
    assert (found.subscription_id, found.resource_group, found.type, found.name) == (
        SUBSCRIPTION,
        "rg-cmg-eastus",
        type,
        name,
    )
    assert str(found) == id.rstrip("/")


@pytest.mark.parametrize(
    "id",
    [
        "",
        "granitefalls",
        GROUP,
        f"{GROUP}/providers/Microsoft.Compute",
        f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets",
        f"{SCALE_SET}/virtualMachines",
        SCALE_SET.replace("/rg-cmg-eastus", "/"),
        SCALE_SET.replace("resourceGroups", "groups"),
        SCALE_SET.replace("subscriptions", "tenants"),
    ],
)
def test_what_is_no_full_resource_id_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="not a full resource ID"):
        ResourceId.parse(id)


@pytest.mark.parametrize(
    ("id", "subscription"),
    [
        (SCALE_SET, SUBSCRIPTION),
        ("/subscriptions/ABCDEF", "abcdef"),
        ("subscriptions/abcdeX/", "abcdex"),
        (GROUP.upper(), SUBSCRIPTION),
    ],
)
def test_whatever_lies_in_a_subscription_names_it(id: str, subscription: str) -> None:
    assert subscription_of(id) == subscription


@pytest.mark.parametrize("id", ["", "/", "/subscriptions", "/subscriptions/", "/providers/Microsoft.Management", "x/y"])
def test_what_lies_in_no_subscription_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="does not lie in a subscription"):
        subscription_of(id)


def test_ids_name_the_same_resource_without_regard_to_case_and_outer_slashes() -> None:
    assert same_id(SCALE_SET, f"{SCALE_SET.upper()}/") and same_id(SCALE_SET[1:], SCALE_SET)
    assert not same_id(SCALE_SET, f"{SCALE_SET}X") and not same_id(f"{SCALE_SET}X", SCALE_SET)


@given(st.timedeltas(timedelta(), timedelta(days=400)))
def test_a_duration_begins_as_iso_8601_wants_it(span: timedelta) -> None:
    assert iso_duration(span).startswith("P")

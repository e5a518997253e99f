"""What a lock keeps from being deleted or changed: the resource that it stands on, and everything below."""

import pytest

from cmg_core.domain.locks import locks_against_change, locks_against_deletion
from cmg_core.domain.values import JsonObject
from tests.fakes import SUBSCRIPTION, resource_id

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-cmg-old"
SCALE_SET = resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls", "rg-cmg-old")
ONE_MORE_LETTER = f"{SCALE_SET}X"


def lock_on(scope: str, level: str = "CanNotDelete") -> JsonObject:
    return {"id": f"{scope}/providers/Microsoft.Authorization/locks/keep", "properties": {"level": level}}


@pytest.mark.parametrize(
    ("scope", "id", "holds"),
    [
        (SCALE_SET, SCALE_SET, True),
        (SCALE_SET.upper(), SCALE_SET, True),
        (SCALE_SET, f"{SCALE_SET}/", True),
        (ONE_MORE_LETTER, ONE_MORE_LETTER, True),
        (GROUP, SCALE_SET, True),
        (f"/subscriptions/{SUBSCRIPTION}", SCALE_SET, True),
        (f"{SCALE_SET}/virtualMachines/0", SCALE_SET, False),
        (SCALE_SET, ONE_MORE_LETTER, False),
        (ONE_MORE_LETTER, SCALE_SET, False),
        (GROUP.removesuffix("-old"), SCALE_SET, False),
        (f"{GROUP}er", SCALE_SET, False),
    ],
)
def test_a_lock_holds_for_what_it_stands_on_and_for_all_below(scope: str, id: str, holds: bool) -> None:
    assert bool(locks_against_deletion([lock_on(scope)], id)) is holds


@pytest.mark.parametrize(("level", "against_change"), [("CanNotDelete", False), ("ReadOnly", True), ("readonly", True)])
def test_either_level_forbids_to_delete_and_only_one_to_change(level: str, against_change: bool) -> None:
    [lock] = locks_against_deletion([lock_on(SCALE_SET, level)], SCALE_SET)
    assert lock.id == lock_on(SCALE_SET)["id"] and lock.level.lower() == level.lower()
    assert bool(locks_against_change([lock_on(SCALE_SET, level)], SCALE_SET)) is against_change


def test_what_is_no_lock_holds_nothing() -> None:
    assert locks_against_deletion([{"id": SCALE_SET}, {}], SCALE_SET) == ()

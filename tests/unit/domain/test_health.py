"""Healthy is counted as procedures define it: all expected, none too many, silence is not health."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.health import causes, health_of
from cmg_core.domain.values import JsonObject


def instance(
    name: str = "0", provisioning: str = "Succeeded", power: str = "running", health: str | None = "healthy"
) -> JsonObject:
    view: JsonObject = {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power}"}]}
    if health:
        view["vmHealth"] = {"status": {"code": f"HealthState/{health}"}}
    return {"name": f"granitefalls_{name}", "properties": {"provisioningState": provisioning, "instanceView": view}}


SICK = (
    instance(provisioning="Creating"),
    instance(provisioning="Failed"),
    instance(power="starting"),
    instance(power="deallocated"),
    instance(health="unhealthy"),
    instance(health="unknown"),
    instance(health=None),
    {"name": "bare"},
)


@given(st.integers(1, 16))
def test_as_many_healthy_ones_as_expected_are_whole(count: int) -> None:
    assert health_of([instance(str(n)) for n in range(count)], count).is_whole


def test_nothing_is_never_whole() -> None:
    assert not health_of([], 0).is_whole


@given(st.integers(0, 17), st.integers(1, 16))
def test_any_other_number_is_not_whole(stand: int, expected: int) -> None:
    health = health_of([instance(str(n)) for n in range(stand)], expected)
    assert health.is_whole == (stand == expected)


@pytest.mark.parametrize("sick", SICK)
def test_one_that_lacks_anything_is_named_and_not_counted(sick: JsonObject) -> None:
    health = health_of([instance("0"), sick], 2)
    assert (health.healthy, health.is_whole) == (1, False)
    assert str(sick["name"]) in health.missing[0]


def test_without_the_extension_running_is_enough() -> None:
    assert health_of([instance(health=None)], 1, health_extension=False).is_whole


def test_causes_are_azures_errors_extensions_included() -> None:
    failed = instance(provisioning="Failed")
    failed["properties"]["instanceView"]["extensions"] = [  # type: ignore[index,call-overload]  # built above
        {
            "name": "gateway",
            "statuses": [{"code": "ProvisioningState/failed", "level": "Error", "message": "no package"}],
        }
    ]
    [cause] = causes([failed, instance("1")])
    assert "extension gateway" in cause
    assert "no package" in cause


def test_the_machines_own_errors_are_causes_with_their_codes() -> None:
    failed = instance(provisioning="Failed")
    failed["properties"]["instanceView"]["statuses"] = [  # type: ignore[index,call-overload]  # built above
        {"code": "ProvisioningState/failed/OutOfMemory", "level": "ERROR", "message": "too small" + "!" * 500},
        {"code": "PowerState/running", "level": "Info", "message": "fine"},
    ]
    [cause] = causes([failed, instance("1")])
    assert all(word in cause for word in ("granitefalls_0, machine:", "OutOfMemory", "too small"))
    assert len(cause) < 500


def test_an_instance_without_a_name_is_told_by_its_number() -> None:
    assert "instance 7" in health_of([{"instanceId": "7"}], 1).missing[0]


@pytest.mark.parametrize(
    ("sick", "said"), [(instance(provisioning="Creating"), "Creating"), (instance(health="unhealthy"), "unhealthy")]
)
def test_what_azure_says_of_a_sick_instance_is_told(sick: JsonObject, said: str) -> None:
    assert f"«{said}»" in health_of([sick], 1).missing[0]
    assert health_of([{"name": "bare"}], 1).missing[0].count("«nothing»") == 2

"""When to move and when not: what changes is a reason, a smaller change is named, nothing is asked for no reason."""

import pytest

from cmg_core.domain.plans import OldGateway
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.reasons import judge_reasons
from tests.fakes import CLASSIC_ID, GROUP, OLD_GROUP, SUBSCRIPTION, migration
from tests.worlds import OLD_SCALE_SET, SERVICE_NAME


def old(**changes: object) -> OldGateway:
    facts: dict[str, object] = {
        "model": "scale-set",
        "resource_id": OLD_SCALE_SET,
        "service_name": SERVICE_NAME,
        "deployment_name": "granitefalls.eastus.cloudapp.azure.com",
        "region": "East US",
        "parts": (),
        "kept": (),
        "size": "Standard_A2_v2",
        "instances": 2,
    }
    return OldGateway.model_validate(facts | changes)


def judged(gateway: OldGateway, name: str = SERVICE_NAME, **request: object) -> dict[str, Finding]:
    stays: dict[str, object] = {"resource_group": OLD_GROUP, "configmgr_release": "2309"}
    return {each.code: each for each in judge_reasons(migration(**(stays | request)), name, gateway)}


def test_nothing_changed_and_no_reason_blocks() -> None:
    found = judged(old())
    assert {code: each.severity for code, each in found.items()} == {"no-reason-to-move": Severity.BLOCKS}
    assert found["no-reason-to-move"].pointer == "/reason"


def test_nothing_changed_with_a_reason_is_told() -> None:
    found = judged(old(), reason="Audit")
    assert {code: each.severity for code, each in found.items()} == {"no-reason-to-move": Severity.TELLS}
    assert found["no-reason-to-move"].pointer == "/reason"


@pytest.mark.parametrize(
    ("gateway", "request_", "name", "told"),
    [
        (old(), {"resource_group": GROUP}, SERVICE_NAME, "the resource group"),
        (old(region="westeurope"), {}, SERVICE_NAME, "the region"),
        (old(resource_id=OLD_SCALE_SET.replace("2222", "4444")), {}, SERVICE_NAME, "the subscription"),
        (old(), {}, "other.contoso.com", "the service name"),
    ],
)
def test_what_changes_is_a_reason(gateway: OldGateway, request_: dict[str, object], name: str, told: str) -> None:
    found = judged(gateway, name, **request_)
    assert {code: each.severity for code, each in found.items()} == {"reasons-to-move": Severity.TELLS}
    assert told in found["reasons-to-move"].seen


def test_letter_case_and_spaces_are_no_change() -> None:
    gateway = old(
        region="EAST US", size="STANDARD_A2_V2", resource_id=OLD_SCALE_SET.replace(OLD_GROUP, OLD_GROUP.upper())
    )
    assert set(judged(gateway, SERVICE_NAME.upper())) == {"no-reason-to-move"}
    assert SUBSCRIPTION in OLD_SCALE_SET


@pytest.mark.parametrize("changes", [{"size": "Standard_A4_v2"}, {"instances": 3}])
def test_a_new_size_is_the_sites_to_change_in_place(changes: dict[str, object]) -> None:
    found = judged(old(), **changes)
    assert found["no-reason-to-move"].severity is Severity.BLOCKS
    assert (found["change-in-place"].severity, found["change-in-place"].pointer) == (Severity.TELLS, "/size")
    assert all(f"«{value}»" in found["change-in-place"].seen for value in changes.values())
    assert set(judged(old(), resource_group=GROUP, **changes)) == {"reasons-to-move"}


@pytest.mark.parametrize("unknown", [{"size": ""}, {"instances": None}])
def test_what_azure_does_not_show_of_the_machines_is_no_change(unknown: dict[str, object]) -> None:
    assert set(judged(old(**unknown))) == {"no-reason-to-move"}


CLASSIC = {"model": "classic", "resource_id": CLASSIC_ID, "size": "", "instances": None}


@pytest.mark.parametrize(
    ("request_", "name", "codes"),
    [
        ({}, SERVICE_NAME, {"reasons-to-move", "convert-in-place"}),
        ({"configmgr_release": None}, SERVICE_NAME, {"reasons-to-move", "convert-in-place"}),
        ({"configmgr_release": "2106"}, SERVICE_NAME, {"reasons-to-move"}),
        ({"configmgr_release": "2107"}, SERVICE_NAME, {"reasons-to-move", "convert-in-place"}),
        ({"configmgr_release": "2403"}, SERVICE_NAME, {"reasons-to-move"}),
        ({"resource_group": GROUP}, SERVICE_NAME, {"reasons-to-move"}),
    ],
)
def test_a_classic_gateway_may_be_converted_in_place_where_the_place_stays(
    request_: dict[str, object], name: str, codes: set[str]
) -> None:
    found = judged(old(**CLASSIC), name, **request_)
    assert set(found) == codes
    assert all(each.severity is Severity.TELLS for each in found.values())


def test_a_name_of_classic_services_cannot_be_converted() -> None:
    name = "granitefalls.cloudapp.net"
    assert set(judged(old(**CLASSIC | {"service_name": name}), name)) == {"reasons-to-move"}

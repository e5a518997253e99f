"""What a request asks for against what its kind allows."""

from datetime import timedelta

import pytest

from cmg_core.domain.clouds import CloudName
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.requests import SHORTEST_GRACE, Request, RetirementRequest
from cmg_core.domain.scope import judge_request
from tests.fakes import CLASSIC_ID, GROUP, SUBSCRIPTION, TENANT, VAULT, deployment, migration, resource_id

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


def judged(
    request: Request, minimum_grace: timedelta = SHORTEST_GRACE, *, has_software: bool = True
) -> dict[str, Finding]:
    found = judge_request(request, minimum_grace, has_software=has_software, cloud=CloudName.PUBLIC)
    assert len({each.code for each in found}) == len(found)
    return {each.code: each for each in found}


ELSEWHERE = STANDING["resource_id"].replace(SUBSCRIPTION, TENANT)
FROM_SCALE_SET = {"resource_id": STANDING["resource_id"], "service_name": "GraniteFalls.Contoso.Com"}


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (deployment(instances=1), {"not-supported-by-microsoft": "/provisioned_by"}),
        (deployment(instances=2), {"not-supported-by-microsoft": "/provisioned_by", "connection-point-ports": ""}),
        (
            deployment(instances=2, provisioned_by="site"),
            {"site-makes-the-gateway": "/provisioned_by", "connection-point-ports": ""},
        ),
        (deployment(instances=2, provisioned_by="existing", new_gateway=STANDING), {}),
        (migration(provisioned_by="existing", new_gateway=STANDING), {"classic-retired": ""}),
        (migration(provisioned_by="existing", new_gateway=STANDING, old_gateway=FROM_SCALE_SET), {}),
        (
            migration(
                provisioned_by="existing",
                new_gateway=STANDING,
                old_gateway=FROM_SCALE_SET,
                gates={"connection-point-connected": False},
            ),
            {"connection-point-gate-stays": "/gates/connection-point-connected"},
        ),
    ],
)
def test_what_a_person_is_told_of_a_request_that_may_be_carried_out(request_: Request, told: dict[str, str]) -> None:
    found = judged(request_)
    assert {code: each.pointer for code, each in found.items()} == told | {"sizes-retire": ""}
    assert {each.severity for each in found.values()} == {Severity.TELLS}


@pytest.mark.parametrize(
    ("request_", "code", "pointer", "seen"),
    [
        (deployment(deployment_model="classic"), "classic-target-retired", "/deployment_model", "2024"),
        (deployment(region="usgovvirginia"), "other-cloud", "/region", "«usgovvirginia»"),
        (
            deployment(certificate={"vault": "https://kv-cmg.vault.usgovcloudapi.net", "name": "granitefalls"}),
            "other-cloud",
            "/certificate/vault",
            "kv-cmg.vault.usgovcloudapi.net",
        ),
        (
            deployment(provisioned_by="existing", new_gateway={"resource_id": ELSEWHERE}),
            "new-gateway-in-other-subscription",
            "/subscription_id",
            TENANT,
        ),
        (migration(grace_period="PT23H59M59S"), "grace-period-too-short", "/grace_period", "PT23H59M59S"),
    ],
)
def test_what_refuses_a_request(request_: Request, code: str, pointer: str, seen: str) -> None:
    [blocked] = [each for each in judged(request_).values() if each.severity is Severity.BLOCKS]
    assert (blocked.code, blocked.pointer) == (code, pointer)
    assert seen in blocked.seen


def test_the_shortest_grace_period_is_the_settings_to_the_second() -> None:
    assert "grace-period-too-short" not in judged(migration(grace_period="P1D"))
    short = judged(migration(grace_period="P1D"), timedelta(days=2))["grace-period-too-short"]
    assert "P1D" in short.seen and "P2D" in short.seen and "P2D" in short.cure
    assert "minimum-grace-shortened" not in judged(migration())
    shortened = judged(migration(), timedelta(seconds=4))["minimum-grace-shortened"]
    assert shortened.severity is Severity.TELLS
    assert "PT4S" in shortened.seen and "P1D" in shortened.seen


def test_no_gateway_is_made_without_its_software() -> None:
    missing = judged(deployment(), has_software=False)["gateway-software-missing"]
    assert (missing.severity, missing.applies_to) == (Severity.BLOCKS, ("automation",))
    for maker in ("site", "existing"):
        request = deployment(provisioned_by=maker, new_gateway=STANDING if maker == "existing" else None)
        assert "gateway-software-missing" not in judged(request, has_software=False)

"""What a request asks for against the settings and the field's rules: what is told, and what refuses it."""

from datetime import timedelta

import pytest

from cmg_core.domain.clouds import CloudName
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.requests import SHORTEST_GRACE, Request
from cmg_core.domain.scope import judge_request
from tests.fakes import SUBSCRIPTION, TENANT, deployment, migration, resource_id

STANDING = {"resource_id": resource_id("Microsoft.Compute/virtualMachineScaleSets", "evergreen")}


def judged(
    request: Request, minimum_grace: timedelta = SHORTEST_GRACE, *, has_software: bool = True
) -> dict[str, Finding]:
    found = judge_request(request, minimum_grace, has_software=has_software, cloud=CloudName.PUBLIC)
    assert len({each.code for each in found}) == len(found)
    return {each.code: each for each in found}


ELSEWHERE = STANDING["resource_id"].replace(SUBSCRIPTION, TENANT)
FROM_SCALE_SET = {"resource_id": STANDING["resource_id"], "service_name": "GraniteFalls.Contoso.Com"}


TOLD = {
    "not-supported-by-microsoft": "/provisioned_by",
    "site-makes-the-gateway": "/provisioned_by",
    "connection-point-ports": "",
    "classic-retired": "",
    "connection-point-gate-stays": "/gates/connection-point-connected",
    "sizes-retire": "",
}
"""Codes with their places."""


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (deployment(instances=1), {"not-supported-by-microsoft"}),
        (deployment(instances=2), {"not-supported-by-microsoft", "connection-point-ports"}),
        (deployment(instances=2, provisioned_by="site"), {"site-makes-the-gateway", "connection-point-ports"}),
        (deployment(instances=2, provisioned_by="existing", new_gateway=STANDING), set()),
        (migration(provisioned_by="existing", new_gateway=STANDING), {"classic-retired"}),
        (migration(provisioned_by="existing", new_gateway=STANDING, old_gateway=FROM_SCALE_SET), set()),
        (
            migration(
                provisioned_by="existing",
                new_gateway=STANDING,
                old_gateway=FROM_SCALE_SET,
                gates={"connection-point-connected": False},
            ),
            {"connection-point-gate-stays"},
        ),
    ],
)
def test_what_a_person_is_told_of_a_request_that_may_be_carried_out(request_: Request, told: set[str]) -> None:
    found = judged(request_)
    assert found.keys() & TOLD.keys() == told | {"sizes-retire"}
    assert all(found[code].pointer == TOLD[code] for code in told)
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

"""What a request tells of the site, and what follows where it lacks something."""

import pytest

from cmg_core.domain.problems import Severity
from cmg_core.domain.requests import Request
from cmg_core.domain.site_facts import judge_site
from tests.fakes import deployment, migration

NAME = "GraniteFalls.Contoso.Com"
READY = {"spare_site_system": True, "connection_point_firewall_open": True}
REGION_NAME = "granitefalls.eastus.cloudapp.azure.com"


def judged(request: Request, name: str = NAME) -> dict[str, Severity]:
    return {each.code: each.severity for each in judge_site(request, name)}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (migration(site=READY), {}),
        (migration(), {"site-not-told": Severity.TELLS}),
        (migration(site={"spare_site_system": True}), {"site-not-told": Severity.TELLS}),
        (migration(site=READY | {"spare_site_system": False}), {"no-spare-site-system": Severity.BLOCKS}),
        (
            migration(site=READY | {"spare_site_system": False}, accept_gap="PT30M"),
            {"no-spare-site-system": Severity.WARNS},
        ),
        (
            migration(site=READY | {"connection_point_firewall_open": False}),
            {"connection-point-firewall-closed": Severity.WARNS},
        ),
        (migration(site=READY | {"other_gateways": []}), {}),
        (migration(site=READY | {"other_gateways": []}, accept_gap="PT30M"), {"no-other-gateway": Severity.WARNS}),
        (
            migration(site=READY | {"other_gateways": [NAME.upper()]}, accept_gap="PT30M"),
            {"no-other-gateway": Severity.WARNS},
        ),
        (
            migration(site=READY | {"other_gateways": ["cmg2.contoso.com"]}, accept_gap="PT30M"),
            {"other-gateways": Severity.TELLS},
        ),
        (deployment(), {}),
        (deployment(site={"spare_site_system": False}), {}),
    ],
)
def test_what_the_site_lacks(request_: Request, expected: dict[str, Severity]) -> None:
    assert judged(request_) == expected


def test_the_same_name_of_the_region_needs_another_gateway_meanwhile() -> None:
    old = {"resource_id": migration().old_gateway.resource_id, "service_name": REGION_NAME}
    request = migration(site=READY | {"other_gateways": []}, old_gateway=old)
    assert judged(request, REGION_NAME) == {"no-other-gateway": Severity.WARNS}

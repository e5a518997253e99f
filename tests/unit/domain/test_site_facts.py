"""What a request tells of the site, and what follows where it lacks something."""

import pytest

from cmg_core.domain.problems import Severity
from cmg_core.domain.requests import Request
from cmg_core.domain.site_facts import judge_site
from tests.fakes import CLASSIC_ID, deployment, migration

NAME = "GraniteFalls.Contoso.Com"
READY = {"spare_site_system": True, "connection_point_firewall_open": True}
TO_ANOTHER_NAME = {
    "old_gateway": {"resource_id": CLASSIC_ID, "service_name": "cmg.contoso.com"},
}
REGION_NAME = "granitefalls.eastus.cloudapp.azure.com"


POINTERS = {
    "connection-point-firewall-closed": "/site/connection_point_firewall_open",
    "no-spare-site-system": "/site/spare_site_system",
    "site-not-told": "/site",
    "other-gateways": "/site/other_gateways",
    "no-other-gateway": "/site/other_gateways",
}


def judged(request: Request, name: str = NAME) -> dict[str, Severity]:
    found = judge_site(request, name)
    assert [each.pointer for each in found] == [POINTERS[each.code] for each in found]
    return {each.code: each.severity for each in found}


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
        (
            migration(site=READY | {"other_gateways": ["CMG.Contoso.Com"]}, accept_gap="PT30M", **TO_ANOTHER_NAME),
            {"no-other-gateway": Severity.WARNS},
        ),
        (
            migration(site=READY | {"other_gateways": [NAME.upper()]}, accept_gap="PT30M", **TO_ANOTHER_NAME),
            {"no-other-gateway": Severity.WARNS},
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


def test_what_the_request_does_not_say_and_who_serves_meanwhile_is_named() -> None:
    [both] = judge_site(migration(), NAME)
    assert "`site.spare_site_system`" in both.seen and "`site.connection_point_firewall_open`" in both.seen
    [one] = judge_site(migration(site={"spare_site_system": True}), NAME)
    assert "`site.spare_site_system`" not in one.seen and "`site.connection_point_firewall_open`" in one.seen
    served = migration(site=READY | {"other_gateways": ["cmg2.contoso.com", NAME]}, accept_gap="PT30M")
    [others] = judge_site(served, NAME)
    assert "«cmg2.contoso.com»" in others.seen and NAME not in others.seen

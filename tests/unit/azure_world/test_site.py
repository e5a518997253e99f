"""Connection points find their gateway by DNS; administrators change what they find."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from local.azure.site import ConnectionPoint, SiteError, advance, apply_site
from local.azure.world import World
from tests.unit.azure_world.worlds import (
    BALANCER,
    DEPLOYMENT,
    DOMAIN,
    NEW_ADDRESS,
    NOW,
    OLD_ADDRESS,
    SCALE_SET,
    SERVICE,
    certificate,
    flip,
    granite_falls,
    world,
)

SECOND = {
    "server": "CP2",
    "gateway": "GraniteFalls",
    "service_name": "GraniteFalls.Contoso.Com",
    "hosts": {"GraniteFalls.Contoso.Com": f"@address-of:{DEPLOYMENT}"},
}


def after(seconds: float) -> datetime:
    """That many seconds after the beginning."""
    return NOW + timedelta(seconds=seconds)


def point(made: World, server: str = "CP1") -> ConnectionPoint:
    """A connection point of the site."""
    assert made.site is not None
    return made.site.connection_points[server.lower()]


def test_a_connection_point_dials_where_the_inside_view_leads() -> None:
    made = world(site=granite_falls())
    advance(made, NOW)
    assert point(made).connected_to == OLD_ADDRESS


def test_it_follows_the_name_once_the_kept_answer_has_run_out() -> None:
    made = world(site=granite_falls())
    advance(made, NOW)
    flip(made)
    advance(made, after(59.5))
    assert point(made).connected_to == OLD_ADDRESS
    advance(made, after(60))
    assert point(made).connected_to == NEW_ADDRESS


@given(
    steps=st.lists(st.floats(0.1, 400), min_size=1, max_size=6),
    interval=st.sampled_from([0.5, 1.0, 7.0, 60.0, 90.0]),
    flipped=st.floats(0, 600),
)
@settings(max_examples=60, deadline=None)
def test_skipped_checks_leave_what_each_check_would_have_left(
    steps: list[float], interval: float, flipped: float
) -> None:
    """Looking rarely gives the same as looking all the time."""
    often, rarely = (world(site=granite_falls(check_interval_s=interval)) for _ in range(2))
    at = 0.0
    done = False
    for step in steps:
        if not done and at >= flipped:
            done = True
            for made in (often, rarely):
                flip(made)
        for part in range(1, 41):
            advance(often, after(at + step * part / 40))
        at += step
        advance(often, after(at))
        advance(rarely, after(at))
        assert point(often) == point(rarely)


def test_thirty_days_pass_at_once() -> None:
    made = world(site=granite_falls(check_interval_s=0.1))
    advance(made, NOW)
    advance(made, NOW + timedelta(days=30))
    assert point(made).connected_to == OLD_ADDRESS


def test_a_broken_channel_is_dialed_anew_at_the_next_check() -> None:
    made = world(site=granite_falls())
    advance(made, NOW)
    made.instances[DOMAIN.lower()][0].healthy = False
    advance(made, after(1))
    assert (point(made).connected_to, point(made).trouble) == (None, f"nobody answers at {OLD_ADDRESS}:443")
    made.instances[DOMAIN.lower()][0].healthy = True
    advance(made, after(2))
    assert (point(made).connected_to, point(made).trouble) == (OLD_ADDRESS, None)


def test_a_hosts_entry_leads_a_second_one_to_the_new_gateway() -> None:
    made = world(site=granite_falls())
    apply_site(made, {"add_connection_point": SECOND}, NOW)
    advance(made, NOW)
    assert (point(made).connected_to, point(made, "CP2").connected_to) == (OLD_ADDRESS, NEW_ADDRESS)
    assert made.site is not None and made.site.relays(OLD_ADDRESS) and made.site.relays(NEW_ADDRESS)
    apply_site(made, {"set_hosts": {"server": "cp2", "name": SERVICE, "address": None}}, after(1))
    advance(made, after(2))
    assert point(made, "CP2").connected_to == OLD_ADDRESS


def test_the_inside_view_can_flip_last() -> None:
    made = world(site=granite_falls())
    apply_site(made, {"set_inside_dns": [{"name": SERVICE, "value": OLD_ADDRESS, "ttl": 5}]}, NOW)
    flip(made)
    advance(made, after(600))
    assert point(made).connected_to == OLD_ADDRESS
    apply_site(made, {"remove_inside_dns": [{"name": SERVICE}]}, after(600))
    advance(made, after(606))
    assert point(made).connected_to == NEW_ADDRESS


def test_why_there_is_no_channel_is_told() -> None:
    made = world(machines=2, site=granite_falls())
    made.resources[BALANCER.lower()].properties["inboundNatRules"].clear()
    apply_site(made, {"add_connection_point": SECOND}, NOW)
    advance(made, NOW)
    assert point(made, "CP2").trouble == f"{NEW_ADDRESS} is closed on port 10124, 10125"
    made.instances[SCALE_SET.lower()].pop()
    made.certificates = {key: certificate("other.contoso.com") for key in made.certificates}
    advance(made, after(1))
    assert point(made, "CP2").trouble == f"{NEW_ADDRESS} shows a certificate for other.contoso.com"
    flip(made, "nowhere.cloudapp.net")
    advance(made, after(61))
    assert point(made).trouble == "GraniteFalls.Contoso.Com does not resolve"


def test_clients_are_told_of_recorded_gateways_with_a_channel() -> None:
    made = world(site=granite_falls())
    assert made.site is not None
    assert made.site.locations() == ()
    advance(made, NOW)
    assert made.site.locations() == (SERVICE,)
    new = {"name": "New", "service_name": "new.contoso.com"}
    apply_site(made, {"add_gateway_record": new}, NOW)
    assert made.site.locations() == (SERVICE,)
    apply_site(made, {"remove_gateway_record": "granitefalls"}, NOW)
    assert made.site.locations() == ()


def test_the_original_connection_point_can_be_removed() -> None:
    made = world(site=granite_falls())
    apply_site(made, {"add_connection_point": SECOND}, NOW)
    apply_site(made, {"remove_connection_point": "CP1"}, NOW)
    assert made.site is not None and list(made.site.connection_points) == ["cp2"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"remove_connection_point": "CP9"}, "no connection point on CP9: there is cp1"),
        ({"remove_gateway_record": "other"}, "no gateway record other: it has granitefalls"),
        ({"set_hosts": {"server": "CP9", "name": SERVICE, "address": "1.2.3.4"}}, "no connection point on CP9"),
        ({"remove_inside_dns": [{"name": "x.contoso.com"}]}, "no record x.contoso.com"),
        ({"add_connection_point": {**SECOND, "gateway": "Other"}}, "no gateway record Other"),
        ({"add_connection_point": {**SECOND, "server": "CP1"}}, "holds a connection point already"),
        (
            {"set_inside_dns": [{"name": SERVICE, "value": "@address-of:nowhere.cloudapp.net"}]},
            "nowhere.cloudapp.net has no public address",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(change: object, text: str) -> None:
    made = world(site=granite_falls())
    with pytest.raises(SiteError, match=text):
        apply_site(made, change, NOW)


def test_unknown_members_and_sites_are_refused() -> None:
    with pytest.raises(ValidationError, match="add_conection_point"):
        apply_site(world(site=granite_falls()), {"add_conection_point": SECOND}, NOW)
    with pytest.raises(SiteError, match="no site"):
        apply_site(world(), {}, NOW)

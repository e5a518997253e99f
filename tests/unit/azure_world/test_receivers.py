"""Receivers of webhooks as states of the world: seeded, changed, resolved, reached."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from local.azure.dns import resolve, zone_of
from local.azure.messages import Request
from local.azure.receivers import heard, receiver_at, receivers_view
from local.azure.seed import SeedError, build_world
from local.azure.site import SiteError, apply_site
from local.azure.world import World
from tests.unit.azure_world.worlds import NOW

HOST = "hooks.contoso.com"


def world(**receiver: object) -> World:
    seed = {"host": HOST, "addresses": ["20.150.10.20"], **receiver}
    return build_world({"receivers": [seed], "site": {"code": "S01"}}, time_scale=1, now=NOW)


def addresses(made: World) -> list[str]:
    return [record.value for record in resolve(made, HOST, "A", "public", NOW).records]


def test_a_receivers_name_leads_to_its_addresses() -> None:
    made = world(addresses=["20.150.10.20", "20.150.10.21"])
    assert addresses(made) == addresses(made) == ["20.150.10.20", "20.150.10.21"]
    zone = zone_of(made, HOST)
    assert zone is not None and zone.name == HOST
    assert receiver_at(made, "20.150.10.21") is made.receivers[HOST] and receiver_at(made, "20.150.10.22") is None


def test_a_name_that_is_rebound_leads_elsewhere_at_each_look() -> None:
    made = world(addresses=["20.150.10.20", "10.0.0.5"], in_turn=True)
    assert [addresses(made) for _ in range(3)] == [["20.150.10.20"], ["10.0.0.5"], ["20.150.10.20"]]


def test_a_receiver_is_down_for_a_while_or_until_somebody_sees_to_it() -> None:
    made = world(down_for_s=8)
    receiver = made.receivers[HOST]
    assert [receiver.is_up(NOW + timedelta(seconds=s)) for s in (0, 7.9, 8)] == [False, False, True]
    apply_site(made, {"change_receiver": {"host": "Hooks.Contoso.com", "down": True}}, NOW)
    assert not receiver.is_up(NOW + timedelta(hours=1))
    apply_site(made, {"change_receiver": {"host": HOST, "down": False, "status": 503}}, NOW)
    assert receiver.is_up(NOW + timedelta(hours=1)) and receiver.status == 503


def test_what_it_takes_is_kept_and_shown_without_the_query() -> None:
    made = world(status=429, headers={"Retry-After": "5"})
    request = Request("POST", HOST, "/cmg", {"sig": "s3cret"}, {"webhook-id": "1"}, b"{}")
    answer = made.receivers[HOST].answer(request, NOW)
    assert (answer.status, answer.header("retry-after")) == (429, "5")
    (shown,) = receivers_view(made)
    assert shown["received"][0]["path"] == "/cmg" and "s3cret" not in str(shown)


def test_a_world_or_a_change_that_cannot_be_is_refused() -> None:
    for wrong in ({"addresses": []}, {"status": 99}, {"colour": "red"}):
        with pytest.raises(SeedError):
            world(**wrong)
    with pytest.raises(SiteError):
        apply_site(world(), {"change_receiver": {"host": "other.example"}}, NOW)
    with pytest.raises(ValidationError):
        apply_site(world(), {"change_receiver": {"host": HOST, "status": 1}}, NOW)


def test_what_was_heard_is_judged_by_the_events_alone() -> None:
    def event(number: int, kind: str = "progress") -> bytes:
        return f'{{"source": "/d", "sequence": "{number:013}", "type": "cmg.deployment.{kind}"}}'.encode()

    assert heard([event(1), event(1), event(2), event(3, "ended")]) == []
    assert heard([event(2), event(1), event(3, "ended")]) == ["events came out of order"]
    assert heard([event(1), event(2)]) == heard([]) == ["the end was not told"]

"""Posting: in order, at least once, never twice at the same time, and to public addresses only."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.record import Event, Happening, Status
from cmg_core.notify.addresses import CallbackUrl
from cmg_core.notify.deliver import LOOK_UP, NEVER_BEGUN, deliver
from cmg_core.notify.keys import CallbackKeys
from cmg_core.notify.ports import Posted
from cmg_core.notify.post import ALL_SECONDS
from cmg_core.notify.subscribe import Wish, listener
from cmg_core.notify.subscription import HOLD, ONE_POST, QUIET, SubscriptionState
from cmg_core.services import NameView, Save
from cmg_core.wake import wake_due
from local.inprocess.listeners import KEYS
from tests.unit.notify.listening import (
    ADDRESS,
    HOST,
    ID,
    SECRET,
    URL,
    answers,
    happens,
    listened_to,
    notices,
    posted,
    subscription,
    told,
    waits,
)
from tests.unit.triggers.callers import MemoryServices

PROGRESS, ENDED, GATE = Happening.PROGRESS, Happening.ENDED, Happening.GATE_WAITING


def test_events_are_posted_once_in_order_to_the_checked_address_and_signed() -> None:
    services = listened_to()
    happens(services, PROGRESS, GATE)
    told(services)
    told(services)
    assert posted(services) == ["accepted", "progress 2", "gate-waiting 2"]
    for url, address, headers, body in services.poster.posted:
        assert (url, address) == (URL, ADDRESS)
        id, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        assert id == json.loads(body)["id"]
        assert int(stamp) == int(services.clock.now().timestamp())
        assert headers["webhook-signature"] == KEYS.signature(id, int(stamp), body)
        assert headers["Content-Type"] == "application/cloudevents+json"
        assert SECRET.encode() not in body
    now = subscription(services)
    assert (now.state, now.last_status, now.next_try_at) == ("active", 202, services.clock.now() + QUIET)


def test_only_wanted_types_are_posted_and_the_rest_is_passed_over() -> None:
    services = listened_to(ENDED)
    happens(services, PROGRESS, GATE)
    told(services)
    assert posted(services) == [] and subscription(services).cursor == "0000000002001"
    happens(services, PROGRESS, ENDED, status=Status.SUCCEEDED)
    told(services)
    assert posted(services) == ["ended 3"]
    assert subscription(services).state is SubscriptionState.ENDED


def test_who_did_not_take_an_event_gets_the_same_one_again_before_any_other() -> None:
    services = listened_to()
    answers(services, 500, Posted(failure="silent"), 202)
    told(services)
    happens(services, PROGRESS)
    assert [subscription(services).state, subscription(services).last_error] == ["failing", "the receiver answered 500"]
    told(services)  # news of the second event: too early
    assert posted(services) == ["accepted"]
    waits(services, 10)
    told(services)
    assert (subscription(services).attempts, subscription(services).last_status) == (2, None)
    waits(services, 20)
    told(services)
    assert posted(services) == ["accepted"] * 3 + ["progress 2"]
    ids = [headers["webhook-id"] for _, _, headers, _ in services.poster.posted]
    assert len(set(ids[:3])) == 1 and len({body for *_, body in services.poster.posted[:3]}) == 1


@pytest.mark.parametrize(("status", "seconds"), [(429, 900), (503, 900), (500, 10), (404, 10)])
def test_retry_after_is_obeyed_where_it_means_something(status: int, seconds: int) -> None:
    services = listened_to()
    answers(services, Posted(status, timedelta(minutes=15)))
    told(services)
    assert subscription(services).next_try_at == services.clock.now() + timedelta(seconds=seconds)
    assert seconds in notices(services)


def test_410_ends_it_for_good() -> None:
    services = listened_to()
    answers(services, 410, 202)
    told(services)
    happens(services, PROGRESS)
    waits(services, 10_000)
    told(services)
    assert posted(services) == ["accepted"]
    assert (subscription(services).state, subscription(services).last_status) == ("ended", 410)


def test_a_redirect_is_a_failure() -> None:
    services = listened_to()
    answers(services, 307)
    told(services)
    assert subscription(services).state is SubscriptionState.FAILING
    assert "redirects are not followed" in subscription(services).last_error


def test_after_a_day_it_is_given_up_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    services = listened_to()
    answers(services, 500)
    for _ in range(60):
        told(services)
        waits(services, 3600 * 1.5)
    assert subscription(services).state is SubscriptionState.GIVEN_UP
    assert 24 > len(posted(services)) > 15
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1 and ID in warned[0].getMessage() and SECRET not in caplog.text


@pytest.mark.parametrize(
    "views",
    [
        [NameView("a", addresses=("10.0.0.5",))],
        [NameView("a", addresses=(ADDRESS,)), NameView("b", addresses=("127.0.0.1",))],
        [NameView("a", addresses=(ADDRESS, "169.254.169.254"))],
        [NameView("a", addresses=("168.63.129.16",))],
        [NameView("a", addresses=("::ffff:10.0.0.5",))],
        [NameView("a", failure="no answer within 3 s")],
        [NameView("a")],
        [NameView("a", targets=(HOST,))],
    ],
    ids=["private", "one server lies", "metadata", "wire server", "mapped", "silent", "nowhere", "loop"],
)
def test_nothing_is_posted_to_a_name_that_leads_inside_or_nowhere(views: list[NameView]) -> None:
    services = listened_to()
    services.dns.answers[HOST] = views
    told(services)
    assert services.poster.posted == []
    assert subscription(services).state is SubscriptionState.FAILING and subscription(services).last_error


def test_a_name_server_that_takes_its_time_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOOK_UP + timedelta(seconds=ALL_SECONDS) < ONE_POST < HOLD, "or two runs could post side by side"
    monkeypatch.setattr("cmg_core.notify.deliver.LOOK_UP", timedelta(milliseconds=20))
    services = listened_to()
    views = services.dns.views

    async def slow(name: str) -> Sequence[NameView]:
        await asyncio.sleep(0.015)
        return [NameView("a", targets=(f"a.{name}",))] if len(name) < 200 else await views(HOST)

    services.dns.views = slow  # type: ignore[method-assign]
    told(services)
    assert services.poster.posted == [] and "in time" in subscription(services).last_error


def test_an_alias_is_followed_and_its_end_is_what_counts() -> None:
    services = listened_to()
    services.dns.answers[HOST] = [NameView("a", targets=("hooks.example.net",))]
    services.dns.answers["hooks.example.net"] = [NameView("a", addresses=("192.168.0.1",))]
    told(services)
    assert services.poster.posted == []
    services.dns.answers["hooks.example.net"] = [NameView("a", addresses=(ADDRESS,))]
    waits(services, 60)
    told(services)
    assert [address for _, address, *_ in services.poster.posted] == [ADDRESS]


def test_two_runs_at_once_do_not_post_side_by_side() -> None:
    services = listened_to()
    for _ in range(3):
        happens(services, PROGRESS)
    inside, at_once = 0, list[int]()

    class Slow:
        async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
            nonlocal inside
            inside += 1
            at_once.append(inside)
            await asyncio.sleep(0)
            inside -= 1
            return await services.poster.post(url, address, headers, body)

    services.callbacks = replace(services.callbacks, poster=Slow())

    async def both() -> None:
        await asyncio.gather(deliver(services, ID), deliver(services, ID), deliver(services, ID))

    asyncio.run(both())
    assert posted(services) == ["accepted", "progress 2", "progress 3", "progress 4"]
    assert set(at_once) == {1}


def test_a_run_that_was_killed_between_post_and_cursor_posts_the_event_again_in_order() -> None:
    services = listened_to()
    happens(services, PROGRESS)

    class Dying:
        async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
            await services.poster.post(url, address, headers, body)
            raise asyncio.CancelledError

    poster = services.callbacks.poster
    services.callbacks = replace(services.callbacks, poster=Dying())
    with pytest.raises(asyncio.CancelledError):
        told(services)
    services.callbacks = replace(services.callbacks, poster=poster)
    told(services)
    assert posted(services) == ["accepted"], "the hold of the dead run still stands"
    waits(services, HOLD.total_seconds())
    asyncio.run(wake_due(services))
    assert notices(services), "the timer finds what the dead run left"
    told(services)
    assert posted(services) == ["accepted", "accepted", "progress 2"]


def test_the_timer_finds_news_whose_message_was_lost_and_leaves_what_rests() -> None:
    services = listened_to()
    told(services)
    services.queues.waiting.clear()
    happens(services, ENDED, status=Status.SUCCEEDED)
    asyncio.run(wake_due(services))
    assert notices(services) == []
    waits(services, QUIET.total_seconds())
    assert asyncio.run(wake_due(services)).listened_to == 1
    told(services)
    assert posted(services) == ["accepted", "ended 2"]
    waits(services, 10 * QUIET.total_seconds())
    assert asyncio.run(wake_due(services)).listened_to == 0


def test_an_address_that_no_key_opens_any_more_is_told_of_and_not_called() -> None:
    services = listened_to()
    services.callbacks = replace(services.callbacks, keys=CallbackKeys((b"n" * 32,)))
    told(services)
    assert services.poster.posted == [] and "sealed by a key" in subscription(services).last_error


def test_a_subscription_whose_deployment_was_never_written_down_goes_after_a_day() -> None:
    services = MemoryServices()
    asyncio.run(listener(services, Wish(CallbackUrl.parse(URL)))(ID))
    told(services)
    assert len(services.subscriptions.peek(ID)) == 1
    waits(services, NEVER_BEGUN.total_seconds())
    told(services)
    assert services.subscriptions.peek(ID) == [] and services.poster.posted == []


def test_what_goes_on_after_the_end_is_told_too() -> None:
    services = listened_to()
    told(services)
    happens(services, ENDED, status=Status.SUCCEEDED)
    told(services)
    stored = services.ledger.peek(ID)
    assert stored is not None and subscription(services).rests
    now, revision = services.clock.now(), stored.record.revision + 1
    save = Save(revision, "release-name", Status.RUNNING, stored.record.state, now, "a test", now)
    event = Event(now, "release-name", "release-name begins", revision)
    asyncio.run(services.ledger.reopen(stored.record, stored.etag, save, [event]))
    told(services)
    assert posted(services)[-1] == "release-name begins" and not subscription(services).rests

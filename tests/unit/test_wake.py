"""wake-due: what is overdue is sent again, what fits nothing is reported, and nothing holds up the rest."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cmg_core.domain.errors import UnreadableRow
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import MESSAGE, SCHEMA, Claim, Happening, Message, Status, Waiting
from cmg_core.ledger.queues import NOTIFY
from cmg_core.notify.subscription import Subscription, SubscriptionState
from cmg_core.services import ActiveRow, Stored
from cmg_core.wake import AT_ONCE, SENDS_WITHOUT_PROGRESS, WITHIN, Came, Tally, wake_due
from local.inprocess.loop import run
from local.inprocess.memory import MemoryLedger
from tests.fakes import NOW
from tests.records import a_record, a_state
from tests.unit.triggers.callers import MemoryServices

PROBLEM = Problem(code="scale-set-failed", title="The scale set failed", detail="d", cure="c")


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


D0, D1, D2 = map(id_of, range(3))


async def begun(services: MemoryServices, count: int) -> None:
    """So many deployments, one minute apart, all overdue; whose turn comes first was changed last."""
    for number in range(count):
        later = timedelta(minutes=number)
        wake_at, changed_at = services.clock.now() + later, services.clock.now() - later
        await services.ledger.create(replace(a_record(id_of(number)), wake_at=wake_at, updated_at=changed_at), [])
    services.clock.pass_by(timedelta(days=1, minutes=1))


async def woken(services: MemoryServices) -> Tally:
    return await wake_due(services)  # type: ignore[arg-type]  # the fakes fit the ports, as attributes they may not vary


def played(story: Callable[[MemoryServices], Awaitable[None]]) -> None:
    async def play() -> None:
        await story(MemoryServices())

    run(play())


def notices(services: MemoryServices) -> list[str]:
    """The deployments whose listeners are to hear what their histories say."""
    return [json.loads(message.body)["deployment_id"] for message in services.queues.waiting if message.step == NOTIFY]


def test_thousands_are_woken_a_few_at_a_time() -> None:
    class Counting(MemoryLedger):
        at_once = most = 0

        async def read(self, deployment_id: str) -> Stored | None:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await asyncio.sleep(0.01)
            self.at_once -= 1
            return await super().read(deployment_id)

    async def story(services: MemoryServices) -> None:
        services.ledger = ledger = Counting()
        await begun(services, 1000)
        tally = await woken(services)
        assert (tally.sent, ledger.most) == (1000, AT_ONCE)
        assert len(services.queues.waiting) == 1000

    played(story)


def test_what_is_not_begun_in_time_is_left_to_the_next_run_and_the_longest_overdue_come_first() -> None:
    class Slow(MemoryLedger):
        async def read(self, deployment_id: str) -> Stored | None:
            await asyncio.sleep(WITHIN.total_seconds() / 2)
            return await super().read(deployment_id)

    async def story(services: MemoryServices) -> None:
        services.ledger = Slow()
        await begun(services, 100)
        tally = await woken(services)
        assert tally.came == {Came.SENT: 2 * AT_ONCE, Came.LEFT: 100 - 2 * AT_ONCE}
        first = {f'"{id_of(number)}"' for number in range(2 * AT_ONCE)}
        assert {next(id for id in first if id in message.body) for message in services.queues.waiting} == first
        assert (await woken(services)).sent == 2 * AT_ONCE

    played(story)


def test_a_claim_that_may_be_live_by_its_holders_clock_is_left_alone() -> None:
    async def story(services: MemoryServices) -> None:
        await begun(services, 1)
        stored = services.ledger.peek(D0)
        assert stored is not None
        until = services.clock.now() - timedelta(minutes=4)
        await services.ledger.claim(D0, stored.etag, Claim("i", "m", until))
        assert (await woken(services)).came == {Came.NOT_DUE: 1}
        services.clock.pass_by(timedelta(minutes=1))
        assert (await woken(services)).sent == 1

    played(story)


def test_what_needs_attention_is_named_once_a_day_and_never_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def story(services: MemoryServices) -> None:
        record = replace(a_record(D0, a_state(problem=PROBLEM)), status=Status.NEEDS_ATTENTION, wake_at=None)
        await services.ledger.create(record, [])
        for _ in range(3 * 24 * 60):
            await woken(services)
            services.clock.pass_by(timedelta(minutes=1))
        assert services.queues.waiting == []
        named = [line for line in caplog.records if line.levelno == logging.WARNING and PROBLEM.title in line.message]
        assert len(named) == 3 and {vars(line)["deployment_id"] for line in named} == {D0}

    played(story)


def test_a_grace_period_that_ends_within_a_day_is_named_each_hour(caplog: pytest.LogCaptureFixture) -> None:
    async def story(services: MemoryServices) -> None:
        ends_at = services.clock.now() + timedelta(days=2)
        looks_earlier = a_state(grace_ends_at=ends_at + timedelta(days=28))  # to count the old gateway's connections
        for name, status, state in (
            (D0, Status.GRACE, a_state(grace_ends_at=ends_at)),
            (D1, Status.RUNNING, a_state(grace_ends_at=ends_at)),
            ("d2", Status.GRACE, looks_earlier),
        ):
            await services.ledger.create(replace(a_record(name, state), status=status, wake_at=ends_at), [])
        for _ in range(2 * 24 * 60 + 1):  # at its very end it is too late to extend it
            await woken(services)
            services.clock.pass_by(timedelta(minutes=1))
        named = [line for line in caplog.records if "grace period ends" in line.message]
        assert len(named) == 24 and {vars(line)["deployment_id"] for line in named} == {D0}

    played(story)


def test_rows_without_record_and_records_without_row_are_reported_each_hour(caplog: pytest.LogCaptureFixture) -> None:
    class ByHand(MemoryLedger):
        def lose(self, record: str, row: str) -> None:
            del self._records[record], self._active[row]

    async def story(services: MemoryServices) -> None:
        services.ledger = ledger = ByHand()
        await begun(services, 3)
        ledger.lose(record=D0, row=D1)
        for _ in range(60):
            tally = await woken(services)
            assert tally.came[Came.WITHOUT_RECORD] == 1
            services.clock.pass_by(timedelta(minutes=1))
        told = [vars(line)["deployment_id"] for line in caplog.records if line.levelno >= logging.WARNING]
        assert sorted(told) == [D0, D1]
        assert {message.step for message in services.queues.waiting} == {"preflight"}

    played(story)


def test_a_newer_releases_deployment_is_left_alone_without_a_read(caplog: pytest.LogCaptureFixture) -> None:
    class Newer(MemoryLedger):
        async def active(self) -> Sequence[ActiveRow]:
            return [replace(row, schema=SCHEMA + 1) for row in await super().active()]

    async def story(services: MemoryServices) -> None:
        services.ledger = Newer()
        await begun(services, 1)
        before = services.ledger.peek(D0)
        for _ in range(60):
            assert (await woken(services)).came == {Came.NEWER: 1}
            services.clock.pass_by(timedelta(minutes=1))
        assert services.ledger.peek(D0) == before and services.queues.waiting == []
        assert not [call for call in services.ledger.tape.calls if call.name == "read"]
        assert len([line for line in caplog.records if "newer release" in line.message]) == 1

    played(story)


def test_the_message_of_a_deployment_carries_its_state() -> None:
    async def story(services: MemoryServices) -> None:
        await begun(services, 1)
        await woken(services)
        [message] = services.queues.waiting
        stored = services.ledger.peek(D0)
        assert stored is not None
        sent = MESSAGE.validate_json(message.body)
        assert replace(sent, seal="") == Message(D0, "preflight", 1, stored.etag, stored.record.state)

    played(story)


@pytest.mark.parametrize("sends", [SENDS_WITHOUT_PROGRESS - 1, SENDS_WITHOUT_PROGRESS])
def test_after_five_sends_without_progress_a_person_is_called_who_is_told_why(sends: int) -> None:
    """architecture, invariant 2: it needs attention, with the reason, and can be resumed."""

    async def story(services: MemoryServices) -> None:
        waiting = Waiting("for the world", services.clock.now(), services.clock.now())
        record = replace(a_record(D0, a_state(waiting=waiting)), wake_at=services.clock.now(), sends=sends)
        await services.ledger.create(replace(record, subscribed=True), [])
        tally = await woken(services)
        stored = services.ledger.peek(D0)
        assert stored is not None
        if sends < SENDS_WITHOUT_PROGRESS:
            assert tally.sent == 1 and stored.record.state == record.state
            assert (stored.record.revision, stored.record.sends) == (1, sends + 1)
            [message] = services.queues.waiting
            assert MESSAGE.validate_json(message.body).subscribed
            return
        called, now = stored.record, services.clock.now()
        assert tally.came == {Came.CALLED_FOR_ATTENTION: 1} and notices(services) == [D0]
        assert len(services.queues.waiting) == 1, "nothing is sent to the step any more"
        assert (called.status, called.revision, called.step) == (Status.NEEDS_ATTENTION, 2, "preflight")
        assert called.state.waiting is None and called.wake_at is None and called.saved_by.startswith("wake-due:")
        problem = called.state.problem
        assert problem is not None and (problem.code, problem.step, problem.at) == ("no-progress", "preflight", now)
        [event] = services.ledger.history(D0)
        assert (event.at, event.step, event.text, event.revision) == (now, "preflight", problem.title, 2)
        assert event.kind is Happening.NEEDS_ATTENTION

    played(story)


def test_what_is_due_this_very_second_is_woken_and_what_has_no_moment_is_not() -> None:
    async def story(services: MemoryServices) -> None:
        now = services.clock.now()
        for id, wake_at in ((D0, now), (D1, now + timedelta(seconds=1)), (D2, None)):
            await services.ledger.create(replace(a_record(id), wake_at=wake_at), [])
        assert (await woken(services)).came == {Came.SENT: 1}
        [message] = services.queues.waiting
        assert MESSAGE.validate_json(message.body).deployment_id == D0

    played(story)


def test_a_row_that_is_behind_its_record_wakes_nothing_too_early() -> None:
    class Behind(MemoryLedger):
        async def active(self) -> Sequence[ActiveRow]:
            long_ago = a_record(D0).created_at - timedelta(days=1)
            return [replace(row, wake_at=long_ago) for row in await super().active()]

    async def story(services: MemoryServices) -> None:
        services.ledger = Behind()
        now = services.clock.now()
        problem = replace(a_record(D1, a_state(problem=PROBLEM)), status=Status.NEEDS_ATTENTION)
        await services.ledger.create(replace(a_record(D0), wake_at=None), [])
        await services.ledger.create(replace(problem, wake_at=now + timedelta(hours=1)), [])
        assert (await woken(services)).came == {Came.NOT_DUE: 2}
        assert services.queues.waiting == []

    played(story)


def test_a_reminder_is_due_to_the_second_and_carries_the_problems_code(caplog: pytest.LogCaptureFixture) -> None:
    async def story(services: MemoryServices) -> None:
        now = services.clock.now()
        for id, state in ((D0, a_state(problem=PROBLEM)), (D1, a_state())):
            await services.ledger.create(replace(a_record(id, state), status=Status.NEEDS_ATTENTION, wake_at=now), [])
        assert (await woken(services)).came == {Came.REMINDED: 2}
        codes = {vars(line)["deployment_id"]: vars(line)["code"] for line in caplog.records}
        assert codes == {D0: "scale-set-failed", D1: ""}

    played(story)


def test_a_tally_is_told_in_words() -> None:
    assert str(Tally(Counter({Came.SENT: 2, Came.NOT_DUE: 1}))) == f"1 {Came.NOT_DUE}, 2 {Came.SENT}"
    assert str(Tally(Counter(), (D0,))) == "1 records without a row"
    assert str(Tally(Counter(), (D0,), 3)) == "3 listened to, 1 records without a row"


def test_rows_that_no_release_can_read_are_named_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryLedger):
        async def read(self, deployment_id: str) -> Stored | None:
            raise UnreadableRow("deployment d0", ["state"])

    async def story(services: MemoryServices) -> None:
        services.ledger = Broken()
        await begun(services, 1)
        for _ in range(60):
            assert (await woken(services)).came == {Came.UNREADABLE: 1}
            services.clock.pass_by(timedelta(minutes=1))
        [line] = [line for line in caplog.records if line.levelno >= logging.WARNING]
        assert "cannot be read (state)" in line.message and vars(line)["deployment_id"] == D0

    played(story)


def test_what_is_reported_is_given_back_as_well() -> None:
    class ByHand(MemoryLedger):
        async def unlisted(self) -> Sequence[str]:
            return ("d7",)

    async def story(services: MemoryServices) -> None:
        services.ledger = ByHand()
        services.clock.at = services.clock.at.replace(minute=0)
        assert (await woken(services)).unlisted == ("d7",)

    played(story)


def a_subscription(deployment_id: str, next_try_at: datetime | None, **changes: object) -> Subscription:
    base = Subscription(
        f"listener-of-{deployment_id}",
        deployment_id,
        "sealed",
        "https://itsm.contoso.example",
        (),
        "ann@contoso.com",
        NOW,
    )
    return replace(base, next_try_at=next_try_at, **changes)  # type: ignore[arg-type]  # each test knows its keys


def test_listeners_who_should_have_heard_something_are_looked_at_each_deployment_once() -> None:
    async def story(services: MemoryServices) -> None:
        now = services.clock.now()
        for subscription in (
            a_subscription("now", now),
            a_subscription("late", now - timedelta(hours=1)),
            a_subscription("late", now - timedelta(hours=2), id="another-listener"),
            a_subscription("unplanned", None),
            a_subscription("soon", now + timedelta(seconds=1)),
            a_subscription("over", now, state=SubscriptionState.ENDED),
        ):
            await services.subscriptions.add(subscription)
        tally = await woken(services)
        assert sorted(notices(services)) == ["late", "now", "unplanned"] and tally.listened_to == 3

    played(story)


def test_where_no_callback_keys_are_set_nobody_is_looked_for() -> None:
    async def story(services: MemoryServices) -> None:
        services.callbacks = replace(services.callbacks, keys=None)
        await services.subscriptions.add(a_subscription("late", services.clock.now()))
        assert (await woken(services)).listened_to == 0 and services.queues.waiting == []

    played(story)

"""A deployment with somebody who listens, over ports in memory."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from cmg_core.domain.record import Event, Happening, Status
from cmg_core.notify.addresses import CallbackUrl
from cmg_core.notify.deliver import deliver
from cmg_core.notify.ports import Posted
from cmg_core.notify.subscribe import Wish, listener
from cmg_core.notify.subscription import Subscription
from cmg_core.services import NameView, Save
from tests.fakes import NOW
from tests.records import a_record
from tests.unit.triggers.callers import MemoryServices

ID = "33333333-3333-3333-3333-333333333333"
HOST, ADDRESS = "hooks.contoso.com", "20.150.10.20"
SECRET = "W4v3c0nt0s0"
URL = f"https://{HOST}/cmg/CHG1?sig={SECRET}"


def listened_to(*types: Happening, url: str = URL) -> MemoryServices:
    """Services with an accepted deployment whose events somebody wants."""
    services = MemoryServices()
    services.dns.answers[HOST] = [NameView("192.0.2.53", addresses=(ADDRESS,))]
    wish = Wish(CallbackUrl.parse(url), types, "ann")
    accepted = Event(NOW, "preflight", "accepted", 1, status=Status.RUNNING)

    async def begin() -> None:
        await listener(services, wish)(ID)
        await services.ledger.create(replace(a_record(ID), subscribed=True), [accepted])

    asyncio.run(begin())
    return services


def happens(services: MemoryServices, *kinds: Happening, status: Status = Status.RUNNING) -> None:
    """Let one save tell of these."""
    stored = services.ledger.peek(ID)
    assert stored is not None
    now, revision = services.clock.now(), stored.record.revision + 1
    events = [Event(now, "cut-over", f"{kind} {revision}", revision, kind=kind, status=status) for kind in kinds]
    save = Save(revision, "cut-over", status, stored.record.state, now, "a test", now)
    asyncio.run(services.ledger.save(ID, stored.etag, save, events))


def told(services: MemoryServices) -> None:
    """One message in queue cmg-notify."""
    asyncio.run(deliver(services, ID, lambda: 0.5))


def subscription(services: MemoryServices) -> Subscription:
    (stored,) = services.subscriptions.peek(ID)
    return stored.subscription


def posted(services: MemoryServices) -> list[str]:
    """The texts of all events that were posted, again and again where they were."""
    return [json.loads(body)["data"]["text"] for *_, body in services.poster.posted]


def answers(services: MemoryServices, *given: Posted | int) -> None:
    """What the receiver answers from now on; the last one ever after."""
    services.poster.answers = [each if isinstance(each, Posted) else Posted(each) for each in given]


def waits(services: MemoryServices, seconds: float) -> None:
    services.clock.pass_by(timedelta(seconds=seconds))


def notices(services: MemoryServices) -> Sequence[float]:
    """In how many seconds each message in queue cmg-notify shows."""
    waiting = [each for each in services.queues.waiting if each.step == "notify"]
    return [(each.visible_at - services.clock.now()).total_seconds() for each in waiting]

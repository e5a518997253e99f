"""What callers may ask for: to listen, to see how delivery stands, to stop listening, to have events posted anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cmg_core.calls import TRIES, Leave, Listener, find
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.findings import blocks
from cmg_core.domain.problems import Finding, Problem
from cmg_core.domain.record import Event, Happening, Record, Status
from cmg_core.domain.validation import InvalidRequest
from cmg_core.engine import tell_listeners
from cmg_core.notify.addresses import CallbackUrl, NotAllowed
from cmg_core.notify.keys import CallbackKeys, NotSealedHere
from cmg_core.notify.ports import Callbacks, StoredSubscription
from cmg_core.notify.subscription import NOTHING, Subscription, before, numbered
from cmg_core.refusals import CallRefused
from cmg_core.services import LedgerConflict, Services

MOST_LISTENERS = 10
"""Of one deployment."""
STANDING = (Happening.GATE_WAITING, Happening.NEEDS_ATTENTION, Happening.ENDED)
"""Kinds of events that say where a deployment stands, until something else happens."""


@dataclass(frozen=True)
class Wish:
    """Who wants to listen, where, and to what; no types mean all."""

    url: CallbackUrl
    types: tuple[Happening, ...] = ()
    by: str = ""


def read_url(callbacks: Callbacks, text: str, pointer: str = "/callback_url") -> CallbackUrl | Finding:
    """The address that a caller gives, or why it cannot be called. Nothing of its path or query is repeated."""
    if callbacks.keys is None:
        return blocks(
            "callbacks-not-set-up",
            "This app cannot post events: the setting CMG_CALLBACK_KEYS is not set.",
            "Have the setting made (docs/webhooks.md), or leave `callback_url` out and poll the operation.",
            pointer=pointer,
        )
    try:
        return CallbackUrl.parse(text, callbacks.hosts)
    except NotAllowed as reason:
        return blocks(
            "bad-callback-url",
            f"`callback_url` cannot be called. {reason}",
            "Give an «https://» address with the full public name of a host, on port 443 unless the setting "
            "CMG_CALLBACK_HOSTS names another one, without a user's name and without a fragment.",
            pointer=pointer,
        )


def listener(services: Services, wish: Wish) -> Listener:
    """Subscribes to all events of a deployment that is about to begin."""

    async def listen(deployment_id: str) -> Leave:
        made = _new(services, _keys(services), deployment_id, wish, NOTHING)
        try:
            await services.callbacks.subscriptions.add(made)
        except LedgerConflict:
            return _stay  # the same request, sent again
        return partial(services.callbacks.subscriptions.remove, made)

    return listen


async def _stay() -> None:
    """Nothing to take back: somebody else subscribed."""


async def subscribe(services: Services, deployment_id: str, wish: Wish) -> Subscription:
    """Listen to a deployment that is under way or has ended, from now on: what it waits for at this moment, or that it
    has ended, is told as well. The same address twice is one subscription: the later call counts where the first one
    rests, or wants something else.

    Raises CallRefused: 404 without such a deployment, 409 where too many listen.
    """
    record, keys = (await find(services, deployment_id)).record, _keys(services)
    known = [each.subscription for each in await services.callbacks.subscriptions.of(deployment_id)]
    same = _same(keys, known, wish)
    if same is not None and not same.rests and same.types == wish.types:
        return same
    if same is not None:
        await services.callbacks.subscriptions.remove(same)
    elif len(known) >= MOST_LISTENERS:
        raise CallRefused(
            Problem(
                code="too-many-subscriptions",
                title="This deployment has too many subscriptions",
                detail=f"It has {len(known)}; {MOST_LISTENERS} are the most.",
                cure="Delete one that nobody needs: GET …/subscriptions lists them.",
                status=409,
            )
        )
    if not record.subscribed:
        await services.ledger.note_subscribed(deployment_id)
    cursor = _begins_at(record, await services.ledger.events(deployment_id))
    made = _new(services, keys, deployment_id, wish, cursor)
    try:
        await services.callbacks.subscriptions.add(made)
    except LedgerConflict:
        return (await _find(services, deployment_id, made.id)).subscription
    await tell_listeners(services, deployment_id, subscribed=True)
    return made


async def listed(services: Services, deployment_id: str) -> Sequence[Subscription]:
    """Who listens, the first one first. Raises CallRefused (404) without such a deployment."""
    await find(services, deployment_id)
    stored = await services.callbacks.subscriptions.of(deployment_id)
    return sorted((each.subscription for each in stored), key=lambda each: (each.created_at, each.id))


async def unsubscribe(services: Services, deployment_id: str, subscription_id: str) -> None:
    """Stop listening; nothing happens where nobody does. Raises CallRefused (404) without such a deployment."""
    await find(services, deployment_id)
    for each in await services.callbacks.subscriptions.of(deployment_id):
        if each.subscription.id == subscription_id:
            await services.callbacks.subscriptions.remove(each.subscription)


async def unsubscribe_address(services: Services, deployment_id: str, url: CallbackUrl) -> None:
    """The same by the address alone: all that a workflow knows of its subscription without reading our answer."""
    await find(services, deployment_id)
    known = [each.subscription for each in await services.callbacks.subscriptions.of(deployment_id)]
    if (same := _same(_keys(services), known, Wish(url))) is not None:
        await services.callbacks.subscriptions.remove(same)


async def redeliver(services: Services, deployment_id: str, subscription_id: str, sequence: str = "") -> Subscription:
    """Post anew from an event on; without one from where delivery stands, also where it was given up.

    Raises CallRefused: 404 without such a subscription, 409 where others change it.
    """
    for _ in range(TRIES):
        stored = await _find(services, deployment_id, subscription_id)
        cursor = stored.subscription.cursor
        if sequence:
            cursor = min(before(sequence), cursor)  # what was not posted yet comes all the same, and is not skipped
        changed = stored.subscription.again_from(cursor, services.clock.now())
        try:
            await services.callbacks.subscriptions.save(stored, changed)
        except LedgerConflict:
            continue
        await tell_listeners(services, deployment_id, subscribed=True)
        return changed
    raise TryAgain("the subscription changes faster than it can be written")


async def _find(services: Services, deployment_id: str, subscription_id: str) -> StoredSubscription:
    for each in await services.callbacks.subscriptions.of(deployment_id):
        if each.subscription.id == subscription_id:
            return each
    raise CallRefused(
        Problem(
            code="no-such-subscription",
            title="There is no such subscription",
            detail="The deployment has no subscription of this ID.",
            cure="GET …/subscriptions lists those that there are.",
            status=404,
        )
    )


def _keys(services: Services) -> CallbackKeys:
    """Raises InvalidRequest where there are none: the address was not even looked at."""
    if services.callbacks.keys is None:
        found = read_url(services.callbacks, "")
        assert isinstance(found, Finding)
        raise InvalidRequest([found])
    return services.callbacks.keys


def _new(services: Services, keys: CallbackKeys, deployment_id: str, wish: Wish, cursor: str) -> Subscription:
    now: datetime = services.clock.now()
    return Subscription(
        id=keys.subscription_id(deployment_id, wish.url.secret),
        deployment_id=deployment_id,
        sealed=keys.seal(wish.url.secret),
        shown=wish.url.shown,
        types=wish.types,
        by=wish.by,
        created_at=now,
        cursor=cursor,
        next_try_at=now,
    )


def _same(keys: CallbackKeys, known: Sequence[Subscription], wish: Wish) -> Subscription | None:
    """The subscription that has this address already, under whichever key."""
    for subscription in known:
        try:
            if keys.unseal(subscription.sealed) == wish.url.secret:
                return subscription
        except NotSealedHere:
            continue
    return None


def _begins_at(record: Record, events: Sequence[Event]) -> str:
    """The cursor of one who listens from now on: past everything but what the deployment stands at."""
    sequences = numbered(events)
    last = next(((sequence, event) for sequence, event in reversed(sequences) if event.kind in STANDING), None)
    if last is not None and _still_stands(record, last[1]):
        return before(last[0])
    return sequences[-1][0] if sequences else NOTHING


def _still_stands(record: Record, event: Event) -> bool:
    match event.kind:
        case Happening.ENDED:
            return record.status.is_end
        case Happening.NEEDS_ATTENTION:
            return record.status is Status.NEEDS_ATTENTION
        case _:
            waiting = record.state.waiting
            return waiting is not None and waiting.gate == event.gate

"""Webhooks: calls that subscribe to a deployment's events, and the function that posts them."""

import logging
from collections.abc import Awaitable, Callable

import azure.functions as func
from pydantic import BaseModel, ValidationError

from cmg_core.answers import SubscriptionAnswer, SubscriptionsAnswer
from cmg_core.domain.errors import NewerSchema, TryAgain, UnreadableMessage, UnreadableRow
from cmg_core.domain.findings import blocks
from cmg_core.domain.problems import Finding
from cmg_core.domain.record import DeploymentId, Happening
from cmg_core.domain.requests import Request
from cmg_core.domain.validation import InvalidRequest, Kind, read_request
from cmg_core.domain.values import GUID, Json
from cmg_core.ledger.queues import NOTIFY
from cmg_core.notify import subscribe as asked
from cmg_core.notify.addresses import LONGEST_URL
from cmg_core.notify.cloud_events import TYPE_PREFIX, TYPES
from cmg_core.notify.deliver import deliver
from cmg_core.notify.ports import Callbacks
from cmg_core.notify.subscribe import Wish, read_url
from cmg_core.notify.subscription import Subscription
from cmg_core.services import Services
from cmg_core.triggers.answering import Call, answer
from cmg_core.triggers.bodies import AN_ADDRESS, RedeliverCall, SubscribeCall, read_json, wrong_at
from cmg_core.triggers.poison import tell_last_try, tell_poison

log = logging.getLogger("cmg.notify")

CALLBACK_URL = "callback_url"


class NotifyFailed(Exception):
    """Posting ended by an error that the product does not know. The log has it, this text has nothing of it."""


# --- Calls -----------------------------------------------------------------------------------------------------------


async def subscribe(call: Call) -> func.HttpResponse:
    """Listen to a deployment's events: 201, ``Location`` is what to DELETE when nobody listens any more."""
    deployment_id, services = call.deployment_id, call.services()
    body = read_json(call.request.get_body(), AN_ADDRESS)
    made = await asked.subscribe(services, deployment_id, _wish(body, services.callbacks))
    place = f"{call.base}/api/deployments/{deployment_id}/subscriptions/{made.id}"
    return answer(subscription_view(made), 201, {"Location": place})


async def list_subscriptions(call: Call) -> func.HttpResponse:
    """Who listens, and how delivery stands."""
    found = await asked.listed(call.services(), call.deployment_id)
    return answer(SubscriptionsAnswer(subscriptions=tuple(map(subscription_view, found))))


async def unsubscribe(call: Call) -> func.HttpResponse:
    """Stop listening: 204, also where nobody did."""
    await asked.unsubscribe(call.services(), call.deployment_id, _subscription_id(call))
    return func.HttpResponse(status_code=204)


async def unsubscribe_address(call: Call) -> func.HttpResponse:
    """The same for one who knows the address only: a Logic App's action has no other word for its subscription."""
    deployment_id, services = call.deployment_id, call.services()
    body = read_json(call.request.get_body(), AN_ADDRESS)
    await asked.unsubscribe_address(services, deployment_id, _wish(body, services.callbacks).url)
    return func.HttpResponse(status_code=204)


async def redeliver(call: Call) -> func.HttpResponse:
    """Post anew, from an event on or from where delivery stands."""
    raw = call.request.get_body()
    body = _read(read_json(raw) if raw.strip() else {}, RedeliverCall)
    sequence = (body.sequence or "").rpartition("-")[2]
    changed = await asked.redeliver(call.services(), call.deployment_id, _subscription_id(call), sequence)
    return answer(subscription_view(changed))


def subscription_view(subscription: Subscription) -> SubscriptionAnswer:
    """A subscription as callers see it: of the address only scheme and host."""
    return SubscriptionAnswer(
        id=subscription.id,
        deployment=f"/api/deployments/{subscription.deployment_id}",
        callback_host=subscription.shown,
        types=tuple(f"{TYPE_PREFIX}{kind}" for kind in subscription.types),
        by=subscription.by,
        state=subscription.state,
        cursor=subscription.cursor or None,
        attempts=subscription.attempts,
        created_at=subscription.created_at,
        failing_since=subscription.failing_since,
        next_try_at=subscription.next_try_at,
        last_delivery_at=subscription.last_delivery_at,
        last_status=subscription.last_status,
        last_error=subscription.last_error or None,
    )


# --- Bodies ----------------------------------------------------------------------------------------------------------


_CURES = {
    CALLBACK_URL: f"Give the address to post to, a text of at most {LONGEST_URL} characters.",
    "types": f"Give a list of types, or leave it out for all: {', '.join(f'`{each}`' for each in TYPES)}.",
    "by": "Give who asks for it, a text of at most 1024 characters, or leave it out.",
    "sequence": "Give the `sequence` or the `id` of the event to begin with, or leave it out.",
}


def _read[Body: BaseModel](body: Json, kind: type[Body]) -> Body:
    """A call's body. Raises InvalidRequest with a finding for each mistake; no value is repeated."""
    if not isinstance(body, dict):
        raise InvalidRequest([blocks("not-an-object", "The body is no JSON object.", "Send a JSON object.")])
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        places = dict.fromkeys((str(one["loc"][0]), one["type"]) for one in error.errors(include_input=False))
        raise InvalidRequest([_finding(key, mistake, tuple(kind.model_fields)) for key, mistake in places]) from None


def _finding(key: str, mistake: str, known: tuple[str, ...]) -> Finding:
    if key not in known:
        cure = f"Leave it out. Known here: {', '.join(f'`{each}`' for each in known)}."
        return blocks("unknown-key", "The body has a key that this call does not know.", cure)
    return wrong_at(key, mistake, _CURES[key], f"/{key}")


def _wish(body: Json, callbacks: Callbacks) -> Wish:
    read = _read(body, SubscribeCall)
    url = read_url(callbacks, read.callback_url)
    if isinstance(url, Finding):
        raise InvalidRequest([url])
    wanted = {Happening(each.removeprefix(TYPE_PREFIX)) for each in read.types}
    return Wish(url, tuple(kind for kind in Happening if kind in wanted), read.by)


def read_with_callback(body: Json, kind: Kind, callbacks: Callbacks) -> tuple[Request, Wish | None]:
    """A request and who listens to it. The address, which is a secret, is taken out before anything else sees it.

    Raises InvalidRequest with every mistake of both.
    """
    if not isinstance(body, dict) or CALLBACK_URL not in body:
        return read_request(body, kind), None
    findings, url = list[Finding](), None
    match body[CALLBACK_URL]:
        case None:
            pass
        case str() as text:
            found = read_url(callbacks, text)
            url = None if isinstance(found, Finding) else found
            findings += [found] if isinstance(found, Finding) else []
        case _:
            findings.append(wrong_at(CALLBACK_URL, "", _CURES[CALLBACK_URL], f"/{CALLBACK_URL}"))
    try:
        request = read_request({key: value for key, value in body.items() if key != CALLBACK_URL}, kind)
    except InvalidRequest as error:
        raise InvalidRequest([*findings, *error.findings]) from None
    if findings:
        raise InvalidRequest(findings)
    return request, Wish(url) if url else None


def _subscription_id(call: Call) -> str:
    given: str = call.request.route_params.get("subscription", "").lower()
    return given if GUID.fullmatch(given) else ""


# --- The queue -------------------------------------------------------------------------------------------------------


class _Notice(BaseModel):
    deployment_id: DeploymentId


def notifying(services: Callable[[], Services]) -> Callable[[func.QueueMessage], Awaitable[None]]:
    """The function that the Functions host calls for each message that a deployment has news."""

    async def notify(message: func.QueueMessage) -> None:
        await run_notify(services, message)

    return notify


async def run_notify(services: Callable[[], Services], message: func.QueueMessage) -> None:
    """Post what is new. What cannot be read, or is given up, is told to the log, and looked at again by ``wake-due``.

    Raises UnreadableMessage for what is no such message, TryAgain where storage does not answer, NotifyFailed for
    anything else.
    """
    try:
        deployment_id = _Notice.model_validate_json(message.get_body()).deployment_id
    except ValidationError:
        reason = "queue cmg-notify holds a message that is none"
        tell_poison(log, NOTIFY, reason, {})
        raise UnreadableMessage(reason) from None
    told = {"deployment_id": deployment_id}
    try:
        await deliver(services(), deployment_id)
    except TryAgain as reason:
        log.warning("the listeners of deployment %s are told later: %s", deployment_id, reason, extra=told)
        tell_last_try(log, NOTIFY, message, reason, told)
        raise
    except (NewerSchema, UnreadableRow) as reason:
        log.error("the listeners of deployment %s are not told: %s", deployment_id, reason, extra=told)
    except Exception:
        log.exception("step notify of deployment %s met an unknown error", deployment_id, extra=told)
        tell_last_try(log, NOTIFY, message, "see the error", told)
        raise NotifyFailed(f"posting for deployment {deployment_id} met an unknown error: see the log") from None

"""The calls of the webhook pattern, and that the callback's address is a secret everywhere."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import replace

import azure.functions as func
import pytest

from cmg_core.domain.errors import TooLarge, TryAgain, UnreadableMessage
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.record import Event, Happening, Record, Status, Waiting
from cmg_core.domain.values import JsonObject
from cmg_core.notify.addresses import HostPattern
from cmg_core.notify.ports import Posted
from cmg_core.services import LedgerConflict, NameView, Save
from cmg_core.triggers.callbacks import NotifyFailed, run_notify
from tests.fakes import migration
from tests.unit.triggers.callers import Answer, MemoryServices, call

SECRET = "W4v3c0nt0s0"
HOST, ADDRESS = "prod-42.westeurope.logic.azure.com", "20.150.10.20"
URL = f"https://{HOST}:443/workflows/{SECRET}-path/run?api-version=2016-10-01&sig={SECRET}"
BODY: JsonObject = migration().model_dump(mode="json", by_alias=True, exclude={"kind"}, exclude_none=True)
WITH_CALLBACK = BODY | {"callback_url": URL}
ENDED_TYPE = "cmg.deployment.ended"


def reachable() -> MemoryServices:
    services = MemoryServices()
    services.dns.answers[HOST] = [NameView("a", addresses=(ADDRESS,))]
    return services


def started(services: MemoryServices, body: JsonObject = WITH_CALLBACK, key: str = "CHG1") -> str:
    answer = call(services, "start-migration", body, headers={"Idempotency-Key": key})
    assert answer.status == 202, answer.text
    return str(answer.body["id"])


def subscribed(services: MemoryServices, id: str, **body: object) -> Answer:
    return call(services, "subscribe", {"callback_url": URL, **body}, path={"id": id})


def listed(services: MemoryServices, id: str) -> list[JsonObject]:
    found = call(services, "list-subscriptions", path={"id": id}, raw=b"").body["subscriptions"]
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, dict)]


def notified(services: MemoryServices) -> None:
    """Work off queue cmg-notify as the host does."""
    for message in [each for each in services.queues.waiting if each.step == "notify"]:
        services.queues.waiting.remove(message)
        asyncio.run(run_notify(lambda: services, func.QueueMessage(body=message.body.encode())))


def types(services: MemoryServices) -> list[str]:
    return [json.loads(body)["type"] for *_, body in services.poster.posted]


def saved(services: MemoryServices, id: str, status: Status, *kinds: Happening, gate: GateName | None = None) -> None:
    stored = services.ledger.peek(id)
    assert stored is not None
    now, revision = services.clock.now(), stored.record.revision + 1
    waiting = Waiting("waits", now, now, gate) if gate else None
    gates = (Gate(gate, Opener.PERSON, "Say so.", asked_at=now),) if gate else ()
    save = Save(
        revision, "cut-over", status, replace(stored.record.state, waiting=waiting, gates=gates), now, "a test", now
    )
    events = [Event(now, "cut-over", kind, revision, kind=kind, status=status, gate=gate) for kind in kinds]
    asyncio.run(services.ledger.save(id, stored.etag, save, events))


def findings(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status == 422, answer.text
    found = answer.body["findings"]
    assert isinstance(found, list)
    return [(str(each["code"]), str(each.get("pointer", ""))) for each in found if isinstance(each, dict)]


# --- callback_url in a request ---------------------------------------------------------------------------------------


def test_whoever_gives_a_callback_url_hears_everything_from_the_first_event_on() -> None:
    services = reachable()
    id = started(services)
    notified(services)
    assert types(services) == ["cmg.deployment.progress"]
    url, address, _, body = services.poster.posted[0]
    assert (url, address) == (URL.replace(":443", ""), ADDRESS)
    event = json.loads(body)
    assert (event["source"], event["data"]["text"]) == (f"/api/deployments/{id}", "accepted")


def test_the_address_is_nowhere_but_sealed_in_the_subscription(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    services = reachable()
    services.poster.answers = [Posted(500)]
    id = started(services)
    notified(services)
    told = [
        *(call(services, route, path={"id": id}, raw=b"").text for route in ("show-deployment", "show-events")),
        json.dumps(listed(services, id)),
        *(message.body for message in services.queues.waiting),
        repr(services.ledger.peek(id)),
        str(services.ledger.history(id)),
        repr(services.subscriptions.peek(id)),
        *(body.decode() for *_, body in services.poster.posted),
        caplog.text,
    ]
    assert [text for text in told if SECRET in text] == []
    assert listed(services, id)[0]["callback_host"] == f"https://{HOST}"


def test_the_same_request_again_subscribes_nobody_else_and_another_address_is_another_body() -> None:
    services = reachable()
    id = started(services)
    assert started(services) == id and len(listed(services, id)) == 1
    other = call(
        services, "start-migration", WITH_CALLBACK | {"callback_url": URL + "2"}, headers={"Idempotency-Key": "CHG1"}
    )
    assert (other.status, other.body["type"]) == (422, "/api/problems/idempotency-key-reused")


def test_who_is_refused_does_not_listen() -> None:
    services = reachable()
    create = services.ledger.create

    async def outrun(record: Record, events: Sequence[Event]) -> str:
        await create(replace(record, body_hash="of another body"), events)
        raise LedgerConflict("the deployment exists")

    services.ledger.create = outrun  # type: ignore[method-assign]
    refused = call(services, "start-migration", WITH_CALLBACK, headers={"Idempotency-Key": "CHG1"})
    assert (refused.status, refused.body["type"]) == (422, "/api/problems/idempotency-key-reused")

    assert asyncio.run(services.subscriptions.live()) == []


def test_nobody_listens_to_a_request_that_does_not_fit_into_the_ledger() -> None:
    services = reachable()

    async def too_large(record: Record, events: Sequence[Event]) -> str:
        raise TooLarge("the deployment's state is too large")

    services.ledger.create = too_large  # type: ignore[method-assign]
    assert call(services, "start-migration", WITH_CALLBACK).status == 413
    assert asyncio.run(services.subscriptions.live()) == []


def test_nobody_listens_where_nobody_asked() -> None:
    for body in (BODY, BODY | {"callback_url": None}):
        services = reachable()
        id = started(services, body)
        assert listed(services, id) == []
        assert [message.step for message in services.queues.waiting] == ["preflight"]


@pytest.mark.parametrize("route", ["make-plan", "start-migration"])
def test_without_keys_a_callback_url_is_refused_beside_every_other_mistake(route: str) -> None:
    services = reachable()
    services.callbacks = replace(services.callbacks, keys=None)
    answer = call(services, route, WITH_CALLBACK | {"region": "Not A Region"})
    assert findings(answer) == [("callbacks-not-set-up", "/callback_url"), ("bad-value", "/region")]
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "given", [URL.replace("https", "http"), f"https://10.0.0.5/{SECRET}", f"https://u:{SECRET}@contoso.com/", ""]
)
@pytest.mark.parametrize("route", ["make-plan", "start-migration"])
def test_an_address_that_cannot_be_called_is_a_finding_that_does_not_repeat_it(route: str, given: str) -> None:
    answer = call(reachable(), route, BODY | {"callback_url": given})
    assert findings(answer) == [("bad-callback-url", "/callback_url")]
    assert SECRET not in answer.text


@pytest.mark.parametrize("given", [1, True, [URL], {"url": URL}])
def test_what_is_no_text_is_a_bad_value(given: object) -> None:
    answer = call(reachable(), "start-migration", BODY | {"callback_url": given})
    assert findings(answer) == [("bad-value", "/callback_url")]
    assert SECRET not in answer.text


def test_the_setting_decides_which_hosts_may_be_called() -> None:
    services = reachable()
    services.callbacks = replace(services.callbacks, hosts=(HostPattern.parse("hooks.contoso.com"),))
    assert findings(call(services, "start-migration", WITH_CALLBACK)) == [("bad-callback-url", "/callback_url")]


# --- Subscriptions ---------------------------------------------------------------------------------------------------


def test_a_subscription_is_made_listed_and_deleted() -> None:
    services = reachable()
    id = started(services, BODY)
    made = subscribed(services, id, types=[ENDED_TYPE], by="flow@contoso.com")
    assert made.status == 201 and SECRET not in made.text
    place = made.headers["location"]
    assert place == f"https://cmg.contoso.example/api/deployments/{id}/subscriptions/{made.body['id']}"
    assert [each["id"] for each in listed(services, id)] == [made.body["id"]]
    assert (made.body["types"], made.body["state"], made.body["by"]) == ([ENDED_TYPE], "active", "flow@contoso.com")
    for _ in range(2):
        gone = call(services, "unsubscribe", path={"id": id, "subscription": str(made.body["id"])}, raw=b"")
        assert gone.status == 204
    assert listed(services, id) == []


def test_a_workflow_can_take_its_subscription_back_by_the_address_alone() -> None:
    services = reachable()
    id = started(services, BODY)
    subscribed(services, id)
    for _ in range(2):
        assert call(services, "unsubscribe-address", {"callback_url": URL}, path={"id": id}).status == 204
    assert listed(services, id) == []


def test_the_same_address_twice_is_one_subscription() -> None:
    services = reachable()
    id = started(services, BODY)
    first, second = subscribed(services, id), subscribed(services, id)
    assert first.body == second.body and second.status == 201
    third = subscribed(services, id, types=[ENDED_TYPE] * 9_000)
    assert [each["types"] for each in listed(services, id)] == [third.body["types"]] == [[ENDED_TYPE]]


def test_from_a_subscription_on_each_save_is_told() -> None:
    services = reachable()
    id = started(services, BODY)
    subscribed(services, id)
    notified(services)
    assert types(services) == [], "what was before is not told"
    by = {"by": "ann@contoso.com", "reason": "no window"}
    assert call(services, "cancel-deployment", by, path={"id": id}).status == 200
    notified(services)
    assert types(services) == [ENDED_TYPE]
    assert listed(services, id)[0]["state"] == "ended"


@pytest.mark.parametrize(
    ("status", "kind", "gate"),
    [
        (Status.SUCCEEDED, Happening.ENDED, None),
        (Status.NEEDS_ATTENTION, Happening.NEEDS_ATTENTION, None),
        (Status.WAITING, Happening.GATE_WAITING, GateName.APPROVAL),
    ],
)
def test_who_comes_late_is_told_at_once_where_the_deployment_stands(
    status: Status, kind: Happening, gate: GateName | None
) -> None:
    services = reachable()
    id = started(services, BODY)
    saved(services, id, Status.RUNNING, Happening.PROGRESS, Happening.GATE_WAITING, Happening.GATE_OPENED)
    saved(services, id, status, Happening.PROGRESS, kind, gate=gate)
    subscribed(services, id)
    notified(services)
    assert types(services) == [f"cmg.deployment.{kind}"]


def test_a_gate_that_is_open_again_is_told_to_nobody_who_comes_late() -> None:
    services = reachable()
    id = started(services, BODY)
    saved(services, id, Status.WAITING, Happening.GATE_WAITING, gate=GateName.APPROVAL)
    saved(services, id, Status.RUNNING, Happening.GATE_OPENED)
    subscribed(services, id)
    notified(services)
    assert types(services) == []


def test_events_are_posted_anew_from_one_on_also_after_they_were_given_up() -> None:
    services = reachable()
    id = started(services)
    saved(services, id, Status.RUNNING, Happening.PROGRESS, Happening.WARNING)
    notified(services)
    first = [json.loads(body)["id"] for *_, body in services.poster.posted]
    path = {"id": id, "subscription": str(listed(services, id)[0]["id"])}
    assert call(services, "redeliver", {"sequence": first[1]}, path=path).status == 200
    notified(services)
    assert [json.loads(body)["id"] for *_, body in services.poster.posted] == first + first[1:]
    assert call(services, "redeliver", {"sequence": "9999999999999"}, path=path).status == 200
    saved(services, id, Status.RUNNING, Happening.PROGRESS)
    assert call(services, "redeliver", raw=b"", path=path).status == 200
    notified(services)
    assert len(services.poster.posted) == 6, "nothing that was not posted yet can be skipped"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("missing-key", "/callback_url")]),
        ({"callback_url": 1}, [("bad-value", "/callback_url")]),
        ({"callback_url": ""}, [("bad-callback-url", "/callback_url")]),
        ({"callback_url": URL, "types": ["cmg.deployment.nothing"]}, [("bad-value", "/types")]),
        ({"callback_url": URL, SECRET: 1}, [("unknown-key", "")]),
        ({"callback_url": f"http://{HOST}/{SECRET}"}, [("bad-callback-url", "/callback_url")]),
        ([URL], [("not-an-object", "")]),
    ],
)
def test_mistakes_are_told_without_the_address(body: object, expected: list[tuple[str, str]]) -> None:
    services = reachable()
    id = started(services, BODY)
    answer = call(services, "subscribe", body, path={"id": id})
    assert findings(answer) == expected
    assert SECRET not in answer.text


@pytest.mark.parametrize("route", ["subscribe", "redeliver"])
@pytest.mark.parametrize("by", ["", "  "])
def test_who_asks_and_leaves_its_name_empty_is_told_so(route: str, by: str) -> None:
    services = reachable()
    id = started(services)
    path = {"id": id, "subscription": str(listed(services, id)[0]["id"])}
    answer = call(services, route, {"by": by} | ({"callback_url": URL} if route == "subscribe" else {}), path=path)
    assert findings(answer) == [("bad-value", "/by")]
    assert "`by` is empty." in answer.text and "leave it out" in answer.text


def test_there_is_an_end_to_how_many_listen() -> None:
    services = reachable()
    id = started(services, BODY)
    for number in range(10):
        assert call(services, "subscribe", {"callback_url": f"{URL}{number}"}, path={"id": id}).status == 201
    full = call(services, "subscribe", {"callback_url": URL}, path={"id": id})
    assert (full.status, full.body["type"]) == (409, "/api/problems/too-many-subscriptions")
    assert call(services, "subscribe", {"callback_url": f"{URL}1"}, path={"id": id}).status == 201


def test_what_is_not_there_is_404() -> None:
    services, nowhere = reachable(), "7f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11"
    id = started(services, BODY)
    for route, path in (
        ("subscribe", {"id": nowhere}),
        ("list-subscriptions", {"id": nowhere}),
        ("redeliver", {"id": id, "subscription": nowhere}),
        ("redeliver", {"id": id, "subscription": "x"}),
    ):
        assert call(services, route, {"callback_url": URL} if route == "subscribe" else {}, path=path).status == 404


# --- The queue -------------------------------------------------------------------------------------------------------


A_GUID = "7f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"[" * 9999, b'{"deployment_id": "x"}', b"\xff", b'{"deployment_id": null}'),
        *(json.dumps({"deployment_id": forged}).encode() for forged in (f"x\nERROR {A_GUID}", f"{A_GUID}\n")),
    ],
)
def test_what_is_no_notice_goes_to_the_poison_queue(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnreadableMessage):
        asyncio.run(run_notify(MemoryServices, func.QueueMessage(body=body)))
    assert A_GUID not in caplog.text
    assert [line.message for line in caplog.records if line.message.startswith("step notify leaves a message to the")]


def test_unknown_errors_are_told_without_their_text(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> MemoryServices:
        raise RuntimeError(SECRET)

    def busy() -> MemoryServices:
        raise TryAgain("busy")

    notice = func.QueueMessage(body=json.dumps({"deployment_id": A_GUID}).encode())
    with pytest.raises(NotifyFailed) as failed:
        asyncio.run(run_notify(failing, notice))
    assert SECRET not in str(failed.value) and failed.value.__suppress_context__
    with pytest.raises(TryAgain):
        asyncio.run(run_notify(busy, notice))

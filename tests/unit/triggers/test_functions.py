"""Queue and timer functions, the masking of logs, and what the app registers."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from datetime import timedelta

import azure.functions as func
import pytest

from cmg_core.domain.errors import NewerSchema, TryAgain, UnreadableMessage
from cmg_core.domain.record import MESSAGE, Message
from cmg_core.plan import STEPS
from cmg_core.services import Stored
from cmg_core.triggers.masking import MaskingRecord, masked
from cmg_core.triggers.queues import RunFailed, run_step
from cmg_core.triggers.timers import TimerFailed, run_wake_due
from local.inprocess.memory import MemoryLedger
from tests.records import a_record
from tests.unit.triggers.callers import MemoryServices

ID = "33333333-3333-3333-3333-333333333333"
OTHER_ID = "22222222-3333-3333-3333-333333333333"
BODY = MESSAGE.dump_json(Message(ID, "retire-old-gateway", 1, "etag"), by_alias=True)


def run(services: object, body: bytes, step: str = "retire-old-gateway") -> None:
    async def running() -> None:
        await run_step(services, step, func.QueueMessage(id="m", body=body), "invocation")  # type: ignore[arg-type]

    asyncio.run(running())


def failing(error: Exception) -> object:
    def services() -> MemoryServices:
        raise error

    return services


def test_a_message_of_an_unknown_deployment_stays_as_evidence() -> None:
    with pytest.raises(UnreadableMessage, match="no record"):
        run(MemoryServices, BODY)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"", b"{}", b'{"deployment_id": 1}', b"[" * 100_000])
def test_what_is_no_message_goes_back_to_the_host_and_is_told(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnreadableMessage):
        run(MemoryServices, body)
    assert "step retire-old-gateway leaves a message to the poison queue" in caplog.text


def test_a_message_in_the_wrong_queue_goes_back_to_the_host() -> None:
    with pytest.raises(UnreadableMessage):
        run(MemoryServices, BODY, "cut-over")


def test_an_unknown_error_is_logged_with_its_deployment_and_raised_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(RunFailed) as failed:
        run(failing(RuntimeError("a text that nobody may see")), BODY)

    assert "nobody may see" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    assert ID in str(failed.value)
    assert "invocation" in caplog.text
    assert "nobody may see" in caplog.text


def test_storage_that_does_not_answer_leaves_the_message(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TryAgain):
        run(failing(TryAgain("storage did not answer")), BODY)
    assert ID in caplog.text


def test_wake_due_sends_what_is_due() -> None:
    services = MemoryServices()
    asyncio.run(services.ledger.create(a_record(ID), []))
    services.clock.pass_by(timedelta(days=1))
    asyncio.run(run_wake_due(lambda: services))
    assert len(services.queues.receive(16, timedelta(minutes=10))) == 1


@pytest.mark.parametrize("error", [NewerSchema("2"), ValueError("a row that is none")])
def test_a_record_that_cannot_be_read_holds_up_no_other(error: Exception) -> None:
    class HalfReadable(MemoryLedger):
        async def read(self, deployment_id: str) -> Stored | None:
            if deployment_id == OTHER_ID:
                raise error
            return await super().read(deployment_id)

    services = MemoryServices()
    services.ledger = HalfReadable()
    for id in (OTHER_ID, ID):
        asyncio.run(services.ledger.create(a_record(id), []))
    services.clock.pass_by(timedelta(days=1))
    asyncio.run(run_wake_due(lambda: services))
    assert len(services.queues.receive(16, timedelta(minutes=10))) == 1


def test_wake_due_lets_busy_storage_be_and_raises_unknown_errors_without_their_text() -> None:
    asyncio.run(run_wake_due(failing(TryAgain("busy"))))  # type: ignore[arg-type]
    with pytest.raises(TimerFailed) as failed:
        asyncio.run(run_wake_due(failing(RuntimeError("secret"))))  # type: ignore[arg-type]
    assert "secret" not in str(failed.value)


JWT = ".".join(("eyJhbGciOiJub25lIn0", "eyJzdWIiOiJub2JvZHkifQ", "c2lnbmF0dXJl"))
PEM = "\n".join(("-----BEGIN " + "PRIVATE KEY-----", "MIIB", "-----END " + "PRIVATE KEY-----"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("DefaultEndpointsProtocol=https;AccountName=cmg;AccountKey=c2VjcmV0==;EndpointSuffix=x", "AccountName=cmg"),
        ("https://cmg.queue.core.windows.net/q?sv=2024&sig=c2VjcmV0%3D&se=1", "sv=2024"),
        ("GET /api/deployments?code=c2VjcmV0", "/api/deployments"),
        ("{'Authorization': 'Bearer c2VjcmV0'}", "Authorization"),
        ("x-functions-key: c2VjcmV0", "x-functions-key"),
        (f"token {JWT} was refused", "was refused"),
        (f"key {PEM} read", "read"),
        ('password="c2VjcmV0"', "password"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, kept: str) -> None:
    for secret in ("c2VjcmV0", JWT, "MIIB"):
        assert secret not in masked(text)
    assert kept in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "step cut-over of deployment 33333333-3333-3333-3333-333333333333 is tried again: 429",
        "thumbprint 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12 at https://kv-cmg.vault.azure.net/secrets/granitefalls/v1",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert masked(text) == text


def test_tracebacks_are_masked_as_well() -> None:
    try:
        raise RuntimeError("AccountKey=c2VjcmV0==")
    except RuntimeError as error:
        about = (RuntimeError, error, error.__traceback__)
    record = MaskingRecord("cmg", logging.ERROR, __file__, 1, "call with %s", ("sig: ?sig=c2VjcmV0",), about)
    written = logging.Formatter().format(record)

    assert "c2VjcmV0" not in written
    assert "RuntimeError" in written


def test_the_app_registers_each_route_step_and_timer_once() -> None:
    import function_app

    bindings = {
        function.get_function_name(): json.loads(function.get_function_json())["bindings"]
        for function in function_app.app.get_functions()
    }
    triggers = {name: found[0] for name, found in bindings.items()}

    queues = {name: found for name, found in triggers.items() if found["type"] == "queueTrigger"}
    assert {name: found["queueName"] for name, found in queues.items()} == {
        name: f"cmg-{name}" for name in (*(step.name for step in STEPS), "notify")
    }
    assert {found["connection"] for found in queues.values()} == {"CmgStorage"}
    assert triggers["wake-due"]["schedule"] == "0 * * * * *"
    served = {
        (found["methods"][0], found["route"], found["authLevel"].lower())
        for found in triggers.values()
        if found["type"] == "httpTrigger"
    }
    assert served == {
        ("POST", "plans", "function"),
        ("POST", "migrations", "function"),
        ("POST", "deployments", "function"),
        ("POST", "retirements", "function"),
        ("GET", "deployments", "function"),
        ("GET", "operations/{id}", "function"),
        ("GET", "deployments/{id}", "function"),
        ("GET", "deployments/{id}/events", "function"),
        ("POST", "deployments/{id}/gates/{gate}", "function"),
        *(
            ("POST", f"deployments/{{id}}/{ask}", "function")
            for ask in ("cancel", "rollback", "resume", "extend", "check", "release-name")
        ),
        ("POST", "deployments/{id}/subscriptions", "function"),
        ("GET", "deployments/{id}/subscriptions", "function"),
        ("DELETE", "deployments/{id}/subscriptions", "function"),
        ("DELETE", "deployments/{id}/subscriptions/{subscription}", "function"),
        ("POST", "deployments/{id}/subscriptions/{subscription}/redeliver", "function"),
        ("GET", "health", "anonymous"),
        ("GET", "openapi.json", "anonymous"),
        ("GET", "docs", "anonymous"),
        ("GET", "problems/{code}", "anonymous"),
        ("GET", "findings/{code}", "anonymous"),
    }


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ({"CMG_KEY_ROLES": "none", "WEBSITE_AUTH_ENABLED": "True"}, "anonymous"),
        ({"CMG_KEY_ROLES": "none"}, "function"),
        ({"CMG_KEY_ROLES": "requester", "WEBSITE_AUTH_ENABLED": "True"}, "function"),
    ],
    ids=["signed-in callers only", "settings that cannot be obeyed", "keys and signed-in callers"],
)
def test_the_host_leaves_the_door_open_only_where_the_app_takes_no_key(given: dict[str, str], level: str) -> None:
    """In a process of its own: the level is decided once, when the app is indexed."""
    program = (
        "import function_app, json\n"
        "found = [json.loads(f.get_function_json())['bindings'][0] for f in function_app.app.get_functions()]\n"
        "print(*{f['authLevel'].lower() for f in found if f['type'] == 'httpTrigger' and '{id}' in f['route']})"
    )
    environment = {"PATH": os.environ["PATH"], "CmgStorage": "UseDevelopmentStorage=true", **given}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [level]

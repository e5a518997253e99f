"""Whatever is sent to whichever route: an answer with a cause. Never a 500, a secret, or a trace of the refused."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.gates import GateName
from cmg_core.domain.record import Event, State, Status, Waiting
from cmg_core.domain.values import JsonObject
from cmg_core.services import Save
from cmg_core.triggers.http import ROUTES
from local.inprocess.memory import MemoryLedger, MemoryQueues
from tests.fakes import DEPLOYMENT, NOW, FakeServices, deployment, migration
from tests.records import a_record
from tests.stories import after_grace, before_cut_over
from tests.unit.inputs.odd import MARK, SECRETS, changed, texts, values
from tests.unit.triggers.callers import HOST, Answer, MemoryServices, call

MIGRATION: JsonObject = migration().model_dump(mode="json", by_alias=True, exclude={"kind"})
DEPLOYMENT_REQUEST: JsonObject = deployment().model_dump(mode="json", by_alias=True, exclude={"kind"})
WISH: JsonObject = {"by": "ann@contoso.com", "reason": "CHG0031337", "until": "2026-12-24T08:00:00Z", "payload": {}}

bodies = (
    st.sampled_from([MIGRATION, DEPLOYMENT_REQUEST, WISH, {key: WISH[key] for key in ("by", "reason")}]).flatmap(
        lambda valid: st.just(valid) | changed(valid)
    )
    | values
).map(lambda body: json.dumps(body).encode())
raws = bodies | st.binary(max_size=60) | st.builds(lambda text: text.encode(), texts)
paths = st.fixed_dictionaries(
    {
        "id": st.sampled_from([DEPLOYMENT, DEPLOYMENT.upper(), "7f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11"]) | texts,
        "gate": st.sampled_from([*GateName]) | texts,
    }
)
words = texts | st.sampled_from([*Status, "ZW5kZWQ6MjAyNi0xMQ", DEPLOYMENT, *SECRETS])
queries = st.dictionaries(
    st.sampled_from(["status", "gateway", "subscription", "external_reference", "continuation", "code"]) | texts,
    words,
    max_size=3,
)
headers = st.dictionaries(
    st.sampled_from(
        ["Idempotency-Key", "traceparent", "X-Forwarded-Proto", "X-MS-CLIENT-PRINCIPAL-ID", "Content-Type", "Host"]
    ),
    words | st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
    max_size=3,
)
urls = st.sampled_from(["", "http://[", "http://a:b@c:d/e", "//", f"{HOST}/api/x?code={MARK}"]) | texts.map(
    lambda text: f"http://{text}/{text}"
)


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def heard() -> Iterator[_Heard]:
    """What the product's log was told."""
    handler, log = _Heard(), logging.getLogger("cmg")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


@cache
def states() -> tuple[State, ...]:
    return a_record(DEPLOYMENT).state, before_cut_over(FakeServices()), after_grace(FakeServices())


@st.composite
def standing(draw: st.DrawFn) -> MemoryServices:
    """The app with one deployment, somewhere on its way."""
    services = MemoryServices()
    step = draw(st.sampled_from(["preflight", "provision-network", "cut-over", "retire-old-gateway", "roll-back"]))
    status = draw(st.sampled_from([*Status]))
    waiting = draw(st.none() | st.just(Waiting("for a gate", NOW, NOW, GateName.READY_TO_CUT_OVER)))
    state = replace(draw(st.sampled_from(states())), waiting=waiting)

    async def stand() -> None:
        etag = await services.ledger.create(a_record(DEPLOYMENT, state), [])
        save = Save(2, step, status, state, NOW, "a test", NOW)
        await services.ledger.save(DEPLOYMENT, etag, save, [Event(NOW, step, "went on", 2)])
        await services.ledger.reserve(a_record(DEPLOYMENT, state).gateway, DEPLOYMENT)

    asyncio.run(stand())
    return services


def holdings(ledger: MemoryLedger, queues: MemoryQueues) -> str:
    """All that is stored."""
    return repr([vars(ledger)[name] for name in ("_records", "_active", "_ended", "_events")]) + repr(queues.waiting)


def whole(answer: Answer) -> str:
    return f"{answer.headers} {answer.text}"


@given(standing(), st.sampled_from(ROUTES), raws, paths, queries, headers, urls)
def test_every_call_is_answered_with_a_cause_and_a_refused_one_leaves_no_trace(
    heard: _Heard,
    services: MemoryServices,
    route: Any,
    raw: bytes,
    path: dict[str, str],
    query: dict[str, str],
    sent: dict[str, str],
    url: str,
) -> None:
    before = holdings(services.ledger, services.queues)
    heard.lines.clear()
    answer = call(services, route.name, raw=raw, path=path, query=query, headers=sent, url=url)

    assert answer.status < 500, answer.text
    assert "Traceback" not in whole(answer) and '.py"' not in whole(answer)
    assert MARK not in "".join(heard.lines)
    assert not services.resource_manager.writes
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert all(answer.body[key] for key in ("type", "title", "detail", "cure", "correlation_id"))
        assert MARK not in whole(answer)
        assert holdings(services.ledger, services.queues) == before

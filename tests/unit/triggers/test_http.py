"""The HTTP surface, call by call, with the requests and answers of azure.functions and storage in memory."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import azure.functions as func
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmg_core import __version__
from cmg_core.domain.errors import AzureRefused, NewerSchema, TryAgain
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.plans import Part, Plan
from cmg_core.domain.record import Claim, Event, State, Status, Waiting
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.services import Limits, Save, Stored
from cmg_core.settings import SettingProblem, SettingsError
from cmg_core.triggers.answering import answering
from cmg_core.triggers.http import ROUTES
from local.inprocess.memory import MemoryLedger
from tests.fakes import NOW, migration
from tests.fakes import deployment as new_deployment
from tests.unit.triggers.callers import HOST, KEY, Answer, MemoryServices, call

BODY: JsonObject = migration().model_dump(mode="json", by_alias=True, exclude={"kind"}, exclude_none=True)
NOWHERE = "7f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11"
READY = Gate(GateName.READY_TO_CUT_OVER, Opener.PERSON, "Say that clients may move.", early=True)
CNAME = Gate(GateName.CNAME, Opener.APP, "Set the record.")
INSIDE = Gate(GateName.INSIDE_DNS, Opener.PERSON, "Confirm the inside view.")


def started(services: MemoryServices, **headers: str) -> str:
    """A migration's ID, fresh from acceptance."""
    answer = call(services, "start-migration", BODY, headers=headers)
    assert answer.status == 202, answer.text
    return str(answer.body["id"])


def saved(services: MemoryServices, id: str, status: Status, step: str = "cut-over", **changes: object) -> None:
    """Let the deployment have got this far."""
    stored = services.ledger.peek(id)
    assert stored is not None
    now = services.clock.now()
    state: State = replace(stored.record.state, **changes)  # type: ignore[arg-type]
    save = Save(stored.record.revision + 1, step, status, state, now, "a test", now)
    asyncio.run(services.ledger.save(id, stored.etag, save, [Event(now, step, "went on", save.revision)]))


def claimed(services: MemoryServices, id: str) -> None:
    stored = services.ledger.peek(id)
    assert stored is not None
    claim = Claim("i", "m", services.clock.now() + timedelta(minutes=5))
    asyncio.run(services.ledger.claim(id, stored.etag, claim))


def problem_of(answer: Answer, status: int, code: str) -> JsonObject:
    """The problem of an answer, which is one as every problem is."""
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == f"/api/problems/{code}"
    assert answer.body["status"] == status
    assert answer.body["correlation_id"] == answer.headers["x-correlation-id"]
    for key in ("title", "detail", "cure", "instance"):
        assert answer.body[key]
    return answer.body


# --- Acceptance ------------------------------------------------------------------------------------------------------


def test_a_migration_is_accepted_written_down_and_sent() -> None:
    services = MemoryServices()
    answer = call(services, "start-migration", BODY)

    assert answer.status == 202
    id = str(answer.body["id"])
    assert answer.headers["location"] == f"{HOST}/api/operations/{id}"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.body["status"] == "running"
    assert services.ledger.peek(id) is not None
    assert [message.step for message in services.queues.receive(16, timedelta(minutes=10))] == ["preflight"]


def test_a_deployment_is_accepted_too() -> None:
    body = new_deployment().model_dump(mode="json", by_alias=True, exclude={"kind"}, exclude_none=True)
    assert call(MemoryServices(), "start-deployment", body).status == 202


def test_the_location_never_holds_a_key_and_believes_only_app_service(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://user:pw@cmg.contoso.example/api/migrations?code=the-key"
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}

    outside = call(MemoryServices(), "start-migration", BODY, url=url, headers=forwarded).headers["location"]
    monkeypatch.setenv("WEBSITE_SITE_NAME", "cmg")
    inside = call(MemoryServices(), "start-migration", BODY, url=url, headers=forwarded).headers["location"]

    assert outside.startswith("http://cmg.contoso.example/api/operations/")
    assert inside.startswith("https://cmg.contoso.example/api/operations/")
    assert "key" not in outside + inside


def test_the_same_key_and_body_give_the_same_deployment_whatever_the_order_of_the_body_s_keys() -> None:
    services = MemoryServices()
    turned = json.dumps(dict(reversed(BODY.items())), indent=4).encode()

    first = started(services, **{"Idempotency-Key": "CHG1"})
    second = call(services, "start-migration", raw=turned, headers={"Idempotency-Key": "CHG1"})

    assert (second.status, second.body["id"]) == (202, first)
    assert len(services.queues.receive(16, timedelta(minutes=10))) == 1


def test_the_same_key_with_another_body_is_told_apart() -> None:
    services = MemoryServices()
    started(services, **{"Idempotency-Key": "CHG1"})
    other = call(services, "start-migration", BODY | {"instances": 3}, headers={"Idempotency-Key": "CHG1"})
    problem_of(other, 422, "idempotency-key-reused")


def test_callers_do_not_share_their_keys() -> None:
    def id_for(**headers: str) -> str:
        return started(MemoryServices(), **{"Idempotency-Key": "1", **headers})

    assert id_for() != id_for(**{"x-functions-key": "another"})
    assert id_for() == id_for()


def test_a_key_in_the_address_counts_as_the_same_caller() -> None:
    by_header = started(MemoryServices(), **{"Idempotency-Key": "1"})
    by_address = call(
        MemoryServices(),
        "start-migration",
        BODY,
        headers={"Idempotency-Key": "1", "x-functions-key": ""},
        query={"code": KEY},
    )
    assert by_address.body["id"] == by_header


@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
def test_a_key_that_cannot_be_used_is_refused(key: str) -> None:
    answer = call(MemoryServices(), "start-migration", BODY, headers={"Idempotency-Key": key})
    problem_of(answer, 400, "bad-idempotency-key")


def test_one_gateway_has_one_active_deployment() -> None:
    services = MemoryServices()
    first = started(services)
    problem = problem_of(call(services, "start-migration", BODY), 409, "another-deployment-is-active")
    assert first in str(problem["detail"])

    saved(services, first, Status.SUCCEEDED)
    assert started(services) != first


def test_a_queue_that_does_not_answer_takes_no_acceptance_back() -> None:
    services = MemoryServices()

    async def silent(*_: object) -> None:
        raise TryAgain("the queue does not answer")

    services.queues.send = silent  # type: ignore[method-assign]
    id = started(services)
    stored = services.ledger.peek(id)
    assert stored is not None
    assert stored.record.wake_at is not None


# --- Mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["make-plan", "start-migration"])
def test_five_mistakes_are_told_at_once_and_nothing_is_begun(route: str) -> None:
    services = MemoryServices()
    wrong = BODY | {"instances": 17, "size": "Standard_D64", "grace_period": "two days", "colour": "blue"}
    del wrong["certificate"]
    problem = problem_of(call(services, route, wrong), 422, "invalid-request")

    findings = problem["findings"]
    assert isinstance(findings, list)
    assert {finding["pointer"] for finding in findings} == {  # type: ignore[call-overload,index]
        "/instances",
        "/size",
        "/grace_period",
        "/colour",
        "/certificate",
    }
    assert all(finding["cure"] for finding in findings)  # type: ignore[call-overload,index]
    assert not services.resource_manager.calls
    assert not asyncio.run(services.ledger.active())


def test_an_old_gateway_has_no_place_in_a_deployment() -> None:
    problem_of(call(MemoryServices(), "start-deployment", BODY), 422, "invalid-request")


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_what_is_no_object_is_told_so(body: object) -> None:
    for route in ("make-plan", "start-migration", "start-deployment"):
        problem_of(call(MemoryServices(), route, body), 422, "invalid-request")


def test_broken_json_and_large_bodies_are_told_so() -> None:
    problem_of(call(MemoryServices(), "start-migration", raw=b'{"a":'), 400, "unreadable-body")
    problem_of(call(MemoryServices(), "start-migration", raw=b" " * 2_000_000), 413, "body-too-large")


@pytest.mark.parametrize(
    ("route", "needed"),
    [
        *((route, {"provisioned_by"}) for route in ("make-plan", "start-migration", "start-retirement")),
        *((route, {"by", "reason"}) for route in ("open-gate", "roll-back-deployment", "release-parked-name")),
        ("extend-grace", {"by", "reason", "until"}),
        ("subscribe", {"callback_url"}),
        ("unsubscribe-address", {"callback_url"}),
    ],
)
def test_who_sends_nothing_is_shown_what_to_send(route: str, needed: set[str]) -> None:
    problem = problem_of(call(MemoryServices(), route, raw=b"", path={"id": NOWHERE}), 400, "unreadable-body")
    assert problem["detail"] == "The body is empty."
    assert {key for key in needed if f'"{key}": ' in text_at(problem, "cure")} == needed


odd_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["make-plan", "start-migration", "start-deployment"]),
    st.dictionaries(st.sampled_from([*BODY, "service_name", "gates", "accept_gap", "kind"]), odd_values, min_size=1),
)
def test_no_body_makes_an_error_that_nobody_foresaw(route: str, changes: dict[str, object]) -> None:
    answer = call(MemoryServices(), route, BODY | changes)  # type: ignore[arg-type]
    assert answer.status < 500, answer.text


@given(st.sampled_from(["make-plan", "start-migration", "open-gate"]), st.binary(max_size=60))
def test_no_bytes_make_one_either(route: str, raw: bytes) -> None:
    answer = call(
        MemoryServices(), route, raw=raw, path={"id": NOWHERE, "gate": "cname"} if route == "open-gate" else None
    )
    assert 400 <= answer.status < 500, answer.text


# --- Looks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["show-operation", "show-deployment", "show-events", "open-gate"])
@pytest.mark.parametrize("id", [NOWHERE, "no-guid", "x" * 2000, "../admin"])
def test_an_unknown_deployment_is_not_found(route: str, id: str) -> None:
    answer = call(MemoryServices(), route, {"by": "a", "reason": "b"}, path={"id": id, "gate": "cname"})
    problem_of(answer, 404, "no-such-deployment")


def test_an_id_may_be_written_in_upper_case() -> None:
    services = MemoryServices()
    assert call(services, "show-deployment", path={"id": started(services).upper()}).status == 200


@pytest.mark.parametrize("status", [Status.RUNNING, Status.WAITING, Status.GRACE, Status.NEEDS_ATTENTION])
def test_a_poller_is_held_until_the_end(status: Status) -> None:
    services = MemoryServices()
    id = started(services)
    waiting = Waiting("until then", NOW, NOW + timedelta(hours=2))
    saved(services, id, status, waiting=waiting)
    answer = call(services, "show-operation", path={"id": id})

    assert answer.status == 202
    assert answer.headers["location"] == f"{HOST}/api/operations/{id}"
    assert answer.headers["retry-after"] == "300"


@pytest.mark.parametrize(
    ("status", "told"), [(Status.SUCCEEDED, "succeeded"), (Status.REFUSED, "failed"), (Status.CANCELLED, "failed")]
)
def test_a_poller_gets_the_result_at_the_end(status: Status, told: str) -> None:
    services = MemoryServices()
    id = started(services)
    saved(services, id, status)
    answer = call(services, "show-operation", path={"id": id})

    assert (answer.status, answer.body["status"]) == (200, told)
    assert "location" not in answer.headers


def test_a_person_sees_the_deployment_and_its_history() -> None:
    services = MemoryServices()
    id = started(services)

    assert call(services, "show-deployment", path={"id": id}).body["step"] == "preflight"
    events = call(services, "show-events", path={"id": id}).body["events"]
    assert [event["text"] for event in events] == ["accepted"]  # type: ignore[call-overload,index,union-attr]


# --- Gates -----------------------------------------------------------------------------------------------------------

WHO = {"by": "Ada of operations", "reason": "CHG0031337"}


def opened(services: MemoryServices, id: str, gate: str, body: object = None) -> Answer:
    return call(services, "open-gate", body or WHO, path={"id": id, "gate": gate})


def test_a_person_opens_a_gate_and_the_deployment_goes_on() -> None:
    services = MemoryServices()
    id = started(services)
    waiting = Waiting("clients", NOW, NOW + timedelta(hours=12), GateName.READY_TO_CUT_OVER)
    saved(services, id, Status.WAITING, gates=(READY, CNAME), waiting=waiting)
    services.queues.receive(16, timedelta(minutes=10))
    answer = opened(services, id, "ready-to-cut-over")

    assert (answer.status, answer.body["status"]) == (200, "running")
    assert answer.body["gates"][0]["opened_by"] == WHO["by"]  # type: ignore[call-overload,index]
    assert len(services.queues.receive(16, timedelta(minutes=10))) == 1
    assert opened(services, id, "ready-to-cut-over").status == 200
    assert len(services.queues.receive(16, timedelta(minutes=10))) == 0


def test_a_call_at_a_gate_is_noted_once_while_a_step_holds_the_claim() -> None:
    services = MemoryServices()
    id = started(services)
    saved(services, id, Status.RUNNING, gates=(READY,))
    claimed(services, id)

    for _ in range(2):
        answer = opened(services, id, "ready-to-cut-over")
        assert answer.status == 200
        assert [asked["by"] for asked in answer.body["requested"]] == [WHO["by"]]  # type: ignore[call-overload,index,union-attr]


@pytest.mark.parametrize(
    ("gate", "status", "code", "cure"),
    [
        ("no-gate-at-all", 404, "no-such-gate", "See the deployment's «gates»"),
        ("approval", 404, "no-such-gate", "See the deployment's «gates»"),
        ("cname", 409, "gate-cannot-open", "Do nothing: the app opens it itself"),
        ("inside-dns", 409, "gate-cannot-open", "Do nothing yet"),
    ],
)
def test_a_gate_that_cannot_open_says_why(gate: str, status: int, code: str, cure: str) -> None:
    services = MemoryServices()
    id = started(services)
    saved(services, id, Status.RUNNING, gates=(READY, CNAME, INSIDE))
    assert text_at(problem_of(opened(services, id, gate), status, code), "cure").startswith(cure)


def test_an_ended_deployment_opens_no_gates() -> None:
    services = MemoryServices()
    id = started(services)
    saved(services, id, Status.REFUSED, gates=(READY,))
    problem_of(opened(services, id, "ready-to-cut-over"), 409, "gate-cannot-open")


def test_a_gate_wants_who_and_why() -> None:
    services = MemoryServices()
    id = started(services)
    saved(services, id, Status.RUNNING, gates=(READY,))
    problem_of(opened(services, id, "ready-to-cut-over", {"by": " ", "why": "?"}), 422, "invalid-request")


# --- What may be asked of a deployment -------------------------------------------------------------------------------

ASKS = ("cancel-deployment", "roll-back-deployment", "resume-deployment", "extend-grace", "check-deployment")
LATER = WHO | {"until": (NOW + timedelta(days=30)).isoformat()}


def in_grace(services: MemoryServices, id: str) -> None:
    waiting = Waiting("grace", NOW, NOW + timedelta(days=1), grace=True)
    ends_at = NOW + timedelta(days=1)
    saved(services, id, Status.GRACE, step="retire-old-gateway", grace_ends_at=ends_at, waiting=waiting)


def test_the_status_says_what_may_be_asked() -> None:
    services = MemoryServices()
    id = started(services)
    assert call(services, "show-deployment", path={"id": id}).body["can"] == ["cancel", "check"]
    in_grace(services, id)
    assert call(services, "show-deployment", path={"id": id}).body["can"] == ["rollback", "extend", "check"]
    saved(services, id, Status.NEEDS_ATTENTION, step="provision-scale-set")
    assert call(services, "show-deployment", path={"id": id}).body["can"] == ["rollback", "resume"]
    saved(services, id, Status.SUCCEEDED)
    assert call(services, "show-deployment", path={"id": id}).body["can"] == []


def test_a_cancelled_one_has_ended_and_frees_its_gateway() -> None:
    services = MemoryServices()
    id = started(services)
    answer = call(services, "cancel-deployment", WHO, path={"id": id})
    assert (answer.status, answer.body["status"]) == (200, "cancelled")
    assert call(services, "start-migration", BODY).status == 202


def test_a_rollback_starts_its_own_step_and_can_be_followed() -> None:
    services = MemoryServices()
    id = started(services)
    in_grace(services, id)
    services.queues.waiting.clear()
    answer = call(services, "roll-back-deployment", WHO, path={"id": id})
    assert (answer.status, answer.body["status"], answer.body["step"]) == (200, "running", "roll-back")
    assert [message.step for message in services.queues.waiting] == ["roll-back"]
    steps = call(services, "show-deployment", path={"id": id}).body["steps"]
    assert steps[-1]["name"] == "roll-back"  # type: ignore[call-overload,index]
    problem_of(call(services, "roll-back-deployment", WHO, path={"id": id}), 409, "not-possible-now")


def test_a_parked_name_is_released_after_the_end_and_the_operation_stays_ended() -> None:
    services = MemoryServices()
    id = started(services)
    plan = Plan(findings=(), parked=Part(id="/address"), keep=("/address", "/store"))
    problem_of(call(services, "release-parked-name", WHO, path={"id": id}), 409, "not-possible-now")
    saved(services, id, Status.SUCCEEDED, step="retire-old-gateway", plan=plan)
    shown = call(services, "show-deployment", path={"id": id}).body
    assert (shown["can"], shown["resources"]["parked"]) == (["release-name"], "/address")  # type: ignore[call-overload,index]
    services.queues.waiting.clear()
    answer = call(services, "release-parked-name", WHO, path={"id": id})
    assert (answer.status, answer.body["status"], answer.body["step"]) == (200, "running", "release-name")
    assert [message.step for message in services.queues.waiting] == ["release-name"]
    operation = call(services, "show-operation", path={"id": id})
    assert (operation.status, operation.body["status"], operation.body["deployment_status"]) == (
        200,
        "succeeded",
        "running",
    )
    problem_of(call(services, "release-parked-name", WHO, path={"id": id}), 409, "not-possible-now")
    saved(services, id, Status.SUCCEEDED, step="release-name", deleted=("/address",))
    shown = call(services, "show-deployment", path={"id": id}).body
    assert (shown["can"], shown["resources"]["parked"], shown["resources"]["kept"]) == ([], None, ["/store"])  # type: ignore[call-overload,index]


def test_a_grace_period_becomes_longer_never_shorter_and_not_endless() -> None:
    services = MemoryServices()
    id = started(services)
    in_grace(services, id)
    answer = call(services, "extend-grace", LATER, path={"id": id})
    assert answer.status == 200
    assert answer.body["grace"]["ends_at"] == LATER["until"]  # type: ignore[call-overload,index]
    problem_of(call(services, "extend-grace", LATER, path={"id": id}), 422, "grace-not-longer")
    for until in ("9999-12-31T23:59:59-23:59", (NOW + timedelta(days=366)).isoformat()):
        endless = WHO | {"until": until}
        problem_of(call(services, "extend-grace", endless, path={"id": id}), 422, "grace-too-long")
    earliest = WHO | {"until": "0001-01-01T00:00:00+23:59"}
    problem_of(call(services, "extend-grace", earliest, path={"id": id}), 422, "grace-not-longer")


@pytest.mark.parametrize("raw", [b"", b" ", json.dumps(WHO).encode()])
def test_a_check_looks_now_and_nobody_has_to_say_why(raw: bytes) -> None:
    services = MemoryServices()
    id = started(services)
    in_grace(services, id)
    services.queues.waiting.clear()
    answer = call(services, "check-deployment", raw=raw, path={"id": id})
    assert (answer.status, answer.body["status"]) == (200, "grace")
    assert [message.step for message in services.queues.waiting] == ["retire-old-gateway"]
    assert call(services, "check-deployment", raw=raw, path={"id": id}).status == 200
    assert len(services.queues.waiting) == 1, "a look is under way already"


def test_what_is_asked_while_a_step_holds_the_claim_is_noted_and_shown() -> None:
    services = MemoryServices()
    id = started(services)
    in_grace(services, id)
    claimed(services, id)
    for _ in range(2):
        answer = call(services, "extend-grace", LATER, path={"id": id})
        assert answer.status == 200
        shown = answer.body["requested"]
        assert [(asked["ask"], asked["until"]) for asked in shown] == [("extend", LATER["until"])]  # type: ignore[call-overload,index,union-attr]


@pytest.mark.parametrize("route", ASKS)
def test_each_wants_who_and_why_and_nothing_unknown(route: str) -> None:
    services = MemoryServices()
    id = started(services)
    in_grace(services, id)
    problem = problem_of(call(services, route, {"by": " ", "why": 5}, path={"id": id}), 422, "invalid-request")
    places = {finding["pointer"] for finding in problem["findings"]}  # type: ignore[call-overload,index,union-attr]
    assert places == {"/by", "/reason", "/why"} | ({"/until"} if route == "extend-grace" else set())
    problem_of(call(services, route, raw=b"[", path={"id": id}), 400, "unreadable-body")
    problem_of(
        call(services, route, LATER if route == "extend-grace" else WHO, path={"id": NOWHERE}),
        404,
        "no-such-deployment",
    )


# --- Errors ----------------------------------------------------------------------------------------------------------


class BrokenLedger(MemoryLedger):
    """Raises what it is told to at each look."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def read(self, deployment_id: str) -> Stored | None:
        raise self.error


def broken_look(error: Exception) -> Answer:
    services = MemoryServices()
    services.ledger = BrokenLedger(error)
    return call(services, "show-deployment", path={"id": NOWHERE})


def test_invariant_9_two_audiences_unknown_errors_leak_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = broken_look(RuntimeError("AccountKey=zyx of somebody's account"))

    problem_of(answer, 500, "internal-error")
    assert "zyx" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["x-correlation-id"] in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TryAgain("storage did not answer", timedelta(seconds=7.2)), 503, "try-again"),
        (NewerSchema("2"), 503, "newer-release"),
        (AzureRefused(status=403, code="AuthorizationFailed", message="no", target="storage"), 502, "rights-missing"),
    ],
)
def test_known_errors_have_their_status(error: Exception, status: int, code: str) -> None:
    answer = broken_look(error)
    problem_of(answer, status, code)
    assert answer.headers.get("retry-after") == ("8" if code == "try-again" else None)


def test_the_correlation_id_is_the_caller_s_trace_where_it_is_one() -> None:
    def id_for(traceparent: str) -> str:
        return call(MemoryServices(), "show-health", headers={"traceparent": traceparent}).headers["x-correlation-id"]

    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert id_for(f"00-{trace}-00f067aa0ba902b7-01") == trace
    assert id_for(f"01-{trace}-00f067aa0ba902b7-01-of a later version") == trace
    for wrong in (
        "",
        "00-1-2-3",
        f"ff-{trace}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{trace}-{'0' * 16}-01",
        f"00-{trace}-00f067aa0ba902b7-01-more",
        f"00-{trace.upper()}-00f067aa0ba902b7-01",
        f"01-{trace}-00f067aa0ba902b7-01more",
        f"00-{trace}-00f067aa0ba902b7-01,00-{trace}-00f067aa0ba902b7-01",
    ):
        assert id_for(wrong) not in (trace, "0" * 32)


def test_history_tells_which_call_began_and_changed_a_deployment() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    services = MemoryServices()
    id = started(services, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    answer = call(services, "cancel-deployment", WHO, path={"id": id})
    events = call(services, "show-events", path={"id": id}).body["events"]
    told = [event["correlation_id"] for event in events]  # type: ignore[call-overload,index,union-attr]
    assert told == [trace, answer.headers["x-correlation-id"]]


# --- Health ----------------------------------------------------------------------------------------------------------


def test_health_asks_nobody() -> None:
    services = MemoryServices(limits=Limits(timedelta(days=1), timedelta(minutes=5), {"name": "gateway"}))
    answer = call(services, "show-health")

    assert answer.status == 200
    assert answer.body == {"status": "healthy", "version": __version__, "minimum_grace": "P1D", "problems": []}
    assert not services.resource_manager.calls


def test_health_says_that_the_software_is_missing() -> None:
    services = MemoryServices(limits=Limits(timedelta(seconds=20), timedelta(minutes=5), {}))
    body = call(services, "show-health").body

    assert (body["status"], body["minimum_grace"]) == ("healthy", "PT20S")
    assert [found["resource"] for found in body["problems"]] == ["CMG_GATEWAY_SOFTWARE"]  # type: ignore[call-overload,index,union-attr]


@pytest.mark.parametrize("route", ["show-health", "list-deployments"])
def test_wrong_settings_are_named_without_their_values(route: str) -> None:
    def services() -> MemoryServices:
        raise SettingsError((SettingProblem("CMG_PROBE_PATH", "the-value", "give a path"),))

    found = next(known for known in ROUTES if known.name == route)
    request = func.HttpRequest("GET", f"{HOST}/api/x", body=b"")
    answer = asyncio.run(answering(found, services)(request))
    text = answer.get_body().decode()

    assert answer.status_code == 503
    assert "CMG_PROBE_PATH" in text
    assert "the-value" not in text

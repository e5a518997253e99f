"""What the executor does, against what Logic Apps documents: order, retries, polls, webhooks, limits, and its ends."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from cmg_core.domain.values import JsonObject
from local.inprocess.loop import run as run_virtually
from tests.logic_apps.definition import SCHEMA, Definition
from tests.logic_apps.executor import Executor, Ran
from tests.logic_apps.messages import Answered, Sent, Unreachable, body_as_read, sent_headers
from tests.logic_apps.sending import Sender

OK, BUSY = Answered(200), Answered(503)
type Answer = Answered | None


def http(after: dict[str, list[str]] | None = None, **inputs: object) -> dict[str, Any]:
    return {
        "type": "Http",
        "inputs": {"method": "POST", "uri": "https://a.example/x", **inputs},
        "runAfter": after or {},
    }


class Script:
    """Answers in order, the last one ever after; None is no answer. What came is kept with its moment."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.sent = list(answers), list[tuple[float, Sent]]()

    async def send(self, sent: Sent) -> Answered:
        self.sent.append((asyncio.get_running_loop().time(), sent))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise Unreachable("cut")
        return answer

    @property
    def pauses(self) -> list[float]:
        times = [at for at, _ in self.sent]
        return [later - earlier for earlier, later in pairwise(times)]


def executor(actions: JsonObject, script: Script, **options: Any) -> Executor:
    trigger = {"t": {"type": "Request", "kind": "Http", "inputs": {"method": "POST", "schema": {}}}}
    raw = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "parameters": {}, "triggers": trigger, "outputs": {}}
    return Executor(Definition.model_validate({**raw, "actions": actions}), {}, Sender(script), **options)


def ran(actions: dict[str, Any], script: Script, **options: Any) -> Ran:
    async def play() -> Ran:
        return await executor(actions, script, **options).run({})

    return run_virtually(play())


def statuses(found: Ran) -> dict[str, str]:
    return {name: done.status for name, done in found.actions.items()}


# --- Retries ---------------------------------------------------------------------------------------------------------


def test_without_a_policy_four_retries_follow_at_growing_intervals_between_5_and_45_seconds() -> None:
    script = Script(BUSY)
    found = ran({"A": http()}, script)
    assert (found.status, statuses(found), len(script.sent)) == ("Failed", {"A": "Failed"}, 5)
    for pause, (low, high) in zip(script.pauses, [(5, 7.5), (7.5, 15), (15, 30), (30, 45)], strict=True):
        assert low <= pause <= high


@pytest.mark.parametrize("status", [408, 429, 500, 503, 599])
def test_a_passing_failure_is_sent_again_with_the_same_body_and_headers(status: int) -> None:
    script = Script(Answered(status), None, OK)
    found = ran({"A": http(body={"a": 1}, headers={"Idempotency-Key": "k"})}, script)
    assert found.status == "Succeeded"
    assert len({(sent.method, sent.url, sent.body, str(sent.headers)) for _, sent in script.sent}) == 1
    assert len(script.sent) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 304])
def test_a_lasting_failure_is_not_sent_again(status: int) -> None:
    script = Script(Answered(status))
    assert (statuses(ran({"A": http()}, script)), len(script.sent)) == ({"A": "Failed"}, 1)


def test_policies_are_obeyed() -> None:
    fixed = Script(BUSY)
    ran({"A": http(retryPolicy={"type": "fixed", "count": 2, "interval": "PT30S"})}, fixed)
    assert fixed.pauses == pytest.approx([30, 30])
    none = Script(BUSY)
    ran({"A": http(retryPolicy={"type": "none"})}, none)
    assert len(none.sent) == 1


# --- The asynchronous pattern ----------------------------------------------------------------------------------------


def accepted(retry_after: int | None = None, location: str = "/op/1") -> Answered:
    wait = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Answered(202, {"location": location, **wait})


def test_a_location_is_followed_after_retry_after_until_another_answer_than_202() -> None:
    script = Script(accepted(7), accepted(60, "https://a.example/op/2"), accepted(), OK)
    assert ran({"A": http()}, script).status == "Succeeded"
    assert script.pauses == pytest.approx([7, 60, 20])
    assert [(sent.method, sent.url) for _, sent in script.sent] == [
        ("POST", "https://a.example/x"),
        ("GET", "https://a.example/op/1"),
        ("GET", "https://a.example/op/2"),
        ("GET", "https://a.example/op/1"),
    ]
    assert all(sent.body == b"" for _, sent in script.sent[1:])


def test_polls_are_sent_again_as_well_and_a_failed_end_fails_the_action() -> None:
    script = Script(accepted(2), BUSY, accepted(2), Answered(404))
    assert (ran({"A": http()}, script).status, len(script.sent)) == ("Failed", 4)


@pytest.mark.parametrize("answer", [accepted(7), Answered(202)])
def test_nothing_is_followed_where_that_is_turned_off_or_no_location_is_given(answer: Answered) -> None:
    script = Script(answer)
    options = {"operationOptions": "DisableAsyncPattern"} if "location" in answer.headers else {}
    assert (ran({"A": {**http(), **options}}, script).status, len(script.sent)) == ("Succeeded", 1)


def test_a_limit_ends_polls() -> None:
    script = Script(accepted(60))
    found = ran({"A": {**http(), "limit": {"timeout": "PT10M"}}}, script)
    assert (found.actions["A"].status, found.actions["A"].code) == ("TimedOut", "ActionTimedOut")
    assert 9 <= len(script.sent) <= 11


def test_a_request_that_lasts_too_long_is_no_answer() -> None:
    class Slow(Script):
        async def send(self, sent: Sent) -> Answered:
            answer = await super().send(sent)
            await asyncio.sleep(121)
            return answer

    script = Slow(OK)
    found = ran({"A": http(retryPolicy={"type": "none"})}, script)
    assert (found.actions["A"].status, found.actions["A"].code) == ("Failed", "BadGateway")


# --- Webhooks --------------------------------------------------------------------------------------------------------

HOOK: dict[str, Any] = {
    "type": "HttpWebhook",
    "inputs": {
        "subscribe": {"method": "POST", "uri": "https://a.example/sub", "body": {"to": "@{listCallbackUrl()}"}},
        "unsubscribe": {"method": "DELETE", "uri": "https://a.example/sub", "body": {"to": "@{listCallbackUrl()}"}},
    },
    "runAfter": {},
}


def hooked(script: Script, then: Callable[[Executor, str], object], **more: object) -> tuple[Ran, Executor]:
    made: list[Executor] = []

    async def play() -> Ran:
        made.append(executor({"A": {**HOOK, **more}}, script))
        run = asyncio.create_task(made[0].run({}))
        await asyncio.sleep(3600)
        then(made[0], script.sent[0][1].body.decode())
        return await run

    return run_virtually(play()), made[0]


def address(body: str) -> str:
    return body.partition('"to": "')[2].partition('"')[0]


def test_a_webhook_waits_for_a_post_to_its_address_and_stops_then() -> None:
    script = Script(OK)
    post = b'{"type": "ended"}'
    found, _ = hooked(
        script,
        lambda made, body: made.call_back(Sent("POST", address(body), {"content-type": "application/json"}, post)),
    )
    assert found.actions["A"].outputs == {"headers": {"content-type": "application/json"}, "body": {"type": "ended"}}
    (_, subscribed), (stopped_at, stopped) = script.sent
    assert (subscribed.method, stopped.method) == ("POST", "DELETE")
    assert subscribed.body == stopped.body
    assert stopped_at == pytest.approx(3600)


def test_a_post_to_another_address_is_nobodys_and_a_second_one_changes_nothing() -> None:
    def post(made: Executor, body: str) -> None:
        answers = [
            made.call_back(Sent("POST", to, {"content-type": "text/plain"}, text)).status
            for to, text in (("https://x.example/no", b"0"), (address(body), b"1"), (address(body), b"2"))
        ]
        assert answers == [404, 202, 202]

    found, _ = hooked(Script(OK), post)
    assert found.actions["A"].outputs == {"headers": {"content-type": "text/plain"}, "body": "1"}


def test_a_webhook_that_is_not_called_in_time_stops_and_says_so() -> None:
    script = Script(OK)
    found, _ = hooked(script, lambda made, body: None, limit={"timeout": "PT2H"})
    assert (found.status, found.actions["A"].status) == ("Failed", "TimedOut")
    assert [(at, sent.method) for at, sent in script.sent] == [(0, "POST"), (pytest.approx(7200), "DELETE")]


def test_a_subscription_that_is_refused_fails_the_action() -> None:
    script = Script(Answered(422), OK)
    assert statuses(ran({"A": HOOK}, script)) == {"A": "Failed"}


def test_a_run_that_is_cancelled_stops_listening() -> None:
    script = Script(OK)

    async def play() -> None:
        run = asyncio.create_task(executor({"A": HOOK}, script).run({}))
        await asyncio.sleep(60)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    run_virtually(play())
    assert [sent.method for _, sent in script.sent] == ["POST", "DELETE"]


# --- Order and ends --------------------------------------------------------------------------------------------------


def test_an_action_runs_only_after_the_outcomes_that_it_names() -> None:
    script = Script(Answered(400), OK)
    found = ran(
        {
            "A": http(),
            "If_fine": http({"A": ["Succeeded"]}),
            "If_not": http({"A": ["Failed", "TimedOut"]}),
            "Last": http({"If_fine": ["Skipped"], "If_not": ["Succeeded"]}),
        },
        script,
    )
    assert statuses(found) == {"A": "Failed", "If_fine": "Skipped", "If_not": "Succeeded", "Last": "Succeeded"}
    assert found.status == "Succeeded"


def test_a_branch_that_ends_skipped_counts_by_what_came_before_it() -> None:
    found = ran({"A": http(), "B": http({"A": ["Succeeded"]}), "C": http({"B": ["Succeeded"]})}, Script(Answered(400)))
    assert (found.status, statuses(found)) == ("Failed", {"A": "Failed", "B": "Skipped", "C": "Skipped"})


def test_a_scope_fails_with_what_is_in_it_and_its_results_can_be_asked_for() -> None:
    actions = {
        "S": {"type": "Scope", "actions": {"A": http(), "B": http({"A": ["Succeeded"]})}, "runAfter": {}},
        "Find": {
            "type": "Query",
            "inputs": {"from": "@result('S')", "where": "@equals(item()?['status'], 'Failed')"},
            "runAfter": {"S": ["Failed"]},
        },
    }
    found = ran(actions, Script(Answered(400)))
    outputs = found.actions["Find"].outputs
    assert isinstance(outputs, dict)
    assert [each["name"] for each in outputs["body"]] == ["A"]  # type: ignore[index, union-attr, call-overload]  # JSON


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"equals": ["@coalesce(null, 1)", 1]}, True),
        ({"equals": ["1", 1]}, False),
        ({"not": {"equals": [True, True]}}, False),
        ({"and": [{"equals": [1, 1]}, {"equals": [1, 2]}]}, False),
        ({"or": [{"equals": [1, 2]}, {"equals": [2, 2]}]}, True),
    ],
)
def test_a_condition_takes_one_way_and_skips_the_other(condition: JsonObject, holds: bool) -> None:
    choice = {"type": "If", "expression": condition, "actions": {"Yes": http()}, "else": {"actions": {"No": http()}}}
    found = ran({"Choice": {**choice, "runAfter": {}}}, Script(OK))
    assert statuses(found)["Yes" if holds else "No"] == "Succeeded"
    assert statuses(found)["No" if holds else "Yes"] == "Skipped"


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Cancelled"])
def test_terminate_ends_the_run_wherever_it_stands(status: str) -> None:
    end = {"type": "Terminate", "inputs": {"runStatus": status}, "runAfter": {}}
    actions = {"S": {"type": "Scope", "actions": {"End": end}, "runAfter": {}}, "B": http({"S": ["Succeeded"]})}
    script = Script(OK)
    assert (ran(actions, script).status, script.sent) == (status, [])


def test_an_expression_that_asks_for_what_is_not_there_fails_its_action() -> None:
    found = ran({"A": http(), "B": http({"A": ["Succeeded"]}, body="@body('A')['id']")}, Script(OK))
    assert (statuses(found), found.actions["B"].code[:15]) == ({"A": "Succeeded", "B": "Failed"}, "InvalidTemplate")


# --- Messages --------------------------------------------------------------------------------------------------------


def test_headers_that_logic_apps_leaves_out_are_not_sent() -> None:
    given = {"Accept": "text/plain", "Accept-Language": "en", "Content-Length": "7", "Content-Type": "x/y", "Host": "h"}
    assert sent_headers({**given, "Cookie": "c", "Idempotency-Key": "k"}) == {
        "accept": "text/plain",
        "content-type": "x/y",
        "idempotency-key": "k",
    }


@pytest.mark.parametrize(
    ("kind", "raw", "suffix", "read"),
    [
        ("application/json; charset=utf-8", b'{"a": 1}', False, {"a": 1}),
        ("application/problem+json", b'{"a": 1}', True, {"a": 1}),
        ("application/problem+json", b"{}", False, {"$content-type": "application/problem+json", "$content": "e30="}),
        ("text/plain; charset=utf-8", "über".encode(), False, "über"),
        ("application/json", b"", True, None),
    ],
)
def test_a_body_is_read_by_its_type(kind: str, raw: bytes, suffix: bool, read: object) -> None:
    assert body_as_read({"content-type": kind}, raw, reads_suffix=suffix) == read

"""Runs a workflow definition as Logic Apps documents it, as far as requests and answers go.

What the documents say is done as they say it; where they are silent or contradict one another, that is said here:

- An action that its ``limit`` ends is ``TimedOut`` in one document and ``Cancelled`` in another: a run takes either.
- A scope whose last action timed out is taken as ``Failed``; the documents name only ``Failed`` and ``Aborted``.
- Between two polls without ``Retry-After`` twenty seconds pass (Microsoft's sample of the asynchronous pattern).
- Polls carry the action's authentication (a maintainer in Azure/logicapps, issue 611).

This is no Logic App: nothing but the definitions of this project was ever run by it.
"""

import asyncio
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urljoin, urlsplit

from cmg_core.domain.values import Json, JsonObject
from tests.logic_apps.definition import (
    Action,
    ActionStatus,
    Definition,
    HttpAction,
    HttpInputs,
    IfAction,
    QueryAction,
    RunStatus,
    ScopeAction,
    TerminateAction,
    WebhookAction,
)
from tests.logic_apps.expressions import BadExpression, Function, Functions, evaluate, text_of
from tests.logic_apps.messages import Answered, Sent, Unreachable, body_as_read, body_to_send, sent_headers
from tests.logic_apps.sending import Sender

CALLBACKS = "prod-03.westus.logic.azure.com"
BETWEEN_POLLS = timedelta(seconds=20)


@dataclass(frozen=True)
class Done:
    """How an action came out."""

    status: ActionStatus
    outputs: Json = None
    code: str = ""


@dataclass(frozen=True)
class Ran:
    """How a run came out, action by action."""

    status: RunStatus
    actions: Mapping[str, Done]


class _Terminated(Exception):
    def __init__(self, status: RunStatus) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Executor:
    """One run of a definition. Time is the running loop's."""

    definition: Definition
    parameters: Mapping[str, str]
    sender: Sender
    run_id: str = "08584000000000000001"
    reads_suffix: bool = True
    """Whether a body of a type that ends with «+json» is read as JSON."""
    timed_out: ActionStatus = "TimedOut"
    """What an action is that its limit ended."""

    def __post_init__(self) -> None:
        if self.parameters.keys() != self.definition.parameters.keys():
            raise ValueError(f"the parameters are {', '.join(self.definition.parameters)}")
        self._done = dict[str, Done]()
        self._posted = dict[str, asyncio.Future[Sent]]()
        self._trigger: Json = None

    async def run(self, trigger: JsonObject) -> Ran:
        """Run it for one call of its trigger."""
        self._trigger = trigger
        try:
            status = await self._group(self.definition.actions)
        except _Terminated as ended:
            return Ran(ended.status, self._done)
        return Ran("Succeeded" if status == "Succeeded" else "Failed", self._done)

    def call_back(self, sent: Sent) -> Answered:
        """Take a post to one of the run's own addresses."""
        waiting = self._posted.get(urlsplit(sent.url).path)
        if waiting is None:
            return Answered(404)
        if not waiting.done():
            waiting.set_result(sent)
        return Answered(202)

    # --- Order -------------------------------------------------------------------------------------------------------

    async def _group(self, actions: Mapping[str, Action]) -> ActionStatus:
        """Run a group's actions, each when those before it are done as it wants them, and say how the group came out:
        by its last actions, and for those that were skipped by the ones before them."""
        left = dict(actions)
        while left:
            ready = [name for name, action in left.items() if action.run_after.keys() <= self._done.keys()]
            acting = [asyncio.create_task(self._act(name, left.pop(name))) for name in ready]
            try:
                await asyncio.gather(*acting)
            finally:
                for each in acting:
                    each.cancel()
        return self._status_of(actions)

    def _status_of(self, actions: Mapping[str, Action]) -> ActionStatus:
        before = {name for action in actions.values() for name in action.run_after}
        ends = {self._as_ended(name, actions) for name in actions if name not in before}
        return "Failed" if ends & {"Failed", "TimedOut", "Cancelled"} else "Succeeded"

    def _as_ended(self, name: str, actions: Mapping[str, Action]) -> ActionStatus:
        if self._done[name].status != "Skipped" or not actions[name].run_after:
            return self._done[name].status
        statuses = [self._as_ended(earlier, actions) for earlier in actions[name].run_after]
        return next((status for status in statuses if status not in ("Succeeded", "Skipped")), statuses[0])

    async def _act(self, name: str, action: Action) -> None:
        wanted = action.run_after.items()
        if not all(self._done[earlier].status in statuses for earlier, statuses in wanted):
            self._skip({name: action})
            return
        try:
            self._done[name] = await self._carried_out(name, action)
        except BadExpression as error:
            self._done[name] = Done("Failed", code=f"InvalidTemplate: {error}")

    def _skip(self, actions: Mapping[str, Action]) -> None:
        for name, action in actions.items():
            self._done[name] = Done("Skipped")
            if isinstance(action, IfAction | ScopeAction):
                self._skip(action.actions)
            if isinstance(action, IfAction) and action.otherwise is not None:
                self._skip(action.otherwise.actions)

    async def _carried_out(self, name: str, action: Action) -> Done:
        match action:
            case ScopeAction():
                return Done(await self._group(action.actions))
            case IfAction():
                return Done(await self._either(action))
            case QueryAction():
                return self._query(action)
            case TerminateAction():
                raise _Terminated(action.inputs.run_status)
            case HttpAction():
                return await self._limited(action, self._http(action))
            case WebhookAction():
                return await self._webhook(name, action)

    async def _either(self, action: IfAction) -> ActionStatus:
        otherwise = action.otherwise.actions if action.otherwise else {}
        holds = self._holds(action.expression)
        self._skip(otherwise if holds else action.actions)
        return await self._group(action.actions if holds else otherwise)

    def _holds(self, condition: Json) -> bool:
        match condition:
            case {"and": list() as all_of}:
                return all(self._holds(each) for each in all_of)
            case {"or": list() as any_of}:
                return any(self._holds(each) for each in any_of)
            case {"not": inside}:
                return not self._holds(inside)
            case {"equals": [one, other]}:
                return _equals(evaluate(one, self._functions()), evaluate(other, self._functions()))
        raise BadExpression(f"«{condition}» is no condition that is known here")

    def _query(self, action: QueryAction) -> Done:
        source = evaluate(action.inputs.source, self._functions())
        if not isinstance(source, list):
            raise BadExpression("what is queried is no list")
        found = [
            each
            for each in source
            if evaluate(action.inputs.where, self._functions({"item": lambda: each})) is True  # noqa: B023  # called at once
        ]
        return Done("Succeeded", {"body": found})

    # --- Requests ----------------------------------------------------------------------------------------------------

    async def _limited(self, action: HttpAction | WebhookAction, work: Awaitable[Done]) -> Done:
        try:
            async with asyncio.timeout(action.limit.timeout.total_seconds() if action.limit else None):
                return await work
        except TimeoutError:
            return Done(self.timed_out, code="ActionTimedOut")

    async def _http(self, action: HttpAction) -> Done:
        """A request, and while it is answered by 202 with a Location, a look there after ``Retry-After``."""
        inputs = action.inputs
        try:
            answer = await self.sender.insist(self._request(inputs), inputs.retry_policy)
            while (
                answer.status == 202
                and "location" in answer.headers
                and action.operation_options != "DisableAsyncPattern"
            ):
                await asyncio.sleep(float(answer.headers.get("retry-after", BETWEEN_POLLS.total_seconds())))
                url = urljoin(evaluate_text(inputs.uri, self._functions()), answer.headers["location"])
                poll = Sent("GET", url, self._authentication(inputs))
                answer = await self.sender.insist(poll, inputs.retry_policy)
        except Unreachable:
            return Done("Failed", code="BadGateway")
        outputs = {
            "statusCode": answer.status,
            "headers": dict(answer.headers),
            "body": body_as_read(answer.headers, answer.body, reads_suffix=self.reads_suffix),
        }
        return Done("Succeeded" if 200 <= answer.status < 300 else "Failed", outputs)  # type: ignore[arg-type]  # JSON

    async def _webhook(self, name: str, action: WebhookAction) -> Done:
        """Subscribe, wait for the post, and stop: also where time runs out, or the run is cancelled."""
        path = f"/workflows/d5a1f2/runs/{self.run_id}/actions/{name}/run"
        address = f"https://{CALLBACKS}:443{path}?api-version=2016-10-01&sp=%2Fruns%2Frun&sv=1.0&sig=s3cr3t-{name}"
        posted = self._posted[path] = asyncio.get_running_loop().create_future()
        functions: Functions = self._functions({"listcallbackurl": lambda: address})

        async def wait() -> Done:
            inputs = action.inputs.subscribe
            answer = await self.sender.insist(self._request(inputs, functions), inputs.retry_policy)
            if not 200 <= answer.status < 300:
                return Done("Failed", {"statusCode": answer.status})
            sent = await posted
            body = body_as_read(sent.headers, sent.body, reads_suffix=self.reads_suffix)
            return Done("Succeeded", {"headers": dict(sent.headers), "body": body})

        try:
            return await self._limited(action, wait())
        except Unreachable:
            return Done("Failed", code="BadGateway")
        finally:
            await self.sender.insist(
                self._request(action.inputs.unsubscribe, functions), action.inputs.unsubscribe.retry_policy
            )

    def _request(self, inputs: HttpInputs, functions: Functions | None = None) -> Sent:
        functions = functions or self._functions()
        raw, kind = body_to_send(evaluate(inputs.body, functions))
        named = {name: evaluate_text(value, functions) for name, value in inputs.headers.items()}
        headers = {**kind, **sent_headers(named), **self._authentication(inputs)}
        return Sent(inputs.method, evaluate_text(inputs.uri, functions), headers, raw)

    def _authentication(self, inputs: HttpInputs) -> dict[str, str]:
        """The token of the workflow's identity for an audience."""
        if inputs.authentication is None:
            return {}
        audience = evaluate_text(inputs.authentication.audience, self._functions())
        return {"authorization": f"Bearer for {audience}"}

    # --- Functions ---------------------------------------------------------------------------------------------------

    def _functions(self, more: Mapping[str, Function] | None = None) -> Functions:
        return {
            "parameters": lambda name: self.parameters[name],
            "triggerbody": lambda: self._trigger,
            "body": self._body,
            "result": self._result,
            "first": lambda values: values[0] if values else None,
            "coalesce": lambda *values: next((value for value in values if value is not None), None),
            "equals": _equals,
            "or": lambda *values: any(value is True for value in values),
            **(more or {}),
        }

    def _body(self, name: str) -> Json:
        outputs = self._done[name].outputs if name in self._done else None
        return outputs.get("body") if isinstance(outputs, dict) else None

    def _result(self, name: str) -> Json:
        """What came of the actions right inside of a scope."""
        scope = next((action for known, action in self.definition.actions.items() if known == name), None)
        if not isinstance(scope, ScopeAction):
            raise BadExpression(f"{name} is no scope")
        results: list[Json] = []
        for inside in scope.actions:
            done = self._done[inside]
            told: JsonObject = {"name": inside, "status": done.status, "outputs": done.outputs}
            results.append(told | ({"code": done.code} if done.code else {}))
        return results


def evaluate_text(value: str, functions: Functions) -> str:
    """A text with its expressions replaced."""
    return text_of(evaluate(value, functions))


def _equals(one: Json, other: Json) -> bool:
    """Equal values of one type."""
    return type(one) is type(other) and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

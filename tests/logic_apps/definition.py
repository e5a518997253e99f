"""A workflow definition as its published documents have it, checked before it is run.

Source: Microsoft, "Schema reference for Workflow Definition Language in Azure Logic Apps", "Schema reference for
trigger and action types in Azure Logic Apps", "Handle errors and exceptions in Azure Logic Apps", and the limits in
"Limits and configuration reference for Azure Logic Apps". Only what this project's definitions use is known here;
anything else is refused. That the service itself takes them was not tried.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from cmg_core.domain.values import Json, JsonObject
from tests.logic_apps.expressions import Call, calls_in, expressions_in
from tests.logic_apps.expressions import Literal as Constant

SCHEMA = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"
LONGEST_NAME = 80
MOST_DEEP = 8
LONGEST_RUN = timedelta(days=90)
"""Of a Consumption workflow, by default and at most."""

type RunStatus = Literal["Succeeded", "Failed", "Cancelled"]
type ActionStatus = Literal["Succeeded", "Failed", "Skipped", "TimedOut", "Cancelled"]
type Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Authentication(_Part):
    """A managed identity: the system-assigned one, as no other is named."""

    type: Literal["ManagedServiceIdentity"]
    audience: str


class RetryPolicy(_Part):
    """What is sent again after 408, 429, 5xx and lost connections: ``count`` times, intervals as ISO 8601 has them."""

    type: Literal["none", "fixed", "exponential"]
    count: Annotated[int, Field(ge=1, le=90)] | None = None
    interval: Annotated[timedelta, Field(ge=timedelta(seconds=5), le=timedelta(days=1))] | None = None
    minimum_interval: timedelta | None = Field(None, alias="minimumInterval")
    maximum_interval: timedelta | None = Field(None, alias="maximumInterval")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.type != "none" and (self.count is None or self.interval is None):
            raise ValueError("a policy that sends again needs `count` and `interval`")
        return self


class HttpInputs(_Part):
    """One request."""

    method: Method
    uri: Annotated[str, StringConstraints(max_length=2048)]
    headers: dict[str, str] = {}
    body: Json = None
    authentication: Authentication | None = None
    retry_policy: RetryPolicy | None = Field(None, alias="retryPolicy")


class WebhookInputs(_Part):
    """The request that subscribes, and the one that stops."""

    subscribe: HttpInputs
    unsubscribe: HttpInputs


class Limit(_Part):
    """How long an action may last."""

    timeout: Annotated[timedelta, Field(gt=timedelta(), le=LONGEST_RUN)]


class SecureData(_Part):
    """What the run's history does not show."""

    properties: list[Literal["inputs", "outputs"]]


class RuntimeConfiguration(_Part):
    """How an action is run."""

    secure_data: SecureData = Field(alias="secureData")


class _Action(_Part):
    run_after: dict[str, list[ActionStatus]] = Field({}, alias="runAfter")


class HttpAction(_Action):
    """Sends a request, and follows a 202 with a Location unless told otherwise."""

    type: Literal["Http"]
    inputs: HttpInputs
    operation_options: Literal["", "DisableAsyncPattern"] = Field("", alias="operationOptions")
    limit: Limit | None = None
    runtime_configuration: RuntimeConfiguration | None = Field(None, alias="runtimeConfiguration")


class WebhookAction(_Action):
    """Subscribes, and waits for a post to its address."""

    type: Literal["HttpWebhook"]
    inputs: WebhookInputs
    limit: Limit | None = None
    runtime_configuration: RuntimeConfiguration | None = Field(None, alias="runtimeConfiguration")


class Else(_Part):
    """What happens where a condition does not hold."""

    actions: "Actions"


class IfAction(_Action):
    """Goes one way or the other."""

    type: Literal["If"]
    expression: JsonObject
    actions: "Actions"
    otherwise: Else | None = Field(None, validation_alias=AliasChoices("else"))


class ScopeAction(_Action):
    """Actions with one status."""

    type: Literal["Scope"]
    actions: "Actions"


class QueryInputs(_Part):
    """A list, and which of it to take."""

    source: str = Field(alias="from")
    where: str


class QueryAction(_Action):
    """Takes some of a list."""

    type: Literal["Query"]
    inputs: QueryInputs


class RunError(_Part):
    """Why a run failed."""

    code: str
    message: str


class TerminateInputs(_Part):
    """How a run ends."""

    run_status: RunStatus = Field(alias="runStatus")
    run_error: RunError | None = Field(None, alias="runError")


class TerminateAction(_Action):
    """Ends the run."""

    type: Literal["Terminate"]
    inputs: TerminateInputs


type Action = Annotated[
    HttpAction | WebhookAction | IfAction | ScopeAction | QueryAction | TerminateAction, Field(discriminator="type")
]
type Actions = dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$", max_length=LONGEST_NAME)], Action]


class TriggerInputs(_Part):
    """What a caller of the workflow sends."""

    method: Literal["POST"]
    request: JsonObject = Field(alias="schema")


class RequestTrigger(_Part):
    """Runs the workflow for each call."""

    type: Literal["Request"]
    kind: Literal["Http"]
    inputs: TriggerInputs


class ParameterMetadata(_Part):
    """What a parameter is for."""

    description: str


class Parameter(_Part):
    """A value that is given when the workflow is deployed."""

    type: Literal["String", "SecureString"]
    metadata: ParameterMetadata


class Definition(_Part):
    """A whole definition."""

    language: Literal[SCHEMA] = Field(alias="$schema")  # type: ignore[valid-type]  # the one constant of this name
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+\.\d+$")] = Field(alias="contentVersion")
    parameters: dict[str, Parameter]
    triggers: Annotated[dict[str, RequestTrigger], Field(min_length=1, max_length=1)]
    actions: Actions
    outputs: dict[str, Json]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        names = [name for name, _ in all_actions(self.actions)]
        if len(names) != len(set(names)):
            raise ValueError("two actions have the same name")
        if wrong := [*_order(self.actions), *_references(self)]:
            raise ValueError("; ".join(wrong))
        return self


def load(file: Path) -> Definition:
    """Read a definition. Raises ValueError for what the documents do not allow."""
    return Definition.model_validate(json.loads(file.read_text(encoding="utf-8")))


def inner(action: Action) -> Iterator[Mapping[str, Action]]:
    """The groups of actions in an action."""
    if isinstance(action, IfAction | ScopeAction):
        yield action.actions
    if isinstance(action, IfAction) and action.otherwise is not None:
        yield action.otherwise.actions


def all_actions(actions: Mapping[str, Action], deep: int = 1) -> Iterator[tuple[str, Action]]:
    """Each action with its name, those inside of others too. Raises ValueError where they nest too deep."""
    if deep > MOST_DEEP:
        raise ValueError(f"actions nest more than {MOST_DEEP} deep")
    for name, action in actions.items():
        yield name, action
        for group in inner(action):
            yield from all_actions(group, deep + 1)


def _order(actions: Mapping[str, Action]) -> Iterator[str]:
    """What is wrong with the order of a group: an action comes after one of its own group, and none after itself."""
    done, left = set[str](), dict(actions)
    while ready := [name for name, action in left.items() if action.run_after.keys() <= done]:
        done.update(ready)
        left = {name: action for name, action in left.items() if name not in done}
    yield from (f"{name} comes after what is not there, or after itself" for name in left)
    for action in actions.values():
        for group in inner(action):
            yield from _order(group)


def _references(definition: Definition) -> Iterator[str]:
    """What expressions ask for that is not there."""
    names = {name for name, _ in all_actions(definition.actions)}
    known = {"parameters": {*definition.parameters}, "body": names, "result": names}
    dumped: Json = json.loads(definition.model_dump_json(by_alias=True))
    for expression in expressions_in(dumped):
        for call in calls_in(expression):
            match call:
                case Call(name, (Constant(str() as asked), *_)) if name in known and asked not in known[name]:
                    yield f"{name}('{asked}') is not there"

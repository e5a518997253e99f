"""The workflow definitions of infra/logic-apps hold what their documents ask for; the checks notice what does not."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.logic_apps.definition import Definition, HttpAction, WebhookAction, all_actions, load
from tests.logic_apps.playing import DEFINITIONS, MAIN, POLLING

FILES = sorted(DEFINITIONS.glob("*.json"))
PUBLISHED = DEFINITIONS.parents[2] / "shared" / "specs" / "logic-apps" / "workflowdefinition.json"
"""The published schema, where somebody has laid it beside the project, which carries no copy of it."""


def scope(raw: dict[str, Any]) -> dict[str, Any]:
    actions: dict[str, Any] = raw["actions"]["Migrate"]["actions"]
    return actions


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_definition_holds_what_the_documents_ask_for(file: Path) -> None:
    assert load(file).triggers


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_definition_holds_the_published_schema(file: Path) -> None:
    if not PUBLISHED.is_file():
        pytest.skip(f"the published schema is not at {PUBLISHED}: docs/logic-apps.md says where it is to be had")
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(file.read_text("utf-8")), json.loads(PUBLISHED.read_text("utf-8")))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_app_is_called_as_the_workflow_itself_and_no_key_or_secret_lies_in_a_definition(file: Path) -> None:
    definition, text = load(file), file.read_text("utf-8")
    requests = []
    for _, action in all_actions(definition.actions):
        if isinstance(action, HttpAction):
            requests.append(action.inputs)
        elif isinstance(action, WebhookAction):
            requests += [action.inputs.subscribe, action.inputs.unsubscribe]
    to_the_app = [each for each in requests if each.uri.startswith("@{parameters('api')}")]
    assert to_the_app
    assert all(each.authentication is not None for each in to_the_app)
    assert {name for name, each in definition.parameters.items() if each.type == "SecureString"} == {
        "tickets_authorization"
    }
    assert not any(word in text for word in ("x-functions-key", "code=", "sig="))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_what_holds_the_ticket_systems_secret_is_not_shown_in_the_runs_history(file: Path) -> None:
    for name, action in all_actions(load(file).actions):
        if "tickets_authorization" in action.model_dump_json() and isinstance(action, HttpAction | WebhookAction):
            shown = action.runtime_configuration
            assert shown is not None, name
            assert shown.secure_data.properties == ["inputs"], name


def test_the_one_that_waits_for_a_post_does_not_poll_and_the_other_does() -> None:
    starts = {file: dict(all_actions(load(file).actions))["Start"] for file in (MAIN, POLLING)}
    assert isinstance(starts[MAIN], HttpAction)
    assert isinstance(starts[POLLING], HttpAction)
    assert starts[MAIN].operation_options == "DisableAsyncPattern"
    assert starts[POLLING].operation_options == ""


def test_the_deployment_gives_each_parameter_and_knows_each_definition() -> None:
    bicep = (DEFINITIONS / "main.bicep").read_text("utf-8")
    assert {*re.findall(r"loadJsonContent\('([^']+)'\)", bicep)} == {file.name for file in FILES}
    given = bicep.partition("    parameters: {\n")[2].partition("\n    }\n")[0]
    for file in FILES:
        assert {*re.findall(r"^      (\w+): \{", given, re.MULTILINE)} == load(file).parameters.keys()


def _without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw.pop(key)


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "another language": lambda raw: raw.update({"$schema": "https://schema.management.azure.com/other#"}),
    "no version": _without("contentVersion"),
    "no trigger": lambda raw: raw["triggers"].clear(),
    "an unknown key": lambda raw: raw.update({"comment": "x"}),
    "an unknown kind of action": lambda raw: scope(raw)["Start"].update({"type": "Teleport"}),
    "an unknown method": lambda raw: scope(raw)["Start"]["inputs"].update({"method": "FETCH"}),
    "an action without an address": lambda raw: scope(raw)["Start"]["inputs"].pop("uri"),
    "after an action that is not there": lambda raw: scope(raw)["Start"].update(
        {"runAfter": {"Nobody": ["Succeeded"]}}
    ),
    "after itself": lambda raw: scope(raw)["Start"].update({"runAfter": {"Tell_the_end": ["Succeeded"]}}),
    "an unknown status": lambda raw: scope(raw)["Read_the_end"].update({"runAfter": {"Start": ["Fine"]}}),
    "a parameter that is not there": lambda raw: raw["parameters"].pop("api"),
    "the body of an action that is not there": lambda raw: scope(raw)["Start"]["inputs"].update(
        {"body": "@body('No')"}
    ),
    "an expression that is not closed": lambda raw: scope(raw)["Start"]["inputs"].update({"body": "@{body('Start'"}),
    "a limit beyond a run's": lambda raw: scope(raw)["Start"].update({"limit": {"timeout": "P100D"}}),
    "a name with blanks": lambda raw: scope(raw).update({"Start again": scope(raw)["Start"]}),
    "retries without an interval": lambda raw: scope(raw)["Start"]["inputs"].update(
        {"retryPolicy": {"type": "fixed", "count": 3}}
    ),
    "too many retries": lambda raw: scope(raw)["Start"]["inputs"].update(
        {"retryPolicy": {"type": "fixed", "count": 91, "interval": "PT5S"}}
    ),
    "the same name twice": lambda raw: raw["actions"].update({"Start": scope(raw)["Start"]}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_the_documents_do_not_allow_is_noticed(wrong: str) -> None:
    raw = copy.deepcopy(json.loads(POLLING.read_text("utf-8")))
    WRONG[wrong](raw)
    with pytest.raises(ValueError):  # pydantic's own text
        Definition.model_validate(raw)

"""The Bicep files against themselves and against the app: what no compiler sees here would show in Azure only."""

import ast
import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cmg_core.ledger.queues import queue_name
from cmg_core.ledger.rows import TABLE
from cmg_core.plan import STEPS
from cmg_core.settings import SECRET, Settings
from tests.unit.infra.language import Array, Constant, Loop, Name, Reader
from tests.unit.infra.templates import FILES, INFRA, OUTPUT, ROOT, body, decorators, template

HOSTS_OWN = {"CmgStorage__credential"}
"""The Functions host reads it, the app does not."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_parameter_and_output_says_what_it_is(path: Path) -> None:
    declared = {**template(path).part("parameters"), **template(path).part("outputs")}
    assert [name for name, one in declared.items() if not decorators(one).get("description")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_modules_exist_and_get_what_they_declare_and_no_more(path: Path) -> None:
    for name, declared in template(path).part("modules").items():
        called = template(path.parent / declared["detail"]["path"])
        given = set(body(declared)["params"])
        assert (name, called.required - given, given - set(called.part("parameters"))) == (name, set(), set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_outputs_that_are_used_are_declared(path: Path) -> None:
    here = template(path)
    modules = {name: path.parent / one["detail"]["path"] for name, one in here.part("modules").items()}
    for module, output in OUTPUT.findall(here.text):
        assert output in template(modules[module]).part("outputs"), f"{module}.outputs.{output}"


def test_the_parameters_file_gives_what_main_takes() -> None:
    given = set(json.loads((INFRA / "main.parameters.json").read_text())["parameters"])
    main = template(INFRA / "main.bicep")
    assert main.required <= given <= set(main.part("parameters"))


def test_secret_parameters_have_no_value_in_the_templates() -> None:
    for path in FILES:
        for name, one in template(path).part("parameters").items():
            looks_secret = re.search("software|password|secret|key$", name, re.IGNORECASE) and one["type"] == "string"
            if looks_secret or "secure" in decorators(one):
                assert "secure" in decorators(one) and one["default"] in (None, ""), f"{path.name}: {name}"


def _settings() -> dict[str, Any]:
    variables = template(INFRA / "modules" / "app.bicep").part("variables")
    return {**variables["storageSettings"]["value"], **variables["productSettings"]["value"]}


def test_the_settings_are_all_those_that_the_app_knows() -> None:
    """A deployment writes all settings anew: what is not among them is lost at the next one."""
    known = {field.alias for field in Settings.model_fields.values()}
    given = {name for name in _settings() if name.startswith(("CMG_", "CmgStorage"))}
    assert given - known - HOSTS_OWN == set()
    assert {name for name in known if name.startswith("CMG_")} - given == set()


def test_what_is_written_on_the_site_is_written_one_after_the_other() -> None:
    """App Service answers 409 where two writes on a site overlap. Source: Azure/azure-dev#3125, which puts them in
    order in azd's own templates. A diagnostic setting lies with Azure Monitor, not with the site."""
    path = INFRA / "modules" / "app.bicep"
    _, declared = Reader(path.read_text(), path.name).file()
    before: str | None = None
    written = 0
    for one in declared:
        body = one.value.body if isinstance(one.value, Loop) else one.value
        if one.kind == "resource" and body.get("parent") == Name("site"):
            assert body.get("dependsOn") == (Array((Name(before),)) if before else None), one.name
            assert one.decorators.get("batchSize") == (Constant(1) if isinstance(one.value, Loop) else None), one.name
            before, written = one.name, written + 1
    assert written > 1


def test_secret_settings_are_references_to_the_vault() -> None:
    given = _settings()
    secret = sorted(name for name in SECRET if name in given)
    assert [name for name in secret if "@Microsoft.KeyVault(SecretUri=" not in str(given[name])] == []


def test_the_queues_and_the_table_are_the_apps() -> None:
    storage = template(INFRA / "modules" / "storage.bicep")
    assert [queue_name(step) for step in storage.part("variables")["steps"]["value"]] == [
        queue_name(step.name) for step in STEPS
    ]
    assert body(storage.part("resources")["ledger"])["name"] == TABLE


def test_every_alert_asks_for_lines_that_the_app_writes_and_has_its_runbook() -> None:
    source = "".join(path.read_text() for path in (ROOT / "cmg_core").rglob("*.py")).replace('"\n            "', "")
    runbooks = (ROOT / "docs" / "runbooks.md").read_text()
    named = {alert["name"] for alert in _alerts()}
    assert {path.stem for path in (INFRA / "queries").glob("*.kql")} >= named
    for name in sorted(named):
        assert f"\n## {name}\n" in runbooks
        query = (INFRA / "queries" / f"{name}.kql").read_text()
        phrases = re.findall(r'(?:has|startswith) "([^"]+)"', query)
        assert phrases and [phrase for phrase in phrases if phrase not in source] == []


SEVERITY = {"info": 1, "warning": 2, "error": 3, "exception": 3}
"""What Application Insights makes of a level of the log (Microsoft Learn, "Application Insights data model", severity
level; azure-monitor-opentelemetry-exporter, `_get_severity_level`)."""


def _levels(phrases: list[str]) -> set[int]:
    """Those at which the app logs lines with one of these phrases."""
    return {
        SEVERITY[node.func.attr]
        for path in (ROOT / "cmg_core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEVERITY
        if any(
            phrase in str(text.value) for text in node.args[:1] if isinstance(text, ast.Constant) for phrase in phrases
        )
    }


def test_an_alert_that_asks_for_a_level_asks_for_that_of_its_lines() -> None:
    """A higher one would find nothing, for ever."""
    asked = {}
    for alert in _alerts():
        query = _query(alert["name"])
        lines = _levels(re.findall(r'has "([^"]+)"', query))
        for level in re.findall(r"SeverityLevel\b(.*?) and", query):
            asked[alert["name"]] = level
            assert [level] == [f" >= {each}" for each in lines], alert["name"]
    assert asked.keys() == {"unknown-errors"}


def test_rules_are_made_though_their_table_is_not_there_yet() -> None:
    """A workspace has AppTraces when the first line has come: Azure would refuse the rules of a first deployment."""
    rules = template(INFRA / "modules" / "alerts.bicep").part("resources")["rules"]
    assert body(rules)["properties"]["skipQueryValidation"] is True


def _alerts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template(INFRA / "modules" / "alerts.bicep").part("variables")["alerts"]["value"]
    return found


def _query(alert: str) -> str:
    text = (INFRA / "queries" / f"{alert}.kql").read_text()
    return "\n".join(line for line in text.splitlines() if not line.startswith("//"))


def _columns(statement: str) -> set[str]:
    """Those that a query's last operator leaves."""
    operator, _, listed = statement.split("|")[-1].strip().rstrip(";").partition(" ")
    assert operator in ("project", "summarize"), statement
    found = re.sub(r"arg_max\((.+?)\)", r"\1", listed).replace(" by ", ", ")
    return {column.partition("=")[0].strip() for column in found.split(",")}


def _lines(phrases: list[str]) -> list[str]:
    """What the app logs with one of these phrases, filled in."""
    texts = [
        node.value
        for path in (ROOT / "cmg_core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "%s" in node.value
    ]
    filled = {
        "deployment %s": "deployment 0123abcd-4567-4890-abcd-ef0123456789",
        "step %s": "step cut-over",
        "%s": "it",
    }
    found = [text for text in texts if any(phrase in text for phrase in phrases)]
    return [functools.reduce(lambda text, each: text.replace(*each), filled.items(), text) for text in found]


@pytest.mark.parametrize("alert", _alerts(), ids=lambda alert: alert["name"])
def test_an_alert_is_split_by_a_column_of_its_query_that_each_line_fills(alert: dict[str, Any]) -> None:
    """A row without a value would be of no deployment's alert."""
    query = _query(alert["name"])
    statements = [each for each in query.split(";") if "|" in each]
    assert [each for each in statements if alert["by"] not in _columns(each)] == []
    [pattern] = re.findall(rf'{alert["by"]} = extract\(@"(.+?)", 1, Message\)', query)
    lines = _lines(re.findall(r'has "([^"]+)"', query))
    assert lines and [line for line in lines if not ((found := re.search(pattern, line)) and found[1])] == []


def test_the_runbooks_say_by_what_mails_come_and_whether_an_end_is_told() -> None:
    rows = re.findall(
        r"^\| ([a-z-]+) \| (\w+)[^|]* \|[^|]+\| (yes|no)\b", (ROOT / "docs" / "runbooks.md").read_text(), re.M
    )
    assert rows == [(one["name"], one["by"].lower(), "yes" if one["lasts"] else "no") for one in _alerts()]


def test_the_host_leaves_out_no_line_that_an_alert_asks_for() -> None:
    """Without it 20 a second are kept (Microsoft Learn, "host.json reference", samplingSettings)."""
    host = json.loads((ROOT / "host.json").read_text())
    excluded = host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")
    assert {"Trace", "Exception"} <= set(excluded)

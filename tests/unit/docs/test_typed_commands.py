"""Every command of the documentation is one that the project understands, or one that needs Azure and is known as such.

The tutorial's are run, one after the other, by tests/e2e/test_tutorial.py; the demo's samples by tests/flows.
"""

import argparse
import inspect
import json
import re
import runpy
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

import dev
from cmg_core.domain.values import Json, JsonObject, at, objects_at
from cmg_core.triggers.http import DESCRIPTION
from local.azure import door as simulator
from local.azure.seed_models import WorldSeed
from local.azure.site import SiteChange
from tests.unit.docs.commands import PAGES, STANDING, Typed, blocks_of, inline_of, typed

NEEDS_AZURE = {
    "azd": "the Azure Developer CLI: makes the app's resources and publishes it",
    "az account": "a token of Entra ID, and the subscription that the Azure CLI works in",
    "az ad": "app registrations and service principals of Entra ID",
    "az cloud": "the cloud that the Azure CLI works in",
    "az deployment": "Azure deploys a template",
    "az functionapp": "settings of the app in Azure, and stopping it",
    "az group": "the app's resource group",
    "az keyvault": "a vault's access policies, and a deleted vault",
    "az lock": "the lock that keeps the storage account",
    "az logic": "a Logic App",
    "az login": "whoever copies the ledger of an app in Azure",
    "az provider": "registers a resource provider in the subscription",
    "az resource": "a list of resources by tag",
    "az rest": "assignments of app roles by Microsoft Graph",
    "az role": "Azure's role definitions and assignments",
    "az storage": "the package of an app with plan=premium, the ledger's table and the queues",
}
"""Commands that nothing on this machine can run: by their first words, and what they need Azure for. All else must be
understood here."""
RUN_BY = {
    "audit": "tests/unit/host/test_audit.py",
    "chaos": "tests/flows/test_chaos.py",
    "demo": "tests/e2e/test_demo.py",
    "docs": "tests/unit/docs/test_site.py",
    "help": "tests/unit/host/test_dev.py",
    "host": "tests/e2e/test_up.py",
    "lock": "tests/unit/host/test_dev.py",
    "package": "tests/e2e/test_package.py",
    "ledger": "tests/integration/test_ledger_copy.py",
    "plan": "tests/integration/test_dev_plan.py",
    "test": "tests/conftest.py",  # whoever reads this has run it
    "up": "tests/e2e/test_tutorial.py",
}
"""What runs each command of dev.py, as the pages have it or nearly so."""
DOOR: Mapping[str, type[BaseModel]] = {"/_sim/seed": WorldSeed, "/_sim/site": SiteChange}
"""What the simulator's door takes as bodies."""
DOOR_ROUTE = re.compile(r'web\.(get|post|delete)\("(/_sim/[\w/]+)"')
CONFIGURED_HEADER = re.compile(r'^header = "(.*)"$', re.MULTILINE)
"""A header in a file of curl's arguments (`-K`)."""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Typed, Path]]:
    """All commands, each with the folder in which it was typed."""
    found = []
    for page in PAGES:
        if blocks_of(page) or inline_of(page):
            folder = tmp_path_factory.mktemp(page.stem)
            found += [(each, folder) for each in typed(page, folder)]
    return found


def of(commands: list[tuple[Typed, Path]], program: str) -> Iterator[tuple[Typed, Path]]:
    return ((each, folder) for each, folder in commands if each.program == program)


class Understood(Exception):
    """The arguments were read; nothing was begun."""


def test_commands_of_all_pages_were_typed(commands: list[tuple[Typed, Path]]) -> None:
    pages = {each.page for each, _ in commands}
    assert {"README.md", "CONTRIBUTING.md", "infra/README.md", "docs/tutorial.md", "docs/de/schnellstart.md"} <= pages
    assert {"docs/campaigns.md", "docs/runbooks.md", "docs/deploy.md"} <= pages  # indented
    assert len(commands) > 80


def test_each_command_of_dev_py_is_understood(
    commands: list[tuple[Typed, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = argparse.ArgumentParser.parse_args

    def understand(parser: argparse.ArgumentParser, *given: object, **more: object) -> None:
        read(parser, *given, **more)  # type: ignore[call-overload]  # whatever it is given
        raise Understood

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", understand)
    for each, _ in of(commands, "python3"):
        if each.arguments[0] != "dev.py":
            continue
        command, *arguments = each.arguments[1:]
        if command == "help" or arguments == ["--help"]:
            continue
        assert command in dev.COMMANDS, each
        if command == "test":  # pytest's own arguments
            assert [word for word in arguments if word.startswith("tests/") and not (dev.ROOT / word).exists()] == []
            continue
        monkeypatch.setattr(sys, "argv", ["dev.py", *arguments])
        module = dev.COMMANDS[command][0]
        for imported in (module, f"{module}.__main__"):  # by another test; it is to run as in a process of its own
            monkeypatch.delitem(sys.modules, imported, raising=False)
        try:
            with pytest.raises(Understood):
                runpy.run_module(module, run_name="__main__")
        except SystemExit:
            pytest.fail(f"{each}: its arguments are refused")


def test_each_documented_command_of_dev_py_is_run_by_a_test(commands: list[tuple[Typed, Path]]) -> None:
    documented = {each.arguments[1] for each, _ in of(commands, "python3") if each.arguments[0] == "dev.py"}
    assert documented <= RUN_BY.keys() == {"help", *dev.COMMANDS}
    assert [file for file in RUN_BY.values() if not (dev.ROOT / file).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_variable_is_one_that_bash_keeps_for_itself(page: Path) -> None:
    """Bash takes no value for these, and says nothing."""
    own = re.compile(
        r"^\s*(?:GROUPS|FUNCNAME|DIRSTACK|RANDOM|SECONDS|LINENO|BASHPID|PIPESTATUS|U?E?UID|PPID)=", re.MULTILINE
    )
    assert own.findall("\n".join(blocks_of(page))) == []


def test_each_file_that_a_command_names_is_there(commands: list[tuple[Typed, Path]]) -> None:
    for each, folder in commands:
        for word in each.arguments:
            name = word.removeprefix("@")
            if word.startswith("@") or ("/" in name and name.split("/")[0] in STANDING):
                assert (folder / name).exists(), each


def test_each_call_is_one_that_the_app_or_the_simulator_answers(commands: list[tuple[Typed, Path]]) -> None:
    calls = [(each, called(each, folder)) for each, folder in of(commands, "curl")]
    assert len(calls) > 25
    # Its routes stand in the file; to make it takes a running simulator.
    doors = {(word.upper(), path) for word, path in DOOR_ROUTE.findall(inspect.getsource(simulator))}
    for each, (method, path, body, headers) in calls:
        if path.startswith("/_sim/"):
            assert (method, path) in doors, each
            if path in DOOR:
                DOOR[path].model_validate_json(body or "")
            continue
        operation = operation_of(method, path.removeprefix("/api"))
        assert operation is not None, each
        assert ("x-functions-key" in headers) == bool(operation["security"]), each
        schema = at(operation, "requestBody", "content", "application/json", "schema")
        if schema is None:
            assert body is None, each
        elif body or at(operation, "requestBody", "required"):
            assert mistakes(schema, json.loads(body or "null")) == [], each


def test_whatever_needs_azure_is_known_to_need_it_and_nothing_else_is(commands: list[tuple[Typed, Path]]) -> None:
    used = {"azd" for _ in of(commands, "azd")} | {f"az {each.arguments[0]}" for each, _ in of(commands, "az")}
    assert used == NEEDS_AZURE.keys()


def test_each_custom_role_that_a_command_assigns_is_one_of_those_described(commands: list[tuple[Typed, Path]]) -> None:
    described = {json.loads(file.read_text())["Name"] for file in (dev.ROOT / "infra" / "roles").glob("*.json")}
    assigned = {
        word.partition(" (")[0]  # what azd adds to a name
        for each, _ in of(commands, "az")
        for option, word in pairwise(each.arguments)
        if option == "--role" and word.startswith("CMG migrator: ")
    }
    assert assigned
    assert assigned <= described


def called(each: Typed, folder: Path) -> tuple[str, str, str | None, dict[str, str]]:
    """Method, path, body and headers of a call, as curl would send them."""
    parser = argparse.ArgumentParser()
    for flag in ("-s", "-S", "--fail-with-body"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-K", type=Path)
    parser.add_argument("-X")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("-o")
    parser.add_argument("url")
    said = parser.parse_args(each.arguments)
    body = (folder / said.d[1:]).read_text() if (said.d or "").startswith("@") else said.d
    given = [*said.H, *(CONFIGURED_HEADER.findall(said.K.read_text()) if said.K else ())]
    headers = {name.lower(): value for name, _, value in (header.partition(": ") for header in given)}
    # What Azure's commands tell of an address has no scheme here, or is nothing at all.
    path = "/" + urlsplit(said.url).path.partition("/")[2]
    return said.X or ("GET" if body is None else "POST"), path, body, headers


def operation_of(method: str, path: str) -> JsonObject | None:
    """The described call of that method whose path this is one of."""
    paths = DESCRIPTION.document["paths"]
    assert isinstance(paths, dict)
    for known, calls in paths.items():
        parts = list(zip(known.split("/"), path.split("/"), strict=False))
        fits = known.count("/") == path.count("/") and all(one == two or one.startswith("{") for one, two in parts)
        operation = at(calls, method.lower())
        if fits and isinstance(operation, dict):
            gate = next((each for each in objects_at(operation, "parameters") if each.get("name") == "gate"), None)
            names = at(gate, "schema", "enum")
            assert not isinstance(names, list) or path.rpartition("/")[2] in names
            return operation
    return None


def mistakes(schema: Json, body: Json) -> list[str]:
    components = DESCRIPTION.document["components"]
    assert isinstance(schema, dict)
    return [each.message for each in Draft202012Validator({**schema, "components": components}).iter_errors(body)]

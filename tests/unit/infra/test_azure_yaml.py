"""azure.yaml against what it names, and one version everywhere."""

import re
import tomllib
from typing import Any

import yaml

from cmg_core import __version__
from cmg_core.domain.values import text_at
from tests.serving import description
from tests.unit.infra.templates import INFRA, ROOT, resources

AZURE: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text())
HOOKS = {"preprovision", "postprovision", "predeploy", "postdeploy", "prepackage", "postpackage", "preup", "postup"}


def test_it_has_the_keys_that_azd_knows_and_no_other() -> None:
    """Source: Azure/azure-dev, schemas/v1.0/azure.yaml.json: another key is passed over in silence."""
    assert set(AZURE) == {"name", "metadata", "infra", "services", "hooks"}
    assert set(AZURE["infra"]) == {"provider", "path", "module"}
    assert set(AZURE["services"]["app"]) <= {"project", "language", "host", "remoteBuild"}
    assert set(AZURE["hooks"]) <= HOOKS
    for hook in AZURE["hooks"].values():
        assert set(hook) == {"posix", "windows"}, "with both of them azd takes nothing beside them"
        assert all(set(one) <= {"shell", "run", "interactive", "continueOnError"} for one in hook.values())


def test_what_it_names_is_there() -> None:
    assert (ROOT / AZURE["infra"]["path"] / f"{AZURE['infra']['module']}.bicep").is_file()
    app = AZURE["services"]["app"]
    assert (app["language"], app["host"]) == ("python", "function")
    assert (ROOT / app["project"] / "function_app.py").is_file() and (ROOT / app["project"] / "host.json").is_file()
    for hook in AZURE["hooks"].values():
        program, script = hook["posix"]["run"].split()
        assert (hook["posix"]["shell"], program) == ("sh", "python3") and (ROOT / script).is_file()


def test_windows_runs_the_same_by_either_name_of_python_and_hands_its_end_on() -> None:
    """python.org's installer brings `py`, the Store's `python` alone; there is no python3. By itself a script of
    PowerShell ends with 0, whatever the program in it said (Microsoft Learn, "about_Pwsh", -File)."""
    for hook in AZURE["hooks"].values():
        script, windows = hook["posix"]["run"].split()[1], hook["windows"]
        assert windows["shell"] == "pwsh"
        assert re.findall(r"\{ (.+?) \}", windows["run"]) == [f"py -3 {script}", f"python {script}"]
        assert windows["run"].endswith("; exit $LASTEXITCODE")


def test_the_template_marks_the_app_that_the_service_is_published_to() -> None:
    """azd finds a service's resource by the tag azd-service-name."""
    text = "".join(path.read_text() for path in INFRA.rglob("*.bicep"))
    assert re.findall(r"'azd-service-name': '(\w+)'", text) == list(AZURE["services"])
    assert any(kind.startswith("Microsoft.Web/sites@") for _, kind, _ in resources())


def test_the_version_is_one() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert text_at(description(), "info", "version") == __version__
    assert AZURE["metadata"]["template"] == f"{AZURE['name']}@{__version__}"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_the_changelog_begins_with_the_version_that_runs() -> None:
    """Who reads `version` in the app's health finds there what it can do."""
    first = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)[0]
    assert re.fullmatch(rf"{re.escape(__version__)} \((not yet released|\d{{4}}-\d\d-\d\d)\)", first)


def test_the_version_is_written_down_in_no_other_place_that_ships() -> None:
    """What shows it takes it from the one place; recorded examples are what an app once answered."""
    named = [path for path in (ROOT / "cmg_core").rglob("*.py") if __version__ in path.read_text()]
    assert [path.relative_to(ROOT).as_posix() for path in named] == ["cmg_core/__init__.py"]

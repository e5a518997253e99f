"""dev.py finds its tools, and the lock files say the same as what ships."""

import ast
import json
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dev

ROOT = Path(dev.__file__).parent


def program(folder: Path, name: str, script: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_it_starts_on_the_oldest_python_it_names() -> None:
    ast.parse((ROOT / "dev.py").read_text(), feature_version=(3, 9))


def test_help_teaches_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(["help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {command}" in shown for command in dev.COMMANDS)
    assert dev.main(["no-such-command"]) == 2


def test_a_shim_that_refuses_is_no_python(tmp_path: Path) -> None:
    assert not dev.is_python(str(program(tmp_path, "python3.13", "exit 127")))
    assert not dev.is_python(str(tmp_path / "missing"))


@pytest.mark.parametrize(("version", "found"), [("v16.20.2", False), ("v18.0.0", True), ("v24.1.0", True), ("", False)])
def test_node_must_be_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: bool) -> None:
    node = program(tmp_path, "node", f"echo {version}")
    program(tmp_path, "npm", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dev.find_node() == (str(node) if found else None)


def test_only_a_whole_environment_of_these_lock_files_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "DEV", tmp_path)
    tools = {name: str(program(tmp_path, name, "exit 0")) for name in ("python", "node", "azurite", "spectral")}
    file = tmp_path / "tools.json"
    assert dev.made("key") is None
    file.write_text('{"key": "key", "pyth')
    assert dev.made("key") is None
    file.write_text(json.dumps({"key": "key", **tools}))
    assert dev.made("another key") is None
    assert dev.made("key") == {"key": "key", **tools}
    Path(tools["azurite"]).unlink()
    assert dev.made("key") is None


def pins(file: str) -> dict[str, str]:
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and line[0] not in "# "]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( \\)?", line) for line in lines)
    return dict(line.removesuffix(" \\").lower().replace("_", "-").split("==") for line in lines)


def test_what_ships_is_developed_with() -> None:
    assert pins("requirements.in").items() <= pins("requirements.txt").items() <= pins("requirements-dev.lock").items()


def test_what_ships_brings_all_that_it_needs_each_with_its_hashes() -> None:
    """Else pip refuses the whole of requirements.txt, and a build in Azure ends there: run `python3 dev.py lock`."""
    shipped = pins("requirements.txt")
    needed = {
        canonicalize_name(Requirement(line).name)
        for name in shipped
        for line in distribution(name).requires or ()
        if (marker := Requirement(line).marker) is None or marker.evaluate({"extra": ""})
    }
    assert needed - set(shipped) == set()
    parts = re.split(r"^(?=\S)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert [part for part in parts if "==" in part and "--hash=sha256:" not in part] == []


def test_lock_files_leave_the_registry_to_the_machine() -> None:
    for lock in (*dev.LOCKS, "requirements.txt"):
        assert '"resolved"' not in (ROOT / lock).read_text()
        assert "--index-url" not in (ROOT / lock).read_text()

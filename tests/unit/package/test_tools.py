"""Tools that are installed when first asked for, and the lock that one of them writes; programs stand in for them."""

import sys
from pathlib import Path

import pytest

from local.dev import lock, on_demand


def program(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the project's place, whose interpreter makes environments in which pip does as `pip` says."""
    making = 'mkdir -p "$3/bin" && cp "$0.inside" "$3/bin/python" && echo made >> "$0.log"'
    program(tmp_path / "python", making)
    program(tmp_path / "python.inside", "exit 0")
    monkeypatch.setattr(on_demand, "ROOT", tmp_path)
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return tmp_path


def test_a_tool_is_installed_once(root: Path) -> None:
    assert on_demand.programs("tool==1.0") == on_demand.programs("tool==1.0") == root / ".dev" / "tool-1.0" / "bin"
    assert (root / "python.log").read_text() == "made\n"


def test_a_tool_that_could_not_be_installed_is_tried_anew(root: Path) -> None:
    program(root / "python.inside", "echo No matching distribution >&2; exit 1")
    for _ in range(2):
        with pytest.raises(on_demand.NotInstalled, match=r"tool==1\.0 .*: No matching distribution"):
            on_demand.programs("tool==1.0")
    assert (root / "python.log").read_text() == "made\nmade\n"


@pytest.mark.parametrize(
    ("script", "code", "left"),
    [("echo a==1.0", 0, lock.HEAD + "a==1.0\n"), ("echo half; echo no network >&2; exit 1", 1, "as it was")],
)
def test_a_lock_that_cannot_be_made_whole_leaves_the_old_one(
    script: str, code: int, left: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_demand.programs(lock.UV)
    program(root / ".dev" / lock.UV.replace("==", "-") / "bin" / "uv", script)
    (root / "requirements.txt").write_text("as it was")
    monkeypatch.setattr(sys, "argv", ["lock"])
    assert lock.main() == code
    assert (root / "requirements.txt").read_text() == left

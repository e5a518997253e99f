"""What is published: nothing that stays here, all that the app needs, the same by both readings of .funcignore."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.dev.cold_start import cold_start
from local.dev.package import PackageError, lay, main, shipped, size
from local.dev.processes import ROOT
from local.dev.secret_scan import finds_in

AT_THE_ROOT = {"LICENSE", "cmg_core", "function_app.py", "host.json", "requirements.txt"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    lay(folder)
    return folder


def by_core_tools(lines: list[str], path: str) -> bool:
    """Whether Core Tools publishes a file: each line is the beginning of a path, whatever lies in between.

    Source: Azure/azure-functions-core-tools, GitIgnoreParser.cs: ``**`` is anything, ``*`` anything but a slash, both
    of at least one character; a leading slash is dropped; nothing anchors the end.
    """
    for line in filter(None, (line.strip() for line in lines if not line.startswith("#"))):
        pattern = re.escape(line.removeprefix("/")).replace(r"\*\*", "(.+)").replace(r"\*", "([^/]+)")
        if re.match(pattern, path):
            return False
    return True


def of_the_tree() -> Iterator[str]:
    """All files but those of folders that hold a hundred thousand, which have their own test."""
    for folder, folders, files in ROOT.walk():
        folders[:] = [name for name in folders if name not in (".dev", ".git", ".venv", "node_modules")]
        yield from ((folder / name).relative_to(ROOT).as_posix() for name in files)


def test_nothing_is_published_but_the_app(packed: Path) -> None:
    assert {path.name for path in packed.iterdir()} == AT_THE_ROOT


def test_all_of_the_app_is_published(packed: Path) -> None:
    here = {path.relative_to(ROOT) for path in (ROOT / "cmg_core").rglob("*.*") if path.suffix != ".pyc"}
    assert here == {path.relative_to(packed) for path in (packed / "cmg_core").rglob("*.*")}


def test_core_tools_publishes_the_same(packed: Path) -> None:
    lines = (ROOT / ".funcignore").read_text().splitlines()
    assert not any(line.startswith("!") for line in lines), "Core Tools lets such a line win wherever it stands"
    by_git = {path.as_posix() for path in shipped()}
    by_core = {path for path in of_the_tree() if by_core_tools(lines, path)}
    assert by_core == by_git


@pytest.mark.parametrize(
    "stays",
    [
        ".azure/prod/.env",
        ".dev/run/environment.json",
        ".git/config",
        ".venv/bin/python",
        "__pycache__/function_app.cpython-313.pyc",
        "cmg_core/steps/__pycache__/cut_over.cpython-313.pyc",
        "infra/main.bicep",
        "local.settings.json",
        "node_modules/a/b.js",
    ],
)
def test_what_may_hold_secrets_or_is_made_here_stays(stays: str, tmp_path: Path) -> None:
    for name in (".funcignore", "function_app.py", stays):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / ".funcignore").read_text())
    assert [path.as_posix() for path in shipped(tmp_path)] == ["function_app.py"]
    assert not by_core_tools((ROOT / ".funcignore").read_text().splitlines(), stays)


def test_no_secret_is_published(packed: Path) -> None:
    texts = {path: path.read_text(errors="replace") for path in packed.rglob("*") if path.is_file()}
    assert [str(find) for path, text in texts.items() for find in finds_in(str(path), text)] == []


def test_it_starts_from_a_clean_folder_and_leaves_nothing_there(packed: Path) -> None:
    before = size(packed)
    start = cold_start(packed)
    assert {"start-migration", "show-health", "preflight", "notify", "wake-due"} <= set(start.functions)
    assert (start.health, size(packed)) == (200, before)


def test_the_report_says_what_was_laid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--out", str(tmp_path / "app")]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["folder"], made["bytes"]) == (str(tmp_path / "app"), size(tmp_path / "app"))
    assert made["files"] == len(list(shipped())) and made["bytes_with_packages"] is None
    assert made["functions"] > 30 and 0 < made["import_s"] < made["cpu_s"]


def test_a_package_replaces_a_package_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(PackageError, match="something else"):
        lay(tmp_path)
    assert main(["--out", str(ROOT)]) == 1 and "something else" in capsys.readouterr().err
    (tmp_path / "thesis.txt").unlink()
    lay(tmp_path)
    (tmp_path / "cmg_core" / "gone.py").touch()
    lay(tmp_path)
    assert not (tmp_path / "cmg_core" / "gone.py").exists()

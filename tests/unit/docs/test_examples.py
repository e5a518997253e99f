"""The worked examples of CONTRIBUTING.md fit this tree: applied to a copy of it, the tests that each names pass."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.dev.processes import ROOT

EXAMPLES = {
    "add-a-finding": (
        "tests/unit/domain/test_scope.py",
        "tests/unit/test_findings_page.py::test_each_code_has_a_section_and_each_section_a_code",
        "tests/unit/test_findings_page.py::test_a_section_begins_with_the_severities_that_the_code_says[single-instance]",
    ),
    "add-a-step": (
        "tests/unit/steps/test_warm_up.py",
        "tests/unit/test_plan.py",
        "tests/unit/infra/test_bicep.py::test_the_queues_and_the_table_are_the_apps",
    ),
    "add-a-simulated-resource": ("tests/unit/azure/test_route_tables.py",),
}
LARGEST = 120
"""Lines of a patch: an example shows how little is needed."""


def patch_of(example: str) -> Path:
    return ROOT / "docs" / "examples" / f"{example}.patch"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with all examples applied."""
    copy = tmp_path_factory.mktemp("examples") / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "node_modules"))
    for example in EXAMPLES:
        applied = subprocess.run(["git", "apply", str(patch_of(example))], cwd=copy, capture_output=True, text=True)
        assert applied.returncode == 0, f"{example}: {applied.stderr}"
    return copy


def run(copy: Path, *command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_examples_pass(copy: Path) -> None:
    tests = [test for named in EXAMPLES.values() for test in named]
    run(copy, "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests)


def test_the_examples_are_written_as_the_project_is(copy: Path) -> None:
    files = [
        name
        for example in EXAMPLES
        for name in re.findall(r"^\+\+\+ b/(\S+\.py)$", patch_of(example).read_text(), re.MULTILINE)
    ]
    run(copy, "ruff", "check", "--no-cache", *files)
    run(copy, "ruff", "format", "--no-cache", "--check", *files)


def test_the_page_names_every_example_and_each_is_small() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    assert sorted(EXAMPLES) == sorted(patch.stem for patch in (ROOT / "docs" / "examples").glob("*.patch"))
    for example in EXAMPLES:
        assert f"](docs/examples/{example}.patch)" in page
        assert len(patch_of(example).read_text().splitlines()) <= LARGEST

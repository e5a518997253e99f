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
        "tests/flows/test_samples.py::test_who_makes_the_gateway_decides_the_steps[s07-own-domain-from-classic]",
    ),
    "add-a-simulated-resource": (
        "tests/unit/azure/test_route_tables.py",
        "tests/unit/docs/test_links.py::test_files_that_pages_name_are_there",
    ),
}
ANNOUNCED = ("`python -m local.dev.examples`", "`tests/integration/test_description.py`")
"""What no patch can bring, because it is recorded anew each time, and the test that fails before."""
LARGEST = 120
"""Lines of a patch: an example shows how little is needed."""


def patch_of(example: str) -> Path:
    return ROOT / "docs" / "examples" / f"{example}.patch"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with all examples applied: one that a newcomer has applied to the tree is in it already."""
    copy = tmp_path_factory.mktemp("examples") / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "node_modules"))
    for example in EXAMPLES:
        if apply(copy, example, "--reverse", "--check").returncode != 0:
            applied = apply(copy, example)
            assert applied.returncode == 0, f"{example}: {applied.stderr}"
    return copy


def apply(copy: Path, example: str, *how: str) -> "subprocess.CompletedProcess[str]":
    command = ["git", "apply", *how, str(patch_of(example))]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True)


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
    if (known := ROOT / ".dev" / "mypy").is_dir():  # what `dev.py test` has looked at just before: seconds less
        shutil.copytree(known, copy / ".dev" / "mypy")
    run(copy, "mypy", *(name for name in files if not name.startswith("tests/")))


def test_the_page_names_every_example_with_what_else_it_takes_and_each_is_small() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    assert [told for told in ANNOUNCED if told not in page] == []
    assert sorted(EXAMPLES) == sorted(patch.stem for patch in (ROOT / "docs" / "examples").glob("*.patch"))
    for example in EXAMPLES:
        assert f"](docs/examples/{example}.patch)" in page
        assert len(patch_of(example).read_text().splitlines()) <= LARGEST

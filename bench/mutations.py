"""What the fast tests do not notice when the rules are changed:
python -m bench.mutations [name of a mutant or pattern]…

Works on a copy of the tree in ``.dev/mutations``, never on the tree itself. Takes ``mutmut``, which it installs beside
that copy, but leaves texts for people alone: what a finding says in which words is for readers to judge, not for tests
to pin.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MUTMUT = "mutmut==3.8.1"
HERE = ROOT / ".dev" / "mutations"
TOOLS, COPY = HERE / "tools", HERE / "copy"
PARTS = ("cmg_core", "docs", "local", "samples", "tests", "function_app.py", "pyproject.toml")
MUTATED = (
    "cmg_core/domain/*.py",
    "cmg_core/engine.py",
    "cmg_core/wake.py",
    *(f"cmg_core/steps/{name}.py" for name in ("cut_over", "removing", "retire_old_gateway", "roll_back")),
)
TESTS = (
    "tests/unit/domain",
    "tests/unit/engine",
    "tests/unit/steps",
    "tests/unit/test_wake.py",
    "tests/unit/notify/test_addresses.py",
)
SETTINGS = f"""
[tool.mutmut]
source_paths = ["cmg_core"]
only_mutate = {list(MUTATED)}
also_copy = {[part for part in PARTS if part != "cmg_core"]}
pytest_add_cli_args_test_selection = {list(TESTS)}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
"""


def main(names: list[str]) -> int:
    """Make the copy, and let another process of this file run mutmut in it."""
    if not TOOLS.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", TOOLS, MUTMUT], check=True)
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, COPY / part)  # type: ignore[operator]  # both take source and target
    with (COPY / "pyproject.toml").open("a") as file:
        file.write(SETTINGS)
    environment = {**os.environ, "PYTHONPATH": str(TOOLS), "CMG_HYPOTHESIS": "mutations"}
    return subprocess.run([sys.executable, __file__, "--in-copy", *names], cwd=COPY, env=environment).returncode


def _holds_prose(node: Any) -> bool:
    """Whether a piece of syntax holds a text for people."""
    import libcst
    from libcst import matchers

    texts = matchers.findall(node, matchers.SimpleString() | matchers.FormattedStringText())
    kinds = libcst.SimpleString | libcst.FormattedStringText
    return any(" " in text.value.strip() for text in texts if isinstance(text, kinds))


def run_mutmut(names: list[str]) -> None:
    """Run mutmut in the present directory, without mutants of texts, and print what survived."""
    import libcst
    from mutmut.__main__ import cli
    from mutmut.mutation import mutators

    type Operator = Callable[[Any], Iterable[Any]]

    def sparing_texts(operator: Operator) -> Operator:
        def spared(node: Any) -> Iterable[Any]:
            is_text = isinstance(node, libcst.BaseString | libcst.Call) and _holds_prose(node)
            return () if is_text else operator(node)

        return spared

    mutators.mutation_operators[:] = [(kind, sparing_texts(operator)) for kind, operator in mutators.mutation_operators]
    cli(["run", "--max-children", "1", *names], standalone_mode=False)


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--in-copy"]:
        run_mutmut(given[1:])
    else:
        sys.exit(main(given))

"""`python3 dev.py audit`: what is known against the project's parts, and secrets in tree and history (network).

`CHECKS` is the whole list: add a line to it. Exit code 1 for a finding, and for a check that could not be made.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from local.dev.processes import ROOT, inherited, python
from local.dev.secret_scan import Find, in_the_history, in_the_tree

PIP_AUDIT = "pip-audit==2.10.1"
"""In an environment of its own: it brings thirty packages that nothing else here needs."""
LONGEST_S = 600
MOST_TOLD = 20


class Outcome(StrEnum):
    PASSED = "passed"
    FOUND = "found"
    NOT_MADE = "not made"


@dataclass(frozen=True)
class Result:
    """What came of a check: one line, and what it found."""

    outcome: Outcome
    line: str
    found: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Check:
    """One check. ``run`` may raise OSError, SubprocessError or ValueError: then it could not be made."""

    name: str
    about: str
    run: Callable[[], Result]


def of_finds(finds: Sequence[object], clean: str, what: str) -> Result:
    """Nothing found passes."""
    if finds:
        return Result(Outcome.FOUND, f"{len(finds)} {what}", [str(each) for each in finds])
    return Result(Outcome.PASSED, clean)


def _run(command: Sequence[str], folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    proxied = {name: os.environ[name] for name in ("HTTPS_PROXY", "NO_PROXY") if name in os.environ}
    return subprocess.run(
        command, cwd=folder, env=inherited() | proxied, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )


def python_packages() -> Result:
    """Known vulnerabilities of what the lock file pins."""
    folder = ROOT / ".dev" / PIP_AUDIT.replace("==", "-")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, PIP_AUDIT]):
            done = _run(command)
            if done.returncode:
                return Result(Outcome.NOT_MADE, f"{PIP_AUDIT} could not be installed: {_last(done.stderr)}")
        (folder / "complete").touch()
    command = [str(folder / "bin" / "pip-audit"), "--disable-pip", "--no-deps", "--progress-spinner=off"]
    done = _run([*command, "--format=json", "--requirement", str(ROOT / "requirements-dev.lock")])
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return Result(Outcome.NOT_MADE, f"pip-audit gave no answer: {_last(done.stderr)}")
    known = [f"{each['name']} {each['version']}: {bug['id']}" for each in packages for bug in each.get("vulns", ())]
    skipped = [f"{each['name']} was skipped: {each['skip_reason']}" for each in packages if "skip_reason" in each]
    if skipped and not known:
        return Result(Outcome.NOT_MADE, f"{len(skipped)} of {len(packages)} packages could not be looked up", skipped)
    return of_finds(
        [*known, *skipped], f"{len(packages)} packages, nothing known against them", "known vulnerabilities"
    )


def node_packages() -> Result:
    """Known vulnerabilities of Azurite, which runs on this machine only and is not shipped: high and critical count."""
    npm = shutil.which("npm")
    if npm is None:
        return Result(Outcome.NOT_MADE, "npm is not on PATH")
    done = _run([npm, "audit", "--package-lock-only", "--json", "--audit-level=high"], ROOT / "local" / "azurite")
    document = json.loads(done.stdout)
    if "vulnerabilities" not in document:
        return Result(Outcome.NOT_MADE, f"npm audit gave no answer: {document.get('message') or _last(done.stderr)}")
    grave = [
        f"{name}: {each['severity']}"
        for name, each in sorted(document["vulnerabilities"].items())
        if each["severity"] in ("high", "critical")
    ]
    return of_finds(grave, "nothing grave is known against Azurite's packages", "packages with grave vulnerabilities")


def security_rules() -> Result:
    """Ruff's security rules (flake8-bandit), whose exceptions stand with their reasons in pyproject.toml."""
    done = _run([*python(), "ruff", "check", "--output-format=concise", "cmg_core", "local", "dev.py"])
    lines = [line for line in done.stdout.splitlines() if re.search(r": S\d{3} ", line)]
    if done.returncode and not lines:
        return Result(Outcome.NOT_MADE, f"ruff gave no answer: {_last(done.stderr)}")
    return of_finds(lines, "no rule is broken", "broken rules")


def secrets_in_the_tree() -> Result:
    """What looks like a secret in the files that are here."""
    return of_finds(in_the_tree(ROOT), "no file holds what looks like a secret", "places that look like secrets")


def secrets_in_the_history() -> Result:
    """What looks like a secret in any line that was ever committed."""
    finds: list[Find] = in_the_history(ROOT)
    return of_finds(finds, "no commit ever added what looks like a secret", "places that look like secrets")


CHECKS = (
    Check("python-packages", "known vulnerabilities of Python packages (network)", python_packages),
    Check("node-packages", "known vulnerabilities of the storage emulator's packages (network)", node_packages),
    Check("security-rules", "ruff's security rules", security_rules),
    Check("secrets-tree", "secrets in the files", secrets_in_the_tree),
    Check("secrets-history", "secrets in the history", secrets_in_the_history),
)
"""Every check, in order."""


def made(check: Check) -> Result:
    """The check's result; one that broke could not be made."""
    try:
        return check.run()
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return Result(Outcome.NOT_MADE, f"{type(error).__name__}: {_last(str(error))}")


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1][:300]


def main(arguments: Sequence[str] | None = None, checks: Sequence[Check] = CHECKS) -> int:
    parser = argparse.ArgumentParser(prog="dev.py audit", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("names", nargs="*", metavar="CHECK", help=f"some of {', '.join(each.name for each in checks)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {each.name for each in checks}:
        parser.error(f"there is no check {', '.join(sorted(unknown))}")
    results: dict[str, Result] = {}
    for check in checks:
        if options.names and check.name not in options.names:
            continue
        result = results[check.name] = made(check)
        if not options.json:
            print(f"{check.name:16} {result.outcome:9} {result.line}", flush=True)
            for each in result.found[:MOST_TOLD]:
                print(f"  {each}")
            if len(result.found) > MOST_TOLD:
                print(f"  … and {len(result.found) - MOST_TOLD} more: --json tells all")
    if options.json:
        print(json.dumps({name: asdict(result) for name, result in results.items()}))
    return int(any(result.outcome is not Outcome.PASSED for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())

"""`python3 dev.py audit`: what is known against the project's parts, the licences of what ships, and secrets
in tree and history (network).

`CHECKS` is the whole list: add a line to it. Exit code 1 for a finding, and for a check that could not be made.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from local.dev.licences import objections
from local.dev.on_demand import NotInstalled, last_line, programs, run
from local.dev.pins import pins
from local.dev.processes import ROOT, python
from local.dev.secret_scan import Find, in_the_history, in_the_tree

PIP_AUDIT = "pip-audit==2.10.1"
"""In an environment of its own, as all of these: it brings thirty packages that nothing else here needs."""
CHECKOV = "checkov==3.3.8"
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


def python_packages() -> Result:
    """Known vulnerabilities of what the lock file pins."""
    command = [str(programs(PIP_AUDIT) / "pip-audit"), "--disable-pip", "--no-deps", "--progress-spinner=off"]
    done = run([*command, "--format=json", "--requirement", str(ROOT / "requirements-dev.lock")])
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return Result(Outcome.NOT_MADE, f"pip-audit gave no answer: {last_line(done.stderr)}")
    return of_pip_audit(packages)


def of_pip_audit(packages: Sequence[Mapping[str, Any]]) -> Result:
    """What pip-audit's answer means: packages that it could not look up are no packages without vulnerabilities."""
    known = [f"{each['name']} {each['version']}: {bug['id']}" for each in packages for bug in each.get("vulns", ())]
    skipped = [f"{each['name']} was skipped: {each['skip_reason']}" for each in packages if "skip_reason" in each]
    if skipped and not known:
        line = f"{len(skipped)} of {len(packages)} packages could not be looked up"
        if len(skipped) == len(packages):
            why = "the package index that this machine uses gives no vulnerability data"
            return Result(Outcome.NOT_MADE, f"{line}: {why}")
        return Result(Outcome.NOT_MADE, line, skipped)
    return of_finds(
        [*known, *skipped], f"{len(packages)} packages, nothing known against them", "known vulnerabilities"
    )


def licences() -> Result:
    """Whether each package that ships is under a licence that lets an app under MIT pass it on, and holds its text."""
    shipped = pins((ROOT / "requirements.txt").read_text())
    clean = f"{len(shipped)} packages that ship, each under an accepted licence whose text it holds"
    return of_finds(list(objections(shipped)), clean, "packages that ship without an accepted licence")


def node_packages(folder: str, whose: str) -> Result:
    """Known vulnerabilities of a tool that runs on this machine only and is not shipped: high and critical count."""
    npm = shutil.which("npm")
    if npm is None:
        return Result(Outcome.NOT_MADE, "npm is not on PATH")
    done = run([npm, "audit", "--package-lock-only", "--json", "--audit-level=high"], ROOT / "local" / folder)
    document = json.loads(done.stdout)
    if "vulnerabilities" not in document:
        why = document.get("message") or last_line(done.stderr)
        return Result(Outcome.NOT_MADE, f"npm audit gave no answer: {why}")
    grave = [
        f"{name}: {each['severity']}"
        for name, each in sorted(document["vulnerabilities"].items())
        if each["severity"] in ("high", "critical")
    ]
    return of_finds(grave, f"nothing grave is known against {whose}'s packages", "packages with grave vulnerabilities")


def infrastructure() -> Result:
    """Checkov's rules over the templates. Exceptions stand with their reasons in infra/.checkov.yaml, or where the rule
    is about one resource at that resource."""
    infra = ROOT / "infra"
    command = [str(programs(CHECKOV) / "checkov"), "--config-file", str(infra / ".checkov.yaml")]
    done = run([*command, "--directory", str(infra), "--output", "json"])
    try:
        document = json.loads(done.stdout)
    except ValueError:
        return Result(Outcome.NOT_MADE, f"checkov gave no answer: {last_line(done.stderr or done.stdout)}")
    return of_checkov(document, broke_unexplained(done.stderr))


def broke_unexplained(log: str) -> list[str]:
    """Rules that broke on a resource, by checkov's log, and that are not skipped in that file with a reason."""
    broke = re.findall(r"Failed to run check (\S+) on ([^\s:]+):(\S+)", log)
    return [
        f"{rule} could not be applied to {resource} of {file}"
        for rule, file, resource in broke
        if f"checkov:skip={rule}:" not in (ROOT / file).read_text()
    ]


def of_checkov(document: Mapping[str, Any], broke: Sequence[str]) -> Result:
    """What checkov's answer means: a template that it could not read was not checked, nor where a rule broke."""
    summary, results = document["summary"], document["results"]
    broken = [
        f"{each['check_id']} {each['file_path']}: {each['resource']}: {each['check_name']}"
        for each in results.get("failed_checks", ())
    ]
    unread = [*broke, *(f"could not be read: {each}" for each in results.get("parsing_errors", ()))]
    if not broken and (unread or not summary["passed"]):
        return Result(Outcome.NOT_MADE, f"{len(unread)} templates or rules could not be checked", unread)
    return of_finds([*broken, *unread], f"{summary['passed']} checks passed, none failed", "broken rules")


def security_rules() -> Result:
    """Ruff's security rules (flake8-bandit), whose exceptions stand with their reasons in pyproject.toml."""
    done = run([*python(), "ruff", "check", "--output-format=concise", "cmg_core", "local", "dev.py"])
    lines = [line for line in done.stdout.splitlines() if re.search(r": S\d{3} ", line)]
    if done.returncode not in (0, 1):  # 1: some rule is broken, perhaps one that is not about security
        return Result(Outcome.NOT_MADE, f"ruff gave no answer: {last_line(done.stderr)}")
    return of_finds(lines, "no rule is broken", "broken rules")


def secrets_in_the_tree() -> Result:
    """What looks like a secret in the files that are here."""
    return of_finds(in_the_tree(ROOT), "no file holds what looks like a secret", "places that look like secrets")


def secrets_in_the_history() -> Result:
    """What looks like a secret in any line that was ever committed."""
    finds: list[Find] = in_the_history(ROOT)
    return of_finds(finds, "no commit ever added what looks like a secret", "places that look like secrets")


AZURITE = partial(node_packages, "azurite", "Azurite")
SPECTRAL = partial(node_packages, "spectral", "Spectral")

CHECKS = (
    Check("python-packages", "known vulnerabilities of Python packages (network)", python_packages),
    Check("licences", "the licences of the packages that ship", licences),
    Check("azurite-packages", "known vulnerabilities of the storage emulator's packages (network)", AZURITE),
    Check("spectral-packages", "known vulnerabilities of the API linter's packages (network)", SPECTRAL),
    Check("infrastructure", "checkov's rules over infra/ (network for its first run)", infrastructure),
    Check("security-rules", "ruff's security rules", security_rules),
    Check("secrets-tree", "secrets in the files", secrets_in_the_tree),
    Check("secrets-history", "secrets in the history", secrets_in_the_history),
)
"""Every check, in order."""


def made(check: Check) -> Result:
    """The check's result; one that broke could not be made."""
    try:
        return check.run()
    except NotInstalled as error:
        return Result(Outcome.NOT_MADE, str(error))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return Result(Outcome.NOT_MADE, f"{type(error).__name__}: {last_line(str(error))}")


def main(arguments: Sequence[str] | None = None, checks: Sequence[Check] = CHECKS) -> int:
    parser = argparse.ArgumentParser(
        prog="dev.py audit",
        description=(__doc__ or "").partition("\n\n")[0],
        epilog="\n".join(
            [
                "checks:",
                *(f"  {each.name:17} {each.about}" for each in checks),
                "",
                "Exit code 1 for a finding, and for a check that could not be made.",
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("names", nargs="*", metavar="CHECK", help="these only; left out, all")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {each.name for each in checks}:
        parser.error(f"there is no check {', '.join(sorted(unknown))}")
    results: dict[str, Result] = {}
    for check in checks:
        if options.names and check.name not in options.names:
            continue
        result = results[check.name] = made(check)
        if not options.json:
            print(f"{check.name:17} {result.outcome:9} {result.line}", flush=True)
            for each in result.found[:MOST_TOLD]:
                print(f"  {each}")
            if len(result.found) > MOST_TOLD:
                print(f"  … and {len(result.found) - MOST_TOLD} more: --json tells all")
    if options.json:
        print(json.dumps({name: asdict(result) for name, result in results.items()}))
    return int(any(result.outcome is not Outcome.PASSED for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())

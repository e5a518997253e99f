"""`python3 dev.py test`: lint, format, types, and all tests; with arguments only pytest, which gets them."""

import subprocess
import sys
import time

from local.dev.processes import ROOT, inherited, python

SOURCES = ["bench", "cmg_core", "infra", "local", "tests", "dev.py", "function_app.py"]
CHECKS = (
    ("lint", ["ruff", "check", *SOURCES]),
    ("format", ["ruff", "format", "--check", *SOURCES]),
    ("types", ["mypy"]),
)


HELP = """\
usage: dev.py test [PYTEST'S ARGUMENTS]

Lint, format, types, and all tests (some ten minutes on two cores). With arguments only pytest, which gets them:

  python3 dev.py test tests/unit/domain -q     one folder
  python3 dev.py test -k tutorial              what has «tutorial» in its name
  python3 dev.py test -q --help                pytest's own help

Pages are looked at where Debian's Chromium is installed (apt-get install chromium); else these tests are skipped.
Exit code 0 when all has passed."""


def run(headline: str, command: list[str]) -> int:
    """Runs one check and returns its exit code."""
    print(f"\n== {headline}: {' '.join(command)}", flush=True)
    began = time.monotonic()
    code = subprocess.run([*python(), *command], cwd=ROOT, env=inherited()).returncode
    if headline != "tests":
        print(f"== {headline} {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s", flush=True)
    return code


def main(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        print(HELP)
        return 0
    if arguments:
        return run("tests", ["pytest", *arguments])
    failed = [headline for headline, command in CHECKS if run(headline, command)]
    if failed:
        print(f"\n== failed before the tests: {', '.join(failed)}", flush=True)
    code = run("tests", ["pytest", "-n", "2"])
    return code or int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python3 dev.py lock`: requirements.txt anew, from requirements.in and requirements-dev.lock (network).

requirements.txt is what ``pip install -r`` gets, here and in a build in Azure: every package that ships with the
hashes of its files, so that pip takes no other ("Secure installs" in pip's documentation: one hash is enough to ask
for all). Hashes of a constraints file would not do: pip wants them where it wants the package (tried with pip 23.2).
"""

import argparse
import sys

from local.dev.on_demand import NotInstalled, last_line, programs, run
from local.dev.processes import ROOT

UV = "uv==0.13.9"
PLATFORM = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
"""What Azure Functions runs on: Linux with Python 3.13."""
HEAD = "# Made by `python3 dev.py lock` from requirements.in and requirements-dev.lock; change those.\n"


def main() -> int:
    argparse.ArgumentParser(prog="dev.py lock", description=__doc__).parse_args()
    sources = ["requirements.in", "--constraints", "requirements-dev.lock"]
    quiet = ["--quiet", "--no-header", "--no-annotate"]
    try:
        command = [str(programs(UV) / "uv"), "pip", "compile", *sources, "--generate-hashes", *PLATFORM, *quiet]
        done = run(command)
    except NotInstalled as error:
        print(f"dev.py lock: {error}", file=sys.stderr)
        return 1
    if done.returncode:
        print(f"dev.py lock: requirements.txt stays as it is: {last_line(done.stderr)}", file=sys.stderr)
        return 1
    (ROOT / "requirements.txt").write_text(HEAD + done.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python3 dev.py host`: the app alone, against the local Azure that `up` started, so that it can be killed and started
again. Variables that are set already win, but for a proxy; without an `up` they must be all that is needed."""

import argparse
import json
import os
import sys

from local.dev.environment import WRITTEN
from local.dev.processes import ROOT, inherited, python


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="dev.py host",
        description="The app alone, against the local Azure that `python3 dev.py up --no-host` (or `up`) started, so "
        "that it can be killed and started again. Variables that are set already win, but for a proxy; without an `up` "
        "they must be all that is needed.",
    )
    parser.add_argument(
        "--json", action="store_true", help="changes nothing: one JSON line is printed when ready in any case"
    )
    parser.add_argument("--port", help="another port than that of `up`")
    parser.add_argument("--message-hold", metavar="SECONDS", help="how long a message in work stays hidden")
    options = parser.parse_args()
    if WRITTEN.exists():
        written = json.loads(WRITTEN.read_text())
        environment, arguments = written["environment"] | inherited(), written["arguments"]
    elif "AzureWebJobsStorage" in os.environ:
        environment, arguments = dict(os.environ), ["--app", str(ROOT)]
    else:
        print("dev.py host: no local Azure is there; start one with `python3 dev.py up --no-host`", file=sys.stderr)
        return 1
    for name, value in (("--port", options.port), ("--message-hold", options.message_hold)):
        arguments += [name, value] if value else []
    command = [*python(), "local.host", *arguments]
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    sys.exit(main())

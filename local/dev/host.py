"""`python3 dev.py host`: the app alone, against the local Azure that `up` started, so that it can be killed and started
again. Variables that are set already win over those of `up`."""

import argparse
import json
import os
import sys

from local.dev.environment import WRITTEN
from local.dev.processes import inherited, python


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py host", description=__doc__)
    parser.add_argument("--json", action="store_true", help="it prints one JSON line when ready in any case")
    parser.add_argument("--port", help="another port than that of `up`")
    parser.add_argument("--message-hold", metavar="SECONDS", help="how long a message in work stays hidden")
    options = parser.parse_args()
    try:
        written = json.loads(WRITTEN.read_text())
    except OSError:
        print("dev.py host: no local Azure is there; start one with `python3 dev.py up --no-host`", file=sys.stderr)
        return 1
    more = [
        text
        for name, text in (("--port", options.port), ("--message-hold", options.message_hold))
        if text
        for text in (name, text)
    ]
    command = [*python(), "local.host", *written["arguments"], *more]
    os.execve(command[0], command, written["environment"] | inherited())


if __name__ == "__main__":
    sys.exit(main())

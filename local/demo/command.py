"""`python3 dev.py demo`: watch a gateway move, from a classic cloud service to a scale set, on this machine alone."""

import argparse
import asyncio
import json
import os
import signal
import sys
import textwrap
from pathlib import Path

from pydantic import ValidationError

from cmg_core.domain.values import JsonObject
from local.demo.display import Display
from local.demo.run import DemoFailed, run
from local.dev.arguments import time_scale
from local.dev.processes import ProcessError
from local.sample import SAMPLES, load, sample_names

DEFAULT = SAMPLES / "s07-own-domain-from-classic.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py demo",
        description="Move a cloud management gateway on this machine: the real Functions app, a simulated Azure, real "
        "DNS, real TLS, and synthetic clients that count every moment in which no gateway relays.",
        epilog="Exit code 0 when the sample's expectation holds, 1 when it does not, 2 when the sample cannot be read.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON report on stdout; progress goes to stderr")
    parser.add_argument(
        "--file",
        type=Path,
        default=DEFAULT,
        metavar="SAMPLE",
        help="a file of samples/ (--list), or your own (docs/simulator.md)",
    )
    parser.add_argument("--list", action="store_true", help="print what each file of samples/ tells, and start nothing")
    parser.add_argument("--keep", action="store_true", help="leave all running at the end and print the addresses")
    parser.add_argument(
        "--time-scale",
        type=time_scale,
        default=0.01,
        metavar="FACTOR",
        help="how long Azure's operations take: 1 as in Azure, 0.01 (the default) a hundredth of it",
    )
    return parser.parse_args()


def _unreadable(file: Path, error: Exception) -> str:
    """Why a sample cannot be read, and what to do."""
    match error:
        case ValidationError():
            lines = [f"{'/'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors()]
            why = "\n  ".join(["its parts are not those of a sample:", *lines])
        case OSError():
            why = f"{error.strerror or error}"
        case _:
            why = f"it is no sample: {error}"
    more = "`python3 dev.py demo --list` shows the samples of this project; docs/simulator.md says how to write one."
    return f"{file.absolute()}: {why}\n{more}"


def _list() -> str:
    """The samples of this project with what they tell."""
    told = {name: load(SAMPLES / name).about for name in sample_names()}
    return "\n".join(
        f"samples/{name}\n{textwrap.fill(about, 100, initial_indent='  ', subsequent_indent='  ')}"
        for name, about in told.items()
    )


def main() -> int:
    """Run the demo; the exit code."""
    options = _arguments()
    if options.list:
        print(_list())
        return 0
    display = Display(sys.stderr if options.json else sys.stdout)

    def tell(report: JsonObject) -> None:
        if options.json:
            print(json.dumps(report, ensure_ascii=False), flush=True)

    try:
        sample = load(options.file)
    except (OSError, ValueError) as error:
        Display(sys.stderr).problem(_unreadable(options.file, error))
        return 2
    # A shell starts background jobs deaf to SIGINT: they would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        failures = asyncio.run(run(sample, display, options.time_scale, options.keep, tell))
    except KeyboardInterrupt:
        display.problem("Ended before its time; everything that was started has ended too.")
        return 130
    except (ProcessError, DemoFailed) as error:
        display.problem(str(error))
        return 1
    for failure in failures:
        display.problem(f"The sample expected otherwise: {failure}")
    return 1 if failures else 0

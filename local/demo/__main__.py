"""`python3 dev.py demo`: watch a gateway move, from a classic cloud service to a scale set, on this machine alone."""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from cmg_core.domain.values import JsonObject
from local.demo.display import Display
from local.demo.run import DemoFailed, run
from local.dev.processes import ProcessError
from local.sample import load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
DEFAULT = SAMPLES / "s07-own-domain-from-classic.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py demo",
        description="Move a cloud management gateway on this machine: the real Functions app, a simulated Azure, real "
        "DNS, real TLS, and synthetic clients that count every moment in which no gateway relays.",
        epilog="Exit code 0 when the sample's expectation holds, 1 when it does not, 2 when the sample cannot be read.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON report on stdout; progress goes to stderr")
    parser.add_argument("--file", type=Path, default=DEFAULT, help="another sample; there are more in samples/")
    parser.add_argument("--keep", action="store_true", help="leave all running at the end and print the addresses")
    parser.add_argument("--time-scale", type=float, default=0.01, help="1 makes Azure as slow as it is (default 0.01)")
    return parser.parse_args()


def main() -> int:
    """Run the demo; the exit code."""
    options = _arguments()
    display = Display(sys.stderr)

    def tell(report: JsonObject) -> None:
        if options.json:
            print(json.dumps(report, ensure_ascii=False), flush=True)

    try:
        sample = load(options.file)
    except (OSError, ValidationError, json.JSONDecodeError) as error:
        display.problem(f"{options.file} is no sample: {error}")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        failures = asyncio.run(run(sample, display, options.time_scale, options.keep, tell))
    except KeyboardInterrupt:
        display.problem("Ended before its time; everything that was started is ended too.")
        return 130
    except (ProcessError, DemoFailed) as error:
        display.problem(str(error))
        return 1
    for failure in failures:
        display.problem(f"The sample expected otherwise: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python3 dev.py up`: a local Azure with the app, in the foreground, until Ctrl-C or SIGTERM."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
from pydantic import ValidationError

from local.dev.environment import LocalAzure, Options
from local.dev.processes import ROOT, ProcessError
from local.sample import Sample, load

REQUEST = ROOT / ".dev" / "request.json"
"""Where the request of ``--sample`` is laid down."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py up", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line with all addresses when ready")
    parser.add_argument("--port", type=int, default=7071, help="where the app listens")
    parser.add_argument("--proxy-port", type=int, default=7443, help="where the simulated Azure is reached")
    parser.add_argument("--time-scale", type=float, default=0.01, help="1 makes Azure as slow as it is")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keep storage and simulated Azure in this folder")
    parser.add_argument(
        "--sample",
        type=sample,
        metavar="FILE",
        help="begin with this sample's world; its request goes to .dev/request.json",
    )
    parser.add_argument("--no-host", action="store_true", help="without the app; `dev.py host` starts it")
    parser.add_argument("--minimum-grace", metavar="DURATION", help="the shortest grace period to allow, as PT30S")
    parser.add_argument("--message-hold", type=int, metavar="SECONDS", help="how long a message in work stays hidden")
    return parser.parse_args()


def sample(file: str) -> Sample:
    """The sample in a file, as an argument. Raises ArgumentTypeError for a file that holds none."""
    try:
        return load(Path(file))
    except (OSError, ValidationError, ValueError) as error:
        why = f"{error.error_count()} of its parts are not right" if isinstance(error, ValidationError) else str(error)
        raise argparse.ArgumentTypeError(f"{file} is no sample: {why}") from None


async def begin_with(azure: LocalAzure, sample: Sample) -> None:
    """Give the sample's world to the simulated Azure, and lay its request down for the caller."""
    async with aiohttp.ClientSession() as session, session.post(f"{azure.sim}/_sim/seed", json=sample.world) as seeded:
        if not seeded.ok:
            raise ProcessError(f"the simulated Azure does not take the sample's world: {await seeded.text()}")
    REQUEST.write_text(json.dumps(sample.request, indent=2) + "\n")


def explain(azure: LocalAzure, took_s: float, no_host: bool) -> str:
    lines = [f"A local Azure is ready after {took_s:.1f} s. Ctrl-C ends it.", ""]
    if no_host:
        lines.append("  the app     is not started: python3 dev.py host")
    else:
        lines.append(f"  the app     {azure.api}    try: curl {azure.api}/health")
    return "\n".join(
        [
            *lines,
            f"  its key     {azure.key}    (header x-functions-key)",
            f"  Azure       through the proxy {azure.proxy}, trusting {azure.ca}",
            f"  simulator   {azure.sim}    try: curl {azure.sim}/_sim/state",
            f"  logs        {azure.folder}",
            "",
            "For another terminal:",
            f"  export API={azure.api} KEY={azure.key} SIM={azure.sim}",
        ]
    )


async def run(options: argparse.Namespace) -> int:
    began = time.monotonic()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    azure = LocalAzure(
        Options(
            port=options.port,
            proxy_port=options.proxy_port,
            time_scale=options.time_scale,
            state=options.state.resolve() if options.state else None,
            minimum_grace=options.minimum_grace or os.environ.get("CMG_MINIMUM_GRACE"),
            message_hold_s=options.message_hold,
        ),
        no_host=options.no_host,
    )
    starting = asyncio.create_task(azure.start(options.no_host))
    waiting = asyncio.create_task(ending.wait())
    await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return 0
    await starting
    if options.sample:
        await begin_with(azure, options.sample)
    azure.write()
    text = json.dumps(azure.described()) if options.json else explain(azure, time.monotonic() - began, options.no_host)
    print(text, flush=True)
    watching = asyncio.create_task(tell_of_the_host(azure))
    dying = asyncio.create_task(azure.death())
    await asyncio.wait([dying, waiting], return_when=asyncio.FIRST_COMPLETED)
    watching.cancel()
    azure.unwrite()
    await azure.stop()
    if dying.done() and not ending.is_set():
        raise dying.result()
    dying.cancel()
    azure.forget()
    return 0


async def tell_of_the_host(azure: LocalAzure) -> None:
    """The rest stays when the host ends, so that it can be started again by itself."""
    if "host" in azure.pids:
        print(
            f"dev.py up: {await azure.host_death()}\nIts Azure stays; start it again: python3 dev.py host",
            file=sys.stderr,
        )


def main() -> int:
    try:
        return asyncio.run(run(arguments()))
    except ProcessError as error:
        print(f"dev.py up: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

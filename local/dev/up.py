"""`python3 dev.py up`: a local Azure with the app, in the foreground, until Ctrl-C or SIGTERM."""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path

import aiohttp
from pydantic import ValidationError

from cmg_core.domain.values import iso_duration
from local.dev.arguments import duration, time_scale
from local.dev.environment import LocalAzure, Options
from local.dev.processes import ROOT, ProcessError
from local.sample import Sample, load

REQUEST = ROOT / ".dev" / "request.json"
"""Where the request of ``--sample`` is laid down."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py up",
        description="A local Azure with the app, in the foreground, until Ctrl-C or SIGTERM. Without --sample it is "
        "empty: there is no gateway to move, and every plan is blocked.",
        epilog="Try: dev.py up --sample samples/s07-own-domain-from-classic.json --minimum-grace PT1S; "
        "docs/tutorial.md goes on from there. Exit code 0 when it was ended, 1 when a part did not start or died, 2 "
        "for wrong arguments.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line with all addresses when ready")
    parser.add_argument("--port", type=int, default=7071, help="where the app listens (7071)")
    parser.add_argument("--proxy-port", type=int, default=7443, help="where the simulated Azure is reached (7443)")
    parser.add_argument(
        "--time-scale",
        type=time_scale,
        default=0.01,
        metavar="FACTOR",
        help="how long Azure's operations take: 1 as in Azure, 0.01 (the default) a hundredth of it",
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="keep storage and simulated Azure in this folder")
    parser.add_argument(
        "--sample",
        type=sample,
        metavar="FILE",
        help="begin with the world of this file of samples/; its request goes to .dev/request.json",
    )
    parser.add_argument("--no-host", action="store_true", help="without the app; `dev.py host` starts it")
    parser.add_argument(
        "--minimum-grace",
        type=duration,
        metavar="DURATION",
        help="the shortest grace period to allow, such as PT1S, which samples need; left out: a day, as in Azure",
    )
    parser.add_argument("--message-hold", type=int, metavar="SECONDS", help="how long a message in work stays hidden")
    return parser.parse_args()


def sample(file: str) -> Sample:
    """The sample in a file, as an argument. Raises ArgumentTypeError for a file that holds none."""
    try:
        return load(Path(file))
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{file} cannot be read: {error.strerror or error}. `python3 dev.py demo --list` shows those of samples/"
        ) from None
    except ValueError as error:
        why = f"{error.error_count()} of its parts are not right" if isinstance(error, ValidationError) else str(error)
        raise argparse.ArgumentTypeError(
            f"{file} is no sample (docs/simulator.md says how to write one): {why}"
        ) from None


async def begin_with(azure: LocalAzure, sample: Sample) -> None:
    """Give the sample's world to the simulated Azure, and lay its request down for the caller."""
    async with aiohttp.ClientSession() as session, session.post(f"{azure.sim}/_sim/seed", json=sample.world) as seeded:
        if not seeded.ok:
            raise ProcessError(f"the simulated Azure does not take the sample's world: {await seeded.text()}")
    REQUEST.write_text(json.dumps(sample.request, indent=2) + "\n")


def ensure_free(option: str, port: int) -> None:
    """Raises ProcessError where somebody else listens at a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ProcessError(
                f"port {port} cannot be had ({error.strerror}). Where another `dev.py up` runs end it, or name another "
                f"port with {option} (0: any that is free)"
            ) from None


def next_step(sample: Sample | None) -> list[str]:
    """What to try first in the world that has begun."""
    if sample is None:
        return [
            "This Azure is empty: there is no gateway to move. `python3 dev.py up --sample FILE` begins with a",
            "sample's world; docs/tutorial.md goes on from there.",
        ]
    return [
        "Then, as docs/tutorial.md goes on (the sample's request lies in .dev/request.json):",
        "",
        f'curl -s "$API/plans" -H "x-functions-key: $KEY" -H "Accept: text/markdown" -d @{os.path.relpath(REQUEST)}',
    ]


def explain(azure: LocalAzure, took_s: float, no_host: bool, sample: Sample | None) -> str:
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
            "Paste this into another terminal, in the same folder:",
            "",
            f"export API={azure.api} KEY={azure.key} SIM={azure.sim}",
            "",
            *next_step(sample),
        ]
    )


async def run(options: argparse.Namespace) -> int:
    began = time.monotonic()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    for option, port in (("--port", options.port), ("--proxy-port", options.proxy_port)):
        ensure_free(option, port)
    grace: timedelta | None = options.minimum_grace
    azure = LocalAzure(
        Options(
            port=options.port,
            proxy_port=options.proxy_port,
            time_scale=options.time_scale,
            state=options.state.resolve() if options.state else None,
            minimum_grace=iso_duration(grace) if grace else os.environ.get("CMG_MINIMUM_GRACE"),
            cloud=options.sample.cloud if options.sample else None,
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
    told = explain(azure, time.monotonic() - began, options.no_host, options.sample)
    print(json.dumps(azure.described()) if options.json else told, flush=True)
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

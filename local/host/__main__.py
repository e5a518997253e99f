"""Starts the host: `python -m local.host --app FOLDER --port 7071`.

Prints one JSON line on stdout when it serves; everything else goes to stderr. Ends in order on SIGTERM and SIGINT, and
may be killed at any time.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from local.host.connections import connection
from local.host.http import HttpServer
from local.host.ncrontab import ScheduleError, parse
from local.host.queues import HOLD, QueueListener
from local.host.settings import (
    HostError,
    HostJson,
    host_id,
    read_host_json,
    read_keys,
    resolve,
)
from local.host.storage import Storage, Tally
from local.host.timers import TimerListener
from local.host.worker import Function, index

PATIENCE_S = 10.0
DEFAULT_CONNECTION = "AzureWebJobsStorage"

log = logging.getLogger("local.host")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.host", description="Hosts an Azure Functions app on loopback."
    )
    parser.add_argument("--app", type=Path, default=Path.cwd(), help="the folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="0 takes a free one")
    parser.add_argument(
        "--message-hold",
        type=int,
        default=int(HOLD.total_seconds()),
        metavar="SECONDS",
        help="how long a message stays hidden while its function works; the real host's is 600",
    )
    parser.add_argument("--tally", type=Path, help="a file that gets one byte for each poll that found no message")
    return parser.parse_args()


def log_to_stderr() -> None:
    """One line a record, in UTC."""
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("azure.core.pipeline.policies.http_logging_policy", "azure.functions"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def now() -> datetime:
    return datetime.now(UTC)


def queue_listener(
    function: Function, storage: Storage, settings: HostJson, hold: timedelta, tally: Tally
) -> QueueListener:
    name = resolve(function.text("queueName"))
    service = storage.queues(connection(function.text("connection") or DEFAULT_CONNECTION, os.environ))
    return QueueListener(function, name, service, settings.extensions.queues, settings.function_timeout, hold, tally)


def timer_listener(function: Function, storage: Storage, settings: HostJson, app: Path, port: int) -> TimerListener:
    try:
        schedule = parse(resolve(function.text("schedule")))
    except ScheduleError as error:
        raise HostError(f"the timer {function.name}: {error}") from error
    blobs = storage.blobs(connection(DEFAULT_CONNECTION, os.environ))
    return TimerListener(
        function, schedule, blobs, host_id(app), port, settings.singleton, settings.function_timeout, now
    )


async def serve(options: argparse.Namespace, announce: Callable[[dict[str, object]], None]) -> None:
    """Runs the app until SIGTERM or SIGINT. Raises HostError, or what importing the app raises."""
    app: Path = options.app.resolve()
    settings = read_host_json(app)
    functions = index(app)
    tally = Tally(options.tally)
    storage = Storage(tally)
    started = time.monotonic()

    def status() -> dict[str, object]:
        return {
            "id": host_id(app),
            "state": "Running",
            "version": "local",
            "processUptime": int((time.monotonic() - started) * 1000),
            "idle_polls": tally.idle_polls,
            "timer_transactions": tally.timer_transactions,
        }

    def of_kind(kind: str) -> list[Function]:
        return [function for function in functions if function.kind == kind]

    server = HttpServer(
        of_kind("httpTrigger"),
        settings.extensions.http.route_prefix,
        read_keys(os.environ),
        settings.function_timeout,
        status,
    )
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    try:
        port = await server.start(options.port, PATIENCE_S)
        hold = timedelta(seconds=options.message_hold)
        queues = [queue_listener(function, storage, settings, hold, tally) for function in of_kind("queueTrigger")]
        timers = [timer_listener(function, storage, settings, app, port) for function in of_kind("timerTrigger")]
        await asyncio.gather(*(queue.prepare() for queue in queues))
        listeners: list[QueueListener | TimerListener] = [*queues, *timers]
        listening = [asyncio.create_task(listener.listen()) for listener in listeners]
        names = [function.name for function in functions]
        announce({"host": f"http://127.0.0.1:{port}", "functions": names, "pid": os.getpid()})
        waiting = asyncio.create_task(ending.wait())
        await asyncio.wait([waiting, *listening], return_when=asyncio.FIRST_COMPLETED)
        log.info("ending")
        await asyncio.gather(server.stop(), *(listener.stop(PATIENCE_S) for listener in listeners))
        await asyncio.gather(*listening)
    finally:
        await server.stop()
        await storage.close()


def main() -> int:
    stdout: TextIO = sys.stdout
    # The app may print; only the line that says "ready" belongs on stdout.
    sys.stdout = sys.stderr
    log_to_stderr()

    def announce(line: dict[str, object]) -> None:
        print(json.dumps(line), file=stdout, flush=True)

    try:
        asyncio.run(serve(arguments(), announce))
    except (HostError, ValidationError, OSError) as error:
        log.error("the host cannot start: %s", error)
        return 1
    except Exception:
        log.exception("the host ended: the app could not be read, or this is a mistake in the host")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

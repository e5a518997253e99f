"""Starts, reads and stops the process of the synthetic clients, whose TLS work so goes to another core."""

import asyncio
import json
import sys
from typing import Any

from local.azure.clients_main import ClientsOrder

# The longest attempt of a client, and a little to end in.
STOP_WITHIN_S = 15.0

type Tallies = list[dict[str, Any]]


class ClientsError(Exception):
    """The synthetic clients cannot go out; the text says why."""


class ClientsProcess:
    """At most one set of synthetic clients. The tallies of the last set stay until the next is started."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tallies: Tallies = []

    @property
    def running(self) -> bool:
        """Whether clients are at work."""
        return self._process is not None and self._process.returncode is None

    async def start(self, order: ClientsOrder) -> None:
        """Starts the clients and returns when they are at work.

        Raises ClientsError when they are already, or cannot start.
        """
        if self.running:
            raise ClientsError("the synthetic clients are at work already: stop them first")
        self._tallies = []
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "local.azure.clients_main",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(order.model_dump_json().encode() + b"\n")
        first = await self._process.stdout.readline()
        if not first:
            raise ClientsError(f"the synthetic clients ended at once with {await self._process.wait()}")
        self._reading = asyncio.create_task(self._read(first, self._process.stdout))

    async def stop(self) -> None:
        """Lets the attempts under way end, then the process, if there is one; its last tallies stay."""
        if self._process is None or self._process.stdin is None or self._reading is None:
            return
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._reading
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def report(self) -> dict[str, Any]:
        """Sums over the clients (the gap is the longest of any), and each client's own tally."""
        return {
            "running": self.running,
            "attempts": sum(tally["attempts"] for tally in self._tallies),
            "failures": sum(tally["failures"] for tally in self._tallies),
            "longest_gap_s": max((tally["longest_gap_s"] for tally in self._tallies), default=0.0),
            "clients": self._tallies,
        }

    async def _read(self, line: bytes, lines: asyncio.StreamReader) -> None:
        while line:
            self._tallies = json.loads(line)
            line = await lines.readline()

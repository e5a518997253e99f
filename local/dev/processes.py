"""Programs that run beside this one: started, watched until they are ready, and ended in order."""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
READY_WITHIN_S: Final = 30.0
END_WITHIN_S: Final = 15.0
PR_SET_PDEATHSIG: Final = 1


class ProcessError(Exception):
    """A program did not start, or ended by itself; the text holds the end of its log."""


def _die_with_parent() -> None:
    """Where Linux offers it, a child is ended when this process is killed and cannot end it itself."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


_LIBC: Final = ctypes.CDLL(None)
_BEFORE_EXEC: Final[Callable[[], None] | None] = _die_with_parent if sys.platform == "linux" else None


class Child:
    """One running program. Its stderr, and its stdout where that says nothing to us, go to a log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        talks: bool = True,
    ) -> "Child":
        """Starts a program; `talks` says that it prints a JSON line on stdout when it is ready."""
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if talks else file,
                stderr=file,
                env=environment,
                start_new_session=True,
                preexec_fn=_BEFORE_EXEC,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ready(self) -> dict[str, str]:
        """Waits for the program's JSON line. Raises ProcessError when it ends or says nothing in time."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                line = await self._process.stdout.readline()
        except TimeoutError as error:
            raise ProcessError(f"{self.name} was not ready within {READY_WITHIN_S:.0f} s\n{self.tail()}") from error
        if not line:
            raise await self.death()
        answer: dict[str, str] = json.loads(line)
        return answer

    async def death(self) -> ProcessError:
        """Waits for the program's end and tells of it."""
        code = await self._process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return ProcessError(f"{self.name} {how}; the end of {self.log}:\n{self.tail()}")

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-25:]
        return "\n".join(f"  {line}" for line in lines)

    async def end(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        if not self.running:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(END_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def python() -> list[str]:
    """This interpreter, so that children run in the same environment; the user's folder is none of their paths."""
    return [sys.executable, "-P", "-m"]


def inherited() -> dict[str, str]:
    """This process's variables without those that would lead a child elsewhere; the project's packages are found."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    kept = {name: value for name, value in os.environ.items() if name.upper() not in proxies}
    return kept | {"PYTHONPATH": str(ROOT)}

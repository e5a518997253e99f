"""Python tools that few commands need: each in an environment of its own under .dev, made when first asked for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.dev.processes import ROOT, inherited

LONGEST_S: Final = 600


class NotInstalled(Exception):
    """A tool could not be installed; the text says why, as its installer did."""


def run(command: Sequence[str], folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """A program's end, its output read; it may use the machine's own proxy.

    Raises OSError where it cannot be started, and SubprocessError where it takes too long.
    """
    proxied = {name: os.environ[name] for name in ("HTTPS_PROXY", "NO_PROXY") if name in os.environ}
    return subprocess.run(
        command, cwd=folder, env=inherited() | proxied, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )


def programs(pinned: str) -> Path:
    """The folder with the programs of a pinned package (``name==version``), installed once. Raises NotInstalled."""
    folder = ROOT / ".dev" / pinned.replace("==", "-")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, pinned]):
            done = run(command)
            if done.returncode:
                raise NotInstalled(f"{pinned} could not be installed: {last_line(done.stderr)}")
        (folder / "complete").touch()
    return folder / "bin"


def last_line(text: str) -> str:
    """What a program said in the end: most of them tell the cause there."""
    return (text.strip().splitlines() or ["it said nothing"])[-1][:300]

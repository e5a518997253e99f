"""The package starts from a clean folder, signed in to its storage as in Azure, and brings a deployment to its end."""

import asyncio
import io
import re
import time
from pathlib import Path

import aiohttp

from cmg_core.domain.values import JsonObject, text_at
from local.demo.display import Display
from local.demo.run import Demo
from local.dev.environment import LocalAzure, Options
from local.dev.package import lay
from local.dev.processes import ROOT
from local.sample import load

SAMPLE = ROOT / "samples" / "new-own-domain.json"
MARKED = "0.0.0+from-the-package"


async def deployed(app: Path) -> tuple[JsonObject, JsonObject, list[str], LocalAzure]:
    """The health of the app in a folder, the report of a deployment by it, what was unexpected, and its local Azure."""
    azure = LocalAzure(Options(app=app, storage_by_identity=True, minimum_grace="PT1S"))
    async with azure, aiohttp.ClientSession() as session:
        async with session.get(f"{azure.api}/health", headers={"x-functions-key": azure.key}) as answer:
            health = await answer.json()
        demo = Demo(load(SAMPLE), Display(io.StringIO()), azure, session, time.monotonic())
        await demo.begin()
        report, unexpected = await demo.play()
        asked = (azure.folder / "azurite.log").read_text()
    assert re.search(r'"PUT /\S+/locks/\S+/wake-due.Listener\?comp=lease HTTP/1.1" 201', asked), "no timer has its lock"
    assert not re.search(r'HTTP/1.1" (401|403)', asked)
    return health, report, unexpected, azure


def test_the_package_deploys_by_its_identity_from_a_clean_folder(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "cmg_core" / "__init__.py").write_text(f'__version__ = "{MARKED}"\n')
    health, report, unexpected, azure = asyncio.run(deployed(tmp_path))
    assert (health["status"], health["version"]) == ("healthy", MARKED)
    assert (text_at(report, "outcome"), unexpected) == ("succeeded", [])
    assert not {"AzureWebJobsStorage", "CmgStorage"} & set(azure.environment())

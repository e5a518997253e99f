"""What a cold start costs: a fresh process that imports the app, indexes it and answers one call of /api/health."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGES: Final = Path(".python_packages", "lib", "site-packages")
"""Where Core Tools and the remote build put what requirements.txt names; the worker adds it to the path."""

_START: Final = """
import asyncio, json, sys, time
began = time.process_time()
sys.path[:0] = sys.argv[1:]
import azure.functions as func
import function_app
imported = time.process_time()
functions = function_app.app.get_functions()
health = next(one for one in functions if one.get_function_name() == "show-health")
request = func.HttpRequest("GET", "http://localhost/api/health", body=b"")
answer = asyncio.run(health.get_user_function()(request))
names = sorted(one.get_function_name() for one in functions)
print(json.dumps([names, answer.status_code, imported - began, time.process_time()]))
"""
_SETTINGS: Final = {
    "CmgStorage__queueServiceUri": "https://stcmg.queue.core.windows.net",
    "CmgStorage__tableServiceUri": "https://stcmg.table.core.windows.net",
}


@dataclass(frozen=True)
class ColdStart:
    """The functions that were indexed, the health call's status, and CPU seconds: of the import, and of all of it."""

    functions: tuple[str, ...]
    health: int
    import_s: float
    cpu_s: float


def cold_start(app: Path) -> ColdStart:
    """Starts the app in a folder once: with the packages that lie in it and no others, or else with this environment's.

    Nothing else of this project can be imported: the folder is the only place of it on the path. No bytecode is left
    in it, so that a start from a package that has none compiles it, as the first one in Azure may have to.

    Raises CalledProcessError where it does not start; its ``stderr`` says why.
    """
    app = app.resolve()
    packages = app / PACKAGES
    alone = ["-S"] if packages.is_dir() else []
    paths = [str(app), str(packages)] if alone else [str(app)]
    command = [sys.executable, "-I", "-B", *alone, "-c", _START, *paths]
    done = subprocess.run(command, cwd=app, env=_SETTINGS, capture_output=True, text=True, check=True)
    functions, health, import_s, cpu_s = json.loads(done.stdout)
    return ColdStart(tuple(functions), health, import_s, cpu_s)

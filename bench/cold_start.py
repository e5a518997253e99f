"""How much CPU time a cold start takes up to the first answer of /api/health: python -m bench.cold_start [FOLDER]

Goal: at most 1.0 s. Each run is a fresh process, as an instance that starts: from the tree, whose bytecode may be
there, and from a package as `dev.py package` lays it, which has none: all of the app is compiled at each start. With a
FOLDER (of `dev.py package --with-packages`) from there only. The machine's own speed stands beside it as the time of a
fixed piece of work, so that figures of different days can be compared.
"""

import hashlib
import sys
import tempfile
import time
from pathlib import Path

from local.dev.cold_start import cold_start
from local.dev.package import lay
from local.dev.processes import ROOT

RUNS = 5
GOAL_S = 1.0


def machine_s() -> float:
    """CPU time of a fixed piece of work."""
    begun = time.process_time()
    hashlib.pbkdf2_hmac("sha256", b"cold", b"start", 1_000_000)
    return time.process_time() - begun


def tell(where: str, app: Path) -> None:
    starts = [cold_start(app) for _ in range(RUNS)]
    best = min(starts, key=lambda start: start.cpu_s)
    verdict = "within" if best.cpu_s <= GOAL_S else "over"
    print(
        f"{where}: {len(best.functions)} functions indexed, health {best.health}: {best.cpu_s:.2f} s CPU at best of "
        f"{RUNS}, {best.import_s:.2f} s of it the import ({verdict} the goal of {GOAL_S} s)"
    )


def main() -> None:
    if sys.argv[1:]:
        tell(sys.argv[1], Path(sys.argv[1]))
    else:
        tell("tree", ROOT)
        with tempfile.TemporaryDirectory() as folder:
            lay(Path(folder))
            tell("package", Path(folder))
    print(f"this machine's fixed work: {machine_s():.2f} s")


if __name__ == "__main__":
    main()

"""What the default demo asks of Azure and of the storage, run after run: python -m bench.demo_counts [RUNS]

The counts belong to the product; on a busy machine a wait may add a look or two.
"""

import json
import subprocess
import sys

GOALS = {"Resource Manager calls": 60, "storage transactions": 90, "seconds": 40}


def measure(runs: int) -> int:
    """Print one line a run; how many goals were missed."""
    missed = 0
    for run in range(1, runs + 1):
        command = [sys.executable, "dev.py", "demo", "--json"]
        report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        seen = (report["azure_calls"]["total"], report["storage_transactions"]["total"], report["wall_seconds"])
        lines = list(zip(seen, GOALS.items(), strict=True))
        missed += sum(count > goal for count, (_, goal) in lines)
        print(f"run {run}: " + ", ".join(f"{count} of {goal} {what}" for count, (what, goal) in lines))
    return missed


if __name__ == "__main__":
    sys.exit(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3))

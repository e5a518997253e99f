"""How long a run of wake-due takes with 5,000 active deployments, one in ten of them overdue: python -m bench.wake_due

Ledger and queues are in memory, through the same codec as the table's rows: what is measured is the product's own work.
"""

import asyncio
import time
import uuid
from dataclasses import replace
from datetime import timedelta

from cmg_core.wake import wake_due
from tests.records import a_record
from tests.unit.triggers.callers import MemoryServices

ACTIVE = 5_000
OVERDUE_EACH = 10


async def measure() -> None:
    services = MemoryServices()
    now = services.clock.now()
    for number in range(ACTIVE):
        wake_at = now + timedelta(days=0 if number % OVERDUE_EACH == 0 else 1)
        await services.ledger.create(replace(a_record(str(uuid.uuid4())), wake_at=wake_at), [])
    for run in ("with 500 overdue", "with none"):
        begun = time.perf_counter()
        tally = await wake_due(services)  # type: ignore[arg-type]  # the fakes fit the ports, as attributes they may not vary
        print(f"{ACTIVE} active, {run}: {time.perf_counter() - begun:.2f} s ({str(tally) or 'nothing due'})")


if __name__ == "__main__":
    asyncio.run(measure())

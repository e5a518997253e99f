"""Two subscriptions side by side: one that Azure throttles for ten minutes does not slow the other."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cmg_core import calls
from cmg_core.domain.principals import Principal
from cmg_core.domain.record import Record, Status
from cmg_core.domain.validation import read_request
from cmg_core.engine import Engine
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.site import apply_site
from local.inprocess.hosting import Host
from local.inprocess.loop import EPOCH, run
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Tape
from local.sample import Sample, load

SAMPLE = Path("samples/new-own-domain.json")
OTHER = {
    "5ab5c1b3-0000-4000-8000-000000000001": "6bc6d2c4-0000-4000-8000-000000000002",
    "contoso": "fabrikam",
    "Contoso": "Fabrikam",
    "GraniteFalls": "Mesa",
    "granitefalls": "mesa",
    "CP1": "CP2",
}
TEN_MINUTES = timedelta(minutes=10)
THROTTLED = {
    "code": "SubscriptionRequestsThrottled",
    "message": "Number of requests for the subscription exceeded the backend storage limit.",
}


def elsewhere(sample: Sample) -> Sample:
    """The same in another subscription, under other names."""
    text = sample.model_dump_json(by_alias=True, exclude_unset=True)
    for old, new in OTHER.items():
        text = text.replace(old, new)
    return Sample.model_validate_json(text)


def together(samples: Sequence[Sample]) -> Sample:
    """One world with everything of the samples; the first one's request."""
    world = json.loads(json.dumps(samples[0].world))
    for sample in samples[1:]:
        for key, more in sample.world.items():
            if isinstance(more, list):
                world[key] += [each for each in more if each not in world[key]]
            elif key == "certificates":
                world[key] |= more
    return samples[0].model_copy(update={"world": world})


@dataclass(frozen=True)
class Told:
    """What came of the deployments, and when each subscription was asked anything."""

    records: Sequence[Record]
    asked: Sequence[Sequence[datetime]]


async def tell(samples: Sequence[Sample], throttle: str = "") -> Told:
    """Carry all samples out at the same time. ``throttle`` is the subscription whose 21st GET meets a 429."""
    stage = InProcess(together(samples), Tape(), Settings())
    services = stage.wire(stage.clock)
    host = Host(stage.clock, stage.queues, Engine(services).handle, lambda: wake_due(services))
    if throttle:
        headers = {"Retry-After": str(int(TEN_MINUTES.total_seconds()))}
        action = {"status": 429, "headers": headers, "body": {"error": THROTTLED}}
        stage.simulator.add_fault(
            {"match": {"method": "GET", "path": f"/subscriptions/{throttle}"}, "after": 20, "action": action}
        )

    async def follow(sample: Sample) -> Record:
        request = read_request(sample.request, "deployment")
        id = (await calls.accept(services, request, calls.Asked(Principal("ticket"), request.subscription_id, ""))).id
        left = list(sample.then)
        while True:
            stored = stage.ledger.peek(id)
            assert stored is not None
            if stored.record.status.is_end or stored.record.status is Status.NEEDS_ATTENTION:
                return stored.record
            while left and left[0].when.has_come(status_view(stored.record).model_dump(mode="json")):
                then = left.pop(0)
                assert then.world is not None
                apply_site(stage.world, then.world, stage.clock.now())
            await asyncio.sleep(0.5)

    hosting = asyncio.create_task(host.run())
    try:
        async with asyncio.timeout(timedelta(days=1).total_seconds()):
            records = await asyncio.gather(*map(follow, samples))
    finally:
        hosting.cancel()
        await stage.close()
    asked = [
        [
            entry.at
            for entry in stage.world.log
            if entry.request.path.lower().startswith(f"/subscriptions/{sample.request['subscription_id']}")
        ]
        for sample in samples
    ]
    return Told(records, asked)


def test_a_throttled_subscription_waits_without_a_call_and_slows_no_other() -> None:
    one = load(SAMPLE)
    other = elsewhere(one)
    alone = run(tell([other]))
    slow = run(tell([one, other], throttle=str(one.request["subscription_id"])))
    assert [record.status for record in slow.records] == [Status.SUCCEEDED] * 2
    throttled, free = slow.records
    assert free.updated_at - EPOCH <= (alone.records[0].updated_at - EPOCH) * 1.1
    pauses = [later - earlier for earlier, later in zip(slow.asked[0], slow.asked[0][1:], strict=False)]
    assert sum(pause >= TEN_MINUTES for pause in pauses) == 1
    assert throttled.updated_at - EPOCH < TEN_MINUTES + timedelta(minutes=1)

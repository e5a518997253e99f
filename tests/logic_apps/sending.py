"""One request with its retries, as an action's retry policy has them."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta

from tests.logic_apps.definition import RetryPolicy
from tests.logic_apps.messages import Answered, Door, Sent, Unreachable

ONE_REQUEST = timedelta(seconds=120)
"""How long an outgoing request may last ("Limits and configuration", HTTP limits, multitenant)."""
DEFAULT = RetryPolicy.model_validate(
    {"type": "exponential", "count": 4, "interval": "PT7.5S", "minimumInterval": "PT5S", "maximumInterval": "PT45S"}
)
"""Where an action names none ("Handle errors and exceptions", default retry policy)."""


@dataclass
class Sender:
    """Sends to a door. Which moment of an interval is taken, ``chance`` says."""

    door: Door
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def insist(self, sent: Sent, policy: RetryPolicy | None = None) -> Answered:
        """Send until the answer is one that the policy leaves alone. Raises Unreachable."""
        policy = policy or DEFAULT
        retries = 0 if policy.type == "none" else policy.count or 0
        for retry in range(1, retries + 1):
            try:
                answer = await self._once(sent)
            except Unreachable:
                answer = None
            if answer is not None and not (answer.status in (408, 429) or answer.status >= 500):
                return answer
            await asyncio.sleep(self._interval(policy, retry))
        return await self._once(sent)

    async def _once(self, sent: Sent) -> Answered:
        try:
            async with asyncio.timeout(ONE_REQUEST.total_seconds()):
                return await self.door.send(sent)
        except TimeoutError:
            raise Unreachable(f"no answer of {sent.url} within {ONE_REQUEST}") from None

    def _interval(self, policy: RetryPolicy, retry: int) -> float:
        """Seconds before the retry of that number ("Handle errors and exceptions", random variable ranges)."""
        scale = (policy.interval or timedelta()).total_seconds()
        if policy.type == "fixed":
            return scale
        least = (policy.minimum_interval or timedelta(seconds=5)).total_seconds()
        most = (policy.maximum_interval or timedelta(days=1)).total_seconds()
        low = max(0 if retry == 1 else scale * 2 ** (retry - 2), least)
        high = min(scale * 2 ** (retry - 1), most)
        return self.chance.uniform(min(low, high), high)

"""Runs of a campaign, each from its seed and number alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.chaos.checker import Violation, judge
from local.chaos.mischief import PARKING, Draw, draw
from local.chaos.stage import play
from local.chaos.story import Story
from local.sample import SAMPLES, Sample, load

EACH_CASE = (
    "s07-own-domain-from-classic.json",
    "s07-own-domain-from-scale-set.json",
    "s07-consented-gap.json",
    "s08-own-domain-from-cloudapp-net.json",
    "s08-region-name-from-cloudapp-net.json",
    "s08-retire-only.json",
    "s02-classic-gone.json",
    "existing-gateway.json",
    "site-makes-the-gateway.json",
    "new-own-domain.json",
    PARKING,
)
"""One sample at least for each case of the procedures, and for each who may make the gateway."""
USUAL = (
    *EACH_CASE,
    *EACH_CASE,
    "s01-providers-in-every-state.json",
    "s03-new-region-name.json",
    "s03-us-government.json",
    "s03-wildcard.json",
    "s04-one-to-several-instances.json",
    "s05-customer-by-app.json",
    "s05-customer-delegated.json",
    "s07-gap-not-accepted.json",
    "s07-zone-of-others.json",
    "s08-cloudapp-net-certificate-refused.json",
    "s09-offline-clients.json",
    "cancel-at-approval.json",
    "resume-after-quota.json",
    "resume-after-no-capacity.json",
)
"""What runs are drawn from; the cases twice as often as what varies them. Not those whose story tells of one moment
that mischief may let pass."""


@dataclass(frozen=True)
class Result:
    """What came of one run. ``explained`` are the disturbances that account for attempts of clients that failed."""

    number: int
    drawn: Draw
    outcome: str
    violations: tuple[Violation, ...]
    failures: int
    happened: tuple[str, ...]
    seconds: float


def run(seed: int, number: int, samples: Sequence[str] = USUAL) -> Result:
    """Run number so and so of the campaign with that seed."""
    drawn, began = draw(seed, number, samples), time.monotonic()
    story = play(_sample(drawn), drawn.mischief, drawn.seed)
    violations = tuple(judge(story))
    return Result(
        number,
        drawn,
        str(story.outcome),
        violations,
        len(story.failed_at),
        tuple(_told(story)),
        time.monotonic() - began,
    )


def _sample(drawn: Draw) -> Sample:
    file = Path(drawn.sample)
    sample = load(file if file.is_absolute() else SAMPLES / file)
    if "grace_period" not in sample.request:
        return sample
    return sample.model_copy(update={"request": sample.request | {"grace_period": drawn.grace}})


def _told(story: Story) -> list[str]:
    told = [(each.at, f"{each.what} (until {each.until or 'the end'})") for each in story.disturbances]
    told += [
        (each.at, f"somebody asked: {each.what}" + (f", refused: {each.refusal.get('title')}" if each.refusal else ""))
        for each in story.asked
    ]
    return [f"{at:%d %H:%M:%S} {what}" for at, what in sorted(told)]

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

USUAL = (
    "s07-own-domain-from-classic.json",
    "s07-own-domain-from-classic.json",
    "s07-own-domain-from-scale-set.json",
    "new-own-domain.json",
    "s03-new-region-name.json",
    PARKING,
)
"""What runs are drawn from; the default sample twice as often."""


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
    if not sample.is_migration:
        return sample
    return sample.model_copy(update={"request": sample.request | {"grace_period": drawn.grace}})


def _told(story: Story) -> list[str]:
    told = [(each.at, f"{each.what} (until {each.until or 'the end'})") for each in story.disturbances]
    told += [
        (each.at, f"somebody asked: {each.what}" + (f", refused: {each.refusal.get('title')}" if each.refusal else ""))
        for each in story.asked
    ]
    return [f"{at:%d %H:%M:%S} {what}" for at, what in sorted(told)]

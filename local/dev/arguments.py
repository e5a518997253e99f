"""Arguments that several commands take."""

import argparse
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from cmg_core.domain.requests import Duration

_DURATION = TypeAdapter[timedelta](Duration)


def time_scale(text: str) -> float:
    """By how much Azure's operations are shortened, from 0 to 1. Raises ArgumentTypeError, ValueError."""
    scale = float(text)
    if not 0 <= scale <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return scale


def duration(text: str) -> timedelta:
    """A span of time. Raises ArgumentTypeError."""
    try:
        return _DURATION.validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text} is no ISO 8601 duration, such as PT1S or P1D") from None

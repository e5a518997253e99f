"""Arguments that several commands take."""

import argparse


def time_scale(text: str) -> float:
    """By how much Azure's operations are shortened, from 0 to 1. Raises ArgumentTypeError, ValueError."""
    scale = float(text)
    if not 0 <= scale <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return scale

"""Which of the forms of an answer a caller wants (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from cmg_core.domain.problems import Problem
from cmg_core.refusals import CallRefused

JSON, MARKDOWN, TEXT = "application/json", "text/markdown", "text/plain"
"""The forms of answers; JSON where a caller has no wish."""

_RANGE = re.compile(r"(?P<kind>[\w!#$&^.+*-]+)/(?P<form>[\w!#$&^.+*-]+)(?P<rest>(\s*;.*)?)", re.ASCII)
_WEIGHT = re.compile(r";\s*q\s*=\s*(?P<q>0(\.\d{0,3})?|1(\.0{0,3})?)\s*(;|$)", re.IGNORECASE | re.ASCII)
_ANY_WEIGHT = re.compile(r";\s*q\s*=", re.IGNORECASE)


class _Wish(NamedTuple):
    media_range: str
    weight: float


def chosen_type(accept: str, offered: Sequence[str]) -> str:
    """The offered media type that a caller likes most, the earlier one of equals.

    No wish means the first. A range that cannot be read counts as not given; of its parameters only the weight counts.
    Raises CallRefused (406) where none of the offered is acceptable.
    """
    wishes = [wish for part in accept.split(",") if (wish := _wish(part.strip())) is not None]
    if not wishes:
        return offered[0]
    weight, _, best = max((_weight_of(offer, wishes), -position, offer) for position, offer in enumerate(offered))
    if weight > 0:
        return best
    raise CallRefused(
        Problem(
            code="not-acceptable",
            title="The answer has no form that the call accepts",
            detail=f"The header Accept allows none of {', '.join(offered)}.",
            cure=f"Send Accept with one of {', '.join(offered)}, or leave it out for {offered[0]}.",
            status=406,
        )
    )


def _wish(part: str) -> _Wish | None:
    found = _RANGE.fullmatch(part)
    if found is None or (found["kind"] == "*" and found["form"] != "*"):
        return None
    weight = _WEIGHT.search(found["rest"])
    if weight is None and _ANY_WEIGHT.search(found["rest"]):
        return None
    return _Wish(f"{found['kind']}/{found['form']}".lower(), float(weight["q"]) if weight else 1.0)


def _weight_of(offer: str, wishes: Sequence[_Wish]) -> float:
    """The weight of the most specific range that the offer lies in; of equal ranges the heaviest."""
    for media_range in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
        weights = [wish.weight for wish in wishes if wish.media_range == media_range]
        if weights:
            return max(weights)
    return 0.0

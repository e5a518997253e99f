"""Whether a region offers what a gateway needs: size, zones and cores (Compute API: resource SKUs and usages)."""

from collections.abc import Sequence
from dataclasses import dataclass

from cmg_core.domain.findings import blocks
from cmg_core.domain.problems import Finding
from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at

ALL_CORES = "cores"
"""The usage that counts all cores of a region."""


@dataclass(frozen=True)
class Offer:
    """A size as a region offers it to the subscription."""

    family: str
    cores: int
    zones: tuple[str, ...]


def _texts(found: Json) -> list[str]:
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def offer_of(sizes: Sequence[JsonObject], size: str, region: str) -> Offer | None:
    """The offer of one size, without the zones that are closed to the subscription; None where it is not to be had."""
    body = next((body for body in sizes if text_at(body, "name").lower() == size.lower()), None)
    restrictions = objects_at(body, "restrictions")
    if body is None or any(text_at(restriction, "type").lower() == "location" for restriction in restrictions):
        return None
    closed = {zone for restriction in restrictions for zone in _texts(at(restriction, "restrictionInfo", "zones"))}
    offered = {
        zone
        for place in objects_at(body, "locationInfo")
        if text_at(place, "location").lower() == region.lower()
        for zone in _texts(at(place, "zones"))
    }
    cores = next(
        (text_at(item, "value") for item in objects_at(body, "capabilities") if text_at(item, "name") == "vCPUs"), ""
    )
    return Offer(text_at(body, "family"), int(cores) if cores.isdecimal() else 0, tuple(sorted(offered - closed)))


def judge_offer(offer: Offer | None, size: str, region: str) -> tuple[Finding, ...]:
    """Whether the size is to be had at all."""
    if offer is not None:
        return ()
    return (
        blocks(
            "size-not-offered",
            f"{size} is not offered to this subscription in {region}.",
            "Choose another size or region, or ask Microsoft's support to lift the restriction.",
            pointer="/size",
        ),
    )


def judge_quota(usages: Sequence[JsonObject], offer: Offer, instances: int, region: str) -> tuple[Finding, ...]:
    """Whether the cores fit into what is left of the quota, beside everything that runs already."""
    needed = offer.cores * instances
    found: list[Finding] = []
    for body in usages:
        name, used, limit = text_at(body, "name", "value"), at(body, "currentValue"), at(body, "limit")
        counts = name.lower() in (ALL_CORES, offer.family.lower())
        if counts and isinstance(used, int) and isinstance(limit, int) and used + needed > limit:
            found.append(
                blocks(
                    "quota-too-small",
                    f"{needed} cores are needed in {region}; of {limit} for «{name}» {used} are in use.",
                    f"Ask for a limit of at least {used + needed} (portal: Quotas), or for fewer instances.",
                    resource=text_at(body, "id"),
                    pointer="/instances",
                )
            )
    return tuple(found)

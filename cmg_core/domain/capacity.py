"""Whether a region offers what a gateway needs: size, zones, image generation, cores, addresses.

Sources: Compute API, resource SKUs and usages; Network API, "Usages - List" (names of the counters as it gives them).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.problems import Finding
from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at

ALL_CORES = "cores"
"""The usage that counts all cores of a region."""
GENERATION = "V1"
"""The gateway's image is of generation 1 ("Support for generation 2 VMs": Av2 sizes take no other)."""
ADDRESSES = frozenset({"publicipaddresses", "standardskupublicipaddresses"})
NETWORK_PARTS = frozenset(
    {*ADDRESSES, "loadbalancers", "standardskuloadbalancers", "virtualnetworks", "networksecuritygroups"}
)
"""The counters of Microsoft.Network (lower case) that each new gateway raises by one. ``StaticPublicIPAddresses`` is
left out: whether Standard addresses count there is not documented."""


@dataclass(frozen=True)
class Offer:
    """A size as a region offers it to the subscription."""

    family: str
    cores: int
    zones: tuple[str, ...]
    generations: tuple[str, ...] = ()
    """Image generations that it boots; empty where Azure does not say."""


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
    can = {text_at(item, "name"): text_at(item, "value") for item in objects_at(body, "capabilities")}
    cores = can.get("vCPUs", "")
    generations = tuple(part.strip() for part in can.get("HyperVGenerations", "").split(",") if part.strip())
    return Offer(
        text_at(body, "family"),
        int(cores) if cores.isdecimal() else 0,
        tuple(sorted(offered - closed)),
        generations,
    )


def judge_offer(offer: Offer | None, size: str, region: str, *, boots_our_image: bool = True) -> tuple[Finding, ...]:
    """Whether the size is to be had at all, and boots the gateway's image, where that is the app's: which one the site
    takes is not documented."""
    if boots_our_image and offer is not None and offer.generations and GENERATION not in offer.generations:
        return (
            blocks(
                "size-without-generation-1",
                f"{size} boots images of generation {', '.join(offer.generations)} in {region}; the gateway's image is "
                "of generation 1.",
                "Choose another size or region.",
                pointer="/size",
            ),
        )
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


def judge_network_quota(usages: Sequence[JsonObject], region: str) -> tuple[Finding, ...]:
    """Whether one more public address, load balancer, network and security group fit beside what stands already."""
    found: list[Finding] = []
    for body in usages:
        name, used, limit = text_at(body, "name", "value"), at(body, "currentValue"), at(body, "limit")
        counts = name.lower() in NETWORK_PARTS
        if counts and isinstance(used, int) and isinstance(limit, int) and used + 1 > limit:
            found.append(
                blocks(
                    "address-quota-too-small" if name.lower() in ADDRESSES else "network-quota-too-small",
                    f"The gateway needs one more in {region}; of {limit} for «{name}» {used} are in use.",
                    f"Ask for a limit of at least {used + 1} (portal: Quotas), or remove what nobody needs.",
                    resource=text_at(body, "id"),
                    pointer="/region",
                )
            )
    return tuple(found)


def network_quota_not_seen(why: str) -> Finding:
    """That limits are not shown before the provider is registered: no obstacle, for the deployment registers it."""
    return warns(
        "network-quota-not-seen",
        f"Whether another public address and load balancer fit into the quota could not be seen. {why}",
        "The deployment registers the provider, and fails where a limit does not allow the gateway; the old one is "
        "untouched then.",
        pointer="/region",
    )

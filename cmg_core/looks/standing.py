"""A gateway that the site has made, as it stands in Azure: this app takes it as it is and changes nothing of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.old_gateway import (
    PUBLIC_ADDRESS,
    first_references,
    further_references,
    group_of,
    immutable_id,
    type_of,
)
from cmg_core.domain.plans import Part, StandingGateway
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import Request
from cmg_core.domain.target import group_id, is_region
from cmg_core.domain.values import JsonObject, at, objects_at, same_id, text_at
from cmg_core.services import ResourceManager

POINTER = "/new_gateway/resource_id"


@dataclass(frozen=True)
class StandingFacts:
    """A scale set (None where there is none) and what it refers to."""

    body: JsonObject | None
    referred: Sequence[JsonObject] = ()


async def standing_facts(azure: ResourceManager, scale_set_id: str) -> StandingFacts:
    """Look at a scale set and what it refers to. Raises what ``ResourceManager.get`` raises."""
    body = await azure.get(scale_set_id)
    return StandingFacts(body, await referred_to(azure, body) if body is not None else ())


async def referred_to(azure: ResourceManager, scale_set: JsonObject) -> list[JsonObject]:
    """The bodies of all that a scale set is connected with: load balancers, addresses, networks, security groups."""
    referred = await _bodies(azure, first_references(scale_set))
    known = {text_at(found, "id").lower() for found in referred}
    return referred + await _bodies(azure, [id for id in further_references(referred) if id.lower() not in known])


async def _bodies(azure: ResourceManager, ids: Sequence[str]) -> list[JsonObject]:
    return [body for body in await asyncio.gather(*(azure.get(id) for id in ids)) if body is not None]


def named_address(referred: Sequence[JsonObject]) -> JsonObject:
    """A scale set's public address that has a DNS name; empty where there is none."""
    addresses = [found for found in referred if type_of(text_at(found, "id")) == PUBLIC_ADDRESS]
    return next((found for found in addresses if text_at(found, "properties", "dnsSettings", "fqdn")), {})


def standing_gateway(facts: StandingFacts) -> StandingGateway | None:
    """The gateway, where it stands and has an address with a name."""
    body, address = facts.body, named_address(facts.referred)
    name = text_at(address, "properties", "dnsSettings", "fqdn").lower().rstrip(".")
    if body is None or not name:
        return None
    capacity = at(body, "sku", "capacity")
    return StandingGateway(
        scale_set=Part(id=text_at(body, "id"), immutable_id=immutable_id(body)),
        address=text_at(address, "properties", "ipAddress"),
        deployment_name=name,
        instances=capacity if isinstance(capacity, int) else 0,
        health_extension=_reports_health(body),
        parts=(text_at(body, "id"), *(text_at(found, "id") for found in facts.referred)),
    )


def _reports_health(scale_set: JsonObject) -> bool:
    """Whether the scale set has the application health extension ("Application Health extension")."""
    extensions = objects_at(scale_set, "properties", "virtualMachineProfile", "extensionProfile", "extensions")
    return any(text_at(each, "properties", "type").lower().startswith("applicationhealth") for each in extensions)


def judge_standing(facts: StandingFacts, request: Request, resource_id: str) -> tuple[Finding, ...]:
    """Whether the gateway that is said to stand does, where the request says, and can be reached by a name."""
    found: list[Finding] = []
    if facts.body is None:
        return (
            blocks(
                "new-gateway-missing",
                "There is no such scale set, or the app may not see it.",
                "Give the full resource ID of the scale set of the gateway that the site has made.",
                resource=resource_id,
                pointer=POINTER,
            ),
        )
    if standing_gateway(facts) is None:
        found.append(
            blocks(
                "new-gateway-without-name",
                "No public address with a DNS name was found behind this scale set: clients cannot be led to it.",
                "Check the ID: it must be the gateway's scale set, behind its load balancer.",
                resource=resource_id,
                pointer=POINTER,
            )
        )
    if not is_region(text_at(facts.body, "location"), request.region):
        found.append(
            blocks(
                "new-gateway-in-other-region",
                f"The scale set is in {text_at(facts.body, 'location')}, the request says {request.region}.",
                "Give the region in which the gateway stands.",
                resource=resource_id,
                pointer="/region",
            )
        )
    if not same_id(group_of(resource_id), group_id(request)):
        found.append(
            blocks(
                "new-gateway-in-other-group",
                f"The scale set lies in {group_of(resource_id)}, the request says {group_id(request)}.",
                "Give the resource group in which the gateway stands.",
                resource=resource_id,
                pointer="/resource_group",
            )
        )
    if text_at(facts.body, "properties", "provisioningState").lower() != "succeeded":
        found.append(
            warns(
                "new-gateway-not-ready",
                f"The scale set's provisioning says «{text_at(facts.body, 'properties', 'provisioningState')}».",
                "Wait until the site says Ready. The deployment waits for it, too, and then calls a person.",
                resource=resource_id,
            )
        )
    return tuple(found)


def judge_not_the_old_one(new: StandingGateway, old_id: str, old_parts: Sequence[Part]) -> tuple[Finding, ...]:
    """Whether the new gateway and what is to be deleted are two different things."""
    going = {old_id.lower(), *(part.id.lower() for part in old_parts)}
    both = [id for id in new.parts if id.lower() in going]
    if not both:
        return ()
    return (
        blocks(
            "new-gateway-is-old",
            "The new gateway and the old one share this.",
            "Give the new gateway's own scale set as `new_gateway`, and the one to remove as `old_gateway`.",
            resource=both[0],
            pointer=POINTER,
        ),
    )

"""What belongs to an old gateway, judged from the bodies that Resource Manager shows.

Only what the scale set refers to and nothing else visible uses is a part; everything else in its resource group stays
(docs/procedures.md, "Deletion").
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.gateway_resources import OWNER_TAG
from cmg_core.domain.names import CLASSIC_SUFFIX
from cmg_core.domain.plans import OldGateway, Part
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import SCALE_SET_TYPE, ReplacementRequest
from cmg_core.domain.values import Json, JsonObject, ResourceId, at, objects_at, same_id, tags_of, text_at

CLASSIC = "microsoft.classiccompute/domainnames"
SCALE_SET = SCALE_SET_TYPE
LOAD_BALANCER = "microsoft.network/loadbalancers"
PUBLIC_ADDRESS = "microsoft.network/publicipaddresses"
NETWORK = "microsoft.network/virtualnetworks"
NETWORK_SECURITY_GROUP = "microsoft.network/networksecuritygroups"
STORES = ("microsoft.storage/storageaccounts", "microsoft.classicstorage/storageaccounts", "microsoft.keyvault/vaults")
"""What a gateway keeps its content and its secrets in: deleted only where the request names it."""
DELETABLE = (LOAD_BALANCER, PUBLIC_ADDRESS, NETWORK, NETWORK_SECURITY_GROUP, *STORES)
"""The kinds that a gateway is made of, besides the machines themselves."""


def immutable_id(body: JsonObject) -> str:
    """Azure's own ID of this very resource, which a namesake made later does not have; empty where Azure gives none.

    ``uniqueId`` of scale sets (Compute API), ``resourceGuid`` of network resources (Network API).
    """
    return text_at(body, "properties", "uniqueId") or text_at(body, "properties", "resourceGuid")


def type_of(id: str) -> str:
    """The type of a resource in lower case. Raises ValueError where ``id`` is no full resource ID."""
    return ResourceId.parse(id).type.lower()


def top_resource(id: str) -> str:
    """The top-level resource that a child's ID (a subnet, a back-end pool) belongs to, as Azure wrote it."""
    return "/".join(id.split("/")[:9])


def goes_with(id: str, parts: Iterable[Part]) -> bool:
    """Whether a resource is one of the parts, or a child of one."""
    return any(f"{id}/".lower().startswith(f"{part.id}/".lower()) for part in parts)


def _ids(bodies: Iterable[JsonObject], *path: str) -> list[str]:
    return [id for id in (text_at(body, *path) for body in bodies) if id]


def _interfaces(scale_set: JsonObject) -> list[JsonObject]:
    return objects_at(
        scale_set,
        "properties",
        "virtualMachineProfile",
        "networkProfile",
        "networkInterfaceConfigurations",
    )


def _unique(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple({top_resource(id).lower(): top_resource(id) for id in ids}.values())


def first_references(scale_set: JsonObject) -> tuple[str, ...]:
    """The load balancers, networks and security groups that a scale set names, each once."""
    interfaces = _interfaces(scale_set)
    addresses = [
        config for interface in interfaces for config in objects_at(interface, "properties", "ipConfigurations")
    ]
    pools = [
        pool
        for config in addresses
        for kind in ("loadBalancerBackendAddressPools", "loadBalancerInboundNatPools")
        for pool in objects_at(config, "properties", kind)
    ]
    return _unique(
        [
            *_ids(pools, "id"),
            *_ids(addresses, "properties", "subnet", "id"),
            *_ids(interfaces, "properties", "networkSecurityGroup", "id"),
        ]
    )


def further_references(bodies: Iterable[JsonObject]) -> tuple[str, ...]:
    """The public addresses of load balancers, and the security groups of networks' subnets, each once."""
    found: list[str] = []
    for body in bodies:
        found += _ids(objects_at(body, "properties", "frontendIPConfigurations"), "properties", "publicIPAddress", "id")
        found += _ids(objects_at(body, "properties", "subnets"), "properties", "networkSecurityGroup", "id")
    return _unique(found)


def users_of(body: JsonObject) -> tuple[str, ...]:
    """The top-level resources that a network resource says it is used by, each once."""
    properties = at(body, "properties")
    users = [
        *_ids(objects_at(properties, "networkInterfaces"), "id"),
        *_ids(objects_at(properties, "subnets"), "id"),
        *_ids(objects_at(properties, "virtualNetworkPeerings"), "properties", "remoteVirtualNetwork", "id"),
        *_ids([at_object(properties, "ipConfiguration"), at_object(properties, "natGateway")], "id"),
    ]
    for pool in objects_at(properties, "backendAddressPools"):
        users += _ids(objects_at(pool, "properties", "backendIPConfigurations"), "id")
        users += _ids(
            objects_at(pool, "properties", "loadBalancerBackendAddresses"),
            "properties",
            "networkInterfaceIPConfiguration",
            "id",
        )
    for rule in objects_at(properties, "inboundNatRules"):
        users += _ids([at_object(rule, "properties", "backendIPConfiguration")], "id")
    for subnet in objects_at(properties, "subnets"):
        users += _ids(objects_at(subnet, "properties", "ipConfigurations"), "id")
        users += _ids(objects_at(subnet, "properties", "privateEndpoints"), "id")
    own = text_at(body, "id")
    return tuple(user for user in _unique(users) if not same_id(user, own))


def at_object(body: Json, *path: str) -> JsonObject:
    """The object at ``path``, or an empty one."""
    found = at(body, *path)
    return found if isinstance(found, dict) else {}


_ORDER = (SCALE_SET, LOAD_BALANCER, PUBLIC_ADDRESS, NETWORK, NETWORK_SECURITY_GROUP)


@dataclass(frozen=True)
class Parts:
    """The parts of an old gateway in the order of their deletion, and the references that others use as well."""

    parts: tuple[Part, ...]
    shared: Mapping[str, tuple[str, ...]]
    """Resource ID of what stays, with the users that keep it."""
    elsewhere: tuple[str, ...] = ()
    """What stays because it lies in another resource group than the gateway: nobody listed it as the gateway's."""


def parts_of_scale_set(scale_set: JsonObject, referred: Sequence[JsonObject]) -> Parts:
    """The scale set, and of what it refers to in its own resource group everything that is used by nothing but other
    parts."""
    bodies = {text_at(body, "id").lower(): body for body in (scale_set, *referred)}
    group = group_of(text_at(scale_set, "id")).lower()
    elsewhere = [id for id in bodies if group_of(id).lower() != group]
    going, shared = set(bodies).difference(elsewhere), dict[str, tuple[str, ...]]()
    while True:
        kept = {
            id: others
            for id in going
            if (others := tuple(user for user in users_of(bodies[id]) if user.lower() not in going))
        }
        if not kept:
            break
        going -= set(kept)
        shared |= {text_at(bodies[id], "id"): others for id, others in kept.items()}
    ordered = sorted(going, key=lambda id: (_ORDER.index(type_of(id)), id))
    return Parts(
        tuple(Part(id=text_at(bodies[id], "id"), immutable_id=immutable_id(bodies[id])) for id in ordered),
        shared,
        tuple(text_at(bodies[id], "id") for id in elsewhere),
    )


def judge_presence(request: ReplacementRequest, body: JsonObject | None) -> tuple[Finding, ...]:
    """Whether the old gateway is there, or gone, as the request says."""
    id = request.old_gateway.resource_id
    if body is None and not request.old_gateway.gone:
        return (
            blocks(
                "old-gateway-missing",
                "There is no such resource: the old gateway may be gone already.",
                "Check `old_gateway.resource_id`. Where Azure has removed it, say so with `old_gateway.gone`: there is "
                "no way back to it then.",
                resource=id,
                pointer="/old_gateway/resource_id",
            ),
        )
    if body is not None and request.old_gateway.gone:
        return (
            blocks(
                "old-gateway-not-gone",
                "The request says that Azure holds the old gateway no more, but it is there.",
                "Leave `old_gateway.gone` out.",
                resource=id,
                pointer="/old_gateway/gone",
            ),
        )
    if body is None:
        return (
            warns(
                "old-gateway-gone",
                "Of the old gateway only the site's record and the connection point are left. Clients have no gateway "
                "by this name, and there is none to go back to.",
                "Nothing of it is deleted in Azure. A rollback is possible only until the cut-over begins.",
                resource=id,
            ),
        )
    return ()


def gone_gateway(request: ReplacementRequest) -> OldGateway:
    """The old gateway of which Azure holds nothing any more. A classic one's name follows from its cloud service's."""
    old = request.old_gateway
    is_classic = type_of(old.resource_id) == CLASSIC
    name = f"{ResourceId.parse(old.resource_id).name}.{CLASSIC_SUFFIX}".lower() if is_classic else ""
    return OldGateway(
        model="classic" if is_classic else "scale-set",
        resource_id=old.resource_id,
        service_name=old.service_name,
        deployment_name=name,
        region="",
        parts=(),
        kept=(),
        gone=True,
    )


def judge_shared(parts: Parts) -> tuple[Finding, ...]:
    """Tell what the old gateway uses and stays nevertheless: others use it too, or it lies elsewhere."""
    cure = "It stays. Remove it by hand when nothing uses it any more."
    used = [
        tells("part-used-by-others", f"The old gateway uses this, and so does {', '.join(users)}.", cure, resource=id)
        for id, users in parts.shared.items()
    ]
    seen = "The old gateway uses this, and it lies in another resource group."
    return (*used, *(tells("part-elsewhere", seen, cure, resource=id) for id in parts.elsewhere))


def judge_confirmation(
    request: ReplacementRequest, parts: Sequence[Part], group: Sequence[JsonObject], shared: Iterable[str] = ()
) -> tuple[Finding, ...]:
    """Whether a person has confirmed each part, where the resource group holds more than the gateway.

    Storage accounts and vaults count as the gateway's: they stay unless the request names them. For a classic source
    the request itself names the one resource.
    """
    derived = {part.id.lower() for part in parts}
    confirmed = {id.lower() for id in request.old_gateway.confirmed_parts}
    strange = [
        id for id in (text_at(body, "id") for body in group) if not goes_with(id, parts) and type_of(id) not in STORES
    ] + list(shared)
    is_classic = type_of(request.old_gateway.resource_id) == CLASSIC
    if confirmed == derived or (not confirmed and (is_classic or not strange)):
        return ()
    listed = ", ".join(part.id for part in parts)
    if confirmed:
        seen = "The parts that were confirmed are not the parts that were found."
    else:
        seen = f"The old gateway's resource group holds more than the gateway, {strange[0]} for example."
    return (
        blocks(
            "parts-not-confirmed",
            seen,
            f"A person checks each part and gives exactly these IDs as `old_gateway.confirmed_parts`: {listed}.",
            pointer="/old_gateway/confirmed_parts",
        ),
    )


def judge_parking(address: Part | None, scale_set: JsonObject, address_body: JsonObject) -> tuple[Finding, ...]:
    """Whether the name of the old gateway can stay parked: this app made it, and the address is the gateway's alone."""
    owner = tags_of(scale_set).get(OWNER_TAG)
    if address is None or not owner or tags_of(address_body).get(OWNER_TAG) != owner:
        return (
            blocks(
                "park-not-ours",
                "Only the name of a gateway that this app made can stay parked: scale set and public address carry the "
                f"same tag {OWNER_TAG} then.",
                "Leave `park_old_name` out. No address goes while a record that the app can see still leads to it.",
                pointer="/park_old_name",
            ),
        )
    name = text_at(address_body, "properties", "dnsSettings", "fqdn")
    return (
        tells(
            "name-stays-parked",
            f"The old gateway's address stays alone, so that nobody else can claim «{name}». It costs a little.",
            "When nothing leads to it any more, release it: POST /api/deployments/{id}/release-name.",
            resource=address.id,
        ),
    )


@dataclass(frozen=True)
class Surroundings:
    """What a resource to delete besides must not touch."""

    parts: Sequence[Part]
    group: Sequence[JsonObject]
    """The contents of the old gateway's resource group."""
    certificate_vault: str
    """The address of the vault that holds the new gateway's certificate."""
    new_ids: Sequence[str]


def judge_also_delete(
    request: ReplacementRequest, id: str, body: JsonObject | None, around: Surroundings
) -> tuple[Finding, ...]:
    """What keeps a resource that the request names besides from being deleted with the old gateway."""

    def refused(code: str, seen: str, cure: str = "Leave it out of `old_gateway.also_delete`.") -> tuple[Finding, ...]:
        return (blocks(code, seen, cure, resource=id, pointer="/old_gateway/also_delete"),)

    kind, name = type_of(id), ResourceId.parse(id).name.lower()
    if kind not in DELETABLE:
        return refused("also-delete-kind", f"A gateway is not made of resources of type {ResourceId.parse(id).type}.")
    if not id.lower().startswith(group_of(request.old_gateway.resource_id).lower() + "/"):
        return refused("also-delete-elsewhere", "It is not in the old gateway's resource group.")
    if body is None:
        return refused("also-delete-missing", "There is no such resource.")
    if any(same_id(id, new) for new in around.new_ids):
        return refused("also-delete-new", "It would be part of the new gateway.")
    if kind == "microsoft.keyvault/vaults" and around.certificate_vault.startswith(f"https://{name}."):
        return refused("also-delete-certificate-vault", "It holds the certificate of the new gateway.")
    going = {part.id.lower() for part in around.parts} | {extra.lower() for extra in request.old_gateway.also_delete}
    users = [user for user in users_of(body) if user.lower() not in going]
    if users or text_at(body, "managedBy"):
        return refused("also-delete-in-use", f"It is used by {', '.join(users) or text_at(body, 'managedBy')}.")
    others = [
        text_at(other, "id")
        for other in around.group
        if text_at(other, "type").lower() in (SCALE_SET, CLASSIC) and text_at(other, "id").lower() not in going
    ]
    if kind in STORES and others:
        return refused(
            "also-delete-maybe-in-use",
            f"Another gateway stands in the same resource group and may use it: {others[0]}.",
        )
    return ()


def group_of(id: str) -> str:
    """The ID of the resource group that a resource lies in."""
    parsed = ResourceId.parse(id)
    return f"/subscriptions/{parsed.subscription_id}/resourceGroups/{parsed.resource_group}"

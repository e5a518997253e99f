"""What others do to the world during a run, and how an administrator puts it right again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from local.azure import site
from local.azure.dns import resolve
from local.azure.messages import Response
from local.azure.simulator import Simulator
from local.azure.world import Body, Resource
from local.chaos.mischief import Kind
from local.chaos.story import Disturbance
from local.chaos.surroundings import Surroundings

DNS_API, LOCKS_API, CLASSIC_API, COMPUTE_API = "2018-05-01", "2020-05-01", "2016-11-01", "2024-11-01"
FAILURES = ("InternalExecutionError", "AllocationFailed", "OperationNotAllowed", "NetworkingInternalOperationError")
PLACES = (
    "virtualMachineScaleSets/[^/]+$",
    "loadBalancers",
    "publicIPAddresses",
    "virtualNetworks",
    "dnsZones",
    "locks",
    "ClassicCompute",
    "virtualMachines",
    "providers$",
    "vault",
)
OWN_IDS = ("uniqueId", "resourceGuid")
"""What a resource made anew under the same name does not have again."""
LONGEST_TROUBLE_MINUTES, LONGEST_MISTAKE_HOURS = 90, 30


@dataclass
class Trouble:
    """Something wrong with the world, until it is cured or over."""

    told: Disturbance
    cure: Callable[[datetime], object] | None = None
    """Puts it right; None where nobody can."""
    over_at: datetime | None = None
    """When it passes by itself."""
    leads_over: bool = False
    """Whether the cure leads clients to the new gateway: nobody does that during a rollback."""


def make(kind: Kind, place: Surroundings, old_name: str, random: Random, now: datetime) -> Trouble | None:
    """Let something go wrong now; None where this world has nothing that could."""
    site.advance(place.world, now)
    if kind in FAULTS:
        return FAULTS[kind](place, random, now)
    if not place.old_id and kind is not Kind.SICK_INSTANCE:
        return None
    return WORLD[kind](place, old_name, random, now)


def _fault(place: Surroundings, described: dict[str, object], what: str, now: datetime, stops: bool) -> Trouble:
    Simulator(place.world).add_fault(described)
    fault = place.world.faults[-1]

    def cure(_: datetime) -> None:
        place.world.faults[:] = [each for each in place.world.faults if each is not fault]

    return Trouble(Disturbance(now, what, stops=stops), cure)


def _operation_fails(place: Surroundings, random: Random, now: datetime) -> Trouble:
    code, path, method = random.choice(FAILURES), random.choice(PLACES[:4]), random.choice(("PUT", "PUT", "DELETE"))
    error = {"code": code, "message": "Made up."}
    action = {"operation": "fail", "error": error}
    described = {"match": {"method": method, "path": path}, "times": random.randint(1, 2), "action": action}
    return _fault(place, described, f"{method} {path} is taken and fails with {code}", now, stops=True)


def _throttled(place: Surroundings, random: Random, now: datetime) -> Trouble:
    path, times, pause = random.choice(PLACES), random.randint(2, 8), random.choice((1, 30, 300, 1200))
    body = {"error": {"code": "TooManyRequests", "message": "Made up."}}
    action = {"status": 429, "headers": {"Retry-After": str(pause)}, "body": body}
    described = {"match": {"path": path}, "times": times, "action": action}
    return _fault(place, described, f"429 with {pause} s at {path}, {times} times", now, stops=False)


def _forbidden(place: Surroundings, random: Random, now: datetime) -> Trouble:
    path = random.choice(PLACES)
    body = {"error": {"code": "AuthorizationFailed", "message": "Made up."}}
    described = {"match": {"path": path}, "times": random.randint(1, 5), "action": {"status": 403, "body": body}}
    return _fault(place, described, f"403 at {path}", now, stops=True)


def _lock(place: Surroundings, _: str, random: Random, now: datetime) -> Trouble | None:
    scope = random.choice((place.standing_id, place.old_group, "/".join(place.old_id.split("/")[:3])))
    level = random.choice(("CanNotDelete", "CanNotDelete", "ReadOnly"))
    path = f"{scope}/providers/Microsoft.Authorization/locks/keep-it"
    if place.ask("PUT", path, LOCKS_API, {"properties": {"level": level}}, now).status >= 300:
        return None

    def cure(_: datetime) -> object:
        return place.world.resources.pop(path.lower(), None)

    return Trouble(Disturbance(now, f"{level} lock on {scope}", stops=True), cure)


def _point(place: Surroundings, name: str, target: str, now: datetime) -> Response:
    body = {"properties": {"TTL": 4, "CNAMERecord": {"cname": target}}}
    return place.ask("PUT", f"{place.zone_id}/CNAME/{name}", DNS_API, body, now)


def _record_back(place: Surroundings, old_name: str, random: Random, now: datetime) -> Trouble | None:
    before = place.target(now)
    if not place.zone_id or before in ("", old_name):
        return None
    _point(place, place.label, old_name, now)
    # Its connection point may dial the new gateway already, or will at its next check; where the name is a new one,
    # the old gateway does not know it, and clients may know no other.
    cuts = not place.case.moves_the_name or (not _relays(place, old_name, now) or place.inside_target(now) != old_name)

    def cure(now: datetime) -> None:
        _point(place, place.label, before, now)

    what = f"the record of the service name set back to {old_name}"
    over_at = now + timedelta(hours=random.uniform(0.1, LONGEST_MISTAKE_HOURS))
    return Trouble(Disturbance(now, what, stops=True, cuts_clients=cuts), cure, over_at, leads_over=True)


def _relays(place: Surroundings, name: str, now: datetime) -> bool:
    address = resolve(place.world, name, "A", "public", now).address
    return address is not None and place.world.site is not None and place.world.site.relays(address)


def _forgotten_record(place: Surroundings, old_name: str, random: Random, now: datetime) -> Trouble | None:
    if not place.zone_id:
        return None
    _point(place, "vpn", old_name, now)

    def cure(now: datetime) -> None:
        place.ask("DELETE", f"{place.zone_id}/CNAME/vpn", DNS_API, None, now)

    return Trouble(Disturbance(now, f"another record leads to {old_name}", stops=True), cure)


def _old_scaled(place: Surroundings, _: str, random: Random, now: datetime) -> Trouble | None:
    if place.world.resource(place.old_id) is None:
        return None
    machines = place.world.instances.get(place.old_id.lower(), [])
    if len(machines) > 1:
        machines.pop()
    return Trouble(Disturbance(now, "the old gateway was scaled in"))


def _old_recreated(place: Surroundings, _: str, random: Random, now: datetime) -> Trouble | None:
    old = place.world.resource(place.standing_id)
    own_id = next((name for name in OWN_IDS if old is not None and name in old.properties), None)
    if old is None or own_id is None:
        return None
    old.properties[own_id] = place.world.guid()
    return Trouble(Disturbance(now, f"{old.name} was made anew", stops=True, removes=frozenset({old.id.lower()})))


def _old_removed(place: Surroundings, old_name: str, random: Random, now: datetime) -> Trouble | None:
    if place.world.resource(place.old_id) is None:
        return None
    classic = "classiccompute" in place.old_id.lower()
    answer = place.ask("DELETE", place.old_id, CLASSIC_API if classic else COMPUTE_API, None, now)
    if answer.status >= 300:
        return None
    # After the cut-over clients feel it as long as they hold the old answer: the judge allows for that. Under another
    # name a client that has not learned it yet is stranded.
    over = place.case.moves_the_name and place.target(now) != old_name
    until, removed = now if over else None, frozenset({place.old_id.lower()})
    return Trouble(
        Disturbance(now, "somebody removed the old gateway", until, cuts_clients=True, stops=True, removes=removed)
    )


def _stranger(place: Surroundings, _: str, random: Random, now: datetime) -> Trouble:
    id = f"{place.old_group}/providers/Microsoft.Storage/storageAccounts/stranger"
    kind = "Microsoft.Storage/storageAccounts"
    body: Body = {"id": id, "name": "stranger", "type": kind, "location": "eastus", "tags": {}, "properties": {}}
    place.world.resources[id.lower()] = Resource(id, kind, "stranger", "eastus", body, now, now)
    return Trouble(Disturbance(now, "a stranger's storage account in the old gateway's group"))


def _sick_instance(place: Surroundings, _: str, random: Random, now: datetime) -> Trouble | None:
    scale_set = place.new_scale_set()
    machines = place.world.instances.get(scale_set.id.lower(), []) if scale_set else []
    if not machines:
        return None
    machine = random.choice(machines)
    machine.healthy = False

    def cure(_: datetime) -> None:
        machine.healthy = None

    over_at = now + timedelta(minutes=random.uniform(1, LONGEST_TROUBLE_MINUTES))
    cuts = len(machines) == 1
    return Trouble(
        Disturbance(now, "an instance of the new gateway is sick", stops=True, cuts_clients=cuts), cure, over_at
    )


def _connection_point_lost(place: Surroundings, old_name: str, random: Random, now: datetime) -> Trouble | None:
    cuts = place.target(now) != old_name
    return _lost(place, "cp2", place.service_name, cuts, random, now)


def _original_point_lost(place: Surroundings, old_name: str, random: Random, now: datetime) -> Trouble | None:
    """Clients may know no other gateway than the one that it serves."""
    return _lost(place, "cp1", place.old_service_name, True, random, now)


def _lost(
    place: Surroundings, server: str, service_name: str, cuts: bool, random: Random, now: datetime
) -> Trouble | None:
    """A connection point's server resolves its gateway's name to nowhere for a while."""
    points = place.world.site.connection_points if place.world.site else {}
    point = points.get(server)
    if point is None:
        return None
    kept = point.hosts.get(service_name)
    point.hosts[service_name] = "192.0.2.1"

    def cure(_: datetime) -> None:
        if kept is None:
            point.hosts.pop(service_name, None)
        else:
            point.hosts[service_name] = kept

    over_at = now + timedelta(minutes=random.uniform(1, LONGEST_TROUBLE_MINUTES))
    told = Disturbance(now, f"the connection point {point.server} lost its way", stops=True, cuts_clients=cuts)
    return Trouble(told, cure, over_at)


FAULTS: dict[Kind, Callable[[Surroundings, Random, datetime], Trouble]] = {
    Kind.OPERATION_FAILS: _operation_fails,
    Kind.THROTTLED: _throttled,
    Kind.FORBIDDEN: _forbidden,
}
WORLD: dict[Kind, Callable[[Surroundings, str, Random, datetime], Trouble | None]] = {
    Kind.LOCK: _lock,
    Kind.RECORD_BACK: _record_back,
    Kind.FORGOTTEN_RECORD: _forgotten_record,
    Kind.OLD_SCALED: _old_scaled,
    Kind.OLD_RECREATED: _old_recreated,
    Kind.OLD_REMOVED: _old_removed,
    Kind.STRANGER: _stranger,
    Kind.SICK_INSTANCE: _sick_instance,
    Kind.CONNECTION_POINT_LOST: _connection_point_lost,
    Kind.ORIGINAL_POINT_LOST: _original_point_lost,
}

"""The truth about a world, whatever the product saw of it: who relays, where names lead, what stands."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime

from cmg_core.domain.values import JsonObject, objects_at
from local.azure.dns import resolve
from local.azure.gateways import reach, relay
from local.azure.messages import Request
from local.azure.site import advance
from local.azure.world import Resource, World
from local.chaos.story import Look
from local.chaos.surroundings import Surroundings

PROBE = Request("GET", "", "/CCM_Proxy_ServerAuth/ServiceMetadata")
HEALTH = "applicationhealth"


@dataclass
class Truth:
    """What is so in a sample's world."""

    place: Surroundings
    old_name: str
    relayed_at: datetime | None = None
    """When the new gateway was first seen to relay under its public name."""
    connected_at: datetime | None = None
    """When it was first seen to relay at its own address."""
    connected_when_dialed: dict[str, bool] = field(default_factory=dict)
    """Whether it did when an invocation last dialed."""

    def watch(self, now: datetime) -> None:
        """Note the first moments."""
        if self.relayed_at is not None and self.connected_at is not None:
            return
        scale_set = self.place.new_scale_set()
        if scale_set is None:
            return
        if self.relayed_at is None and self._relays_publicly(scale_set, now):
            self.relayed_at = now
        if self.connected_at is None and self._is_connected(scale_set, now):
            self.connected_at = now

    def note_dialed(self, invocation: str, now: datetime) -> None:
        """A run dials a gateway: note whether the new one relays as it does."""
        advance(self.place.world, now)
        scale_set = self.place.new_scale_set()
        self.connected_when_dialed[invocation] = scale_set is not None and self._is_connected(scale_set, now)

    def look(self, now: datetime, path: str = "", invocation: str = "") -> Look:
        """How the world stands now. ``path`` is the resource that is to go, in lower case."""
        advance(self.place.world, now)
        scale_set = self.place.new_scale_set()
        healthy, expected = self._instances(scale_set, now)
        keys = [key.split("/providers/microsoft.authorization/locks/") for key in self.place.world.resources]
        return Look(
            new_relays=scale_set is not None and self._relays_publicly(scale_set, now),
            connected=scale_set is not None and self._is_connected(scale_set, now),
            connected_when_dialed=self.connected_when_dialed.get(invocation, False),
            old_relays=self._answers(self.old_name, self.place.old_service_name, now) is not None,
            healthy=healthy,
            expected=expected,
            public_target=self.place.target(now),
            leading_to_old=self._leading_to_old(),
            locked=any(len(parts) == 2 and path.startswith(parts[0]) for parts in keys),
        )

    def _relays_publicly(self, scale_set: Resource, now: datetime) -> bool:
        name = self.place.service_name
        return self._answers(name, name, now) == scale_set.id.lower()

    def _is_connected(self, scale_set: Resource, now: datetime) -> bool:
        """By the addresses that there are: the gateway's own name is not for a judge to know."""
        name, addresses = self.place.service_name, self.place.world.of_type("Microsoft.Network/publicIPAddresses")
        held = [str(each.properties.get("ipAddress") or "") for each in addresses]
        return any(self._relays_at(address, name, now) == scale_set.id.lower() for address in held if address)

    def _answers(self, host: str, service_name: str, now: datetime) -> str | None:
        """The gateway that relays when it is dialed so, by its resource ID in lower case."""
        address = resolve(self.place.world, host, "A", "public", now).address if host else None
        return self._relays_at(address, service_name, now) if address else None

    def _relays_at(self, address: str, service_name: str, now: datetime) -> str | None:
        gateway = reach(self.place.world, address, now)
        if gateway is None or not gateway.serves(service_name):
            return None
        answer = relay(self.place.world, gateway, replace(PROBE, host=service_name), now)
        return gateway.resource_id.lower() if (answer.reason or "").startswith("CMGConnector_") else None

    def _instances(self, scale_set: Resource | None, now: datetime) -> tuple[int, int]:
        """How many are well, and how many there are to be. Without the health extension running is all one can ask."""
        if scale_set is None:
            return 0, 0
        profile = scale_set.properties.get("virtualMachineProfile", {}).get("extensionProfile", {})
        types = [str(each) for each in objects_at(profile, "extensions")]
        reports = any(HEALTH in each.lower() for each in types)
        machines = self.place.world.instances.get(scale_set.id.lower(), [])
        well = sum(each.is_healthy(now) if reports else each.is_running(now) for each in machines)
        wanted = self.place.sample.request.get("instances")
        named = self.place.named_scale_set() or not isinstance(wanted, int)
        return well, int(scale_set.body["sku"]["capacity"]) if named else int(str(wanted))

    def _leading_to_old(self) -> tuple[str, ...]:
        records = self.place.world.of_type("Microsoft.Network/dnsZones/CNAME")
        alias = ((each.name, each.properties.get("CNAMERecord", {}).get("cname", "")) for each in records)
        return tuple(name for name, target in alias if target.rstrip(".").lower() == self.old_name)


def bodies(world: World) -> dict[str, JsonObject]:
    """Every resource that is no part of another one: lower-case ID to a copy of its body."""
    return {
        key: deepcopy(each.body)
        for key, each in world.resources.items()
        if len(key.split("/")) == 9 and "/microsoft.authorization/" not in key
    }

"""Synthetic clients: what devices on the internet see while a gateway moves.

A client knows service names, picks one at random, tries the next when one does not relay, and counts a failure only
when none does. It learns of gateways when it asks for locations through one that works (every 24 h in the field).
A `fresh` client resolves at every attempt, a `caching` one keeps each answer for its full TTL. The same code runs in
process (`WorldTransport`) and over real sockets (`clients_main`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from local.azure.dns import normal, resolve
from local.azure.gateways import CLIENT_HEADER, LOCATIONS_PATH, reach, relay
from local.azure.messages import Request, Response
from local.azure.site import advance
from local.azure.world import World

type Kind = Literal["fresh", "caching"]
type Clock = Callable[[], float]

KINDS: tuple[Kind, ...] = ("fresh", "caching")
METADATA_PATH = "/CCM_Proxy_ServerAuth/ServiceMetadata"
# A person can follow the history of a bad run; a thousand failures tell no more than the first hundred.
KEPT_FAILURES = 100


@dataclass(frozen=True)
class Resolved:
    """An address and how long it may be kept, in seconds."""

    address: str
    ttl: float


class Transport(Protocol):
    """How a client reaches the world."""

    async def resolve(self, name: str) -> Resolved | None:
        """The public address of a name; None when it has none."""

    async def attempt(self, address: str, service_name: str) -> bool:
        """Whether the gateway at the address, dialed by the service name, relays."""

    async def locations(self, address: str, service_name: str) -> tuple[str, ...]:
        """The service names that the site gives out through that gateway; empty when it does not relay."""


@dataclass
class Tally:
    """What a client lived through. Times are Unix seconds.

    `longest_gap_s` is the longest time from a success before failures to the next success (or to the last failure,
    where none followed); 0 without a failure.
    """

    attempts: int = 0
    failures: int = 0
    longest_gap_s: float = 0.0
    first_at: float | None = None
    last_at: float | None = None
    last_success_at: float | None = None
    failed_at: list[float] = field(default_factory=list)

    def count(self, relayed: bool, at: float) -> None:
        """Notes one attempt that ended at `at`."""
        first = at if self.first_at is None else self.first_at
        since = first if self.last_success_at is None else self.last_success_at
        if not relayed or (self.failed_at and self.failed_at[-1] >= since):
            self.longest_gap_s = max(self.longest_gap_s, at - since)
        self.attempts += 1
        self.first_at, self.last_at = first, at
        if relayed:
            self.last_success_at = at
        else:
            self.failures += 1
            self.failed_at = [*self.failed_at[-KEPT_FAILURES + 1 :], at]


class SyntheticClient:
    """One device. `knows` are the service names it starts with; `tally` grows while it runs."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        knows: Sequence[str],
        transport: Transport,
        clock: Clock,
        *,
        location_interval_s: float,
        begin_when_relaying: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.knows = tuple(map(normal, knows))
        self.tally = Tally()
        self._transport = transport
        self._clock = clock
        self._location_interval_s = location_interval_s
        self._begun = not begin_when_relaying
        self._random = random.Random(name)
        self._kept: dict[str, tuple[str, float]] = {}
        self._ask_at = clock() + location_interval_s

    async def attempt(self) -> bool:
        """One attempt: the known gateways in random order until one relays. Counted once counting has begun."""
        relayed = False
        for service_name in self._random.sample(self.knows, len(self.knows)):
            address = await self._address(service_name)
            relayed = address is not None and await self._transport.attempt(address, service_name)
            if address is not None and relayed:
                await self._ask_for_locations(address, service_name)
                break
        self._begun = self._begun or relayed
        if self._begun:
            self.tally.count(relayed, self._clock())
        return relayed

    async def _address(self, service_name: str) -> str | None:
        kept = self._kept.get(service_name)
        if self.kind == "caching" and kept is not None and self._clock() < kept[1]:
            return kept[0]
        asked_at = self._clock()
        found = await self._transport.resolve(service_name)
        if found is None:
            return None
        self._kept[service_name] = (found.address, asked_at + found.ttl)
        return found.address

    async def _ask_for_locations(self, address: str, service_name: str) -> None:
        if self._clock() >= self._ask_at:
            self._ask_at = self._clock() + self._location_interval_s
            # A site that names no gateway leaves its devices with what they know.
            self.knows = await self._transport.locations(address, service_name) or self.knows


async def run_clients(
    clients: Sequence[SyntheticClient],
    interval_s: float,
    stop: asyncio.Event,
    clock: Clock,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Lets each client make an attempt every `interval_s` seconds until `stop` is set; slow ones are not stacked."""

    async def live(client: SyntheticClient) -> None:
        due = clock()
        while not stop.is_set():
            await client.attempt()
            due = max(due + interval_s, clock())
            await sleep(due - clock())

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(live(client))


def relays(response: Response) -> bool:
    """Whether an answer to a synthetic client came from the management point."""
    return response.status == 200


class WorldTransport:
    """Clients inside the process: they meet the world's own DNS and gateways, at the clock's time (Unix seconds)."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock

    async def resolve(self, name: str) -> Resolved | None:
        """See `Transport`."""
        answer = resolve(self._world, name, "A", "public", self._now())
        return Resolved(answer.address, answer.ttl) if answer.address else None

    async def attempt(self, address: str, service_name: str) -> bool:
        """See `Transport`."""
        response = self._ask(address, service_name, METADATA_PATH)
        return response is not None and relays(response)

    async def locations(self, address: str, service_name: str) -> tuple[str, ...]:
        """See `Transport`."""
        response = self._ask(address, service_name, LOCATIONS_PATH)
        return tuple(response.json()["locations"]) if response is not None and relays(response) else ()

    def _ask(self, address: str, service_name: str, path: str) -> Response | None:
        now = self._now()
        advance(self._world, now)
        gateway = reach(self._world, address, now)
        if gateway is None or not gateway.serves(service_name):
            return None
        return relay(
            self._world, gateway, Request("GET", service_name, path, headers={CLIENT_HEADER: "in-process"}), now
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

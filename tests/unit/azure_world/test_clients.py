"""Clients count what devices would feel."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from local.azure.clients import Kind, Resolved, SyntheticClient, Tally, WorldTransport, run_clients
from local.azure.site import apply_site
from local.azure.world import World
from tests.unit.azure_world.test_site import SECOND
from tests.unit.azure_world.worlds import DEPLOYMENT, DOMAIN, NOW, OLD_ADDRESS, SERVICE, flip, granite_falls, world


class Scene:
    """A clock that a script moves, and a world whose clients attempt each second."""

    def __init__(self, made: World, script: Mapping[int, Callable[[World], None]] | None = None) -> None:
        self.made = made
        self.script = script or {}
        self.seconds = 0

    def clock(self) -> float:
        """The scene's time as Unix seconds."""
        return (NOW + timedelta(seconds=self.seconds)).timestamp()

    def client(self, kind: Kind, begin_when_relaying: bool = False) -> SyntheticClient:
        """A client that knows the own-domain name."""
        return SyntheticClient(
            f"a-{kind}",
            kind,
            ["GraniteFalls.Contoso.Com"],
            WorldTransport(self.made, self.clock),
            self.clock,
            location_interval_s=5,
            begin_when_relaying=begin_when_relaying,
        )

    def play(self, client: SyntheticClient, seconds: int) -> Tally:
        """One attempt each second, the script's changes on their way."""

        async def run() -> None:
            for self.seconds in range(seconds):
                if self.seconds in self.script:
                    self.script[self.seconds](self.made)
                await client.attempt()

        asyncio.run(run())
        return client.tally


def _prepare(made: World) -> None:
    """Both ends are held: the second connection point dials the new gateway, the original one stays with the old."""
    held = {"name": SERVICE, "value": OLD_ADDRESS, "ttl": 1}
    apply_site(made, {"add_connection_point": SECOND, "set_inside_dns": [held]}, NOW)


def _remove_old(made: World) -> None:
    del made.resources[DOMAIN.lower()]


def test_a_prepared_move_is_felt_by_nobody() -> None:
    kinds: list[Kind] = ["fresh", "caching"]
    for kind in kinds:
        made = world(site=granite_falls())
        scene = Scene(made, {5: _prepare, 20: flip, 90: _remove_old})
        tally = scene.play(scene.client(kind), 150)
        assert (tally.attempts, tally.failures, tally.longest_gap_s) == (150, 0, 0)


def test_a_move_without_preparation_leaves_a_gap_until_the_connection_point_follows() -> None:
    made = world(site=granite_falls())
    scene = Scene(made, {20: flip})
    tally = scene.play(scene.client("fresh"), 100)
    assert (tally.failures, tally.longest_gap_s) == (40, 41)


def test_the_caching_client_feels_what_its_answer_hides() -> None:
    """The old gateway goes before the old TTL has run out."""
    fresh, caching = world(site=granite_falls()), world(site=granite_falls())
    script = {5: _prepare, 20: flip, 21: _remove_old}
    scene = Scene(fresh, script)
    assert scene.play(scene.client("fresh"), 100).failures == 0
    scene = Scene(caching, script)
    assert scene.play(scene.client("caching"), 100).failures == 39


def test_a_client_learns_of_gateways_and_is_no_longer_sent_to_removed_ones() -> None:
    made = world(site=granite_falls())

    def add(there: World) -> None:
        apply_site(
            there,
            {
                "add_gateway_record": {"name": "New", "service_name": DEPLOYMENT},
                "add_connection_point": {**SECOND, "gateway": "New"},
            },
            NOW,
        )

    def forget(there: World) -> None:
        apply_site(there, {"remove_gateway_record": "GraniteFalls"}, NOW)

    learned: list[tuple[str, ...]] = []
    scene = Scene(made, {2: add, 12: lambda _: learned.append(client.knows), 13: forget})
    client = scene.client("fresh")
    scene.play(client, 30)
    assert learned == [(SERVICE, DEPLOYMENT)]
    assert client.knows == (DEPLOYMENT,)


class TwoGateways:
    """The first of two names is dead."""

    async def resolve(self, name: str) -> Resolved | None:
        return Resolved(name, 60) if name != "unknown" else None

    async def attempt(self, address: str, service_name: str) -> bool:
        return address == "alive"

    async def locations(self, address: str, service_name: str) -> tuple[str, ...]:
        return ()


def test_the_next_gateway_is_tried_and_an_empty_list_changes_nothing() -> None:
    client = SyntheticClient(
        "c", "fresh", ["dead", "unknown", "alive"], TwoGateways(), lambda: 0.0, location_interval_s=0
    )
    assert all(asyncio.run(client.attempt()) for _ in range(20))
    assert (client.tally.failures, set(client.knows)) == (0, {"dead", "unknown", "alive"})


def test_for_a_new_deployment_counting_begins_when_it_relays() -> None:
    made = world(site=granite_falls(connection_points=[]))

    def connect(there: World) -> None:
        apply_site(there, {"add_connection_point": {**SECOND, "server": "CP1", "hosts": {}}}, NOW)

    scene = Scene(made, {10: connect})
    tally = scene.play(scene.client("fresh", begin_when_relaying=True), 30)
    assert (tally.attempts, tally.failures) == (20, 0)


def test_a_wrong_certificate_is_a_failure() -> None:
    made = world(site=granite_falls())
    transport = WorldTransport(made, NOW.timestamp)
    assert asyncio.run(transport.attempt(OLD_ADDRESS, SERVICE))
    assert not asyncio.run(transport.attempt(OLD_ADDRESS, "other.contoso.com"))


@given(st.lists(st.booleans(), max_size=40))
def test_the_gap_is_the_longest_time_around_failures(outcomes: list[bool]) -> None:
    tally = Tally()
    for second, relayed in enumerate(outcomes):
        tally.count(relayed, float(second))
    longest, since, broken = 0, 0, False
    for second, relayed in enumerate(outcomes):
        broken = broken or not relayed
        longest = max(longest, second - since if broken else 0)
        if relayed:
            since, broken = second, False
    assert (tally.attempts, tally.failures) == (len(outcomes), outcomes.count(False))
    assert tally.longest_gap_s == longest


def test_clients_run_until_they_are_stopped_and_slow_attempts_are_not_stacked() -> None:
    scene = Scene(world(site=granite_falls()))
    client = scene.client("fresh")
    slept: list[float] = []
    stop = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        scene.seconds += 2
        if len(slept) == 3:
            stop.set()

    nap: Callable[[float], Awaitable[None]] = sleep
    asyncio.run(run_clients([client], 1.0, stop, scene.clock, nap))
    assert client.tally.attempts == 3
    assert slept == [1.0, 0.0, 0.0]

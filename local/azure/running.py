"""The one simulator that the shells (proxy, DNS server, door) serve, and how its world is replaced."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.azure import site
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.azure.world import World


class Running:
    """Holds the simulator. `on_replaced` is called after the world was replaced; ports are known once all listen."""

    def __init__(self, world: World) -> None:
        self.proxy_port = 0
        self.dns_port = 0
        self.on_replaced: Callable[[], None] = lambda: None
        self.simulator = Simulator(world)

    @property
    def world(self) -> World:
        """The world as it is now."""
        return self.simulator.world

    def now(self) -> datetime:
        """The world's time: the real one."""
        return datetime.now(UTC)

    def advanced(self) -> tuple[World, datetime]:
        """The world brought up to this moment, and the moment."""
        now = self.now()
        site.advance(self.world, now)
        return self.world, now

    def replace(self, seed: Mapping[str, Any]) -> None:
        """Another world; the identity header and the tokens' key stay, so that a running app stays signed in."""
        before = self.world
        world = build_world(seed, time_scale=before.time_scale, now=self.now())
        world.identity.header, world.token_key = before.identity.header, before.token_key
        self.simulator = Simulator(world)
        self.on_replaced()

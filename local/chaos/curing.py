"""What goes wrong with the world during a run, from its beginning until it is cured or over."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random

from cmg_core.domain.values import JsonObject
from local.azure.site import advance
from local.chaos import troubles
from local.chaos.mischief import Kind
from local.chaos.story import Disturbance
from local.chaos.surroundings import Surroundings
from local.chaos.troubles import Trouble
from local.chaos.truth import bodies
from local.inprocess.stage import InProcess

type Later = Callable[[float, Callable[[], Awaitable[None]]], None]
"""Does something after so many seconds, beside whatever goes on."""


class Troubles:
    """All troubles of a run. ``rolls_back`` says whether the deployment is on its way back."""

    def __init__(
        self, stage: InProcess, place: Surroundings, old_name: str, later: Later, rolls_back: Callable[[], bool]
    ) -> None:
        self._stage, self._place, self._later, self._rolls_back = stage, place, later, rolls_back
        self.old_name = old_name
        """The old gateway's deployment name as all began; empty where there is none."""
        self._all: list[Trouble] = []
        self.brought: dict[str, JsonObject] = {}
        """Resources that came with a trouble: lower-case ID to body. To the judge they were there before."""

    @property
    def told(self) -> tuple[Disturbance, ...]:
        return tuple(trouble.told for trouble in self._all)

    def begin(self, kind: Kind, random: Random) -> bool:
        """Let something go wrong now; False where this world has nothing that could, or not yet."""
        world = self._place.world
        before = set(world.resources)
        trouble = troubles.make(kind, self._place, self.old_name, random, self._stage.clock.now())
        if trouble is None:
            return False
        self.add(trouble)
        came = world.resources.keys() - before
        self.brought |= {id: body for id, body in bodies(world).items() if id in came}
        return True

    def add(self, trouble: Trouble) -> None:
        """Something has gone wrong: clients feel it at once, and it passes when its time has come."""
        self._all.append(trouble)
        self._later(0.0, self._stage.all_try)
        if trouble.over_at is not None:
            left = (trouble.over_at - self._stage.clock.now()).total_seconds()
            self._later(left, lambda: self._cure(trouble))

    async def cure_all(self) -> None:
        """Put right what can be."""
        for trouble in self._all:
            await self._cure(trouble)

    def nobody_misses_the_old_one(self) -> None:
        """What cannot be cured is over: clients need the old gateway no more."""
        now = self._stage.clock.now()
        for trouble in self._all:
            if trouble.cure is None and trouble.told.until is None:
                trouble.told = replace(trouble.told, until=now)

    async def _cure(self, trouble: Trouble) -> None:
        if trouble.cure is not None and trouble.told.until is None:
            now = self._stage.clock.now()
            advance(self._place.world, now)
            if not (trouble.leads_over and self._rolls_back()):
                trouble.cure(now)
            trouble.told = replace(trouble.told, until=now)
            await self._stage.all_try()

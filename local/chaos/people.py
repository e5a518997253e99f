"""What people and the site do in a run: open gates, put troubles right, lead clients back, and ask for more."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from random import Random

from cmg_core import calls
from cmg_core.calls import Says
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.gates import GateName, Opener
from cmg_core.domain.record import Ask, Record, Status
from cmg_core.domain.values import Json, JsonObject, at, text_at
from cmg_core.refusals import CallRefused
from cmg_core.services import Services
from cmg_core.triggers.bodies import FiguresPayload
from cmg_core.views import status_view
from local.azure import operations
from local.azure.dns import normal
from local.azure.site import SiteError, apply_site
from local.chaos.curing import Troubles
from local.chaos.servers import Servers
from local.chaos.story import Asked
from local.chaos.surroundings import Surroundings
from local.chaos.truth import bodies
from local.chaos.witness import Witness
from local.inprocess.calling import ask
from local.inprocess.stage import InProcess
from local.sample import Call, Then

MOST_RESUMES = 4
PERSON = "somebody@contoso.com"
LED_BACK = ("inside-dns", "cname", "gateway-created")
"""The gates at which a rollback waits for people."""


class People:
    """All who have a part in a run besides the product. ``random`` is the run's own."""

    def __init__(
        self,
        stage: InProcess,
        services: Services,
        servers: Servers,
        witness: Witness,
        troubles: Troubles,
        place: Surroundings,
        random: Random,
    ) -> None:
        self._stage, self._services, self._servers = stage, services, servers
        self._witness, self._troubles, self._place, self._random = witness, troubles, place, random
        self._left, self._resumes = list(stage.sample.then), 0
        self.deployment_id = ""
        """Empty until the request is accepted."""
        self.slowness = 0.0
        """Seconds that they take for everything."""
        self.twice = False
        """Whether they open each gate twice."""

    # --- The story ---------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Send the request until it is accepted."""
        self.deployment_id = await ask(self._stage.sample, self._services, self._servers.front)

    async def follow(self) -> None:
        """Do what people and the site do when their moment comes, and see to troubles, until the end."""
        while True:
            self._stage.ledger.changed.clear()
            record = self.record
            if record.status.is_end:
                return
            if record.status is Status.NEEDS_ATTENTION:
                if self._resumes == MOST_RESUMES:
                    return
                self._resumes += 1
                await self._see_to_it(self._resumes)
                continue
            if record.state.roll_back is not None:
                if await self._lead_back(record):
                    continue
            elif await self._act():
                continue
            await self._stage.ledger.changed.wait()

    async def release(self) -> None:
        """Somebody looks whether all has ended and, at once or a day later, wants the parked name given free."""
        await self._call("look", lambda: calls.find(self._services, self.deployment_id))
        await asyncio.sleep(self._random.choice((1.0, 600.0, 90_000.0)))
        await self._ask(Ask.RELEASE_NAME)

    @property
    def record(self) -> Record:
        """What the ledger holds of the deployment."""
        stored = self._stage.ledger.peek(self.deployment_id)
        assert stored is not None, "the ledger has lost the deployment"
        return stored.record

    @property
    def rolls_back(self) -> bool:
        """Whether the deployment is on its way back."""
        return self.record.state.roll_back is not None

    async def _act(self) -> bool:
        """Do the first thing whose moment has come, if it has not passed again by then; whether there was one."""

        def due() -> Then | None:
            view = status_view(self.record).model_dump(mode="json")
            return next((then for then in self._left if then.when.has_come(view)), None)

        then = due()
        if then is None:
            return False
        await asyncio.sleep(self.slowness)
        if not self.rolls_back and due() is then:
            self._left.remove(then)
            await self._do(then)
        return True

    async def _do(self, then: Then) -> None:
        if then.world is not None:
            before = bodies(self._stage.world).keys()
            with suppress(SiteError):
                apply_site(self._stage.world, then.world, self._stage.clock.now())
            self._witness.made_by_others |= bodies(self._stage.world).keys() - before
            await self._stage.all_try()
        if then.call is not None:
            for _ in range(2 if self.twice else 1):
                await self._do_call(then.call)

    async def _do_call(self, call: Call) -> None:
        what = call.path.rsplit("/", 1)[-1]
        if "/gates/" in call.path:
            await self._open(what, _object(at(call.body, "payload")))
        else:
            await self._ask(Ask(what))

    async def _see_to_it(self, times: int) -> None:
        """What a person does who is called: put right what can be, then resume; at last perhaps go back."""
        await asyncio.sleep(60.0 + self.slowness)
        await self._troubles.cure_all()
        await asyncio.sleep(60.0)
        last = times == MOST_RESUMES and self._random.random() < 0.5
        back = Ask.CANCEL if self.record.step == Ask.RELEASE_NAME else Ask.ROLLBACK
        await self._ask(back if last else Ask.RESUME)

    # --- The way back ------------------------------------------------------------------------------------------------

    async def _lead_back(self, record: Record) -> bool:
        """What a rollback asks of people; whether there was anything."""
        asked = {str(each.name): each.opener for each in record.state.gates if each.asked_at and not each.is_open}
        name = next((name for name in LED_BACK if name in asked), None)
        if name is None:
            return False
        await asyncio.sleep(self.slowness)
        if not self._is_led_back(name):
            for change in self._ways_back(name):
                with suppress(SiteError):
                    apply_site(self._stage.world, change, self._stage.clock.now())
                    await self._stage.all_try()
            if name == "gateway-created":
                self._remove_made()
                await self._stage.all_try()
            await asyncio.sleep(5.0)
        if asked[name] is Opener.APP:
            return False
        await self._open(name)
        return True

    def _is_led_back(self, gate: str) -> bool:
        """Whether people have done what a gate that the app opens asks of them: they do it once."""
        return gate == "cname" and self._place.target(self._stage.clock.now()) in ("", self._troubles.old_name)

    def _ways_back(self, gate: str) -> list[JsonObject]:
        """What people change, one after the other, when a rollback waits at this gate."""
        name, old_name = self._place.service_name, self._troubles.old_name
        match gate:
            case "inside-dns":
                return [{"set_inside_dns": [{"name": name, "type": "CNAME", "value": old_name, "ttl": 1}]}]
            case "cname":
                return [{"set_public_dns": [{"name": name, "value": old_name, "ttl": 4}]}]
            case _:
                site = self._stage.world.site
                gateways = site.gateways.values() if site else ()
                points = site.connection_points.values() if site else ()
                named = [each.name for each in gateways if normal(each.service_name) == name]
                linked = [each.server for each in points if each.gateway in named]
                unlinked: list[JsonObject] = [{"remove_connection_point": server} for server in linked]
                return unlinked + [{"remove_gateway_record": record} for record in named]

    def _remove_made(self) -> None:
        """In the console: the site removes the gateway that it has made."""
        for id in self._witness.made_by_others:
            resource = self._stage.world.resource(id)
            if resource is not None:
                operations.forget(self._stage.world, resource)

    # --- Calls -------------------------------------------------------------------------------------------------------

    async def try_gate(self, random: Random) -> None:
        """Somebody opens a gate that is not asked for, or one that is for the app to open, or none."""
        asked = {gate.name for gate in self.record.state.gates if gate.asked_at} if self.deployment_id else set()
        await self._open(random.choice([*(name for name in GateName if name not in asked), "no-such-gate"]))

    async def ask_for(self, wanted: Ask, random: Random) -> None:
        """Somebody asks for something out of turn, where there is a deployment already."""
        if self.deployment_id:
            await self._ask(wanted, timedelta(seconds=random.uniform(-5, 20_000)))

    async def _open(self, gate: str, payload: JsonObject | None = None) -> None:
        reason, says = "the change plan says so", _says(payload or {})
        await self._call(
            f"open {gate}",
            lambda: calls.open_gate(self._services, self.deployment_id, gate, PERSON, reason, says),
            payload,
        )

    async def _ask(self, wanted: Ask, longer: timedelta = timedelta()) -> None:
        now = self._stage.clock.now()
        until = (self.record.state.grace_ends_at or now) + longer if wanted is Ask.EXTEND else None
        await self._call(
            str(wanted),
            lambda: calls.ask_for(self._services, self.deployment_id, wanted, PERSON, "as agreed", until),
        )

    async def _call(self, what: str, call: Callable[[], Awaitable[object]], payload: JsonObject | None = None) -> None:
        """Call until there is an answer; note what it was."""

        async def discarding() -> None:
            await call()

        for _ in range(20):
            began = self._stage.clock.now()
            try:
                answered = await self._servers.front.call(what, discarding)
                self._witness.asked.append(Asked(began, what, payload=payload))
                if answered:
                    return
            except TryAgain:
                pass
            except CallRefused as refused:
                details = refused.problem.as_problem_details(f"/api/deployments/{self.deployment_id}")
                self._witness.asked.append(Asked(began, what, details, payload))
                return
            await asyncio.sleep(30.0)


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _says(payload: JsonObject) -> Says:
    """What a person says at a gate, as the HTTP function would read it."""
    counted = FiguresPayload.model_validate(payload) if "active" in payload else None
    return Says(made=text_at(payload, "resource_id"), figures=counted)

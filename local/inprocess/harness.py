"""A whole story in one process on virtual time: world, product, host, people, site and clients, with one fault or none.

report = run(load(Path("samples/s07-own-domain-from-classic.json")))
worse = run(sample, Fault(at=17, harm=Harm.CRASH_AFTER))
back = run(sample, aside=Aside(at=64, call=Call(path="/api/deployments/{id}/rollback", body={"by": …, "reason": …})))
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from cmg_core.domain.record import Event, Record, Status
from cmg_core.engine import Engine
from cmg_core.services import Services, Stored
from cmg_core.views import status_view
from cmg_core.wake import wake_due
from local.azure.clients import Tally
from local.azure.dns import DnsLogEntry
from local.azure.site import apply_site
from local.azure.world import LoggedRequest, World
from local.inprocess.calling import StoryFailed, ask, http_call, insist, problem_in
from local.inprocess.hosting import Host
from local.inprocess.loop import EPOCH
from local.inprocess.loop import run as run_virtually
from local.inprocess.memory import Waiting
from local.inprocess.stage import InProcess, Settings, function_of, resources
from local.inprocess.tape import Call, Fault, Tape
from local.sample import Call as HttpCall
from local.sample import Sample, Then

AFTER_THE_END = timedelta(minutes=1)
"""How long clients go on after the end."""
LEFTOVERS = timedelta(minutes=30)
"""How long the host goes on after the end, so that messages that are left show what they do."""


@dataclass(frozen=True)
class Aside:
    """A call of a person right before the product's outward call number ``at`` goes out: in the midst of its work.

    Where it is accepted and ``then`` is given, people do that from that moment on, and nothing of the sample any more.
    """

    at: int
    call: HttpCall
    then: tuple[Then, ...] | None = None


@dataclass(frozen=True)
class Answered:
    """What a person's call was answered."""

    path: str
    status: int
    problem: str = ""
    """The problem's code, where it was refused."""


@dataclass(frozen=True)
class RunReport:
    """What came of a story. Resource IDs are in lower case."""

    outcome: Status
    record: Record
    events: tuple[Event, ...]
    created: frozenset[str]
    deleted: frozenset[str]
    kept: frozenset[str]
    tally: Tally
    """Sums over all clients; the gap is the longest of any."""
    calls: tuple[Call, ...]
    idle_polls: int
    struck: Call | None
    """The call that the fault met; None where there was none so late."""
    poison: tuple[Waiting, ...]
    errors: tuple[str, ...]
    """What invocations raised."""
    answers: tuple[Answered, ...]
    """What people's calls were answered in the end, in order."""
    undone: tuple[Then, ...]
    """What people had no occasion to do."""
    lasted: timedelta
    world: World

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request to the simulated Azure with its answer."""
        return self.world.log

    @property
    def dns_log(self) -> list[DnsLogEntry]:
        """Every public answer that differs from the one before."""
        return self.world.dns_log


type Starting = Callable[["InProcess", Services, Host], Awaitable[str]]
"""How a sample's request is sent; gives the deployment's ID. Tasks that it starts may go on beside the story."""


def run(
    sample: Sample,
    fault: Fault | None = None,
    settings: Settings | None = None,
    aside: Aside | None = None,
    stage: "Callable[[Sample, Tape, Settings], InProcess] | None" = None,
    starting: Starting | None = None,
) -> RunReport:
    """Tell a sample's story from the request to the end. Raises StoryFailed where it has none."""

    async def play() -> RunReport:
        made = (stage or InProcess)(sample, Tape(fault), settings or Settings())
        return await _Story(made, aside, starting).play()

    return run_virtually(play())


class _Story:
    """A sample's story on its stage, told once."""

    def __init__(self, stage: InProcess, aside: Aside | None, starting: Starting | None) -> None:
        self._stage, self._aside, self._starting = stage, aside, starting or _ask
        if aside is not None:
            stage.tape.aside = (aside.at, self._interject)
        self._left, self._answers = list(stage.sample.then), list[Answered]()
        self._deployment_id = ""
        self._services = stage.wire(stage.clock)
        engine = Engine(self._services, jitter=lambda: 0.5)
        function = function_of(engine, self._services)
        self._host = Host(stage.clock, stage.queues, function, lambda: wake_due(self._services))

    async def play(self) -> RunReport:
        try:
            async with asyncio.TaskGroup() as group:
                hosting = group.create_task(self._host.run())
                stored = await self._tell()
                await asyncio.sleep(LEFTOVERS.total_seconds())
                hosting.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            await self._stage.close()
        return self._report(stored)

    async def _tell(self) -> Stored:
        """From the request to the end, with clients all the time."""
        stop, longest = asyncio.Event(), self._stage.settings.longest
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stage.live(stop))
            try:
                async with asyncio.timeout(longest.total_seconds()):
                    self._deployment_id = await self._starting(self._stage, self._services, self._host)
                    stored = await self._follow()
            except TimeoutError:
                raise StoryFailed(f"no end after {longest}") from None
            await asyncio.sleep(AFTER_THE_END.total_seconds())
            stop.set()
        return stored

    async def _follow(self) -> Stored:
        """Do what people and the site do when their moment comes, until the end, or until a person is needed."""
        ledger = self._stage.ledger
        while True:
            ledger.changed.clear()
            stored = ledger.peek(self._deployment_id)
            if stored is None:
                raise StoryFailed("the ledger has lost the deployment")
            status, following = stored.record.status, self._left[0].when if self._left else None
            rests = status.is_end or status is Status.NEEDS_ATTENTION
            if rests and (following is None or following.status != status):
                return stored
            if following is not None and following.has_come(status_view(stored.record).model_dump(mode="json")):
                await self._do(self._left.pop(0))
                continue
            await ledger.changed.wait()

    async def _do(self, then: Then) -> None:
        if then.world is not None:
            apply_site(self._stage.world, then.world, self._stage.clock.now())
            await self._stage.all_try()
        if then.call is not None:
            await self._call(then.call)

    async def _interject(self) -> None:
        if self._aside is None:
            return
        accepted = (await self._call(self._aside.call)).status == 200
        if accepted and self._aside.then is not None:
            self._left = list(self._aside.then)

    async def _call(self, call: HttpCall) -> Answered:
        answer = await insist(self._host, call.path, http_call(self._services, call, self._deployment_id))
        self._answers.append(Answered(call.path, answer.status_code, problem_in(answer)))
        return self._answers[-1]

    def _report(self, stored: Stored) -> RunReport:
        stage = self._stage
        after, before = resources(stage.world), stage.before
        tallies = [client.tally for client in stage.clients]
        final = stage.ledger.peek(stored.record.id) or stored
        return RunReport(
            outcome=final.record.status,
            record=final.record,
            events=stage.ledger.history(stored.record.id),
            created=frozenset(after.keys() - before.keys()),
            deleted=frozenset(before.keys() - after.keys()),
            kept=frozenset(before.keys() & after.keys()),
            tally=Tally(
                attempts=sum(tally.attempts for tally in tallies),
                failures=sum(tally.failures for tally in tallies),
                longest_gap_s=max((tally.longest_gap_s for tally in tallies), default=0.0),
                failed_at=sorted(at for tally in tallies for at in tally.failed_at),
            ),
            calls=tuple(stage.tape.calls),
            idle_polls=stage.tape.idle_polls,
            struck=stage.tape.struck,
            poison=tuple(stage.queues.poison),
            errors=tuple(self._host.errors),
            answers=tuple(self._answers),
            undone=tuple(self._left),
            lasted=final.record.updated_at - EPOCH,
            world=stage.world,
        )


async def _ask(stage: InProcess, services: Services, host: Host) -> str:
    return await ask(stage.sample, services, host)


def first_of(error: BaseException) -> BaseException:
    """What went wrong inside of groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""What is seen of a run as it goes on, written down for the judge."""

import base64
import itertools
import logging
from datetime import UTC, datetime

from pydantic import TypeAdapter

from cmg_core.domain.record import Event, Record, Status
from cmg_core.domain.values import Json, JsonObject, objects_at, text_at
from cmg_core.views import status_view
from local.azure.messages import Request
from local.chaos.curing import Troubles
from local.chaos.guarding import LAST_GATES
from local.chaos.instruments import ChaoticQueues, WatchedSimulator, invocation_of
from local.chaos.reading import ADDRESS, NEW_TYPES, type_of
from local.chaos.story import Asked, AskedOfSite, LedgerState, Look, Run, Story
from local.chaos.surroundings import Surroundings
from local.chaos.truth import Truth, bodies
from local.inprocess.loop import EPOCH
from local.inprocess.stage import InProcess
from local.inprocess.tape import RUNNING

RECORD = TypeAdapter(Record)
EVENT = TypeAdapter(Event)
JSON = TypeAdapter[Json](Json)


class Witness:
    """Sees a run from its beginning on. Hosts and people write down themselves what only they know."""

    def __init__(self, stage: InProcess, queues: ChaoticQueues, place: Surroundings, troubles: Troubles) -> None:
        self._stage, self._queues, self._place, self._troubles = stage, queues, place, troubles
        self._truth = Truth(place, troubles.old_name)
        self._before = bodies(stage.world)
        self._numbers = itertools.count(1)
        self.simulator = WatchedSimulator(stage.world, self._numbers, self._look)
        """Azure under this witness's eyes."""
        self.runs: dict[str, Run] = {}
        """Invocation ID to what ran."""
        self.errors: list[str] = []
        """What invocations raised."""
        self.asked: list[Asked] = []
        """People's calls."""
        self.made_by_others: set[str] = set()
        """What the site made."""
        self.log = _Heard()
        self._ledger_states: list[LedgerState] = []
        self._asked_of_site: list[AskedOfSite] = []
        self._dns_changes: list[tuple[datetime, str]] = []
        self._inside_changes: list[tuple[datetime, str]] = []

    # --- Meanwhile ---------------------------------------------------------------------------------------------------

    def note_record(self, record: Record) -> None:
        """The ledger's record has changed."""
        content, now = RECORD.dump_python(record, mode="json"), self._stage.clock.now()
        before = self._ledger_states[-1].record if self._ledger_states else {}
        view = status_view(record).model_dump(mode="json")
        self._ledger_states.append(LedgerState(next(self._numbers), now, content, view))
        for gate in sorted(_asked_gates(content) - _asked_gates(before)):
            if gate in LAST_GATES:
                running = RUNNING.get()
                asked = AskedOfSite(next(self._numbers), now, gate, invocation_of(running), self._look_now())
                self._asked_of_site.append(asked)

    def note_dns(self) -> None:
        """Note where the service name leads, where that has changed."""
        now = self._stage.clock.now()
        inside = self._place.inside_target(now)
        if not self._inside_changes or self._inside_changes[-1][1] != inside:
            self._inside_changes.append((now, inside))
        target = self._place.target(now)
        if not self._dns_changes or self._dns_changes[-1][1] != target:
            self._dns_changes.append((now, target))
            if len(self._dns_changes) > 1 and self._place.case.moves_the_name:
                self._troubles.nobody_misses_the_old_one()

    def note_dialed(self) -> None:
        """A run has dialed a gateway."""
        self._truth.note_dialed(invocation_of(RUNNING.get()), self._stage.clock.now())
        self.watch_gateway()

    def watch_gateway(self) -> None:
        """Note when the new gateway relays for the first time."""
        self._truth.watch(self._stage.clock.now())

    def _look(self, request: Request) -> Look:
        """How the world stands as a deletion or a change of a record comes in."""
        return self._look_now(request.path.lower())

    def _look_now(self, path: str = "") -> Look:
        self.note_dns()
        return self._truth.look(self._stage.clock.now(), path, invocation_of(RUNNING.get()))

    # --- At the end --------------------------------------------------------------------------------------------------

    def story(self, deployment_id: str, *, hindered: bool) -> Story:
        """All that was seen, after the run."""
        self.note_dns()
        stage, now = self._stage, self._stage.clock.now()
        before = self._before | self._troubles.brought
        failed = [datetime.fromtimestamp(at, UTC) for client in stage.clients for at in client.tally.failed_at]
        events = tuple(EVENT.dump_python(each, mode="json") for each in stage.ledger.history(deployment_id))
        return Story(
            request=stage.sample.request,
            case=self._place.case,
            to_be_refused=stage.sample.expect.outcome == Status.REFUSED,
            service_name=self._place.service_name,
            old_name=self._truth.old_name,
            record_id=self._place.record_id,
            to_delete=self._to_delete(before),
            parked=self._parked(before),
            before=before,
            after=bodies(stage.world),
            public_target=self._place.target(now),
            minimum_grace=stage.settings.minimum_grace,
            began_at=EPOCH,
            ended_at=now,
            deployment_id=deployment_id,
            ledger=tuple(self._ledger_states),
            events=events,
            queued=len(self._queues.waiting),
            runs=self.runs,
            writes=tuple(self.simulator.writes),
            dns_changes=tuple(self._dns_changes),
            inside_changes=tuple(self._inside_changes),
            relayed_at=self._truth.relayed_at,
            connected_at=self._truth.connected_at,
            failed_at=tuple(sorted(failed)),
            attempts=sum(client.tally.attempts for client in stage.clients),
            asked=tuple(self.asked),
            asked_of_site=tuple(self._asked_of_site),
            made_by_others=frozenset(self.made_by_others),
            hindered=hindered,
            errors=tuple(self.errors),
            secrets=frozenset(self.simulator.secrets),
            told=self._told(deployment_id),
            disturbances=self._troubles.told,
        )

    def _to_delete(self, before: dict[str, JsonObject]) -> frozenset[str]:
        """What the sample says will go; else the parts of a gateway that stand in the old one's group."""
        expected = self._stage.sample.expect.deleted
        if expected is not None:
            return frozenset(id.lower() for id in expected)
        group = f"{self._place.old_group.lower()}/providers/"
        return frozenset(id for id in before if id.startswith(group) and type_of(id) in NEW_TYPES)

    def _parked(self, before: dict[str, JsonObject]) -> str:
        """The old gateway's address, where the request keeps its name."""
        if not self._stage.sample.request.get("park_old_name"):
            return ""
        group = f"{self._place.old_group.lower()}/providers/"
        return next(id for id in before if id.startswith(group) and type_of(id) == ADDRESS)

    def _told(self, deployment_id: str) -> dict[str, str]:
        """Every text that the product keeps or shows."""
        return {
            "the ledger": JSON.dump_json([each.record for each in self._ledger_states]).decode(),
            "what people are shown": JSON.dump_json([each.view for each in self._ledger_states]).decode(),
            "the history": repr(self._stage.ledger.history(deployment_id)),
            "the queues": " ".join(base64.b64decode(text).decode() for _, text in self._queues.sent_texts),
            "what calls were answered": repr(self.asked),
            "what invocations raised": repr(self.errors),
            "the log": "\n".join(self.log.lines),
        }


class _Heard(logging.Handler):
    """Keeps what the product logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def _asked_gates(record: JsonObject) -> set[str]:
    """The gates that are asked for."""
    return {text_at(gate, "name") for gate in objects_at(record, "state", "gates") if gate.get("asked_at")}

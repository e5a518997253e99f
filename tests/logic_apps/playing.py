"""A sample's story, begun by a workflow instead of by a call: the site and people do the rest."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from cmg_core.domain.values import JsonObject
from cmg_core.services import Services
from local.inprocess.harness import RunReport, run
from local.inprocess.hosting import Host
from local.inprocess.stage import InProcess
from local.sample import Sample
from tests.logic_apps.definition import load
from tests.logic_apps.doors import PARAMETERS, AppDoor, Doors, TicketSystem, WorkflowFront
from tests.logic_apps.executor import CALLBACKS, Executor, Ran
from tests.logic_apps.messages import Sent
from tests.logic_apps.sending import Sender

DEFINITIONS = Path(__file__).resolve().parents[2] / "infra" / "logic-apps"
MAIN, POLLING = DEFINITIONS / "migrate-gateway.json", DEFINITIONS / "migrate-gateway-polling.json"
APPROVED: JsonObject = {"approved": True, "by": "change.manager@contoso.com"}
TICKET = "CHG0031337"
ADDRESS = "20.150.10.30"


@dataclass
class Workflow:
    """A workflow with its world. ``down_for`` is how long nobody takes posts for it, from the beginning on."""

    file: Path
    decision: JsonObject | None = field(default_factory=lambda: dict(APPROVED))
    down_for: timedelta = timedelta()
    tickets_down: int = 0
    """How many calls the ticket system refuses at first."""
    executor_options: dict[str, Any] = field(default_factory=dict)
    lose: Callable[[Sent, int], bool] = lambda sent, number: False
    """Whether the app's answer to a call gets lost, by the number of calls so far."""
    app: AppDoor = field(init=False)
    tickets: TicketSystem = field(init=False)
    front: WorkflowFront = field(init=False)
    executor: Executor = field(init=False)
    going_on: "asyncio.Task[Ran]" = field(init=False)

    def build(self, stage: InProcess, services: Services) -> Executor:
        """Put it beside the app, inside of the running loop."""
        self.app = AppDoor(services, lose=self.lose)
        self.tickets = TicketSystem(self.decision, self._decide, down=self.tickets_down)
        self.executor = Executor(
            load(self.file), PARAMETERS, Sender(Doors(self.app, self.tickets)), **self.executor_options
        )
        now = stage.clock.now()
        self.front = WorkflowFront(
            CALLBACKS, (ADDRESS,), False, 202, {}, 0.0, False, now + self.down_for, hand_on=self.executor.call_back
        )
        stage.world.receivers[CALLBACKS] = self.front
        return self.executor

    async def start(self, stage: InProcess, services: Services, host: Host) -> str:
        """Call its trigger; the ID of the deployment that it begins."""
        executor = self.build(stage, services)
        self.app.started = asyncio.get_running_loop().create_future()
        trigger: JsonObject = {"ticket": TICKET, "request": stage.sample.request}
        self.going_on = asyncio.create_task(executor.run(trigger))
        return await self.app.started

    async def _decide(self, address: str, decision: JsonObject) -> None:
        kind = {"content-type": "application/json"}
        self.executor.call_back(Sent("POST", address, kind, json.dumps(decision).encode()))


def play(sample: Sample, workflow: Workflow) -> tuple[RunReport, Ran]:
    """Tell the story to its end, and to the end of the workflow."""
    report = run(sample, starting=workflow.start)
    assert workflow.going_on.done(), "the workflow still waits"
    return report, workflow.going_on.result()

"""Somebody reads and writes the queues, and cannot read the table: whole stories in which no message arrives as sent.

Each attack takes the product's waiting message, changes its state, and leaves ETag, revision and seal as they were, so
that the ledger's conditional writes succeed. The story must be the one that the ledger tells.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from cmg_core.domain.record import Message, Status
from local.azure.messages import is_change
from local.inprocess.harness import RunReport, run
from local.inprocess.memory import MemoryLedger, MemoryQueues
from local.inprocess.stage import InProcess
from local.sample import Sample, load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
LONG_AGO = "2020-01-01T00:00:00Z"
BYSTANDER = "/subscriptions/{}/resourceGroups/rg-other/providers/Microsoft.Network/publicIPAddresses/bystander"

type Body = dict[str, Any]
type Forge = Callable[[Body, list[Body]], None]
"""Changes a message. The second is what was sent so far, this one last."""


def _gates_open(message: Body, _: list[Body]) -> None:
    for gate in message["state"]["gates"]:
        gate |= {"asked_at": LONG_AGO, "opened_at": LONG_AGO, "opened_by": "nobody", "reason": "forged"}


def _no_gates(message: Body, _: list[Body]) -> None:
    message["state"]["gates"] = []


def _grace_is_over(message: Body, _: list[Body]) -> None:
    message["state"] |= {"grace_started_at": LONG_AGO, "grace_ends_at": LONG_AGO}


def _more_to_delete(message: Body, _: list[Body]) -> None:
    plan = message["state"]["plan"]
    if plan:
        plan["delete"].append({"id": BYSTANDER.format(message["state"]["request"]["subscription_id"])})
        plan["keep"] = []


def _another_place(message: Body, _: list[Body]) -> None:
    message["state"]["request"] |= {"resource_group": "rg-forged", "region": "westeurope", "instances": 16}
    plan = message["state"]["plan"]
    if plan and plan["make"]:
        plan["make"] = json.loads(json.dumps(plan["make"]).replace("/resourceGroups/", "/resourceGroups/forged-"))


def _another_name(message: Body, _: list[Body]) -> None:
    plan = message["state"]["plan"]
    if plan:
        message["state"]["plan"] = json.loads(json.dumps(plan).replace("granitefalls", "forged"))


def _another_certificate(message: Body, _: list[Body]) -> None:
    certificate = message["state"]["certificate"]
    if certificate:
        certificate |= {"secret_id": "https://evil.vault.azure.net/secrets/x/1", "fingerprint": "0" * 64}


def _all_is_done(message: Body, _: list[Body]) -> None:
    plan = message["state"]["plan"]
    message["state"]["deleted"] = [part["id"] for part in plan["delete"]] if plan else []
    message["state"]["cut_over"] |= {"flipped_at": LONG_AGO, "shown_at": LONG_AGO, "ttl_at_flip": "PT0S"}
    message["state"]["new"] |= {"verified_at": LONG_AGO}


def _another_operation(message: Body, _: list[Body]) -> None:
    message["state"]["operations"] = {"id": "https://evil.example/operation"}


def _no_tries_left(message: Body, _: list[Body]) -> None:
    message["state"]["retries"] = 1_000_000


def _an_old_state(message: Body, seen: list[Body]) -> None:
    """The state of the story's first message, under its own seal."""
    message |= {"state": seen[0]["state"], "seal": seen[0]["seal"]}


def _a_whole_replay(message: Body, seen: list[Body]) -> None:
    """The message before once more, as it was; the present one still arrives."""
    if len(seen) > 1:
        message |= seen[-2]


FORGERIES: Mapping[str, Forge] = {
    "gates open": _gates_open,
    "no gates": _no_gates,
    "grace is over": _grace_is_over,
    "more to delete": _more_to_delete,
    "another place": _another_place,
    "another name": _another_name,
    "another certificate": _another_certificate,
    "all is done": _all_is_done,
    "another operation": _another_operation,
    "no tries left": _no_tries_left,
    "an old state": _an_old_state,
}


@dataclass
class Attacked(MemoryQueues):
    """Queues in which somebody alters what waits."""

    forge: Forge = field(default=_gates_open)
    keeps_the_true_one: bool = False
    times: int = 1
    seen: list[Body] = field(default_factory=list)
    forged: int = 0

    async def send(self, message: Message, delay: timedelta = timedelta()) -> None:
        await super().send(message, delay)
        sent = self.waiting[-1]
        self.seen.append(json.loads(sent.body))
        body: Body = json.loads(sent.body)
        if body["state"] is not None:
            self.forge(body, self.seen)
        if body == self.seen[-1]:
            return
        self.forged += 1
        if not self.keeps_the_true_one:
            self.waiting.remove(sent)
        for _ in range(self.times):
            self.put(body["step"], base64.b64encode(json.dumps(body).encode()).decode(), delay)


def stage(forge: Forge, keeps_the_true_one: bool = False, times: int = 1) -> type[InProcess]:
    class Stage(InProcess):
        def storage(self) -> tuple[MemoryLedger, MemoryQueues]:
            queues = Attacked(self.clock, self.tape, forge=forge, keeps_the_true_one=keeps_the_true_one, times=times)
            stages.append(queues)
            return MemoryLedger(self.tape), queues

    return Stage


stages: list[Attacked] = []
"""The queues of the stories told so far."""


@cache
def sample() -> Sample:
    return load(SAMPLES / "s07-own-domain-from-classic.json")


def tell(of: type[InProcess] | None = None) -> RunReport:
    return run(sample(), stage=of)


@cache
def undisturbed() -> RunReport:
    return tell()


def writes(report: RunReport) -> list[str]:
    return sorted(
        f"{entry.request.method} {entry.request.path} {_desired(entry.request.body)}"
        for entry in report.requests
        if is_change(entry.request.method, entry.request.path)
    )


def _desired(body: bytes) -> str:
    """A body without what differs from run to run: the deployment's tag and the password's mark."""
    document = json.loads(body) if body else {}
    if isinstance(document, dict):
        document.pop("tags", None)
        cast(dict[str, Any], document.get("properties", {})).pop("virtualMachineProfile", None)
    return json.dumps(document, sort_keys=True)


def story(report: RunReport) -> object:
    state = report.record.state
    return (
        report.outcome,
        writes(report),
        report.created,
        report.deleted,
        report.tally.failures,
        state.plan.names if state.plan else None,
        state.certificate,
        [(gate.name, gate.opened_by) for gate in state.gates],
        state.grace_ends_at and state.grace_started_at and state.grace_ends_at - state.grace_started_at,
    )


@pytest.mark.parametrize("forgery", FORGERIES)
def test_whatever_a_waiting_message_says_the_story_is_the_ledgers(forgery: str) -> None:
    report = tell(stage(FORGERIES[forgery]))
    assert stages[-1].forged > 2
    assert report.outcome is Status.SUCCEEDED
    assert story(report) == story(undisturbed())


def test_old_messages_played_again_change_nothing() -> None:
    report = tell(stage(_a_whole_replay, keeps_the_true_one=True))
    assert stages[-1].forged > 2
    assert story(report) == story(undisturbed())


def test_a_flood_of_forged_messages_changes_nothing() -> None:
    report = tell(stage(_grace_is_over, keeps_the_true_one=True, times=25))
    assert stages[-1].forged > 2
    assert story(report) == story(undisturbed())

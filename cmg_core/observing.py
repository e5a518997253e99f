"""What telemetry says of a save: steps that end, waits and grace periods that begin and end, deployments that end."""

from dataclasses import dataclass

from cmg_core.domain.record import Record, State, Waiting
from cmg_core.services import Save
from cmg_core.telemetry.port import Facts, Telemetry


@dataclass(frozen=True)
class Observed:
    """A deployment before a save and after it."""

    deployment_id: str
    before: State
    save: Save | Record

    def tell(self, telemetry: Telemetry) -> None:
        """Tell it to operators."""
        save, after = self.save, self.save.state
        facts: Facts = {"cmg.step": save.step, "cmg.status": save.status, "cmg.waits_for": _reason(after.waiting)}
        telemetry.saved(self.deployment_id, save.revision, facts)
        self._steps(telemetry)
        self._waits(telemetry)
        if save.status.is_end:
            kind = after.request.kind
            telemetry.count("cmg.deployments.ended", {"cmg.status": save.status, "cmg.kind": kind})

    def _steps(self, telemetry: Telemetry) -> None:
        ended_before = {line.name for line in self.before.progress if line.ended_at}
        for line in self.save.state.progress:
            if line.started_at and line.ended_at and line.name not in ended_before:
                by: Facts = {"cmg.step": line.name, "cmg.outcome": line.outcome}
                telemetry.measure("cmg.step.duration", (line.ended_at - line.started_at).total_seconds(), by)

    def _waits(self, telemetry: Telemetry) -> None:
        before, after = self.before.waiting, self.save.state.waiting
        if _reason(before) == _reason(after):
            return
        if before is not None:
            by: Facts = {"cmg.waits_for": _reason(before)}
            telemetry.measure("cmg.wait.duration", (self.save.updated_at - before.since).total_seconds(), by)
            if before.grace:
                telemetry.count("cmg.grace.ended", {})
        if after is not None:
            telemetry.count("cmg.waits", {"cmg.waits_for": _reason(after), "cmg.step": self.save.step})
            if after.grace:
                telemetry.count("cmg.grace.begun", {})


def _reason(waiting: Waiting | None) -> str:
    """What is waited for, in one of few words: a gate's name, «grace», or «azure», which looks again by itself."""
    if waiting is None:
        return ""
    return waiting.gate or ("grace" if waiting.grace else "azure")

"""What "healthy" is (procedures, "`provisioned_by`"): read from a scale set's instances with their instance views."""

from collections.abc import Sequence
from dataclasses import dataclass

from cmg_core.domain.values import JsonObject, objects_at, text_at

LONGEST_CAUSE = 400
"""Characters of one of Azure's messages that a person is shown."""


@dataclass(frozen=True)
class Health:
    """How many instances are healthy, and for each that is not, what it lacks."""

    expected: int
    healthy: int
    missing: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether exactly the expected instances stand, all of them healthy (invariant 4): none is never whole."""
        return 0 < self.expected == self.healthy and not self.missing


def health_of(instances: Sequence[JsonObject], expected: int, *, health_extension: bool = True) -> Health:
    """Judge instances as ``ResourceManager.instances`` gives them.

    An instance is healthy when it was provisioned, runs and, where the scale set has the application health extension,
    is reported healthy by it: one that has not reported yet is not.
    """
    lacks = [(_name(instance), _lacks(instance, health_extension)) for instance in instances]
    missing = [f"instance {name}: {', '.join(what)}" for name, what in lacks if what]
    if len(instances) != expected:
        missing.append(f"{len(instances)} instances stand where {expected} are expected")
    return Health(expected, sum(not what for _, what in lacks), tuple(missing))


def causes(instances: Sequence[JsonObject]) -> tuple[str, ...]:
    """What the instance views report as errors, the extensions' included."""
    return tuple(
        f"instance {_name(instance)}, {where}: {text_at(status, 'code')} {text_at(status, 'message')[:LONGEST_CAUSE]}"
        for instance in instances
        for where, statuses in _statuses(instance)
        for status in statuses
        if text_at(status, "level").lower() == "error"
    )


def _statuses(instance: JsonObject) -> list[tuple[str, list[JsonObject]]]:
    extensions = objects_at(instance, "properties", "instanceView", "extensions")
    machine = ("machine", objects_at(instance, "properties", "instanceView", "statuses"))
    return [machine, *((f"extension {text_at(each, 'name')}", objects_at(each, "statuses")) for each in extensions)]


def _lacks(instance: JsonObject, health_extension: bool) -> list[str]:
    lacks = []
    provisioning = text_at(instance, "properties", "provisioningState")
    if provisioning.lower() != "succeeded":
        lacks.append(f"its provisioning says «{provisioning or 'nothing'}»")
    codes = {text_at(each, "code").lower() for each in objects_at(instance, "properties", "instanceView", "statuses")}
    if "powerstate/running" not in codes:
        lacks.append("it does not run")
    health = text_at(instance, "properties", "instanceView", "vmHealth", "status", "code")
    if health_extension and health.lower() != "healthstate/healthy":
        lacks.append(f"its application health says «{health.rpartition('/')[2] or 'nothing'}»")
    return lacks


def _name(instance: JsonObject) -> str:
    return text_at(instance, "name") or text_at(instance, "instanceId")

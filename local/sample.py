"""A sample: a world, a request, what people and the site do meanwhile, and what must come of it."""

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from cmg_core.domain.clouds import CloudName
from cmg_core.domain.requests import Duration
from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def sample_names() -> list[str]:
    """The samples of this project, by their file names."""
    return sorted(file.name for file in SAMPLES.glob("*.json"))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Part):
    """The moment at which something is done: a deployment waits at a gate, has come to a step, or has a status."""

    gate: str | None = None
    step: str | None = None
    status: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("name one of gate, step and status")
        return self

    def has_come(self, deployment: JsonObject) -> bool:
        """Whether a deployment, as ``GET /api/deployments/{id}`` shows it, has come to this moment."""
        if self.gate is not None:
            gates = deployment.get("gates")
            asked = gates if isinstance(gates, list) else []
            return any(
                isinstance(gate, dict) and gate.get("name") == self.gate and gate.get("asked_at") for gate in asked
            )
        if self.step is not None:
            return deployment.get("step") == self.step
        return deployment.get("status") == self.status


class Call(_Part):
    """An HTTP call to the product. ``{id}`` in the path stands for the deployment's ID."""

    method: str = "POST"
    path: str
    body: JsonObject | None = None


class Then(_Part):
    """Something that people or the site do."""

    when: When
    about: str = ""
    """What a person watching is told."""
    call: Call | None = None
    world: JsonObject | None = None
    """A change as ``POST /_sim/site`` takes it."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if (self.call is None) == (self.world is None):
            raise ValueError("name either a call or a change of the world")
        return self


class Expect(_Part):
    """What must come of a sample."""

    outcome: str
    gap_within: Duration | None = None
    """The longest time for which a synthetic client may find no gateway that relays; none where it is left out."""
    deleted: tuple[str, ...] | None = None
    created: tuple[str, ...] | None = None
    """What there is at the end and was not before; not looked at where it is left out."""
    untouched: bool = False
    """Whether Azure Resource Manager may have seen no writing call at all."""
    kept: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    """Receivers of webhooks that in the end have heard everything, in order."""
    attempts: int = 200


class Sample(_Part):
    """One sample file."""

    about: str
    world: JsonObject
    request: JsonObject
    cloud: CloudName = CloudName.PUBLIC
    """The cloud in which the app works."""
    faults: tuple[JsonObject, ...] = ()
    """What goes wrong in Azure, as ``POST /_sim/faults`` takes it."""
    then: tuple[Then, ...] = ()
    expect: Expect

    @property
    def path(self) -> str:
        """Where the request is sent."""
        if self.request.get("kind") == "retirement":
            return "/api/retirements"
        return "/api/migrations" if "old_gateway" in self.request else "/api/deployments"

    @property
    def plain_request(self) -> JsonObject:
        """The request without who listens, which is no part of what is planned."""
        return {key: value for key, value in self.request.items() if key != "callback_url"}

    @property
    def is_migration(self) -> bool:
        """Whether a gateway takes another one's place, which is there until then."""
        return "old_gateway" in self.request and at(self.request, "old_gateway", "gone") is not True

    @property
    def is_served_before(self) -> bool:
        """Whether clients have a gateway from the beginning: a classic one may be stopped."""
        services = objects_at(self.world, "classic_cloud_services")
        return self.is_migration and not any(text_at(each, "state") == "Suspended" for each in services)


def load(file: Path) -> Sample:
    """Read a sample. A ``world`` that is a text names another file beside it. Raises ValueError for a wrong sample."""
    content: Json = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(content, dict) and isinstance(content.get("world"), str):
        content["world"] = json.loads((file.parent / str(content["world"])).read_text(encoding="utf-8"))
    return Sample.model_validate(content)

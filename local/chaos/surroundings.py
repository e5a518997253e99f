"""The world of a run as others than the product see and change it: what its names are, and where they lead."""

import json
from dataclasses import dataclass
from datetime import datetime

from cmg_core.domain.values import text_at
from local.azure import identity
from local.azure.dns import View, resolve
from local.azure.messages import Request, Response
from local.azure.simulator import Simulator
from local.azure.world import Resource, World
from local.chaos.cases import Case, case_of, new_service_name
from local.sample import Sample

MANAGEMENT = "management.azure.com"


@dataclass(frozen=True)
class Surroundings:
    """The world of a sample, seen and changed by others than the product."""

    world: World
    sample: Sample

    @property
    def old_id(self) -> str:
        old = self.sample.request.get("old_gateway")
        return str(old["resource_id"]) if isinstance(old, dict) else ""

    @property
    def old_group(self) -> str:
        return "/".join(self.old_id.split("/")[:5])

    @property
    def standing_id(self) -> str:
        """The old gateway; when it is gone, the address that keeps its name, if one does."""
        if self.world.resource(self.old_id) is not None:
            return self.old_id
        addresses = self.world.of_type("Microsoft.Network/publicIPAddresses")
        group = f"{self.old_group.lower()}/"
        return next((each.id for each in addresses if each.id.lower().startswith(group)), self.old_id)

    @property
    def service_name(self) -> str:
        """What clients of the new gateway dial."""
        return new_service_name(self.sample)

    @property
    def old_service_name(self) -> str:
        old = self.sample.request.get("old_gateway")
        return str(old["service_name"]).lower() if isinstance(old, dict) else ""

    @property
    def case(self) -> Case:
        return case_of(self.sample.request, self.service_name)

    @property
    def zone_id(self) -> str:
        dns = self.sample.request.get("dns")
        return str(dns["zone_id"]) if isinstance(dns, dict) else ""

    @property
    def record_id(self) -> str:
        """The record of the service name, in lower case; empty where the app may not change it."""
        return f"{self.zone_id}/CNAME/{self.label}".lower() if self.zone_id else ""

    @property
    def label(self) -> str:
        """The service name without its zone's."""
        return self.service_name.split(".", 1)[0]

    def ask(self, method: str, path: str, api: str, body: object, now: datetime) -> Response:
        """What somebody with rights in Azure sends, until it is taken: the faults are for the product's calls."""
        tenant = str(self.sample.request["tenant_id"])
        token = identity.issue_token(self.world, f"https://{MANAGEMENT}", now, 3600.0, tenant)
        headers = {"authorization": f"Bearer {token}"}
        content = json.dumps(body).encode() if body is not None else b""
        faults, self.world.faults = self.world.faults, []
        try:
            return Simulator(self.world).handle(
                Request(method, MANAGEMENT, path, {"api-version": api}, headers, content), now
            )
        finally:
            self.world.faults = faults

    def old_name(self, now: datetime) -> str:
        """The old gateway's deployment name: where its service name leads, which may be Azure's own already."""
        old = self.old_service_name
        return (alias_of(self.world, old, "public", now) or old) if old else ""

    def target(self, now: datetime) -> str:
        """Where the service name leads in public."""
        return alias_of(self.world, self.service_name, "public", now)

    def inside_target(self, now: datetime) -> str:
        """Where it leads in the company's inside view."""
        return alias_of(self.world, self.service_name, "inside", now)

    def new_scale_set(self) -> Resource | None:
        """The new gateway's: the one that request or people name, where the site makes it; else by the tag of a
        deployment, which an old gateway may carry, too."""
        if named := self.named_scale_set():
            return self.world.resource(named)
        if self.sample.request["provisioned_by"] == "site":
            return None
        found = self.world.of_type("Microsoft.Compute/virtualMachineScaleSets")
        others = (each for each in found if each.id.lower() != self.old_id.lower())
        return next((each for each in others if "cmg-deployment" in (each.body.get("tags") or {})), None)

    def named_scale_set(self) -> str:
        """The scale set of a gateway that the site makes; empty where this app makes it."""
        if standing := text_at(self.sample.request, "new_gateway", "resource_id"):
            return standing
        bodies = (then.call.body for then in self.sample.then if then.call is not None and then.call.body)
        return next((id for body in bodies if (id := text_at(body, "payload", "resource_id"))), "")


def alias_of(world: World, name: str, view: View, now: datetime) -> str:
    """Where a name's own alias leads; empty where it has none."""
    answer = resolve(world, name, "A", view, now)
    return next((record.value.rstrip(".").lower() for record in answer.records if record.type == "CNAME"), "")

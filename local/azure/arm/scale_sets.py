"""Microsoft.Compute/virtualMachineScaleSets: create, update, delete, actions; orchestration Uniform only.

Source: recorded answers (members filled in, the password and protected settings left out), refusals in public issues,
and Microsoft's pages on certificates of scale sets.
"""

import copy
from collections.abc import Callable
from datetime import timedelta

from local.azure.arm import shapes, sizes
from local.azure.arm.call import Call
from local.azure.arm.scale_set_certificates import certificate_urls, check_secrets
from local.azure.arm.scale_set_rules import (
    TYPE,
    check_changes,
    check_network,
    check_profile,
    check_size,
    missing,
    network_references,
)
from local.azure.arm.storing import (
    begin,
    delete_resource,
    location_url,
    new_body,
    operation_url,
    put_answer,
    refuse_while_deleting,
    require_location,
    save,
)
from local.azure.errors import AzureError, compute_error
from local.azure.ids import last_segment
from local.azure.messages import Response
from local.azure.operations import duration, running_on
from local.azure.references import owner
from local.azure.world import Body, Instance, Resource, World


def not_found(call: Call) -> AzureError:
    """Resource Manager's 404 of a scale set."""
    return AzureError(
        404,
        "ResourceNotFound",
        f"The Resource '{TYPE}/{call.id.names[0]}' under resource group '{call.id.group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def put_scale_set(call: Call) -> Response:
    """PUT virtualMachineScaleSets."""
    given = _checked(call.json(), shapes.SCALE_SET)
    existing = call.existing()
    require_location(given, existing)
    return _write(call, given, existing)


def patch_scale_set(call: Call) -> Response:
    """PATCH virtualMachineScaleSets: merges into what is there."""
    existing = call.existing()
    if existing is None:
        raise not_found(call)
    given = call.json()
    merged = _merge(existing.body, given)
    _checked(merged, shapes.SCALE_SET)
    return _write(call, merged, existing)


def _checked(given: Body, shape: shapes.Shape) -> Body:
    try:
        shapes.check(given, shape)
    except shapes.ShapeError as problem:
        if problem.kind == "missing":
            raise missing(problem.path) from problem
        raise compute_error(400, "BadRequest", str(problem)) from problem
    return given


def _merge(old: Body, new: Body) -> Body:
    merged = copy.deepcopy(old)
    for key, value in new.items():
        inner = merged.get(key)
        merged[key] = (
            _merge(inner, value) if isinstance(value, dict) and isinstance(inner, dict) and key != "tags" else value
        )
    return merged


def _write(call: Call, given: Body, existing: Resource | None) -> Response:
    refuse_while_deleting(call, existing, "compute")
    body = new_body(call, TYPE, given, existing)
    body["properties"] = copy.deepcopy(given["properties"])
    size = check_size(call, body)
    check_changes(body, existing)
    check_profile(body, existing, size)
    check_network(call, body)
    check_secrets(call, body)
    capacity = body["sku"]["capacity"]
    sizes.check_quota(call, size, body["location"], capacity, body["id"])
    _fill(call, body, existing)
    created = existing is None
    blocked = _unfinished_reference(call.world, body)
    resource = save(call.world, call.now, TYPE, body)
    name = (
        "virtualMachineScaleSets.failure" if blocked else f"virtualMachineScaleSets.{'create' if created else 'update'}"
    )
    operation = begin(call, resource, "put", name)
    if blocked:
        operation.error = {"code": "RetryableError", "message": "A retryable error occurred.", "details": [blocked]}
    else:
        _arrange_machines(call, resource, operation.expected_s)
    return put_answer(call, resource, operation, created, None)


def _unfinished_reference(world: World, body: Body) -> Body | None:
    """The detail of the failure that an unfinished network resource causes (known from issues: the PUT is accepted)."""
    for reference in network_references(body):
        holder = owner(world, reference)
        operation = running_on(world, holder) if holder else None
        if holder and operation:
            message = f"Cannot proceed with operation because resource {holder.id} is not in Succeeded state."
            return {"code": "ReferencedResourceNotProvisioned", "message": message}
    return None


def _fill(call: Call, body: Body, existing: Resource | None) -> None:
    """What Azure adds and leaves out."""
    world, properties = call.world, body["properties"]
    system = properties["virtualMachineProfile"]["osProfile"]
    system.pop("adminPassword", None)
    system.setdefault("allowExtensionOperations", True)
    system.setdefault("requireGuestProvisionSignal", True)
    for extension in properties["virtualMachineProfile"].get("extensionProfile", {}).get("extensions", []):
        extension["properties"].pop("protectedSettings", None)
    properties.setdefault("orchestrationMode", "Uniform")
    properties.setdefault("overprovision", True)
    properties.setdefault("singlePlacementGroup", True)
    properties.setdefault("doNotRunExtensionsOnOverprovisionedVMs", False)
    properties.setdefault("platformFaultDomainCount", 5)
    properties["provisioningState"] = "Updating" if existing else "Creating"
    properties["uniqueId"] = existing.properties["uniqueId"] if existing else world.guid()
    properties["timeCreated"] = existing.properties["timeCreated"] if existing else call.now.isoformat()
    if body.get("zones"):
        properties.setdefault("zoneBalance", False)
    identity = body.get("identity")
    if identity and "systemassigned" in identity.get("type", "").replace(" ", "").lower():
        identity.setdefault("principalId", world.guid())
        identity.setdefault("tenantId", call.subscription.tenant)


def _arrange_machines(call: Call, resource: Resource, seconds: float) -> None:
    """Brings the machines to the wanted count; the upgrade policy says whether those that stand take the new model."""
    world, properties = call.world, resource.properties
    machines = world.instances.setdefault(resource.id.lower(), [])
    urls = certificate_urls(resource.body)
    for machine in machines:
        if machine.certificate_urls != urls:
            machine.latest_model = properties["upgradePolicy"]["mode"] != "Manual"
            machine.certificate_urls = urls if machine.latest_model else machine.certificate_urls
    capacity = resource.body["sku"]["capacity"]
    del machines[capacity:]
    used = {machine.ordinal for machine in machines}
    zones = resource.body.get("zones") or []
    for ordinal in (number for number in range(capacity + len(used)) if number not in used):
        if len(machines) >= capacity:
            break
        starts = call.now + timedelta(seconds=seconds * world.random.uniform(0.6, 0.95))
        machines.append(
            Instance(
                ordinal=ordinal,
                vm_id=world.guid(),
                zone=zones[ordinal % len(zones)] if zones else None,
                private_address=f"10.0.0.{4 + ordinal}",
                created_at=call.now,
                running_at=starts,
                healthy_at=starts + timedelta(seconds=duration(world, "instance.health")),
                certificate_urls=urls,
            )
        )


def delete_scale_set(call: Call) -> Response:
    """DELETE virtualMachineScaleSets."""
    return delete_resource(call, "virtualMachineScaleSets.delete")


def _upgrade(call: Call, resource: Resource, machine: Instance) -> None:
    machine.latest_model = True
    machine.certificate_urls = certificate_urls(resource.body)
    _restart(call, resource, machine)


def _restart(call: Call, resource: Resource, machine: Instance) -> None:
    del resource
    machine.power = "running"
    machine.running_at = call.now + timedelta(seconds=duration(call.world, "virtualMachineScaleSets.action"))
    machine.healthy_at = machine.running_at + timedelta(seconds=duration(call.world, "instance.health"))


def _stop(call: Call, resource: Resource, machine: Instance) -> None:
    del call, resource
    machine.power = "stopped"


def _deallocate(call: Call, resource: Resource, machine: Instance) -> None:
    del call, resource
    machine.power = "deallocated"


def _remove(call: Call, resource: Resource, machine: Instance) -> None:
    call.world.instances[resource.id.lower()].remove(machine)
    resource.body["sku"]["capacity"] -= 1


def action(change: Callable[[Call, Resource, Instance], None]) -> Callable[[Call], Response]:
    """A POST on a scale set that changes all machines, or those that the body's `instanceIds` names."""

    def handle(call: Call) -> Response:
        resource = call.world.resource(call.id.parent.text)
        if resource is None:
            raise not_found(call)
        wanted = call.json().get("instanceIds", ["*"]) if call.request.body else ["*"]
        for machine in list(call.world.instances[resource.id.lower()]):
            if wanted == ["*"] or str(machine.ordinal) in wanted:
                change(call, resource, machine)
        operation = begin(call, resource, "action", "virtualMachineScaleSets.action")
        urls = (("Azure-AsyncOperation", operation_url(call, operation)), ("Location", location_url(call, operation)))
        return Response(202, urls)

    return handle


ACTIONS = {
    "manualupgrade": action(_upgrade),
    "restart": action(_restart),
    "start": action(_restart),
    "poweroff": action(_stop),
    "deallocate": action(_deallocate),
    "delete": action(_remove),
}


def machine_name(resource: Resource, machine: Instance) -> str:
    """Azure's name of a machine in a Uniform scale set."""
    return f"{last_segment(resource.id)}_{machine.ordinal}"

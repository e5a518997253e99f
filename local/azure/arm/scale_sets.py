"""Microsoft.Compute/virtualMachineScaleSets: create, update, delete, actions; orchestration Uniform only.

Source: recorded answers (members filled in, the password and protected settings left out), refusals in public issues,
and Microsoft's pages on certificates of scale sets.
"""

import copy
import re
from collections.abc import Callable
from datetime import timedelta

from local.azure.arm import shapes, sizes
from local.azure.arm.call import Call
from local.azure.arm.scale_set_certificates import certificate_urls, check_secrets
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
from local.azure.errors import AzureError, compute_error, network_error
from local.azure.ids import last_segment
from local.azure.messages import Response
from local.azure.operations import duration, running_on
from local.azure.references import owner, part_of
from local.azure.world import Body, Instance, Resource, World

TYPE = "Microsoft.Compute/virtualMachineScaleSets"

# How the names of images that need a second-generation machine look.
_SECOND_GENERATION = re.compile(r"(-g2$|-g2-|gensecond|azure-edition)", re.IGNORECASE)


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
            raise _missing(problem.path) from problem
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


def _missing(parameter: str) -> AzureError:
    name = parameter.removeprefix("properties.")
    return compute_error(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", target=name)


def _invalid(target: str, message: str) -> AzureError:
    return compute_error(400, "InvalidParameter", message, target=target)


def _write(call: Call, given: Body, existing: Resource | None) -> Response:
    refuse_while_deleting(call, existing, "compute")
    body = new_body(call, TYPE, given, existing)
    body["properties"] = copy.deepcopy(given["properties"])
    size = _check_size(call, body)
    _check_changes(body, existing)
    _check_profile(body, existing, size)
    _check_network(call, body)
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


def _check_size(call: Call, body: Body) -> sizes.Size:
    sku = body.get("sku") or {}
    if not sku.get("name"):
        raise _missing("sku.name")
    if not isinstance(sku.get("capacity"), int) or not 0 <= sku["capacity"] <= 1000:
        raise _invalid("sku.capacity", f"The value {sku.get('capacity')} of sku.capacity must be between 0 and 1000.")
    size = sizes.SIZES.get(sku["name"].lower())
    region = body["location"]
    if size is None or not sizes.is_offered(call.world, size, region):
        known = ",".join(known.name for known in sizes.SIZES.values() if sizes.is_offered(call.world, known, region))
        raise _invalid(
            "vmSize",
            f"The value {sku['name']} provided for the VM size is not valid. The valid sizes in the current region are:"
            f" {known}.",
        )
    if sizes.is_restricted(call.world, size, region):
        raise compute_error(
            409,
            "SkuNotAvailable",
            "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: "
            f"{size.name}' is currently not available in location '{region}'. Please try another size or deploy to a "
            "different location or different zone. See https://aka.ms/azureskunotavailable for details.",
        )
    offered = sizes.zones_of(call.world, size, region)
    missing = [zone for zone in body.get("zones", []) if zone not in offered]
    if missing:
        raise compute_error(
            400,
            "LocationNotSupportAvailabilityZones",
            f"The zone(s) '{','.join(missing)}' for resource '{TYPE}/{body['name']}' is not supported. The supported "
            f"zones for location '{region}' are '{','.join(offered)}'",
        )
    body["sku"].setdefault("tier", "Standard")
    return size


def _check_changes(body: Body, existing: Resource | None) -> None:
    """What cannot change once the scale set stands; a password that is sent again counts as a change."""
    properties = body["properties"]
    if properties.get("orchestrationMode", "Uniform") != "Uniform":
        raise _invalid("orchestrationMode", "The simulator knows scale sets with orchestration mode Uniform only.")
    if existing is None:
        return
    profile = properties.get("virtualMachineProfile", {})
    system = profile.get("osProfile", {})
    before = existing.properties["virtualMachineProfile"]["osProfile"]
    changes = {
        "osProfile.adminPassword": "adminPassword" in system,
        "osProfile.adminUsername": system.get("adminUsername", before["adminUsername"]) != before["adminUsername"],
        "osProfile.computerNamePrefix": system.get("computerNamePrefix", before["computerNamePrefix"])
        != before["computerNamePrefix"],
        "zones": bool(set(existing.body.get("zones", [])) - set(body.get("zones", existing.body.get("zones", [])))),
    }
    for name, changed in changes.items():
        if changed:
            raise compute_error(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", name)
    for member, value in existing.properties.items():
        properties.setdefault(member, copy.deepcopy(value))
    for member in ("zones", "identity"):
        if member in existing.body:
            body.setdefault(member, copy.deepcopy(existing.body[member]))


def _check_profile(body: Body, existing: Resource | None, size: sizes.Size) -> None:
    properties = body["properties"]
    if not properties.get("upgradePolicy", {}).get("mode"):
        raise _missing("upgradePolicy")
    profile = properties.get("virtualMachineProfile")
    if not profile:
        raise _missing("virtualMachineProfile")
    system = profile.setdefault("osProfile", {})
    wanted = ["computerNamePrefix", "adminUsername"] + ([] if existing else ["adminPassword"])
    for name in wanted:
        if not system.get(name) and existing:
            system[name] = existing.properties["virtualMachineProfile"]["osProfile"][name]
        if not system.get(name):
            raise _missing(name)
    image = profile.get("storageProfile", {}).get("imageReference")
    if not image or not (image.get("id") or all(image.get(key) for key in ("publisher", "offer", "sku", "version"))):
        raise _missing("imageReference")
    is_windows = "windows" in image.get("publisher", "").lower() or "windowsConfiguration" in system
    prefix = system["computerNamePrefix"]
    if is_windows and (len(prefix) > 9 or prefix.isdigit() or not re.fullmatch(r"[A-Za-z0-9-]+", prefix)):
        raise _invalid(
            "computerNamePrefix",
            "Windows computer name prefix cannot be more than 9 characters long, be entirely numeric, or contain the "
            "following characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : . ' \" , < > / ?.",
        )
    if "adminPassword" in system and not _is_strong(system["adminPassword"]):
        raise _invalid(
            "adminPassword",
            "The supplied password must be between 8-123 characters long and must satisfy at least 3 of password "
            "complexity requirements from the following: 1) Contains an uppercase character 2) Contains a lowercase "
            "character 3) Contains a numeric digit 4) Contains a special character 5) Control characters are not "
            "allowed",
        )
    if "V2" not in size.generations and _SECOND_GENERATION.search(image.get("sku", "")):
        raise compute_error(
            400,
            "BadRequest",
            f"The selected VM size '{size.name}' cannot boot Hypervisor Generation '2'. If this was a Create operation "
            "please check that the Hypervisor Generation of the Image matches the Hypervisor Generation of the selected"
            " VM Size. If this was an Update operation please select a Hypervisor Generation '2' VM Size. For more "
            "information, see https://aka.ms/azuregen2vm",
        )
    for extension in profile.get("extensionProfile", {}).get("extensions", []):
        for name in ("publisher", "type", "typeHandlerVersion"):
            if not extension.get("properties", {}).get(name):
                raise _missing(name)
    system.setdefault("secrets", [])
    if is_windows:
        system.setdefault("windowsConfiguration", {"provisionVMAgent": True, "enableAutomaticUpdates": True})


def _is_strong(password: str) -> bool:
    kinds = (str.isupper, str.islower, str.isdigit, _is_special)
    return 8 <= len(password) <= 123 and sum(any(map(kind, password)) for kind in kinds) >= 3


def _is_special(character: str) -> bool:
    return not character.isalnum()


def _network_references(body: Body) -> list[str]:
    profile = body["properties"]["virtualMachineProfile"].get("networkProfile") or {}
    found = [profile["healthProbe"]["id"]] if profile.get("healthProbe") else []
    for interface in profile.get("networkInterfaceConfigurations", []):
        if interface["properties"].get("networkSecurityGroup"):
            found.append(interface["properties"]["networkSecurityGroup"]["id"])
        for configuration in interface["properties"]["ipConfigurations"]:
            properties = configuration["properties"]
            if properties.get("subnet"):
                found.append(properties["subnet"]["id"])
            for collection in ("loadBalancerBackendAddressPools", "loadBalancerInboundNatPools"):
                found += [reference["id"] for reference in properties.get(collection, [])]
    return found


def _check_network(call: Call, body: Body) -> None:
    profile = body["properties"]["virtualMachineProfile"].get("networkProfile") or {}
    interfaces = profile.get("networkInterfaceConfigurations", [])
    if not interfaces:
        raise _missing("networkProfile.networkInterfaceConfigurations")
    if sum(bool(interface["properties"].get("primary")) for interface in interfaces) != 1 and len(interfaces) > 1:
        raise _invalid("networkInterfaceConfigurations", "Exactly one network interface must be primary.")
    for interface in interfaces:
        for configuration in interface["properties"]["ipConfigurations"]:
            if not configuration["properties"].get("subnet"):
                raise _missing("subnet")
    for reference in _network_references(body):
        holder = owner(call.world, reference)
        if holder is None or not part_of(call.world, reference) or holder.location != body["location"]:
            raise network_error(
                "InvalidResourceReference",
                f"Resource {reference} referenced by resource {body['id']} was not found. Please make sure that the "
                "referenced resource exists, and that both resources are in the same region.",
            )


def _unfinished_reference(world: World, body: Body) -> Body | None:
    """The detail of the failure that an unfinished network resource causes (known from issues: the PUT is accepted)."""
    for reference in _network_references(body):
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

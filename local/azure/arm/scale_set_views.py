"""What a scale set tells of its machines: lists, instance views, health.

Source: the recorded instance view of a scale set; the view of one machine and `vmHealth` as Microsoft's page on the
Application Health extension shows them.
"""

from datetime import datetime

from local.azure.arm.call import Call
from local.azure.arm.scale_sets import machine_name, not_found
from local.azure.errors import AzureError, json_response
from local.azure.messages import Response
from local.azure.world import Body, Instance, Resource

_HEALTH_TEXT = {
    "healthy": "The VM is reporting itself as healthy or no health probe is configured",
    "unhealthy": "The VM is reporting itself as unhealthy",
    "unknown": "The VM has not reported its health state yet",
}
HEALTH_EXTENSIONS = ("applicationhealthwindows", "applicationhealthlinux")


def list_machines(call: Call) -> Response:
    """GET …/virtualMachines, with `$expand=instanceView`."""
    resource = _scale_set(call)
    expand = call.request.query.get("$expand", "")
    if expand and expand.lower() != "instanceview":
        raise AzureError(400, "InvalidParameter", f"The value '{expand}' of $expand is not valid.", style="compute")
    machines = call.world.instances.get(resource.id.lower(), [])
    rows = [_machine(resource, machine, call.now, bool(expand)) for machine in machines]
    return json_response(200, {"value": rows})


def get_machine(call: Call) -> Response:
    """GET …/virtualMachines/{ordinal}, or `/instanceView` below it."""
    is_view = len(call.id.types) == 3
    named = call.id.parent if is_view else call.id
    resource = call.world.resource(named.parent.text)
    machines = call.world.instances.get(resource.id.lower(), []) if resource else []
    machine = next((machine for machine in machines if str(machine.ordinal) == named.name), None)
    if resource is None or machine is None:
        raise AzureError(404, "NotFound", "The entity was not found in this Azure location.", style="compute")
    if is_view:
        return json_response(200, _view(resource, machine, call.now))
    expand = call.request.query.get("$expand", "").lower() == "instanceview"
    return json_response(200, _machine(resource, machine, call.now, expand))


def scale_set_view(call: Call) -> Response:
    """GET …/instanceView of the scale set: counts of each state."""
    resource = _scale_set(call)
    machines = call.world.instances.get(resource.id.lower(), [])
    states = [_provisioning(machine, call.now) for machine in machines]
    summary = [{"code": f"ProvisioningState/{state}", "count": states.count(state)} for state in sorted(set(states))]
    state = resource.properties["provisioningState"]
    status = {
        "code": f"ProvisioningState/{state.lower()}",
        "level": "Info",
        "displayStatus": f"Provisioning {state.lower()}",
        "time": resource.changed_at.isoformat(),
    }
    extensions = [{"name": name, "statusesSummary": summary} for name, _ in _extensions(resource)]
    return json_response(
        200, {"virtualMachine": {"statusesSummary": summary}, "extensions": extensions, "statuses": [status]}
    )


def _scale_set(call: Call) -> Resource:
    resource = call.world.resource(call.id.parent.text)
    if resource is None:
        raise not_found(call)
    return resource


def _provisioning(machine: Instance, now: datetime) -> str:
    return "succeeded" if now >= machine.running_at else "creating"


def _extensions(resource: Resource) -> list[tuple[str, str]]:
    profile = resource.properties["virtualMachineProfile"].get("extensionProfile", {})
    return [(extension["name"], extension["properties"]["type"]) for extension in profile.get("extensions", [])]


def _machine(resource: Resource, machine: Instance, now: datetime, expand: bool) -> Body:
    name = machine_name(resource, machine)
    profile = resource.properties["virtualMachineProfile"]
    properties: Body = {
        "latestModelApplied": machine.latest_model,
        "provisioningState": _provisioning(machine, now).capitalize(),
        "vmId": machine.vm_id,
        "timeCreated": machine.created_at.isoformat(),
        "hardwareProfile": {},
        "storageProfile": profile["storageProfile"],
        "osProfile": {
            **profile["osProfile"],
            "computerName": f"{profile['osProfile']['computerNamePrefix']}{machine.ordinal:06d}",
        },
        "networkProfileConfiguration": profile["networkProfile"],
    }
    if expand:
        properties["instanceView"] = _view(resource, machine, now)
    body: Body = {
        "name": name,
        "instanceId": str(machine.ordinal),
        "id": f"{resource.id}/virtualMachines/{machine.ordinal}",
        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "location": resource.location,
        "tags": resource.body.get("tags", {}),
        "sku": {"name": resource.body["sku"]["name"], "tier": "Standard"},
        "properties": properties,
    }
    if machine.zone:
        body["zones"] = [machine.zone]
    return body


def _view(resource: Resource, machine: Instance, now: datetime) -> Body:
    state = _provisioning(machine, now)
    statuses = [
        {"code": f"ProvisioningState/{state}", "level": "Info", "displayStatus": f"Provisioning {state}",
         "time": machine.running_at.isoformat()}
    ]  # fmt: skip
    if state == "succeeded":
        power = {"code": f"PowerState/{machine.power}", "level": "Info", "displayStatus": f"VM {machine.power}"}
        statuses.append(power)
    extensions = _extensions(resource)
    view: Body = {
        "platformUpdateDomain": machine.ordinal % 5,
        "platformFaultDomain": machine.ordinal % 5,
        "statuses": statuses,
        "extensions": [
            {"name": name, "type": kind, "statuses": [{"code": f"ProvisioningState/{state}", "level": "Info",
                                                       "displayStatus": f"Provisioning {state}"}]}
            for name, kind in extensions
        ],
    }  # fmt: skip
    if any(kind.lower() in HEALTH_EXTENSIONS for _, kind in extensions):
        view["vmHealth"] = {"status": _health(machine, now)}
    return view


def _health(machine: Instance, now: datetime) -> Body:
    if machine.is_healthy(now):
        health = "healthy"
    elif machine.healthy is False or machine.power != "running":
        health = "unhealthy"
    else:
        health = "unknown"
    return {"code": f"HealthState/{health}", "level": "Info", "displayStatus": _HEALTH_TEXT[health]}

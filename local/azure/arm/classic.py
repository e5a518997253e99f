"""Microsoft.ClassicCompute/domainNames: classic cloud services with their production slot and roles.

No public description or recording of this resource provider was found: types, members and answers here are our own
knowledge. It is reached by generic calls by ID. Removing a cloud service removes its slot and roles and frees its name
and virtual address; storage accounts beside it stay.
"""

from local.azure.arm.call import Call
from local.azure.arm.storing import begin
from local.azure.errors import json_response, resource_not_found
from local.azure.messages import Response
from local.azure.operations import retry_after, running_on, set_state, signed_url

VERSIONS = ("2014-06-01", "2015-06-01", "2015-10-01", "2015-12-01", "2016-04-01", "2016-11-01", "2017-04-01")
TYPE = "Microsoft.ClassicCompute/domainNames"


def delete_service(call: Call) -> Response:
    """DELETE domainNames: 202 with a Location to poll."""
    service = call.existing()
    if service is None:
        return Response(204)
    operation = running_on(call.world, service)
    if operation is None:
        operation = begin(call, service, "delete", "domainNames.delete")
        set_state(call.world, service.body, "Deleting")
    path = (
        f"/subscriptions/{call.subscription.id}/providers/Microsoft.ClassicCompute/locations/{service.location}"
        f"/operationResults/{operation.id}"
    )
    return Response(202, (("Location", signed_url(call.world, call.request, path)), retry_after(call.world, 10)))


def delete_slot(call: Call) -> Response:
    """DELETE of a slot: the deployment in it stops serving, the service keeps its name."""
    slot = call.existing()
    if slot is None:
        return Response(204)
    service = call.world.resource(call.id.parent.text)
    if service is None:
        raise resource_not_found(call.id.parent.type, call.id.parent.names, call.id.group)
    operation = begin(call, slot, "delete", "domainNames.delete")
    set_state(call.world, slot.body, "Deleting")
    call.world.instances.pop(service.id.lower(), None)
    path = (
        f"/subscriptions/{call.subscription.id}/providers/Microsoft.ClassicCompute/locations/{slot.location}"
        f"/operationResults/{operation.id}"
    )
    return Response(202, (("Location", signed_url(call.world, call.request, path)), retry_after(call.world, 10)))


def list_children(call: Call) -> Response:
    """GET of the slots of a service, or the roles of a slot."""
    holder = call.id.parent
    if call.world.resource(holder.text) is None:
        raise resource_not_found(holder.type, holder.names, call.id.group)
    wanted = call.id.type.lower()
    rows = [child.body for child in call.world.children(holder.text) if child.type.lower() == wanted]
    return json_response(200, {"value": rows})

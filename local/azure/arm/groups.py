"""Resource groups, and lists of resources in a group or a subscription.

Source: recorded answers (a group's DELETE has a Location only, renewed at each poll) and Microsoft's page on `$filter`.
"""

import re
from datetime import datetime

from local.azure.arm.locks import check_locks
from local.azure.arm.policies import refuse_denied
from local.azure.arm.sizes import REGIONS
from local.azure.arm.storing import normal_location
from local.azure.errors import AzureError, group_not_found, json_response
from local.azure.ids import group_id
from local.azure.messages import Request, Response
from local.azure.operations import retry_after, signed_url, start
from local.azure.world import Body, Resource, ResourceGroup, Subscription, World

_CLAUSE = re.compile(r"(\w+)\s+eq\s+'([^']*)'", re.IGNORECASE)
_FILTERS = {"resourcetype", "name", "location", "resourcegroup", "tagname", "tagvalue", "identity/principalid"}
_LISTED = ("id", "name", "type", "location", "tags", "kind", "sku", "identity", "zones", "plan", "managedBy")


def group_body(group: ResourceGroup) -> Body:
    """What GET of a group answers."""
    return {
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": {"provisioningState": "Deleting" if group.deleting else "Succeeded"},
    }


def list_groups(world: World, request: Request, subscription: Subscription) -> Response:
    """GET resourcegroups, with a filter on a tag."""
    prefix = f"/subscriptions/{subscription.id}/".lower()
    wanted = dict(_clauses(request.query.get("$filter", ""), {"tagname", "tagvalue"}))
    rows = [
        group_body(group)
        for key, group in world.groups.items()
        if key.startswith(prefix) and _has_tag(group.tags, wanted)
    ]
    return json_response(200, {"value": rows})


def handle_group(world: World, request: Request, subscription: Subscription, name: str, now: datetime) -> Response:
    """PUT, PATCH, GET, HEAD and DELETE of one group."""
    group = world.groups.get(group_id(subscription.id, name))
    if request.method == "PUT":
        return _put(world, request, subscription, name, group)
    if group is None:
        if request.method == "HEAD":
            return Response(404, (("x-ms-failure-cause", "gateway"),))
        raise group_not_found(name)
    match request.method:
        case "HEAD":
            return Response(204)
        case "PATCH":
            check_locks(world, group.id, "write")
            group.tags = Response(200, body=request.body).json().get("tags", group.tags)
            return json_response(200, group_body(group))
        case "DELETE":
            return _delete(world, request, subscription, group, now)
        case _:
            return json_response(200, group_body(group))


def _put(
    world: World, request: Request, subscription: Subscription, name: str, group: ResourceGroup | None
) -> Response:
    given = Response(200, body=request.body).json()
    location = normal_location(given.get("location") or "")
    if not location:
        raise AzureError(400, "LocationRequired", "The location property is required for this definition.")
    if location not in REGIONS:
        raise AzureError(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{location}' is not available for resource group. List of available regions is "
            f"'{','.join(sorted(REGIONS))}'.",
        )
    if not re.fullmatch(r"[-\w().]{0,89}[-\w()]", name):
        raise AzureError(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}' has these invalid characters or length. The name can only be a "
            "letter, digit, '-', '.', '(', ')' or '_'.",
        )
    content = {**given, "name": name, "type": "Microsoft.Resources/subscriptions/resourceGroups"}
    refuse_denied(world, f"/subscriptions/{subscription.id}", content)
    if group is None:
        group = ResourceGroup(f"/subscriptions/{subscription.id}/resourceGroups/{name}", name, location, {})
        world.groups[group.id.lower()] = group
        group.tags = given.get("tags") or {}
        return json_response(201, group_body(group))
    if group.deleting:
        raise being_deleted(group)
    if group.location != location:
        raise AzureError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in location "
            f"'{group.location}'.",
        )
    check_locks(world, group.id, "write")
    group.tags = given.get("tags") or {}
    return json_response(200, group_body(group))


def being_deleted(group: ResourceGroup) -> AzureError:
    """Writes into a group that is going away."""
    return AzureError(
        409,
        "ResourceGroupBeingDeleted",
        f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation.",
    )


def _delete(
    world: World, request: Request, subscription: Subscription, group: ResourceGroup, now: datetime
) -> Response:
    check_locks(world, group.id, "delete")
    if group.deleting is None:
        operation = start(
            world,
            now,
            kind="delete-group",
            name="resourceGroups.delete",
            namespace="Microsoft.Resources",
            subscription=subscription.id,
            location=group.location,
            resource_id=group.id,
        )
        group.deleting = operation.id
    url = signed_url(world, request, f"/subscriptions/{subscription.id}/operationresults/{group.deleting}")
    return Response(202, (("Location", url), retry_after(world, 15)))


def list_resources(world: World, request: Request, scope: str) -> Response:
    """GET …/resources of a group or a subscription, with `$filter`, `$expand` and `$top`."""
    wanted = dict(_clauses(request.query.get("$filter", ""), _FILTERS))
    if "tagname" in wanted and set(wanted) - {"tagname", "tagvalue"}:
        raise AzureError(
            400, "InvalidFilterInQueryString", "A filter on a tag cannot be combined with filters on other properties."
        )
    expand = {part.strip().lower() for part in request.query.get("$expand", "").split(",")}
    rows = [
        _row(resource, expand)
        for resource in world.children(scope)
        if _is_tracked(resource) and _matches(resource, wanted)
    ]
    top = request.query.get("$top")
    return json_response(200, {"value": rows[: int(top)] if top else rows})


def _clauses(text: str, allowed: set[str]) -> list[tuple[str, str]]:
    if not text:
        return []
    found = [_CLAUSE.fullmatch(part.strip()) for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE)]
    if not all(clause and clause[1].lower() in allowed for clause in found):
        raise AzureError(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
    return [(clause[1].lower(), clause[2]) for clause in found if clause]


def _is_tracked(resource: Resource) -> bool:
    return resource.type.count("/") == 1 and not resource.type.startswith("Microsoft.Authorization")


def _has_tag(tags: dict[str, str], wanted: dict[str, str]) -> bool:
    lower = {name.lower(): value for name, value in tags.items()}
    name = wanted.get("tagname")
    return name is None or (name.lower() in lower and wanted.get("tagvalue") in (None, lower[name.lower()]))


def _matches(resource: Resource, wanted: dict[str, str]) -> bool:
    facts = {
        "resourcetype": resource.type,
        "name": resource.name,
        "location": resource.location,
        "resourcegroup": resource.id.split("/")[4] if resource.id.count("/") > 4 else "",
        "identity/principalid": resource.body.get("identity", {}).get("principalId", ""),
    }
    plain = all(facts[key].lower() == value.lower() for key, value in wanted.items() if key in facts)
    return plain and _has_tag(resource.body.get("tags") or {}, wanted)


def _row(resource: Resource, expand: set[str]) -> Body:
    row = {key: resource.body[key] for key in _LISTED if key in resource.body}
    if "createdtime" in expand:
        row["createdTime"] = resource.created_at.isoformat()
    if "changedtime" in expand:
        row["changedTime"] = resource.changed_at.isoformat()
    if "provisioningstate" in expand:
        row["provisioningState"] = resource.properties.get("provisioningState", "Succeeded")
    return row

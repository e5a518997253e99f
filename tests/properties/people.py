"""What people and the site do at each gate of a plan, as the gate itself says it: no more and no less."""

from collections.abc import Iterator

from cmg_core.domain.gates import Gate
from cmg_core.domain.plans import Plan
from local.sample import Call, Then, When
from tests.properties.scenes import GROUP, NEW_SCALE_SET, SAME, Scene, Told

WHO = {"by": "change.manager@contoso.com", "reason": "the change plan says so"}


def people(scene: Scene, plan: Plan) -> tuple[Then, ...]:
    """All that is done from the request to the end, in the order of the plan's gates."""
    return tuple(then for gate in plan.gates for then in _at(gate, scene, plan))


def _at(gate: Gate, scene: Scene, plan: Plan) -> Iterator[Then]:
    when = When(gate=gate.name)
    for change in _changes(gate.name, scene, plan):
        yield Then(when=when, world=change)
    if gate.name in ("connection-point-connected", "cname"):
        return
    payload = {"payload": _payload(gate.name)} if _payload(gate.name) else {}
    yield Then(when=when, call=Call(path=f"/api/deployments/{{id}}/gates/{gate.name}", body=WHO | payload))


def _payload(gate: str) -> Told:
    match gate:
        case "gateway-created":
            return {"resource_id": NEW_SCALE_SET}
        case "clients-moved":
            return {"active": 1000, "moved": 990}
        case _:
            return {}


def _changes(gate: str, scene: Scene, plan: Plan) -> Iterator[Told]:
    assert plan.names is not None
    name, target = plan.names.service_name, plan.names.deployment_name
    recorded = {each["name"] for each in scene.world["site"]["gateways"]}
    serves = scene.request.get("kind") == "retirement"
    point = {"server": "CP2", "gateway": "New", "service_name": name}
    match gate:
        case "gateway-created":
            instances = scene.request.get("instances", 1)
            made = {
                "group": GROUP,
                "label": plan.names.label,
                "certificate": "kv-cmg-contoso/cmg",
                "prefix": "evergreen",
            }
            yield {"add_scale_set_gateway": made | {"instances": instances, "health_extension": False}}
        case "cname" if "dns" not in scene.request:
            yield {"set_public_dns": [{"name": name.lower(), "value": target, "ttl": 4}]}
        case "inside-dns":
            yield {"set_inside_dns": [{"name": name.lower(), "type": "CNAME", "value": target, "ttl": 1}]}
        case "connection-point-connected" if not serves and not _follows(plan):
            if "New" not in recorded:
                yield {"add_gateway_record": {"name": "New", "service_name": name}}
            if str(plan.case) == "same-name-gap-closed-beforehand":
                point["hosts"] = {name.lower(): f"@address-of:{target}"}
            yield {"add_connection_point": point}
        case "site-record-removed":
            if _follows(plan):
                if "New" not in recorded:
                    yield {"add_gateway_record": {"name": "New", "service_name": name}}
                yield {"add_connection_point": point}
            yield {"remove_gateway_record": "Old"}
            records = {record["name"] for record in scene.world["dns_zones"][0]["record_sets"]}
            if name.lower() != SAME.lower() and "granitefalls" in records:
                yield {"set_public_dns": [{"name": SAME.lower()}]}
        case "connection-point-removed":
            yield {"remove_connection_point": "CP1"}


def _follows(plan: Plan) -> bool:
    """Whether the original connection point itself follows the name to the new gateway."""
    return str(plan.case) in ("same-name-with-a-gap", "same-name-old-gateway-gone")

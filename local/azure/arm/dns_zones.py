"""Microsoft.Network/dnsZones and their record sets.

Source: recorded answers: errors without the usual wrapper, `dnszones` in lower case in IDs and types, etags without
quotes, 412 for If-Match and If-None-Match.
"""

import copy
from collections.abc import Iterator
from datetime import datetime

from local.azure.arm.call import Call, Handler
from local.azure.arm.storing import begin, save
from local.azure.errors import dns_error, json_response
from local.azure.messages import Response
from local.azure.operations import retry_after, signed_url
from local.azure.references import references
from local.azure.world import Body, Resource, World

VERSIONS = ("2016-04-01", "2017-09-01", "2017-10-01", "2018-03-01-preview", "2018-05-01")
ZONE_TYPE = "Microsoft.Network/dnsZones"

# Record type -> (member of the properties, whether it holds a list, members that each record must have)
RECORDS: dict[str, tuple[str, bool, tuple[str, ...]]] = {
    "A": ("ARecords", True, ("ipv4Address",)),
    "AAAA": ("AAAARecords", True, ("ipv6Address",)),
    "CAA": ("caaRecords", True, ("flags", "tag", "value")),
    "CNAME": ("CNAMERecord", False, ("cname",)),
    "MX": ("MXRecords", True, ("preference", "exchange")),
    "NS": ("NSRecords", True, ("nsdname",)),
    "PTR": ("PTRRecords", True, ("ptrdname",)),
    "SOA": ("SOARecord", False, ("email",)),
    "SRV": ("SRVRecords", True, ("priority", "weight", "port", "target")),
    "TXT": ("TXTRecords", True, ("value",)),
}
_MEMBERS = {"ttl", "metadata", "targetresource", "fqdn", "provisioningstate", "trafficmanagementprofile"} | {
    member.lower() for member, _, _ in RECORDS.values()
}
NAME_SERVERS = ("ns1-01.azure-dns.com.", "ns2-01.azure-dns.net.", "ns3-01.azure-dns.org.", "ns4-01.azure-dns.info.")


def put_zone(call: Call) -> Response:
    """PUT dnsZones: at once, with the NS and SOA record sets of the apex."""
    existing = call.existing()
    given = call.json()
    if given.get("location", "").lower() != "global":
        raise dns_error(400, "BadRequest", "The location of a DNS zone must be 'global'.")
    _check_conditions(call, existing, "zone")
    name = existing.name if existing else call.id.name
    if "." not in name or " " in name:
        raise dns_error(400, "BadRequest", f"The domain name '{name}' is invalid.")
    resource = make_zone(call.world, call.now, existing.id if existing else call.id.text, name, given.get("tags", {}))
    return json_response(200 if existing else 201, _zone_body(call.world, resource))


def make_zone(world: World, now: datetime, zone_id: str, name: str, tags: dict[str, str]) -> Resource:
    """Stores a zone and, for a new one, its apex records."""
    created = world.resource(zone_id) is None
    body: Body = {
        "id": zone_id.replace("/dnsZones/", "/dnszones/"),
        "name": name,
        "type": "Microsoft.Network/dnszones",
        "etag": world.guid(),
        "location": "global",
        "tags": tags,
        "properties": {
            "maxNumberOfRecordSets": 10000,
            "maxNumberOfRecordsPerRecordSet": None,
            "nameServers": list(NAME_SERVERS),
            "numberOfRecordSets": 2,
            "zoneType": "Public",
        },
    }
    zone = save(world, now, ZONE_TYPE, body)
    if created:
        servers = [{"nsdname": server} for server in NAME_SERVERS]
        make_record_set(world, now, zone, "NS", "@", {"TTL": 172800, "NSRecords": servers})
        authority = {
            "email": "azuredns-hostmaster.microsoft.com", "host": NAME_SERVERS[0], "refreshTime": 3600,
            "retryTime": 300, "expireTime": 2419200, "minimumTTL": 300, "serialNumber": 1,
        }  # fmt: skip
        make_record_set(world, now, zone, "SOA", "@", {"TTL": 3600, "SOARecord": authority})
    return zone


def make_record_set(world: World, now: datetime, zone: Resource, kind: str, name: str, properties: Body) -> Resource:
    """Stores a record set as the DNS provider answers it."""
    filled = {key: copy.deepcopy(value) for key, value in properties.items() if value is not None}
    filled["fqdn"] = f"{zone.name}." if name == "@" else f"{name}.{zone.name}."
    filled.setdefault("targetResource", {})
    filled["provisioningState"] = "Succeeded"
    body: Body = {
        "id": f"{zone.body['id']}/{kind}/{name}",
        "name": name,
        "type": f"Microsoft.Network/dnszones/{kind}",
        "etag": world.guid(),
        "location": "global",
        "properties": filled,
    }
    return save(world, now, f"{ZONE_TYPE}/{kind}", body)


def _zone_body(world: World, zone: Resource) -> Body:
    body = copy.deepcopy(zone.body)
    body["properties"]["numberOfRecordSets"] = sum(1 for _ in world.children(zone.id))
    return body


def _record_body(record: Resource) -> Body:
    return {key: value for key, value in record.body.items() if key != "location"}


def get_zone(call: Call) -> Response:
    """GET dnsZones."""
    zone = call.existing()
    if zone is None:
        raise _zone_missing(call)
    return json_response(200, _zone_body(call.world, zone))


def list_zones(call: Call) -> Response:
    """GET of a group's or a subscription's zones."""
    scope = call.id.text.lower().split("/providers/")[0] + "/"
    zones = [zone for zone in call.world.of_type(ZONE_TYPE) if zone.id.lower().startswith(scope)]
    return json_response(200, {"value": [_zone_body(call.world, zone) for zone in zones]})


def _zone_missing(call: Call) -> Exception:
    return dns_error(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.Network/dnszones/{call.id.names[0]}' under resource group '{call.id.group}' was not "
        "found.",
    )


def delete_zone(call: Call) -> Response:
    """DELETE dnsZones: asynchronous, with URLs below the resource group."""
    zone = call.existing()
    if zone is None:
        return Response(204)
    _check_conditions(call, zone, "zone")
    operation = begin(call, zone, "delete", "dnsZones.delete")
    base = f"/subscriptions/{call.subscription.id}/resourceGroups/{call.id.group}/providers/Microsoft.Network"
    return Response(
        202,
        (
            (
                "Azure-AsyncOperation",
                signed_url(call.world, call.request, f"{base}/dnsOperationStatuses/delzone{operation.id}"),
            ),
            ("Location", signed_url(call.world, call.request, f"{base}/dnsOperationResults/delzone{operation.id}")),
            retry_after(call.world, 10),
        ),
    )


def _check_conditions(call: Call, existing: Resource | None, what: str) -> None:
    headers = call.request.headers
    name = call.id.name
    if headers.get("if-none-match") == "*" and existing:
        raise dns_error(
            412, "PreconditionFailed", f"The Record set {name} exists already and hence cannot be created again."
        )
    wanted = headers.get("if-match", "").strip('"')
    if wanted and (existing is None or wanted not in ("*", existing.body["etag"])):
        subject = f"Record set {name}" if what == "record" else f"Zone {name}"
        raise dns_error(412, "PreconditionFailed", f"The {subject} has been modified (etag mismatch).")


def _zone_and_kind(call: Call) -> tuple[Resource, str]:
    zone = call.world.resource(call.id.parent.text)
    if zone is None:
        raise _zone_missing(call)
    return zone, call.id.types[1].upper()


def _put_or_patch(call: Call, merge: bool) -> Response:
    zone, kind = _zone_and_kind(call)
    existing = call.existing()
    name = existing.name if existing else call.id.name
    _check_conditions(call, existing, "record")
    if merge and existing is None:
        raise _record_missing(call)
    given = call.json().get("properties") or {}
    for key in given:
        if key.lower() not in _MEMBERS:
            raise dns_error(
                400, "BadRequest", f"Could not find member '{key}' on object of type 'RecordSetProperties'."
            )
    if merge and existing:
        given = {**existing.properties, **given}
    properties = {("TTL" if key.lower() == "ttl" else key): value for key, value in given.items()}
    _check_record(call, zone, kind, name, properties)
    record = make_record_set(call.world, call.now, zone, kind, name, properties)
    zone.body["etag"] = call.world.guid()
    return json_response(200 if existing else 201, _record_body(record))


def put_record_set(call: Call) -> Response:
    """PUT of a record set, with If-Match and If-None-Match."""
    return _put_or_patch(call, merge=False)


def patch_record_set(call: Call) -> Response:
    """PATCH of a record set, with If-Match."""
    return _put_or_patch(call, merge=True)


def _check_record(call: Call, zone: Resource, kind: str, name: str, properties: Body) -> None:
    ttl = properties.get("TTL")
    if not isinstance(ttl, int) or not 1 <= ttl <= 2147483647:
        raise dns_error(400, "BadRequest", f"The TTL value '{ttl}' of the record set '{name}' is not valid.")
    member, is_list, required = RECORDS[kind]
    value = next((value for key, value in properties.items() if key.lower() == member.lower()), None)
    alias = (properties.get("targetResource") or {}).get("id")
    if value is None and not alias:
        raise dns_error(400, "BadRequest", f"The record set '{name}' has no records of type {kind}.")
    for record in [] if value is None else value if is_list else [value]:
        if not isinstance(record, dict) or any(record.get(part) in (None, "", []) for part in required):
            raise dns_error(400, "BadRequest", f"A record of the record set '{name}' lacks {' or '.join(required)}.")
    others = {
        resource.type.rsplit("/", 1)[-1]
        for resource in call.world.children(zone.id)
        if resource.name.lower() == name.lower()
    }
    others.discard(kind)
    if kind == "CNAME" and name == "@":
        raise dns_error(400, "BadRequest", "A CNAME record set cannot be created at the zone apex '@'.")
    if ("CNAME" in others) or (kind == "CNAME" and others):
        raise dns_error(
            400,
            "BadRequest",
            f"The record could not be created because a {'CNAME record' if 'CNAME' in others else 'record'} with the "
            "same name already exists in this zone.",
        )


def _record_missing(call: Call) -> Exception:
    return dns_error(
        404,
        "NotFound",
        f"The resource record '{call.id.name}' does not exist in resource group '{call.id.group}' of subscription "
        f"'{call.subscription.id}'.",
    )


def get_record_set(call: Call) -> Response:
    """GET of a record set."""
    _zone_and_kind(call)
    record = call.existing()
    if record is None:
        raise _record_missing(call)
    return json_response(200, _record_body(record))


def delete_record_set(call: Call) -> Response:
    """DELETE of a record set, with If-Match; 204 where there is none."""
    zone, kind = _zone_and_kind(call)
    record = call.existing()
    if record is None:
        return Response(204)
    _check_conditions(call, record, "record")
    if call.id.name == "@" and kind in ("NS", "SOA"):
        raise dns_error(400, "BadRequest", f"The {kind} record set at the zone apex cannot be deleted.")
    del call.world.resources[record.id.lower()]
    call.world.past_references[record.id.lower()] = references(record)
    call.world.deleted.append(record.id)
    zone.body["etag"] = call.world.guid()
    return Response(200)


def _records(call: Call, kind: str | None) -> Iterator[Body]:
    zone = call.world.resource(call.id.parent.text)
    if zone is None:
        raise _zone_missing(call)
    suffix = call.request.query.get("$recordsetnamesuffix", "").lower()
    for record in call.world.children(zone.id):
        if kind in (None, record.type.rsplit("/", 1)[-1]) and record.name.lower().endswith(suffix):
            yield _record_body(record)


def list_all(call: Call) -> Response:
    """GET …/recordsets and …/all."""
    return json_response(200, {"value": list(_records(call, None))})


def list_kind(call: Call) -> Response:
    """GET of all record sets of a type."""
    return json_response(200, {"value": list(_records(call, call.id.types[1].upper()))})


ZONE_ACTIONS: dict[str, Handler] = {"recordsets": list_all, "all": list_all}

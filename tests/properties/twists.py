"""What can be other than it should: each twist changes the world, the request, or both, and stands alone."""

from typing import Any

from local.azure.certificates import CertificateDescription
from tests.properties.scenes import (
    DNS_GROUP,
    GROUP,
    NEW_SCALE_SET,
    OLD_CLASSIC,
    OLD_GROUP,
    OLD_NETWORK,
    OLD_PARTS,
    OLD_SCALE_SET,
    OLD_STORAGE,
    SUBSCRIPTION,
    TENANT,
    VAULT,
    ZONE,
    Told,
    Twist,
)

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
CUSTOMER = "0f1e2d3c-0000-4000-8000-00000000beef"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
VAULT_BESIDE = f"{OLD_GROUP}/providers/Microsoft.KeyVault/vaults/granitefalls"
SCOPES = {
    "subscription": SCOPE,
    "group": GROUP,
    "old group": OLD_GROUP,
    "zone": ZONE,
    "vault": VAULT,
    "old scale set": OLD_SCALE_SET,
    "old balancer": OLD_PARTS[1],
    "old classic": OLD_CLASSIC,
}
NAMESPACES = ("Microsoft.KeyVault", "Microsoft.Storage", "Microsoft.Network", "Microsoft.Compute")


def _at(told: Told, path: str) -> tuple[Any, Any] | None:
    """The container and the key that a path leads to; None where the way there is missing."""
    *way, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    place: Any = told
    for key in way:
        try:
            place = place[key]
        except LookupError:
            return None
    return place, last


def _put(told: Told, path: str, value: Any) -> None:
    if found := _at(told, path):
        container, key = found
        if isinstance(container, dict) or key < len(container):
            container[key] = value


def in_world(path: str, value: Any) -> Twist:
    return lambda world, _: _put(world, path, value)


def in_request(path: str, value: Any) -> Twist:
    return lambda _, request: _put(request, path, value)


def without(path: str) -> Twist:
    """The request without that key."""

    def take(_: Told, request: Told) -> None:
        if found := _at(request, path):
            found[0].pop(found[1], None)

    return take


def more(path: str, *values: Any) -> Twist:
    """The world with more of something."""

    def add(world: Told, _: Told) -> None:
        if found := _at(world, path):
            container, key = found
            container[key] = [*container.get(key, []), *values]

    return add


def both(*twists: Twist) -> Twist:
    def apply(world: Told, request: Told) -> None:
        for twist in twists:
            twist(world, request)

    return apply


def policy(**rule: Any) -> Twist:
    return more("policies", {"name": f"p-{len(str(rule))}", "scope": SCOPE, "rule": rule})


def roles(*assignments: Told) -> Twist:
    return in_world("role_assignments", list(assignments))


def shown(**changes: Any) -> Twist:
    """The new gateway's certificate, described otherwise."""

    def change(world: Told, _: Told) -> None:
        world["certificates"]["new"] |= changes
        CertificateDescription.model_validate(world["certificates"]["new"])

    return change


def _records(*records: Told) -> Twist:
    """The service name's records in the zone, instead of those that stand there."""
    return in_world("dns_zones/0/record_sets", list(records))


def _old_group_in_the_new_one(world: Told, request: Told) -> None:
    request["resource_group"] = OLD_GROUP.rsplit("/", 1)[1]


def _confirmed(world: Told, request: Told) -> None:
    if "old_gateway" in request:
        is_classic = request["old_gateway"]["resource_id"] == OLD_CLASSIC
        request["old_gateway"]["confirmed_parts"] = [OLD_CLASSIC] if is_classic else list(OLD_PARTS)


def _parked(_: Told, request: Told) -> None:
    if "old_gateway" in request:
        request["park_old_name"] = True


STRANGER = {
    "id": f"{OLD_NETWORK}/networkSecurityGroups/somebody-elses",
    "location": "eastus",
    "properties": {"resourceGuid": "00000000-0000-4000-8000-00000000000a"},
}
GUEST = {
    "id": f"{OLD_NETWORK}/virtualNetworks/guests",
    "location": "eastus",
    "properties": {
        "resourceGuid": "00000000-0000-4000-8000-00000000000b",
        "addressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
        "subnets": [
            {
                "id": f"{OLD_NETWORK}/virtualNetworks/guests/subnets/guests",
                "name": "guests",
                "properties": {"addressPrefix": "10.9.0.0/24", "networkSecurityGroup": {"id": OLD_PARTS[4]}},
            }
        ],
    },
}
NEIGHBOUR = {"group": OLD_GROUP, "label": "neighbour", "certificate": "kv-old-contoso/old"}
BALANCER = {
    "id": f"{NETWORK}/loadBalancers/evergreen-lb",
    "location": "eastus",
    "sku": {"name": "Standard"},
    "properties": {"resourceGuid": "00000000-0000-4000-8000-00000000000c"},
}

TWISTS: dict[str, Twist] = {
    # The subscription, its providers and who the app is.
    **{f"the subscription is {s}": in_world("subscriptions/0/state", s) for s in ("Warned", "Disabled", "PastDue")},
    "a CSP's subscription": in_world("subscriptions/0/quota_id", "CSP_2015-05-01"),
    **{
        f"{namespace} {state}": in_world("subscriptions/0/providers", {namespace: state})
        for namespace in NAMESPACES
        for state in ("NotRegistered", "Registering", "Unregistering")
    },
    "another tenant's": both(in_world("subscriptions/0/tenant", CUSTOMER), in_request("tenant_id", CUSTOMER)),
    "delegated": both(
        in_world("subscriptions/0/tenant", CUSTOMER),
        in_world("subscriptions/0/managed_by", [TENANT]),
        in_request("tenant_id", CUSTOMER),
        in_request("access", "delegated"),
    ),
    "by the customer app": in_request("access", "app"),
    "the wrong tenant": in_request("tenant_id", CUSTOMER),
    "the wrong subscription": in_request("subscription_id", "5ab5c1b3-0000-4000-8000-00000000dead"),
    # Locks, policies, roles.
    **{
        f"{level} on the {where}": more("locks", {"scope": scope, "level": level, "name": f"keep-{where[:3]}"})
        for where, scope in SCOPES.items()
        for level in ("CanNotDelete", "ReadOnly")
        if not where.startswith("old ") or where == "old group"
    },
    "no public addresses": policy(field="type", equals="Microsoft.Network/publicIPAddresses"),
    "only in westus2": policy(field="location", notEquals="westus2"),
    "only with a tag": policy(field="tags.owner", exists=False),
    "reads only": roles({"scope": SCOPE, "role": "Reader"}),
    "no role at all": roles(),
    "contributes": roles({"scope": SCOPE, "role": "Contributor"}),
    "contributes to its group alone": roles(
        {"scope": SCOPE, "role": "Reader"}, {"scope": GROUP, "role": "Contributor"}
    ),
    "knows networks only": roles({"scope": SCOPE, "role": "Network Contributor"}),
    "may not delete": roles({"scope": SCOPE, "actions": ["*"], "not_actions": ["*/delete"]}),
    "under a condition": roles({"scope": SCOPE, "role": "Owner", "condition": "@Resource[x] StringLike 'y'"}),
    "a condition not met": roles(
        {"scope": SCOPE, "role": "Reader"},
        {"scope": SCOPE, "role": "Contributor", "condition": "@Resource[x] StringLike 'y'", "condition_met": False},
    ),
    # What there is room for.
    **{
        f"room for {room} of {what}": in_world(f"quotas/{what}", room)
        for what, room in (("cores", 3), ("standardAv2Family", 0), ("PublicIPAddresses", 1), ("LoadBalancers", 0))
    },
    "size not offered": in_world("skus", {"Standard_A2_v2": {"locations": ["westus2"]}}),
    "size restricted": in_world("skus", {"Standard_A2_v2": {"restricted": True}}),
    "size in zones": in_world("skus", {"Standard_A2_v2": {"zones": ["1", "2", "3"]}}),
    "second generation only": in_world("skus", {"Standard_A2_v2": {"generations": "V2"}}),
    # The vault and the certificate.
    "vault elsewhere": in_world("key_vaults/0/location", "westus2"),
    "vault not for machines": in_world("key_vaults/0/enabled_for_deployment", False),
    "vault behind a firewall": in_world("key_vaults/0/firewall", True),
    "vault not public": in_world("key_vaults/0/public_network_access", "Disabled"),
    "vault with access policies": in_world("key_vaults/0/rbac", False),
    "vault not for the app": in_world("key_vaults/0/readers", []),
    "no such certificate": in_request("certificate/name", "nowhere"),
    "no such vault": in_request("certificate/vault", "https://kv-nowhere.vault.azure.net"),
    "key stays": in_world("key_vaults/0/certificates/0/exportable", False),
    "ends soon": shown(valid_until="P5D"),
    "has ended": shown(valid_until="-P1D"),
    "not valid yet": shown(valid_from="P2D"),
    "an elliptic key": shown(key={"type": "EC"}),
    "as PEM": shown(content_type="application/x-pem-file"),
    "for clients": shown(usages=["clientAuth"]),
    "self-signed": shown(issuer="self"),
    "by an enterprise": shown(issuer="enterprise"),
    "disabled": shown(enabled=False),
    "without names": shown(dns_names=[]),
    "wildcard": shown(subject="CN=*.contoso.com", dns_names=["*.contoso.com"]),
    "wildcard and label": both(
        shown(subject="CN=*.contoso.com", dns_names=["*.contoso.com"]), in_request("first_label", "evergreen")
    ),
    "two names": shown(dns_names=["granitefalls.contoso.com", "evergreen.contoso.com"]),
    "for cloudapp.net": shown(subject="CN=GraniteFalls.CloudApp.Net", dns_names=["GraniteFalls.CloudApp.Net"]),
    "for another region": shown(dns_names=["evergreen.westus2.cloudapp.azure.com"]),
    "a name with a hyphen": shown(dns_names=["granite-falls.contoso.com"]),
    # DNS.
    "no records": _records(),
    "an address record": _records({"name": "granitefalls", "type": "A", "ttl": 60, "value": "203.0.113.9"}),
    "record elsewhere": _records({"name": "granitefalls", "type": "CNAME", "ttl": 60, "value": "cdn.example.net"}),
    "a chain": _records(
        {"name": "granitefalls", "type": "CNAME", "ttl": 60, "value": "alias.contoso.com"},
        {"name": "alias", "type": "CNAME", "ttl": 600, "value": "granitefalls.cloudapp.net"},
    ),
    "record there already": _records(
        {"name": "evergreen", "type": "CNAME", "ttl": 60, "value": "evergreen.eastus.cloudapp.azure.com"}
    ),
    "a week's TTL": in_world("dns_zones/0/record_sets/0/ttl", 604_800),
    "another zone": in_request("dns", {"zone_id": ZONE.replace("contoso.com", "fabrikam.com")}),
    "zone in another subscription": in_request(
        "dns", {"zone_id": ZONE.replace(SUBSCRIPTION, "5ab5c1b3-0000-4000-8000-00000000dead")}
    ),
    "zone for nothing": in_request("dns", {"zone_id": ZONE}),
    "others lead there, too": more(
        "dns_zones/0/record_sets", {"name": "www", "type": "CNAME", "ttl": 60, "value": "granitefalls.cloudapp.net"}
    ),
    # Groups and what lies in them.
    "no group yet": in_request("resource_group", "rg-not-there-yet"),
    "group elsewhere": in_world("resource_groups/0/location", "westus2"),
    "into the old group": _old_group_in_the_new_one,
    "a stranger in the old group": more("resources", STRANGER),
    "a stranger, and confirmed": both(more("resources", STRANGER), _confirmed),
    "confirmed": _confirmed,
    "confirmed too much": both(_confirmed, in_request("old_gateway/confirmed_parts", [*OLD_PARTS, STRANGER["id"]])),
    "a neighbour in the old group": more("scale_set_gateways", NEIGHBOUR),
    "a balancer of that name": more("resources", BALANCER),
    "names taken": in_world(
        "taken_names",
        {
            "labels": ["evergreen.eastus", "granitefalls.eastus"],
            "vaults": ["evergreen"],
            "storage_accounts": ["evergreen"],
        },
    ),
    "a buried vault": more("deleted_vaults", {"id": f"{GROUP}/providers/Microsoft.KeyVault/vaults/evergreen"}),
    "an old vault": more("key_vaults", {"id": VAULT_BESIDE}),
    "classic stopped": in_world("classic_cloud_services/0/state", "Suspended"),
    "no health extension": in_world("scale_set_gateways/0/health_extension", False),
    # What is asked for.
    "classic wanted": in_request("deployment_model", "classic"),
    **{f"{n} instances": in_request("instances", n) for n in (1, 3, 16)},
    **{f"size {s}": in_request("size", s) for s in ("Standard_B2s", "Standard_A4_v2")},
    **{
        f"release {r}": in_request("configmgr_release", r)
        for r in ("2006", "2010", "2107", "2111", "2403", "2509", "9912")
    },
    "release unknown": without("configmgr_release"),
    "what is known of the site": in_request(
        "site", {"code": "GF1", "hierarchy": "cas", "spare_site_system": False, "connection_point_firewall_open": False}
    ),
    "other gateways": in_request("site", {"other_gateways": ["cmg2.contoso.com"], "spare_site_system": True}),
    "no reason": without("reason"),
    "approval": in_request("gates", {"approval": True}),
    "no gates": in_request("gates", {"ready-to-cut-over": False, "connection-point-connected": False}),
    "clients counted": in_request("gates", {"clients-moved": {"share": 0.9, "minimum_sample": 1}}),
    "cut over later": in_request("cut_over_not_before", "2126-11-25T00:00:00Z"),
    "cut over any time": in_request("cut_over_not_before", "2001-01-01T00:00:00Z"),
    "a second's grace": in_request("grace_period", "PT0.5S"),
    "half a year's grace": in_request("grace_period", "P180D"),
    "parked": _parked,
    "a second's gap": in_request("accept_gap", "PT1S"),
    "a day's gap": in_request("accept_gap", "P1D"),
    "gone, they say": in_request("old_gateway/gone", True),
    "content": in_request("old_gateway/serves_content", True),
    "inside for an hour": in_request("old_gateway/inside_ttl", "PT1H"),
    **{
        f"also delete {what}": in_request("old_gateway/also_delete", list(ids))
        for what, ids in {
            "its storage": [OLD_STORAGE],
            "its vault": [VAULT_BESIDE],
            "the certificate's vault": [VAULT],
            "the zone": [ZONE],
            "a stranger": [STRANGER["id"]],
            "the new one": [NEW_SCALE_SET],
            "a group": [DNS_GROUP],
            "the neighbour": [OLD_SCALE_SET.replace("granitefalls", "neighbour")],
            "itself": [OLD_SCALE_SET, OLD_CLASSIC],
        }.items()
    },
    "shared with guests": more("resources", GUEST),
    "shared, and storage goes": both(
        more("resources", GUEST), _confirmed, in_request("old_gateway/also_delete", [OLD_STORAGE])
    ),
    "the old one missing": in_request("old_gateway/resource_id", OLD_SCALE_SET.replace("granitefalls", "nobody")),
    "the old one is the new one": in_request("old_gateway/resource_id", NEW_SCALE_SET),
    "the new one missing": in_request("new_gateway/resource_id", NEW_SCALE_SET.replace("evergreen", "nobody")),
    "the new one is the old one": in_request("new_gateway/resource_id", OLD_SCALE_SET),
    "in westus2": in_request("region", "westus2"),
    "in US Government": in_request("region", "usgovvirginia"),
    "in no region": in_request("region", "atlantis"),
    "another service name": in_request("service_name", "cmg.fabrikam.com"),
    "the old service name, in other letters": in_request("old_gateway/service_name", "GRANITEFALLS.contoso.COM"),
    "an end at the cut-over": in_request("operation_ends", "cut-over"),
    "without a certificate": without("certificate"),
}
"""By the name under which hypothesis tells it."""

"""Whole scenes, drawn: a request of any kind, and a world in which it may be right, wrong or something between.

A scene begins as one in which everything is as it should be; twists (``twists.py``) then change the request, the world
or both. So most of what is drawn is a plan that nearly works: that is where mistakes hide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

TENANT = "0f1e2d3c-0000-4000-8000-00000000c0de"
SUBSCRIPTION = "5ab5c1b3-0000-4000-8000-000000000001"
HERE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
GROUP, OLD_GROUP, DNS_GROUP = f"{HERE}/rg-cmg-eastus", f"{HERE}/rg-granitefalls-old", f"{HERE}/rg-dns"
ZONE = f"{DNS_GROUP}/providers/Microsoft.Network/dnsZones/contoso.com"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-cmg-contoso"
OLD_VAULT = f"{DNS_GROUP}/providers/Microsoft.KeyVault/vaults/kv-old-contoso"
"""Holds the old gateway's certificate, so that nothing which befalls the new one's does it any harm."""
OLD_STORAGE = f"{OLD_GROUP}/providers/Microsoft.Storage/storageAccounts/granitefalls"
OLD_CLASSIC = f"{OLD_GROUP}/providers/Microsoft.ClassicCompute/domainNames/GraniteFalls"
OLD_SCALE_SET = f"{OLD_GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/granitefalls"
NEW_SCALE_SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/evergreen"
OLD_NETWORK = f"{OLD_GROUP}/providers/Microsoft.Network"
OLD_PARTS = (
    OLD_SCALE_SET,
    f"{OLD_NETWORK}/loadBalancers/granitefalls-lb",
    f"{OLD_NETWORK}/publicIPAddresses/granitefalls-ip",
    f"{OLD_NETWORK}/virtualNetworks/granitefalls-vnet",
    f"{OLD_NETWORK}/networkSecurityGroups/granitefalls-nsg",
)
OWNER = "99999999-0000-4000-8000-000000000009"
"""The deployment that made the old gateway, where this app did."""

SAME, OTHER = "GraniteFalls.Contoso.Com", "Evergreen.Contoso.Com"
REGION_NAME = "evergreen.eastus.cloudapp.azure.com"
CLASSIC_NAME, SCALE_SET_NAME = "granitefalls.cloudapp.net", "granitefalls.eastus.cloudapp.azure.com"

type Told = dict[str, Any]
type Twist = Callable[[Told, Told], None]
"""Changes a world and a request in place."""


@dataclass(frozen=True)
class Scene:
    """What is asked for, where, and with which shortest grace period in the settings."""

    request: Told
    world: Told
    minimum_grace: timedelta
    twists: tuple[str, ...]

    @property
    def replaces(self) -> bool:
        return "old_gateway" in self.request


def ttl_of(seconds: int) -> str:
    return f"PT{seconds}S"


@st.composite
def scenes(draw: st.DrawFn, twists: dict[str, Twist], most: int) -> Scene:
    """A scene with at most so many of these twists."""
    kind = draw(st.sampled_from(["migration", "migration", "migration", "deployment", "retirement"]))
    makers = ["automation", "automation", "site", "existing"] if kind != "retirement" else ["existing"] * 5 + ["site"]
    made_by = draw(st.sampled_from(makers))
    old = draw(st.sampled_from(["classic", "scale set", "ours", "gone"])) if kind != "deployment" else ""
    ttl, inside_ttl = draw(st.sampled_from([1, 4, 300, 3600])), draw(st.sampled_from([1, 60, 900]))
    grace, minimum = draw(st.sampled_from([("PT4S", 1), ("PT4S", 4), ("PT1H", 1), ("P1D", 86400), ("P2D", 86400)]))
    keeps_name = kind == "migration" and draw(st.booleans())
    new_name = SAME if keeps_name else draw(st.sampled_from([OTHER, OTHER, REGION_NAME]))
    old_azure_name = CLASSIC_NAME if old in ("classic", "gone") else SCALE_SET_NAME
    old_name = SAME if keeps_name else draw(st.sampled_from([SAME, old_azure_name]))
    request = _request(kind, made_by, new_name)
    world = _world(new_name, ttl)
    if old:
        _add_old(world, request, old, old_name, old_azure_name, (ttl, inside_ttl))
        request |= {"grace_period": grace}
    if kind == "migration" and keeps_name and draw(st.booleans()):
        request["accept_gap"] = "P2D"
    if kind != "retirement" and new_name != REGION_NAME and draw(st.booleans()):
        request["dns"] = {"zone_id": ZONE}
    if made_by == "existing":
        _add_standing(world, request, new_name)
    if kind == "retirement":
        _let_it_serve(world, request, new_name)
    chosen = draw(st.lists(st.sampled_from(sorted(twists)), max_size=most, unique=True))
    for name in chosen:
        twists[name](world, request)
    return Scene(request, world, timedelta(seconds=minimum), tuple(chosen))


def _request(kind: str, made_by: str, name: str) -> Told:
    request: Told = {
        "provisioned_by": made_by,
        "subscription_id": SUBSCRIPTION,
        "tenant_id": TENANT,
        "resource_group": "rg-cmg-eastus",
        "region": "eastus",
        "certificate": {"vault": "https://kv-cmg-contoso.vault.azure.net", "name": "cmg"},
        "instances": 2,
        "configmgr_release": "2309",
        "reason": "the old one's time is over",
    }
    if kind == "retirement":
        request |= {"kind": kind}
        if made_by != "existing":
            request |= {"service_name": name}
    return request


def certificate(name: str) -> Told:
    return {"subject": f"CN={name}", "dns_names": [name], "valid_from": "-P60D", "valid_until": "P300D"}


def _world(name: str, ttl: int) -> Told:
    return {
        "tenants": [TENANT],
        "subscriptions": [{"id": SUBSCRIPTION, "tenant": TENANT}],
        "resource_groups": [{"id": id, "location": "eastus"} for id in (GROUP, DNS_GROUP)],
        "certificates": {"new": certificate(name), "old": certificate(SAME)},
        "key_vaults": [
            {
                "id": VAULT,
                "location": "eastus",
                "certificates": [{"name": "cmg", "certificate": "new"}],
            },
            {"id": OLD_VAULT, "location": "eastus", "certificates": [{"name": "old", "certificate": "old"}]},
        ],
        "dns_zones": [{"id": ZONE, "record_sets": []}],
        "inside_dns": [],
        "resources": [],
        "scale_set_gateways": [],
        "classic_cloud_services": [],
        "site": {
            "code": "GF1",
            "check_interval_s": 0.5,
            "gateways": [],
            "connection_points": [],
            "clients": {"count": 2, "location_interval_s": 1, "attempt_interval_s": 0.05, "knows": [name]},
        },
    }


def _add_old(world: Told, request: Told, old: str, name: str, azure_name: str, ttls: tuple[int, int]) -> None:
    """The old gateway of the world, its record and its connection point; of one that is gone only these two."""
    id = OLD_CLASSIC if old in ("classic", "gone") else OLD_SCALE_SET
    world["resource_groups"].append({"id": OLD_GROUP, "location": "eastus"})
    world["certificates"]["old"] = certificate(name)
    match old:
        case "classic":
            world["classic_cloud_services"].append({"id": id, "instances": 2, "certificate": "old"})
        case "scale set" | "ours":
            gateway = {
                "group": OLD_GROUP,
                "label": "granitefalls",
                "certificate": "kv-old-contoso/old",
                "size": "Standard_A4_v2",
            }
            tags = {"tags": {"cmg-deployment": OWNER}} if old == "ours" else {}
            world["scale_set_gateways"].append(gateway | tags)
    world["resources"].append(
        {"id": OLD_STORAGE, "type": "Microsoft.Storage/storageAccounts", "location": "eastus", "kind": "StorageV2"}
    )
    request["old_gateway"] = {"resource_id": id, "service_name": name} | ({"gone": True} if old == "gone" else {})
    if name == SAME:
        record = {"type": "CNAME", "value": azure_name}
        world["dns_zones"][0]["record_sets"].append(record | {"name": "granitefalls", "ttl": ttls[0]})
        world["inside_dns"].append(record | {"name": SAME.lower(), "ttl": ttls[1]})
        request["old_gateway"]["inside_ttl"] = ttl_of(ttls[1])
    site = world["site"]
    site["gateways"].append({"name": "Old", "service_name": name})
    site["connection_points"].append({"server": "CP1", "gateway": "Old", "service_name": name})
    site["clients"]["knows"] = [name]


def _add_standing(world: Told, request: Told, name: str) -> None:
    gateway = {"group": GROUP, "label": "evergreen", "certificate": "kv-cmg-contoso/cmg", "health_extension": False}
    world["scale_set_gateways"].append(gateway)
    world["site"]["gateways"].append({"name": "New", "service_name": name})
    request |= {"new_gateway": {"resource_id": NEW_SCALE_SET}, "service_name": name}
    del request["certificate"]


def _let_it_serve(world: Told, request: Told, name: str) -> None:
    """What the procedure's retirement begins with: the new gateway relays under its public name."""
    if request["provisioned_by"] == "existing":
        world["site"]["connection_points"].append({"server": "CP2", "gateway": "New", "service_name": name})
    if name != REGION_NAME:
        record = {"name": name.split(".")[0], "type": "CNAME", "ttl": 60, "value": REGION_NAME}
        world["dns_zones"][0]["record_sets"].append(record)

"""A small world by hand: an old classic gateway and a new scale set behind one own-domain name."""

from datetime import UTC, datetime, timedelta
from functools import cache

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from local.azure.site import site_from_seed
from local.azure.world import Body, CertificateVersion, Identity, Instance, Resource, World

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
GROUP = "/subscriptions/s1/resourceGroups/rg/providers"
OLD_ADDRESS, NEW_ADDRESS = "20.1.2.3", "20.4.5.6"
SERVICE = "granitefalls.contoso.com"
DEPLOYMENT = "granitefalls.eastus.cloudapp.azure.com"
CLASSIC = "granitefalls.cloudapp.net"
SECRET = "https://kv.vault.azure.net/secrets/granitefalls/0123"
SCALE_SET = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/new"
DOMAIN = f"{GROUP}/Microsoft.ClassicCompute/domainNames/granitefalls"
BALANCER = f"{GROUP}/Microsoft.Network/loadBalancers/lb"
GROUP_RULES = f"{GROUP}/Microsoft.Network/networkSecurityGroups/nsg"
ADDRESS = f"{GROUP}/Microsoft.Network/publicIPAddresses/pip"
ZONE = f"{GROUP}/Microsoft.Network/dnsZones/contoso.com"
ALIAS = f"{ZONE}/CNAME/granitefalls"


@cache
def authority() -> trustme.CA:
    """The authority of the worlds' certificates."""
    return trustme.CA()


@cache
def certificate(*names: str) -> CertificateVersion:
    """A certificate for those names."""
    made = authority().issue_cert(*names)
    chain = made.cert_chain_pems[0].bytes()
    leaf = x509.load_pem_x509_certificate(chain)
    return CertificateVersion(
        vault="kv",
        name="granitefalls",
        version="0123",
        id=SECRET.replace("secrets", "certificates"),
        secret_id=SECRET,
        key_id=SECRET.replace("secrets", "keys"),
        names=names,
        leaf_der=leaf.public_bytes(Encoding.DER),
        chain_pem=chain,
        private_key=load_pem_private_key(made.private_key_pem.bytes(), None),
        exportable=True,
        key_type="EC",
        key_size=256,
        content_type="application/x-pkcs12",
        enabled=True,
        created_at=NOW,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def add(world: World, resource_id: str, properties: Body) -> Resource:
    """Puts a resource into the world."""
    parts = resource_id.split("/providers/")[1].split("/")
    kind = "/".join([parts[0], *parts[1::2]])
    body: Body = {"id": resource_id, "name": parts[-1], "type": kind, "location": "eastus", "properties": properties}
    resource = Resource(resource_id, kind, parts[-1], "eastus", body, NOW, NOW)
    world.resources[resource_id.lower()] = resource
    return resource


def machine(ordinal: int, healthy_at: datetime = NOW) -> Instance:
    """A machine that runs, was given the certificate, and is healthy from `healthy_at` on."""
    start = NOW - timedelta(days=1)
    return Instance(ordinal, f"vm-{ordinal}", None, f"10.0.0.{4 + ordinal}", start, start, healthy_at, (SECRET,))


def world(machines: int = 1, site: Body | None = None) -> World:
    """Both gateways stand; the CNAME points at the classic one; without `site` there is none."""
    made = World(Identity("t1", "c1", "o1", "secret", "header"), b"key")
    add(made, ZONE, {"nameServers": ["ns1-03.azure-dns.com."]})
    add(made, ALIAS, {"TTL": 60, "CNAMERecord": {"cname": "GraniteFalls.CloudApp.Net"}})
    add(made, f"{ZONE}/A/*.lab", {"TTL": 30, "ARecords": [{"ipv4Address": "192.0.2.9"}]})
    add(made, DOMAIN, {"hostName": CLASSIC, "virtualIpAddress": OLD_ADDRESS})
    made.classic_certificates[DOMAIN.lower()] = certificate(SERVICE)
    made.instances[DOMAIN.lower()] = [machine(0, NOW - timedelta(days=1))]
    add(made, ADDRESS, {"ipAddress": NEW_ADDRESS, "dnsSettings": {"fqdn": DEPLOYMENT}})
    add(made, GROUP_RULES, {"securityRules": [_rule("443", 100), _rule("10124-10139", 110)]})
    add(
        made,
        BALANCER,
        {
            "frontendIPConfigurations": [
                {"id": f"{BALANCER}/frontendIPConfigurations/f", "properties": {"publicIPAddress": {"id": ADDRESS}}}
            ],
            "backendAddressPools": [{"id": f"{BALANCER}/backendAddressPools/b", "properties": {}}],
            "probes": [{"id": f"{BALANCER}/probes/p", "properties": {"protocol": "Tcp", "port": 443}}],
            "loadBalancingRules": [
                {
                    "id": f"{BALANCER}/loadBalancingRules/https",
                    "properties": {
                        "frontendIPConfiguration": {"id": f"{BALANCER}/frontendIPConfigurations/f"},
                        "backendAddressPool": {"id": f"{BALANCER}/backendAddressPools/b"},
                        "probe": {"id": f"{BALANCER}/probes/p"},
                        "protocol": "Tcp",
                        "frontendPort": 443,
                        "backendPort": 443,
                    },
                }
            ],
            "inboundNatRules": [
                {
                    "id": f"{BALANCER}/inboundNatRules/channels",
                    "properties": {
                        "frontendPortRangeStart": 10124,
                        "frontendPortRangeEnd": 10139,
                        "backendPort": 443,
                        "backendAddressPool": {"id": f"{BALANCER}/backendAddressPools/b"},
                    },
                }
            ],
        },
    )
    interface = {
        "networkSecurityGroup": {"id": GROUP_RULES},
        "ipConfigurations": [
            {"properties": {"loadBalancerBackendAddressPools": [{"id": f"{BALANCER}/backendAddressPools/b"}]}}
        ],
    }
    add(
        made,
        SCALE_SET,
        {
            "virtualMachineProfile": {
                "networkProfile": {"networkInterfaceConfigurations": [{"properties": interface}]},
            }
        },
    )
    made.certificates[SECRET] = certificate(SERVICE)
    made.instances[SCALE_SET.lower()] = [machine(n) for n in range(machines)]
    if site is not None:
        made.site = site_from_seed(made, site, NOW)
    return made


def granite_falls(**changes: object) -> Body:
    """The site of the migration: one connection point that finds the gateway by DNS."""
    return {
        "code": "GF1",
        "check_interval_s": 1.0,
        "gateways": [{"name": "GraniteFalls", "service_name": "GraniteFalls.Contoso.Com", "resource_id": DOMAIN}],
        "connection_points": [
            {"server": "CP1", "gateway": "GraniteFalls", "service_name": "GraniteFalls.Contoso.Com", "hosts": {}}
        ],
        "clients": {"count": 2, "knows": ["GraniteFalls.Contoso.Com"], "location_interval_s": 5},
        **changes,
    }


def flip(made: World, target: str = DEPLOYMENT) -> None:
    """The CNAME points at another gateway."""
    made.resources[ALIAS.lower()].properties["CNAMERecord"]["cname"] = target


def _rule(ports: str, priority: int) -> Body:
    return {
        "properties": {
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "priority": priority,
            "sourceAddressPrefix": "Internet",
            "destinationPortRange": ports,
        }
    }

"""What a gateway is made of: the bodies of its resources, as Azure Resource Manager's REST API takes them.

Sources: Microsoft.Network and Microsoft.Compute resource references (API 2024-05-01 and 2024-11-01); "Outbound rules
for Azure Load Balancer"; "Application Health extension"; Configuration Manager docs, "Cloud management gateway data
flow" (ports) and "Cost of CMG" (sizes).
"""

from dataclasses import dataclass

from cmg_core.domain.plans import Names, NewResources, PinnedCertificate
from cmg_core.domain.values import Json, JsonObject

OWNER_TAG = "cmg-deployment"
"""Carries the deployment's ID: whatever has another value, or none, belongs to someone else."""

HTTPS = 443
FIRST_CONNECTION_POINT_PORT = 10124
"""A connection point reaches instance n of several at this port plus n ("Cloud management gateway data flow")."""
CONNECTION_POINT_BACKEND_PORT = 10124
"""Where an instance listens for connection points when there are several: not documented (inf)."""

# The network is the gateway's own and never peered: any private range does. A /27 holds 27 machines, a gateway 16.
_NETWORK = "10.124.0.0/24"
_SUBNET_RANGE = "10.124.0.0/27"
_SUBNET = "gateway"
_FRONTEND = "public"
_POOL = "instances"
_PROBE = "https"

# Av2 sizes take generation-1 images only; this one is.
_IMAGE: JsonObject = {
    "publisher": "MicrosoftWindowsServer",
    "offer": "WindowsServer",
    "sku": "2022-datacenter",
    "version": "latest",
}
_LONGEST_COMPUTER_NAME_PREFIX = 9
_ADMINISTRATOR = "cmgadmin"


@dataclass(frozen=True)
class Blueprint:
    """What the bodies of one gateway are made from."""

    deployment_id: str
    region: str
    size: str
    instances: int
    names: Names
    make: NewResources

    @property
    def tags(self) -> JsonObject:
        return {OWNER_TAG: self.deployment_id, "cmg-service-name": self.names.service_name}

    def resource_group(self) -> JsonObject:
        """Microsoft.Resources/resourceGroups."""
        return {"location": self.region, "tags": self.tags}

    def network_security_group(self) -> JsonObject:
        """Microsoft.Network/networkSecurityGroups: 443, and where there are several instances a port for each."""
        rules = [
            _let_in("https", 100, "Internet", str(HTTPS)),
            _let_in("load-balancer-probe", 110, "AzureLoadBalancer", str(HTTPS)),
        ]
        if self.instances > 1:
            last = FIRST_CONNECTION_POINT_PORT + self.instances - 1
            rules.append(_let_in("connection-points", 120, "Internet", f"{FIRST_CONNECTION_POINT_PORT}-{last}"))
        return self._resource({"securityRules": [*rules]})

    def virtual_network(self) -> JsonObject:
        """Microsoft.Network/virtualNetworks."""
        subnet: JsonObject = {
            "name": _SUBNET,
            "properties": {
                "addressPrefix": _SUBNET_RANGE,
                "networkSecurityGroup": {"id": self.make.network_security_group},
            },
        }
        return self._resource({"addressSpace": {"addressPrefixes": [_NETWORK]}, "subnets": [subnet]})

    def public_address(self) -> JsonObject:
        """Microsoft.Network/publicIPAddresses. Without ``domainNameLabelScope``, which would change the name's form."""
        body = self._resource(
            {
                "publicIPAllocationMethod": "Static",
                "publicIPAddressVersion": "IPv4",
                "dnsSettings": {"domainNameLabel": self.names.label},
            }
        )
        return body | {"sku": {"name": "Standard"}} | self._zones()

    def load_balancer(self) -> JsonObject:
        """Microsoft.Network/loadBalancers."""
        frontend, pool = self._balancer_part("frontendIPConfigurations", _FRONTEND), self._pool()
        properties: JsonObject = {
            "frontendIPConfigurations": [
                {"name": _FRONTEND, "properties": {"publicIPAddress": {"id": self.make.public_address}}}
            ],
            "backendAddressPools": [{"name": _POOL, "properties": {}}],
            # TCP, because an HTTPS probe wants a 200 that a gateway does not give to strangers.
            "probes": [
                {
                    "name": _PROBE,
                    "properties": {"protocol": "Tcp", "port": HTTPS, "intervalInSeconds": 5, "numberOfProbes": 2},
                }
            ],
            "loadBalancingRules": [
                {
                    "name": "https",
                    "properties": {
                        "frontendIPConfiguration": frontend,
                        "backendAddressPool": pool,
                        "probe": self._balancer_part("probes", _PROBE),
                        "protocol": "Tcp",
                        "frontendPort": HTTPS,
                        "backendPort": HTTPS,
                        # Asked for where an outbound rule uses the same frontend ("Outbound rules").
                        "disableOutboundSnat": True,
                    },
                }
            ],
            "outboundRules": [
                {
                    "name": "outbound",
                    "properties": {
                        "frontendIPConfigurations": [frontend],
                        "backendAddressPool": pool,
                        "protocol": "All",
                    },
                }
            ],
        }
        if self.instances > 1:
            properties["inboundNatRules"] = [
                {
                    "name": "connection-points",
                    "properties": {
                        "frontendIPConfiguration": frontend,
                        "backendAddressPool": pool,
                        "protocol": "Tcp",
                        "frontendPortRangeStart": FIRST_CONNECTION_POINT_PORT,
                        "frontendPortRangeEnd": FIRST_CONNECTION_POINT_PORT + self.instances - 1,
                        "backendPort": CONNECTION_POINT_BACKEND_PORT,
                    },
                }
            ]
        return self._resource(properties) | {"sku": {"name": "Standard"}}

    def scale_set(
        self, certificate: PinnedCertificate, gateway_software: JsonObject, administrator_password: str = ""
    ) -> JsonObject:
        """Microsoft.Compute/virtualMachineScaleSets. Azure fetches the certificate by its versioned secret ID.

        Without a password for one that stands already: Azure keeps what it has, and takes a password that is sent again
        for a change, which it refuses (``PropertyChangeNotAllowed``).
        """
        address: JsonObject = {
            "name": "gateway",
            "properties": {
                "primary": True,
                "subnet": {"id": f"{self.make.virtual_network}/subnets/{_SUBNET}"},
                "loadBalancerBackendAddressPools": [self._pool()],
            },
        }
        properties: JsonObject = {
            "orchestrationMode": "Uniform",
            # The count must equal the healthy ones, and every instance has a port of its own.
            "overprovision": False,
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {
                "osProfile": {
                    "computerNamePrefix": self.names.label[:_LONGEST_COMPUTER_NAME_PREFIX],
                    "adminUsername": _ADMINISTRATOR,
                    **({"adminPassword": administrator_password} if administrator_password else {}),
                    "secrets": [
                        {
                            "sourceVault": {"id": certificate.vault_id},
                            "vaultCertificates": [{"certificateUrl": certificate.secret_id, "certificateStore": "My"}],
                        }
                    ],
                },
                "storageProfile": {
                    "imageReference": _IMAGE,
                    # Av2 sizes take no premium disks.
                    "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "StandardSSD_LRS"}},
                },
                "networkProfile": {
                    "networkInterfaceConfigurations": [
                        {"name": "gateway", "properties": {"primary": True, "ipConfigurations": [address]}}
                    ]
                },
                "extensionProfile": {"extensions": [gateway_software, _application_health()]},
            },
        }
        return (
            self._resource(properties)
            | {"sku": {"name": self.size, "tier": "Standard", "capacity": self.instances}}
            | {"identity": {"type": "SystemAssigned"}}
            | self._zones()
        )

    def _resource(self, properties: JsonObject) -> JsonObject:
        return {"location": self.region, "tags": self.tags, "properties": properties}

    def _zones(self) -> JsonObject:
        return {"zones": [*self.make.zones]} if self.make.zones else {}

    def _pool(self) -> JsonObject:
        return self._balancer_part("backendAddressPools", _POOL)

    def _balancer_part(self, kind: str, name: str) -> JsonObject:
        return {"id": f"{self.make.load_balancer}/{kind}/{name}"}


def _let_in(name: str, priority: int, source: str, ports: str) -> JsonObject:
    return {
        "name": name,
        "properties": {
            "priority": priority,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourceAddressPrefix": source,
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": ports,
        },
    }


def _application_health() -> JsonObject:
    """The extension that reports an instance healthy while it accepts connections on 443."""
    return {
        "name": "application-health",
        "properties": {
            "publisher": "Microsoft.ManagedServices",
            "type": "ApplicationHealthWindows",
            "typeHandlerVersion": "1.0",
            "autoUpgradeMinorVersion": True,
            "settings": {"protocol": "tcp", "port": HTTPS},
        },
    }


def holds(found: Json, wanted: Json) -> bool:
    """Whether a resource as Azure shows it has everything that a body sets; what else it has does not matter.

    Azure adds defaults and IDs, and changes the case of names and the spaces in regions.
    """
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(holds(each, item) for each in found) for item in wanted)
    if isinstance(wanted, str) and isinstance(found, str):
        return _plain(found) == _plain(wanted)
    return found == wanted


def _plain(text: str) -> str:
    return text.replace(" ", "").lower()

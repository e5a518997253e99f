"""A world, a clock and Azure's own SDK clients on it, for the simulator's tests."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.keyvault.certificates.aio import CertificateClient
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.dns.aio import DnsManagementClient
from azure.mgmt.network.aio import NetworkManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient

from local.azure.identity import issue_token
from local.azure.messages import Request, Response
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.inprocess.transport import SimulatorCredential, SimulatorTransport

SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-old"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-cmg"
SERVICE = f"{GROUP}/providers/Microsoft.ClassicCompute/domainNames/GraniteFalls"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/granitefalls"
ZONE = f"{GROUP}/providers/Microsoft.Network/dnsZones/contoso.com"

SEED: dict[str, Any] = {
    "certificates": {"granitefalls": {"dns_names": ["GraniteFalls.Contoso.Com"]}},
    "key_vaults": [{"id": VAULT, "certificates": [{"name": "granitefalls", "certificate": "granitefalls"}]}],
    "classic_cloud_services": [{"id": SERVICE, "certificate": "granitefalls", "instances": 2}],
    "resources": [{"id": STORAGE, "location": "eastus"}],
    "dns_zones": [
        {
            "id": ZONE,
            "record_sets": [
                {"name": "GraniteFalls", "type": "CNAME", "ttl": 60, "value": "granitefalls.cloudapp.net"},
                {"name": "www", "type": "A", "value": "20.1.2.3"},
            ],
        }
    ],
}


class Azure:
    """A simulator with a clock that the test moves; `call` sends one request with the app's token."""

    def __init__(self, seed: Mapping[str, Any] | None = None, time_scale: float = 1.0) -> None:
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
        self.simulator = Simulator(build_world({**SEED, **(seed or {})}, time_scale=time_scale, now=self.now))
        self.world = self.simulator.world

    def pass_time(self, seconds: float) -> None:
        """Moves the clock."""
        self.now += timedelta(seconds=seconds)

    def call(
        self,
        method: str,
        path: str,
        version: str | None,
        body: object = None,
        *,
        host: str = "management.azure.com",
        audience: str = "https://management.azure.com",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """The answer to one request."""
        token = issue_token(self.world, audience, self.now)
        asked = {**({"api-version": version} if version else {}), **(query or {})}
        return self.simulator.handle(
            Request(
                method,
                host,
                path,
                asked,
                {"authorization": f"Bearer {token}", **(headers or {})},
                b"" if body is None else json.dumps(body).encode(),
            ),
            self.now,
        )

    def network(self, method: str, name: str, body: object = None) -> Response:
        """A call on a network resource of the group, such as `loadBalancers/lb`."""
        return self.call(method, f"{NETWORK}/{name}", "2024-05-01", body)

    def settle(self) -> None:
        """Lets every running operation end."""
        self.pass_time(1000)

    def error(self, response: Response) -> tuple[int, str]:
        """Status and code of a refusal."""
        return response.status, response.json()["error"]["code"]

    @property
    def _wiring(self) -> dict[str, Any]:
        return {"transport": SimulatorTransport(self.simulator, lambda: self.now), "retry_total": 0}

    @property
    def credential(self) -> SimulatorCredential:
        """The app's identity."""
        return SimulatorCredential(self.simulator, lambda: self.now)

    def networks(self) -> NetworkManagementClient:
        """Azure's network client."""
        return NetworkManagementClient(self.credential, SUBSCRIPTION, api_version="2024-05-01", **self._wiring)

    def compute(self) -> ComputeManagementClient:
        """Azure's compute client."""
        return ComputeManagementClient(self.credential, SUBSCRIPTION, api_version="2024-11-01", **self._wiring)

    def dns(self) -> DnsManagementClient:
        """Azure's DNS client."""
        return DnsManagementClient(self.credential, SUBSCRIPTION, api_version="2018-05-01", **self._wiring)

    def resources(self) -> ResourceManagementClient:
        """Azure's resource client."""
        return ResourceManagementClient(self.credential, SUBSCRIPTION, api_version="2022-09-01", **self._wiring)

    def certificates(self, vault: str = "kv-cmg") -> CertificateClient:
        """Azure's certificate client, with its challenge check on."""
        return CertificateClient(f"https://{vault}.vault.azure.net", self.credential, **self._wiring)

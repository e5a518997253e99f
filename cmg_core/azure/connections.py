"""All of Azure for one process: the shared transport, a credential for each sign-in, clients for each subscription."""

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from cmg_core.azure.clients import Clients
from cmg_core.azure.cloud import Cloud
from cmg_core.azure.credentials import CustomerApp, Nobody, OfOneTenant, managed_identity
from cmg_core.azure.resource_manager import AzureResourceManager
from cmg_core.azure.transport import make_transport
from cmg_core.azure.vaults import KeyVaults
from cmg_core.backpressure import Backpressure
from cmg_core.domain.record import LONGEST_CALL
from cmg_core.domain.tenants import ONE_TENANT, Identities, SignIn, Tenant, Who
from cmg_core.outbound.sessions import Transport
from cmg_core.services import Clock
from cmg_core.telemetry.outward import watched
from cmg_core.telemetry.port import UNTOLD, Telemetry

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

KEPT_SUBSCRIPTIONS = 256
"""The clients of one subscription take about 170 KB; a service provider may have thousands of subscriptions."""


class Connections:
    """Makes each part when it is first needed, and closes all of them at the end.

    ``transport`` and ``credential`` stand in for the real ones where all of Azure lies in the same process;
    ``credential`` makes the credential of a sign-in. ``identities`` decide who signs in: tenant and access alone choose
    a credential, and none ever stands in for another. ``call`` is one call's time-out. ``backpressure`` is what this
    process knows of throttled subscriptions. ``telemetry`` is told of every request.
    """

    def __init__(
        self,
        cloud: Cloud,
        clock: Clock,
        *,
        client_id: str = "",
        identities: Identities = ONE_TENANT,
        call: timedelta = LONGEST_CALL,
        backpressure: Backpressure | None = None,
        telemetry: Telemetry = UNTOLD,
        transport: Callable[[], Transport] = make_transport,
        credential: "Callable[[SignIn], AsyncTokenCredential] | None" = None,
    ) -> None:
        self._cloud, self._clock, self._client_id, self._call = cloud, clock, client_id, call
        self._identities = identities
        self._backpressure = backpressure
        self._telemetry = telemetry
        self._make_transport, self._make_credential = transport, credential
        self._credentials: dict[SignIn, AsyncTokenCredential] = {}
        self._resource_managers: dict[tuple[Tenant, str], AzureResourceManager] = {}

    def resource_manager(self, tenant: Tenant, subscription_id: str) -> AzureResourceManager:
        """The resource manager of one subscription, with the credential for its tenant."""
        key, sign_in = (tenant, subscription_id), self._identities.manages(tenant)
        manager = self._resource_managers.pop(key, None)
        if manager is None:
            clients = Clients(self._cloud, subscription_id, lambda: self._credential(sign_in), lambda: self._transport)
            manager = AzureResourceManager(clients, self._cloud, self._clock, self._call, self._backpressure)
        self._resource_managers[key] = manager
        if len(self._resource_managers) > KEPT_SUBSCRIPTIONS:
            del self._resource_managers[next(iter(self._resource_managers))]
        return manager

    @cached_property
    def vaults(self) -> KeyVaults:
        """Key Vault, each vault with a credential of the tenant that it lies in."""
        return KeyVaults(
            self._cloud,
            self._clock,
            lambda tenant: self._credential(self._identities.reads_vaults(tenant)),
            lambda: self._transport,
        )

    async def aclose(self) -> None:
        """Close credentials and transport. The connections cannot be used afterwards."""
        for credential in self._credentials.values():
            await credential.close()
        if "_transport" in self.__dict__:
            await self._transport.close()

    @cached_property
    def _transport(self) -> Transport:
        return watched(self._make_transport(), self._telemetry, self._service)

    def _service(self, host: str) -> str:
        """What a host is to those who look at telemetry."""
        if self._cloud.manages(f"https://{host}"):
            return "resource-manager"
        return "key-vault" if host.endswith(self._cloud.vault_suffix) else "sign-in"

    def _credential(self, sign_in: SignIn | None) -> "AsyncTokenCredential":
        if sign_in is None:
            return Nobody()
        if sign_in not in self._credentials:
            made = self._make_credential(sign_in) if self._make_credential else self._real(sign_in)
            self._credentials[sign_in] = OfOneTenant(made, sign_in.tenant_id) if sign_in.tenant_id else made
        return self._credentials[sign_in]

    def _real(self, sign_in: SignIn) -> "AsyncTokenCredential":
        if sign_in.who is Who.MANAGED_IDENTITY:
            return managed_identity(self._client_id, self._transport)
        identity = self._credential(SignIn(Who.MANAGED_IDENTITY, self._identities.home))
        return CustomerApp(sign_in.tenant_id, self._identities.customer_app, identity, self._cloud, self._transport)

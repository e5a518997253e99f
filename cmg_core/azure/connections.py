"""All of Azure for one process: the shared transport, a credential for each tenant, clients for each subscription."""

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from cmg_core.azure.clients import Clients
from cmg_core.azure.cloud import Cloud
from cmg_core.azure.credentials import managed_identity
from cmg_core.azure.resource_manager import AzureResourceManager
from cmg_core.azure.transport import Transport, make_transport
from cmg_core.azure.vaults import KeyVaults
from cmg_core.backpressure import Backpressure
from cmg_core.domain.record import LONGEST_CALL
from cmg_core.services import Clock

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

HOME = ""
"""Stands for the app's own tenant where nobody names one."""

KEPT_SUBSCRIPTIONS = 256
"""The clients of one subscription take about 170 KB; a service provider may have thousands of subscriptions."""


class Connections:
    """Makes each part when it is first needed, and closes all of them at the end.

    ``transport`` and ``credential`` stand in for the real ones where all of Azure lies in the same process;
    ``credential`` makes the credential of a tenant. ``call`` is one call's time-out. ``backpressure`` is what this
    process knows of throttled subscriptions.
    """

    def __init__(
        self,
        cloud: Cloud,
        clock: Clock,
        *,
        client_id: str = "",
        call: timedelta = LONGEST_CALL,
        backpressure: Backpressure | None = None,
        transport: Callable[[], Transport] = make_transport,
        credential: "Callable[[str], AsyncTokenCredential] | None" = None,
    ) -> None:
        self._cloud, self._clock, self._client_id, self._call = cloud, clock, client_id, call
        self._backpressure = backpressure
        self._make_transport, self._make_credential = transport, credential
        self._credentials: dict[str, AsyncTokenCredential] = {}
        self._resource_managers: dict[tuple[str, str], AzureResourceManager] = {}

    def resource_manager(self, tenant_id: str, subscription_id: str) -> AzureResourceManager:
        """The resource manager of one subscription, with its own tenant's credential."""
        key = (tenant_id, subscription_id)
        manager = self._resource_managers.pop(key, None)
        if manager is None:
            clients = Clients(
                self._cloud, subscription_id, lambda: self._credential(tenant_id), lambda: self._transport
            )
            manager = AzureResourceManager(clients, self._cloud, self._clock, self._call, self._backpressure)
        self._resource_managers[key] = manager
        if len(self._resource_managers) > KEPT_SUBSCRIPTIONS:
            del self._resource_managers[next(iter(self._resource_managers))]
        return manager

    @cached_property
    def vaults(self) -> KeyVaults:
        """Key Vault, with the credential of the app's own tenant."""
        return KeyVaults(self._cloud, self._clock, lambda: self._credential(HOME), lambda: self._transport)

    async def aclose(self) -> None:
        """Close credentials and transport. The connections cannot be used afterwards."""
        for credential in self._credentials.values():
            await credential.close()
        if "_transport" in self.__dict__:
            await self._transport.close()

    @cached_property
    def _transport(self) -> Transport:
        return self._make_transport()

    def _credential(self, tenant_id: str) -> "AsyncTokenCredential":
        if tenant_id not in self._credentials:
            make = self._make_credential
            self._credentials[tenant_id] = (
                make(tenant_id) if make else managed_identity(self._client_id, self._transport)
            )
        return self._credentials[tenant_id]

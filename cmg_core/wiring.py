"""The one place that puts real parts behind the ports."""

import logging
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from cmg_core.azure.cloud import CLOUDS
from cmg_core.azure.connections import Connections
from cmg_core.azure.credentials import managed_identity
from cmg_core.azure.dialer import TlsDialer
from cmg_core.azure.public_dns import AskedDns
from cmg_core.azure.signing_keys import SigningKeys, fetch_document
from cmg_core.azure.tokens import EntraTokens
from cmg_core.backpressure import Backpressure
from cmg_core.domain.record import longest_call
from cmg_core.domain.tenants import Tenant
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.queues import StorageQueues
from cmg_core.ledger.seals import Seals
from cmg_core.ledger.subscriptions import TableSubscriptions
from cmg_core.ledger.table import TableLedger
from cmg_core.notify.ports import Callbacks
from cmg_core.notify.post import HttpsPoster
from cmg_core.services import Clock, GatewayDialer, Ledger, Limits, PublicDns, Queues, ResourceManager, Tokens, Vaults
from cmg_core.settings import Settings, TelemetrySettings, settings
from cmg_core.telemetry.outward import TracedDialer, TracedDns, TracedPoster
from cmg_core.telemetry.port import UNTOLD, Telemetry

if TYPE_CHECKING:
    from cmg_core.telemetry.start import Running

log = logging.getLogger("cmg.wiring")


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class RealServices:
    """The ports over Azure, storage and the network. Making them opens nothing: each connects when it is first used."""

    def __init__(self, settings: Settings) -> None:
        self._running = _telemetry(settings.telemetry)
        self.telemetry: Telemetry = self._running.telemetry if self._running else UNTOLD
        self._storage_credential = managed_identity(settings.storage_client_id) if settings.queue_service else None
        storage = StorageConnection(
            connection_string=settings.storage.get_secret_value(),
            table_service=settings.table_service,
            queue_service=settings.queue_service,
            credential=self._storage_credential,
            telemetry=self.telemetry,
        )
        self._table_ledger = TableLedger(storage)
        self._storage_queues = StorageQueues(storage, Seals(settings.message_keys.get_secret_value()))
        self.clock: Clock = SystemClock()
        self.limits: Limits = settings.limits
        self._connections = Connections(
            CLOUDS[settings.cloud],
            self.clock,
            client_id=settings.client_id,
            identities=self.limits.identities,
            call=longest_call(self.limits.claim),
            backpressure=Backpressure(self._table_ledger, self.clock),
            telemetry=self.telemetry,
        )
        self.ledger: Ledger = self._table_ledger
        self.queues: Queues = self._storage_queues
        self.vaults: Vaults = self._connections.vaults
        self.dns: PublicDns = TracedDns(AskedDns(settings.dns_servers), self.telemetry)
        self.dialer: GatewayDialer = TracedDialer(
            TlsDialer(self.dns, settings.probe_path, settings.proxy.get_secret_value(), settings.no_proxy),
            self.telemetry,
        )
        authority = CLOUDS[settings.cloud].authority
        self.tokens: Tokens = EntraTokens(
            authority,
            settings.auth_audiences,
            self.limits.callers.tenants,
            self.clock,
            SigningKeys(authority, self.clock, fetch_document),
        )
        self._table_subscriptions = TableSubscriptions(storage)
        self.callbacks: Callbacks = Callbacks(
            self._table_subscriptions,
            TracedPoster(HttpsPoster(self.clock, settings.proxy.get_secret_value(), settings.no_proxy), self.telemetry),
            settings.callback_keys.get_secret_value() if settings.callback_keys else None,
            settings.callback_hosts,
        )

    def azure(self, tenant: Tenant, subscription_id: str) -> ResourceManager:
        """The resource manager of one subscription, with the credential for that tenant and no other."""
        return self._connections.resource_manager(tenant, subscription_id)

    async def aclose(self) -> None:
        """Close every connection; the services cannot be used afterwards."""
        await self._storage_queues.close()
        await self._table_ledger.close()
        await self._table_subscriptions.close()
        if self._storage_credential:
            await self._storage_credential.close()
        await self._connections.aclose()
        if self._running:
            self._running.close()


def _telemetry(wanted: TelemetrySettings) -> "Running | None":
    """Telemetry where it is set up. Without it the app works all the same: what is wrong with it is logged."""
    if not wanted:
        return None
    from cmg_core.telemetry.start import start

    try:
        return start(wanted)
    except ValueError as error:
        log.error("telemetry is not exported, its settings are not understood: %s", type(error).__name__)
        return None


@cache
def services() -> RealServices:
    """The services of this process. Raises SettingsError, with every setting that cannot be obeyed."""
    logging.getLogger("azure").setLevel(logging.WARNING)  # below that, Azure's clients log requests and their headers
    return RealServices(settings())

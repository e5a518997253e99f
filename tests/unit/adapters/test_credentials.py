"""The app signs in to a customer's tenant with the managed identity's word: Azure's own client, the simulated Entra."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.keyvault.certificates._shared import http_challenge_cache

from cmg_core.azure.cloud import CLOUDS, CloudName
from cmg_core.azure.connections import Connections
from cmg_core.azure.credentials import CustomerApp
from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.tenants import FOREIGN_VAULT, NO_IDENTITY, Access, Identities, SignIn, Tenant, Who
from cmg_core.domain.values import text_at
from local.azure.seed import build_world
from local.azure.simulator import Simulator
from local.azure.world import LoggedRequest
from local.inprocess.transport import SimulatorCredential, SimulatorTransport

HOME, CUSTOMER, OTHER = (f"{n}0000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
APP, APP_THERE = "55555555-5555-4555-8555-555555555555", "0b1ec7ad-0000-4000-8000-00000000fab0"
SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
VAULT = "https://kv-tenants.vault.azure.net"
VAULT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-tenants"


class Azure:
    """A provider at home, and one customer. Sign-ins as the app are real; the managed identity's are made."""

    def __init__(self, app: dict[str, Any], managed_by: tuple[str, ...] = (), identities: Identities | None = None):
        http_challenge_cache.clear()
        self.started = datetime.now(UTC)  # Azure's client compares expiry with the machine's clock
        world = {
            "tenants": [HOME, CUSTOMER],
            "identity": {"tenant": HOME, "customer_app": app},
            "subscriptions": [{"id": SUBSCRIPTION, "tenant": CUSTOMER, "managed_by": managed_by}],
            "certificates": {"cmg": {"dns_names": ["cmg.contoso.com"]}},
            "key_vaults": [{"id": VAULT_ID, "certificates": [{"name": "cmg", "certificate": "cmg"}]}],
        }
        self.simulator = Simulator(build_world(world, time_scale=1, now=self.started))
        self.transport = SimulatorTransport(self.simulator, self.now)
        self.made: list[SignIn] = []
        self.who = identities or Identities(HOME, APP)
        self.connections = Connections(
            CLOUDS[CloudName.PUBLIC], self, identities=self.who, transport=lambda: self.transport, credential=self.make
        )

    def now(self) -> datetime:
        return self.started

    def make(self, sign_in: SignIn) -> Any:
        self.made.append(sign_in)
        identity = SimulatorCredential(self.simulator, self.now)
        if sign_in.who is Who.MANAGED_IDENTITY:
            return identity
        return CustomerApp(sign_in.tenant_id, self.who.customer_app, identity, CLOUDS[CloudName.PUBLIC], self.transport)

    def asked(self, host: str) -> list[LoggedRequest]:
        return [entry for entry in self.simulator.world.log if entry.request.host.endswith(host)]

    def owners(self, host: str) -> set[str]:
        """Whose tokens were sent to a host."""
        return {entry.request.headers.get("authorization", "") for entry in self.asked(host)}


def play(azure: Azure, scene: Callable[[Connections], Awaitable[None]]) -> None:
    async def whole() -> None:
        try:
            await scene(azure.connections)
        finally:
            await azure.connections.aclose()

    asyncio.run(whole())


CONSENTED: dict[str, Any] = {"consented_tenants": {CUSTOMER: APP_THERE}}
BY_APP, DELEGATED = Tenant(CUSTOMER), Tenant(CUSTOMER, Access.DELEGATED)


def test_the_app_comes_into_the_customers_tenant_as_its_principal_there() -> None:
    azure = Azure(CONSENTED)

    async def scene(connections: Connections) -> None:
        manager = connections.resource_manager(BY_APP, SUBSCRIPTION)
        assert text_at(await manager.subscription(), "tenantId") == CUSTOMER
        await manager.providers()
        assert await connections.vaults.certificate(BY_APP, VAULT, "cmg") is not None

    play(azure, scene)
    mine = f"*** tid={CUSTOMER};oid={APP_THERE}"
    assert azure.owners("management.azure.com") == {mine}
    assert azure.owners("vault.azure.net") == {"", mine}
    assert len(azure.asked("login.microsoftonline.com")) == 2, "one sign-in for each audience"
    assert azure.made == [SignIn(Who.CUSTOMER_APP, CUSTOMER)], "one credential, kept"


def test_a_delegated_subscription_is_managed_from_home_and_its_vault_is_read_from_there() -> None:
    azure = Azure(CONSENTED, managed_by=(HOME,))

    async def scene(connections: Connections) -> None:
        await connections.resource_manager(DELEGATED, SUBSCRIPTION).subscription()
        assert await connections.vaults.certificate(DELEGATED, VAULT, "cmg") is not None

    play(azure, scene)
    assert azure.owners("management.azure.com") == {f"*** tid={HOME};oid={azure.simulator.world.identity.object_id}"}
    assert azure.owners("vault.azure.net") == {"", f"*** tid={CUSTOMER};oid={APP_THERE}"}


@pytest.mark.parametrize(
    ("app", "number"),
    [
        ({"consented_tenants": {}}, "AADSTS700016"),
        ({**CONSENTED, "trusts": "99999999-9999-4999-8999-999999999999"}, "AADSTS700213"),
    ],
)
def test_entras_own_words_come_back_without_a_token(app: dict[str, Any], number: str) -> None:
    azure = Azure(app)

    async def scene(connections: Connections) -> None:
        with pytest.raises(AzureRefused, match=number) as refused:
            await connections.resource_manager(BY_APP, SUBSCRIPTION).subscription()
        assert "eyJ" not in f"{refused.value!r} {refused.value.__context__!r} {refused.value.__cause__!r}"

    play(azure, scene)
    assert azure.asked("management.azure.com") == []


def test_nothing_is_sent_where_nobody_may_come_in() -> None:
    azure = Azure(CONSENTED, identities=Identities(HOME))

    async def scene(connections: Connections) -> None:
        for tenant in (BY_APP, Tenant(CUSTOMER, Access.OWN)):
            with pytest.raises(AzureRefused) as refused:
                await connections.resource_manager(tenant, SUBSCRIPTION).subscription()
            assert refused.value.code == NO_IDENTITY
        with pytest.raises(AzureRefused) as unread:
            await connections.vaults.certificate(DELEGATED, VAULT, "cmg")
        assert unread.value.code == NO_IDENTITY

    play(azure, scene)
    assert azure.made == []
    assert azure.owners("azure.com") | azure.owners("azure.net") == {""}, "a vault is asked who it is, without a token"


def test_a_vault_of_another_tenant_gets_no_token() -> None:
    azure = Azure({"consented_tenants": {CUSTOMER: APP_THERE, OTHER: APP_THERE}})

    async def scene(connections: Connections) -> None:
        for tenant in (Tenant(HOME), Tenant(OTHER)):
            with pytest.raises(AzureRefused) as refused:
                await connections.vaults.certificate(tenant, VAULT, "cmg")
            assert refused.value.code == FOREIGN_VAULT
            assert CUSTOMER in refused.value.message

    play(azure, scene)
    assert azure.owners("vault.azure.net") == {""}


def test_the_managed_identity_is_asked_when_the_app_signs_in_and_not_before() -> None:
    azure, asked = Azure(CONSENTED), list[str]()

    class Counting(SimulatorCredential):
        async def get_token(self, *scopes: str, **options: Any) -> Any:
            asked.append(scopes[0])
            return await super().get_token(*scopes, **options)

    async def whole() -> None:
        identity = Counting(azure.simulator, azure.now)
        app = CustomerApp(CUSTOMER, APP, identity, CLOUDS[CloudName.PUBLIC], azure.transport)
        assert asked == []
        await app.get_token("https://management.azure.com/.default")
        assert asked == ["api://AzureADTokenExchange/.default"]
        await app.close()

    asyncio.run(whole())

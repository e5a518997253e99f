"""The simulated Entra and what stands behind it: whose tokens are issued, and where they are good."""

from typing import Any
from urllib.parse import urlencode

import pytest

from local.azure.identity import (
    CLIENT_TOKEN_SECONDS,
    Principal,
    customer_app,
    issue_token,
    managed_identity,
    read_token,
)
from local.azure.messages import Request, Response
from tests.unit.azure.worlds import SUBSCRIPTION, Azure

HOME, CUSTOMER, OTHER = (f"{n}0000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
APP, APP_THERE = "55555555-5555-4555-8555-555555555555", "0b1ec7ad-0000-4000-8000-00000000fab0"
MANAGEMENT, EXCHANGE = "https://management.azure.com", "api://AzureADTokenExchange"
SUBSCRIPTION_PATH = f"/subscriptions/{SUBSCRIPTION}"


def provider(**subscription: Any) -> Azure:
    """A provider at home; the subscription, with all that is in it, lies in the customer's tenant."""
    return Azure(
        {
            "tenants": [HOME, CUSTOMER, OTHER],
            "identity": {"tenant": HOME, "customer_app": {"consented_tenants": {CUSTOMER: APP_THERE}}},
            "subscriptions": [{"id": SUBSCRIPTION, "tenant": CUSTOMER, **subscription}],
        }
    )


def sign_in(azure: Azure, tenant: str, **form: str) -> Response:
    given = {"grant_type": "client_credentials", "client_id": APP, "scope": f"{MANAGEMENT}/.default", **form}
    path = f"/{tenant}/oauth2/v2.0/token"
    asked = Request("POST", "login.microsoftonline.com", path, {}, {}, urlencode(given).encode())
    return azure.simulator.handle(asked, azure.now)


def by_assertion(azure: Azure, tenant: str, assertion: str) -> Response:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return sign_in(azure, tenant, client_assertion_type=kind, client_assertion=assertion)


def word_of(azure: Azure, audience: str = EXCHANGE, **changes: str) -> str:
    """The managed identity's token in place of a secret."""
    me = managed_identity(azure.world)
    who = Principal(me.client_id, changes.get("object_id", me.object_id), changes.get("tenant", me.tenant))
    return issue_token(azure.world, audience, azure.now, principal=who)


def get(azure: Azure, path: str, principal: Principal | None, host: str = "management.azure.com") -> Response:
    audience = MANAGEMENT if host == "management.azure.com" else "https://vault.azure.net"
    token = issue_token(azure.world, audience, azure.now, principal=principal)
    version = "2022-09-01" if host == "management.azure.com" else "7.4"
    asked = Request("GET", host, path, {"api-version": version}, {"authorization": f"Bearer {token}"})
    return azure.simulator.handle(asked, azure.now)


def test_the_app_has_another_object_id_in_each_tenant() -> None:
    azure = provider()
    answer = by_assertion(azure, CUSTOMER, word_of(azure))
    claims = read_token(azure.world, answer.json()["access_token"])
    assert claims is not None
    assert (claims["tid"], claims["oid"], claims["appid"]) == (CUSTOMER, APP_THERE, APP)


@pytest.mark.parametrize("tenant", [HOME, OTHER])
def test_no_token_where_nobody_consented(tenant: str) -> None:
    azure = provider()
    refused = by_assertion(azure, tenant, word_of(azure))
    assert refused.status == 400
    assert f"AADSTS700016: Application with identifier '{APP}' was not found" in refused.json()["error_description"]


def test_the_managed_identity_is_nobody_in_a_customers_tenant() -> None:
    azure = provider()
    me = azure.world.identity
    assert sign_in(azure, CUSTOMER, client_id=me.client_id, client_secret=me.secret).json()["error_codes"] == [700016]
    assert sign_in(azure, HOME, client_id=me.client_id, client_secret=me.secret).status == 200


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ({"object_id": "99999999-9999-4999-8999-999999999999"}, 700213),
        ({"tenant": CUSTOMER}, 700211),
        ({"audience": MANAGEMENT}, 700212),
        ({"audience": "api://AzureADTokenExchangeUSGov"}, 700212),
    ],
)
def test_another_identitys_word_is_not_taken(word: dict[str, str], number: int) -> None:
    azure = provider()
    refused = by_assertion(azure, CUSTOMER, word_of(azure, **word))
    assert (refused.status, refused.json()["error_codes"]) == (401, [number])


def test_a_forged_or_stale_word_is_not_taken_and_neither_is_a_secret() -> None:
    azure = provider()
    assert by_assertion(azure, CUSTOMER, word_of(azure) + "x").json()["error_codes"] == [50027]
    assert sign_in(azure, CUSTOMER, client_secret=azure.world.identity.secret).json()["error_codes"] == [7000218]
    stale = word_of(azure)
    azure.pass_time(CLIENT_TOKEN_SECONDS + 1)
    assert by_assertion(azure, CUSTOMER, stale).json()["error_codes"] == [700024]


def test_resource_manager_takes_the_homes_token_only_where_it_is_delegated() -> None:
    alone, delegated = provider(), provider(managed_by=[HOME])
    refused = get(alone, SUBSCRIPTION_PATH, managed_identity(alone.world))
    assert alone.error(refused) == (401, "InvalidAuthenticationTokenTenant")
    shown = get(delegated, SUBSCRIPTION_PATH, managed_identity(delegated.world)).json()
    assert shown["managedByTenants"] == [{"tenantId": HOME}]
    assert get(alone, SUBSCRIPTION_PATH, customer_app(alone.world, CUSTOMER)).status == 200


def test_a_vault_is_read_by_the_app_of_its_own_tenant_delegated_or_not() -> None:
    azure, host = provider(managed_by=[HOME]), "kv-cmg.vault.azure.net"
    refused = get(azure, "/certificates/granitefalls", managed_identity(azure.world), host)
    assert (refused.status, "AKV10032" in refused.json()["error"]["message"]) == (401, True)
    assert get(azure, "/certificates/granitefalls", customer_app(azure.world, CUSTOMER), host).status == 200
    stranger = Principal(APP, "99999999-9999-4999-8999-999999999999", CUSTOMER)
    forbidden = get(azure, "/certificates/granitefalls", stranger, host)
    assert forbidden.status == 403
    assert stranger.object_id in forbidden.json()["error"]["message"]


def test_the_log_tells_whose_token_it_was_and_nothing_of_it() -> None:
    azure = provider()
    get(azure, SUBSCRIPTION_PATH, customer_app(azure.world, CUSTOMER))
    shown = azure.world.log[-1].request.headers["authorization"]
    assert shown == f"*** tid={CUSTOMER};oid={APP_THERE}"


@pytest.mark.parametrize(
    ("state", "get_status", "put", "delete"),
    [("Enabled", 200, 201, 200), ("PastDue", 200, 201, 200), ("Warned", 200, 409, 200), ("Disabled", 200, 409, 200)],
)
def test_a_read_only_subscription_still_lets_go(state: str, get_status: int, put: int, delete: int) -> None:
    azure = Azure({"subscriptions": [{"state": state}]})
    group = f"{SUBSCRIPTION_PATH}/resourceGroups"
    assert azure.call("GET", f"{group}/rg-old", "2022-09-01").status == get_status
    assert azure.call("PUT", f"{group}/rg-new", "2022-09-01", {"location": "eastus"}).status == put
    assert azure.call("DELETE", f"{group}/rg-old", "2022-09-01").status in (delete, 202)


def test_a_deleted_subscription_shows_itself_and_nothing_in_it() -> None:
    azure = Azure({"subscriptions": [{"state": "Deleted", "quota_id": "CSP_2015-05-01"}]})
    shown = azure.call("GET", SUBSCRIPTION_PATH, "2022-09-01").json()
    assert (shown["state"], shown["subscriptionPolicies"]["quotaId"]) == ("Deleted", "CSP_2015-05-01")
    inside = azure.call("GET", f"{SUBSCRIPTION_PATH}/resourceGroups/rg-old", "2022-09-01")
    assert azure.error(inside) == (404, "SubscriptionNotFound")


@pytest.mark.parametrize(
    ("state", "seconds", "becomes"), [("Registering", 91, "Registered"), ("Unregistering", 13, "Unregistered")]
)
def test_a_registration_in_the_midst_of_a_change_ends_in_its_usual_time(state: str, seconds: int, becomes: str) -> None:
    azure = Azure({"subscriptions": [{"providers": {"Microsoft.Storage": state}}]})

    def now() -> str:
        path = f"{SUBSCRIPTION_PATH}/providers/Microsoft.Storage"
        return str(azure.call("GET", path, "2022-09-01").json()["registrationState"])

    assert now() == state
    azure.pass_time(seconds)
    assert now() == becomes

"""Tokens of the simulated directory for the product's own API, verified by the product with the keys shown there."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest

from cmg_core.azure.signing_keys import SigningKeys
from cmg_core.azure.tokens import EntraTokens
from cmg_core.domain.errors import NotSignedIn
from cmg_core.domain.roles import Claims
from local.azure.callers import secret_of
from local.azure.messages import Request, Response
from local.azure.request_log import masked_request, masked_response
from local.inprocess.outside import SimulatedDocuments
from tests.fakes import FakeClock
from tests.unit.azure.worlds import Azure

HOME, CUSTOMER = (f"{n}0000000-0000-4000-8000-00000000000{n}" for n in (1, 2))
TICKETS, CHANGES, THERE = (f"{n}0000000-7777-4000-8000-00000000000{n}" for n in (3, 4, 5))
HOST, URI = "login.microsoftonline.com", "api://cmg"


def directory(version: int = 1) -> Azure:
    def caller(client_id: str, *roles: str, **more: str) -> dict[str, Any]:
        return {"client_id": client_id, "object_id": client_id.replace("7777", "8888"), "roles": roles, **more}

    callers = [caller(TICKETS, "Cmg.Requester"), caller(CHANGES), caller(THERE, "Cmg.Reader", tenant=CUSTOMER)]
    api = {"version": version, "callers": callers}
    return Azure({"tenants": [HOME, CUSTOMER], "identity": {"tenant": HOME, "api": api}})


def verified(azure: Azure, token: str) -> Claims:
    """What the product takes a token for."""
    clock, api = FakeClock(azure.now), azure.world.identity.api
    keys = SigningKeys(HOST, clock, SimulatedDocuments(azure.simulator, clock).fetch)
    return asyncio.run(EntraTokens(HOST, (api.uri, api.client_id), {HOME, CUSTOMER}, clock, keys).claims(token))


def by_identity(azure: Azure, client_id: str, resource: str = URI) -> Response:
    query = {"resource": resource, "client_id": client_id, "api-version": "2019-08-01"}
    headers = {"x-identity-header": azure.world.identity.header}
    return azure.simulator.handle(Request("GET", "identity", "/msi/token", query, headers), azure.now)


def by_secret(azure: Azure, client_id: str, tenant: str = HOME, **form: str) -> Response:
    return azure.simulator.handle(secret_request(azure, client_id, tenant, **form), azure.now)


def secret_request(azure: Azure, client_id: str, tenant: str = HOME, **form: str) -> Request:
    found = azure.world.identity.api.caller(client_id)
    assert found is not None
    secret = secret_of(azure.world.token_key, found)
    given = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **form}
    given.setdefault("scope", f"{URI}/.default")
    return Request("POST", HOST, f"/{tenant}/oauth2/v2.0/token", {}, {}, urlencode(given).encode())


@pytest.mark.parametrize("version", [1, 2])
def test_managed_identities_and_applications_get_tokens_that_the_product_takes(version: int) -> None:
    azure = directory(version)
    name, object_id = f"app {TICKETS}", TICKETS.replace("7777", "8888")
    expected = Claims(HOME, object_id, ("Cmg.Requester",), name)
    assert verified(azure, by_identity(azure, TICKETS).json()["access_token"]) == expected
    assert verified(azure, by_secret(azure, TICKETS).json()["access_token"]) == expected
    assert verified(azure, by_secret(azure, THERE, CUSTOMER).json()["access_token"]).tenant == CUSTOMER


def test_a_caller_without_an_assigned_role_has_none() -> None:
    azure = directory()
    assert verified(azure, by_identity(azure, CHANGES).json()["access_token"]).app_roles == ()


def test_a_token_for_something_else_is_none_for_the_product() -> None:
    azure = directory()
    query = {"resource": "https://management.azure.com", "api-version": "2019-08-01"}
    headers = {"x-identity-header": azure.world.identity.header}
    answer = azure.simulator.handle(Request("GET", "identity", "/msi/token", query, headers), azure.now)
    with pytest.raises(NotSignedIn):
        verified(azure, answer.json()["access_token"])


def test_what_the_directory_refuses() -> None:
    azure = directory()
    wrong = by_secret(azure, TICKETS, client_secret="wrong")
    assert (wrong.status, wrong.json()["error_codes"]) == (401, [7000215])
    assert by_secret(azure, TICKETS, scope="api://other/.default").json()["error_codes"] == [500011]
    assert by_secret(azure, TICKETS, CUSTOMER).json()["error_codes"] == [700016]
    assert by_identity(azure, TICKETS, "https://vault.azure.net").status == 400


def test_discovery_leads_to_the_keys() -> None:
    azure = directory()

    def get(path: str) -> Any:
        return azure.simulator.handle(Request("GET", HOST, path), azure.now).json()

    address = get(f"/{CUSTOMER}/v2.0/.well-known/openid-configuration")["jwks_uri"]
    assert address == f"https://{HOST}/{CUSTOMER}/discovery/v2.0/keys"
    [key] = get(f"/{CUSTOMER}/discovery/v2.0/keys")["keys"]
    [older] = get(f"/{CUSTOMER}/discovery/keys")["keys"]
    assert key == older | {"issuer": f"https://{HOST}/{CUSTOMER}/v2.0"}
    assert {*key} == {"kty", "use", "kid", "x5t", "n", "e", "issuer"}, "nothing private"


def test_no_log_keeps_a_secret_or_a_token() -> None:
    azure = directory()
    asked = secret_request(azure, TICKETS)
    answer = azure.simulator.handle(asked, azure.now)
    secret, token = asked.body.decode().partition("client_secret=")[2].partition("&")[0], answer.json()["access_token"]
    kept = repr(masked_request(asked)) + repr(masked_response(answer)) + repr(azure.world.log)
    assert secret
    assert secret not in kept
    assert token not in kept

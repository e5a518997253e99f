"""The Resource Manager port over Microsoft's own clients, against a scripted Azure."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest
from azure.identity import CredentialUnavailableError

from cmg_core.azure import errors
from cmg_core.azure.cloud import CLOUDS
from cmg_core.azure.connections import Connections
from cmg_core.azure.resource_manager import AzureResourceManager
from cmg_core.backpressure import Backpressure
from cmg_core.correlation import correlated
from cmg_core.domain.clouds import CloudName
from cmg_core.domain.errors import AzureRefused, ChangedMeanwhile, ClaimRunsOut, Throttled, TryAgain
from cmg_core.domain.record import LONGEST_CALL, longest_call
from cmg_core.domain.tenants import Tenant
from cmg_core.domain.values import JsonObject
from cmg_core.services import OperationState, Started
from local.inprocess.loop import run as run_virtually
from local.inprocess.memory import MemoryLedger
from tests.unit.adapters.scripted import (
    CLAIM,
    GROUP,
    NOW,
    ROOT,
    Answer,
    Asked,
    Clock,
    Credential,
    ScriptedTransport,
    resource_manager,
    response,
)

NETWORK = f"{GROUP}/providers/Microsoft.Network"
SCALE_SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/vmss-cmg"
CLASSIC = f"{GROUP}/providers/Microsoft.ClassicCompute/domainNames/GraniteFalls"
ZONE = f"{NETWORK}/dnsZones/contoso.com"
RECORD = f"{ZONE}/CNAME/granitefalls"
OPERATION = f"https://management.azure.com{ROOT}/providers/Microsoft.Network/locations/westeurope/operations/1?s=secret"

TYPES = [
    (f"{NETWORK}/networkSecurityGroups/nsg-cmg", "2024-05-01"),
    (f"{NETWORK}/virtualNetworks/vnet-cmg", "2024-05-01"),
    (f"{NETWORK}/publicIPAddresses/pip-cmg", "2024-05-01"),
    (f"{NETWORK}/loadBalancers/lb-cmg", "2024-05-01"),
    (SCALE_SET, "2024-11-01"),
    (ZONE, "2018-05-01"),
    (RECORD, "2018-05-01"),
    (CLASSIC, "2016-11-01"),
    (f"{CLASSIC}/slots/production", "2016-11-01"),
    (f"{GROUP}/providers/Microsoft.ClassicStorage/storageAccounts/cmgstore", "2016-11-01"),
    (f"{GROUP}/providers/Microsoft.Storage/storageAccounts/cmgstore", "2023-05-01"),
    (f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-cmg", "2023-07-01"),
]
WRITTEN = [(id, api_version) for id, api_version in TYPES if id != ZONE]
DOCUMENT: JsonObject = {
    "id": "x",
    "properties": {"somethingThatNoModelKnows": {"camelCase": [1, None, "a"]}},
    "etag": 'W/"1"',
}


def signing_in(status: int, body: Any) -> ClientAuthenticationError:
    """What azure-identity raises where the identity's endpoint answers no token."""
    request = HttpRequest("GET", "http://127.0.0.1/msi/token")
    answer = asyncio.run(response(request, Answer(status, body)))
    return ClientAuthenticationError("sign in failed", response=answer)


def always(answer: Answer | Exception) -> Any:
    return lambda _: answer


@pytest.mark.parametrize(("id", "api_version"), TYPES)
def test_each_type_is_read_as_azure_sent_it_with_its_pinned_version(id: str, api_version: str) -> None:
    azure, transport = resource_manager(always(Answer(body=DOCUMENT)))
    assert asyncio.run(azure.get(id)) == DOCUMENT
    (asked,) = transport.asked
    assert (asked.method, asked.host, asked.path) == ("GET", "management.azure.com", id)
    assert asked.query == {"api-version": api_version}
    assert asked.headers["Authorization"] == "Bearer token-for-https://management.azure.com/.default"
    assert asked.headers["User-Agent"].startswith("cmg-migrator/")


@pytest.mark.parametrize(
    ("id", "sent"),
    [
        ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"),
        ("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"),
        ("invocation-7", None),
        ("", None),
    ],
)
def test_azure_is_told_by_what_its_log_leads_back_to_ours(id: str, sent: str | None) -> None:
    azure, transport = resource_manager(always(Answer(body=DOCUMENT)))
    with correlated(id):
        asyncio.run(azure.get(WRITTEN[0][0]))
    asyncio.run(azure.get(WRITTEN[0][0]))
    told = [asked.headers.get("x-ms-correlation-request-id") for asked in transport.asked]
    assert told == [sent, None]


@pytest.mark.parametrize(("id", "api_version"), WRITTEN)
def test_each_type_is_written_as_given_and_its_operation_is_handed_on(id: str, api_version: str) -> None:
    answer = Answer(201, DOCUMENT, {"Azure-AsyncOperation": OPERATION, "Retry-After": "7"})
    azure, transport = resource_manager(always(answer))
    body: JsonObject = {
        "location": "westeurope",
        "properties": {"id": "kept", "provisioningState": "kept", "fieldOfOurs": True},
    }
    assert asyncio.run(azure.put(CLAIM, id, body)) == Started(DOCUMENT, OPERATION, timedelta(seconds=7))
    (asked,) = transport.asked
    assert (asked.method, asked.path, asked.query, asked.body) == ("PUT", id, {"api-version": api_version}, body)


@pytest.mark.parametrize(("id", "api_version"), WRITTEN)
def test_each_type_is_deleted_and_one_that_is_gone_is_complete(id: str, api_version: str) -> None:
    azure, transport = resource_manager(always(Answer(404, {"error": {"code": "ResourceNotFound", "message": ""}})))
    assert asyncio.run(azure.delete(CLAIM, id)) == Started({})
    (asked,) = transport.asked
    assert (asked.method, asked.path, asked.query["api-version"]) == ("DELETE", id, api_version)


@pytest.mark.parametrize("id", [id for id, _ in WRITTEN])
def test_an_id_of_another_subscription_is_never_taken_for_ones_own(id: str) -> None:
    azure, transport = resource_manager(always(Answer(body=DOCUMENT | {"value": []})))
    other = "/subscriptions/99999999-9999-9999-9999-999999999999"
    elsewhere = id.replace(ROOT, other)
    asyncio.run(azure.get(elsewhere))
    asyncio.run(azure.put(CLAIM, elsewhere, {}))
    asyncio.run(azure.delete(CLAIM, elsewhere))
    asyncio.run(azure.instances(elsewhere))
    asyncio.run(azure.records(elsewhere))
    assert len(transport.asked) == 5
    assert all(asked.path.startswith(f"{other}/") for asked in transport.asked)


def test_a_zone_is_only_looked_at() -> None:
    azure, transport = resource_manager(always(Answer(body=DOCUMENT)))
    for write in (azure.put(CLAIM, ZONE, {}), azure.delete(CLAIM, ZONE)):
        with pytest.raises(ValueError, match="left alone"):
            asyncio.run(write)
    assert transport.asked == []


def test_a_deletion_that_goes_on_is_followed_by_its_location() -> None:
    headers = {"Location": OPERATION, "Retry-After": "10"}
    azure, _ = resource_manager(always(Answer(202, None, headers)))
    assert asyncio.run(azure.delete(CLAIM, SCALE_SET)) == Started({}, OPERATION, timedelta(seconds=10))


def test_the_location_of_a_created_resource_is_no_operation() -> None:
    azure, _ = resource_manager(always(Answer(201, DOCUMENT, {"Location": "https://management.azure.com/x"})))
    assert asyncio.run(azure.put(CLAIM, SCALE_SET, {})) == Started(DOCUMENT)


@pytest.mark.parametrize("type", ["Microsoft.Web/sites", "Microsoft.Network/privateEndpoints"])
def test_a_type_that_is_not_ours_is_neither_read_nor_written(type: str) -> None:
    azure, transport = resource_manager(always(Answer()))
    with pytest.raises(ValueError, match="neither reads nor writes"):
        asyncio.run(azure.delete(CLAIM, f"{GROUP}/providers/{type}/x"))
    assert transport.asked == []


@pytest.mark.parametrize("code", ["ResourceNotFound", "ResourceGroupNotFound", "NotFound"])
def test_a_missing_resource_is_none(code: str) -> None:
    azure, _ = resource_manager(always(Answer(404, {"error": {"code": code, "message": "not here"}})))
    assert asyncio.run(azure.get(SCALE_SET)) is None
    assert asyncio.run(azure.group("rg-cmg")) is None
    assert asyncio.run(azure.instances(SCALE_SET)) == []
    assert asyncio.run(azure.resources_in_group("rg-cmg")) == []


@pytest.mark.parametrize("code", ["SubscriptionNotFound", "InvalidResourceType"])
def test_a_404_that_says_something_else_never_passes_for_absence(code: str) -> None:
    azure, _ = resource_manager(always(Answer(404, {"error": {"code": code, "message": "who?"}})))
    for call in (azure.get(SCALE_SET), azure.delete(CLAIM, SCALE_SET), azure.resources_in_group("rg-cmg")):
        with pytest.raises(AzureRefused) as refused:
            asyncio.run(call)
        assert refused.value.code == code


def test_a_404_of_a_proxy_never_passes_for_absence() -> None:
    azure, _ = resource_manager(always(Answer(404, b"<html>not found</html>", {"Content-Type": "text/html"})))
    for call in (azure.get(SCALE_SET), azure.delete(CLAIM, SCALE_SET), azure.operation(OPERATION)):
        with pytest.raises(AzureRefused):
            asyncio.run(call)


def test_a_record_set_is_changed_only_as_it_was_seen_and_made_only_where_none_is() -> None:
    azure, transport = resource_manager(always(Answer(412, {"code": "PreconditionFailed", "message": "modified"})))
    for etag in ("e1", ""):
        with pytest.raises(ChangedMeanwhile, match="modified"):
            asyncio.run(azure.put(CLAIM, RECORD, {"properties": {}}, etag=etag))
    with pytest.raises(ChangedMeanwhile, match="modified"):
        asyncio.run(azure.delete(CLAIM, RECORD, etag="e1"))
    conditions = [(asked.headers.get("If-Match"), asked.headers.get("If-None-Match")) for asked in transport.asked]
    assert conditions == [("e1", None), (None, "*"), ("e1", None)]


def test_no_write_leaves_under_a_claim_that_does_not_cover_it() -> None:
    azure, transport = resource_manager(always(Answer()))
    short = replace(CLAIM, until=NOW + timedelta(seconds=59))
    writes = (
        lambda: azure.put(short, SCALE_SET, {}),
        lambda: azure.delete(short, SCALE_SET),
        lambda: azure.put_group(short, "rg-cmg", {}),
        lambda: azure.register_provider(short, "Microsoft.Compute"),
    )
    for write in writes:
        with pytest.raises(ClaimRunsOut):
            asyncio.run(write())
    assert transport.asked == []


def test_lists_are_read_over_all_pages() -> None:
    def pages(asked: Asked) -> Answer:
        if "page" in asked.query:
            return Answer(body={"value": [{"name": "two", "properties": {"unknown": 1}}]})
        next_page = f"https://management.azure.com{asked.path}?api-version=2024-11-01&page=2"
        return Answer(body={"value": [{"name": "one"}], "nextLink": next_page})

    azure, transport = resource_manager(pages)
    both = [{"name": "one"}, {"name": "two", "properties": {"unknown": 1}}]
    assert asyncio.run(azure.instances(SCALE_SET)) == both
    assert asyncio.run(azure.records(ZONE)) == both
    assert asyncio.run(azure.locks()) == both
    assert asyncio.run(azure.resources_in_group("rg-cmg")) == both
    assert asyncio.run(azure.usages("westeurope")) == both
    assert [asked.path.replace("resourcegroups", "resourceGroups") for asked in transport.asked[::2]] == [
        f"{SCALE_SET}/virtualMachines",
        f"{ZONE}/recordsets",
        f"{ROOT}/providers/Microsoft.Authorization/locks",
        f"{GROUP}/resources",
        f"{ROOT}/providers/Microsoft.Compute/locations/westeurope/usages",
    ]
    assert transport.asked[0].query == {"api-version": "2024-11-01", "$expand": "instanceView"}


def test_the_subscription_itself_its_providers_and_groups() -> None:
    def script(asked: Asked) -> Answer:
        if asked.path == ROOT:
            return Answer(body={"state": "Enabled", "tenantId": "t"})
        if asked.path.endswith("/providers"):
            return Answer(body={"value": [{"namespace": "Microsoft.Compute", "registrationState": "NotRegistered"}]})
        return Answer(body={"id": asked.path})

    azure, transport = resource_manager(script)
    assert asyncio.run(azure.subscription()) == {"state": "Enabled", "tenantId": "t"}
    assert asyncio.run(azure.providers()) == {"Microsoft.Compute": "NotRegistered"}
    asyncio.run(azure.register_provider(CLAIM, "Microsoft.Compute"))
    asyncio.run(azure.put_group(CLAIM, "rg-cmg", {"location": "westeurope", "tags": {"a": "b"}}))
    assert asyncio.run(azure.group("rg-cmg")) is not None
    assert [(asked.method, asked.path.lower(), asked.query["api-version"]) for asked in transport.asked] == [
        ("GET", ROOT, "2022-12-01"),
        ("GET", f"{ROOT}/providers", "2022-09-01"),
        ("POST", f"{ROOT}/providers/microsoft.compute/register", "2022-09-01"),
        ("PUT", GROUP.lower(), "2022-09-01"),
        ("GET", GROUP.lower(), "2022-09-01"),
    ]
    assert transport.asked[3].body == {"location": "westeurope", "tags": {"a": "b"}}


def test_questions_about_a_region_and_a_name() -> None:
    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/checkDnsNameAvailability"):
            return Answer(body={"available": asked.query["domainNameLabel"] == "free"})
        if asked.path.endswith("/skus"):
            skus = [{"resourceType": "virtualMachines", "name": "Standard_A2_v2"}, {"resourceType": "disks"}]
            return Answer(body={"value": skus})
        return Answer(body={"value": []})

    azure, transport = resource_manager(script)
    assert asyncio.run(azure.label_is_free("westeurope", "free")) is True
    assert asyncio.run(azure.label_is_free("westeurope", "taken")) is False
    assert asyncio.run(azure.sizes("westeurope")) == [{"resourceType": "virtualMachines", "name": "Standard_A2_v2"}]
    assert asyncio.run(azure.find("Microsoft.KeyVault/vaults", "kv-cmg")) is None
    assert transport.asked[2].query == {"api-version": "2021-07-01", "$filter": "location eq 'westeurope'"}
    assert transport.asked[3].query["$filter"] == "resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'kv-cmg'"


def token_of(claims: JsonObject) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


class Known(Credential):
    """Signs in with a token that says what it is told."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._token, int(NOW.timestamp()) + 10_000_000)


def test_what_preflight_asks_of_rights_policies_and_names() -> None:
    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/deletedVaults"):
            return Answer(body={"value": [{"name": "another"}, {"name": "Kv-Cmg", "id": "/d"}]})
        if asked.query.get("page") == "2":
            return Answer(body={"value": [{"actions": ["b"]}]})
        if asked.path.endswith("/permissions"):
            next_page = f"https://management.azure.com{asked.path}?page=2"
            return Answer(body={"value": [{"actions": ["a"]}], "nextLink": next_page})
        return Answer(body={"value": [{"asked": asked.path}], "nameAvailable": True})

    azure, transport = resource_manager(script, credential=Known(token_of({"oid": "me", "appid": "app"})))
    content: JsonObject = {"type": "Microsoft.Network/publicIPAddresses"}
    assert asyncio.run(azure.permissions(ZONE)) == [{"actions": ["a"]}, {"actions": ["b"]}]
    asyncio.run(azure.role_assignments())
    asyncio.run(azure.policy_assignments())
    asyncio.run(azure.network_usages("westeurope"))
    asyncio.run(azure.policy_restrictions(GROUP, content))
    assert asyncio.run(azure.vault_name("kv"))["nameAvailable"] is True
    assert asyncio.run(azure.storage_name("store"))["nameAvailable"] is True
    assert asyncio.run(azure.deleted_vault("kv-cmg")) == {"name": "Kv-Cmg", "id": "/d"}
    assert asyncio.run(azure.deleted_vault("none")) is None
    providers = f"{ROOT}/providers"
    assert [(asked.method, asked.path, asked.query.get("api-version")) for asked in transport.asked[2:9]] == [
        ("GET", f"{providers}/Microsoft.Authorization/roleAssignments", "2022-04-01"),
        ("GET", f"{providers}/Microsoft.Authorization/policyAssignments", "2022-06-01"),
        ("GET", f"{providers}/Microsoft.Network/locations/westeurope/usages", "2024-05-01"),
        ("POST", f"{GROUP}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions", "2023-03-01"),
        ("POST", f"{providers}/Microsoft.KeyVault/checkNameAvailability", "2023-07-01"),
        ("POST", f"{providers}/Microsoft.Storage/checkNameAvailability", "2023-05-01"),
        ("GET", f"{providers}/Microsoft.KeyVault/deletedVaults", "2023-07-01"),
    ]
    assert transport.asked[2].query["$filter"] == "assignedTo('me')"
    assert transport.asked[5].body == {"resourceDetails": {"resourceContent": content, "apiVersion": "2024-05-01"}}
    assert transport.asked[6].body == {"name": "kv", "type": "Microsoft.KeyVault/vaults"}
    assert transport.asked[7].body == {"name": "store", "type": "Microsoft.Storage/storageAccounts"}


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.!.c", token_of({"appid": "app"}), "head.W10.signature"])
def test_an_identity_that_does_not_say_who_it_is_asks_nothing(token: str) -> None:
    azure, transport = resource_manager(always(Answer(body={"value": []})), credential=Known(token))
    with pytest.raises(AzureRefused, match="PrincipalUnknown"):
        asyncio.run(azure.role_assignments())
    assert transport.asked == []


def test_a_look_by_post_that_is_refused_says_so() -> None:
    refusal = {"error": {"code": "MissingSubscriptionRegistration", "message": "namespace 'Microsoft.PolicyInsights'"}}
    azure, _ = resource_manager(always(Answer(409, refusal)))
    with pytest.raises(AzureRefused, match="MissingSubscriptionRegistration"):
        asyncio.run(azure.policy_restrictions(GROUP, {"type": "Microsoft.Compute/virtualMachineScaleSets"}))


LOOKS = [
    (Answer(body={"status": "InProgress"}, headers={"Retry-After": "3"}), OperationState.RUNNING, "", ""),
    (Answer(body={"status": "Updating"}), OperationState.RUNNING, "", ""),
    (Answer(body={"status": "Succeeded"}), OperationState.SUCCEEDED, "", ""),
    (
        Answer(body={"status": "Failed", "error": {"code": "AllocationFailed", "message": "no room"}}),
        OperationState.FAILED,
        "AllocationFailed",
        "no room",
    ),
    (
        Answer(body={"status": "Failed", "Error": {"Code": "Conflict", "Message": "busy", "Details": []}}),
        OperationState.FAILED,
        "Conflict",
        "busy",
    ),
    (Answer(body={"status": "Canceled"}), OperationState.FAILED, "Canceled", ""),
    (Answer(202), OperationState.RUNNING, "", ""),
    (Answer(204), OperationState.SUCCEEDED, "", ""),
    (Answer(200, DOCUMENT), OperationState.SUCCEEDED, "", ""),
    (Answer(404, {"error": {"code": "NotFound", "message": ""}}), OperationState.SUCCEEDED, "", ""),
    (
        Answer(409, {"error": {"code": "ScopeLocked", "message": "locked"}}),
        OperationState.FAILED,
        "ScopeLocked",
        "locked",
    ),
]


@pytest.mark.parametrize(("answer", "state", "code", "message"), LOOKS)
def test_a_look_at_an_operation(answer: Answer, state: OperationState, code: str, message: str) -> None:
    azure, transport = resource_manager(always(answer))
    look = asyncio.run(azure.operation(OPERATION))
    assert (look.state, look.code, look.message) == (state, code, message)
    assert look.look_after == timedelta(seconds=3 if answer.headers else 0)
    assert transport.asked[0].query == {"s": "secret"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_look_that_azure_cannot_serve_is_tried_again(status: int) -> None:
    azure, _ = resource_manager(always(Answer(status, headers={"Retry-After": "60"})))
    with pytest.raises(TryAgain) as again:
        asyncio.run(azure.operation(OPERATION))
    assert again.value.after == timedelta(minutes=1)
    assert "secret" not in str(again.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_look_that_is_not_allowed_says_nothing_of_the_operation(status: int) -> None:
    azure, _ = resource_manager(always(Answer(status, {"error": {"code": "AuthorizationFailed", "message": ""}})))
    with pytest.raises(AzureRefused):
        asyncio.run(azure.operation(OPERATION))


FOREIGN = (
    "https://management.azure.com.evil.example/x",
    "https://management.azure.com@evil.example/x",
    "http://management.azure.com/x",
    "https://management.azure.com:8443/x",
    "https://management.usgovcloudapi.net/x",
    "https://management.azure.com\\@evil.example/x",
    "https://management.azure\t.com/x",
    "https://169.254.169.254/metadata/identity/oauth2/token",
    "//evil.example/x",
    "https://[evil",
    "management.azure.com/x",
    "",
)
"""Addresses that are not the public cloud's Resource Manager, however much they look like it."""


@pytest.mark.parametrize("address", FOREIGN)
def test_no_token_goes_to_an_address_that_is_not_the_clouds(address: str) -> None:
    azure, transport = resource_manager(always(Answer()))
    with pytest.raises(ValueError, match="nothing was sent"):
        asyncio.run(azure.operation(address))
    assert transport.asked == []


LISTS: dict[str, Callable[[AzureResourceManager], Awaitable[object]]] = {
    "instances": lambda azure: azure.instances(SCALE_SET),
    "records": lambda azure: azure.records(ZONE),
    "locks": lambda azure: azure.locks(),
    "resources": lambda azure: azure.resources_in_group("rg-cmg"),
    "usages": lambda azure: azure.usages("westeurope"),
    "sizes": lambda azure: azure.sizes("westeurope"),
    "providers": lambda azure: azure.providers(),
}


@pytest.mark.parametrize("called", LISTS)
@pytest.mark.parametrize("next_page", FOREIGN[:4])
def test_no_list_is_followed_to_another_host(called: str, next_page: str) -> None:
    azure, transport = resource_manager(always(Answer(body={"value": [], "nextLink": next_page})))

    async def story() -> None:
        with pytest.raises(AzureRefused, match="nothing was sent") as refused:
            await LISTS[called](azure)
        assert refused.value.code == "ForeignAddress"

    asyncio.run(story())
    assert len(transport.asked) == 1


STATUSES = {"put": 201, "delete": 202}


@pytest.mark.parametrize("address", [address for address in FOREIGN if address])
@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
@pytest.mark.parametrize("write", ["put", "delete"])
def test_a_write_whose_answer_names_an_operation_elsewhere_has_none(address: str, header: str, write: str) -> None:
    azure, transport = resource_manager(
        always(Answer(STATUSES[write], DOCUMENT, {header: address, "Retry-After": "7"}))
    )
    begun = asyncio.run(azure.put(CLAIM, SCALE_SET, {}) if write == "put" else azure.delete(CLAIM, SCALE_SET))
    assert begun.operation == ""
    assert len(transport.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_look_at_an_operation_follows_no_redirect(status: int) -> None:
    azure, transport = resource_manager(always(Answer(status, headers={"Location": "https://evil.example/"})))
    with pytest.raises(TryAgain, match="not Azure"):
        asyncio.run(azure.operation(OPERATION))
    assert [asked.host for asked in transport.asked] == ["management.azure.com"]


def test_a_page_of_somebody_else_is_no_success_of_an_operation() -> None:
    azure, _ = resource_manager(always(Answer(200, b"<html>Sign in to the network</html>")))
    with pytest.raises(TryAgain, match="not Azure"):
        asyncio.run(azure.operation(OPERATION))


def test_the_government_cloud_has_its_own_address_and_token() -> None:
    azure, transport = resource_manager(always(Answer(body=DOCUMENT)), CloudName.US_GOVERNMENT)
    asyncio.run(azure.get(SCALE_SET))
    assert transport.asked[0].host == "management.usgovcloudapi.net"
    assert transport.asked[0].headers["Authorization"].endswith("https://management.core.usgovcloudapi.net/.default")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_nothing_is_repeated_behind_the_engines_back(status: int) -> None:
    azure, transport = resource_manager(always(Answer(status, headers={"Retry-After": "17"})))
    with pytest.raises(TryAgain) as again:
        asyncio.run(azure.put(CLAIM, SCALE_SET, {}))
    assert again.value.after == timedelta(seconds=17)
    assert len(transport.asked) == 1


def test_a_silent_azure_is_given_up_before_the_claim_can_end() -> None:
    class Silent(ScriptedTransport):
        async def send(self, request: object, **_: object) -> Any:
            await asyncio.Event().wait()

    connections = Connections(
        CLOUDS[CloudName.PUBLIC],
        Clock(),
        call=timedelta(seconds=0.06),
        transport=lambda: Silent(always(Answer())),
        credential=lambda _: Credential(),
    )
    with pytest.raises(TryAgain, match="did not answer"):
        asyncio.run(connections.resource_manager(Tenant("t"), "s").put(CLAIM, SCALE_SET, {}))


def test_one_call_ends_before_a_claim_that_covers_it() -> None:
    assert errors.ANSWER_SHARE < 1
    assert longest_call(timedelta(minutes=5)) == LONGEST_CALL
    assert longest_call(timedelta(seconds=6)) == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (CredentialUnavailableError("no identity endpoint"), 401, "Give the function app an identity"),
        (
            signing_in(400, {"error": "invalid_request", "error_description": "Identity not found"}),
            400,
            "Identity not found",
        ),
        (signing_in(400, {"statusCode": 400}), 400, "sign in failed"),
    ],
)
def test_who_cannot_sign_in_is_told_so(error: Exception, status: int, text: str) -> None:
    azure, transport = resource_manager(always(Answer()), credential=Credential(error))
    with pytest.raises(AzureRefused) as refused:
        asyncio.run(azure.get(SCALE_SET))
    assert refused.value.status == status
    assert text in refused.value.message
    assert transport.asked == []


def test_a_sign_in_that_is_busy_is_tried_again() -> None:
    azure, _ = resource_manager(always(Answer()), credential=Credential(signing_in(503, None)))
    with pytest.raises(TryAgain):
        asyncio.run(azure.get(SCALE_SET))


def test_a_missing_registration_is_told_and_not_cured_behind_the_plans_back() -> None:
    message = "The subscription is not registered to use namespace 'Microsoft.Network'."
    body = {"error": {"code": "MissingSubscriptionRegistration", "message": message}}
    azure, transport = resource_manager(always(Answer(409, body)))
    with pytest.raises(AzureRefused) as refused:
        asyncio.run(azure.put(CLAIM, f"{NETWORK}/virtualNetworks/v", {}))
    assert (refused.value.status, refused.value.code) == (409, "MissingSubscriptionRegistration")
    assert refused.value.target == f"{NETWORK}/virtualNetworks/v"
    assert len(transport.asked) == 1


def test_a_redirect_is_not_followed() -> None:
    azure, transport = resource_manager(always(Answer(307, headers={"Location": "https://evil.example/"})))
    with pytest.raises(AzureRefused):
        asyncio.run(azure.get(SCALE_SET))
    assert len(transport.asked) == 1


@pytest.mark.parametrize("error", [ServiceRequestError("cut"), ServiceResponseError("cut"), TimeoutError()])
def test_a_connection_that_fails_is_tried_again(error: Exception) -> None:
    azure, _ = resource_manager(always(error))
    for call in (azure.get(SCALE_SET), azure.operation(OPERATION), azure.locks()):
        with pytest.raises(TryAgain):
            asyncio.run(call)


@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_a_page_of_somebody_else_is_tried_again(content_type: str) -> None:
    azure, _ = resource_manager(always(Answer(200, b"<html>sign in</html>", {"Content-Type": content_type})))
    with pytest.raises(TryAgain, match="was not Azure"):
        asyncio.run(azure.get(SCALE_SET))
    with pytest.raises(TryAgain, match="was not Azure"):
        asyncio.run(azure.locks())


def test_one_deployments_429_keeps_the_subscriptions_others_from_calling() -> None:
    async def story() -> None:
        throttled = Answer(429, {"error": {"code": "SubscriptionRequestsThrottled"}}, {"Retry-After": "600"})
        transport = ScriptedTransport(lambda asked: throttled if asked.path.startswith(ROOT) else Answer(200, DOCUMENT))
        connections = Connections(
            CLOUDS[CloudName.PUBLIC],
            Clock(),
            backpressure=Backpressure(MemoryLedger(), Clock()),
            transport=lambda: transport,
            credential=lambda _: Credential(),
        )
        manager = connections.resource_manager(Tenant("tenant"), ROOT.split("/")[2])
        with pytest.raises(Throttled) as first:
            await manager.subscription()
        for call in (manager.locks(), manager.get(SCALE_SET), manager.operation(OPERATION)):
            with pytest.raises(Throttled) as later:
                await call
            assert first.value.asked and not later.value.asked and later.value.after == timedelta(minutes=10)
        assert len(transport.asked) == 1
        await connections.resource_manager(Tenant("tenant"), "another").subscription()

    run_virtually(story())


def test_locks_on_a_further_page_are_never_taken_for_none() -> None:
    async def story() -> None:
        more = f"https://management.azure.com{ROOT}/providers/Microsoft.Authorization/locks?page=2"

        def script(asked: Asked) -> Answer:
            if asked.query.get("page"):
                return Answer(500, {"error": {"code": "InternalServerError", "message": "m"}})
            return Answer(200, {"value": [], "nextLink": more})

        manager, _ = resource_manager(script)
        with pytest.raises(TryAgain):
            await manager.locks()

    asyncio.run(story())


def test_azures_clock_goes_on_from_its_latest_answer_and_no_host_moves_it() -> None:
    async def story() -> None:
        answer = Answer(200, DOCUMENT, {"Date": "Mon, 02 Mar 2026 08:00:00 GMT"})
        manager, _ = resource_manager(lambda _: answer)
        assert manager.time() is None
        await manager.subscription()
        await asyncio.sleep(90)
        assert manager.time() == datetime(2026, 3, 2, 8, 1, 30, tzinfo=UTC)

    run_virtually(story())


def test_azures_clock_does_not_go_back_by_a_fraction_of_a_second_but_by_a_jump() -> None:
    """Else a period that is over by one answer would run again by the next."""

    async def story() -> None:
        dates = iter(["08:00:00", "08:00:00", "07:59:00"])
        manager, _ = resource_manager(
            lambda _: Answer(200, DOCUMENT, {"Date": f"Mon, 02 Mar 2026 {next(dates)} GMT"}),
        )
        shown = []
        for _ in range(3):
            await manager.subscription()
            await asyncio.sleep(0.9)
            shown.append(manager.time())
        eight = datetime(2026, 3, 2, 8, tzinfo=UTC)
        wanted = [eight + timedelta(seconds=0.9), eight + timedelta(seconds=1.8), eight - timedelta(seconds=59.1)]
        assert shown == wanted

    run_virtually(story())


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}])
def test_an_answer_without_a_date_tells_no_time(headers: dict[str, str]) -> None:
    async def story() -> None:
        manager, _ = resource_manager(lambda _: Answer(200, DOCUMENT, headers))
        await manager.subscription()
        assert manager.time() is None

    asyncio.run(story())

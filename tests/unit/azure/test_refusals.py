"""What the simulated Azure refuses, with Azure's status and code, and how its operations behave."""

import copy
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.azure.certificates import duration
from local.azure.messages import Disconnect, Request, Response
from local.azure.seed import SeedError, build_world
from local.azure.simulator import FaultError, state
from tests.unit.azure.worlds import GROUP, NETWORK, SERVICE, STORAGE, SUBSCRIPTION, VAULT, ZONE, Azure

COMPUTE = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets"
GATEWAY = {"scale_set_gateways": [{"group": GROUP, "label": "oldgate", "certificate": "kv-cmg/granitefalls"}]}
ADDRESS: dict[str, Any] = {
    "location": "eastus",
    "sku": {"name": "Standard"},
    "properties": {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "newgate"}},
}


def _follow(azure: Azure, url: str | None) -> Response:
    parts = urlsplit(url or "")
    query = dict(parse_qsl(parts.query))
    return azure.call("GET", parts.path, None, query=query)


def _body_of(azure: Azure, resource_id: str) -> dict[str, Any]:
    resource = azure.world.resource(resource_id)
    assert resource is not None
    return copy.deepcopy(resource.body)


def test_every_call_needs_a_token_a_version_and_a_known_subscription() -> None:
    azure = Azure()
    path = f"/subscriptions/{SUBSCRIPTION}"
    bare = azure.simulator.handle(
        Request("GET", "management.azure.com", path, {"api-version": "2022-12-01"}), azure.now
    )
    assert azure.error(bare) == (401, "AuthenticationFailed")
    assert bare.header("WWW-Authenticate")
    assert azure.error(azure.call("GET", path, None)) == (400, "MissingApiVersionParameter")
    assert azure.error(azure.call("GET", path, "1999-01-01")) == (400, "InvalidApiVersionParameter")
    assert azure.error(azure.call("GET", STORAGE, "1999-01-01")) == (400, "NoRegisteredProviderFound")
    assert azure.error(azure.call("GET", "/subscriptions/none", "2022-12-01")) == (404, "SubscriptionNotFound")
    wrong = azure.call("GET", path, "2022-12-01", audience="https://vault.azure.net")
    assert azure.error(wrong) == (401, "InvalidAuthenticationTokenAudience")


def test_missing_things_have_azures_texts() -> None:
    azure = Azure()
    missing = azure.network("GET", "loadBalancers/none")
    assert azure.error(missing) == (404, "ResourceNotFound")
    assert "'Microsoft.Network/loadBalancers/none' under resource group 'rg-old'" in missing.json()["error"]["message"]
    assert missing.header("x-ms-failure-cause") == "gateway"
    other = STORAGE.replace("rg-old", "rg-none")
    assert azure.error(azure.call("GET", other, "2023-01-01")) == (404, "ResourceGroupNotFound")
    assert azure.network("DELETE", "loadBalancers/none").status == 204


def test_an_unregistered_namespace_takes_no_writes() -> None:
    azure = Azure({"subscriptions": [{"providers": {"Microsoft.Network": "NotRegistered"}}]})
    refused = azure.network("PUT", "publicIPAddresses/ip", ADDRESS)
    assert azure.error(refused) == (409, "MissingSubscriptionRegistration")
    assert "to use namespace 'Microsoft.Network'." in refused.json()["error"]["message"]
    register = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/register"
    assert azure.call("POST", register, "2016-02-01").json()["registrationState"] == "Registering"


def test_an_address_is_made_once_and_its_label_is_its_own() -> None:
    azure = Azure()
    made = azure.network("PUT", "publicIPAddresses/ip", ADDRESS)
    assert made.status == 201
    assert made.json()["properties"]["provisioningState"] == "Updating"
    assert made.header("Retry-After") == "1"
    azure.settle()
    again = azure.network("PUT", "publicIPAddresses/ip", ADDRESS)
    assert again.status == 200
    assert again.json()["properties"]["ipAddress"] == made.json()["properties"]["ipAddress"]
    assert azure.error(azure.network("PUT", "publicIPAddresses/ip2", ADDRESS)) == (400, "DnsRecordInUse")
    check = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/eastus/CheckDnsNameAvailability"
    answers = [
        azure.call("GET", check, "2024-05-01", query={"domainNameLabel": label}).json()["available"]
        for label in ("newgate", "free")
    ]
    assert answers == [False, True]


@pytest.mark.parametrize("label", ["Upper", "1st", "-x", "a", "has space"])
def test_labels_have_a_form(label: str) -> None:
    azure = Azure()
    body = copy.deepcopy(ADDRESS)
    body["properties"]["dnsSettings"]["domainNameLabel"] = label
    assert azure.error(azure.network("PUT", "publicIPAddresses/ip", body)) == (400, "InvalidDomainNameLabel")


def test_a_load_balancer_waits_for_its_address_and_lies_about_being_ready() -> None:
    azure = Azure({**GATEWAY})
    balancer = _body_of(azure, f"{NETWORK}/loadBalancers/oldgate-lb")
    azure.network("PUT", "publicIPAddresses/ip", ADDRESS)
    text = json.dumps(balancer).replace("oldgate-lb", "lb").replace("oldgate-ip", "ip")
    refused = azure.network("PUT", "loadBalancers/lb", json.loads(text))
    assert azure.error(refused) == (429, "RetryableError")
    assert refused.header("Retry-After")
    azure.settle()
    made = azure.network("PUT", "loadBalancers/lb", json.loads(text))
    assert (made.status, made.json()["properties"]["provisioningState"]) == (201, "Succeeded")
    assert azure.network("GET", "loadBalancers/lb").json()["properties"]["provisioningState"] == "Updating"
    assert _follow(azure, made.header("Azure-AsyncOperation")).json() == {"status": "InProgress"}
    azure.settle()
    assert _follow(azure, made.header("Azure-AsyncOperation")).json() == {"status": "Succeeded"}


def test_a_rule_beside_an_outbound_rule_must_leave_snat_to_it() -> None:
    azure = Azure({**GATEWAY})
    balancer = _body_of(azure, f"{NETWORK}/loadBalancers/oldgate-lb")
    balancer["properties"]["loadBalancingRules"][0]["properties"]["disableOutboundSnat"] = False
    refused = azure.network("PUT", "loadBalancers/oldgate-lb", balancer)
    code = "LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule"
    assert azure.error(refused) == (400, code)


def test_unknown_members_and_missing_references_are_refused() -> None:
    azure = Azure({**GATEWAY})
    wrong = {**ADDRESS, "properties": {**ADDRESS["properties"], "colour": "red"}}
    assert azure.error(azure.network("PUT", "publicIPAddresses/ip", wrong)) == (400, "InvalidRequestFormat")
    balancer = json.dumps(_body_of(azure, f"{NETWORK}/loadBalancers/oldgate-lb")).replace("oldgate-ip", "none")
    refused = azure.network("PUT", "loadBalancers/oldgate-lb", json.loads(balancer))
    assert azure.error(refused) == (400, "InvalidResourceReference")


def test_of_two_overlapping_puts_the_earlier_is_canceled() -> None:
    azure = Azure({**GATEWAY})
    balancer = _body_of(azure, f"{NETWORK}/loadBalancers/oldgate-lb")
    first = azure.network("PUT", "loadBalancers/oldgate-lb", balancer)
    second = azure.network("PUT", "loadBalancers/oldgate-lb", balancer)
    azure.settle()
    ended = _follow(azure, first.header("Azure-AsyncOperation")).json()
    assert (ended["status"], ended["error"]["details"][0]["code"]) == (
        "Canceled",
        "CanceledAndSupersededDueToAnotherOperation",
    )
    assert _follow(azure, second.header("Azure-AsyncOperation")).json()["status"] == "Succeeded"


def _scale_set(azure: Azure) -> dict[str, Any]:
    body = _body_of(azure, f"{COMPUTE}/oldgate")
    system = body["properties"]["virtualMachineProfile"]["osProfile"]
    system["adminPassword"] = "Another-1"
    return body


def _put_scale_set(azure: Azure, name: str, body: dict[str, Any]) -> Response:
    return azure.call("PUT", f"{COMPUTE}/{name}", "2024-11-01", body)


def test_a_password_that_is_sent_again_is_a_change() -> None:
    azure = Azure({**GATEWAY})
    refused = _put_scale_set(azure, "oldgate", _scale_set(azure))
    assert azure.error(refused) == (409, "PropertyChangeNotAllowed")


def test_the_fabric_insists_on_vault_image_name_and_quota() -> None:
    azure = Azure({**GATEWAY, "quotas": {"standardAv2Family": 16}})
    good = _scale_set(azure)
    profile = good["properties"]["virtualMachineProfile"]

    def changed(**members: Any) -> dict[str, Any]:
        body = copy.deepcopy(good)
        body["properties"]["virtualMachineProfile"]["osProfile"] |= members.pop("system", {})
        body["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"] |= members.pop("image", {})
        return {**body, **members}

    secret = copy.deepcopy(profile["osProfile"]["secrets"])
    secret[0]["vaultCertificates"][0]["certificateUrl"] = "https://kv-cmg.vault.azure.net/secrets/granitefalls"
    size = {"name": "Standard_A2_v2", "capacity": 16}
    cases = {
        "InvalidParameter": [
            changed(system={"computerNamePrefix": "granitefalls"}),
            changed(system={"adminPassword": "weak"}),
            changed(system={"secrets": secret}),
            changed(sku={"name": "Standard_Nowhere", "capacity": 1}),
        ],
        "BadRequest": [changed(image={"sku": "2022-datacenter-g2"})],
        "OperationNotAllowed": [changed(sku=size)],
        "LocationNotSupportAvailabilityZones": [changed(zones=["7"])],
    }
    for code, bodies in cases.items():
        for body in bodies:
            assert azure.error(_put_scale_set(azure, "another", body))[1] == code
    vault = azure.world.resource(VAULT)
    assert vault
    vault.properties["enabledForDeployment"] = False
    assert azure.error(_put_scale_set(azure, "another", good)) == (400, "KeyVaultAccessForbidden")
    vault.properties["enabledForDeployment"] = True
    vault.location = "westeurope"
    assert azure.error(_put_scale_set(azure, "another", good)) == (400, "KeyVaultAndVMInDifferentRegions")


def test_a_scale_set_on_an_unfinished_network_fails_as_an_operation() -> None:
    azure = Azure({**GATEWAY})
    body = _scale_set(azure)
    azure.network("PUT", "loadBalancers/oldgate-lb", _body_of(azure, f"{NETWORK}/loadBalancers/oldgate-lb"))
    accepted = _put_scale_set(azure, "another", body)
    assert accepted.status == 201
    azure.settle()
    ended = _follow(azure, accepted.header("Azure-AsyncOperation")).json()
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "RetryableError")
    assert _body_of(azure, f"{COMPUTE}/another")["properties"]["provisioningState"] == "Failed"


def test_operations_are_followed_to_the_letter_and_not_too_often() -> None:
    azure = Azure({**GATEWAY})
    removal = azure.call("DELETE", f"{COMPUTE}/oldgate", "2024-11-01")
    assert removal.status == 202
    url, place = removal.header("Azure-AsyncOperation") or "", removal.header("Location") or ""
    assert len(url) > 4096
    assert "monitor=true" in place
    assert azure.error(_follow(azure, url.replace("&h=", "&h=x"))) == (403, "AuthorizationFailed")
    statuses = [_follow(azure, url).status for _ in range(46)]
    assert (statuses[44], statuses[45]) == (200, 429)
    azure.pass_time(61)
    assert _follow(azure, url).status == 200
    azure.settle()
    done = _follow(azure, place)
    assert (done.status, done.body) == (200, b"")


def test_locks_stand_in_the_way() -> None:
    azure = Azure({"locks": [{"scope": STORAGE, "name": "keep"}]})
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-old"
    refused = azure.call("DELETE", group, "2022-09-01")
    assert azure.error(refused) == (409, "ScopeLocked")
    assert azure.error(azure.call("DELETE", STORAGE, "2023-01-01")) == (409, "ScopeLocked")
    assert azure.call("DELETE", SERVICE, "2016-11-01").status == 202
    listed = azure.call("GET", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/locks", "2020-05-01")
    assert [lock["name"] for lock in listed.json()["value"]] == ["keep"]
    removed = azure.call("DELETE", f"{STORAGE}/providers/Microsoft.Authorization/locks/keep", "2020-05-01")
    assert removed.status == 200
    assert azure.call("DELETE", STORAGE, "2023-01-01").status == 200


def test_a_group_goes_with_all_that_is_in_it() -> None:
    azure = Azure({**GATEWAY})
    started = azure.call("DELETE", GROUP, "2022-09-01")
    assert started.status == 202
    assert started.header("Azure-AsyncOperation") is None
    assert azure.error(azure.network("PUT", "publicIPAddresses/ip", ADDRESS)) == (409, "ResourceGroupBeingDeleted")
    polled = _follow(azure, started.header("Location"))
    assert polled.status == 202
    azure.settle()
    assert _follow(azure, polled.header("Location")).status == 200
    assert azure.call("HEAD", GROUP, "2022-09-01").status == 404
    assert not azure.world.resources


def test_a_cname_stands_alone() -> None:
    azure = Azure()
    alias = {"properties": {"TTL": 5, "CNAMERecord": {"cname": "x.example"}}}
    refused = azure.call("PUT", f"{ZONE}/CNAME/www", "2018-05-01", alias)
    assert (refused.status, refused.json()["code"]) == (400, "BadRequest")
    exists = azure.call("PUT", f"{ZONE}/CNAME/granitefalls", "2018-05-01", alias, headers={"if-none-match": "*"})
    assert (exists.status, exists.json()["code"]) == (412, "PreconditionFailed")
    assert azure.call("DELETE", f"{ZONE}/CNAME/granitefalls", "2018-05-01").status == 200
    assert azure.call("DELETE", f"{ZONE}/CNAME/granitefalls", "2018-05-01").status == 204


def test_secrets_are_for_nobody_and_certificates_for_readers() -> None:
    azure = Azure({"key_vaults": [{"id": VAULT, "readers": [], "certificates": []}]})
    host, audience = "kv-cmg.vault.azure.net", "https://vault.azure.net"
    for path in ("/secrets/granitefalls", "/certificates/granitefalls"):
        refused = azure.call("GET", path, "7.4", host=host, audience=audience)
        assert azure.error(refused) == (403, "Forbidden")
        assert refused.json()["error"]["innererror"]["code"] == "ForbiddenByRbac"
    slash = azure.call("GET", "/certificates/x", "7.4", host=host, audience=audience + "/")
    assert "AKV10022" in slash.json()["error"]["message"]


def test_tokens_come_from_the_directory_and_the_managed_identity_endpoint() -> None:
    azure = Azure()
    me = azure.world.identity
    form = f"grant_type=client_credentials&client_id={me.client_id}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
    path = f"/{me.tenant}/oauth2/v2.0/token"

    def sign_in(secret: str) -> Response:
        body = f"{form}&client_secret={secret}".encode()
        return azure.simulator.handle(Request("POST", "login.microsoftonline.com", path, {}, {}, body), azure.now)

    assert sign_in("wrong").status == 401
    token = sign_in(me.secret).json()["access_token"]
    listed = azure.simulator.handle(
        Request(
            "GET",
            "management.azure.com",
            "/subscriptions",
            {"api-version": "2022-12-01"},
            {"authorization": f"Bearer {token}"},
        ),
        azure.now,
    )
    assert [item["subscriptionId"] for item in listed.json()["value"]] == [SUBSCRIPTION]
    query = {"resource": "https://vault.azure.net", "api-version": "2019-08-01"}
    asked = Request("GET", "identity", "/msi/token", query, {"x-identity-header": me.header})
    assert azure.simulator.handle(asked, azure.now).json()["resource"] == "https://vault.azure.net"
    assert azure.simulator.handle(Request("GET", "identity", "/msi/token", query), azure.now).status == 401
    kept = repr(azure.world.log)
    assert token not in kept
    assert me.secret not in kept
    assert me.header not in kept


def test_faults_answer_delay_cut_and_fail() -> None:
    azure = Azure()
    azure.simulator.add_fault(
        {
            "match": {"method": "GET", "path": "storageAccounts"},
            "after": 1,
            "times": 1,
            "action": {"status": 503, "body": {"error": {"code": "Busy"}}},
        }
    )
    assert [azure.call("GET", STORAGE, "2023-01-01").status for _ in range(3)] == [200, 503, 200]
    azure.simulator.clear_faults()
    azure.simulator.add_fault({"action": {"delay_s": 2}})
    assert azure.call("GET", STORAGE, "2023-01-01").delay_s == 2
    azure.simulator.add_fault({"match": {"method": "PUT"}, "action": {"disconnect": True}})
    with pytest.raises(Disconnect):
        azure.network("PUT", "publicIPAddresses/ip", ADDRESS)
    assert azure.network("GET", "publicIPAddresses/ip").status == 404
    azure.simulator.add_fault(
        {
            "match": {"method": "PUT"},
            "action": {"operation": "fail", "error": {"code": "AllocationFailed", "message": "No room."}},
        }
    )
    accepted = azure.network("PUT", "publicIPAddresses/ip", ADDRESS)
    azure.settle()
    assert _follow(azure, accepted.header("Azure-AsyncOperation")).json()["error"]["code"] == "AllocationFailed"
    with pytest.raises(FaultError):
        azure.simulator.add_fault({"action": {"explode": True}})


def test_the_critical_path_is_the_longest_chain() -> None:
    azure = Azure(
        {
            **GATEWAY,
            "durations": {"virtualMachineScaleSets.delete": 30, "loadBalancers.delete": 10, "domainNames.delete": 15},
        }
    )
    azure.call("DELETE", f"{COMPUTE}/oldgate", "2024-11-01")
    azure.call("DELETE", SERVICE, "2016-11-01")
    azure.settle()
    azure.network("DELETE", "loadBalancers/oldgate-lb")
    azure.settle()
    azure.network("GET", "loadBalancers/oldgate-lb")
    document = state(azure.world)
    assert document["critical_path_seconds"] == 40
    assert SERVICE in document["deleted"]
    assert json.loads(json.dumps(document)) == document


def test_a_world_is_described_exactly() -> None:
    azure = Azure()
    for seed in (
        {"colour": "red"},
        {"certificates": {"x": {"valid_until": "soon"}}},
        {"classic_cloud_services": [{"id": SERVICE, "certificate": "nobody"}]},
        {"scale_set_gateways": [{"group": GROUP, "label": "x", "certificate": "kv/none"}]},
    ):
        with pytest.raises(SeedError):
            build_world(seed, time_scale=1, now=azure.now)


@given(days=st.integers(0, 9999), hours=st.integers(0, 99), is_negative=st.booleans())
def test_durations_are_read_as_written(days: int, hours: int, is_negative: bool) -> None:
    sign = -1 if is_negative else 1
    assert duration(f"{'-' if is_negative else ''}P{days}DT{hours}H").total_seconds() == sign * (
        days * 86400 + hours * 3600
    )


def test_what_a_get_shows_a_put_takes() -> None:
    azure = Azure({**GATEWAY})
    for resource in list(azure.world.children(NETWORK)):
        if "dnsZones" not in resource.type:
            shown = azure.call("GET", resource.id, "2024-05-01").json()
            assert azure.call("PUT", resource.id, "2024-05-01", shown).status == 200
            azure.settle()
    shown = azure.call("GET", f"{COMPUTE}/oldgate", "2024-11-01").json()
    assert _put_scale_set(azure, "oldgate", shown).status == 200

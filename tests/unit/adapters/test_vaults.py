"""The Vaults port over Key Vault's own client, against a scripted vault."""

import asyncio
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest

from cmg_core.azure.cloud import CloudName
from cmg_core.azure.connections import KEPT_SUBSCRIPTIONS
from cmg_core.domain.errors import AzureRefused, TryAgain
from cmg_core.domain.tenants import Tenant
from cmg_core.services import VaultCertificate
from tests.unit.adapters.scripted import Answer, Asked, connected

VAULT = "https://kv-cmg.vault.azure.net"
TENANT = Tenant("t")
LEAF = b"leaf in DER"
BUNDLE: dict[str, Any] = {
    "id": f"{VAULT}/certificates/cmg/v1",
    "kid": f"{VAULT}/keys/cmg/v1",
    "sid": f"{VAULT}/secrets/cmg/v1",
    "x5t": urlsafe_b64encode(b"x" * 20).decode(),
    "cer": b64encode(LEAF).decode(),
    "attributes": {"enabled": True},
    "policy": {
        "id": f"{VAULT}/certificates/cmg/policy",
        "key_props": {"exportable": True, "kty": "RSA", "key_size": 2048, "reuse_key": False},
        "secret_props": {"contentType": "application/x-pkcs12"},
    },
}
CHALLENGE = {
    "WWW-Authenticate": 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
}


def vault(answer: Answer) -> Any:
    """Challenges who comes without a token, as every vault does."""
    return lambda asked: answer if "Authorization" in asked.headers else Answer(401, None, CHALLENGE)


def test_the_newest_version_is_read_without_its_key() -> None:
    connections, transport = connected(vault(Answer(body=BUNDLE)))
    assert asyncio.run(connections.vaults.certificate(TENANT, VAULT, "cmg")) == VaultCertificate(
        leaf=LEAF,
        version="v1",
        secret_id=f"{VAULT}/secrets/cmg/v1",
        enabled=True,
        exportable=True,
        key_type="RSA",
        key_size=2048,
        content_type="application/x-pkcs12",
    )
    assert {asked.path for asked in transport.asked} == {"/certificates/cmg/"}
    assert transport.asked[-1].headers["Authorization"] == "Bearer token-for-https://vault.azure.net/.default"


def test_an_imported_certificate_may_tell_little() -> None:
    bundle = {key: BUNDLE[key] for key in ("id", "kid", "sid", "x5t", "cer", "attributes")}
    connections, _ = connected(vault(Answer(body=bundle)))
    seen = asyncio.run(connections.vaults.certificate(TENANT, VAULT, "cmg"))
    assert seen is not None
    assert (seen.leaf, seen.exportable, seen.key_type, seen.key_size) == (LEAF, False, "", None)


def test_no_certificate_of_that_name() -> None:
    body = {"error": {"code": "CertificateNotFound", "message": "A certificate with (name/id) cmg was not found"}}
    connections, _ = connected(vault(Answer(404, body)))
    assert asyncio.run(connections.vaults.certificate(TENANT, VAULT, "cmg")) is None


def test_a_refusal_tells_which_rule_of_the_vault_refused() -> None:
    body = {
        "error": {"code": "Forbidden", "message": "Caller is not authorized", "innererror": {"code": "ForbiddenByRbac"}}
    }
    connections, _ = connected(vault(Answer(403, body)))
    with pytest.raises(AzureRefused) as refused:
        asyncio.run(connections.vaults.certificate(TENANT, VAULT, "cmg"))
    assert (refused.value.code, refused.value.message) == ("Forbidden", "ForbiddenByRbac: Caller is not authorized")
    assert refused.value.target == f"{VAULT}/certificates/cmg"


def test_a_busy_vault_is_tried_again_by_nobody_but_the_engine() -> None:
    connections, transport = connected(vault(Answer(429, headers={"Retry-After": "4"})))
    with pytest.raises(TryAgain) as again:
        asyncio.run(connections.vaults.certificate(TENANT, VAULT, "cmg"))
    assert again.value.after.total_seconds() == 4
    assert len([asked for asked in transport.asked if "Authorization" in asked.headers]) == 1


def test_a_vault_whose_challenge_names_another_resource_gets_no_token() -> None:
    challenge = {"WWW-Authenticate": CHALLENGE["WWW-Authenticate"].replace("vault.azure.net", "vault.evil.example")}
    connections, transport = connected(lambda _: Answer(401, None, challenge))
    with pytest.raises(AzureRefused, match="does not match"):
        asyncio.run(connections.vaults.certificate(TENANT, "https://kv-other.vault.azure.net", "cmg"))
    assert all("Authorization" not in asked.headers for asked in transport.asked)


def test_a_vault_of_another_cloud_is_not_asked() -> None:
    def nobody(_: Asked) -> Answer:
        raise AssertionError

    connections, _ = connected(nobody, CloudName.US_GOVERNMENT)
    with pytest.raises(AzureRefused, match="CMG_CLOUD"):
        asyncio.run(connections.vaults.certificate(TENANT, VAULT, "cmg"))


def test_clients_are_kept_for_the_subscriptions_in_use_and_not_for_all() -> None:
    connections, _ = connected(vault(Answer(body=BUNDLE)))
    first = connections.resource_manager(TENANT, "s")
    for number in range(KEPT_SUBSCRIPTIONS):
        connections.resource_manager(TENANT, f"s{number}")
        assert connections.resource_manager(TENANT, "s") is first
    assert connections.resource_manager(TENANT, "s0") is connections.resource_manager(TENANT, "s0")
    for number in range(KEPT_SUBSCRIPTIONS):
        connections.resource_manager(TENANT, f"s{number}")
    assert connections.resource_manager(TENANT, "s") is not first


def test_closing_closes_the_shared_transport() -> None:
    connections, transport = connected(vault(Answer(body=BUNDLE)))

    async def use() -> None:
        await connections.vaults.certificate(TENANT, VAULT, "cmg")
        assert not transport.closed
        await connections.aclose()

    asyncio.run(use())
    assert transport.closed

"""Certificates of a scale set's machines: what Azure's fabric insists on before it fetches one from a vault.

Source: refusals in public issues. Their HTTP status is not evidenced; 400 is our own knowledge.
"""

import re

from local.azure.arm.call import Call
from local.azure.errors import compute_error
from local.azure.ids import parse
from local.azure.world import Body

_SECRET_URL = re.compile(r"https://[^/]+/secrets/[^/]+/[0-9a-f]{32}/?", re.IGNORECASE)


def certificate_urls(body: Body) -> tuple[str, ...]:
    """The versioned secret URLs that a scale set's body gives its machines."""
    system = body["properties"]["virtualMachineProfile"].get("osProfile", {})
    return tuple(
        certificate["certificateUrl"]
        for secret in system.get("secrets", [])
        for certificate in secret["vaultCertificates"]
    )


def check_secrets(call: Call, body: Body) -> None:
    """The vault in the region and the subscription, enabled for deployment; a versioned secret that exists."""
    for secret in body["properties"]["virtualMachineProfile"].get("osProfile", {}).get("secrets", []):
        vault_id = secret["sourceVault"]["id"]
        for certificate in secret["vaultCertificates"]:
            _check(call, body, vault_id, certificate["certificateUrl"])


def _check(call: Call, body: Body, vault_id: str, url: str) -> None:
    parsed = parse(vault_id)
    if parsed is None:
        raise compute_error(400, "InvalidParameter", f"The Key Vault id {vault_id} is not valid.", "sourceVault.id")
    if parsed.subscription.lower() != call.subscription.id.lower():
        raise compute_error(
            400,
            "KeyVaultAndVMInDifferentSubscriptions",
            f'The SubscriptionId:"{call.subscription.id}" of the request must match the SubscriptionId '
            f'"{parsed.subscription}" contained in the Key Vault Id.',
        )
    if not _SECRET_URL.fullmatch(url):
        raise compute_error(
            400,
            "InvalidParameter",
            f"{url} is not a valid versioned Key Vault Secret URL. It should be in the format "
            "https://<vaultEndpoint>/secrets/<secretName>/<secretVersion>.",
            "certificateUrl",
        )
    vault = call.world.resource(vault_id)
    forbidden = compute_error(
        400,
        "KeyVaultAccessForbidden",
        f"Key Vault {url} either has not been enabled for deployment or the vault id provided, {vault_id}, does not "
        "match the Key Vault's true resource id.",
    )
    if vault is None or not vault.properties.get("enabledForDeployment"):
        raise forbidden
    if not url.lower().startswith(vault.properties["vaultUri"].lower()):
        raise forbidden
    if vault.location != body["location"]:
        raise compute_error(
            400,
            "KeyVaultAndVMInDifferentRegions",
            f"The Key Vault {vault.properties['vaultUri']} is located in location {vault.location}, which is different "
            f"from the location of the VM, {body['location']}.",
        )
    version = call.world.certificates.get(url.lower().rstrip("/"))
    if version is None or not version.enabled:
        raise compute_error(
            400,
            "KeyVaultSecretDoesNotExist",
            f"The Key Vault secret referenced with the URL {url} does not exist or is disabled.",
        )
    if version.content_type != "application/x-pkcs12" or not version.exportable:
        raise compute_error(
            400, "CertificateImproperlyFormatted", f"The secret with URL {url} is not a certificate with its key."
        )

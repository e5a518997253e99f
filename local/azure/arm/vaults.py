"""Microsoft.KeyVault/vaults: the management half of a vault; certificates are in `local/azure/vault.py`."""

import copy

from local.azure.arm.call import Call
from local.azure.arm.storing import new_body, require_location, save
from local.azure.errors import AzureError, json_response
from local.azure.messages import Response
from local.azure.world import Body

VERSIONS = (
    "2016-10-01",
    "2018-02-14",
    "2019-09-01",
    "2021-10-01",
    "2022-07-01",
    "2023-02-01",
    "2023-07-01",
    "2024-11-01",
)
TYPE = "Microsoft.KeyVault/vaults"
VAULT_NAME_RULE = "Vault names must be between 3 and 24 alphanumeric characters."


def vault_properties(name: str, tenant: str, given: Body, is_government: bool) -> Body:
    """A vault's properties with Azure's defaults."""
    suffix = "vault.usgovcloudapi.net" if is_government else "vault.azure.net"
    return {
        "sku": {"family": "A", "name": "standard"},
        "tenantId": tenant,
        "accessPolicies": [],
        "enabledForDeployment": False,
        "enabledForDiskEncryption": False,
        "enabledForTemplateDeployment": False,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": 90,
        "enableRbacAuthorization": False,
        "publicNetworkAccess": "Enabled",
        **copy.deepcopy(given),
        "vaultUri": f"https://{name.lower()}.{suffix}/",
        "provisioningState": "Succeeded",
    }


def put_vault(call: Call) -> Response:
    """PUT vaults: 200 with the vault; its name is unique in the whole world."""
    given, existing = call.json(), call.existing()
    require_location(given, existing)
    name = call.id.name
    if not 3 <= len(name) <= 24:
        raise AzureError(400, "VaultNameNotValid", VAULT_NAME_RULE)
    taken = any(v.name.lower() == name.lower() for v in call.world.of_type(TYPE) if existing is None)
    if taken:
        raise AzureError(409, "VaultAlreadyExists", f"The vault name '{name}' is already in use.")
    body = new_body(call, TYPE, given, existing)
    body["properties"] = vault_properties(
        name, call.subscription.tenant, given.get("properties") or {}, call.request.host.endswith("usgovcloudapi.net")
    )
    return json_response(200, save(call.world, call.now, TYPE, body).body)


def patch_vault(call: Call) -> Response:
    """PATCH vaults: tags and properties, at once."""
    existing = call.existing()
    if existing is None:
        raise AzureError(404, "ResourceNotFound", f"The vault '{call.id.name}' was not found.")
    given = call.json()
    existing.body["tags"] = given.get("tags", existing.body.get("tags", {}))
    existing.properties.update(given.get("properties") or {})
    existing.changed_at = call.now
    return json_response(200, existing.body)

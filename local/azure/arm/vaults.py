"""Microsoft.KeyVault/vaults: the management half of a vault; certificates are in `local/azure/vault.py`.

Source: Key Vault's API description (deletedVaults, checkNameAvailability) and the texts of VaultAlreadyExists and
ConflictError in public issues.
"""

import copy
import re
from datetime import datetime, timedelta

from local.azure.arm.call import Call, Handler
from local.azure.arm.storing import new_body, require_location, save
from local.azure.errors import AzureError, json_response
from local.azure.messages import Response
from local.azure.operations import forget
from local.azure.world import Body, World

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
RETENTION_DAYS = 90
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
    if existing is None and name.lower() in call.world.deleted_vaults:
        raise AzureError(
            409,
            "ConflictError",
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing "
            "key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft "
            "delete.",
        )
    if taken or (existing is None and name.lower() in call.world.taken_names.get("vaults", ())):
        raise AzureError(409, "VaultAlreadyExists", _in_use(name))
    body = new_body(call, TYPE, given, existing)
    body["properties"] = vault_properties(
        name, call.subscription.tenant, given.get("properties") or {}, call.request.host.endswith("usgovcloudapi.net")
    )
    return json_response(200, save(call.world, call.now, TYPE, body).body)


def _in_use(name: str) -> str:
    return (
        f"The vault name '{name}' is already in use. Vault names are globaly unique so it is possible that the name is "
        "already taken. If you are sure that the vault name was not taken then it is possible that a vault with the "
        "same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a "
        "recoverable state then the vault will need to be purged before reusing the name. For more information on soft "
        "delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740."
    )


def bury(world: World, vault_id: str, location: str, *, purge_protection: bool, now: datetime) -> None:
    """Keeps a vault that was deleted: its name stays taken for its days of retention."""
    name = vault_id.rsplit("/", 1)[-1]
    subscription = vault_id.split("/")[2]
    until = now + timedelta(days=RETENTION_DAYS)
    properties: Body = {
        "vaultId": vault_id,
        "location": location,
        "deletionDate": now.isoformat(),
        "scheduledPurgeDate": until.isoformat(),
        "tags": {},
    }
    if purge_protection:
        properties["purgeProtectionEnabled"] = True
    world.deleted_vaults[name.lower()] = {
        "id": f"/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}",
        "name": name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": properties,
    }


def delete_vault(call: Call) -> Response:
    """DELETE vaults: at once, and the vault is soft-deleted."""
    existing = call.existing()
    if existing is None:
        return Response(204)
    protected = existing.properties.get("enablePurgeProtection") is True
    bury(call.world, existing.id, existing.location, purge_protection=protected, now=call.now)
    forget(call.world, existing)
    return Response(200)


def list_deleted(call: Call) -> Response:
    """GET deletedVaults: those of the subscription, in every region."""
    inside = f"/subscriptions/{call.subscription.id}/".lower()
    rows = [body for body in call.world.deleted_vaults.values() if body["id"].lower().startswith(inside)]
    return json_response(200, {"value": rows})


def check_name(call: Call) -> Response:
    """POST checkNameAvailability: a vault's name, in all of Azure; a deleted vault holds its name."""
    name = str(call.json().get("name", ""))
    if not re.fullmatch(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,22}[a-zA-Z0-9]", name):
        return json_response(200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": VAULT_NAME_RULE})
    standing = any(vault.name.lower() == name.lower() for vault in call.world.of_type(TYPE))
    others = call.world.taken_names.get("vaults", frozenset())
    if standing or name.lower() in others or name.lower() in call.world.deleted_vaults:
        return json_response(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": _in_use(name)})
    return json_response(200, {"nameAvailable": True})


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


CALLS: dict[str, Handler] = {"checknameavailability": check_name, "deletedvaults": list_deleted}

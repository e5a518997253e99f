"""The names that a gateway takes when the site makes it: one first label in four spaces.

Sources: Configuration Manager docs, "CMG server authentication certificate" (vault and deployment name take the
prefix) and "internet endpoints" (storage account and vault by prefix); memdocs issue 1883 (the console checks the
scale set's name only, and a clash of the vault surfaces in CloudMgr.log); Key Vault docs, "soft-delete overview" (a
soft-deleted vault keeps its name until it is purged). A gateway that the app makes itself needs the DNS label alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cmg_core.domain.findings import blocks
from cmg_core.domain.names import first_label_of
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.values import JsonObject, at, text_at


@dataclass(frozen=True)
class NameSpaces:
    """What Azure says of one name as vault and as storage account, and the soft-deleted vault of that name, if any."""

    vault: JsonObject
    storage: JsonObject
    deleted_vault: JsonObject | None


def holds_the_names(request: Request, label: str) -> bool:
    """Whether the gateway to come from has that first label, and with it vault and storage names: names derive from the
    service name, so its region does not matter."""
    old = request.old_gateway if isinstance(request, ReplacementRequest) else None
    return old is not None and not old.gone and first_label_of(old.service_name) == label


def names_held(request: ReplacementRequest, label: str) -> Finding:
    """That the old gateway stands in the way of a gateway of the same first label."""
    return blocks(
        "names-held-by-old-gateway",
        f"The site names deployment, vault and storage account after the first label «{label}», and the old gateway "
        f"({request.old_gateway.service_name}) holds those names.",
        "Take a service name with another first label. Or, only with another gateway that serves the clients "
        "meanwhile, delete the old gateway first (and purge its vault), then ask with `old_gateway.gone`.",
        resource=request.old_gateway.resource_id,
        pointer="/old_gateway/service_name",
    )


def judge_names(spaces: NameSpaces, label: str) -> Iterator[Finding]:
    """Whether vault and storage account of that name can be made. A soft-deleted vault of one's own is told as that:
    it can be purged, where another's cannot."""
    if spaces.deleted_vault is not None:
        purge_protected = at(spaces.deleted_vault, "properties", "purgeProtectionEnabled") is True
        until = text_at(spaces.deleted_vault, "properties", "scheduledPurgeDate")
        yield blocks(
            "vault-name-soft-deleted",
            f"A deleted vault «{label}» still holds the name"
            + (f" until {until}" if until else "")
            + (", and is protected against being purged." if purge_protected else "."),
            "Take a service name with another first label."
            if purge_protected
            else f"Run: az keyvault purge --name {label} (what was in it is lost). Or take a service name with another "
            "first label.",
            resource=text_at(spaces.deleted_vault, "id"),
        )
    elif at(spaces.vault, "nameAvailable") is False:
        yield _taken("vault-name-taken", "vault", label, spaces.vault)
    if at(spaces.storage, "nameAvailable") is False:
        yield _taken("storage-name-taken", "storage account", label, spaces.storage)


def _taken(code: str, what: str, label: str, said: JsonObject) -> Finding:
    reason = text_at(said, "message") or text_at(said, "reason")
    return blocks(
        code,
        f"The site would name the gateway's {what} «{label}», and Azure does not give that name: {reason}",
        "Take a service name with another first label. Names of vaults and storage accounts are unique in all of "
        "Azure, and a vault that was deleted keeps its name until it is purged.",
        pointer="/service_name",
    )

"""Where the new gateway will stand: subscription, resource group, vault, and the resources that it is made of."""

from collections.abc import Mapping, Sequence

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.gateway_resources import OWNER_TAG
from cmg_core.domain.locks import locks_against_change, locks_against_deletion
from cmg_core.domain.other_subscriptions import OtherSubscription, in_other_tenant
from cmg_core.domain.plans import NewResources
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.requests import Request
from cmg_core.domain.tenants import Access, Identities, not_delegated, other_tenant
from cmg_core.domain.values import JsonObject, ResourceId, at, objects_at, same_id, tags_of, text_at


def is_region(location: str, region: str) -> bool:
    """Whether a location is that region: Azure writes ``East US`` and ``eastus`` for the same."""
    return location.replace(" ", "").lower() == region.lower()


def group_id(request: Request) -> str:
    """The ID of the new gateway's resource group."""
    return f"/subscriptions/{request.subscription_id}/resourceGroups/{request.resource_group}"


def new_resources(request: Request, label: str, zones: tuple[str, ...]) -> NewResources:
    """The IDs of what will be made; every name begins with the label."""
    network = f"{group_id(request)}/providers/Microsoft.Network"
    return NewResources(
        resource_group=group_id(request),
        network_security_group=f"{network}/networkSecurityGroups/{label}-nsg",
        virtual_network=f"{network}/virtualNetworks/{label}-vnet",
        public_address=f"{network}/publicIPAddresses/{label}-ip",
        load_balancer=f"{network}/loadBalancers/{label}-lb",
        scale_set=f"{group_id(request)}/providers/Microsoft.Compute/virtualMachineScaleSets/{label}",
        zones=zones,
    )


def is_csp(body: JsonObject) -> bool:
    """Whether a subscription is a Cloud Solution Provider's, by its offer ("Azure offer IDs and quota IDs")."""
    return text_at(body, "subscriptionPolicies", "quotaId").upper().startswith("CSP_")


_STATES = {
    "Warned": "it is read-only and will be disabled soon: what is in it may be deleted, nothing made or changed",
    "Disabled": "it is read-only: its virtual machines are stopped, what is in it may be deleted, nothing made or "
    "changed",
    "Deleted": "it is deleted with all that was in it",
}
"""What a subscription's state means where it allows no deployment (Microsoft Learn, "Azure subscription states")."""


def judge_subscription(body: JsonObject, request: Request, who: Identities) -> tuple[Finding, ...]:
    """Whether the subscription can be written to, is the tenant's, and is delegated where the request says so."""
    where, owner = f"/subscriptions/{request.subscription_id}", text_at(body, "tenantId").lower()
    found = _judge_state(body, where, "/subscription_id")
    if owner and owner != request.tenant_id:
        found.append(other_tenant(owner, where))
    else:
        found += _judge_delegation(body, request, who, where)
    return tuple(found)


def judge_other_subscription(
    body: JsonObject, other: OtherSubscription, request: Request, who: Identities
) -> tuple[Finding, ...]:
    """The same of another subscription, in which the zone or the old gateway lies. Where the old gateway alone lies
    there, its state is a warning: what is in a read-only subscription may be deleted, and nothing else is done
    there."""
    owner = text_at(body, "tenantId").lower()
    if owner and owner != request.tenant_id:
        return (in_other_tenant(other, owner),)
    found = _judge_state(body, other.scope, other.pointer)
    if not other.is_written_to:
        found = [finding.model_copy(update={"severity": Severity.WARNS}) for finding in found]
    return (*found, *_judge_delegation(body, request, who, other.scope))


def _judge_delegation(body: JsonObject, request: Request, who: Identities, where: str) -> list[Finding]:
    if who.access_to(request.tenant) is not Access.DELEGATED or who.home in _managing_tenants(body):
        return []
    return [not_delegated(request.tenant, who, where)]


def _judge_state(body: JsonObject, where: str, pointer: str) -> list[Finding]:
    found: list[Finding] = []
    state = text_at(body, "state")
    if state == "PastDue":
        found.append(
            warns(
                "subscription-past-due",
                "A payment for the subscription is overdue (state «PastDue»). It works still; left unpaid it becomes "
                "read-only, perhaps while the deployment is under way.",
                "Have the bill paid first (portal: Cost Management + Billing; a CSP's customer pays the partner).",
                resource=where,
                pointer=pointer,
            )
        )
    elif state != "Enabled":
        found.append(
            blocks(
                "subscription-not-enabled",
                f"The subscription's state is «{state}»{f': {_STATES[state]}' if state in _STATES else ''}.",
                "Have the subscription enabled (portal: Cost Management + Billing; a CSP's partner lifts a suspension "
                "in Partner Center), or use another one.",
                resource=where,
                pointer=pointer,
            )
        )
    return found


def _managing_tenants(body: JsonObject) -> set[str]:
    """The tenants that the subscription is delegated to (Subscriptions API, ``managedByTenants``)."""
    return {text_at(tenant, "tenantId").lower() for tenant in objects_at(body, "managedByTenants")}


def unregistered(states: Mapping[str, str], needed: Sequence[str]) -> tuple[str, ...]:
    """The namespaces that the deployment has to register: what is being unregistered will have to be, too."""
    known = {namespace.lower(): state.lower() for namespace, state in states.items()}
    return tuple(namespace for namespace in needed if known.get(namespace.lower()) not in ("registered", "registering"))


def judge_providers(states: Mapping[str, str], needed: Sequence[str]) -> tuple[Finding, ...]:
    """Tell which resource providers will be registered, and which are between two states.

    How long each takes is what recorded sessions show: registering about 80 seconds, unregistering about 10. Whether
    the app may register is a matter of its permissions.
    """
    known = {namespace.lower(): state.lower() for namespace, state in states.items()}

    def are(*wanted: str) -> str:
        return ", ".join(name for name in needed if known.get(name.lower(), "notregistered") in wanted)

    found: list[Finding] = []
    if missing := are("notregistered", "unregistered"):
        found.append(
            tells(
                "providers-to-register",
                f"Not registered in the subscription: {missing}.",
                "Nothing to do: they are registered before anything is made, which takes a minute or two.",
            )
        )
    if coming := are("registering"):
        found.append(
            tells(
                "providers-registering",
                f"Being registered in the subscription just now: {coming}.",
                "Nothing to do: the deployment waits for it, usually a minute or two. One that says so for hours "
                "hangs: unregister it and register it again.",
            )
        )
    if going := are("unregistering"):
        found.append(
            warns(
                "providers-being-unregistered",
                f"Somebody unregisters {going} at this moment.",
                "Find out who and why. The deployment waits until that is over, usually some seconds, and registers "
                "them again.",
            )
        )
    return tuple(found)


def judge_group(body: JsonObject | None, request: Request) -> tuple[Finding, ...]:
    """Whether the resource group, where it exists, can take the gateway.

    setup-cloud-management-gateway: an existing group must be in the gateway's region.
    """
    if body is None:
        return ()
    found: list[Finding] = []
    location = text_at(body, "location")
    if not is_region(location, request.region):
        found.append(
            blocks(
                "group-in-other-region",
                f"The resource group is in {location}; a gateway's group must be in its own region, {request.region}.",
                "Name another resource group: one that does not exist is made.",
                resource=group_id(request),
                pointer="/resource_group",
            )
        )
    if text_at(body, "properties", "provisioningState") == "Deleting":
        found.append(
            blocks(
                "group-being-deleted",
                "The resource group is being deleted.",
                "Wait until it is gone, or name another one.",
                resource=group_id(request),
                pointer="/resource_group",
            )
        )
    return tuple(found)


def judge_existing(contents: Sequence[JsonObject], make: NewResources, deployment_id: str) -> tuple[Finding, ...]:
    """Whether anybody else's resource has the name of one that will be made."""
    return tuple(
        blocks(
            "resource-name-taken",
            "A resource of this name exists and does not belong to this deployment.",
            "Name another resource group, or remove that resource if nobody needs it.",
            resource=text_at(body, "id"),
            pointer="/resource_group",
        )
        for body in contents
        if any(same_id(text_at(body, "id"), id) for id in make.ids) and tags_of(body).get(OWNER_TAG) != deployment_id
    )


def judge_vault(body: JsonObject | None, request: Request, deleted: JsonObject | None = None) -> tuple[Finding, ...]:
    """Whether instances can take the certificate from its vault: same subscription, same region, enabled for deployment
    (virtual machine API, ``osProfile.secrets``). ``deleted`` is the soft-deleted vault of that name, where it is."""
    if request.certificate is None:
        return ()
    if body is None and deleted is not None:
        name, place = text_at(deleted, "name"), text_at(deleted, "properties", "location") or request.region
        when = text_at(deleted, "properties", "deletionDate")
        return (
            blocks(
                "vault-soft-deleted",
                f"The vault {request.certificate.vault} was deleted{f' at {when}' if when else ''} and can still be "
                "recovered.",
                f"Run: az keyvault recover --name {name} --location {place}. Or import the certificate into "
                "another vault.",
                resource=text_at(deleted, "id"),
                pointer="/certificate/vault",
            ),
        )
    if body is None:
        return (
            blocks(
                "vault-not-in-subscription",
                f"The vault {request.certificate.vault} is not in the subscription of the new gateway (or the "
                "app may not "
                "see it there).",
                "Import the certificate, with its key exportable, into a vault in the gateway's subscription "
                "and region, and "
                "let the app's identity read that vault.",
                pointer="/certificate/vault",
            ),
        )
    id, location = text_at(body, "id"), text_at(body, "location")
    found: list[Finding] = []
    if not is_region(location, request.region):
        found.append(
            blocks(
                "vault-in-other-region",
                f"The vault is in {location}; instances in {request.region} cannot take a certificate from it.",
                f"Import the certificate, with its key exportable, into a vault in {request.region}.",
                resource=id,
                pointer="/certificate/vault",
            )
        )
    if at(body, "properties", "enabledForDeployment") is not True:
        found.append(
            blocks(
                "vault-not-enabled-for-deployment",
                "The vault is not enabled for deployment: virtual machines may not take certificates from it.",
                f"Run: az keyvault update --name {ResourceId.parse(id).name} --enabled-for-deployment true",
                resource=id,
                pointer="/certificate/vault",
            )
        )
    return tuple(found)


def judge_vault_access(body: JsonObject, request: Request) -> tuple[Finding, ...]:
    """Why a vault that did not let the app in keeps it out: public access is off, or its firewall lets nobody else pass
    (Key Vault docs, "Configure networking settings"). Azure's own fabric, which brings instances the certificate, is
    let in by the bypass for trusted services."""
    id = text_at(body, "id")
    is_private = text_at(body, "properties", "publicNetworkAccess").lower() == "disabled"
    is_walled = text_at(body, "properties", "networkAcls", "defaultAction").lower() == "deny"
    if not (is_private or is_walled):
        return ()
    if is_private:
        seen = "The vault's public network access is disabled: only private endpoints reach it."
        cure = "Give the app's network a private endpoint of the vault, or"
    else:
        seen = "The vault's firewall lets the app's address not pass."
        cure = "Let the app's outbound address or its subnet pass the vault's firewall, or"
    return (
        blocks(
            "vault-closed",
            f"{seen} The app could not read the certificate's public part.",
            f"{cure} import the certificate into a vault that the app reaches.",
            resource=id,
            pointer="/certificate/vault",
        ),
    )


def judge_locks_on_target(locks: Sequence[JsonObject], request: Request) -> tuple[Finding, ...]:
    """Whether a read-only lock keeps the resource group, or the zone that the app is to change, as it is."""
    targets = [group_id(request), *([request.dns.zone_id] if request.dns else [])]
    return tuple(
        blocks(
            "locked-read-only",
            f"The read-only lock {lock.id} allows no change here.",
            "Ask who set the lock whether the change may be made, and have it removed.",
            resource=target,
        )
        for target in targets
        for lock in locks_against_change(locks, target)
    )


def judge_locks_on_old(locks: Sequence[JsonObject], ids: Sequence[str]) -> tuple[Finding, ...]:
    """Whether a lock protects what the plan is to delete."""
    return tuple(
        blocks(
            "locked",
            f"The {lock.level} lock {lock.id} protects this part of the old gateway.",
            "Ask who set the lock whether the old gateway may go, and have it removed.",
            resource=id,
        )
        for id in ids
        for lock in locks_against_deletion(locks, id)
    )

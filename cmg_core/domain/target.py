"""Where the new gateway will stand: subscription, resource group, vault, and the resources that it is made of."""

from collections.abc import Mapping, Sequence

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.gateway_resources import OWNER_TAG
from cmg_core.domain.locks import locks_against_change, locks_against_deletion
from cmg_core.domain.plans import NewResources
from cmg_core.domain.problems import Finding
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


_STATES = {
    "Warned": "it is read-only and will be disabled soon: what is in it may be deleted, nothing made or changed",
    "Disabled": "it is read-only: its virtual machines are stopped, what is in it may be deleted, nothing made or "
    "changed",
    "Deleted": "it is deleted with all that was in it",
}
"""What a subscription's state means where it allows no deployment (Microsoft Learn, "Azure subscription states")."""


def judge_subscription(body: JsonObject, request: Request, who: Identities) -> tuple[Finding, ...]:
    """Whether the subscription can be written to, is the tenant's, and is delegated where the request says so."""
    found: list[Finding] = []
    state, owner = text_at(body, "state"), text_at(body, "tenantId").lower()
    where = f"/subscriptions/{request.subscription_id}"
    if state == "PastDue":
        found.append(
            warns(
                "subscription-past-due",
                "A payment for the subscription is overdue (state «PastDue»). It works still; left unpaid it becomes "
                "read-only, perhaps while the deployment is under way.",
                "Have the bill paid first (portal: Cost Management + Billing; a CSP's customer pays the partner).",
                resource=where,
                pointer="/subscription_id",
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
                pointer="/subscription_id",
            )
        )
    if owner and owner != request.tenant_id:
        found.append(other_tenant(owner, where))
    elif who.access_to(request.tenant) is Access.DELEGATED and who.home not in _managing_tenants(body):
        found.append(not_delegated(request.tenant, who, where))
    return tuple(found)


def _managing_tenants(body: JsonObject) -> set[str]:
    """The tenants that the subscription is delegated to (Subscriptions API, ``managedByTenants``)."""
    return {text_at(tenant, "tenantId").lower() for tenant in objects_at(body, "managedByTenants")}


def judge_providers(states: Mapping[str, str], needed: Sequence[str]) -> tuple[Finding, ...]:
    """Tell which resource providers will be registered, and warn of those that somebody is taking away."""
    known = {namespace.lower(): state for namespace, state in states.items()}
    missing = [namespace for namespace in needed if known.get(namespace.lower()) != "Registered"]
    going = [namespace for namespace in missing if known.get(namespace.lower()) == "Unregistering"]
    found: list[Finding] = []
    if missing:
        found.append(
            tells(
                "providers-to-register",
                f"Not registered in the subscription: {', '.join(missing)}.",
                "Nothing to do: they are registered before anything is made.",
            )
        )
    if going:
        found.append(
            warns(
                "providers-being-unregistered",
                f"Somebody unregisters {', '.join(going)} at this moment.",
                "Find out who and why: the deployment waits until it is done, and registers them again.",
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


def judge_vault(body: JsonObject | None, request: Request) -> tuple[Finding, ...]:
    """Whether instances can take the certificate from its vault: same subscription, same region, enabled for deployment
    (virtual machine API, ``osProfile.secrets``)."""
    if request.certificate is None:
        return ()
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

"""The shape of a world's JSON. Unknown keys are refused."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from local.azure.certificates import CertificateDescription
from local.azure.ids import parse
from local.azure.receivers import ReceiverSeed

# That of the samples: an app that asked for a token before a sample's world was seeded keeps one that fits.
DEFAULT_TENANT = "0f1e2d3c-0000-4000-8000-00000000c0de"
DEFAULT_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
DEFAULT_CLIENT = "33333333-3333-4333-8333-333333333333"
DEFAULT_CUSTOMER_APP = "55555555-5555-4555-8555-555555555555"


def _resource_id(text: str) -> str:
    found = parse(text)
    if found is None or len(found.types) != len(found.names):
        raise ValueError(f"'{text}' is not a resource ID")
    return text.rstrip("/")


def _group_id(text: str) -> str:
    parts = text.strip("/").split("/")
    if len(parts) != 4 or parts[0].lower() != "subscriptions" or parts[2].lower() != "resourcegroups":
        raise ValueError(f"'{text}' is not the ID of a resource group")
    return text.rstrip("/")


type ResourceIdText = Annotated[str, AfterValidator(_resource_id)]
type GroupIdText = Annotated[str, AfterValidator(_group_id)]
type Tags = dict[str, str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CustomerAppSeed(_Part):
    """The provider's multi-tenant app. `consented_tenants` maps a tenant to the object ID of the app's service
    principal there; `trusts` is the object ID in its federated credential (default: the managed identity's)."""

    client_id: str = DEFAULT_CUSTOMER_APP
    consented_tenants: dict[str, str] = {}
    trusts: str | None = None


class ApiCallerSeed(_Part):
    """Who may call the product: an application's service principal, with its app roles (such as `Cmg.Requester`)."""

    client_id: str
    object_id: str
    tenant: str | None = None
    roles: tuple[str, ...] = ()


class ApiSeed(_Part):
    """The product's registration in the directory; `version` is that of the access tokens that it asks for."""

    uri: str = "api://cmg"
    client_id: str = "66666666-6666-4666-8666-666666666666"
    version: Literal[1, 2] = 1
    callers: tuple[ApiCallerSeed, ...] = ()


class IdentitySeed(_Part):
    """The app's identity."""

    tenant: str | None = None
    client_id: str = DEFAULT_CLIENT
    object_id: str = "44444444-4444-4444-8444-444444444444"
    customer_app: CustomerAppSeed = CustomerAppSeed()
    api: ApiSeed = ApiSeed()


class SubscriptionSeed(_Part):
    """A subscription; namespaces that `providers` leaves out are Registered; `managed_by` are Lighthouse tenants;
    `quota_id` tells the offer (that of a CSP is `CSP_2015-05-01`)."""

    id: str = DEFAULT_SUBSCRIPTION
    tenant: str | None = None
    name: str = "Contoso"
    state: Literal["Enabled", "Disabled", "Warned", "PastDue", "Deleted"] = "Enabled"
    quota_id: str = "EnterpriseAgreement_2014-09-01"
    managed_by: tuple[str, ...] = ()
    providers: dict[str, Literal["Registered", "NotRegistered", "Unregistered", "Registering", "Unregistering"]] = {}


class GroupSeed(_Part):
    """A resource group."""

    id: GroupIdText
    location: str = "eastus"
    tags: Tags = {}


class ClassicServiceSeed(_Part):
    """A classic cloud service that is a gateway; `certificate` is a key of the world's `certificates`."""

    id: ResourceIdText
    location: str = "eastus"
    instances: Annotated[int, Field(ge=0)] = 1
    size: str = "Standard_A2_v2"
    certificate: str
    state: Literal["Running", "Suspended"] = "Running"
    tags: Tags = {}


class ScaleSetGatewaySeed(_Part):
    """A gateway on a scale set, made complete; `certificate` is `<vault>/<certificate>` of the world's vaults."""

    group: GroupIdText
    label: str
    region: str = "eastus"
    instances: Annotated[int, Field(ge=1, le=16)] = 2
    size: str = "Standard_A2_v2"
    certificate: str
    prefix: str | None = None
    tags: Tags = {}
    health_extension: bool = True


class VaultCertificateSeed(_Part):
    """A certificate in a vault: the name of a description in `certificates`, or a description."""

    name: str
    certificate: str | CertificateDescription
    exportable: bool = True


class VaultSeed(_Part):
    """A key vault; `readers` are object IDs that may read certificates (default: the app's identity in its tenant)."""

    id: ResourceIdText
    location: str = "eastus"
    enabled_for_deployment: bool = True
    rbac: bool = True
    firewall: bool = False
    public_network_access: Literal["Enabled", "Disabled"] = "Enabled"
    certificates: tuple[VaultCertificateSeed, ...] = ()
    readers: tuple[str, ...] | None = None
    tags: Tags = {}


class RecordSetSeed(_Part):
    """A record set; several values where the type takes them. An address may be written `@address-of:<name>`."""

    name: str
    type: Literal["A", "AAAA", "CNAME", "TXT", "NS", "PTR"]
    ttl: Annotated[int, Field(ge=1)] = 3600
    value: str | tuple[str, ...]


class ZoneSeed(_Part):
    """A public DNS zone in Azure DNS."""

    id: ResourceIdText
    record_sets: tuple[RecordSetSeed, ...] = ()
    tags: Tags = {}


class InsideRecordSeed(_Part):
    """A record that only one view has: the company's inside one, or that of other servers of the internet."""

    name: str
    type: Literal["A", "CNAME"]
    value: str
    ttl: int = 60


class LockSeed(_Part):
    """A management lock; `scope` is the ID of a subscription, a group or a resource."""

    scope: str
    level: Literal["CanNotDelete", "ReadOnly"] = "CanNotDelete"
    name: str = "lock"
    notes: str | None = None


class SkuSeed(_Part):
    """What differs for a size: where it is offered, in which zones, whether the subscription may use it."""

    locations: tuple[str, ...] | None = None
    zones: tuple[str, ...] | None = None
    restricted: bool | list[str] = False
    generations: str | None = None


class RoleAssignmentSeed(_Part):
    """A role of the app's identity: a built-in one by `role`, or what `actions` and `not_actions` say. A `condition`
    lets calls through unless `condition_met` is false."""

    scope: str
    role: Literal["Owner", "Contributor", "Reader", "Network Contributor", "DNS Zone Contributor"] | None = None
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    condition: str | None = None
    condition_met: bool = True


class PolicySeed(_Part):
    """A policy assignment; `rule` is what its definition has under `if`."""

    name: str
    scope: str
    rule: dict[str, Any]
    effect: Literal["Deny", "Audit"] = "Deny"
    display_name: str = ""
    enforced: bool = True


class DeletedVaultSeed(_Part):
    """A vault that was deleted and can be recovered or purged; `id` is what it had."""

    id: ResourceIdText
    location: str = "eastus"
    purge_protection: bool = False


class TakenNamesSeed(_Part):
    """Names that somebody else in Azure holds; `labels` as `label.region`."""

    vaults: tuple[str, ...] = ()
    storage_accounts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class WorldSeed(_Part):
    """The whole description. `resources` are full bodies as a GET answers them; `proxies` are addresses at which
    somebody passes connections on, each to a name."""

    tenants: tuple[str, ...] = ()
    identity: IdentitySeed = IdentitySeed()
    subscriptions: tuple[SubscriptionSeed, ...] = (SubscriptionSeed(),)
    resource_groups: tuple[GroupSeed, ...] = ()
    resources: tuple[dict[str, Any], ...] = ()
    classic_cloud_services: tuple[ClassicServiceSeed, ...] = ()
    scale_set_gateways: tuple[ScaleSetGatewaySeed, ...] = ()
    certificates: dict[str, CertificateDescription] = {}
    key_vaults: tuple[VaultSeed, ...] = ()
    dns_zones: tuple[ZoneSeed, ...] = ()
    inside_dns: tuple[InsideRecordSeed, ...] = ()
    elsewhere_dns: tuple[InsideRecordSeed, ...] = ()
    proxies: dict[str, str] = {}
    locks: tuple[LockSeed, ...] = ()
    skus: dict[str, SkuSeed] = {}
    quotas: dict[str, int] = {}
    role_assignments: tuple[RoleAssignmentSeed, ...] | None = None
    policies: tuple[PolicySeed, ...] = ()
    deleted_vaults: tuple[DeletedVaultSeed, ...] = ()
    taken_names: TakenNamesSeed = TakenNamesSeed()
    durations: dict[str, float] = {}
    random_seed: int = 1
    site: dict[str, Any] | None = None
    receivers: tuple[ReceiverSeed, ...] = ()

"""Everything the simulated Azure knows, as plain data.

The world is changed only by the simulator (and by seeding); it has no clock: time comes in with each request.
"""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import NameOID

from local.azure.callers import Api
from local.azure.messages import Request, Response
from local.azure.receivers import Receiver

if TYPE_CHECKING:
    from local.azure.certificates import CertificateDescription
    from local.azure.dns import DnsLogEntry
    from local.azure.site import Site

# Resource Manager's bodies are open JSON documents; each provider checks the members that it reads.
type Body = dict[str, Any]


@dataclass
class Subscription:
    """One subscription. `providers` holds the namespaces that are not simply Registered."""

    id: str
    tenant: str
    name: str
    state: str = "Enabled"
    managed_by: tuple[str, ...] = ()
    providers: dict[str, "ProviderRegistration"] = field(default_factory=dict)
    quota_id: str = "EnterpriseAgreement_2014-09-01"


@dataclass
class ProviderRegistration:
    """A namespace's registration: `state` now, and `becomes` at `ready_at` while it changes."""

    namespace: str
    state: str
    becomes: str | None = None
    ready_at: datetime | None = None


@dataclass(frozen=True)
class RoleAssignment:
    """A role of the app's identity at a scope. `condition_met` is whether its condition, if any, lets calls through."""

    name: str
    scope: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    condition: str | None = None
    condition_met: bool = True


@dataclass(frozen=True)
class PolicyAssignment:
    """A policy at a scope; `rule` is what its definition has under `if`."""

    name: str
    scope: str
    rule: "Body"
    effect: str = "Deny"
    display_name: str = ""
    enforced: bool = True


@dataclass
class ResourceGroup:
    """A resource group; `deleting` is the ID of the operation that removes it."""

    id: str
    name: str
    location: str
    tags: dict[str, str]
    deleting: str | None = None


@dataclass
class Resource:
    """One resource. `body` is the full document that a GET answers (id, name, type, location, tags, properties, …).

    `operation` is the ID of the latest unfinished operation on it.
    """

    id: str
    type: str
    name: str
    location: str
    body: Body
    created_at: datetime
    changed_at: datetime
    operation: str | None = None

    @property
    def properties(self) -> Body:
        """The `properties` member of the body."""
        properties: Body = self.body["properties"]
        return properties


@dataclass
class Instance:
    """A virtual machine of a scale set (or of a classic service's role): runs at `running_at`, healthy at `healthy_at`.

    `certificate_urls` are the versioned secret URLs it was given (a classic service's machines have none).
    `healthy` overrides the clock: False is a sick instance, True a healthy one; None follows `healthy_at`.
    """

    ordinal: int
    vm_id: str
    zone: str | None
    private_address: str
    created_at: datetime
    running_at: datetime
    healthy_at: datetime
    certificate_urls: tuple[str, ...] = ()
    latest_model: bool = True
    healthy: bool | None = None
    power: str = "running"

    def is_running(self, now: datetime) -> bool:
        """Whether the machine has started and was not stopped."""
        return self.power == "running" and now >= self.running_at

    def is_healthy(self, now: datetime) -> bool:
        """Whether the gateway software on it answers (what the application health probe sees)."""
        return self.is_running(now) and (now >= self.healthy_at if self.healthy is None else self.healthy)


@dataclass(frozen=True)
class CertificateVersion:
    """One version of a certificate: what the vault holds and what instances present.

    `chain_pem` is leaf first, then issuers, without the root. `secret_id` and `id` are versioned URLs. `described` is
    what it was made from.
    """

    vault: str
    name: str
    version: str
    id: str
    secret_id: str
    key_id: str
    names: tuple[str, ...]
    leaf_der: bytes
    chain_pem: bytes
    private_key: PrivateKeyTypes
    exportable: bool
    key_type: str
    key_size: int
    content_type: str
    enabled: bool
    created_at: datetime
    not_before: datetime
    not_after: datetime
    described: "CertificateDescription | None" = None

    @property
    def good_for(self) -> tuple[str, ...]:
        """The names of servers that may show it: its DNS names; where it has none, its common name. So Windows checks a
        server's name (wincrypt, HTTPSPolicyCallbackData: "either the DNS name or common name"), and so do clients and
        connection points, which leave it to Windows."""
        return self.names or common_names(self.leaf_der)


def common_names(der: bytes) -> tuple[str, ...]:
    """The common names in a certificate's subject."""
    found = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return tuple(str(each.value) for each in found)


@dataclass
class Operation:
    """A long-running operation. `status` is InProgress until `ready_at`, then Failed if `error` is set, else Succeeded.

    `kind` says what finishing does: `put`, `delete`, `delete-group`, `register`, `action`. `after` names the operations
    that had to be over before this one could start; `polls` are the times of the last minute's polls.
    """

    id: str
    kind: str
    name: str
    namespace: str
    subscription: str
    location: str
    resource_id: str
    started_at: datetime
    ready_at: datetime
    expected_s: float
    status: str = "InProgress"
    error: Body | None = None
    ended_at: datetime | None = None
    after: tuple[str, ...] = ()
    polls: list[datetime] = field(default_factory=list)


@dataclass
class Fault:
    """A fault to inject: the next `times` matching requests after the first `after` ones get `action`."""

    method: str | None
    path: str
    times: int
    after: int
    action: Body
    seen: int = 0
    done: int = 0


@dataclass(frozen=True)
class LoggedRequest:
    """One request and its answer, secrets masked; `response` is None when the connection was cut."""

    n: int
    at: datetime
    request: Request
    response: Response | None


@dataclass(frozen=True)
class InsideRecord:
    """A record that only the company's inside view of DNS has."""

    name: str
    type: str
    value: str
    ttl: int


@dataclass
class CustomerApp:
    """The provider's multi-tenant app, registered in the home tenant: it has no secret, but a federated credential.

    `trusts` is that credential's subject, the object ID of a managed identity of the home tenant. `consents` holds the
    object ID of the app's service principal by tenant: another one in each.
    """

    client_id: str
    trusts: str
    consents: dict[str, str] = field(default_factory=dict)


@dataclass
class Identity:
    """The app's identity, in its home tenant: a service principal and the managed identity in one.

    `secret` and `header` exist only in the simulated world.
    """

    tenant: str
    client_id: str
    object_id: str
    secret: str
    header: str
    customer_app: CustomerApp = field(default_factory=lambda: CustomerApp("", ""))
    api: Api = field(default_factory=Api)


@dataclass
class World:
    """The whole simulated Azure. Keys of dictionaries are lower case; IDs inside keep their given case."""

    identity: Identity
    token_key: bytes
    public_root_pem: bytes = b""
    enterprise_root_pem: bytes = b""
    time_scale: float = 1.0
    random: Random = field(default_factory=lambda: Random(1))
    tenants: list[str] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    groups: dict[str, ResourceGroup] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    instances: dict[str, list[Instance]] = field(default_factory=dict)
    certificates: dict[str, CertificateVersion] = field(default_factory=dict)
    classic_certificates: dict[str, CertificateVersion] = field(default_factory=dict)
    vault_readers: dict[str, set[str]] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    past_references: dict[str, frozenset[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    log: list[LoggedRequest] = field(default_factory=list)
    durations: dict[str, float] = field(default_factory=dict)
    skus: dict[str, Body] = field(default_factory=dict)
    quotas: dict[str, int] = field(default_factory=dict)
    roles: list[RoleAssignment] = field(default_factory=list)
    policies: list[PolicyAssignment] = field(default_factory=list)
    taken_names: dict[str, frozenset[str]] = field(default_factory=dict)
    """Names that others hold, lower case: `vaults`, `storage_accounts`, `labels` (as `label.region`)."""
    deleted_vaults: dict[str, Body] = field(default_factory=dict)
    inside_dns: list[InsideRecord] = field(default_factory=list)
    elsewhere_dns: list[InsideRecord] = field(default_factory=list)
    """What other servers of the internet say in place of the public view."""
    connections: dict[str, Counter[int]] = field(default_factory=dict)
    """Address of a gateway to how many connections it got in each minute (of the Unix epoch)."""
    proxies: dict[str, str] = field(default_factory=dict)
    """Addresses at which somebody's proxy passes connections on, each to a name."""
    dns_log: "list[DnsLogEntry]" = field(default_factory=list)
    seed_site: Body = field(default_factory=dict)
    site: "Site | None" = None
    receivers: dict[str, Receiver] = field(default_factory=dict)
    """Hosts of others that take webhooks, by name in lower case."""

    def guid(self) -> str:
        """A new GUID from the world's own generator, so that the same story gives the same IDs."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def resource(self, resource_id: str) -> Resource | None:
        """The resource of that ID (any case), None without one."""
        return self.resources.get(resource_id.lower())

    def children(self, scope: str) -> Iterator[Resource]:
        """All resources below a scope (a resource, a resource group, a subscription), the scope itself left out."""
        prefix = scope.lower().rstrip("/") + "/"
        return (resource for key, resource in list(self.resources.items()) if key.startswith(prefix))

    def of_type(self, resource_type: str) -> Iterator[Resource]:
        """All resources of that type, such as `Microsoft.Network/publicIPAddresses` (any case)."""
        wanted = resource_type.lower()
        return (resource for resource in list(self.resources.values()) if resource.type.lower() == wanted)

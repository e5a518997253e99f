"""The plan of one deployment: everything that it will make, keep and delete, before anything is touched."""

from datetime import timedelta
from typing import Literal

from cmg_core.domain.cases import Case
from cmg_core.domain.gates import Gate
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.values import Frozen, Moment


class Names(Frozen):
    """A gateway's two names: what clients dial, and Azure's name of its address."""

    service_name: str
    label: str
    deployment_name: str

    @property
    def has_own_domain(self) -> bool:
        return self.service_name.lower() != self.deployment_name.lower()


class NewResources(Frozen):
    """The full IDs of what a deployment makes."""

    resource_group: str
    network_security_group: str
    virtual_network: str
    public_address: str
    load_balancer: str
    scale_set: str
    zones: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """In the order in which they are made."""
        return (
            self.network_security_group,
            self.virtual_network,
            self.public_address,
            self.load_balancer,
            self.scale_set,
        )


class PinnedCertificate(Frozen):
    """The certificate as it was read from Key Vault: its public part and the versioned ID, never the secret."""

    vault_id: str
    version: str
    secret_id: str
    thumbprint: str
    """SHA-1 of the leaf in upper-case hex, as consoles show it."""
    fingerprint: str
    """SHA-256 of the leaf in lower-case hex: what comparisons use."""
    subject: str
    dns_names: tuple[str, ...]
    not_after: Moment


class Part(Frozen):
    """One resource that a plan names. ``immutable_id`` is Azure's own (uniqueId, resourceGuid), empty without one."""

    id: str
    immutable_id: str = ""


class StandingGateway(Frozen):
    """A gateway that the site has made, as it was found: this app changes nothing of it."""

    scale_set: Part
    address: str
    """Its public IP address."""
    deployment_name: str
    instances: int
    """How many machines the scale set is to have: each must be healthy before anything is removed."""
    health_extension: bool
    """Whether the scale set reports application health."""
    parts: tuple[str, ...]
    """All that it is made of, by full ID."""


class OldGateway(Frozen):
    """The gateway to come from, as it was found."""

    model: Literal["classic", "scale-set"]
    resource_id: str
    service_name: str
    deployment_name: str
    region: str
    parts: tuple[Part, ...]
    """What will be deleted, in this order."""
    kept: tuple[str, ...]
    """What stays in its resource group."""
    parked: Part | None = None
    """Of that, the address which keeps its name until it is released."""
    gone: bool = False
    """Whether Azure holds it no more."""
    load_balancer_sku: str = ""
    """Empty for a classic gateway, and where Azure shows none."""
    size: str = ""
    """Of its machines; empty where Azure does not show it (classic)."""
    instances: int | None = None


class ServiceRecord(Frozen):
    """The CNAME of the service name, as it was found in the zone that the app may change."""

    id: str
    target: str
    ttl: timedelta
    etag: str


class FirewallChange(Frozen):
    """An opening that the new gateway needs, or that is needless when the old one is gone."""

    source: str
    target: str
    ports: str
    """One, or a range such as «10124-10125»; several are separated by commas."""
    protocol: Literal["HTTPS", "TCP-TLS"]
    change: Literal["needed", "needless"]
    why: str


class Look(Frozen):
    """One look that a plan was made from: how long it took, and whether it brought an answer."""

    name: str
    seconds: float
    answered: bool = True


class Plan(Frozen):
    """What will happen, in which order, and everything that was found."""

    findings: tuple[Finding, ...]
    case: Case | None = None
    """None where it is not known, and in plans of the release before."""
    steps: tuple[str, ...] = ()
    names: Names | None = None
    certificate: PinnedCertificate | None = None
    make: NewResources | None = None
    standing: StandingGateway | None = None
    """The new gateway, where the site made it."""
    keep: tuple[str, ...] = ()
    delete: tuple[Part, ...] = ()
    parked: Part | None = None
    """The old gateway's address that stays alone and keeps its name, until it is released."""
    old_gateway: OldGateway | None = None
    record: ServiceRecord | None = None
    public_ttl: timedelta = timedelta()
    """The longest TTL with which a server gave the service name when the plan was made."""
    gates: tuple[Gate, ...] = ()
    grace_period: timedelta | None = None
    minimum_grace: timedelta | None = None
    usual_gap: timedelta = timedelta()
    """How long clients may find no gateway that relays, where no host dies; nothing in plans of the release before."""
    foretold_gap: timedelta = timedelta()
    """How long clients may find no gateway that relays, at the longest."""
    cost_of_parallel_days: str = ""
    firewall: tuple[FirewallChange, ...] = ()
    looks: tuple[Look, ...] = ()

    @property
    def has_two_names(self) -> bool:
        """Whether clients dial the new gateway by another name than the old one."""
        old, new = self.old_gateway, self.names
        return bool(old and new and old.service_name.lower() != new.service_name.lower())

    @property
    def blocked_by(self) -> tuple[Finding, ...]:
        """What keeps the plan from being carried out. A check that could not be made is never taken for fine."""
        return tuple(f for f in self.findings if f.severity in (Severity.BLOCKS, Severity.UNKNOWN))

    @property
    def record_ttl(self) -> timedelta:
        """How long the answer may be held that servers gave when the plan was made; nothing where there was none."""
        return max(self.record.ttl, self.public_ttl) if self.record else self.public_ttl

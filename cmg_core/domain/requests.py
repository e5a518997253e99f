"""What may be asked for, in the field's own words. Every key, default and limit of a request stands here."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from cmg_core.domain.international import ascii_name
from cmg_core.domain.tenants import Access, Tenant
from cmg_core.domain.values import Frozen, Moment, ResourceId

SHORTEST_GRACE = timedelta(days=1)
"""Devices ask where gateways are once in 24 hours: until each could have asked, the old one stays."""
LONGEST_SPAN = timedelta(days=365)
"""A longer one is taken for a typing mistake: of a request's spans, and of how far ahead the grace period may end."""
NO_TIME = "no_time"
"""The mistake of a span that is none."""

SCALE_SET_TYPE = "microsoft.compute/virtualmachinescalesets"
VAULT_ADDRESS = re.compile(r"https://[a-z0-9-]{3,24}\.vault\.(azure\.net|usgovcloudapi\.net)/?", re.IGNORECASE)


def _is_iso_duration(value: object) -> object:
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):
        return value
    raise ValueError("give an ISO 8601 duration, such as «P2D» or «PT36H»")


def _is_positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise PydanticCustomError(NO_TIME, "give a duration longer than nothing")
    return value


def _is_in_utc(value: datetime) -> datetime:
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError("give a moment that has one in UTC") from None
    return value


def _is_resource_id(value: str) -> str:
    return str(ResourceId.parse(value))


def _is_zone_id(value: str) -> str:
    zone = ResourceId.parse(value)
    if zone.type.lower() != "microsoft.network/dnszones":
        raise ValueError("give the full resource ID of a public DNS zone (Microsoft.Network/dnsZones)")
    return str(zone)


def _is_vault(value: str) -> str:
    if not VAULT_ADDRESS.fullmatch(value):
        raise ValueError("give the vault's own address, such as «https://kv-cmg.vault.azure.net»")
    return value.rstrip("/").lower()


def is_scale_set_id(value: str) -> str:
    """The full ID of a scale set. Raises ValueError for anything else."""
    gateway = ResourceId.parse(value)
    if gateway.type.lower() != SCALE_SET_TYPE:
        raise ValueError("give the full resource ID of the gateway's scale set")
    return str(gateway)


def _in_ascii(value: object) -> object:
    return ascii_name(value) if isinstance(value, str) and not value.isascii() else value


def _is_root(value: str) -> str:
    """Certificates and nothing else, written anew. What was given is never repeated: it could hold a key."""
    if PEM_BLOCK.sub("", value).strip():
        raise ValueError("give certificates as PEM, and nothing else")
    try:
        roots = load_pem_x509_certificates(value.encode())
    except ValueError:
        raise ValueError("give certificates as PEM") from None
    return "".join(root.public_bytes(Encoding.PEM).decode() for root in roots)


def _is_gateway_id(value: str) -> str:
    gateway = ResourceId.parse(value)
    if gateway.type.lower() not in ("microsoft.classiccompute/domainnames", SCALE_SET_TYPE):
        raise ValueError(
            "give the full resource ID of the old gateway's classic cloud service "
            "(Microsoft.ClassicCompute/domainNames) "
            "or scale set (Microsoft.Compute/virtualMachineScaleSets)"
        )
    return str(gateway)


PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
LONGEST_ROOT = 4096

Duration = Annotated[timedelta, BeforeValidator(_is_iso_duration), AfterValidator(_is_positive)]
Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", to_lower=True)]
AnyResourceId = Annotated[str, AfterValidator(_is_resource_id)]
HostName = Annotated[
    str,
    BeforeValidator(_in_ascii),
    StringConstraints(
        max_length=253,
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$",
    ),
]
"""As people write it; labels with other letters than ASCII's become A-labels (RFC 5891)."""
Label = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9]{2,23}$", to_lower=True)]
"""The safe intersection of Microsoft's two rules for gateway names: cloud services' and scale sets'."""


TrustedRoot = Annotated[str, StringConstraints(max_length=LONGEST_ROOT), AfterValidator(_is_root)]
"""A certificate as PEM, without its key."""


class CertificateReference(Frozen):
    """Where the server authentication certificate lies."""

    vault: Annotated[str, AfterValidator(_is_vault)]
    name: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,127}$")]
    trusted_roots: tuple[TrustedRoot, ...] = Field(default=(), max_length=3)
    """The authorities that clients trust, where the chain is to be checked against them."""


class NewGatewayReference(Frozen):
    """A gateway that stands already, made by the site: the app takes over from its verification."""

    resource_id: Annotated[str, AfterValidator(is_scale_set_id)]


class OldGatewayReference(Frozen):
    """The gateway to come from, and what may go besides its own parts."""

    resource_id: Annotated[str, AfterValidator(_is_gateway_id)]
    service_name: HostName
    gone: bool = False
    """Whether Azure holds it no more, so that only the site's record and the connection point are left of it: a person
    says so, because there is no way back to such a gateway."""
    serves_content: bool = False
    """Whether clients also get content from it, or boundary groups refer to it: the new one needs the same first."""
    inside_ttl: Duration | None = None
    """How long the company's inside view lets an answer for the service name be held, where that is not the public
    record's TTL."""
    also_delete: tuple[AnyResourceId, ...] = Field(default=(), max_length=16)
    """Further resources to delete, each by its full ID: the old gateway's storage account or vault, for example."""
    confirmed_parts: tuple[AnyResourceId, ...] = Field(default=(), max_length=16)
    """The parts that the plan listed, each confirmed by a person: needed where the group holds anything else."""


class DnsReference(Frozen):
    """The public zone that holds the service name, where the app may change it."""

    zone_id: Annotated[str, AfterValidator(_is_zone_id)]


class ClientsMoved(Frozen):
    """How many clients must know the new gateway before the old one goes."""

    share: Annotated[float, Field(gt=0, le=1)]
    active_days: Annotated[int, Field(ge=1, le=365)] = 30
    minimum_sample: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """How many clients must have been active for the share to say anything."""
    deadline: Duration | None = None
    """From the beginning of the grace period on: how long stragglers are waited for before a person may go on
    without them."""


class GateChoices(Frozen):
    """Which gates a person wants besides those that the procedure demands."""

    ready_to_cut_over: Annotated[bool, Field(alias="ready-to-cut-over")] = True
    approval: bool = False
    connection_point_connected: Annotated[bool, Field(alias="connection-point-connected")] = True
    clients_moved: Annotated[ClientsMoved | None, Field(alias="clients-moved")] = None


class SiteFacts(Frozen):
    """What nobody can see in Azure; None where the request does not tell it."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{3}$", to_upper=True)] | None = None
    hierarchy: Literal["standalone-primary", "cas"] | None = None
    spare_site_system: bool | None = None
    """Whether another site system can take a second connection point."""
    connection_point_firewall_open: bool | None = None
    """Whether connection points reach the new gateway's address through the firewall."""
    other_gateways: Annotated[tuple[HostName, ...], Field(max_length=16)] | None = None
    """Service names of further gateways that serve the same clients."""


class GatewayRequest(Frozen):
    """What every request for a gateway says."""

    provisioned_by: Literal["automation", "site", "existing"]
    deployment_model: Literal["scale-set", "classic"] = "scale-set"
    subscription_id: Guid
    tenant_id: Guid
    access: Access | None = None
    """How the app comes into the tenant; left out: as the settings have it."""
    resource_group: Annotated[str, StringConstraints(pattern=r"^[-\w._()]{0,89}[-\w_()]$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{2,31}$")]
    certificate: CertificateReference | None = None
    """Left out only where the new gateway stands already: then what it shows is the certificate."""
    new_gateway: NewGatewayReference | None = None
    """Where ``provisioned_by`` is «existing»."""
    service_name: HostName | None = None
    """Which of the certificate's DNS names, where it holds several."""
    first_label: Label | None = None
    """What stands for the asterisk of a wildcard certificate."""
    size: Literal["Standard_B2s", "Standard_A2_v2", "Standard_A4_v2"] = "Standard_A2_v2"
    instances: Annotated[int, Field(ge=1, le=16, strict=True)] = 1
    configmgr_release: Annotated[str, StringConstraints(pattern=r"^\d{4}$")] | None = None
    site: SiteFacts | None = None
    dns: DnsReference | None = None
    gates: GateChoices = GateChoices()
    cut_over_not_before: Annotated[Moment, AfterValidator(_is_in_utc)] | None = None
    reason: Annotated[str, StringConstraints(max_length=1000)] | None = None
    external_reference: Annotated[str, StringConstraints(max_length=100)] | None = None
    operation_ends: Literal["end", "cut-over"] = "end"

    @property
    def tenant(self) -> Tenant:
        """The subscription's tenant with the way into it."""
        return Tenant(self.tenant_id, self.access)


class DeploymentRequest(GatewayRequest):
    """A new gateway where none was."""

    kind: Literal["deployment"] = "deployment"


class ReplacementRequest(GatewayRequest):
    """What every request says that lets an old gateway go in the end."""

    old_gateway: OldGatewayReference
    grace_period: Duration = SHORTEST_GRACE
    park_old_name: bool = False


class MigrationRequest(ReplacementRequest):
    """A new gateway that takes an older one's place."""

    kind: Literal["migration"] = "migration"
    accept_gap: Duration | None = None
    """The longest time without a gateway that relays, where nobody closes the gap beforehand."""


class RetirementRequest(ReplacementRequest):
    """An old gateway that goes, because another one serves already."""

    kind: Literal["retirement"] = "retirement"


Request = Annotated[MigrationRequest | DeploymentRequest | RetirementRequest, Field(discriminator="kind")]


def is_made_by_site(request: Request) -> bool:
    """Whether the site makes the new gateway, or has made it, and names all its parts."""
    return request.provisioned_by != "automation"


def held_gateway(request: Request) -> str:
    """What a deployment holds alone while it is active: the old gateway, or the certificate's place in a resource group
    where there is none (the service name is not known before the certificate is read)."""
    if isinstance(request, ReplacementRequest):
        return request.old_gateway.resource_id.lower()
    if request.new_gateway is not None:
        return request.new_gateway.resource_id.lower()
    certificate, name = request.certificate, request.service_name or request.first_label or ""
    group = f"/subscriptions/{request.subscription_id}/resourcegroups/{request.resource_group}"
    place = f"{certificate.vault}|{certificate.name}" if certificate else ""
    return f"{group}|{place}|{name}".lower()

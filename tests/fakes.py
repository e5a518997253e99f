"""Fakes at the ports: small worlds that answer steps from plain dictionaries. No order is pinned, no time passes."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cmg_core.domain.errors import ChangedMeanwhile, NotSignedIn
from cmg_core.domain.record import Claim, Record, State
from cmg_core.domain.requests import DeploymentRequest, MigrationRequest
from cmg_core.domain.roles import Claims
from cmg_core.domain.tenants import Tenant
from cmg_core.domain.values import JsonObject, ResourceId, subscription_of, text_at
from cmg_core.notify.addresses import CallbackUrl
from cmg_core.notify.ports import Posted
from cmg_core.services import Dialed, Limits, NameView, OperationLook, OperationState, Started, Stored, VaultCertificate
from cmg_core.steps.context import StepContext
from cmg_core.telemetry.port import UNTOLD, Telemetry

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TENANT = "11111111-1111-1111-1111-111111111111"
SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
DEPLOYMENT = "33333333-3333-3333-3333-333333333333"
VAULT = "https://kv-cmg.vault.azure.net"
GROUP = "rg-cmg-eastus"
OLD_GROUP = "rg-cmg-old"


def resource_id(type: str, name: str, group: str = GROUP) -> str:
    """A full resource ID in the fake subscription."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{type}/{name}"


VAULT_ID = resource_id("Microsoft.KeyVault/vaults", "kv-cmg", "rg-shared")
ZONE_ID = resource_id("Microsoft.Network/dnsZones", "contoso.com", "rg-dns")
CLASSIC_ID = resource_id("Microsoft.ClassicCompute/domainNames", "GraniteFalls", OLD_GROUP)


@dataclass
class FakeClock:
    """Stands still until a test moves it."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def pass_by(self, span: timedelta) -> None:
        self.at += span


@dataclass
class FakeAzure:
    """A subscription in dictionaries. ``faults`` maps a call's name, or «name target», to what it raises each time."""

    subscription_id: str = SUBSCRIPTION
    """Nothing else than what lies in it may be asked of it."""

    resources: dict[str, JsonObject] = field(default_factory=dict)
    """Lower-case resource ID to body."""
    groups: dict[str, JsonObject] = field(default_factory=dict)
    """Lower-case name to body."""
    subscription_body: JsonObject = field(default_factory=lambda: {"state": "Enabled", "tenantId": TENANT})
    provider_states: dict[str, str] = field(default_factory=dict)
    size_list: list[JsonObject] = field(default_factory=list)
    usage_list: list[JsonObject] = field(default_factory=list)
    instance_views: dict[str, list[JsonObject]] = field(default_factory=dict)
    """Lower-case scale set ID to instances."""
    taken_labels: set[str] = field(default_factory=set)
    lock_list: list[JsonObject] = field(default_factory=list)
    network_usage_list: list[JsonObject] = field(default_factory=list)
    granted: dict[str, list[JsonObject]] = field(default_factory=dict)
    """Scope in lower case to what is allowed there; everything at scopes that are not there."""
    assignment_list: list[JsonObject] = field(default_factory=list)
    policy_list: list[JsonObject] = field(default_factory=list)
    denied: dict[str, list[str]] = field(default_factory=dict)
    """Resource type to the policy assignments that refuse it."""
    taken_vaults: set[str] = field(default_factory=set)
    taken_stores: set[str] = field(default_factory=set)
    deleted_vaults: dict[str, JsonObject] = field(default_factory=dict)
    checked: list[JsonObject] = field(default_factory=list)
    """What policies were asked about."""
    counted: list[float] = field(default_factory=list)
    """What Azure Monitor holds for each interval of whatever is asked for."""
    spans: list[tuple[datetime, datetime]] = field(default_factory=list)
    """For which times it was asked."""
    faults: dict[str, Exception] = field(default_factory=dict)
    finishes: dict[str, OperationLook] = field(default_factory=dict)
    """Resource ID in lower case to what its operation comes to, where that is not success."""
    clock: FakeClock = field(default_factory=FakeClock)
    """Azure's own; that of the services as long as no test takes another."""
    calls: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)
    """«PUT id», «DELETE id», «REGISTER namespace» in the order they came."""

    def add(self, body: JsonObject) -> JsonObject:
        """Put a resource there; its ``type`` and ``name`` follow from its ID."""
        id = ResourceId.parse(text_at(body, "id"))
        full: JsonObject = {"name": id.name, "type": id.type, "tags": {}, "properties": {}, **body}
        self.resources[str(id).lower()] = full
        return full

    def _called(self, name: str, target: str = "") -> None:
        self.calls[name] += 1
        lies_elsewhere = target.startswith("/subscriptions/") and subscription_of(target) != self.subscription_id
        assert not lies_elsewhere, f"{target} was asked of subscription {self.subscription_id}"
        fault = self.faults.get(f"{name} {target}".lower()) or self.faults.get(name)
        if fault is not None:
            raise fault

    def time(self) -> datetime | None:
        return self.clock.now()

    async def subscription(self) -> JsonObject:
        self._called("subscription")
        return self.subscription_body

    async def providers(self) -> Mapping[str, str]:
        self._called("providers")
        return dict(self.provider_states)

    async def register_provider(self, claim: Claim, namespace: str) -> None:
        self._called("register_provider", namespace)
        self.writes.append(f"REGISTER {namespace}")
        self.provider_states[namespace] = "Registered"

    async def group(self, name: str) -> JsonObject | None:
        self._called("group", name)
        return self.groups.get(name.lower())

    async def put_group(self, claim: Claim, name: str, body: JsonObject) -> None:
        self._called("put_group", name)
        self.writes.append(f"PUT group {name}")
        self.groups[name.lower()] = {"name": name, **body}

    async def resources_in_group(self, name: str) -> Sequence[JsonObject]:
        self._called("resources_in_group", name)
        inside = f"/resourcegroups/{name.lower()}/"
        return [
            {key: body[key] for key in ("id", "name", "type", "location", "tags") if key in body}
            for id, body in self.resources.items()
            if inside in id
        ]

    async def find(self, type: str, name: str) -> JsonObject | None:
        self._called("find", name)
        ending = f"/providers/{type}/{name}".lower()
        return next((body for id, body in self.resources.items() if id.endswith(ending)), None)

    async def get(self, id: str) -> JsonObject | None:
        self._called("get", id)
        return self.resources.get(id.lower())

    async def put(self, claim: Claim, id: str, body: JsonObject, etag: str = "") -> Started:
        self._called("put", id)
        assert isinstance(claim, Claim), "nothing is written without a claim"
        standing = self.resources.get(id.lower())
        assert etag or standing is None or "/dnszones/" not in id.lower(), "records are written over under their ETag"
        if etag and (standing is None or standing.get("etag") != etag):
            raise ChangedMeanwhile(id)
        self.writes.append(f"PUT {id}")
        made = self.add({**body, "id": id, **({"etag": f"{etag}+"} if etag else {})})
        return Started(made, operation=f"https://management.azure.com/operations/{id.lower()}")

    async def delete(self, claim: Claim, id: str, etag: str = "") -> Started:
        self._called("delete", id)
        assert isinstance(claim, Claim), "nothing is deleted without a claim"
        assert etag or "/dnszones/" not in id.lower(), "records are deleted under their ETag"
        if etag and self.resources.get(id.lower(), {}).get("etag", etag) != etag:
            raise ChangedMeanwhile(id)
        self.writes.append(f"DELETE {id}")
        self.resources.pop(id.lower(), None)
        return Started({}, operation=f"https://management.azure.com/operations/{id.lower()}")

    async def operation(self, address: str) -> OperationLook:
        self._called("operation", address)
        id = address.removeprefix("https://management.azure.com/operations/")
        return self.finishes.get(id, OperationLook(OperationState.SUCCEEDED))

    async def instances(self, scale_set_id: str) -> Sequence[JsonObject]:
        self._called("instances", scale_set_id)
        return self.instance_views.get(scale_set_id.lower(), [])

    async def sizes(self, region: str) -> Sequence[JsonObject]:
        self._called("sizes", region)
        return self.size_list

    async def usages(self, region: str) -> Sequence[JsonObject]:
        self._called("usages", region)
        return self.usage_list

    async def label_is_free(self, region: str, label: str) -> bool:
        self._called("label_is_free", label)
        return label not in self.taken_labels

    async def network_usages(self, region: str) -> Sequence[JsonObject]:
        self._called("network_usages", region)
        return self.network_usage_list

    async def permissions(self, scope: str) -> Sequence[JsonObject]:
        self._called("permissions", scope)
        return self.granted.get(scope.lower(), [{"actions": ["*"], "notActions": []}])

    async def role_assignments(self) -> Sequence[JsonObject]:
        self._called("role_assignments")
        return self.assignment_list

    async def policy_assignments(self) -> Sequence[JsonObject]:
        self._called("policy_assignments")
        return self.policy_list

    async def policy_restrictions(self, scope: str, content: JsonObject) -> JsonObject:
        self._called("policy_restrictions", scope)
        self.checked.append(content)
        return {
            "contentEvaluationResult": {
                "policyEvaluations": [
                    {"policyInfo": {"policyAssignmentId": assignment}, "evaluationResult": "NonCompliant"}
                    for assignment in self.denied.get(text_at(content, "type"), [])
                ]
            }
        }

    async def vault_name(self, name: str) -> JsonObject:
        self._called("vault_name", name)
        return {"nameAvailable": name not in self.taken_vaults}

    async def storage_name(self, name: str) -> JsonObject:
        self._called("storage_name", name)
        return {"nameAvailable": name not in self.taken_stores}

    async def deleted_vault(self, name: str) -> JsonObject | None:
        self._called("deleted_vault", name)
        return self.deleted_vaults.get(name)

    async def metric(self, id: str, name: str, begins: datetime, ends: datetime, interval: timedelta) -> JsonObject:
        self._called("metric", id)
        self.spans.append((begins, ends))
        return {"value": [{"timeseries": [{"data": [{"total": each} for each in self.counted]}]}]}

    async def records(self, zone_id: str) -> Sequence[JsonObject]:
        self._called("records", zone_id)
        return [body for id, body in self.resources.items() if id.startswith(f"{zone_id.lower()}/")]

    async def locks(self) -> Sequence[JsonObject]:
        self._called("locks")
        return self.lock_list


@dataclass
class FakeVaults:
    """Certificates by lower-case «vault name/certificate name»."""

    certificates: dict[str, VaultCertificate] = field(default_factory=dict)
    fault: Exception | None = None

    async def certificate(self, tenant: Tenant, vault: str, name: str) -> VaultCertificate | None:
        if self.fault is not None:
            raise self.fault
        return self.certificates.get(f"{vault}/{name}".lower())


@dataclass
class FakeDns:
    """Views by lower-case name; a name that is not there resolves nowhere."""

    answers: dict[str, list[NameView]] = field(default_factory=dict)

    async def views(self, name: str) -> Sequence[NameView]:
        return self.answers.get(name.lower(), [NameView("192.0.2.53:53")])

    def point(self, name: str, *targets: str, ttl: int = 300) -> None:
        """Let every server say this chain."""
        chain = tuple(target.lower() for target in targets)
        self.answers[name.lower()] = [
            NameView(server, chain, ("203.0.113.7",), timedelta(seconds=ttl))
            for server in ("192.0.2.53:53", "192.0.2.54:53")
        ]


@dataclass
class FakeDialer:
    """Answers by lower-case host."""

    answers: dict[str, Dialed] = field(default_factory=dict)

    async def dial(self, host: str, service_name: str) -> Dialed:
        assert service_name, "a gateway is dialed with the service name that its certificate holds"
        return self.answers.get(host.lower(), Dialed(failure="no route to host"))


@dataclass
class FakePoster:
    """Answers in order, the last one ever after; what was posted is kept."""

    answers: list[Posted] = field(default_factory=lambda: [Posted(202)])
    posted: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)
    """Whole address, IP address, headers and body."""

    async def post(self, url: CallbackUrl, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
        self.posted.append((url.secret, address, headers, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class FakeLedger:
    """What preflight and the guard ask of the ledger; protocol tests use the one in memory."""

    held: dict[str, str] = field(default_factory=dict)
    """Gateway to the deployment that reserved it."""
    records: dict[str, Record] = field(default_factory=dict)

    async def holder(self, gateway: str) -> tuple[str, str] | None:
        return (self.held[gateway], "etag") if gateway in self.held else None

    async def read(self, deployment_id: str) -> Stored | None:
        return Stored(self.records[deployment_id], "etag") if deployment_id in self.records else None


@dataclass
class FakeTokens:
    """Good tokens and what they say; any other is refused."""

    good: dict[str, Claims] = field(default_factory=dict)
    fault: Exception | None = None

    async def claims(self, token: str) -> Claims:
        if self.fault is not None:
            raise self.fault
        if token not in self.good:
            raise NotSignedIn("It is none of the good ones.")
        return self.good[token]


@dataclass
class FakeServices:
    """All ports together."""

    clock: FakeClock = field(default_factory=FakeClock)
    limits: Limits = field(
        default_factory=lambda: Limits(
            minimum_grace=timedelta(hours=24),
            claim=timedelta(minutes=5),
            gateway_software={"name": "gateway", "properties": {"publisher": "Contoso", "type": "Gateway"}},
        )
    )
    ledger: FakeLedger = field(default_factory=FakeLedger)
    vaults: FakeVaults = field(default_factory=FakeVaults)
    dns: FakeDns = field(default_factory=FakeDns)
    dialer: FakeDialer = field(default_factory=FakeDialer)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    telemetry: Telemetry = UNTOLD
    resource_manager: FakeAzure = field(default_factory=FakeAzure)
    neighbours: dict[str, FakeAzure] = field(default_factory=dict)
    """Other subscriptions of the tenant, by ID."""

    def __post_init__(self) -> None:
        self.resource_manager.clock = self.clock

    def azure(self, tenant: Tenant, subscription_id: str) -> FakeAzure:
        assert subscription_id in (SUBSCRIPTION, *self.neighbours), f"there is no subscription {subscription_id}"
        return self.neighbours.get(subscription_id, self.resource_manager)


def claim_of(clock: FakeClock) -> Claim:
    """A live claim."""
    return Claim("invocation", "message", clock.now() + timedelta(minutes=5))


def context_of(
    services: FakeServices, state: State, claim: Callable[[], Awaitable[Claim]] | None = None
) -> StepContext:
    """A step's context over fakes. Without ``claim`` one is granted whenever it is asked for."""

    async def granted() -> Claim:
        return claim_of(services.clock)

    return StepContext(DEPLOYMENT, state, services, claim or granted)  # type: ignore[arg-type]  # the ledger fake is partial


@cache
def _key(bits: int) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """One key a length is enough: making RSA keys is slow."""
    return rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())


def leaf(
    *names: str,
    common_name: str | None = None,
    not_before: datetime = NOW - timedelta(days=30),
    not_after: datetime = NOW + timedelta(days=365),
    bits: int = 2048,
    server: bool | None = True,
    self_signed: bool = False,
) -> bytes:
    """A leaf in DER. ``bits`` 0 makes an elliptic key; ``server`` None leaves the extended key usage out."""
    key = _key(bits)
    first = common_name if common_name is not None else (names[0] if names else "")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, first)] if first else [])
    issuer = subject if self_signed else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Contoso Issuing CA")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    if server is not None:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def in_vault(der: bytes, *, name: str = "granitefalls", version: str = "v1", **changes: object) -> VaultCertificate:
    """A certificate as the vault shows it."""
    facts: dict[str, object] = {
        "leaf": der,
        "version": version,
        "secret_id": f"{VAULT}/secrets/{name}/{version}",
        "enabled": True,
        "exportable": True,
        "key_type": "RSA",
        "key_size": 2048,
        "content_type": "application/x-pkcs12",
    }
    return VaultCertificate(**(facts | changes))  # type: ignore[arg-type]  # a test names the facts that it changes


def migration(**changes: object) -> MigrationRequest:
    """The default migration: an own domain, from classic, the zone the app's to change."""
    body: dict[str, object] = {
        "provisioned_by": "automation",
        "subscription_id": SUBSCRIPTION,
        "tenant_id": TENANT,
        "resource_group": GROUP,
        "region": "eastus",
        "certificate": {"vault": VAULT, "name": "granitefalls"},
        "instances": 2,
        "configmgr_release": "2309",
        "old_gateway": {"resource_id": CLASSIC_ID, "service_name": "GraniteFalls.Contoso.Com"},
        "dns": {"zone_id": ZONE_ID},
        "grace_period": "P2D",
    }
    return MigrationRequest.model_validate(body | changes)


def deployment(**changes: object) -> DeploymentRequest:
    """A new deployment under an own domain whose zone is the app's to change."""
    body = migration().model_dump(
        mode="json", by_alias=True, exclude={"kind", "old_gateway", "grace_period", "accept_gap", "park_old_name"}
    )
    return DeploymentRequest.model_validate(body | changes)

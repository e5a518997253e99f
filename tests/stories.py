"""A migration that stands right before its cut-over or its retirement, over fakes: each test changes one thing."""

from dataclasses import replace
from datetime import timedelta

from cmg_core.domain.certificates import fingerprint
from cmg_core.domain.gates import Gate, GateName
from cmg_core.domain.plans import Names as GatewayNames
from cmg_core.domain.plans import NewResources, OldGateway, Part, PinnedCertificate, Plan, ServiceRecord
from cmg_core.domain.procedure import gates_of
from cmg_core.domain.record import NewGateway, State
from cmg_core.domain.requests import Request
from cmg_core.domain.values import JsonObject
from cmg_core.services import Dialed
from tests.fakes import (
    CLASSIC_ID,
    GROUP,
    NOW,
    OLD_GROUP,
    SUBSCRIPTION,
    VAULT,
    VAULT_ID,
    ZONE_ID,
    FakeServices,
    leaf,
    migration,
    resource_id,
)

SERVICE = "GraniteFalls.Contoso.Com"
OLD_NAME = "granitefalls.cloudapp.net"
NEW_NAME = "granitefalls.eastus.cloudapp.azure.com"
RECORD_ID = f"{ZONE_ID}/CNAME/GraniteFalls"
SCALE_SET = resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls")
ADDRESS = resource_id("Microsoft.Network/publicIPAddresses", "granitefalls-ip", OLD_GROUP)
"""The old gateway's, in a plan that parks its name."""
OLD_STORAGE = resource_id("Microsoft.Storage/storageAccounts", "granitefalls", OLD_GROUP)
LEAF = leaf(SERVICE)
RELAYS = Dialed(leaf=LEAF, chain=(LEAF,), status=401, status_text="CMGConnector_Unauthorized")
ALIVE = Dialed(leaf=LEAF, chain=(LEAF,), status=503, status_text="CMGService_No_Connector")

MAKE = NewResources(
    resource_group=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}",
    network_security_group=resource_id("Microsoft.Network/networkSecurityGroups", "granitefalls-nsg"),
    virtual_network=resource_id("Microsoft.Network/virtualNetworks", "granitefalls-vnet"),
    public_address=resource_id("Microsoft.Network/publicIPAddresses", "granitefalls-ip"),
    load_balancer=resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb"),
    scale_set=SCALE_SET,
)


def record_body(target: str, ttl: int = 300, etag: str = "e1") -> JsonObject:
    """The service name's record set as Azure DNS answers it."""
    return {"id": RECORD_ID, "etag": etag, "properties": {"TTL": ttl, "CNAMERecord": {"cname": target}}}


def healthy_instance(number: int) -> JsonObject:
    """An instance as a healthy gateway's looks."""
    return {
        "name": f"granitefalls_{number}",
        "instanceId": str(number),
        "properties": {
            "provisioningState": "Succeeded",
            "instanceView": {
                "statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}],
                "vmHealth": {"status": {"code": "HealthState/healthy"}},
            },
        },
    }


def certificate() -> PinnedCertificate:
    """The certificate that both gateways show."""
    return PinnedCertificate(
        vault_id=VAULT_ID,
        version="v1",
        secret_id=f"{VAULT}/secrets/granitefalls/v1",
        thumbprint="0" * 40,
        fingerprint=fingerprint(LEAF),
        subject=f"CN={SERVICE}",
        dns_names=(SERVICE,),
        not_after=NOW + timedelta(days=300),
    )


def before_cut_over(services: FakeServices, request: Request | None = None, **old_part: str) -> State:
    """The new gateway stands and relays, the record points at the old one with a TTL of 300 s."""
    request = request or migration()
    names = GatewayNames(service_name=SERVICE, label="granitefalls", deployment_name=NEW_NAME)
    part = Part(id=CLASSIC_ID, **old_part)
    plan = Plan(
        findings=(),
        names=names,
        certificate=certificate(),
        make=MAKE,
        delete=(part,),
        old_gateway=OldGateway(
            model="classic",
            resource_id=CLASSIC_ID,
            service_name=SERVICE,
            deployment_name=OLD_NAME,
            region="eastus",
            parts=(part,),
            kept=(OLD_STORAGE,),
        ),
        record=ServiceRecord(id=RECORD_ID, target=OLD_NAME, ttl=timedelta(seconds=300), etag="e1"),
        gates=gates_of(request, names, "dialing port 443"),
    )
    azure = services.resource_manager
    azure.add(record_body(OLD_NAME))
    azure.add({"id": CLASSIC_ID})
    azure.add({"id": OLD_STORAGE})
    azure.instance_views[SCALE_SET.lower()] = [healthy_instance(0), healthy_instance(1)]
    services.dns.point(SERVICE, OLD_NAME)
    services.dialer.answers |= {NEW_NAME: RELAYS, SERVICE.lower(): RELAYS}
    new = NewGateway(address="203.0.113.7", created=MAKE.ids, verified_at=NOW)
    return State(request=request, plan=plan, certificate=plan.certificate, gates=plan.gates, new=new)


def opened(state: State, *names: GateName) -> State:
    """The state with gates opened by a person; without names, all of them."""
    for gate in state.gates:
        if not names or gate.name in names:
            state = state.with_gate(replace(gate, asked_at=NOW, opened_at=NOW, opened_by="a person"))
    return state


def closed(state: State, name: GateName) -> State:
    """The state with one gate closed."""
    gate: Gate | None = state.gate(name)
    assert gate is not None
    return state.with_gate(replace(gate, opened_at=None))


def after_grace(services: FakeServices, request: Request | None = None, **old_part: str) -> State:
    """Everything is open, the record points at the new gateway, and the grace period is over."""
    state = opened(before_cut_over(services, request, **old_part))
    services.resource_manager.add(record_body(NEW_NAME))
    services.dns.point(SERVICE, NEW_NAME)
    started = services.clock.now() - timedelta(days=2, seconds=1)
    return replace(state, grace_started_at=started, grace_ends_at=started + timedelta(days=2))


def parking(services: FakeServices, request: Request | None = None) -> State:
    """``after_grace`` of a plan that parks the old name: its address stands alone."""
    state = after_grace(services, request)
    assert state.plan is not None
    part = Part(id=ADDRESS, immutable_id="address-guid")
    services.resource_manager.add({"id": ADDRESS, "properties": {"resourceGuid": "address-guid"}})
    return replace(state, plan=state.plan.model_copy(update={"parked": part, "keep": (OLD_STORAGE, ADDRESS)}))

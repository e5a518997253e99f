"""preflight: what is planned, what is found, and that nothing is written."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.clouds import CloudName
from cmg_core.domain.errors import AzureRefused, NewerSchema, TryAgain
from cmg_core.domain.gates import GateName
from cmg_core.domain.outcomes import Done, Failed, Wait
from cmg_core.domain.plans import Plan
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.record import STATE, State, Status
from cmg_core.domain.requests import MigrationRequest, Request, held_gateway
from cmg_core.services import NameView
from cmg_core.steps.preflight import look, preflight
from tests.fakes import (
    CLASSIC_ID,
    DEPLOYMENT,
    GROUP,
    NOW,
    OLD_GROUP,
    SUBSCRIPTION,
    VAULT,
    VAULT_ID,
    ZONE_ID,
    FakeServices,
    context_of,
    deployment,
    in_vault,
    leaf,
    migration,
    resource_id,
)
from tests.records import a_record
from tests.worlds import (
    CLASSIC_NAME,
    OLD_ADDRESS,
    OLD_LOAD_BALANCER,
    OLD_NETWORK,
    OLD_PARTS,
    OLD_SCALE_SET,
    OLD_SCALE_SET_NAME,
    OLD_SECURITY_GROUP,
    RECORD_ID,
    SERVICE_NAME,
    STORE_ID,
    base,
    classic,
    scale_set,
    set_record,
)


def planned(request: Request, services: FakeServices) -> Plan:
    return asyncio.run(look(request, services, DEPLOYMENT))  # type: ignore[arg-type]  # the ledger fake is partial


def from_scale_set(**old_gateway: object) -> MigrationRequest:
    old = {"resource_id": OLD_SCALE_SET, "service_name": SERVICE_NAME, **old_gateway}
    return migration(old_gateway=old, reason="new subscription")


def from_classic(**old_gateway: object) -> MigrationRequest:
    return migration(old_gateway={"resource_id": CLASSIC_ID, "service_name": SERVICE_NAME, **old_gateway})


def finding(plan: Plan, code: str) -> Finding:
    found = [finding for finding in plan.findings if finding.code == code]
    assert found, f"{code} is not among {[finding.code for finding in plan.findings]}"
    return found[0]


def test_a_migration_from_classic_is_planned() -> None:
    plan = planned(migration(), services := classic())
    assert plan.blocked_by == ()
    assert plan.names is not None
    assert plan.make is not None
    assert plan.old_gateway is not None
    assert plan.record is not None
    assert plan.certificate is not None
    assert plan.names.service_name == SERVICE_NAME
    assert plan.names.deployment_name == "granitefalls.eastus.cloudapp.azure.com"
    assert plan.make.scale_set.endswith(
        f"/resourceGroups/{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/granitefalls"
    )
    assert plan.make.zones == ("1", "2", "3")
    assert [part.id for part in plan.delete] == [CLASSIC_ID]
    assert plan.keep == (STORE_ID,)
    assert (plan.old_gateway.model, plan.old_gateway.deployment_name) == ("classic", CLASSIC_NAME)
    assert (plan.record.id, plan.record.target, plan.record.ttl) == (RECORD_ID, CLASSIC_NAME, timedelta(minutes=5))
    assert plan.certificate.secret_id == f"{VAULT}/secrets/granitefalls/v1"
    assert plan.certificate.vault_id == VAULT_ID
    assert [gate.name for gate in plan.gates] == [
        GateName.CONNECTION_POINT_CONNECTED,
        GateName.READY_TO_CUT_OVER,
        GateName.CNAME,
        GateName.INSIDE_DNS,
        GateName.SITE_RECORD_REMOVED,
        GateName.CONNECTION_POINT_REMOVED,
    ]
    assert plan.foretold_gap == timedelta()
    assert "for 168 h with two gateways: 48 h of grace period" in plan.cost_of_parallel_days
    assert sum(services.resource_manager.calls.values()) <= 18


def test_the_plan_knows_for_how_long_public_answers_may_be_held() -> None:
    services = classic()
    services.dns.point(SERVICE_NAME, CLASSIC_NAME, ttl=7200)
    assert planned(from_classic(), services).record_ttl == timedelta(hours=2)
    zone_of_others = migration(dns=None, old_gateway={"resource_id": CLASSIC_ID, "service_name": SERVICE_NAME})
    assert planned(zone_of_others, services).record_ttl == timedelta(hours=2)


def test_a_migration_from_a_scale_set_lists_its_parts_in_the_order_of_deletion() -> None:
    plan = planned(from_scale_set(), scale_set())
    assert plan.blocked_by == ()
    assert tuple(part.id for part in plan.delete) == OLD_PARTS
    assert [part.immutable_id for part in plan.delete] == [
        "scale-set-guid",
        "balancer-guid",
        "address-guid",
        "network-guid",
        "nsg-guid",
    ]
    assert len(plan.keep) == 2
    assert plan.names is not None
    assert plan.names.label == "granitefalls2"
    assert finding(plan, "deployment-name-differs").severity is Severity.TELLS


def of_this_app(services: FakeServices, *ids: str, owner: str = "an-earlier-deployment") -> FakeServices:
    for id in ids:
        services.resource_manager.resources[id.lower()]["tags"] = {"cmg-deployment": owner}
    return services


def test_the_name_of_a_gateway_that_this_app_made_can_stay_parked() -> None:
    services = of_this_app(scale_set(), OLD_SCALE_SET, OLD_ADDRESS)
    request = from_scale_set().model_copy(update={"park_old_name": True})
    plan = planned(request, services)
    assert plan.blocked_by == ()
    assert plan.parked is not None and (plan.parked.id, plan.parked.immutable_id) == (OLD_ADDRESS, "address-guid")
    assert tuple(part.id for part in plan.delete) == tuple(id for id in OLD_PARTS if id != OLD_ADDRESS)
    assert OLD_ADDRESS in plan.keep
    assert OLD_SCALE_SET_NAME in finding(plan, "name-stays-parked").seen
    assert planned(from_scale_set(), services).parked is None
    planned_besides = from_scale_set(also_delete=[OLD_ADDRESS]).model_copy(update={"park_old_name": True})
    assert OLD_ADDRESS not in [part.id for part in planned(planned_besides, services).delete]


@pytest.mark.parametrize("tagged", [(), (OLD_SCALE_SET,), (OLD_ADDRESS,)])
def test_no_other_gateway_s_name_can_stay_parked(tagged: tuple[str, ...]) -> None:
    request = from_scale_set().model_copy(update={"park_old_name": True})
    services = of_this_app(scale_set(), *tagged)
    assert finding(planned(request, services), "park-not-ours").severity is Severity.BLOCKS
    services = of_this_app(of_this_app(services, OLD_SCALE_SET), OLD_ADDRESS, owner="another")
    assert finding(planned(request, services), "park-not-ours").severity is Severity.BLOCKS


def test_parts_that_others_use_stay() -> None:
    services = scale_set()
    azure = services.resource_manager
    network = azure.resources[OLD_NETWORK.lower()]
    stranger = resource_id("Microsoft.Network/networkInterfaces", "stranger", OLD_GROUP)
    network["properties"] = {
        "subnets": [
            {
                "properties": {
                    "ipConfigurations": [{"id": f"{stranger}/ipConfigurations/a"}],
                    "networkSecurityGroup": {"id": OLD_SECURITY_GROUP},
                }
            }
        ]
    }
    plan = planned(from_scale_set(), services)
    assert tuple(part.id for part in plan.delete) == (OLD_SCALE_SET, OLD_LOAD_BALANCER, OLD_ADDRESS)
    assert {OLD_NETWORK, OLD_SECURITY_GROUP} <= set(plan.keep)
    assert finding(plan, "part-used-by-others").severity is Severity.TELLS
    assert finding(plan, "parts-not-confirmed").severity is Severity.BLOCKS


def test_what_lies_in_another_resource_group_stays() -> None:
    services = scale_set()
    azure = services.resource_manager
    network = azure.resources.pop(OLD_NETWORK.lower())
    shared_network = resource_id("Microsoft.Network/virtualNetworks", "hub", "rg-network")
    azure.add({**network, "id": shared_network, "name": "hub"})
    for body in azure.resources.values():
        text = json.dumps(body["properties"]).replace(f"{OLD_NETWORK}/subnets", f"{shared_network}/subnets")
        body["properties"] = json.loads(text)
    going = [OLD_SCALE_SET, OLD_LOAD_BALANCER, OLD_ADDRESS]
    plan = planned(from_scale_set(confirmed_parts=going), services)
    assert [part.id for part in plan.delete] == going
    assert finding(plan, "part-elsewhere").resource == shared_network and not plan.blocked_by


def test_a_group_that_holds_more_needs_each_part_confirmed() -> None:
    services = scale_set()
    services.resource_manager.add({"id": resource_id("Microsoft.Compute/virtualMachines", "other", OLD_GROUP)})
    blocked = finding(planned(from_scale_set(), services), "parts-not-confirmed")
    assert blocked.severity is Severity.BLOCKS
    assert all(id in blocked.cure for id in OLD_PARTS)
    assert planned(from_scale_set(confirmed_parts=list(OLD_PARTS)), services).blocked_by == ()
    finding(planned(from_scale_set(confirmed_parts=list(OLD_PARTS[:-1])), services), "parts-not-confirmed")
    finding(planned(from_scale_set(confirmed_parts=[*OLD_PARTS[:-1], STORE_ID]), services), "parts-not-confirmed")


def test_what_the_request_deletes_besides_comes_last() -> None:
    plan = planned(from_classic(also_delete=[STORE_ID]), classic())
    assert plan.blocked_by == ()
    assert [part.id for part in plan.delete] == [CLASSIC_ID, STORE_ID]
    assert plan.keep == ()


@pytest.mark.parametrize(
    ("id", "code"),
    [
        (resource_id("Microsoft.Storage/storageAccounts", "missing", OLD_GROUP), "also-delete-missing"),
        (resource_id("Microsoft.Sql/servers", "payroll", OLD_GROUP), "also-delete-kind"),
        (VAULT_ID, "also-delete-elsewhere"),
    ],
)
def test_what_may_not_be_deleted_besides_blocks(id: str, code: str) -> None:
    services = classic()
    services.resource_manager.add({"id": resource_id("Microsoft.Sql/servers", "payroll", OLD_GROUP)})
    assert finding(planned(from_classic(also_delete=[id]), services), code).severity is Severity.BLOCKS


def test_the_vault_of_the_certificate_is_never_deleted() -> None:
    services = classic()
    azure = services.resource_manager
    vault = resource_id("Microsoft.KeyVault/vaults", "kv-cmg", OLD_GROUP)
    del azure.resources[VAULT_ID.lower()]
    azure.add({"id": vault, "location": "eastus", "properties": {"enabledForDeployment": True}})
    finding(planned(from_classic(also_delete=[vault]), services), "also-delete-certificate-vault")


def test_a_store_that_another_gateway_may_use_stays() -> None:
    services = classic()
    services.resource_manager.add(
        {"id": resource_id("Microsoft.Compute/virtualMachineScaleSets", "converted", OLD_GROUP)}
    )
    finding(planned(from_classic(also_delete=[STORE_ID]), services), "also-delete-maybe-in-use")


def test_a_plan_of_a_crowded_group_fits_into_the_ledgers_row() -> None:
    services = scale_set()
    for number in range(800):
        name = f"{'a-long-name-' * 5}{number}"
        services.resource_manager.add({"id": resource_id("Microsoft.Compute/virtualMachines", name, OLD_GROUP)})
        scope = resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls", OLD_GROUP)
        services.resource_manager.lock_list.append({"id": f"{scope}/providers/Microsoft.Authorization/locks/{name}"})
    outcome = asyncio.run(preflight(context_of(services, State(from_scale_set(confirmed_parts=list(OLD_PARTS))))))
    assert outcome.state.plan is not None
    assert finding(planned(from_scale_set(), services), "parts-not-confirmed")
    assert len(STATE.dump_json(outcome.state)) < 65_536


def test_a_new_deployment_deletes_nothing_and_needs_no_record() -> None:
    plan = planned(deployment(), base())
    assert plan.blocked_by == ()
    assert (plan.delete, plan.keep, plan.old_gateway, plan.record, plan.grace_period) == ((), (), None, None, None)
    assert [gate.name for gate in plan.gates] == [GateName.CNAME, GateName.CONNECTION_POINT_CONNECTED]


def test_a_new_deployment_under_the_regions_name_has_no_record() -> None:
    services = base()
    name = "granitefalls.eastus.cloudapp.azure.com"
    services.vaults.certificates[f"{VAULT}/granitefalls"] = in_vault(leaf(name))
    plan = planned(deployment(dns=None), services)
    assert plan.blocked_by == ()
    assert plan.names is not None
    assert not plan.names.has_own_domain
    assert [gate.name for gate in plan.gates] == [GateName.CONNECTION_POINT_CONNECTED]


def test_a_taken_regions_name_blocks() -> None:
    services = base()
    services.vaults.certificates[f"{VAULT}/granitefalls"] = in_vault(leaf("granitefalls.eastus.cloudapp.azure.com"))
    services.resource_manager.taken_labels.add("granitefalls")
    finding(planned(deployment(dns=None), services), "deployment-name-taken")


type Spoil = Callable[[FakeServices], object]


def _certificate(**changes: object) -> Spoil:
    def spoil(services: FakeServices) -> None:
        services.vaults.certificates[f"{VAULT}/granitefalls"] = in_vault(leaf(SERVICE_NAME), **changes)

    return spoil


def _replaced(body: dict[str, object]) -> Spoil:
    return lambda services: services.resource_manager.add(body)  # type: ignore[arg-type]  # plain JSON


def _lock(scope: str, level: str) -> Spoil:
    lock = {"id": f"{scope}/providers/Microsoft.Authorization/locks/hold", "properties": {"level": level}}
    return lambda services: services.resource_manager.lock_list.append(lock)


SUBSCRIPTION_ID = CLASSIC_ID.split("/resourceGroups/", 1)[0]

SPOILED: list[tuple[str, Spoil]] = [
    ("subscription-not-enabled", lambda s: s.resource_manager.subscription_body.update(state="Disabled")),
    ("subscription-other-tenant", lambda s: s.resource_manager.subscription_body.update(tenantId=DEPLOYMENT)),
    ("size-not-offered", lambda s: s.resource_manager.size_list.clear()),
    ("quota-too-small", lambda s: s.resource_manager.usage_list[0].update(limit=7)),
    ("group-in-other-region", lambda s: s.resource_manager.groups.update({GROUP: {"location": "westeurope"}})),
    ("certificate-missing", lambda s: s.vaults.certificates.clear()),
    ("certificate-not-exportable", _certificate(exportable=False)),
    ("certificate-disabled", _certificate(enabled=False)),
    ("certificate-unreadable", lambda s: s.vaults.certificates.update({f"{VAULT}/granitefalls": in_vault(b"none")})),
    ("vault-not-in-subscription", lambda s: s.resource_manager.resources.pop(VAULT_ID.lower())),
    (
        "vault-in-other-region",
        _replaced({"id": VAULT_ID, "location": "westeurope", "properties": {"enabledForDeployment": True}}),
    ),
    ("vault-not-enabled-for-deployment", _replaced({"id": VAULT_ID, "location": "eastus"})),
    ("old-gateway-missing", lambda s: s.resource_manager.resources.pop(CLASSIC_ID.lower())),
    ("locked", _lock(CLASSIC_ID, "CanNotDelete")),
    ("locked", _lock(f"{SUBSCRIPTION_ID}/resourceGroups/{OLD_GROUP.upper()}", "CanNotDelete")),
    ("locked", _lock(SUBSCRIPTION_ID, "CanNotDelete")),
    ("locked-read-only", _lock(f"{SUBSCRIPTION_ID}/resourceGroups/{GROUP}", "ReadOnly")),
    ("locked-read-only", _lock(ZONE_ID, "ReadOnly")),
    ("record-missing", lambda s: s.resource_manager.resources.pop(RECORD_ID.lower())),
    ("record-points-elsewhere", lambda s: set_record(s, "somebody.cloudapp.net")),
    ("record-is-azure-alias", lambda s: set_record(s, "")),
    (
        "public-dns-silent",
        lambda s: s.dns.answers.update({SERVICE_NAME.lower(): [NameView("ns", failure="timed out")]}),
    ),
    ("service-name-delegated", _replaced({"id": f"{ZONE_ID}/NS/granitefalls"})),
    (
        "resource-name-taken",
        _replaced(
            {
                "id": resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb"),
                "tags": {"cmg-deployment": "another"},
            }
        ),
    ),
]


@pytest.mark.parametrize(("code", "spoil"), SPOILED, ids=[f"{n}-{code}" for n, (code, _) in enumerate(SPOILED)])
def test_what_stands_against_a_migration_blocks_it(code: str, spoil: Spoil) -> None:
    spoil(services := classic())
    found = finding(planned(migration(), services), code)
    assert found.severity in (Severity.BLOCKS, Severity.UNKNOWN)
    assert found.seen
    assert found.cure


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("names-held-by-old-gateway", {"provisioned_by": "site"}),
        ("gap-longer-than-accepted", {"accept_gap": "PT1M"}),
        (
            "old-gateway-not-gone",
            {"old_gateway": {"resource_id": CLASSIC_ID, "service_name": SERVICE_NAME, "gone": True}},
        ),
        ("park-not-ours", {"park_old_name": True}),
        ("grace-period-too-short", {"grace_period": "PT23H"}),
        ("other-cloud", {"region": "usgovvirginia"}),
        ("classic-target-retired", {"deployment_model": "classic"}),
        ("no-spare-site-system", {"site": {"spare_site_system": False}}),
        ("zone-missing", {"dns": {"zone_id": resource_id("Microsoft.Network/dnsZones", "contoso.com", "rg-none")}}),
        ("service-name-not-covered", {"service_name": "other.contoso.com"}),
        ("release-without-scale-sets", {"configmgr_release": "1910"}),
    ],
)
def test_what_cannot_be_carried_out_blocks(code: str, changes: dict[str, object]) -> None:
    assert finding(planned(migration(**changes), classic()), code).severity is Severity.BLOCKS


@pytest.mark.parametrize(
    ("code", "request_", "services"),
    [
        ("reasons-to-move", from_scale_set().model_copy(update={"reason": None}), scale_set()),
        ("no-reason-to-move", from_scale_set().model_copy(update={"resource_group": OLD_GROUP}), scale_set()),
        ("classic-retired", migration(), classic()),
        ("not-supported-by-microsoft", migration(), classic()),
        ("zone-not-ours", migration(dns=None), classic()),
        ("connection-point-ports", migration(), classic()),
    ],
)
def test_what_a_person_should_know_is_told(code: str, request_: Request, services: FakeServices) -> None:
    plan = planned(request_, services)
    assert finding(plan, code).severity is Severity.TELLS
    assert plan.blocked_by == ()


@pytest.mark.parametrize(
    ("state", "code", "severity"),
    [
        ("Running", "classic-gateway-runs", Severity.TELLS),
        ("Suspended", "classic-gateway-stopped", Severity.WARNS),
        ("", "", None),
    ],
)
def test_a_classic_source_tells_whether_it_runs(state: str, code: str, severity: Severity | None) -> None:
    services = classic()
    services.resource_manager.add({"id": f"{CLASSIC_ID}/slots/production", "properties": {"status": state}})
    plan = planned(migration(), services)
    told = {each.code: each.severity for each in plan.findings if each.code.startswith("classic-gateway-")}
    assert told == ({code: severity} if code else {})
    assert plan.blocked_by == ()


@pytest.mark.parametrize(("quota_id", "blocked"), [("CSP_2015-05-01", False), ("PayAsYouGo_2014-09-01", True)])
def test_the_preview_is_for_subscriptions_of_solution_providers(quota_id: str, blocked: bool) -> None:
    services = base()
    services.resource_manager.subscription_body["subscriptionPolicies"] = {"quotaId": quota_id}
    request = deployment(configmgr_release="2103", site={"hierarchy": "standalone-primary"})
    assert {each.code for each in planned(request, services).blocked_by} == (
        {"release-preview-csp-only"} if blocked else set()
    )


def test_a_classic_gateway_beside_a_scale_set_is_a_mixture_that_the_preview_refuses() -> None:
    services = classic()
    services.resource_manager.subscription_body["subscriptionPolicies"] = {"quotaId": "CSP_2015-05-01"}
    request = migration(configmgr_release="2103", site={"hierarchy": "standalone-primary"})
    assert {each.code for each in planned(request, services).blocked_by} == {"release-preview-one-model"}


def test_without_a_release_the_plan_is_blocked_by_what_is_not_known() -> None:
    plan = planned(migration(configmgr_release=None), classic())
    assert {each.code for each in plan.blocked_by} == {"release-unknown"}


def test_the_app_s_cloud_decides_which_region_and_vault_are_its_own() -> None:
    services = base()
    services.limits = replace(services.limits, cloud=CloudName.US_GOVERNMENT)
    blocked = [each for each in planned(deployment(), services).blocked_by if each.code == "other-cloud"]
    assert {each.pointer for each in blocked} == {"/region", "/certificate/vault"}
    request = deployment(
        region="usgovvirginia",
        configmgr_release="2107",
        certificate={"vault": "https://kv-cmg.vault.usgovcloudapi.net", "name": "granitefalls"},
    )
    against = {each.code for each in planned(request, services).blocked_by}
    assert "release-without-government" in against and "other-cloud" not in against


def test_a_plan_lists_openings_in_firewalls() -> None:
    plan = planned(migration(), classic())
    assert ("needless", CLASSIC_NAME, "10140-10155") in {
        (each.change, each.target, each.ports) for each in plan.firewall
    }
    assert ("needed", plan.names and plan.names.deployment_name, "10124-10125") in {
        (each.change, each.target, each.ports) for each in plan.firewall
    }


def test_the_same_regions_name_is_refused_with_both_ways_out() -> None:
    services = scale_set()
    name = "GraniteFalls.EastUS.CloudApp.Azure.Com"
    services.vaults.certificates[f"{VAULT}/granitefalls"] = in_vault(leaf(name))
    cure = finding(planned(from_scale_set(service_name=name), services), "case-same-region-name").cure
    assert "domain of your own" in cure
    assert "delete the old one first" in cure


def test_a_record_that_leads_to_the_old_gateway_by_a_detour_is_no_obstacle() -> None:
    services = classic()
    set_record(services, "cmg.trafficmanager.net")
    services.dns.point(SERVICE_NAME, "cmg.trafficmanager.net", CLASSIC_NAME)
    plan = planned(migration(), services)
    assert finding(plan, "record-indirect").severity is Severity.WARNS
    assert plan.blocked_by == ()


def test_a_proxy_before_the_zone_keeps_the_record_from_leading_anybody() -> None:
    services = classic()
    services.dns.answers[SERVICE_NAME.lower()] = [NameView("ns", (), ("198.51.100.80",))]
    assert [found.code for found in planned(migration(), services).blocked_by] == ["name-behind-proxy"]


def test_a_name_that_serves_already_is_not_taken_over_by_a_new_deployment() -> None:
    finding(planned(deployment(), classic()), "service-name-in-use")


def test_every_name_is_free_for_the_deployment_that_owns_it() -> None:
    services = classic()
    own = {
        "id": resource_id("Microsoft.Network/loadBalancers", "granitefalls-lb"),
        "tags": {"cmg-deployment": DEPLOYMENT},
    }
    services.resource_manager.add(own)  # type: ignore[arg-type]  # plain JSON
    assert planned(migration(), services).blocked_by == ()


@pytest.mark.parametrize(
    ("status", "blocked"), [(Status.RUNNING, True), (Status.NEEDS_ATTENTION, True), (Status.SUCCEEDED, False)]
)
def test_another_active_migration_blocks(status: Status, blocked: bool) -> None:
    services = classic()
    services.ledger.held[held_gateway(migration())] = "another"
    services.ledger.records["another"] = replace(a_record("another"), status=status)
    plan = planned(migration(), services)
    assert ("another-migration" in {finding.code for finding in plan.blocked_by}) is blocked


def test_own_reservation_does_not_block() -> None:
    services = classic()
    services.ledger.held[held_gateway(migration())] = DEPLOYMENT
    assert planned(migration(), services).blocked_by == ()


FORBIDDEN = AzureRefused(
    status=403,
    code="AuthorizationFailed",
    message="The client 'c' does not have authorization to perform action 'Microsoft.Fabric/read' over scope 'S'.",
    target="/subscriptions/s",
)
LOOKS = (
    "subscription",
    "providers",
    "sizes",
    "usages",
    "group",
    "locks",
    "resources_in_group",
    "find",
    "get",
    "records",
    "label_is_free",
)


@pytest.mark.parametrize("call", LOOKS)
def test_a_look_that_is_not_permitted_is_unknown_and_names_the_permission(call: str) -> None:
    services = scale_set()
    services.resource_manager.faults[call] = FORBIDDEN
    plan = planned(from_scale_set(), services)
    assert finding(plan, "look-not-permitted").severity is Severity.UNKNOWN
    assert "Microsoft.Fabric/read" in finding(plan, "look-not-permitted").cure
    assert plan.blocked_by


def unregistered(namespace: str) -> AzureRefused:
    message = f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found"
    return AzureRefused(status=409, code="MissingSubscriptionRegistration", message=message, target="/subscriptions/s")


def test_a_subscription_that_never_used_compute_is_no_obstacle() -> None:
    services = classic()
    services.resource_manager.provider_states["Microsoft.Compute"] = "NotRegistered"
    services.resource_manager.faults |= dict.fromkeys(("sizes", "usages"), unregistered("Microsoft.Compute"))
    plan = planned(migration(), services)
    assert plan.blocked_by == () and plan.make is not None and plan.make.zones == ()
    assert finding(plan, "capacity-not-seen").severity is Severity.WARNS


def test_a_name_that_cannot_be_looked_up_without_its_provider_blocks_with_the_command_that_cures_it() -> None:
    services = classic()
    services.resource_manager.faults["label_is_free"] = unregistered("Microsoft.Network")
    found = finding(planned(migration(), services), "look-needs-provider")
    assert found.severity is Severity.UNKNOWN and "--namespace Microsoft.Network" in found.cure


def test_an_old_gateway_without_a_name_blocks_because_records_to_it_could_not_be_seen() -> None:
    services = classic()
    services.resource_manager.add({"id": CLASSIC_ID, "location": "eastus", "properties": {}})
    plan = planned(migration(dns=None), services)
    assert finding(plan, "old-gateway-without-name").severity is Severity.BLOCKS


def test_a_rival_that_is_just_being_accepted_is_waited_for() -> None:
    services = classic()
    services.ledger.held[held_gateway(migration())] = "another"
    with pytest.raises(TryAgain):
        asyncio.run(preflight(context_of(services, State(migration()))))
    plan = asyncio.run(look(migration(), services, ""))  # type: ignore[arg-type]  # the ledger fake is partial
    assert plan.blocked_by == ()


def test_a_rival_of_a_newer_release_blocks() -> None:
    services = classic()
    services.ledger.held[held_gateway(migration())] = "another"

    async def newer(deployment_id: str) -> None:
        raise NewerSchema("newer")

    services.ledger.read = newer  # type: ignore[method-assign]
    assert finding(planned(migration(), services), "another-migration")


@pytest.mark.parametrize("call", LOOKS)
def test_a_look_without_answer_is_unknown_in_a_plan_and_tried_again_in_the_step(call: str) -> None:
    services = classic()
    services.resource_manager.faults[call] = TryAgain("busy", timedelta(seconds=7))
    assert finding(planned(migration(), services), "look-not-answered").severity is Severity.UNKNOWN
    with pytest.raises(TryAgain) as raised:
        asyncio.run(preflight(context_of(services, State(migration()))))
    assert raised.value.after == timedelta(seconds=7)


def test_silent_dns_servers_are_asked_again_by_the_step() -> None:
    services = classic()
    services.dns.answers[SERVICE_NAME.lower()] = [NameView("ns", failure="timed out")]
    with pytest.raises(TryAgain):
        asyncio.run(preflight(context_of(services, State(migration()))))


def test_a_blocked_plan_is_refused_at_once_even_where_a_look_brought_no_answer() -> None:
    services = classic()
    services.resource_manager.faults["usages"] = TryAgain("busy")
    services.resource_manager.size_list.clear()
    services.resource_manager.faults["locks"] = TryAgain("busy")
    assert isinstance(asyncio.run(preflight(context_of(services, State(migration())))), Failed)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "InvalidAuthenticationToken", "sign-in-refused"),
        (401, "InvalidAuthenticationTokenTenant", "subscription-other-tenant"),
        (404, "SubscriptionNotFound", "subscription-not-found"),
        (400, "InvalidApiVersionParameter", "look-refused"),
    ],
)
def test_a_refusal_of_every_look_is_said_plainly(status: int, code: str, expected: str) -> None:
    services = classic()
    refused = AzureRefused(status=status, code=code, message="no", target="/subscriptions/s")
    services.resource_manager.faults |= dict.fromkeys(LOOKS, refused)
    plan = planned(migration(), services)
    finding(plan, expected)
    assert plan.blocked_by


def test_every_fault_at_once_is_still_a_plan() -> None:
    services = classic()
    services.resource_manager.faults |= dict.fromkeys(LOOKS, FORBIDDEN)
    services.vaults.fault = FORBIDDEN
    plan = planned(migration(), services)
    assert plan.names is None
    assert plan.blocked_by


def test_the_step_hands_on_plan_and_gates_and_writes_nothing() -> None:
    services = classic()
    outcome = asyncio.run(preflight(context_of(services, State(migration()))))
    assert isinstance(outcome, Done)
    assert outcome.state.plan is not None
    assert outcome.state.gates == outcome.state.plan.gates
    assert services.resource_manager.writes == []


def test_a_blocked_plan_is_refused_with_everything_that_was_found() -> None:
    services = classic()
    services.resource_manager.size_list.clear()
    services.resource_manager.lock_list.append(
        {"id": f"{CLASSIC_ID}/providers/Microsoft.Authorization/locks/x", "properties": {"level": "CanNotDelete"}}
    )
    outcome = asyncio.run(preflight(context_of(services, State(migration()))))
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "plan-blocked"
    assert {"size-not-offered", "locked", "classic-retired"} <= {found.code for found in outcome.problem.findings}
    assert services.resource_manager.writes == []


def test_approval_is_waited_for_with_the_plan_that_was_shown() -> None:
    services = classic()
    request = migration(gates={"approval": True})
    waiting = asyncio.run(preflight(context_of(services, State(request))))
    assert isinstance(waiting, Wait)
    assert waiting.gate is GateName.APPROVAL
    gate = waiting.state.gate(GateName.APPROVAL)
    assert gate is not None
    assert gate.early
    calls = sum(services.resource_manager.calls.values())
    again = asyncio.run(preflight(context_of(services, waiting.state)))
    assert isinstance(again, Wait)
    opened = waiting.state.with_gate(replace(gate, opened_at=NOW, opened_by="anna"))
    done = asyncio.run(preflight(context_of(services, opened)))
    assert isinstance(done, Done)
    assert done.state.plan == waiting.state.plan
    assert sum(services.resource_manager.calls.values()) == calls


READS = [{"actions": ["*/read"], "notActions": []}]
ROOT = f"/subscriptions/{SUBSCRIPTION}"


def test_a_role_in_the_subscription_is_enough_for_everything_in_it() -> None:
    services = classic()
    plan = planned(from_classic(), services)
    assert services.resource_manager.calls["permissions"] == 1
    assert services.resource_manager.calls["policy_restrictions"] == 0
    assert plan.blocked_by == ()


def test_what_the_subscription_does_not_grant_is_asked_for_where_it_is_needed() -> None:
    services = classic()
    azure = services.resource_manager
    azure.groups[GROUP] = {"name": GROUP, "location": "eastus"}
    azure.granted = {ROOT: READS, VAULT_ID.lower(): READS}
    plan = planned(from_classic(), services)
    missing = [found for found in plan.findings if found.code == "permissions-missing"]
    assert [found.resource for found in missing] == [VAULT_ID]
    assert azure.calls["permissions"] == 5


def test_who_may_not_register_is_told_before_anything_begins() -> None:
    services = classic()
    azure = services.resource_manager
    azure.provider_states["Microsoft.Storage"] = "NotRegistered"
    azure.granted = {ROOT: READS}
    found = finding(planned(from_classic(), services), "permissions-missing")
    assert found.resource == ROOT
    assert "Microsoft.Storage/register/action" in found.seen
    assert "Microsoft.Resources/subscriptions/resourceGroups/write" in found.seen


def test_permissions_that_cannot_be_seen_are_unknown_only_where_they_are_needed() -> None:
    refused = AzureRefused(status=403, code="AuthorizationFailed", message="no", target=ROOT)
    services = classic()
    services.resource_manager.faults[f"permissions {ROOT}"] = refused
    assert finding(planned(from_classic(), services), "look-not-permitted").severity is Severity.UNKNOWN
    services.resource_manager.groups[GROUP] = {"name": GROUP, "location": "eastus"}
    assert planned(from_classic(), services).blocked_by == (), "the group's own roles are enough"


def test_conditions_are_told_and_do_not_stand_in_the_way() -> None:
    services = classic()
    services.resource_manager.assignment_list = [{"id": "/r", "properties": {"condition": "(a)"}}]
    plan = planned(from_classic(), services)
    assert finding(plan, "role-assignment-condition").severity is Severity.WARNS
    refused = AzureRefused(status=403, code="AuthorizationFailed", message="no", target="/x")
    services.resource_manager.faults["role_assignments"] = refused
    plan = planned(from_classic(), services)
    assert finding(plan, "role-conditions-not-seen").severity is Severity.WARNS
    assert plan.blocked_by == ()


def with_policy(services: FakeServices) -> FakeServices:
    scope = {"scope": ROOT, "displayName": "No addresses"}
    services.resource_manager.policy_list = [{"id": "/p", "name": "p", "properties": scope}]
    return services


def test_what_a_policy_denies_blocks_and_names_the_policy_and_the_part() -> None:
    services = with_policy(classic())
    services.resource_manager.denied = {"Microsoft.Network/publicIPAddresses": ["/P"]}
    found = finding(planned(from_classic(), services), "policy-denies")
    assert found.severity is Severity.BLOCKS
    assert found.resource.endswith("/publicIPAddresses/granitefalls-ip")
    assert "«No addresses»" in found.seen
    assert len(services.resource_manager.checked) == 6, "the parts, and the group that will be made"
    assert "adminPassword" not in json.dumps(services.resource_manager.checked)


def test_policies_that_azure_does_not_check_yet_are_a_warning_and_a_refusal_is_unknown() -> None:
    services = with_policy(classic())
    message = "The subscription is not registered to use namespace 'Microsoft.PolicyInsights'."
    services.resource_manager.faults["policy_restrictions"] = AzureRefused(
        status=409, code="MissingSubscriptionRegistration", message=message, target="/x"
    )
    plan = planned(from_classic(), services)
    assert [found.code for found in plan.findings].count("policies-not-seen") == 1
    assert plan.blocked_by == ()
    services.resource_manager.faults["policy_restrictions"] = AzureRefused(
        status=403, code="AuthorizationFailed", message="no", target="/x"
    )
    assert finding(planned(from_classic(), services), "look-not-permitted").severity is Severity.UNKNOWN


def test_a_site_made_gateway_needs_its_first_label_in_every_space() -> None:
    services = base()
    azure = services.resource_manager
    azure.taken_labels.add("granitefalls")
    azure.taken_stores.add("granitefalls")
    azure.deleted_vaults["granitefalls"] = {"id": "/d", "name": "granitefalls", "properties": {}}
    plan = planned(deployment(provisioned_by="site"), services)
    codes = {found.code for found in plan.findings}
    assert {"deployment-name-taken", "storage-name-taken", "vault-name-soft-deleted"} <= codes
    assert azure.calls["label_is_free"] == 1


def test_an_old_gateway_of_the_same_first_label_is_told_as_that() -> None:
    services = classic()
    plan = planned(migration(provisioned_by="site"), services)
    assert finding(plan, "names-held-by-old-gateway").applies_to == ("site",)
    assert services.resource_manager.calls["vault_name"] == 0


def test_a_gateway_that_the_app_makes_needs_its_label_alone() -> None:
    services = classic()
    planned(from_classic(), services)
    asked = services.resource_manager.calls
    assert (asked["vault_name"], asked["storage_name"], asked["deleted_vault"]) == (0, 0, 0)


def test_the_certificates_vault_is_looked_for_among_the_deleted_ones() -> None:
    services = classic()
    del services.resource_manager.resources[VAULT_ID.lower()]
    services.resource_manager.deleted_vaults["kv-cmg"] = {"id": "/d", "name": "kv-cmg", "properties": {}}
    plan = planned(from_classic(), services)
    assert finding(plan, "vault-soft-deleted").resource == "/d"
    assert "vault-not-in-subscription" not in [found.code for found in plan.findings]


def test_a_closed_vault_is_told_instead_of_a_missing_right() -> None:
    services = classic()
    services.vaults.fault = AzureRefused(status=403, code="Forbidden", message="ForbiddenByConnection", target="/x")
    plan = planned(from_classic(), services)
    assert finding(plan, "look-not-permitted").severity is Severity.UNKNOWN
    services.resource_manager.add(
        {
            "id": VAULT_ID,
            "location": "eastus",
            "properties": {"enabledForDeployment": True, "publicNetworkAccess": "Disabled"},
        }
    )
    plan = planned(from_classic(), services)
    assert finding(plan, "vault-closed").severity is Severity.BLOCKS
    assert "look-not-permitted" not in [found.code for found in plan.findings]


def test_network_limits_that_are_not_shown_yet_are_a_warning() -> None:
    services = classic()
    services.resource_manager.faults["network_usages"] = AzureRefused(
        status=409, code="MissingSubscriptionRegistration", message="namespace 'Microsoft.Network'", target="/x"
    )
    plan = planned(from_classic(), services)
    assert finding(plan, "network-quota-not-seen").severity is Severity.WARNS
    assert plan.blocked_by == ()


def test_the_plan_says_how_long_each_look_took_and_which_brought_nothing() -> None:
    services = classic()
    services.resource_manager.faults["locks"] = TryAgain("busy")
    plan = planned(from_classic(), services)
    answered = {taken.name: taken.answered for taken in plan.looks}
    assert answered["the resource locks"] is False
    assert answered["the subscription"] is True
    assert all(taken.seconds >= 0 for taken in plan.looks)


def test_every_finding_of_a_plan_leads_to_its_section() -> None:
    plan = planned(migration(size="Standard_B2s"), base())
    assert plan.findings
    assert all(found.link == f"/api/findings/{found.code}" for found in plan.findings)


@pytest.mark.parametrize(
    ("label", "target", "warned"),
    [
        ("www", CLASSIC_NAME, True),
        ("www", f"{CLASSIC_NAME.upper()}.", True),
        ("www", "elsewhere.contoso.com", False),
        (SERVICE_NAME.split(".", 1)[0].lower(), CLASSIC_NAME, False),
    ],
)
def test_further_records_that_lead_to_the_name_which_becomes_free_are_told_ahead(
    label: str, target: str, warned: bool
) -> None:
    services = classic()
    zone = next(
        iter(
            services.resource_manager.resources[key] for key in services.resource_manager.resources if "/cname/" in key
        )
    )
    record_set = {**zone, "id": f"{str(zone['id']).rsplit('/', 1)[0]}/{label}", "name": label}
    record_set["properties"] = {"TTL": 60, "CNAMERecord": {"cname": target}}
    services.resource_manager.add(record_set)
    found = [
        each for each in planned(migration(), services).findings if each.code == "further-records-lead-to-old-gateway"
    ]
    assert [each.severity for each in found] == [Severity.WARNS] * warned
    assert all("www.contoso.com" in each.seen and each.resource.endswith("/www") for each in found)

"""The whole deployment, played: every resource that the Bicep files declare, evaluated and made in its order.

What the simulator knows is made there. All is held against the official descriptions, where they lie beside the clone,
and against itself: names, references, resource IDs, addresses, roles. infra/README.md says what that leaves unchecked.
"""

import base64
import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cmg_core.domain.roles import KEYS_MAY
from cmg_core.ledger.queues import NOTIFY, queue_name
from cmg_core.plan import STEPS
from cmg_core.settings import read
from infra.check_environment import problems
from infra.make_keys import KEYS
from local.azure.arm.registry import TYPES
from tests.unit.azure.worlds import SUBSCRIPTION, Azure
from tests.unit.infra.azure_facts import (
    BUILT_IN,
    CLOUD,
    GOVERNMENT,
    REFUSED_BY_FLEX,
    SETTINGS_REFUSED_BY_FLEX,
    WORLDWIDE,
    answer_of,
    name_is_right,
)
from tests.unit.infra.deployment import GROUP, Deployment
from tests.unit.infra.descriptions import SPECS, against, has_member, official, unknown_version
from tests.unit.infra.evaluation import Place, Resource
from tests.unit.infra.language import BicepError
from tests.unit.infra.templates import INFRA, PARAMETERS, VARIABLE, template

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER = "33333333-3333-4333-8333-333333333333"
SOMEBODY = "44444444-4444-4444-8444-444444444444"
APP = "55555555-5555-4555-8555-555555555555"
ENVIRONMENT = {"AZURE_ENV_NAME": "prod", "AZURE_LOCATION": "eastus", "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
SOFTWARE = '{"name": "cmg", "properties": {"publisher": "Contoso", "type": "Cmg", "typeHandlerVersion": "1.0"}}'
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
QUEUE = "Microsoft.Storage/storageAccounts/queueServices/queues"
CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers"
PRIVATE = {"privateNetwork": True}
GROUPS = (Place(SUBSCRIPTION, "rg-cmg-eastus").id, Place(OTHER, "rg-dns").id)
BY_GROUP: Mapping[str, Any] = {
    "newGatewayGroups": GROUPS[0], "oldGatewayGroups": ", ".join(GROUPS),
    "vaultGroups": GROUPS[0], "zoneGroups": GROUPS[1], "classicGateways": True,
}  # fmt: skip
CALLERS: Mapping[str, Any] = {
    "callerApp": APP, "authTenants": f"{TENANT}, {OTHER}", "keyRoles": "none", "separateDuties": True,
}  # fmt: skip
ALL: Mapping[str, Any] = {
    "maximumInstances": 1000, "instanceMemory": 4096, "alwaysReadyHttp": 20,
    "gatewaySubscriptions": f"{SUBSCRIPTION}, {OTHER}", **BY_GROUP,
    "gatewaySoftware": SOFTWARE, "dnsServers": "9.9.9.9, 1.1.1.1:53", "customerApp": APP, **CALLERS,
    "appServiceSignIn": True, "callbackHosts": "hooks.contoso.com, *.logic.azure.com", "probePath": "/health",
    "minimumGrace": "P7D",
    "claimSeconds": "250",
    "deployerId": SOMEBODY, "alertEmails": "operator@contoso.com, change.manager@contoso.com",
    "monthlyBudget": 100,
    "budgetStart": "2026-12-01",
    "logRetention": 730, **PRIVATE,
}  # fmt: skip
REFUSED_BEFORE = {
    "roles on whole subscriptions": ["CMG_NEW_GATEWAY_GROUPS"],
    "a check of tokens, and no registration": ["CMG_APP_SERVICE_SIGN_IN"],
}
"""Sets that the templates make harmless, of which azd is told before."""
SETS: Mapping[str, Mapping[str, Any]] = {
    "as azd gives them": {},
    "private network": PRIVATE,
    "premium": {"plan": "premium"},
    "premium, private network": {"plan": "premium", **PRIVATE},
    "always ready": {"alwaysReadyHttp": 1},
    "a check of tokens, and no registration": {"appServiceSignIn": True},
    "customers' tenants": {"customerApp": APP, **CALLERS, "gatewaySubscriptions": "none"},
    "roles on groups": {"newGatewayGroups": GROUPS[0], "vaultGroups": GROUPS[0]},
    "classic gateways": {"oldGatewayGroups": GROUPS[0], "classicGateways": True},
    "roles on whole subscriptions": {"assignRoles": "subscriptions", "newGatewayGroups": GROUPS[0]},
    "roles that somebody else assigns": {"assignRoles": "none", "gatewaySubscriptions": f"{SUBSCRIPTION},{OTHER}"},
    "mails and a budget": {"alertEmails": "operator@contoso.com", "monthlyBudget": 1, "budgetStart": "2026-11-01"},
    "from a pipeline": {"deployerId": SOMEBODY, "deployerType": "ServicePrincipal"},
    "software, no lock": {"gatewaySoftware": SOFTWARE, "deployerId": SOMEBODY, "lockStorage": False},
    "the longest name": {**ALL, "environmentName": "a-name-of-20-letters"},
    "the shortest name": {"environmentName": "qa"},
    "a name that not every type takes": {"environmentName": "prod_eu.2", "storageRedundancy": "Standard_LRS"},
    "software as azd hands it on": {"gatewaySoftware": base64.b64encode(SOFTWARE.encode()).decode()},
    "government": {"gatewayCloud": "usgovernment", **PRIVATE},
    "everything": ALL,
    "everything, premium": {**ALL, "plan": "premium"},
}


VARIABLE_OF = {
    name: found[1]
    for name, one in json.loads(PARAMETERS.read_text())["parameters"].items()
    if (found := VARIABLE.fullmatch(one["value"]))
}


def azd_gives() -> dict[str, Any]:
    """main.parameters.json as azd reads it: with its environment, and text made a bool or a number where one is
    wanted."""
    filled = VARIABLE.sub(lambda found: ENVIRONMENT.get(found[1], found[2] or ""), PARAMETERS.read_text())
    types = {name: one["type"] for name, one in template(INFRA / "main.bicep").part("parameters").items()}
    return {
        name: json.loads(one["value"]) if types[name] in ("bool", "int") else one["value"]
        for name, one in json.loads(filled)["parameters"].items()
    }


class Played:
    """One deployment into a world of its own."""

    def __init__(self, file: str, place: Place, parameters: Mapping[str, Any], cloud: Mapping[str, Any]) -> None:
        self.azure, self.suffix, self.sent = Azure(), cloud["suffixes"]["storage"], set[str]()
        self.deployment = Deployment(self._make, TENANT, cloud)
        self.outputs = self.deployment.run(INFRA / file, place, parameters)
        self.made = self.deployment.resources

    def _make(self, resource: Resource) -> Mapping[str, Any]:
        kind = TYPES.get(resource.type.lower())
        if resource.type != GROUP and (kind is None or kind.put is None):
            return answer_of(resource, self.suffix)
        answer = self.azure.call("PUT", resource.id, resource.version, resource.body)
        if answer.status not in (200, 201):
            raise BicepError(f"{resource.symbol}: {resource.type}@{resource.version} {answer.json()}")
        self.azure.settle()
        resource.sent = True
        read = self.azure.call("GET", resource.id, resource.version)
        state = read.json()["properties"]["provisioningState"]
        if state != "Succeeded":
            raise BicepError(f"{resource.symbol}: {state}")
        return dict(read.json())

    def settings(self) -> Mapping[str, str]:
        return next(one.body["properties"] for one in self.made if one.name == "appsettings")

    def of(self, kind: str) -> list[Resource]:
        return [one for one in self.made if one.type == kind]


@functools.cache
def played(name: str) -> Played:
    cloud = GOVERNMENT if SETS[name].get("gatewayCloud") == "usgovernment" else CLOUD
    return Played("main.bicep", Place(SUBSCRIPTION), {**azd_gives(), **SETS[name]}, cloud)


@functools.cache
def logic_app(waits_by: str) -> Played:
    given = {
        "waitsBy": waits_by, "api": "https://func-cmg.azurewebsites.net/api", "audience": f"api://{APP}",
        "tickets": "https://tickets.contoso.com", "ticketsAuthorization": "Basic", "callers": ["203.0.113.0/24"],
    }  # fmt: skip
    return Played("logic-apps/main.bicep", Place(SUBSCRIPTION, "rg-old", "eastus"), given, CLOUD)


LOOKS = {"CMG migrator: looks at the subscription"}
MAKES = {"CMG migrator: makes a gateway"}
REMOVES = {"CMG migrator: removes a gateway"}
HANDS_ON = {"CMG migrator: hands on the certificate"}
POINTS = {"CMG migrator: points the service name"}
FOLLOWS, REMOVES_CLASSIC = {"CMG migrator: follows classic operations"}, {"CMG migrator: removes a classic gateway"}
WAYS = ("webhook", "polling")
EVERY = [*(functools.partial(played, name) for name in SETS), *(functools.partial(logic_app, way) for way in WAYS)]
each = pytest.mark.parametrize("play", EVERY, ids=[*SETS, *(f"Logic App, {way}" for way in WAYS)])


def strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            yield from (text for one in value for text in strings(one))
        case dict():
            yield from (text for pair in value.items() for one in pair for text in strings(one))


@pytest.mark.parametrize("name", SETS)
def test_it_is_made_to_its_end(name: str) -> None:
    play = played(name)
    kinds = Counter(one.type for one in play.made if one.sent)
    private = SETS[name].get("privateNetwork", False)
    assert kinds[GROUP] == 1 and kinds["Microsoft.KeyVault/vaults"] == 1
    assert kinds["Microsoft.Network/virtualNetworks"] == kinds["Microsoft.Network/networkSecurityGroups"] == private
    assert play.outputs["AZURE_KEY_VAULT_NAME"] == play.of("Microsoft.KeyVault/vaults")[0].name
    assert play.outputs["AZURE_APP_URL"].startswith(f"https://{play.outputs['AZURE_APP_NAME']}.")


@pytest.mark.parametrize("name", SETS)
def test_what_azd_is_told_before_is_what_would_not_do_what_was_meant(name: str) -> None:
    given = dict(ENVIRONMENT)
    for parameter, value in {**azd_gives(), **SETS[name]}.items():
        packed = base64.b64encode(value.encode()).decode() if value == SOFTWARE else value
        given[VARIABLE_OF[parameter]] = str(packed).lower() if isinstance(packed, bool) else str(packed)
    assert [one.name for one in problems(given)] == REFUSED_BEFORE.get(name, [])


@each
def test_names_are_such_as_azure_takes_and_none_is_made_twice(play: Callable[[], Played]) -> None:
    made = play().made
    assert [(one.symbol, one.type, one.name) for one in made if not name_is_right(one)] == []
    ids = Counter(one.id.lower() for one in made)
    addresses = Counter((one.type, one.name.lower()) for one in made if one.type in WORLDWIDE)
    modules = Counter(one.lower() for one in play().deployment.modules)
    assert [name for name, times in (ids + addresses + modules).items() if times > 1] == []
    names = [module.rsplit("/", 1)[1] for module in play().deployment.modules]
    assert [name for name in names if not re.fullmatch(r"[\w.()-]{1,64}", name)] == []


def test_a_second_region_deploys_under_other_names_in_a_subscription() -> None:
    """Source: error InvalidDeploymentLocation: a deployment in a subscription keeps the location that it began with."""
    second = Played("main.bicep", Place(SUBSCRIPTION), {**azd_gives(), "location": "westeurope"}, CLOUD)
    in_subscription = [
        {one for one in play.deployment.modules if "/resourceGroups/" not in one}
        for play in (played("as azd gives them"), second)
    ]
    assert all(in_subscription) and not in_subscription[0] & in_subscription[1]


@each
def test_what_a_subscription_holds_lies_there_and_the_rest_in_the_group(play: Callable[[], Played]) -> None:
    free = {GROUP, "Microsoft.Authorization/roleDefinitions", "Microsoft.Authorization/roleAssignments"}
    assert [one.symbol for one in play().made if one.place.group is None and one.type not in free] == []


@each
def test_every_resource_id_in_a_body_is_of_something_that_was_made(play: Callable[[], Played]) -> None:
    known = {one.id.lower() for one in play().made}
    for network in play().of("Microsoft.Network/virtualNetworks"):
        known |= {f"{network.id}/subnets/{one['name']}".lower() for one in network.body["properties"]["subnets"]}
    known |= {f"/subscriptions/{one}" for one in (SUBSCRIPTION, OTHER)}
    roles = f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.authorization/roledefinitions"
    known |= {f"{roles}/{one}" for one in BUILT_IN}
    found = [(one.symbol, text) for one in play().made for text in strings(one.body) if text.startswith("/subscr")]
    assert [pair for pair in found if pair[1].lower() not in known] == []


@each
def test_what_lies_in_or_on_something_comes_after_it(play: Callable[[], Played]) -> None:
    seen = {group.lower() for group in (*GROUPS, Place(SUBSCRIPTION, "rg-old").id)}
    for one in play().made:
        holder = re.sub(r"(/providers/[^/]+)?/[^/]+/[^/]+$", "", one.id).lower()
        assert holder in seen or holder.count("/") <= 2, one.symbol
        seen.add(one.id.lower())


@pytest.mark.parametrize("name", SETS)
def test_roles_go_to_the_app_or_to_who_deploys_and_each_once(name: str) -> None:
    play = played(name)
    app = {one.answer["properties"]["principalId"] for one in play.of(IDENTITY)}
    given = [
        (one.id.partition("/providers/Microsoft.Authorization")[0], one.body["properties"])
        for one in play.of("Microsoft.Authorization/roleAssignments")
    ]
    assert {one["principalId"] for _, one in given} <= app | {SETS[name].get("deployerId")}
    assert max(Counter((scope, one["principalId"], one["roleDefinitionId"]) for scope, one in given).values()) == 1
    roles = {
        BUILT_IN.get(one["roleDefinitionId"].rsplit("/", 1)[1])
        for scope, one in given
        if one["principalId"] in app and "/providers/" in scope
    }
    assert roles == set(BUILT_IN.values()) - {"Key Vault Secrets Officer"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("as azd gives them", {Place(SUBSCRIPTION).id: LOOKS}),
        ("customers' tenants", {}),
        ("roles that somebody else assigns", {}),
        ("roles on groups", {Place(SUBSCRIPTION).id: LOOKS, GROUPS[0]: MAKES | HANDS_ON}),
        ("roles on whole subscriptions", {Place(SUBSCRIPTION).id: LOOKS | MAKES | REMOVES | HANDS_ON | POINTS}),
        ("classic gateways", {Place(SUBSCRIPTION).id: LOOKS | FOLLOWS, GROUPS[0]: REMOVES | REMOVES_CLASSIC}),
        (
            "everything",
            dict.fromkeys((Place(SUBSCRIPTION).id, Place(OTHER).id), LOOKS | FOLLOWS)
            | {GROUPS[0]: MAKES | REMOVES | REMOVES_CLASSIC | HANDS_ON, GROUPS[1]: REMOVES | REMOVES_CLASSIC | POINTS},
        ),
    ],
)
def test_custom_roles_are_assigned_where_the_parameters_say_and_nowhere_wider(
    name: str, wanted: Mapping[str, set[str]]
) -> None:
    """Without a word of anybody the app may look, and change or remove nothing."""
    play = played(name)
    made = {one.id: one.body["properties"]["roleName"] for one in play.of("Microsoft.Authorization/roleDefinitions")}
    found: dict[str, set[str]] = {}
    for one in play.of("Microsoft.Authorization/roleAssignments"):
        if role := made.get(one.body["properties"]["roleDefinitionId"]):
            scope = one.id.partition("/providers/Microsoft.Authorization")[0]
            found.setdefault(scope, set()).add(role.partition(" (")[0])
    assert found == wanted


@pytest.mark.parametrize("name", SETS)
def test_no_role_names_classic_cloud_services_unless_somebody_has_one(name: str) -> None:
    """Azure refuses a role whole for one action that it does not list (InvalidActionOrNotAction), and lists none of
    Microsoft.ClassicCompute any more. Source: MicrosoftDocs/azure-docs#128389."""
    roles = [one.body["properties"] for one in played(name).of("Microsoft.Authorization/roleDefinitions")]
    named = {one["roleName"].partition(" (")[0] for one in roles if "ClassicCompute" in json.dumps(one)}
    assert named == (FOLLOWS | REMOVES_CLASSIC if SETS[name].get("classicGateways") else set())
    classic = [action for one in roles if "classic" in one["roleName"] for action in one["permissions"][0]["actions"]]
    assert all(action.startswith("Microsoft.ClassicCompute/") for action in classic)


@pytest.mark.parametrize("name", SETS)
def test_the_app_obeys_the_settings_that_it_is_given(name: str) -> None:
    """App Service puts the secret where the reference stands."""
    secrets = {"gateway-software": SOFTWARE}
    key = base64.b64encode(bytes(32)).decode()
    given = {
        name: secrets.get(value.rpartition("/")[2].rstrip(")"), key) if value.startswith("@") else value
        for name, value in played(name).settings().items()
    }
    settings = read({**given, "WEBSITE_SITE_NAME": "func-cmg"})
    wanted = SETS[name]
    assert settings.auth_audiences == ((f"api://{APP}", APP) if "callerApp" in wanted else ())
    assert settings.auth_tenants == ({TENANT, OTHER} if "authTenants" in wanted else set())
    assert settings.key_roles == (set() if wanted.get("keyRoles") == "none" else KEYS_MAY)
    assert settings.separate_duties is wanted.get("separateDuties", False)
    assert len(settings.callback_hosts) == (2 if "callbackHosts" in wanted else 0)
    assert settings.minimum_grace.days == (7 if "minimumGrace" in wanted else 1)
    assert (settings.probe_path == "/health") is ("probePath" in wanted)
    assert settings.claim.seconds == (250 if "claimSeconds" in wanted else 300)
    assert len(settings.dns_servers) == (2 if "dnsServers" in wanted else 0)


@pytest.mark.parametrize("name", SETS)
def test_app_service_signs_in_only_where_that_is_asked_for(name: str) -> None:
    """Its issuer is the home tenant's: it would turn customers' callers away, whom the app itself knows."""
    [config] = [one.body["properties"] for one in played(name).made if one.name == "authsettingsV2"]
    asked = SETS[name].get("appServiceSignIn", False) and "callerApp" in SETS[name]
    assert config["platform"]["enabled"] is asked and bool(config["identityProviders"]) is asked


def test_every_role_says_whom_it_goes_to() -> None:
    """Otherwise Azure looks the principal up, and does not find yet what was made seconds ago (Microsoft Learn,
    "Troubleshoot Azure RBAC", PrincipalNotFound). azd says whether a person or a pipeline is signed in to it
    (Azure/azure-dev, bicep_provider.go, evalParamEnvSubst)."""
    expected = {"software, no lock": "User", "from a pipeline": "ServicePrincipal"}
    for name, deployer in expected.items():
        play = played(name)
        given = [one.body["properties"] for one in play.of("Microsoft.Authorization/roleAssignments")]
        app = {one.answer["properties"]["principalId"] for one in play.of(IDENTITY)}
        assert {one["principalType"] for one in given if one["principalId"] in app} == {"ServicePrincipal"}
        assert [one["principalType"] for one in given if one["principalId"] == SOMEBODY] == [deployer]
    assert '"${AZURE_PRINCIPAL_TYPE=User}"' in (INFRA / "main.parameters.json").read_text()


@pytest.mark.parametrize("name", SETS)
def test_the_queues_are_those_that_the_app_listens_to(name: str) -> None:
    """tests/unit/triggers holds the app to these; the host makes their poison queues when it needs one."""
    listened = [queue_name(each) for each in (*(step.name for step in STEPS), NOTIFY)]
    assert sorted(one.name for one in played(name).of(QUEUE)) == sorted(listened)


def test_what_happened_is_told_each_time_and_what_lasts_once_for_each_that_it_is_about() -> None:
    """An alert that resolves by itself fires no second time until it did (Microsoft Learn, "What are Azure Monitor
    alerts?", stateful alerts), and each value of a dimension has its own."""
    rules = [one.body["properties"] for one in played("as azd gives them").of("Microsoft.Insights/scheduledQueryRules")]
    split = [one["criteria"]["allOf"][0]["dimensions"] for one in rules]
    assert len(rules) == 5 and [len(one) for one in split] == [1] * 5
    assert {(one["operator"], *one["values"]) for [one] in split} == {("Include", "*")}
    resolved = {rule["description"].partition("#")[2] for rule in rules if rule["autoMitigate"]}
    assert resolved == {"overdue-deployments", "grace-periods-that-end"}


@pytest.mark.parametrize("name", SETS)
def test_the_settings_name_what_was_made(name: str) -> None:
    play = played(name)
    settings = play.settings()
    accounts = play.of("Microsoft.Storage/storageAccounts")
    vault = play.of("Microsoft.KeyVault/vaults")[0]
    served = [url for one in (*accounts, vault) for url in strings(one.answer) if url.startswith("https://")]
    hosts = {url.split("/")[2] for url in served}
    secrets = {one.name for one in play.of("Microsoft.KeyVault/vaults/secrets")} | set(KEYS)
    for key, value in settings.items():
        assert isinstance(value, str), key
        for host, path in re.findall(r"https://([^/)]+)([^)]*)", value):
            assert host in hosts, (key, value)
            assert not value.startswith("@") or path.removeprefix("/secrets/") in secrets, (key, value)
    identity = play.of(IDENTITY)[0].answer["properties"]["clientId"]
    for key in ("AzureWebJobsStorage__clientId", "CmgStorage__clientId", "CMG_CLIENT_ID"):
        assert settings[key] == identity
    software = [one.body["properties"]["value"] for one in play.of("Microsoft.KeyVault/vaults/secrets")]
    assert software == ([SOFTWARE] if "gatewaySoftware" in SETS[name] else [])
    assert bool(settings["CMG_GATEWAY_SOFTWARE"]) is bool(software)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("as azd gives them", {"accountName"}),
        ("government", {"blobServiceUri", "queueServiceUri", "tableServiceUri"}),
    ],
)
def test_the_host_finds_its_storage_in_the_cloud_that_it_runs_in(name: str, given: set[str]) -> None:
    """A name means the public cloud's addresses, where it is what is advised; a name beside addresses is refused.
    Source: "Connecting to host storage with an identity"; hashicorp/terraform-provider-azurerm#32062;
    Azure/azure-functions-host#11787."""
    prefix = "AzureWebJobsStorage__"
    found = {
        key.removeprefix(prefix): value for key, value in played(name).settings().items() if key.startswith(prefix)
    }
    [account] = played(name).of("Microsoft.Storage/storageAccounts")
    endpoints = account.answer["properties"]["primaryEndpoints"]
    assert found.keys() == given | {"credential", "clientId"}
    for key in given - {"accountName"}:
        assert found[key] == endpoints[key.removesuffix("ServiceUri")].rstrip("/")
    assert found.get("accountName", account.name) == account.name


@pytest.mark.parametrize("name", SETS)
def test_the_plan_and_the_app_are_of_one_kind(name: str) -> None:
    """Source: azure_facts.py has what Flex refuses; "Enable virtual network integration", of Flex: no underscore in the
    subnet's name; "Create an app without Azure Files": where Premium takes its package from, if no shared key is to be
    used; "Use Key Vault references": that Premium reaches a private endpoint only with all traffic routed through the
    network."""
    play = played(name)
    site, plan = play.of("Microsoft.Web/sites")[0], play.of("Microsoft.Web/serverfarms")[0]
    properties, settings = site.body["properties"], play.settings()
    config = properties["siteConfig"]
    of_premium = {"FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_RUN_FROM_PACKAGE"}
    account = play.of("Microsoft.Storage/storageAccounts")[0].name
    package = f"https://{account}.blob.{play.suffix}/{play.of(CONTAINER)[0].name}"
    flex = plan.body["sku"]["tier"] == "FlexConsumption"
    if flex:
        assert properties["functionAppConfig"]["deployment"]["storage"]["value"] == package
        assert not SETTINGS_REFUSED_BY_FLEX & settings.keys() and not REFUSED_BY_FLEX & config.keys()
        assert "maximumElasticWorkerCount" not in plan.body["properties"] and "vnetRouteAllEnabled" not in config
    else:
        assert properties["functionAppConfig"] is None and of_premium <= settings.keys()
        assert settings["WEBSITE_RUN_FROM_PACKAGE"].rpartition("/")[0] == package
        assert settings["WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID"] == play.of(IDENTITY)[0].id
        assert (config["linuxFxVersion"], config["ftpsState"]) == ("Python|3.13", "Disabled")
        for key in ("vnetRouteAllEnabled", "functionsRuntimeScaleMonitoringEnabled"):
            assert config.get(key) is (True if SETS[name].get("privateNetwork") else None)
    assert config["minTlsVersion"] == config["scmMinTlsVersion"] == "1.2" and config["http20Enabled"]
    assert not {"WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_CONTENTSHARE"} & settings.keys()
    subnets = {
        f"{network.id}/subnets/{one['name']}": one["properties"]
        for network in play.of("Microsoft.Network/virtualNetworks")
        for one in network.body["properties"]["subnets"]
    }
    if properties["virtualNetworkSubnetId"]:
        assert not flex or "_" not in properties["virtualNetworkSubnetId"].rpartition("/")[2]
        service = subnets[properties["virtualNetworkSubnetId"]]["delegations"][0]["properties"]["serviceName"]
        assert service == ("Microsoft.App/environments" if flex else "Microsoft.Web/serverFarms")


@each
@pytest.mark.skipif(not SPECS.exists(), reason="the official descriptions do not lie beside this clone")
def test_bodies_and_references_are_those_of_the_official_descriptions(play: Callable[[], Played]) -> None:
    wrong = []
    for one in play().made:
        kind = f"{one.type}@{one.version}"
        if unknown_version(one.type, one.version):
            wrong.append(f"{one.symbol}: {kind} has no such api-version")
        if kind in official():
            types, reference = official()[kind]
            whole = {**one.body, "name": one.name}
            wrong += against(whole, types, reference, one.symbol)
    for where, resource, path in play().deployment.references:
        if has_member(f"{resource.type}@{resource.version}", path) is False:
            wrong.append(f"{where} has no {'.'.join(path)}")
    assert wrong == []


@pytest.mark.skipif(not SPECS.exists(), reason="the official descriptions do not lie beside this clone")
def test_the_descriptions_have_what_they_are_asked_for() -> None:
    """Otherwise the test above would look at nothing."""
    asked = {one.type for one in played("everything").made if f"{one.type}@{one.version}" in official()}
    endpoints = "Microsoft.Network/privateEndpoints"
    assert {GROUP, "Microsoft.KeyVault/vaults/secrets", endpoints, f"{endpoints}/privateDnsZoneGroups"} <= asked


def test_what_is_not_known_is_refused() -> None:
    given = azd_gives()
    for wrong in (
        {"plan": "consumption"},
        {"maximumInstances": 39},
        {"environmentName": "p"},
        {"monthlyBudget": 1},
        {"unknown": 1},
    ):
        with pytest.raises(BicepError):
            Played("main.bicep", Place(SUBSCRIPTION), {**given, **wrong}, CLOUD)
    with pytest.raises(BicepError, match="a second module"):
        Played("main.bicep", Place(SUBSCRIPTION), {**given, "vaultGroups": f"{GROUPS[0]},{GROUPS[0]}"}, CLOUD)
    with pytest.raises(BicepError, match="nothing made the role"):
        Played("main.bicep", Place(SUBSCRIPTION), {**given, "zoneGroups": GROUPS[1]}, CLOUD)
    with pytest.raises(BicepError, match="for the scope"):
        Played("main.bicep", Place(SUBSCRIPTION, "rg-old"), given, CLOUD)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("as azd gives them", []),
        ("mails and a budget", ["operator@contoso.com"]),
        ("everything", ["operator@contoso.com", "change.manager@contoso.com"]),
    ],
)
def test_each_address_is_told_of_alerts_and_of_the_budget(name: str, told: list[str]) -> None:
    [people] = played(name).of("Microsoft.Insights/actionGroups")
    assert [one["emailAddress"] for one in people.body["properties"]["emailReceivers"]] == told
    for budget in played(name).of("Microsoft.Consumption/budgets"):
        assert all(one["contactEmails"] == told for one in budget.body["properties"]["notifications"].values())

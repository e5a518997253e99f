"""`infra/check_environment.py`: what azd's environment may hold, told before anything is made, all of it at once."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cmg_core.domain.record import LONGEST_CALL, MESSAGE_HOLD
from cmg_core.domain.roles import Role
from infra.check_environment import ALLOWED, BOUNDS, OUTPUTS, ROLES, RULES, SWITCH, problems
from tests.unit.infra.language import Array, Declared, Reader
from tests.unit.infra.templates import INFRA, PARAMETERS, VARIABLE, VARIABLES, template

OWN = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"
APP = "5555aaaa-5555-4555-8555-555555555555"
GROUP = f"/subscriptions/{OWN}/resourceGroups/rg-cmg"
ELSEWHERE = f"/subscriptions/{OTHER}/resourceGroups/rg-dns"
AZD = {"AZURE_ENV_NAME": "prod", "AZURE_SUBSCRIPTION_ID": OWN, "AZURE_LOCATION": "eastus"}
EXTENSION = {"name": "gateway", "properties": {"publisher": "Contoso", "type": "Cmg", "typeHandlerVersion": "1.0"}}


def packed(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def told(**given: str) -> list[tuple[str, str]]:
    return [(one.name, one.why) for one in problems({**AZD, **given})]


def declared() -> Iterator[tuple[str, Declared]]:
    """Each variable with its parameter in main.bicep."""
    path = INFRA / "main.bicep"
    parameters = {one.name: one for one in Reader(path.read_text(), path.name).file()[1] if one.kind == "param"}
    for name, given in json.loads(PARAMETERS.read_text())["parameters"].items():
        if (found := VARIABLE.fullmatch(given["value"])) and found[1].startswith("CMG_"):
            yield found[1], parameters[name]


def test_every_variable_of_the_parameters_is_known_and_no_other() -> None:
    assert set(RULES) == {name for name in VARIABLES if name.startswith("CMG_")}


def test_values_and_bounds_are_the_templates_and_the_apps() -> None:
    bounds: dict[str, tuple[int | None, int | None]] = {}
    for name, parameter in declared():
        match parameter.decorators.get("allowed"), parameter.of:
            case Array(items), _:
                assert ALLOWED[name] == tuple(str(one.value) for one in items), name
            case None, "bool":
                assert ALLOWED[name] == SWITCH, name
            case None, "int":
                least, most = (parameter.decorators.get(rule) for rule in ("minValue", "maxValue"))
                bounds[name] = (least and least.value, most and most.value)
            case _:
                assert name not in ALLOWED, name
    claim = (LONGEST_CALL.seconds + 1, MESSAGE_HOLD.seconds - 1)
    assert {**bounds, "CMG_CLAIM_SECONDS": claim} == BOUNDS
    assert tuple(Role) == ROLES


def test_an_environment_in_which_nothing_is_set_is_fine() -> None:
    assert told() == [] and told(**dict.fromkeys(RULES, "")) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CMG_GATEWAY_SUBSCRIPTIONS", f"{OWN}, {OTHER}"),
        ("CMG_GATEWAY_SUBSCRIPTIONS", "none"),
        ("CMG_VAULT_GROUPS", f"{GROUP}, {GROUP}-2"),
        ("CMG_VAULT_GROUPS", GROUP.lower().replace("resourcegroups", "ResourceGroups")),
        ("CMG_KEY_ROLES", "reader, approver"),
        ("CMG_CALLBACK_HOSTS", "hooks.contoso.com, *.logic.azure.com,hooks.contoso.com:8443"),
        ("CMG_MINIMUM_GRACE", "P7D"),
        ("CMG_MINIMUM_GRACE", "P2W"),
        ("CMG_PROBE_PATH", "/CCM_Proxy_ServerAuth/ServiceMetadata?a=b"),
        ("CMG_DNS_SERVERS", "9.9.9.9, 1.1.1.1:53,[2620:fe::fe]:53"),
        ("CMG_ALERT_EMAILS", "operator@contoso.com, change.manager+cmg@mail.contoso.com"),
        ("CMG_GATEWAY_SOFTWARE_BASE64", packed(EXTENSION)),
        ("CMG_CLAIM_SECONDS", "61"),
        ("CMG_APP_PREFIX", "10.71.0.0/27"),
        ("CMG_BUDGET_START", "2026-12-01"),
    ],
)
def test_what_is_taken(name: str, value: str) -> None:
    assert told(**{name: value}) == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("CMG_PLAN", "Flex", "none of flex, premium"),
        ("CMG_ASSIGN_ROLES", "group", "none of groups"),
        ("CMG_CLOUD", "china", "none of public"),
        ("CMG_STORAGE_REDUNDANCY", "ZRS", "none of Standard_LRS"),
        ("CMG_LOCK_STORAGE", "no", "none of true, false"),
        ("CMG_PRIVATE_NETWORK", "True", "none of true, false"),
        ("CMG_INSTANCE_MEMORY", "1024", "none of 512, 2048, 4096"),
        ("CMG_MAXIMUM_INSTANCES", "39", "less than 40 or more than 1000"),
        ("CMG_ALWAYS_READY", "21", "more than 20"),
        ("CMG_LOG_RETENTION", "90 days", "no whole number"),
        ("CMG_MONTHLY_BUDGET", "-1", "no whole number"),
        ("CMG_CLAIM_SECONDS", "PT5M", "no whole number"),
        ("CMG_CLAIM_SECONDS", "600", "more than 599"),
        ("CMG_GATEWAY_SUBSCRIPTIONS", "prod", "«prod» is no GUID"),
        ("CMG_GATEWAY_SUBSCRIPTIONS", f"none,{OWN}", "«none» is no GUID"),
        ("CMG_GATEWAY_SUBSCRIPTIONS", "None", "«None» is no GUID"),
        ("CMG_GATEWAY_SUBSCRIPTIONS", f"{APP},{APP.upper()}", "is named twice"),
        ("CMG_GATEWAY_SUBSCRIPTIONS", f"{OWN},", "part between commas is empty"),
        ("CMG_GATEWAY_SUBSCRIPTIONS", " ", "part between commas is empty"),
        ("CMG_NEW_GATEWAY_GROUPS", "rg-cmg", "«rg-cmg» is no /subscriptions"),
        ("CMG_NEW_GATEWAY_GROUPS", f"/subscriptions/{OWN}", "is no /subscriptions/<ID>/resourceGroups/<name>"),
        ("CMG_NEW_GATEWAY_GROUPS", f"{GROUP}/", "with nothing after the name"),
        ("CMG_OLD_GATEWAY_GROUPS", f"{GROUP}, {GROUP.upper()}", "is named twice"),
        ("CMG_OLD_GATEWAY_GROUPS", f"{GROUP},,{GROUP}-2", "part between commas is empty"),
        ("CMG_VAULT_GROUPS", f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-cmg", "with nothing after the name"),
        ("CMG_ZONE_GROUPS", f"{GROUP}/providers/Microsoft.Network/dnszones/contoso.com", "with nothing after the name"),
        ("CMG_ZONE_GROUPS", ELSEWHERE, f"no role is made in {OTHER}"),
        ("CMG_CUSTOMER_APP", "api://cmg", "no GUID"),
        ("CMG_CALLER_APP", f"{APP} ", "no GUID"),
        ("CMG_KEY_ROLES", "reader, admin", "«admin» is none of reader, requester"),
        ("CMG_CALLBACK_HOSTS", "https://hooks.contoso.com", "no host name"),
        ("CMG_CALLBACK_HOSTS", "hooks.contoso.com:70000", "no host name"),
        ("CMG_MINIMUM_GRACE", "PT1H", "is no number of days or weeks"),
        ("CMG_PROBE_PATH", "health", "begins with a slash"),
        ("CMG_PROBE_PATH", '/"', "begins with a slash"),
        ("CMG_DNS_SERVERS", "dns.contoso.com", "no IP address"),
        ("CMG_DNS_SERVERS", "9.9.9.9:dns", "no IP address"),
        ("CMG_ALERT_EMAILS", "operator@contoso.com;other@contoso.com", "no e-mail address"),
        ("CMG_ALERT_EMAILS", "operator@contoso.com,", "part between commas is empty"),
        ("CMG_BUDGET_START", "2026-12-02", "no first day of a month"),
        ("CMG_BUDGET_START", "2026-13-01", "no first day of a month"),
        ("CMG_MONTHLY_BUDGET", "50", "needs CMG_BUDGET_START"),
        ("CMG_ADDRESS_PREFIX", "10.71.0.1/24", "no range"),
        ("CMG_ADDRESS_PREFIX", "10.71.0.0", "has no length"),
        ("CMG_APP_PREFIX", "10.71.0.0/28", "a /27 or larger is needed"),
        ("CMG_APP_PREFIX", "10.72.0.0/26", "does not lie in CMG_ADDRESS_PREFIX («10.71.0.0/24»)"),
        ("CMG_APP_PREFIX", "10.71.0.0/25", "overlaps CMG_APP_PREFIX («10.71.0.0/25»)"),
        ("CMG_ENDPOINT_PREFIX", "10.71.0.64/29", "a /28 or larger is needed"),
        ("CMG_KEY_ROLES", "none", "without CMG_CALLER_APP nobody can sign in"),
        ("CMG_AUTH_TENANTS", OWN, "without CMG_CALLER_APP nobody can sign in"),
        ("CMG_APP_SERVICE_SIGN_IN", "true", "without CMG_CALLER_APP nobody can sign in"),
    ],
)
def test_what_is_refused_and_why(name: str, value: str, why: str) -> None:
    assert [why in reason for _, reason in told(**{name: value})] == [True]


@pytest.mark.parametrize("assign", ["none", "subscriptions"])
def test_groups_that_count_for_nothing_are_told(assign: str) -> None:
    why = f"they count for nothing while CMG_ASSIGN_ROLES is «{assign}»"
    assert told(CMG_ASSIGN_ROLES=assign, CMG_VAULT_GROUPS=GROUP) == [("CMG_VAULT_GROUPS", why)]


def test_groups_lie_in_a_subscription_in_which_roles_are_made() -> None:
    assert told(CMG_GATEWAY_SUBSCRIPTIONS=f"{OWN},{OTHER}", CMG_ZONE_GROUPS=f"{GROUP},{ELSEWHERE}") == []
    for subscriptions in (OTHER, "none"):
        found = told(CMG_GATEWAY_SUBSCRIPTIONS=subscriptions, CMG_ZONE_GROUPS=GROUP)
        assert [name for name, _ in found] == ["CMG_ZONE_GROUPS"] and f"no role is made in {OWN}" in found[0][1]


def test_where_azd_does_not_know_its_subscription_yet_groups_are_not_taken_for_fine() -> None:
    """Before the first `azd provision` it asks for it after this."""
    [(name, why)] = told(AZURE_SUBSCRIPTION_ID="", CMG_VAULT_GROUPS=GROUP)
    assert name == "CMG_VAULT_GROUPS" and "not known yet" in why
    assert told(AZURE_SUBSCRIPTION_ID="", CMG_VAULT_GROUPS=GROUP, CMG_GATEWAY_SUBSCRIPTIONS=OWN) == []


def test_with_a_registration_callers_rules_are_taken() -> None:
    rules = {"CMG_AUTH_TENANTS": OWN, "CMG_KEY_ROLES": "none", "CMG_APP_SERVICE_SIGN_IN": "true"}
    assert told(CMG_CALLER_APP=APP, **rules) == []
    [(name, why)] = told(CMG_CALLER_APP=APP, CMG_AUTH_TENANTS=f"{OWN},contoso.com")
    assert (name, why) == ("CMG_AUTH_TENANTS", "«contoso.com» is no GUID")


@pytest.mark.parametrize("name", ["", "p", "a-name-of-21-letters-", "prod(eu)", "prod-", "prod.", "prod_", "prod\n"])
def test_names_of_environments_that_some_resource_does_not_take(name: str) -> None:
    assert [one for one, _ in told(AZURE_ENV_NAME=name)] == ["AZURE_ENV_NAME"]


@pytest.mark.parametrize(
    "value", ["no base64!", packed([]), base64.b64encode(b"\xff{}").decode(), json.dumps(EXTENSION)]
)
def test_software_that_is_no_object_is_refused_and_never_shown(value: str) -> None:
    [problem] = problems({**AZD, "CMG_GATEWAY_SOFTWARE_BASE64": value})
    assert problem.why == "it is no JSON object in base64" and value not in str(problem)


def test_software_without_what_the_app_asks_for_is_told_part_by_part() -> None:
    found = told(CMG_GATEWAY_SOFTWARE_BASE64=packed({"name": "gateway", "properties": {"type": "Cmg"}}))
    lacking = ["the JSON lacks properties.publisher", "the JSON lacks properties.typeHandlerVersion"]
    assert [why for _, why in found] == lacking


def run(**given: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", str(INFRA / "check_environment.py")]
    return subprocess.run(command, env={**AZD, **given}, capture_output=True, text=True, encoding="utf-8", check=False)


def test_all_problems_are_told_at_once_each_with_what_was_seen_and_its_cure() -> None:
    done = run(CMG_PLAN="large", CMG_ALERT_EMAILS="operator", CMG_LOG_RETENTION="7", PYTHONUTF8="1")
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()[1:]
    assert [re.findall(r"^- (\w+) is «(\w+)»: .+ Cure: `azd env set (\w+) .+`$", line) for line in lines] == [
        [(name, seen, name)]
        for name, seen in (("CMG_PLAN", "large"), ("CMG_ALERT_EMAILS", "operator"), ("CMG_LOG_RETENTION", "7"))
    ]


def test_what_is_fine_is_said_in_one_line() -> None:
    done = run()
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)


def test_a_mistyped_name_is_told_with_the_one_that_is_meant() -> None:
    """Otherwise the control stays off, and nobody hears of it. What azd writes itself is no mistake."""
    found = dict(told(CMG_SEPERATE_DUTIES="true", CMG_GATEWAY_GROUPS="x", CMG_PRINCIPAL_ID="y"))
    assert set(found) == {"CMG_SEPERATE_DUTIES", "CMG_GATEWAY_GROUPS"}
    assert "CMG_SEPARATE_DUTIES is meant" in found["CMG_SEPERATE_DUTIES"]


def test_what_azd_writes_itself_is_what_main_bicep_tells() -> None:
    told = {name for name in template(INFRA / "main.bicep").part("outputs") if name.startswith("CMG_")}
    assert told == set(OUTPUTS)

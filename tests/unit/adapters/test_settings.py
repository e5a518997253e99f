"""What an operator may set, what is refused, and that secrets are not shown."""

import asyncio
import base64
import json
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cmg_core.azure.clients import USER_AGENT
from cmg_core.azure.public_dns import DnsServer
from cmg_core.domain.clouds import CloudName
from cmg_core.domain.tenants import Identities, Tenant
from cmg_core.settings import Settings, SettingsError, read
from cmg_core.wiring import RealServices

HOME, APP = "aaaaaaaa-0000-4000-8000-000000000001", "55555555-5555-4555-8555-555555555555"
STORAGE = {"CmgStorage": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRETKEY"}
SOFTWARE = {
    "name": "cmg",
    "properties": {
        "publisher": "Contoso",
        "type": "Gateway",
        "typeHandlerVersion": "1.0",
        "protectedSettings": {"k": "SECRETSETTING"},
    },
}


def refused(**environment: str) -> SettingsError:
    with pytest.raises(SettingsError) as error:
        read(STORAGE | environment)
    return error.value


def test_an_empty_environment_but_for_storage_has_safe_defaults() -> None:
    settings = read(STORAGE | {"CMG_DNS_SERVERS": " ", "UNKNOWN": "x"})
    assert settings.dns_servers == ()
    assert settings.minimum_grace == timedelta(days=1)
    assert settings.claim == timedelta(minutes=5)
    assert settings.cloud is CloudName.PUBLIC
    assert settings.probe_path == "/CCM_Proxy_ServerAuth/ServiceMetadata"
    assert settings.limits.gateway_software == {}


def test_what_is_set_is_obeyed() -> None:
    settings = read(
        {
            "CmgStorage__queueServiceUri": "https://a.queue.core.windows.net",
            "CmgStorage__tableServiceUri": "https://a.table.core.windows.net",
            "CmgStorage__clientId": "c",
            "CMG_DNS_SERVERS": "127.0.0.1:5353, 9.9.9.9,[2620:fe::fe]:54",
            "CMG_GATEWAY_SOFTWARE": json.dumps(SOFTWARE),
            "CMG_MINIMUM_GRACE": "PT20S",
            "CMG_PROBE_PATH": "/x",
            "CMG_CLAIM_SECONDS": "90",
            "CMG_CLOUD": "usgovernment",
            "CMG_CLIENT_ID": "d",
            "CMG_TENANT_ID": HOME.upper(),
            "CMG_CUSTOMER_APP": APP,
            "https_proxy": "http://proxy:8080",
        }
    )
    assert settings.dns_servers == (DnsServer("127.0.0.1", 5353), DnsServer("9.9.9.9"), DnsServer("2620:fe::fe", 54))
    assert settings.limits.gateway_software == SOFTWARE
    assert settings.limits.minimum_grace == timedelta(seconds=20)
    assert settings.limits.claim == timedelta(seconds=90)
    assert (settings.cloud, settings.client_id) == (CloudName.US_GOVERNMENT, "d")
    assert settings.limits.identities == Identities(HOME, APP)
    assert settings.proxy.get_secret_value() == "http://proxy:8080"


@pytest.mark.parametrize("grace", ["PT23H59M59S", "PT1S"])
def test_a_short_grace_period_is_refused_in_azure_and_the_reason_told(grace: str) -> None:
    assert read(STORAGE | {"CMG_MINIMUM_GRACE": grace}).minimum_grace < timedelta(days=1)
    (problem,) = refused(CMG_MINIMUM_GRACE=grace, WEBSITE_SITE_NAME="func-cmg").problems
    assert (problem.name, problem.seen) == ("CMG_MINIMUM_GRACE", grace)
    assert "outside Azure" in problem.cure


def test_a_claim_for_trials_with_killed_hosts_is_refused_in_azure() -> None:
    assert read(STORAGE | {"CMG_CLAIM_SECONDS": "4"}).claim == timedelta(seconds=4)
    (problem,) = refused(CMG_CLAIM_SECONDS="60", WEBSITE_SITE_NAME="func-cmg").problems
    assert (problem.name, problem.seen) == ("CMG_CLAIM_SECONDS", "60")


def test_a_longer_grace_period_is_welcome_in_azure() -> None:
    environment = STORAGE | {"CMG_MINIMUM_GRACE": "P3D", "WEBSITE_SITE_NAME": "func-cmg"}
    assert read(environment).minimum_grace == timedelta(days=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CMG_DNS_SERVERS", "dns.contoso.com"),
        ("CMG_DNS_SERVERS", "9.9.9.9:port"),
        ("CMG_DNS_SERVERS", "9.9.9.9:99999"),
        ("CMG_GATEWAY_SOFTWARE", "[]"),
        ("CMG_GATEWAY_SOFTWARE", "{"),
        ("CMG_GATEWAY_SOFTWARE", '{"name": "x"}'),
        ("CMG_MINIMUM_GRACE", "1 day"),
        ("CMG_MINIMUM_GRACE", "P0D"),
        ("CMG_MINIMUM_GRACE", "Pxyz"),
        ("CMG_PROBE_PATH", "no-slash"),
        ("CMG_PROBE_PATH", "/a b"),
        ("CMG_CLAIM_SECONDS", "2"),
        ("CMG_CLAIM_SECONDS", "600"),
        ("CMG_CLAIM_SECONDS", "five minutes"),
        ("CMG_CLOUD", "china"),
        ("CMG_TENANT_ID", "contoso.onmicrosoft.com"),
        ("CMG_CUSTOMER_APP", "55555555-5555-4555-8555-555555555555"),
        ("CMG_CALLBACK_KEYS", "no base64"),
        ("CMG_CALLBACK_KEYS", "c2hvcnQ="),
        ("CMG_CALLBACK_KEYS", ","),
        ("CMG_CALLBACK_HOSTS", "https://hooks.contoso.com"),
        ("CMG_CALLBACK_HOSTS", "hooks.contoso.com, *"),
        ("HTTPS_PROXY", "socks5://user:SECRET@proxy:1080"),
        ("CmgStorage__queueServiceUri", "https://a.queue.core.windows.net"),
    ],
)
def test_a_setting_that_cannot_be_obeyed_is_named_with_its_cure(name: str, value: str) -> None:
    error = refused(**{name: value})
    assert [problem.cure != "" for problem in error.problems] == [True]
    assert name in str(error)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        read({"CMG_CLOUD": "moon", "CMG_CLAIM_SECONDS": "1", "CMG_MINIMUM_GRACE": "x", "CMG_PROBE_PATH": "x"})
    assert {problem.name for problem in error.value.problems} == {
        "CMG_CLOUD",
        "CMG_CLAIM_SECONDS",
        "CMG_MINIMUM_GRACE",
        "CMG_PROBE_PATH",
        "CmgStorage",
    }


def test_one_storage_address_alone_asks_for_the_other() -> None:
    with pytest.raises(SettingsError) as error:
        read({"CmgStorage__queueServiceUri": "http://a"})
    assert {problem.name for problem in error.value.problems} == {
        "CmgStorage__queueServiceUri",
        "CmgStorage__tableServiceUri",
    }


def test_secrets_are_in_no_text() -> None:
    proxy = "http://user:SECRETPASSWORD@proxy:8080"
    key = base64.b64encode(b"SECRET" * 6).decode()
    settings = read(
        STORAGE | {"CMG_GATEWAY_SOFTWARE": json.dumps(SOFTWARE), "HTTPS_PROXY": proxy, "CMG_CALLBACK_KEYS": key}
    )
    shown = f"{settings!r} {settings} {settings.limits!r} {settings.model_dump()} {settings.model_dump_json()}"
    broken = refused(
        CMG_GATEWAY_SOFTWARE='{"k": "SECRET"', HTTPS_PROXY="ftp://user:SECRET@proxy", CMG_CALLBACK_KEYS="SECRET!"
    )
    assert len(broken.problems) == 3
    assert "SECRET" not in f"{shown} {broken} {broken!r} {broken.problems} {broken.__context__}" and key not in shown


def test_callbacks_are_set_by_two_settings() -> None:
    key = base64.b64encode(b"k" * 32).decode()
    settings = read(STORAGE | {"CMG_CALLBACK_KEYS": f"{key},{key}", "CMG_CALLBACK_HOSTS": "*.logic.azure.com,a.b:8443"})
    assert settings.callback_keys is not None and len(settings.callback_keys.get_secret_value().keys) == 2
    assert [(each.name, each.port) for each in settings.callback_hosts] == [("*.logic.azure.com", 443), ("a.b", 8443)]
    assert read(STORAGE).callback_keys is None


NAMES = [field.alias or "" for field in Settings.model_fields.values()]


@given(some.dictionaries(some.sampled_from([*NAMES, "WEBSITE_SITE_NAME"]), some.text(max_size=30)))
def test_whatever_is_set_is_obeyed_or_refused_in_words(environment: dict[str, str]) -> None:
    try:
        settings = read(environment)
    except SettingsError as error:
        assert error.problems
    else:
        assert timedelta(seconds=60) < settings.claim < timedelta(seconds=600)


def test_storage_by_identity_is_wired_too() -> None:
    names = ("queue", "table")
    services = RealServices(
        read({f"CmgStorage__{name}ServiceUri": f"https://a.{name}.core.windows.net" for name in names})
    )
    asyncio.run(services.aclose())


def test_the_version_in_the_user_agent_is_the_projects() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert f"cmg-migrator/{project['version']}" == USER_AGENT


def test_reading_settings_and_wiring_load_no_azure_library() -> None:
    script = "import sys, cmg_core.wiring; print([m for m in sys.modules if m.startswith(('azure', 'dns', 'aiohttp'))])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_wiring_opens_nothing() -> None:
    storage = (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;QueueEndpoint=http://x/a;TableEndpoint=http://x/a"
    )
    services = RealServices(read({"CmgStorage": storage}))
    assert services.azure(Tenant("t"), "s") is services.azure(Tenant("t"), "s")
    assert services.azure(Tenant("t"), "s") is not services.azure(Tenant("u"), "s")


def test_the_keys_of_messages_are_read_in_order() -> None:
    keys = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
    settings = read(STORAGE | {"CMG_MESSAGE_KEYS": f"{keys[0]}, {keys[1]}"})
    assert settings.message_keys.get_secret_value() == (b"\x01" * 32, b"\x02" * 32)
    assert read(STORAGE).message_keys.get_secret_value() == ()


UNRESOLVED = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/SECRETKEY)"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("SECRETKEY", "base64"),
        (base64.b64encode(b"SECRETKEY" * 3).decode(), "shorter than 32"),
        (f"{base64.b64encode(b'k' * 32).decode()},", "shorter than 32"),
        (UNRESOLVED, "not resolved"),
    ],
)
def test_keys_that_are_none_are_refused_and_not_shown(value: str, told: str) -> None:
    (problem,) = refused(CMG_MESSAGE_KEYS=value).problems
    assert (problem.name, problem.seen) == ("CMG_MESSAGE_KEYS", "") and told in problem.cure
    assert value not in str(problem) and "SECRETKEY" not in str(problem)


@pytest.mark.parametrize("name", ["CMG_MESSAGE_KEYS", "CMG_CALLBACK_KEYS", "CMG_GATEWAY_SOFTWARE"])
def test_a_reference_that_app_service_has_not_resolved_is_told_as_one(name: str) -> None:
    (problem,) = refused(**{name: UNRESOLVED}).problems
    assert (problem.name, problem.seen) == (name, "")
    assert "not resolved" in problem.cure and "Key Vault Secrets User" in problem.cure
    assert "SECRETKEY" not in str(problem)

"""What an operator sets. The environment is read here, once, and nowhere else in the product."""

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)

from cmg_core.azure.public_dns import DnsServer
from cmg_core.domain.clouds import CloudName
from cmg_core.domain.record import LONGEST_CALL, MESSAGE_HOLD
from cmg_core.domain.requests import SHORTEST_GRACE
from cmg_core.domain.roles import KEYS_MAY, CallerRules, Role
from cmg_core.domain.tenants import Identities
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.ledger.seals import SHORTEST_KEY
from cmg_core.notify.addresses import HostPattern
from cmg_core.notify.keys import CallbackKeys, read_keys
from cmg_core.services import Limits

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

AUDIENCE = re.compile(rf"api://[!-~]+|https://[!-~]+|{GUID.pattern}")
"""What a token for an app may be made out to (Microsoft Learn, "Access token claims reference", `aud`)."""

NO_KEYS = "none"

SHORTEST_TRIED_CLAIM = timedelta(seconds=2)
"""Trials outside Azure that kill hosts need claims shorter than one of Azure's slow answers."""


@dataclass(frozen=True)
class SettingProblem:
    """One setting that cannot be obeyed. ``seen`` is empty where the value is secret."""

    name: str
    seen: str
    cure: str

    def __str__(self) -> str:
        return f"{self.name}{f' is «{self.seen}»' if self.seen else ''}: {self.cure}"


class SettingsError(Exception):
    """Settings that cannot be obeyed, all of them at once. The app does no work until they are put right."""

    def __init__(self, problems: tuple[SettingProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def _servers(value: str) -> tuple[DnsServer, ...]:
    return tuple(_server(part.strip()) for part in value.split(",") if part.strip())


def _server(text: str) -> DnsServer:
    parts = urlsplit(f"//{text}")
    try:
        address, port = ipaddress.ip_address(parts.hostname or ""), parts.port or 53
    except ValueError:
        raise ValueError("one of them is no IP address with a port") from None
    return DnsServer(str(address), port)


def _software(value: str) -> JsonObject:
    try:
        software: JsonObject = TypeAdapter(JsonObject).validate_json(value)
    except ValidationError:
        raise ValueError("it is not a JSON object") from None
    wanted = (("name",), *(("properties", key) for key in ("publisher", "type", "typeHandlerVersion")))
    missing = [".".join(path) for path in wanted if not text_at(software, *path)]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return software


def _grace(value: str, info: ValidationInfo) -> timedelta:
    grace = _duration(value)
    if grace < SHORTEST_GRACE and info.context and info.context["in_azure"]:
        raise ValueError(
            "less than a day is for trials outside Azure: clients that are off over night would lose both gateways"
        )
    return grace


def _duration(value: str) -> timedelta:
    try:
        duration = TypeAdapter(timedelta).validate_python(value) if value.startswith("P") else timedelta()
    except ValidationError:
        duration = timedelta()
    if duration <= timedelta():
        raise ValueError("it is no duration longer than nothing")
    return duration


def _claim(value: str, info: ValidationInfo) -> timedelta:
    claim = timedelta(seconds=int(value) if value.isdecimal() and len(value) < 6 else 0)
    shortest = LONGEST_CALL if info.context and info.context["in_azure"] else SHORTEST_TRIED_CLAIM
    if not shortest < claim < MESSAGE_HOLD:
        raise ValueError("a claim must outlast one call and end before the queue shows the message again")
    return claim


def _probe(value: str) -> str:
    if not value.startswith("/") or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("it is no path")
    return value


def _message_keys(value: str) -> tuple[bytes, ...]:
    try:
        keys = tuple(base64.b64decode(part.strip(), validate=True) for part in value.split(","))
    except ValueError:
        raise ValueError("one of them is no base64") from None
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(f"one of them is shorter than {SHORTEST_KEY} bytes")
    return keys


def _guid(value: str) -> str:
    if not GUID.fullmatch(value):
        raise ValueError("it is no GUID")
    return value.lower()


def _guids(value: str) -> frozenset[str]:
    return frozenset(_guid(part.strip()) for part in value.split(","))


def _audiences(value: str) -> tuple[str, ...]:
    audiences = tuple(part.strip() for part in value.split(","))
    if not all(AUDIENCE.fullmatch(audience) for audience in audiences):
        raise ValueError("one of them is no application ID URI and no client ID")
    return audiences


def _key_roles(value: str) -> frozenset[Role]:
    named = [part.strip() for part in value.split(",")]
    if named == [NO_KEYS]:
        return frozenset()
    if not {*named} <= {*Role}:
        raise ValueError("one of them is no role")
    return frozenset(Role(name) for name in named)


def _yes_or_no(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("it is neither yes nor no")
    return value == "true"


def _says_true(value: str) -> bool:
    """App Service writes «True»; anything else is not its word."""
    return value == "True"


def _says_yes(value: str) -> bool:
    """As the Functions worker reads its own settings."""
    return value.lower() in ("1", "true", "t", "yes", "y")


def _keys(value: str) -> Secret[CallbackKeys]:
    keys = read_keys(value)
    if not keys.keys:
        raise ValueError("it holds none")
    return Secret(keys)


def _hosts(value: str) -> tuple[HostPattern, ...]:
    return tuple(HostPattern.parse(part.strip()) for part in value.split(",") if part.strip())


def _proxy(value: str) -> SecretStr:
    parts = urlsplit(value)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("it is no address of an HTTP proxy")
    return SecretStr(value)


@dataclass(frozen=True)
class TelemetrySettings:
    """Where telemetry goes, and what it says of this process."""

    application_insights: str = field(default="", repr=False)
    """A connection string."""
    collector: str = field(default="", repr=False)
    """An OTLP endpoint."""
    host_leaves_logs: bool = False
    """Whether the Functions host leaves the app's log to the app, instead of carrying it to Application Insights."""
    name: str = ""
    """Of the app."""
    instance: str = ""

    def __bool__(self) -> bool:
        return bool(self.application_insights or self.collector)


class Settings(BaseModel):
    """The settings, checked. A field's alias is the setting's name, its description the cure where it is wrong."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    dns_servers: Annotated[tuple[DnsServer, ...], BeforeValidator(_servers)] = Field(
        default=(),
        alias="CMG_DNS_SERVERS",
        description="give IP addresses of DNS servers that see the internet's view, with or without a port, such as "
        "«9.9.9.9, 127.0.0.1:5353»; leave it out for public resolvers and the zone's own servers",
    )
    gateway_software: Annotated[Secret[JsonObject], BeforeValidator(_software)] = Field(
        default=Secret({}),
        alias="CMG_GATEWAY_SOFTWARE",
        description="give the VM extension that makes a gateway of an instance, as JSON: an entry of the scale set's "
        "virtualMachineProfile.extensionProfile.extensions, with properties.publisher, .type and .typeHandlerVersion",
    )
    minimum_grace: Annotated[timedelta, BeforeValidator(_grace)] = Field(
        default=SHORTEST_GRACE,
        alias="CMG_MINIMUM_GRACE",
        description="give an ISO 8601 duration of a day or more, such as «P1D», or leave it out",
    )
    probe_path: Annotated[str, BeforeValidator(_probe)] = Field(
        default="/CCM_Proxy_ServerAuth/ServiceMetadata",
        alias="CMG_PROBE_PATH",
        description="give the path that a gateway is probed at, beginning with a slash",
    )
    claim: Annotated[timedelta, BeforeValidator(_claim)] = Field(
        default=timedelta(minutes=5),
        alias="CMG_CLAIM_SECONDS",
        description=f"give whole seconds, more than {LONGEST_CALL.seconds} and less than {MESSAGE_HOLD.seconds}",
    )
    message_keys: Annotated[Secret[tuple[bytes, ...]], BeforeValidator(_message_keys)] = Field(
        default=Secret(()),
        alias="CMG_MESSAGE_KEYS",
        description=f"give random keys of {SHORTEST_KEY} bytes or more in base64, separated by commas: the first seals "
        "messages, all are accepted; leave it out and every run reads the ledger",
    )
    cloud: CloudName = Field(default=CloudName.PUBLIC, alias="CMG_CLOUD", description="give «public» or «usgovernment»")
    client_id: str = Field(
        default="", alias="CMG_CLIENT_ID", description="give the client ID of a user-assigned identity, or leave it out"
    )
    tenant_id: Annotated[str, BeforeValidator(_guid)] = Field(
        default="",
        alias="CMG_TENANT_ID",
        description="give the ID of the tenant that the app's managed identity belongs to, or leave it out where all "
        "subscriptions lie in that tenant",
    )
    customer_app: Annotated[str, BeforeValidator(_guid)] = Field(
        default="",
        alias="CMG_CUSTOMER_APP",
        description="give the client ID of the multi-tenant app that trusts the managed identity "
        "(docs/service-providers.md), or leave it out",
    )
    auth_audiences: Annotated[tuple[str, ...], BeforeValidator(_audiences)] = Field(
        default=(),
        alias="CMG_AUTH_AUDIENCE",
        description="give the application ID URI and the client ID of the app's registration in Microsoft Entra ID, "
        "such as «api://cmg.contoso.com, 6f0c3f0e-6a67-4d0e-9d2c-2a3f6a1c8b11» (docs/roles.md); leave it out where no "
        "tokens are taken",
    )
    auth_tenants: Annotated[frozenset[str], BeforeValidator(_guids)] = Field(
        default=frozenset(),
        alias="CMG_AUTH_TENANTS",
        description="give the IDs of all tenants whose principals may call, the home tenant's too, or leave it out for "
        "that one alone",
    )
    key_roles: Annotated[frozenset[Role], BeforeValidator(_key_roles)] = Field(
        default=KEYS_MAY,
        alias="CMG_KEY_ROLES",
        description=f"give what function keys' holders may, of {', '.join(Role)}, or «{NO_KEYS}» where only signed-in "
        "callers are taken; leave it out for reader and requester",
    )
    separate_duties: Annotated[bool, BeforeValidator(_yes_or_no)] = Field(
        default=False,
        alias="CMG_SEPARATE_DUTIES",
        description="give «true» where the one who asks may not approve, or «false»",
    )
    app_service_signs_in: Annotated[bool, BeforeValidator(_says_true)] = Field(
        default=False, alias="WEBSITE_AUTH_ENABLED", description="App Service sets it"
    )
    callback_keys: Annotated[Secret[CallbackKeys] | None, BeforeValidator(_keys)] = Field(
        default=None,
        alias="CMG_CALLBACK_KEYS",
        description="give keys in base64, each of 32 bytes or more, separated by commas, the present one first "
        "(docs/webhooks.md); leave it out where nobody wants events posted",
    )
    callback_hosts: Annotated[tuple[HostPattern, ...], BeforeValidator(_hosts)] = Field(
        default=(),
        alias="CMG_CALLBACK_HOSTS",
        description="give the host names that events may be posted to, such as «hooks.contoso.com, "
        "*.logic.azure.com, hooks.contoso.com:8443»; leave it out for any public host on 443",
    )
    storage: SecretStr = Field(default=SecretStr(""), alias="CmgStorage", description="give a connection string")
    queue_service: str = Field(
        default="", alias="CmgStorage__queueServiceUri", description="give the queue service's address"
    )
    table_service: str = Field(
        default="", alias="CmgStorage__tableServiceUri", description="give the table service's address"
    )
    storage_client_id: str = Field(
        default="", alias="CmgStorage__clientId", description="give the client ID of a user-assigned identity"
    )
    proxy: Annotated[SecretStr, BeforeValidator(_proxy)] = Field(
        default=SecretStr(""),
        alias="HTTPS_PROXY",
        description="give the proxy's address, such as «http://proxy.contoso.com:8080»",
    )
    no_proxy: str = Field(default="", alias="NO_PROXY", description="give host names")
    insights: str = Field(
        default="",
        alias="APPLICATIONINSIGHTS_CONNECTION_STRING",
        description="give the connection string of Application Insights (docs/telemetry.md), or leave it out; how to "
        "sign in stands in APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        repr=False,
    )
    collector: str = Field(
        default="",
        alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="give the address of an OpenTelemetry collector that takes OTLP over HTTP, such as "
        "«http://localhost:4318» (docs/telemetry.md), or leave it out",
        repr=False,
    )
    host_leaves_logs: Annotated[bool, BeforeValidator(_says_yes)] = Field(
        default=False,
        alias="PYTHON_ENABLE_OPENTELEMETRY",
        description="give «true» where host.json has `telemetryMode` «OpenTelemetry», so that the app's log goes to "
        "Application Insights by the app itself (docs/telemetry.md)",
    )
    service_name: str = Field(
        default="",
        alias="OTEL_SERVICE_NAME",
        description="give the app's name in telemetry, or leave it out for the function app's",
    )
    site: str = Field(default="", alias="WEBSITE_SITE_NAME", description="App Service sets it")
    instance: str = Field(default="", alias="WEBSITE_INSTANCE_ID", description="App Service sets it")

    @property
    def telemetry(self) -> TelemetrySettings:
        """Where telemetry goes."""
        name = self.service_name or self.site
        return TelemetrySettings(self.insights, self.collector, self.host_leaves_logs, name, self.instance)

    @property
    def limits(self) -> Limits:
        """What steps obey."""
        return Limits(
            self.minimum_grace,
            self.claim,
            self.gateway_software.get_secret_value(),
            Identities(self.tenant_id, self.customer_app),
            self.cloud,
            self.caller_rules,
        )

    @property
    def caller_rules(self) -> CallerRules:
        """How callers are told apart."""
        return CallerRules(
            self.key_roles | {Role.READER} if self.key_roles else frozenset(),
            self.separate_duties,
            self.tenant_id,
            self.auth_tenants or frozenset({self.tenant_id} - {""}),
            self.app_service_signs_in,
        )


SECRET = frozenset({"CMG_CALLBACK_KEYS", "CMG_GATEWAY_SOFTWARE", "CMG_MESSAGE_KEYS", "CmgStorage", "HTTPS_PROXY"})

PROXY_SPELLINGS = {"https_proxy": "HTTPS_PROXY", "no_proxy": "NO_PROXY"}
"""Both spellings are common; Azure's clients, too, obey either."""


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment. An empty one counts as left out. Raises SettingsError with every problem."""
    spelled = {PROXY_SPELLINGS.get(name, name): value for name, value in environment.items()}
    given = {name: value.strip() for name, value in spelled.items() if value.strip()}
    unresolved = _unresolved(given)
    problems = unresolved + _storage_problems(given) + _identity_problems(given) + _caller_problems(given)
    told = {problem.name for problem in unresolved}
    try:
        settings = Settings.model_validate(given, context={"in_azure": "WEBSITE_SITE_NAME" in given})
    except ValidationError as error:
        problems += [
            _problem(str(one["loc"][0]), one["msg"].removeprefix("Value error, "), given)
            for one in error.errors(include_url=False, include_input=False)
            if str(one["loc"][0]) not in told
        ]
    if problems:
        raise SettingsError(tuple(problems))
    return settings


@cache
def settings() -> Settings:
    """The settings of this process. Raises SettingsError."""
    return read(os.environ)


def _problem(name: str, reason: str, given: Mapping[str, str]) -> SettingProblem:
    cures = {field.alias: field.description for field in Settings.model_fields.values()}
    return SettingProblem(name, "" if name in SECRET else given[name], f"{reason}; {cures[name]}")


def _unresolved(given: Mapping[str, str]) -> list[SettingProblem]:
    """Secrets that App Service hands on as the references that they are: it could not read them, and keeps that for up
    to a day (Microsoft Learn, "Use Key Vault references as app settings", rotation and troubleshooting)."""
    cure = (
        "see that the secret that the reference names is in the vault and that the app's identity may read it "
        "(Key Vault Secrets User); then `azd hooks run postprovision`, which has App Service look anew: by itself it "
        "does so within a day"
    )
    return [
        SettingProblem(name, "", f"it is a Key Vault reference that App Service has not resolved; {cure}")
        for name in sorted(SECRET & given.keys())
        if given[name].startswith("@Microsoft.KeyVault(")
    ]


def _identity_problems(given: Mapping[str, str]) -> list[SettingProblem]:
    """Without the home tenant nobody can tell which tenants are customers'."""
    if "CMG_CUSTOMER_APP" not in given or "CMG_TENANT_ID" in given:
        return []
    cure = "give the ID of the tenant that the app's managed identity belongs to"
    return [SettingProblem("CMG_TENANT_ID", "", f"it is missing beside CMG_CUSTOMER_APP; {cure}")]


def _caller_problems(given: Mapping[str, str]) -> list[SettingProblem]:
    """Whoever signs in is of the home tenant or a customer's; and somebody must be able to call."""
    problems = []
    signs_in = "CMG_AUTH_AUDIENCE" in given or given.get("WEBSITE_AUTH_ENABLED") == "True"
    if "CMG_AUTH_AUDIENCE" in given and "CMG_TENANT_ID" not in given:
        cure = "give the ID of the home tenant, whose principals see every deployment"
        problems.append(SettingProblem("CMG_TENANT_ID", "", f"it is missing beside CMG_AUTH_AUDIENCE; {cure}"))
    if given.get("CMG_KEY_ROLES") == NO_KEYS and not signs_in:
        cure = "set CMG_AUTH_AUDIENCE, or turn App Service's authentication on"
        problems.append(SettingProblem("CMG_KEY_ROLES", NO_KEYS, f"then nobody could call; {cure}"))
    return problems


def keys_count() -> bool:
    """Whether function keys open anything, so that the Functions host must check them. Settings that cannot be obeyed
    change nothing of that."""
    try:
        return bool(settings().key_roles)
    except SettingsError:
        return True


def _storage_problems(given: Mapping[str, str]) -> list[SettingProblem]:
    """The storage account is given either by connection string or by both services' addresses."""
    addresses = ("CmgStorage__queueServiceUri", "CmgStorage__tableServiceUri")
    named = [name for name in addresses if name in given]
    cure = f"give either a connection string in CmgStorage, or {' and '.join(addresses)} (managed identity)"
    if "CmgStorage" in given:
        return [SettingProblem("CmgStorage", "", f"it is set beside {named[0]}; {cure}")] if named else []
    missing = [name for name in addresses if name not in given] if named else ["CmgStorage"]
    badly = [
        SettingProblem(name, given[name], "it is no https address; give the service's address without a query")
        for name in named
        if urlsplit(given[name]).scheme != "https" or urlsplit(given[name]).query
    ]
    return [*badly, *(SettingProblem(name, "", f"it is missing; {cure}") for name in missing)]

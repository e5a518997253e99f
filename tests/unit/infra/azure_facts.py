"""What Azure does of itself, for types that the simulator does not know: names it takes, and what it gives back."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.infra.evaluation import Resource

GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NAMES: Mapping[str, str] = {
    "Microsoft.Authorization/locks": r"[\w.()-]{1,90}",
    "Microsoft.Authorization/roleAssignments": GUID,
    "Microsoft.Authorization/roleDefinitions": GUID,
    "Microsoft.Consumption/budgets": r"[\w-]{1,63}",
    "Microsoft.Insights/actionGroups": r"[^:<>+/&%\\?|]{1,259}[^:<>+/&%\\?|. ]",
    "Microsoft.Insights/components": r"[^%&\\?/]{1,259}[^%&\\?/. ]",
    "Microsoft.Insights/diagnosticSettings": r"[^<>*%&:\\?+/]{1,260}",
    "Microsoft.Insights/scheduledQueryRules": r"[^*<>%&:\\?/#]{1,259}[^*<>%&:\\?/#. ]",
    "Microsoft.KeyVault/vaults": r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    "Microsoft.KeyVault/vaults/secrets": r"[A-Za-z0-9-]{1,127}",
    "Microsoft.Logic/workflows": r"[\w.()-]{1,43}",
    "Microsoft.ManagedIdentity/userAssignedIdentities": r"[A-Za-z0-9][\w-]{2,127}",
    "Microsoft.Network/networkSecurityGroups": r"[A-Za-z0-9]([\w.-]{0,78}\w)?",
    "Microsoft.Network/privateDnsZones": r"(?=.{1,63}$)[\w-]+(\.[\w-]+)+",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": r"[A-Za-z0-9]([\w.-]{0,78}\w)?",
    "Microsoft.Network/privateEndpoints": r"[A-Za-z0-9][\w.-]{0,62}\w",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": r"[A-Za-z0-9]([\w.-]{0,78}\w)?",
    "Microsoft.Network/virtualNetworks": r"[A-Za-z0-9][\w.-]{0,62}\w",
    "Microsoft.OperationalInsights/workspaces": r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "Microsoft.Resources/resourceGroups": r"[\w.()-]{0,89}[\w()-]",
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.Storage/storageAccounts/blobServices": "default",
    "Microsoft.Storage/storageAccounts/blobServices/containers": r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "Microsoft.Storage/storageAccounts/queueServices": "default",
    "Microsoft.Storage/storageAccounts/queueServices/queues": r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "Microsoft.Storage/storageAccounts/tableServices": "default",
    "Microsoft.Storage/storageAccounts/tableServices/tables": r"[A-Za-z][A-Za-z0-9]{2,62}",
    "Microsoft.Web/serverfarms": r"[A-Za-z0-9-]{1,60}",
    "Microsoft.Web/sites": r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "ftp|scm",
    "Microsoft.Web/sites/config": "appsettings|authsettingsV2",
}
"""Source: "Naming rules and restrictions for Azure resources"; of children with fixed names their reference pages."""

WORLDWIDE = {"Microsoft.KeyVault/vaults", "Microsoft.Storage/storageAccounts", "Microsoft.Web/sites"}
"""Types whose name is a part of an address. Source: the same page."""

BUILT_IN: Mapping[str, str] = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
"""The built-in roles that are used, typed a second time here. Source: "Azure built-in roles"."""

REFUSED_BY_FLEX = {
    "ftpsState", "functionAppScaleLimit", "functionsRuntimeScaleMonitoringEnabled", "linuxFxVersion",
    "netFrameworkVersion", "preWarmedInstanceCount", "use32BitWorkerProcess", "windowsFxVersion",
}  # fmt: skip
"""What Flex Consumption answers in a `siteConfig` with error 51021, «is invalid. Please remove or rename». Source: that
answer as reported in Azure/azure-cli#31414, microsoft/azure-pipelines-tasks#21032 and #22254 and
Azure/terraform-azurerm-avm-res-web-site#283; the list is no official one."""

SETTINGS_REFUSED_BY_FLEX = {
    "ENABLE_ORYX_BUILD", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_CONTENTSHARE",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT", "WEBSITE_RUN_FROM_PACKAGE",
}  # fmt: skip
"""Settings that Flex Consumption refuses or passes over. Source: "Flex Consumption plan deprecations"."""

CLOUD: Mapping[str, Any] = {
    "name": "AzureCloud",
    "suffixes": {"storage": "core.windows.net"},
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
}
"""What `environment()` says in the public cloud. Source: Bicep's deployment functions."""

GOVERNMENT: Mapping[str, Any] = {
    "name": "AzureUSGovernment",
    "suffixes": {"storage": "core.usgovcloudapi.net"},
    "authentication": {"loginEndpoint": "https://login.microsoftonline.us/"},
}


def _identity(made: Resource, _: str) -> dict[str, Any]:
    return {"principalId": _id("principal", made), "clientId": _id("client", made)}


def _account(made: Resource, suffix: str) -> dict[str, Any]:
    services = ("blob", "queue", "table", "file")
    return {"primaryEndpoints": {one: f"https://{made.name}.{one}.{suffix}/" for one in services}}


def _site(made: Resource, _: str) -> dict[str, Any]:
    return {"defaultHostName": f"{made.name.lower()}.azurewebsites.net"}


def _component(made: Resource, _: str) -> dict[str, Any]:
    key = _id("key", made)
    return {"InstrumentationKey": key, "ConnectionString": f"InstrumentationKey={key}"}


GIVEN_BACK: Mapping[str, Callable[[Resource, str], dict[str, Any]]] = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": _identity,
    "Microsoft.Storage/storageAccounts": _account,
    "Microsoft.Web/sites": _site,
    "Microsoft.Insights/components": _component,
}
"""Properties that Azure adds, as far as these files use them. Source: the types' reference pages."""


def answer_of(made: Resource, suffix: str) -> dict[str, Any]:
    """What Azure gives back for a resource that the simulator does not know."""
    more = GIVEN_BACK[made.type](made, suffix) if made.type in GIVEN_BACK else {}
    answer = {**made.body, "properties": {**(made.body.get("properties") or {}), **more}}
    if (made.body.get("identity") or {}).get("type") == "SystemAssigned":
        answer["identity"] = {**answer["identity"], "principalId": _id("principal", made)}
    return answer


def name_is_right(made: Resource) -> bool:
    """Whether Azure takes the name. A type without its rule here is an error."""
    return bool(re.fullmatch(NAMES[made.type], made.name))


def _id(what: str, made: Resource) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{what} {made.id}"))

"""The storage connections of triggers and timers, as app settings say them: by connection string or by identity.

Source: "Azure Functions developer guide", Connections, and "Azure Queue storage trigger", Identity-based connections:
`NAME__queueServiceUri` and the like, with `NAME__credential` and `NAME__clientId` for a managed identity; the host's
own account also by `AzureWebJobsStorage__accountName`, whose addresses are then those of Azure's public cloud.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.host.settings import HostError

MANAGED_IDENTITY = "managedidentity"
_PUBLIC = "https://{account}.{service}.core.windows.net"


@dataclass(frozen=True)
class Connection:
    """A storage account: a connection string, or its services' addresses and the managed identity's client ID."""

    connection_string: str = field(default="", repr=False)
    queue_service: str = ""
    blob_service: str = ""
    client_id: str = ""


def connection(name: str, environment: Mapping[str, str]) -> Connection:
    """The connection of a trigger, from the settings `NAME…` or `AzureWebJobsNAME…`.

    Raises:
        HostError: there is none, or one that this host cannot use.
    """
    for setting in (name, f"AzureWebJobs{name}"):
        value = environment.get(setting, "")
        if value.startswith("UseDevelopmentStorage"):
            raise HostError(f"{setting} names the emulator's well-known account; give it a whole connection string")
        if value:
            return Connection(connection_string=value)
        if (found := _by_identity(setting, environment)) is not None:
            return found
    raise HostError(
        f"the app's triggers use the connection {name}, and neither the setting {name} nor {name}__queueServiceUri, "
        f"{name}__blobServiceUri or {name}__accountName is set"
    )


def _by_identity(setting: str, environment: Mapping[str, str]) -> Connection | None:
    def given(part: str) -> str:
        return environment.get(f"{setting}__{part}", "")

    def address(service: str) -> str:
        account = given("accountName")
        return given(f"{service}ServiceUri") or (_PUBLIC.format(account=account, service=service) if account else "")

    queue_service, blob_service = address("queue"), address("blob")
    if not (queue_service or blob_service):
        return None
    if given("credential") not in ("", MANAGED_IDENTITY):
        raise HostError(f"{setting}__credential is «{given('credential')}»; this host knows «{MANAGED_IDENTITY}» only")
    return Connection(queue_service=queue_service, blob_service=blob_service, client_id=given("clientId"))

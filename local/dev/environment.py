"""A local Azure: Azurite, the simulator and the host with the app, as one thing that starts and ends."""

import asyncio
import base64
import json
import os
import secrets
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trustme

from local.azure.seed_models import DEFAULT_CLIENT, DEFAULT_CUSTOMER_APP, DEFAULT_TENANT, ApiSeed
from local.dev.azurite import Azurite
from local.dev.faketime import FastClock
from local.dev.processes import ROOT, Child, ProcessError, inherited, python
from local.host.connections import MANAGED_IDENTITY

RUN: Final = ROOT / ".dev" / "run"
WRITTEN: Final = RUN / "environment.json"
SOFTWARE: Final = {
    "name": "gateway-software",
    "properties": {
        "publisher": "Microsoft.Compute",
        "type": "CustomScriptExtension",
        "typeHandlerVersion": "1.10",
        "autoUpgradeMinorVersion": True,
        "settings": {"commandToExecute": "powershell -File install-gateway.ps1"},
    },
}
"""Stands for the instance software that whoever runs gateways of their own brings along."""


@dataclass(frozen=True)
class Options:
    """How a local Azure is started; a port 0 takes a free one."""

    port: int = 0
    proxy_port: int = 0
    time_scale: float = 0.01
    state: Path | None = None
    minimum_grace: str | None = None
    cloud: str | None = None
    message_hold_s: int | None = None
    clock: FastClock | None = None
    """The programs' clock, where it is not the real one."""
    app: Path = ROOT
    """The folder that holds the app."""
    storage_by_identity: bool = False
    """Whether the app signs in to storage, as in Azure: over TLS, with its managed identity's tokens and no key."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalAzure:
    """`async with LocalAzure(Options(...)) as azure:` starts it and ends it; or call `start`, `stop` and `forget`.

    Fields once started: `api` (with the route prefix), `key`, `master_key` and `callback_key` of the app, `proxy`,
    `ca`, `sim`, `identity_endpoint`, `identity_header`, `storage` (connection string), `dns`, and `folder` with the
    logs.
    """

    def __init__(self, options: Options = Options(), no_host: bool = False) -> None:
        self._options = options
        self._no_host = no_host
        self._azurite: Azurite | None = None
        self._simulator: Child | None = None
        self._host: Child | None = None
        self._port = options.port
        self._authority = trustme.CA(organization_name="Local storage") if options.storage_by_identity else None
        self.key = secrets.token_urlsafe(24)
        self.master_key = secrets.token_urlsafe(24)
        self.callback_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.message_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.proxy = self.ca = self.sim = self.dns = self.storage = self.identity_endpoint = self.identity_header = ""

    async def __aenter__(self) -> Self:
        await self.start(self._no_host)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if error is None:
            self.forget()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._port}/api"

    @property
    def pids(self) -> dict[str, int]:
        """The running programs: `azurite`, `simulator`, `host`."""
        azurite = self._azurite.child if self._azurite else None
        children = {"azurite": azurite, "simulator": self._simulator, "host": self._host}
        return {name: child.pid for name, child in children.items() if child is not None and child.running}

    async def start(self, no_host: bool = False) -> None:
        """Starts storage and simulator side by side, then the host.

        Raises:
            ProcessError: one of them did not start; what had started is ended again.
        """
        RUN.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="azure-", dir=RUN))
        self._port = self._port or free_port()
        if self._authority:
            self._authority.cert_pem.write_to_path(str(self._storage_authority))
        if self._options.state:
            (self._options.state / "azurite").mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_azurite())
                group.create_task(self._start_simulator())
            if not no_host:
                await self.start_host()
        except BaseExceptionGroup as failures:
            await self.stop()
            raise failures.exceptions[0] from failures
        except asyncio.CancelledError:
            await self.stop()
            self.forget()
            raise
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends everything in order: first the host, last the storage. Logs of a failed start stay."""
        for child in self._children():
            await child.end()

    async def kill(self) -> None:
        """Ends everything at once, where nobody needs what it knows any more."""
        await asyncio.gather(*(child.kill() for child in self._children()))

    def _children(self) -> list[Child]:
        children = (self._host, self._simulator, self._azurite.child if self._azurite else None)
        return [child for child in children if child is not None]

    def forget(self) -> None:
        """Removes the folder with the logs."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _start_azurite(self) -> None:
        certificate = self._authority.issue_cert("127.0.0.1") if self._authority else None
        self._azurite = await Azurite.start(self.folder, self._options.state, self._inherited(), certificate)
        self.storage = self._azurite.connection

    async def _start_simulator(self) -> None:
        options = self._options
        command = [
            *python(),
            "local.azure",
            "--time-scale",
            str(options.time_scale),
            "--ca-out",
            str(self.folder / "ca.pem"),
        ]
        for name, port in (("proxy", options.proxy_port), ("door", 0), ("dns", 0)):
            command += [f"--{name}-port", str(port or free_port())]
        if options.state:
            command += ["--state", str(options.state / "azure.json")]
        if self._authority:
            command += ["--also-trust", str(self._storage_authority)]
        self._simulator = await Child.start("the simulator", command, self.folder / "simulator.log", self._inherited())
        said = await self._simulator.ready()
        self.proxy, self.ca, self.sim, self.dns = said["proxy"], said["ca"], said["sim"], said["dns"]
        self.identity_endpoint, self.identity_header = said["identity_endpoint"], said["identity_header"]

    def _inherited(self) -> dict[str, str]:
        clock = self._options.clock
        return inherited() | (clock.environment() if clock else {})

    def environment(self) -> dict[str, str]:
        """The variables that the host gets besides those of this process: the app's settings, as in App Service."""
        grace = self._options.minimum_grace
        return {
            "HTTPS_PROXY": self.proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": self.ca,
            "REQUESTS_CA_BUNDLE": self.ca,
            "CMG_DNS_SERVERS": self.dns,
            "IDENTITY_ENDPOINT": self.identity_endpoint,
            "IDENTITY_HEADER": self.identity_header,
            "CMG_TENANT_ID": DEFAULT_TENANT,
            "CMG_CUSTOMER_APP": DEFAULT_CUSTOMER_APP,
            "CMG_AUTH_AUDIENCE": f"{ApiSeed().uri}, {ApiSeed().client_id}",
            "CMG_KEY_ROLES": os.environ.get("CMG_KEY_ROLES", "reader, requester, approver, operator"),
            **self._storage_settings(),
            "CMG_MESSAGE_KEYS": self.message_key,
            "CMG_HOST_KEYS": json.dumps({"function": {"default": self.key}, "master": self.master_key}),
            "CMG_CALLBACK_KEYS": os.environ.get("CMG_CALLBACK_KEYS", self.callback_key),
            "CMG_GATEWAY_SOFTWARE": os.environ.get("CMG_GATEWAY_SOFTWARE", json.dumps(SOFTWARE)),
            **({"CMG_MINIMUM_GRACE": grace} if grace else {}),
            **({"CMG_CLOUD": self._options.cloud} if self._options.cloud else {}),
        }

    def _storage_settings(self) -> dict[str, str]:
        """By connection string, or as infra/modules/app.bicep has them in Azure."""
        if not self._options.storage_by_identity:
            return {"AzureWebJobsStorage": self.storage, "CmgStorage": self.storage}
        assert self._azurite is not None
        services = self._azurite.services
        return {
            "AzureWebJobsStorage__blobServiceUri": services["blob"],
            "AzureWebJobsStorage__queueServiceUri": services["queue"],
            "AzureWebJobsStorage__credential": MANAGED_IDENTITY,
            "AzureWebJobsStorage__clientId": DEFAULT_CLIENT,
            "CmgStorage__queueServiceUri": services["queue"],
            "CmgStorage__tableServiceUri": services["table"],
            "CmgStorage__credential": MANAGED_IDENTITY,
            "CmgStorage__clientId": DEFAULT_CLIENT,
        }

    @property
    def _storage_authority(self) -> Path:
        return self.folder / "storage-ca.pem"

    def host_arguments(self) -> list[str]:
        hold = self._options.message_hold_s
        arguments = ["--app", str(self._options.app), "--port", str(self._port), "--tally", str(self._tally)]
        return arguments + (["--message-hold", str(hold)] if hold else [])

    async def start_host(self) -> None:
        """Starts the app. Raises ProcessError when it cannot be indexed or the port is taken."""
        command = [*python(), "local.host", *self.host_arguments()]
        environment = self._inherited() | self.environment()
        self._host = await Child.start("the host", command, self.folder / "host.log", environment)
        await self._host.ready()

    async def kill_host(self) -> None:
        """SIGKILL: nothing is finished, nothing is released."""
        if self._host is not None:
            await self._host.kill()

    async def stop_host(self) -> None:
        """SIGTERM: running functions end, nothing new is begun."""
        if self._host is not None:
            await self._host.end()

    async def death(self) -> ProcessError:
        """Waits until storage or simulator ends by itself, and tells which and why."""
        assert self._azurite is not None
        assert self._simulator is not None
        watching = [asyncio.create_task(child.death()) for child in (self._azurite.child, self._simulator)]
        try:
            ended, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            return ended.pop().result()
        finally:
            for task in watching:
                task.cancel()

    async def host_death(self) -> ProcessError:
        """Waits until the host ends, by itself or by somebody's hand, and tells why."""
        assert self._host is not None
        return await self._host.death()

    def storage_transactions(self) -> dict[str, int]:
        """`total` (queue and table without idle polls), `queue`, `table`, `idle_polls`; apart `timers` and `setup`.

        The storage itself counts; the polls that found nothing are counted by the hosts and taken off.
        """
        assert self._azurite is not None
        counts = self._azurite.transactions()
        idle = self._tally.stat().st_size if self._tally.exists() else 0
        queue = max(0, counts["queue"] - idle)
        return {
            "total": queue + counts["table"],
            "queue": queue,
            "table": counts["table"],
            "idle_polls": idle,
            "timers": counts["blob"] + counts["timer"],
            "setup": counts["setup"],
        }

    @property
    def _tally(self) -> Path:
        return self.folder / "idle-polls"

    def described(self) -> dict[str, str | int | None]:
        """The line that `dev.py up --json` prints."""
        return {
            "api": self.api,
            "key": self.key,
            "dashboard": None,
            "proxy": self.proxy,
            "ca": self.ca,
            "sim": self.sim,
            "storage": self.storage,
            "dns": self.dns,
            "pid": os.getpid(),
            "host_pid": self.pids.get("host"),
        }

    def write(self) -> None:
        """Leaves for `dev.py host` what it needs; readable by this user only, since keys are in it."""
        half = WRITTEN.with_suffix(f".{os.getpid()}")
        half.touch(mode=0o600)
        written = {"pid": os.getpid(), "environment": self.environment(), "arguments": self.host_arguments()}
        half.write_text(json.dumps(written))
        half.replace(WRITTEN)

    def unwrite(self) -> None:
        """Takes away what `write` left, unless another local Azure has written since."""
        if WRITTEN.exists() and json.loads(WRITTEN.read_text())["pid"] == os.getpid():
            WRITTEN.unlink()

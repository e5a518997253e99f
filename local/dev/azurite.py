"""Azurite, Microsoft's storage emulator, with an account of its own, and the count of its transactions."""

import asyncio
import base64
import json
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trustme import LeafCert

from local.dev.processes import READY_WITHIN_S, ROOT, Child, ProcessError, inherited

ACCOUNT: Final = "cmglocal"
LISTENING: Final = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (https?://\S+)")
REQUEST: Final = re.compile(r'"([A-Z]+) /' + ACCOUNT + r'/?([^ "]*)[^"]*" \d{3}')


def _program() -> list[str]:
    """Node and Azurite as dev.py installed them."""
    try:
        tools = json.loads((ROOT / ".dev" / "tools.json").read_text())
    except OSError as error:
        raise ProcessError("Azurite is not installed; `python3 dev.py up` installs it") from error
    return [tools["node"], tools["azurite"]]


def service_of(method: str, target: str) -> str:
    """Which service a line of the access log belongs to: `blob`, `queue` or `table`; `timer` for wake-due's looks.

    The log does not name it, but the paths tell: the only container is the host's own, entities carry parentheses or
    are posted, and the rest is about queues.
    """
    path, _, query = target.partition("?")
    if any(f"RowKey%20ge%20'{rows}:'" in query for rows in "arl"):
        return "timer"
    first, _, rest = path.partition("/")
    if first == "azure-webjobs-hosts" or "restype=container" in query:
        return "blob"
    if rest.startswith("messages"):
        return "queue"
    if "(" in path or method in ("POST", "PATCH", "MERGE") or first in ("Tables", "$batch"):
        return "table"
    return "queue"


def creates(method: str, target: str) -> bool:
    """Whether a request creates a queue or the table."""
    return (method, target) == ("POST", "Tables") or (method == "PUT" and "/" not in target and "?" not in target)


def count_transactions(log: str) -> Counter[str]:
    """The transactions of an access log by service; a batch is one, as Azure bills it.

    The first creation of each queue and table is `setup`, since it happens once in the life of an account.
    """
    counts: Counter[str] = Counter()
    created: set[str] = set()
    for method, target in REQUEST.findall(log):
        if creates(method, target) and target not in created:
            created.add(target)
            counts["setup"] += 1
        else:
            counts[service_of(method, target)] += 1
    return counts


def _tls(certificate: LeafCert | None, folder: Path) -> list[str]:
    """The options for TLS and tokens; the certificate's key lies in a file that only this user can read."""
    if certificate is None:
        return []
    key, chain = folder / "azurite.key", folder / "azurite.pem"
    key.touch(mode=0o600)
    certificate.private_key_pem.write_to_path(str(key), append=True)
    for part in certificate.cert_chain_pems:
        part.write_to_path(str(chain), append=True)
    return ["--cert", str(chain), "--key", str(key), "--oauth", "basic"]


class Azurite:
    """A running emulator on three free ports of loopback."""

    def __init__(self, child: Child, addresses: Mapping[str, str], key: str) -> None:
        self.child = child
        self.services = {service.lower(): f"{address}/{ACCOUNT}" for service, address in addresses.items()}
        """The addresses of `blob`, `queue` and `table` with the account."""
        protocol = self.services["queue"].partition(":")[0]
        endpoints = "".join(f"{service}Endpoint={address}/{ACCOUNT};" for service, address in addresses.items())
        self.connection = f"DefaultEndpointsProtocol={protocol};AccountName={ACCOUNT};AccountKey={key};{endpoints}"

    @classmethod
    async def start(
        cls,
        folder: Path,
        state: Path | None,
        environment: Mapping[str, str] | None = None,
        certificate: LeafCert | None = None,
    ) -> "Azurite":
        """Starts it with its data in memory, or in the state folder. Its access log goes to a file of `folder`.

        With a certificate for 127.0.0.1 it speaks TLS and takes tokens besides its key: it looks at a token's issuer,
        audience and time, not at its signature (its option `--oauth basic`).

        Raises:
            ProcessError: it is not installed, or does not start.
        """
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        data = ["--location", str(state / "azurite")] if state else ["--inMemoryPersistence"]
        ports = [argument for service in ("blob", "queue", "table") for argument in (f"--{service}Port", "0")]
        child = await Child.start(
            "Azurite",
            [*_program(), *ports, *data, *_tls(certificate, folder), "--skipApiVersionCheck", "--disableTelemetry"],
            folder / "azurite.log",
            {**(environment or inherited()), "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
            talks=False,
        )
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while len(addresses := dict(LISTENING.findall(child.log.read_text()))) < 3:
                    if not child.running:
                        raise await child.death()
                    await asyncio.sleep(0.02)
        except BaseException as error:
            await child.end()
            if isinstance(error, TimeoutError):
                raise ProcessError(f"Azurite was not ready within {READY_WITHIN_S:.0f} s\n{child.tail()}") from error
            raise
        return cls(child, addresses, key)

    def transactions(self) -> Counter[str]:
        """What it served until now, by service."""
        return count_transactions(self.child.log.read_text(errors="replace"))

"""Certificates in use: the authority of the simulated Azure names, and a server context for every certificate shown."""

import os
import secrets
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path

import certifi
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from local.azure.world import CertificateVersion

# The public cloud and its US Government twin. Vaults are names below `VAULT_ZONES`.
AZURE_HOSTS = (
    "login.microsoftonline.com",
    "management.azure.com",
    "login.microsoftonline.us",
    "management.usgovcloudapi.net",
)
VAULT_ZONES = ("vault.azure.net", "vault.usgovcloudapi.net")


def is_azure(host: str) -> bool:
    """Whether a host name (lower case) is one of those that the simulator stands for."""
    return host in AZURE_HOSTS or host.split(".", 1)[-1] in VAULT_ZONES


class ServerContexts:
    """TLS contexts for the proxy's server side; one context a certificate, made when first shown."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="Simulated Azure")
        self.azure = _server_context()
        self._authority.issue_cert(*AZURE_HOSTS, *(f"*.{zone}" for zone in VAULT_ZONES)).configure_cert(self.azure)
        self._gateways: dict[bytes, ssl.SSLContext] = {}
        self._hosts: dict[str, ssl.SSLContext] = {}

    def gateway(self, certificate: CertificateVersion) -> ssl.SSLContext:
        """The context that shows exactly this certificate and its chain."""
        context = self._gateways.get(certificate.leaf_der)
        if context is None:
            context = self._gateways[certificate.leaf_der] = _server_context()
            _load(context, certificate)
        return context

    def host(self, name: str) -> ssl.SSLContext:
        """The context of somebody's host, with a certificate that everybody trusts."""
        if name not in self._hosts:
            self._hosts[name] = _server_context()
            self._authority.issue_cert(name).configure_cert(self._hosts[name])
        return self._hosts[name]

    def write_bundle(self, path: Path, roots: Iterable[bytes]) -> None:
        """Writes the list of authorities to trust: certifi's, this proxy's, and `roots` (PEM)."""
        parts = [Path(certifi.where()).read_bytes(), self._authority.cert_pem.bytes(), *roots]
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(b"\n".join(parts))
        beside.replace(path)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # Clients here open a connection an attempt: tickets would cost two messages and be used by nobody.
    context.num_tickets = 0
    return context


def _load(context: ssl.SSLContext, certificate: CertificateVersion) -> None:
    # The ssl module reads keys from files only, so the key goes there encrypted, with a password that is forgotten.
    password = secrets.token_bytes(32).hex().encode()
    key = certificate.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "chain.pem")
        file.write_bytes(key + certificate.chain_pem)
        context.load_cert_chain(file, password=password)

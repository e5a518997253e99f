"""The GatewayDialer port: TLS to a gateway as a client does it, and one probe request without a token.

Nothing is verified here: a company's own certificate authority is not in the app's trust store, so steps compare the
leaf with the expected one and report the chain.
"""

import asyncio
import ssl
from base64 import b64encode
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from cmg_core.azure.public_dns import LONGEST_CHAIN
from cmg_core.domain.public_addresses import is_public
from cmg_core.services import Dialed, PublicDns

PATIENCE_SECONDS = 10.0
"""For everything together: connection, TLS and the probe's answer."""

type Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class DialFailed(Exception):
    """The gateway was not reached; the text tells a person how far the way led."""


class TlsDialer:
    """Dials through the proxy of the settings (which then resolves the name), else directly by public DNS."""

    def __init__(self, dns: PublicDns, probe_path: str, proxy: str = "", no_proxy: str = "") -> None:
        self._dns, self._probe_path, self._proxy, self._no_proxy = dns, probe_path, proxy, no_proxy

    async def dial(self, host: str, service_name: str) -> Dialed:
        dialed = Dialed()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await self._connect(host)
                try:
                    dialed = await _shown(host, service_name, writer)
                    return await _probed(dialed, service_name, self._probe_path, reader, writer)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            failure = f"{host} did not answer on port 443 within {PATIENCE_SECONDS:.0f} s"
        except DialFailed as error:
            failure = str(error)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            failure = f"the connection to {host} on port 443 failed: {_plain(error)}"
        return Dialed(leaf=dialed.leaf, chain=dialed.chain, failure=failure)

    async def _connect(self, host: str) -> Stream:
        """A connection to port 443 of ``host``, not yet secured."""
        if self._proxy and not is_exempt(host, self._no_proxy):
            return await through(self._proxy, host)
        return await asyncio.open_connection(await self._address(host), 443)

    async def _address(self, host: str) -> str:
        """An address that public DNS gives for ``host``; servers that know an alias only are asked on."""
        name = host
        for _ in range(LONGEST_CHAIN):
            views = await self._dns.views(name)
            if found := next((view.addresses[0] for view in views if view.addresses), None):
                if not is_public(found):
                    raise DialFailed(f"{name} has the address {found} in public DNS, which is none of the internet")
                return found
            alias = next((view.targets[-1] for view in views if view.targets), None)
            if alias is None:
                failures = "; ".join(f"{view.server}: {view.failure}" for view in views if view.failure)
                raise DialFailed(f"{name} has no address in public DNS{f' ({failures})' if failures else ''}")
            name = alias
        raise DialFailed(f"{host} leads from alias to alias without an end")


def is_exempt(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host, a domain above it, or everything (``*``)."""
    names = [name.strip().lower().lstrip(".") for name in no_proxy.split(",")]
    return any(name and (name == "*" or f".{host.lower()}".endswith(f".{name}")) for name in names)


async def through(proxy: str, host: str, port: int = 443) -> Stream:
    """A tunnel through a CONNECT proxy (RFC 9110, 9.3.6), which resolves ``host`` itself. Raises DialFailed."""
    parts = urlsplit(proxy)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"  # RFC 3986, 3.2.2: an IPv6 address
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request += f"Proxy-Authorization: Basic {b64encode(user.encode()).decode()}\r\n"
    try:
        writer.write(f"{request}\r\n".encode())
        status, text = status_of((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0])
        if status != 200:
            raise DialFailed(f"the proxy did not reach {host} on port {port}: it answered {status} {text}")
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def _shown(host: str, service_name: str, writer: asyncio.StreamWriter) -> Dialed:
    """The certificates that the gateway shows for the service name, unverified, leaf first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        await writer.start_tls(context, server_hostname=service_name)
    except (OSError, EOFError) as error:
        raise DialFailed(f"{host} made no TLS session for {service_name}: {_plain(error)}") from error
    session: ssl.SSLObject = writer.get_extra_info("ssl_object")
    return Dialed(leaf=session.getpeercert(True) or b"", chain=tuple(session.get_unverified_chain()))


async def _probed(
    dialed: Dialed, service_name: str, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Dialed:
    """What the gateway answers to the probe. Its status text tells who has answered."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {service_name}\r\nConnection: close\r\n\r\n".encode())
    status, text = status_of(await reader.readuntil(b"\r\n"))
    return replace(dialed, status=status, status_text=text)


def status_of(line: bytes) -> tuple[int, str]:
    """Code and text of a status line (RFC 9112, 4). Raises DialFailed for anything else."""
    version, _, rest = line.decode("latin-1").strip().partition(" ")
    code, _, text = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdecimal() and len(code) == 3):
        raise DialFailed(f"what answered speaks no HTTP/1.1: it began with {line[:40]!r}")
    return int(code), text


def _plain(error: Exception) -> str:
    """An error's text; end-of-stream errors have a poor one."""
    return "it was closed without an answer" if isinstance(error, EOFError) else str(error) or type(error).__name__

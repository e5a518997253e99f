"""Stands between the app and its storage, and keeps every byte that the app sends there."""

import asyncio
import base64
import binascii
import re
import zlib
from contextlib import suppress
from urllib.parse import urlsplit

ENDPOINT = re.compile(r"(?:Queue|Table)Endpoint=(http://[^;]+?)/")
BASE64 = re.compile(rb"[A-Za-z0-9+/]{20,}={0,2}")
CHUNK = 65536


class Recorder:
    """Relays connections to the queue and table services, one port for each."""

    def __init__(self) -> None:
        self._sent: list[bytearray] = []
        self._servers: list[asyncio.Server] = []

    async def put_before(self, connection_string: str) -> str:
        """The connection string that leads through this recorder."""
        for address in ENDPOINT.findall(connection_string):
            port = urlsplit(address).port
            assert port is not None
            through = await self._listen(port)
            connection_string = connection_string.replace(f"{address}/", f"http://127.0.0.1:{through}/")
        return connection_string

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    def text(self) -> str:
        """All that was sent, and once more all base64 in it decoded: messages, and the ledger's binary columns."""
        sent = b"\n".join(bytes(each) for each in self._sent)
        return "\n".join(part.decode(errors="replace") for part in (sent, *map(_decoded, BASE64.findall(sent))))

    async def _listen(self, port: int) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sent = bytearray()
            self._sent.append(sent)
            there, here = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_relay(reader, here, sent), _relay(there, writer, bytearray()))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])


async def _relay(source: asyncio.StreamReader, target: asyncio.StreamWriter, kept: bytearray) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            kept += data
            target.write(data)
            await target.drain()
    target.close()


def _decoded(text: bytes) -> bytes:
    """What base64 stands for, unpacked where the ledger compressed it; nothing for a word that only looks like it."""
    with suppress(binascii.Error):
        content = base64.b64decode(text)
        with suppress(zlib.error):
            return zlib.decompress(content)
        return content
    return b""

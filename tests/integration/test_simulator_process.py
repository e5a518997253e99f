"""The simulator as a process: its door, and Microsoft's own clients through its proxy."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

SAMPLE = json.loads(Path("samples/s07-own-domain-from-classic.json").read_text())
WORLD: dict[str, Any] = SAMPLE["world"]
SERVICE = "GraniteFalls.Contoso.Com"


@dataclass(frozen=True)
class Simulator:
    """What the process said when it was ready."""

    proxy: str
    ca: str
    sim: str
    dns: str
    identity_endpoint: str
    identity_header: str


@contextmanager
def simulator(folder: Path, *arguments: str) -> Iterator[Simulator]:
    """Runs the simulator with the sample's world; it must end cleanly on SIGTERM."""
    seed = folder / "world.json"
    seed.write_text(json.dumps(WORLD))
    command = [sys.executable, "-m", "local.azure", "--ca-out", str(folder / "ca.pem"), "--seed", str(seed)]
    with subprocess.Popen([*command, "--time-scale", "0.01", *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Simulator(**json.loads(process.stdout.readline()))
        finally:
            process.terminate()
            assert process.wait(timeout=30) == 0


async def _call(there: Simulator, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, there.sim + path, json=body) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text else None


def call(there: Simulator, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and JSON of a call at the door."""
    return asyncio.run(_call(there, method, path, body))


def test_the_door_shows_and_changes_the_world(tmp_path: Path) -> None:
    with simulator(tmp_path) as there:
        status, serving = call(there, "GET", f"/_sim/serving?name={SERVICE}")
        assert status == 200
        assert [record["type"] for record in serving["chain"]] == ["CNAME", "A"]
        assert serving["gateway"].endswith("/domainNames/GraniteFalls")
        assert serving["relays"] is True
        status, changed = call(there, "POST", "/_sim/site", {"remove_connection_point": "CP1"})
        assert (status, changed["connection_points"]) == (200, [])
        assert call(there, "GET", f"/_sim/serving?name={SERVICE}")[1]["relays"] is False
        assert call(there, "GET", "/_sim/serving?name=nothing.contoso.com")[1]["gateway"] is None
        state = call(there, "GET", "/_sim/state")[1]
        assert state["site"]["code"] == "GF1"
        assert any(entry["name"] == SERVICE.lower() for entry in state["dns_log"])
        assert call(there, "POST", "/_sim/scale", {"time_scale": 0.5}) == (200, {"time_scale": 0.5})
        assert call(there, "POST", "/_sim/faults", {"match": {"path": "/x"}, "action": {"status": 500}})[0] == 201
        assert call(there, "DELETE", "/_sim/faults")[0] == 204
        assert call(there, "POST", "/_sim/reset")[0] == 200
        assert call(there, "GET", "/_sim/state")[1]["site"] is None
        assert call(there, "POST", "/_sim/seed", WORLD)[0] == 200
        assert call(there, "GET", f"/_sim/serving?name={SERVICE}")[1]["relays"] is True


def test_the_world_outlives_the_process_but_its_keys_do_not(tmp_path: Path) -> None:
    state = tmp_path / "world.state"
    with simulator(tmp_path, "--state", str(state)) as there:
        call(there, "POST", "/_sim/site", {"remove_connection_point": "CP1"})
        before = call(there, "GET", f"/_sim/serving?name={SERVICE}")[1]
    assert b"PRIVATE KEY" not in state.read_bytes()
    with simulator(tmp_path, "--state", str(state)) as there:
        after = call(there, "GET", f"/_sim/serving?name={SERVICE}")[1]
    shown, shown_again = before.pop("certificate"), after.pop("certificate")
    assert before == after
    assert (shown["subject"], shown["not_after"]) == (shown_again["subject"], shown_again["not_after"])
    assert shown["thumbprint"] != shown_again["thumbprint"]


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("POST", "/_sim/site", {"remove_connection_point": "CP9"}, "no connection point on CP9"),
        ("POST", "/_sim/site", {"add_gateway": "x"}, "add_gateway"),
        ("POST", "/_sim/site", ["x"], "JSON object"),
        ("POST", "/_sim/scale", {"time_scale": -1}, "time_scale"),
        ("POST", "/_sim/scale", {"time_scale": "fast"}, "time_scale"),
        ("POST", "/_sim/clients/start", {"when": "now"}, "unknown: when"),
        ("GET", "/_sim/serving", None, "name"),
        ("GET", "/_sim/requests?since=x", None, "since"),
        ("POST", "/_sim/faults", {"action": {"status": "x"}}, ""),
        ("POST", "/_sim/seed", {"moons": 2}, ""),
    ],
)
def test_bad_input_at_the_door_is_a_problem(there: Simulator, method: str, path: str, body: object, text: str) -> None:
    status, problem = call(there, method, path, body)
    assert (status, problem["status"]) == (400, 400)
    assert text in problem["detail"]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator for all tests that change nothing."""
    with simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


def test_clients_go_out_and_come_back(there: Simulator) -> None:
    async def scene() -> None:
        assert (await _call(there, "POST", "/_sim/clients/start", {"begin_when_relaying": False}))[0] == 200
        assert (await _call(there, "POST", "/_sim/clients/start"))[0] == 409
        async with asyncio.timeout(30):
            while (await _call(there, "GET", "/_sim/clients"))[1]["attempts"] < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        status, report = await _call(there, "POST", "/_sim/clients/stop")
        assert (status, report["running"], report["failures"], report["longest_gap_s"]) == (200, False, 0, 0)
        assert report["attempts"] == sum(client["attempts"] for client in report["clients"])

    asyncio.run(scene())


SDK = """
import asyncio, json, os
from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.certificates.aio import CertificateClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient

def transport():
    return AioHttpTransport(session=ClientSession(trust_env=True, cookie_jar=DummyCookieJar(), auto_decompress=False,
        connector=TCPConnector(limit=0, keepalive_timeout=3)), session_owner=False)

async def main():
    async with ManagedIdentityCredential(transport=transport()) as credential:
        client = ResourceManagementClient(credential, os.environ["SUBSCRIPTION"], transport=transport())
        groups = [group.name async for group in client.resource_groups.list()]
        vault = CertificateClient(os.environ["VAULT"], credential, transport=transport())
        certificate = await vault.get_certificate("granitefalls")
        print(json.dumps({"groups": groups, "certificate": certificate.name, "cer": len(certificate.cer)}))

asyncio.run(main())
"""


def test_microsofts_clients_find_azure_behind_the_proxy(there: Simulator) -> None:
    vault = WORLD["key_vaults"][0]["id"].rsplit("/", 1)[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HTTPS_PROXY": there.proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": there.ca,
        "IDENTITY_ENDPOINT": there.identity_endpoint,
        "IDENTITY_HEADER": there.identity_header,
        "SUBSCRIPTION": WORLD["subscriptions"][0]["id"],
        "VAULT": f"https://{vault}.vault.azure.net",
    }
    done = subprocess.run(
        [sys.executable, "-c", SDK], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "rg-cmg-eastus" in found["groups"]
    assert found["certificate"] == "granitefalls"
    requests = call(there, "GET", "/_sim/requests?since=0")[1]["requests"]
    assert any(entry["request"]["path"].endswith("/resourcegroups") for entry in requests)
    assert "Bearer ey" not in json.dumps(requests)


def test_the_bundle_trusts_public_authorities_too(there: Simulator) -> None:
    context = ssl.create_default_context(cafile=there.ca)
    assert len(context.get_ca_certs()) > 50

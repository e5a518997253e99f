"""The app's services, wired from the environment alone, find Azure, DNS and gateways behind the simulator's proxy."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SAMPLE: dict[str, Any] = json.loads(Path("samples/s07-own-domain-from-classic.json").read_text())
REQUEST = SAMPLE["request"]

APP = """
import asyncio, json, sys
from cmg_core.domain.tenants import Tenant
from cmg_core.wiring import services

async def main(request):
    wired = services()
    tenant = Tenant(request["tenant_id"])
    azure = wired.azure(tenant, request["subscription_id"])
    service_name = request["old_gateway"]["service_name"]
    try:
        subscription, certificate, views, dialed, nowhere = await asyncio.gather(
            azure.subscription(),
            wired.vaults.certificate(tenant, request["certificate"]["vault"], request["certificate"]["name"]),
            wired.dns.views(service_name),
            wired.dialer.dial("granitefalls.cloudapp.net", service_name),
            wired.dialer.dial("nowhere.eastus.cloudapp.azure.com", service_name),
        )
    finally:
        await wired.aclose()
    print(json.dumps({
        "state": subscription["state"],
        "targets": views[0].targets,
        "addresses": len(views[0].addresses),
        "leaf_first": dialed.leaf == dialed.chain[0],
        "key_size": certificate.key_size,
        "chain": len(dialed.chain),
        "status": dialed.status,
        "text": dialed.status_text,
        "failures": [dialed.failure, nowhere.failure],
    }))

asyncio.run(main(json.loads(sys.argv[1])))
"""


def test_the_wired_services_reach_everything_through_the_proxy(tmp_path: Path, azurite: str) -> None:
    world = tmp_path / "world.json"
    world.write_text(json.dumps(SAMPLE["world"]))
    command = [sys.executable, "-m", "local.azure", "--ca-out", str(tmp_path / "ca.pem"), "--seed", str(world)]
    with subprocess.Popen([*command, "--time-scale", "0.01"], stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        try:
            there = json.loads(simulator.stdout.readline())
            done = subprocess.run(
                [sys.executable, "-W", "always::ResourceWarning", "-c", APP, json.dumps(REQUEST)],
                env={
                    "PATH": os.environ["PATH"],
                    "HTTPS_PROXY": there["proxy"],
                    "NO_PROXY": "127.0.0.1,localhost",
                    "SSL_CERT_FILE": there["ca"],
                    "IDENTITY_ENDPOINT": there["identity_endpoint"],
                    "IDENTITY_HEADER": there["identity_header"],
                    "CMG_DNS_SERVERS": there["dns"],
                    "CmgStorage": azurite,
                },
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            simulator.terminate()
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    refused = found["failures"].pop()
    assert refused.startswith("the proxy did not reach nowhere.eastus.cloudapp.azure.com on port 443")
    assert found.pop("text").startswith("CMGConnector_")
    assert found.pop("chain") >= 1
    assert found == {
        "state": "Enabled",
        "targets": ["granitefalls.cloudapp.net"],
        "addresses": 1,
        "leaf_first": True,
        "key_size": 2048,
        "status": 401,
        "failures": [""],
    }

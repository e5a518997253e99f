"""The simulated Azure as a process: `python -m local.azure --ca-out bundle.pem`.

Prints one line of JSON when everything listens (`proxy`, `ca`, `sim`, `dns`, `identity_endpoint`, `identity_header`)
and ends cleanly on SIGTERM.
"""

import argparse
import asyncio
import json
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from local.azure import state_file
from local.azure.clients_process import ClientsProcess
from local.azure.dns_server import DnsServer
from local.azure.door import door
from local.azure.proxy import Proxy
from local.azure.running import Running
from local.azure.seed import build_world
from local.azure.tls import ServerContexts

# Connection points look at their channel at intervals of a tenth of a second and more.
TICK_S = 0.05


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.azure", description=__doc__)
    for name in ("proxy", "door", "dns"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 (the default) takes a free port")
    parser.add_argument("--time-scale", type=float, default=1.0, help="how long Azure's operations take: 1 as in Azure")
    parser.add_argument("--seed", type=Path, help="the world to begin with, as JSON")
    parser.add_argument("--state", type=Path, help="keep the world in this file over a restart (it wins over --seed)")
    parser.add_argument("--also-trust", type=Path, help="one more authority for the bundle, as PEM")
    parser.add_argument("--ca-out", type=Path, required=True, help="where to write the bundle of authorities to trust")
    return parser.parse_args()


async def _main(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    now = datetime.now(UTC)
    if arguments.state and arguments.state.exists():
        world = state_file.load(arguments.state, now)
        world.time_scale = arguments.time_scale
    else:
        seed = json.loads(arguments.seed.read_text()) if arguments.seed else {}
        world = build_world(seed, time_scale=arguments.time_scale, now=now)
    running = Running(world)
    contexts = ServerContexts()
    others = [arguments.also_trust.read_bytes()] if arguments.also_trust else []

    def write_bundle() -> None:
        contexts.write_bundle(arguments.ca_out, [running.world.public_root_pem, *others])

    write_bundle()
    running.on_replaced = write_bundle
    proxy = Proxy(lambda: running.simulator, contexts, running.now)
    names = DnsServer(lambda: running.world, running.now)
    clients = ClientsProcess()
    runner = web.AppRunner(door(running, clients), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", arguments.door_port)
    await proxy.start(arguments.proxy_port)
    await names.start(arguments.dns_port)
    await site.start()
    running.proxy_port, running.dns_port = proxy.port, names.port
    sim = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(
        json.dumps(
            {
                "proxy": f"http://127.0.0.1:{proxy.port}",
                "ca": str(arguments.ca_out.absolute()),
                "sim": sim,
                "dns": f"127.0.0.1:{names.port}",
                "identity_endpoint": f"{sim}/msi/token",
                "identity_header": running.world.identity.header,
            }
        ),
        flush=True,
    )
    while not stop.is_set():
        running.advanced()
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await stop.wait()
    await clients.stop()
    await runner.cleanup()
    await proxy.stop()
    await names.stop()
    if arguments.state:
        state_file.save(running.world, arguments.state)


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))

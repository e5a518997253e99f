"""`python3 dev.py plan FILE`: the plan of a request in a made-up world: one process, no Azure, no storage, no host."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from cmg_core import calls
from cmg_core.domain.plans import Plan
from cmg_core.domain.requests import Request
from cmg_core.domain.validation import InvalidRequest, kind_of_request, read_request
from cmg_core.domain.values import Json, JsonObject
from cmg_core.plan_page import PlanPage, plan_page
from cmg_core.triggers.callbacks import CALLBACK_URL
from cmg_core.views import plan_view
from local.dev.arguments import duration, time_scale
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Tape
from local.sample import Expect, Sample


class Unreadable(Exception):
    """A file that cannot be read: the text says why and what to do."""


@dataclass(frozen=True)
class Asked:
    """What is planned: a request, the world that it is planned against, and how."""

    request: JsonObject
    world: JsonObject
    time_scale: float
    minimum_grace: timedelta


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan; the exit code."""
    options = _options(arguments)
    try:
        asked = _asked(options)
        body = {key: value for key, value in asked.request.items() if key != CALLBACK_URL}
        request = read_request(body, kind_of_request(body))
        plan, made_at = asyncio.run(_plan(asked, request))
    except Unreadable as error:
        print(f"dev.py plan: {error}", file=sys.stderr)
        return 2
    except InvalidRequest as error:
        print("dev.py plan: the request has mistakes, so no plan was made:", file=sys.stderr)
        for finding in error.findings:
            where = f"{finding.pointer}: " if finding.pointer else ""
            print(f"  {where}{finding.seen} {finding.cure} ({finding.code})", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(plan_view(plan, request).model_dump(mode="json"), ensure_ascii=False, indent=2))
    else:
        print(plan_page(PlanPage(request, plan, made_at)), end="")
    return 1 if plan.blocked_by else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py plan",
        description="Print the plan of a request as the page that POST /api/plans gives with Accept: text/markdown. "
        "It is made in one process against a simulated Azure that holds the file's world. Nothing is started, written "
        "or deployed. Change a sample's world or request and look what the plan finds.",
        epilog="Exit code 0 when the plan can be carried out, 1 when something stands against it (or the request has "
        "mistakes), 2 when a file cannot be read. "
        "Try: dev.py plan samples/s07-own-domain-from-classic.json > plan.md",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a sample (world and request): a file of samples/ (`dev.py demo --list`) or your own; or a request, with "
        "--world",
    )
    parser.add_argument(
        "--world", type=Path, metavar="FILE", help="the world to plan against: a world alone, or a sample that has one"
    )
    parser.add_argument("--json", action="store_true", help="the plan as JSON, as POST /api/plans gives it otherwise")
    parser.add_argument(
        "--time-scale",
        type=time_scale,
        default=0.01,
        metavar="FACTOR",
        help="how long operations take that run in the world: 1 as in Azure, 0.01 (the default) a hundredth of it",
    )
    parser.add_argument(
        "--minimum-grace",
        type=duration,
        default=timedelta(seconds=1),
        metavar="DURATION",
        help="the shortest grace period to allow: PT1S by default, as in the demo, since samples take seconds; P1D is "
        "the rule in Azure",
    )
    return parser.parse_args(arguments)


def _asked(options: argparse.Namespace) -> Asked:
    content = _read(options.file)
    request = content.get("request", content)
    source = options.world or options.file
    holder = _read(options.world) if options.world else content
    world = holder.get("world", holder if options.world else None)
    if isinstance(world, str):
        world = _read(source.parent / world)
    if not isinstance(world, dict) or not isinstance(request, dict):
        raise Unreadable(
            f"{source} holds no world to plan against. Give a sample (an object with `world` and `request`; "
            "docs/simulator.md says how to write one), or a request alone with --world and a sample that has a world."
        )
    return Asked(request, world, options.time_scale, options.minimum_grace)


def _read(file: Path) -> JsonObject:
    try:
        content: Json = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise Unreadable(f"{file} is no JSON: {error}.") from None
    if not isinstance(content, dict):
        raise Unreadable(f"{file} is no JSON object.")
    return content


async def _plan(asked: Asked, request: Request) -> tuple[Plan, datetime]:
    """The plan, made as POST /api/plans makes it. Raises Unreadable for a world that cannot be."""
    sample = Sample(about="", world=asked.world, request=asked.request, expect=Expect(outcome=""))
    settings = Settings(time_scale=asked.time_scale, minimum_grace=asked.minimum_grace)
    try:
        stage = InProcess(sample, Tape(), settings, begin=datetime.now(UTC))
    except (ValidationError, ValueError) as error:
        raise Unreadable(f"the world cannot be made: {error}") from None
    try:
        services = stage.wire(stage.clock)
        return await calls.make_plan(services, request), services.clock.now()
    finally:
        await stage.close()


if __name__ == "__main__":
    sys.exit(main())

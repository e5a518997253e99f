"""Each request that a page shows as JSON can be started: planned in Contoso's world, nothing stands against it.

Those in docs/itsm are recorded from the app (tests/itsm.py), those of commands are typed (test_typed_commands.py).
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cmg_core.domain.gates import GateName
from cmg_core.domain.requests import SHORTEST_GRACE
from cmg_core.domain.roles import needs
from local.dev.plan import main
from local.dev.processes import ROOT
from tests.unit.docs.commands import PAGES
from tests.unit.docs.shown_requests import requests_of

CONTOSO = ROOT / "samples" / "s07-own-domain-from-scale-set.json"
FIRST_GATEWAY = ROOT / "docs" / "first-gateway.md"
SHOWN = [(page, request) for page in PAGES for request in requests_of(page)]
GATE = re.compile(r"^ *\| `(?P<gate>[a-z-]+)` \|.*\| (?P<role>[^|]+) \|$", re.MULTILINE)


def world() -> dict[str, Any]:
    """Contoso's, with a certificate for a new name beside that for the old one."""
    world: dict[str, Any] = json.loads(CONTOSO.read_text())["world"]
    old = world["certificates"]["granitefalls"]
    world["certificates"]["evergreen"] = old | {
        "subject": "CN=Evergreen.Contoso.Com",
        "dns_names": ["Evergreen.Contoso.Com"],
    }
    world["key_vaults"][0]["certificates"].append({"name": "evergreen", "certificate": "evergreen"})
    return world


def planned(request: object, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    file, place = folder / "request.json", folder / "world.json"
    file.write_text(json.dumps(request))
    place.write_text(json.dumps(world()))
    shortest = f"PT{SHORTEST_GRACE.total_seconds():.0f}S"
    main([str(file), "--world", str(place), "--json", "--minimum-grace", shortest])
    told = capsys.readouterr()
    assert told.out, told.err
    plan: dict[str, Any] = json.loads(told.out)
    return plan


def test_pages_show_requests() -> None:
    assert FIRST_GATEWAY in [page for page, _ in SHOWN]


@pytest.mark.parametrize(("page", "request_shown"), SHOWN, ids=[page.stem for page, _ in SHOWN])
def test_nothing_stands_against_a_request_that_is_shown(
    page: Path, request_shown: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(request_shown, tmp_path, capsys)
    assert plan["can_start"], [each for each in plan["findings"] if each["severity"] in ("blocks", "unknown")]


def test_the_first_gateways_page_tells_of_every_gate_in_the_order_in_which_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {found["gate"]: found["role"] for found in GATE.finditer(FIRST_GATEWAY.read_text())}
    assert set(told) == set(GateName)
    (request,) = requests_of(FIRST_GATEWAY)
    gates = [gate["name"] for gate in planned(request, tmp_path, capsys)["gates"]]
    assert gates == [gate for gate in told if gate in gates]
    assert len(gates) == len(GateName) - 2  # the name is another, and no content is served
    for gate, role in told.items():
        assert role == "nobody" or needs("open-gate", gate).roles == {role}
    assert [gate for gate, role in told.items() if role == "nobody"] == [GateName.CNAME]  # only the app opens it


def test_the_first_gateways_page_opens_every_gate_that_people_open() -> None:
    """But the one that the request does not have, and the one that the app sees for itself."""
    opened = set(re.findall(r"/gates/([a-z-]+)\"", FIRST_GATEWAY.read_text()))
    assert opened == set(GateName) - {GateName.CNAME, GateName.CONTENT_READY, GateName.CONNECTION_POINT_CONNECTED}

"""The invariants of the architecture that only a whole story shows, each under its own name."""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from cmg_core.ledger import codec
from local.inprocess.harness import RunReport, run
from local.inprocess.tape import Fault, Harm, Port
from local.sample import load

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = load(ROOT / "samples" / "s07-own-domain-from-classic.json")
PURE = ("domain", "steps", "looks")
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time"), ("time", "monotonic")}


@cache
def undisturbed() -> RunReport:
    return run(SAMPLE)


def creations(report: RunReport) -> Counter[str]:
    """How often each resource was made: a PUT that Azure answered with 201."""
    return Counter(
        entry.request.path.lower()
        for entry in report.requests
        if entry.request.method == "PUT" and entry.response is not None and entry.response.status == 201
    )


def test_invariant_2_nothing_lost_every_accepted_request_reaches_its_end() -> None:
    report = undisturbed()
    assert report.outcome is Status.SUCCEEDED
    assert report.undone == () and report.poison == ()


def test_invariant_3_level_triggered_steps_put_nothing_twice_that_is_right() -> None:
    report = undisturbed()
    puts = Counter(entry.request.path.lower() for entry in report.requests if entry.request.method == "PUT")
    made = [
        path
        for path in puts
        if path.rsplit("/", 2)[-2] in ("virtualmachinescalesets", "loadbalancers", "virtualnetworks")
    ]
    assert len(made) == 3 and {puts[path] for path in made} == {1}


@pytest.mark.parametrize("harm", [Harm.CRASH_AFTER, Harm.LOST_ANSWER])
def test_invariant_3_a_scale_set_whose_answer_was_lost_is_adopted(harm: Harm) -> None:
    [put] = [
        call for call in undisturbed().calls if "PUT" in call.name and "virtualmachinescalesets" in call.name.lower()
    ]
    report = run(SAMPLE, Fault(put.number, harm))
    assert report.outcome is Status.SUCCEEDED and report.tally.failures == 0
    scale_sets = [path for path in creations(report) if "/virtualmachinescalesets/" in path]
    assert len(scale_sets) == 1 and creations(report)[scale_sets[0]] == 1


def test_invariant_4_what_was_deleted_is_what_the_plan_named() -> None:
    report = undisturbed()
    plan = report.record.state.plan
    assert plan is not None
    assert report.deleted == {part.id.lower() for part in plan.delete}
    deletes = {entry.request.path.lower() for entry in report.requests if entry.request.method == "DELETE"}
    assert deletes == report.deleted


def test_invariant_6_secrets_stay_where_they_are() -> None:
    report = undisturbed()
    told = json.dumps(codec.created_columns(report.record), default=lambda raw: raw.decode())
    told += repr(report.events) + repr(report.errors)
    told += "".join(
        entry.request.body.decode(errors="replace") + repr(sorted(entry.request.headers.items()))
        for entry in report.requests
    )
    assert "PRIVATE KEY" not in told and "Bearer ey" not in told
    assert not re.search(r'"(adminPassword|protectedSettings)": *"(?!\*)', told)
    asked_of_vaults = [entry.request.path for entry in report.requests if ".vault." in entry.request.host]
    assert asked_of_vaults and all(path.startswith("/certificates/") for path in asked_of_vaults)


@pytest.mark.parametrize("folder", PURE)
def test_invariant_7_time_is_data_pure_code_never_asks_for_now(folder: str) -> None:
    for file in (ROOT / "cmg_core" / folder).rglob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        asked = {
            (call.value.id, call.attr)
            for call in calls
            if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)
        }
        assert not asked & CLOCKS, f"{file} asks for now"


def test_ledger_messages_and_azure_are_reached_only_through_their_ports() -> None:
    assert {call.port for call in undisturbed().calls} == {*Port} - {Port.POST}, "nobody listens in this story"

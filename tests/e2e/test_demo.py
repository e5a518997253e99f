"""`python3 dev.py demo --json` for each sample, as users start it: one JSON object that keeps the report's contract."""

import ipaddress
import os
import subprocess
import sys
from dataclasses import dataclass
from uuid import UUID

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import BaseModel, ConfigDict

from local.dev.processes import ROOT
from tests.collector import Posted, facts_of, spans_in, taking

LONGEST_S = 180
TOLD_OF = "s07-own-domain-from-scale-set"
"""The sample whose telemetry goes to a collector."""


class Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Step(Part):
    name: str
    outcome: str
    started_at: float
    ended_at: float
    attempts: int
    azure_calls: int


class Dns(Part):
    name: str
    before: str | None
    after: str


class Resources(Part):
    created: list[str]
    kept: list[str]
    deleted: list[str]


class AzureCalls(Part):
    total: int
    by_method: dict[str, int]


class Storage(Part):
    model_config = ConfigDict(strict=True, extra="allow")

    total: int
    queue: int
    table: int
    idle_polls: int


class Gate(Part):
    name: str
    opened_by: str
    at: str


class Clients(Part):
    attempts: int
    failures: int
    longest_gap_s: float
    foretold_gap_s: float


class Report(Part):
    """The contract of docs/architecture.md, to the letter."""

    outcome: str
    deployment_id: str
    problem: None
    steps: list[Step]
    dns: Dns
    resources: Resources
    azure_calls: AzureCalls
    storage_transactions: Storage
    gates: list[Gate]
    synthetic_client: Clients
    wall_seconds: float
    critical_path_seconds: float


@dataclass(frozen=True)
class Wanted:
    """What a sample must come to. IDs are given by their ends."""

    name: str
    before: str | None
    after: str
    gates: tuple[str, ...]
    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


CONTOSO = "GraniteFalls.Contoso.Com"
MAKING = (
    "preflight",
    "register-providers",
    "fetch-certificate",
    "provision-network",
    "provision-scale-set",
    "verify-gateway",
    "cut-over",
)
MOVING = (
    "connection-point-connected",
    "ready-to-cut-over",
    "cname",
    "inside-dns",
    "site-record-removed",
    "connection-point-removed",
)
CLASSIC = "rg-granitefalls-classic/providers/"
OLDER = "rg-granitefalls-2021/providers/"
VAULT = "rg-cmg-eastus/providers/Microsoft.KeyVault/vaults/kv-cmg-contoso"
SAMPLES = {
    "s07-own-domain-from-classic": Wanted(
        CONTOSO,
        "granitefalls.cloudapp.net",
        "granitefalls.eastus.cloudapp.azure.com",
        MOVING,
        deleted=(f"{CLASSIC}Microsoft.ClassicCompute/domainNames/GraniteFalls",),
        kept=(f"{CLASSIC}Microsoft.Storage/storageAccounts/granitefalls", VAULT),
    ),
    "s07-own-domain-from-scale-set": Wanted(
        CONTOSO,
        "granitefalls.eastus.cloudapp.azure.com",
        "granitefalls2.eastus.cloudapp.azure.com",
        MOVING,
        deleted=(
            f"{OLDER}Microsoft.Compute/virtualMachineScaleSets/granitefalls",
            f"{OLDER}Microsoft.Network/loadBalancers/granitefalls-lb",
            f"{OLDER}Microsoft.Network/networkSecurityGroups/granitefalls-nsg",
            f"{OLDER}Microsoft.Network/publicIPAddresses/granitefalls-ip",
            f"{OLDER}Microsoft.Network/virtualNetworks/granitefalls-vnet",
        ),
        kept=(f"{OLDER}Microsoft.Storage/storageAccounts/granitefalls", VAULT),
    ),
    "new-own-domain": Wanted(
        CONTOSO,
        None,
        "granitefalls.eastus.cloudapp.azure.com",
        ("cname", "connection-point-connected"),
        kept=(VAULT,),
    ),
    "s03-new-region-name": Wanted(
        "GraniteFalls.EastUS.CloudApp.Azure.Com",
        None,
        "",
        ("connection-point-connected",),
        kept=(VAULT,),
    ),
}
"""A region's own name has an address of chance in place of a CNAME: «after» is empty there."""


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_demo_keeps_its_promise_and_the_reports_contract(sample: str) -> None:
    wanted = SAMPLES[sample]
    # The default sample needs no name.
    file = [] if sample == next(iter(SAMPLES)) else ["--file", f"samples/{sample}.json"]
    with taking() as (address, posted):
        done = subprocess.run(
            [sys.executable, "dev.py", "demo", "--json", *file],
            cwd=ROOT,
            env=os.environ | ({"OTEL_EXPORTER_OTLP_ENDPOINT": address} if sample == TOLD_OF else {}),
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
    assert done.returncode == 0, done.stderr
    report = Report.model_validate_json(done.stdout)
    assert bool(posted) is (sample == TOLD_OF)
    if posted:
        assert wrong_with_the_trace(posted, report) == []

    assert report.outcome == "succeeded"
    is_migration = len(wanted.deleted) > 0
    names = (*MAKING, "retire-old-gateway") if is_migration else MAKING
    assert [(step.name, step.outcome) for step in report.steps] == [(name, "done") for name in names]
    moments = [moment for step in report.steps for moment in (step.started_at, step.ended_at)]
    assert moments == sorted(moments)
    assert moments[0] > 0 and moments[-1] < report.wall_seconds
    assert all(step.attempts >= 1 for step in report.steps)

    assert (report.dns.name, report.dns.before) == (wanted.name, wanted.before)
    assert report.dns.after == wanted.after or (not wanted.after and ipaddress.ip_address(report.dns.after))
    assert ends(report.resources.deleted) == {id.lower() for id in wanted.deleted}
    assert {id.lower() for id in wanted.kept} <= ends(report.resources.kept)
    assert len(report.resources.created) == 5
    assert [gate.opened_by != "" and gate.name for gate in report.gates] == list(wanted.gates)

    clients = report.synthetic_client
    assert clients.attempts >= 200
    assert (clients.failures, clients.longest_gap_s, clients.foretold_gap_s) == (0, 0, 0)
    assert report.azure_calls.total == sum(report.azure_calls.by_method.values())
    assert report.azure_calls.by_method["PUT"] >= 5
    storage = report.storage_transactions
    assert storage.total == storage.queue + storage.table
    assert 0 < report.critical_path_seconds < report.wall_seconds


def wrong_with_the_trace(posted: Posted, report: Report) -> list[str]:
    """What is not as it must be in what the collector was sent."""
    spans = spans_in(posted)
    given = {span.span_id for span in spans}
    calls = [span for span in spans if facts_of(span).get("cmg.service") == "resource-manager"]
    everything = b"".join(body for _, body in posted)
    told = {
        "another trace": {span.trace_id for span in spans} != {UUID(report.deployment_id).bytes},
        "not one root": [span.name for span in spans if not span.parent_span_id] != ["deployment"],
        "an ID twice": len(given) < len(spans),
        "an orphan": any(span.parent_span_id and span.parent_span_id not in given for span in spans),
        "a link to nowhere": any(link.span_id not in given for span in spans for link in span.links),
        "a step without a run": {name.removeprefix("run ") for name in map(_name, spans) if name.startswith("run ")}
        != {step.name for step in report.steps},
        f"{len(calls)} of {report.azure_calls.total} calls": len(calls) != report.azure_calls.total,
        "a secret": any(
            word in everything for word in (b"AccountKey", b"SharedKey", b"Bearer", b"eyJ", b"api-version")
        ),
    }
    return [what for what, is_so in told.items() if is_so]


def _name(span: Span) -> str:
    return str(span.name)


def ends(ids: list[str]) -> set[str]:
    """Resource IDs from the group's name on, in lower case."""
    return {id.lower().partition("/resourcegroups/")[2] for id in ids}


def test_a_sample_that_cannot_be_read_is_told_apart_from_one_that_fails() -> None:
    done = subprocess.run(
        [sys.executable, "dev.py", "demo", "--json", "--file", "samples/none.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.json" in done.stderr

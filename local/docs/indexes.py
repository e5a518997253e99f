"""Short pages to look things up in: findings and gates."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter

from cmg_core.domain.cases import Case
from cmg_core.domain.gates import Gate, GateName
from cmg_core.domain.makers import ABOUT
from cmg_core.domain.plans import Names
from cmg_core.domain.procedure import connection_ports, gates_of
from cmg_core.domain.requests import DeploymentRequest, MigrationRequest, Request, RetirementRequest
from cmg_core.domain.values import JsonObject
from local.dev.processes import ROOT
from local.docs.tables import cell, row, table

FINDINGS = ROOT / "cmg_core" / "description" / "findings.md"
_FINDINGS_HEAD = """# Findings at a glance

Made from [findings](../findings.md), which a test compares with the code. *For whom*: the values of `provisioned_by`
that a finding is about; all where nothing stands.

"""
_SECTION = re.compile(
    r"^### (?P<code>[a-z0-9-]+)\n(?P<weighs>\*[^\n]*?\*)[,:] (?P<where>.+?)\.?\n\*\*Seen", re.M | re.S
)

_GATES_HEAD = """# Gates

Made from `cmg_core/domain/procedure.py`, for the samples' gateway. A plan lists its own gates with its own names;
[procedures](../procedures.md) says why they come in this order. A deployment that waits says so in `waits_for`;
`POST /api/deployments/{id}/gates/{gate}` with `by` and `reason` opens it ([open-gate](api.md#open-gate)).

*early*: it may be opened before the deployment waits there.

## Which gates a case has

"""


def findings_page() -> str:
    """Every finding with what it weighs, where it is looked for, and whom it is about."""
    rows = [
        row(
            f"[`{found['code']}`](../findings.md#{found['code']})",
            found["weighs"],
            cell(found["where"]),
            ", ".join(f"`{maker}`" for maker in ABOUT.get(found["code"], ())),
        )
        for found in _SECTION.finditer(FINDINGS.read_text(encoding="utf-8"))
    ]
    return _FINDINGS_HEAD + table(("code", "weighs", "where it is looked for", "for whom"), rows)


@dataclass(frozen=True)
class Asked:
    """A request that stands for its case."""

    case: Case
    about: str
    request: Request
    names: Names


_OWN, _CLASSIC = "granitefalls.contoso.com", "granitefalls.cloudapp.net"
_NAMES = Names(service_name=_OWN, label="granitefalls", deployment_name="granitefalls.eastus.cloudapp.azure.com")
_SUBSCRIPTION = "5ab5c1b3-0000-4000-8000-000000000001"
_ZONE = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com"
_NEW = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/rg-cmg/providers/Microsoft.Compute/virtualMachineScaleSets/new"
_COMMON: JsonObject = {
    "provisioned_by": "site",
    "subscription_id": _SUBSCRIPTION,
    "tenant_id": "0f1e2d3c-0000-4000-8000-00000000c0de",
    "resource_group": "rg-cmg-eastus",
    "region": "eastus",
    "certificate": {"vault": "https://kv-cmg-contoso.vault.azure.net", "name": "granitefalls"},
    "dns": {"zone_id": _ZONE},
    "gates": {"approval": True},
}
_CLIENTS: JsonObject = {"gates": {"approval": True, "clients-moved": {"share": 0.98}}}


def _old(name: str, *, gone: bool = False) -> JsonObject:
    id = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/rg-old/providers/Microsoft.ClassicCompute/domainNames/old"
    return {"old_gateway": {"resource_id": id, "service_name": name, "serves_content": True, "gone": gone}}


def asked() -> tuple[Asked, ...]:
    """A request for each case, with every gate that one can ask for."""
    migration, deployment, retirement = (
        TypeAdapter[Request](kind) for kind in (MigrationRequest, DeploymentRequest, RetirementRequest)
    )
    same, other, gone = (_COMMON | _CLIENTS | _old(_OWN, gone=gone) for gone in (False, False, True))
    other |= _old(_CLASSIC)
    standing: JsonObject = {"provisioned_by": "existing", "new_gateway": {"resource_id": _NEW}, "kind": "retirement"}
    return tuple(
        Asked(case, about, kind.validate_python(body), _NAMES)
        for case, about, kind, body in (
            (Case.GAP_CLOSED, "same name, the gap closed beforehand", migration, same),
            (Case.GAP_CLOSED, "same name, in a zone of others", migration, same | {"dns": None}),
            (Case.GAP_ACCEPTED, "same name, with a gap that was accepted", migration, same | {"accept_gap": "PT2H"}),
            (Case.SAME_NAME_ALONE, "same name, the old gateway gone", migration, gone),
            (Case.NEW_NAME, "another name", migration, other),
            (Case.NEW_DEPLOYMENT, "a new deployment", deployment, _COMMON),
            (Case.RETIREMENT, "retire only", retirement, other | standing | {"dns": None}),
        )
    )


def gates_page() -> str:
    """Each gate with who opens it, in which cases it stands, and what it asks."""
    cases = [(each, gates_of(each.request, each.names, connection_ports(2))) for each in asked()]
    order = [row(each.about, ", ".join(f"[`{gate.name}`](#{gate.name})" for gate in gates)) for each, gates in cases]
    told = "".join(
        _gate(name, [(each.about, gate) for each, gates in cases for gate in gates if gate.name is name])
        for name in GateName
    )
    wanted = "`approval` and `clients-moved` only where they are asked for, `gateway-created` only with `site`, "
    rest = "`content-ready` only with `old_gateway.serves_content`, `cname` and `inside-dns` only in an own domain.\n\n"
    return f"{_GATES_HEAD}{table(('case', 'gates, in order'), order)}{wanted}{rest}{told}"


def _gate(name: GateName, found: Iterable[tuple[str, Gate]]) -> str:
    """One gate; where it asks for different things, case by case."""
    texts: dict[str, list[str]] = {}
    openers: set[str] = set()
    for about, gate in found:
        texts.setdefault(gate.what_to_do, []).append(about)
        openers.add(f"opened by: {gate.opener}{', early' if gate.early else ''}")
    rows = [row("; ".join(abouts), cell(text)) for text, abouts in texts.items()]
    asks = table(("case", "what to do"), rows) if len(rows) > 1 else f"{cell(*texts)}\n\n"
    return f"## {name} {{#{name}}}\n\n*{'; '.join(sorted(openers))}*\n\n{asks}"

"""The report of a demo, as docs/simulator.md describes it, and what a sample's expectation says of it."""

from dataclasses import dataclass
from datetime import datetime

from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at
from local.azure.messages import is_change
from local.demo.display import Display
from local.demo.story import short
from local.sample import Expect

TOP_LEVEL = 9
"""Parts of «/subscriptions/S/resourceGroups/G/providers/N/type/name», the empty one before the first slash included."""
LOOK = "POST (look)"
"""How a call by POST is counted that changes nothing."""
READS = {"GET", "HEAD", LOOK}
RESOURCE_MANAGERS = ("management.azure.com", "management.usgovcloudapi.net")
PROOF = (
    "Real in this run: the app, Microsoft's worker library, queues and table, DNS answers, TLS handshakes. Simulated: "
    "Azure, the site, its connection points and clients, and how long Azure takes (docs/simulator.md)."
)


@dataclass(frozen=True)
class Watched:
    """Everything that was seen of one run."""

    deployment: JsonObject
    before: JsonObject
    """``GET /_sim/state`` before the request."""
    after: JsonObject
    serving_before: JsonObject
    serving_after: JsonObject
    requests: JsonObject
    clients: JsonObject
    storage: dict[str, int]
    wall_seconds: float
    ended_at: datetime
    """When those seconds were over."""

    def second_of(self, moment: str) -> float | None:
        """A moment as the second of this run; None for none."""
        if not moment:
            return None
        return round(self.wall_seconds - (self.ended_at - datetime.fromisoformat(moment)).total_seconds(), 3)


def make_report(watched: Watched) -> JsonObject:
    """The report on one run, ready for JSON."""
    deployment = watched.deployment
    calls = [entry for entry in objects_at(watched.requests, "requests") if _is_resource_manager_call(entry)]
    before, after = _ids(watched.before), _ids(watched.after)
    methods = [_method(call) for call in calls]
    return {
        "outcome": deployment["status"],
        "deployment_id": deployment["id"],
        "problem": deployment["problem"],
        "steps": [_step(line, calls, watched) for line in objects_at(deployment, "steps")],
        "dns": {
            "name": text_at(watched.serving_before, "name"),
            "before": _target(watched.serving_before),
            "after": _target(watched.serving_after),
        },
        "resources": {
            "created": [id for key, id in after.items() if key not in before],
            "kept": [id for key, id in before.items() if key in after],
            "deleted": [id for key, id in before.items() if key not in after],
        },
        "azure_calls": {"total": len(calls), "by_method": {name: methods.count(name) for name in sorted(set(methods))}},
        "storage_transactions": dict(watched.storage),
        "gates": [
            {"name": gate["name"], "opened_by": gate["opened_by"], "at": gate["opened_at"]}
            for gate in objects_at(deployment, "gates")
        ],
        "synthetic_client": {
            "attempts": at(watched.clients, "attempts"),
            "failures": at(watched.clients, "failures"),
            "longest_gap_s": at(watched.clients, "longest_gap_s"),
            "foretold_gap_s": at(deployment, "foretold_gap_s"),
        },
        "wall_seconds": round(watched.wall_seconds, 1),
        "critical_path_seconds": at(watched.after, "critical_path_seconds"),
    }


def failures_of(expect: Expect, report: JsonObject, deployment: JsonObject) -> list[str]:
    """Where a run is not what its sample expects."""
    failures = []
    if report["outcome"] != expect.outcome:
        failures.append(f"outcome {report['outcome']} instead of {expect.outcome}")
    created, deleted, kept = (_lower(at(report, "resources", kind)) for kind in ("created", "deleted", "kept"))
    for wanted, found, what in ((expect.deleted, deleted, "deleted"), (expect.created, created, "created")):
        if wanted is not None and found != {id.lower() for id in wanted}:
            failures.append(f"{what} were {sorted(found)}")
    methods = at(report, "azure_calls", "by_method")
    if expect.untouched and isinstance(methods, dict) and methods.keys() - READS:
        failures.append(f"Resource Manager saw {methods}, where nothing was to be written")
    failures += [f"{id} was not kept" for id in expect.kept if id.lower() not in kept]
    codes = {text_at(finding, "code") for finding in objects_at(deployment, "findings")}
    failures += [f"the finding {code} is missing" for code in expect.findings if code not in codes]
    attempts, gap = at(report, "synthetic_client", "attempts"), at(report, "synthetic_client", "longest_gap_s")
    if expect.outcome in ("succeeded", "rolled-back") and not (
        isinstance(attempts, int) and attempts >= expect.attempts
    ):
        failures.append(f"the synthetic clients made {attempts} attempts, fewer than {expect.attempts}")
    allowed = expect.gap_within.total_seconds() if expect.gap_within else 0.0
    if at(report, "synthetic_client", "failures") and not (isinstance(gap, int | float) and 0 < gap <= allowed):
        failures.append(f"synthetic clients found no gateway for {gap} s")
    return failures


def print_report(display: Display, report: JsonObject, deployment: JsonObject) -> None:
    """The report for a person."""
    display.title(f"The end: {report['outcome']}")
    dns = report["dns"]
    display.plain(f"  {text_at(dns, 'name')}")
    display.plain(f"    before  {text_at(dns, 'before') or 'led nowhere'}")
    display.plain(f"    after   {text_at(dns, 'after') or 'leads nowhere'}")
    for title, kind in (("made", "created"), ("removed", "deleted"), ("kept", "kept")):
        listed = at(report, "resources", kind)
        display.plain(f"  {title}")
        for id in listed if isinstance(listed, list) and listed else ["nothing"]:
            display.plain(f"    {short(str(id))}")
    display.plain("  Resource Manager calls")
    for step in objects_at(report, "steps"):
        display.plain(f"    {step['name']!s:22} {step['outcome']!s:8} {step['azure_calls']!s:>3}")
    display.plain(
        f"    all together {at(report, 'azure_calls', 'total')}; "
        f"{at(report, 'storage_transactions', 'total')} storage transactions; {report['wall_seconds']} s"
    )
    display.plain()
    display.plain(f"  {_clients(report['synthetic_client'])}", "bold")
    display.plain(f"  {PROOF}")


def _clients(tally: Json) -> str:
    attempts, failures = at(tally, "attempts"), at(tally, "failures")
    if not attempts:
        return "The clients dialed no gateway."
    if not failures:
        return f"The clients dialed {attempts} times, and a gateway relayed every time."
    return (
        f"The clients dialed {attempts} times; {failures} times no gateway relayed, "
        f"for {at(tally, 'longest_gap_s')} s at the longest."
    )


def _is_resource_manager_call(entry: JsonObject) -> bool:
    return text_at(entry, "request", "host") in RESOURCE_MANAGERS


def _method(entry: JsonObject) -> str:
    method, path = text_at(entry, "request", "method"), text_at(entry, "request", "path")
    return LOOK if method == "POST" and not is_change(method, path) else method


def _step(line: JsonObject, calls: list[JsonObject], watched: Watched) -> JsonObject:
    """One step's line, with the Resource Manager calls that went out while it was at work."""
    began, ended = text_at(line, "started_at"), text_at(line, "ended_at")
    within: list[JsonObject] = []
    if began and ended:
        first, last = datetime.fromisoformat(began), datetime.fromisoformat(ended)
        within = [call for call in calls if first <= datetime.fromisoformat(text_at(call, "at")) <= last]
    return {
        "name": line["name"],
        "outcome": line["outcome"],
        "started_at": watched.second_of(began),
        "ended_at": watched.second_of(ended),
        "attempts": line["attempts"],
        "azure_calls": len(within),
    }


def _target(serving: JsonObject) -> str | None:
    """Where the name's own CNAME leads, or its address where it has none."""
    name = text_at(serving, "name").lower()
    for link in objects_at(serving, "chain"):
        if text_at(link, "owner").rstrip(".").lower() == name:
            return text_at(link, "value")
    return None


def _ids(state: JsonObject) -> dict[str, str]:
    """The resources of a world without their inner parts: lower-case ID to ID."""
    found = state.get("resources")
    return {id.lower(): id for id in found if len(id.split("/")) == TOP_LEVEL} if isinstance(found, dict) else {}


def _lower(ids: Json) -> set[str]:
    return {str(id).lower() for id in ids} if isinstance(ids, list) else set()

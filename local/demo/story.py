"""Tells a watching person what changes from one look at the deployment to the next."""

from datetime import UTC, datetime

from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at
from local.demo.display import Display

SEVERITIES = {"tells": "note", "warns": "warning", "blocks": "stands against it", "unknown": "could not be seen"}


class Story:
    """Remembers what was told, so that each thing is told once."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._told: set[str] = set()
        self._served = ""

    def world(self, serving: JsonObject) -> None:
        """Who serves clients before anything happens."""
        self._served = _serves(serving)
        self._display.plain(f"  clients dial {text_at(serving, 'name')}")
        for link in objects_at(serving, "chain"):
            self._display.plain(f"    {link['owner']}  {link['type']} {link['value']}  (TTL {link['ttl']} s)")
        if at(serving, "gateway"):
            self._display.plain(f"    served by {short(text_at(serving, 'gateway'))}")
            self._display.plain(f"    certificate {text_at(serving, 'certificate', 'subject')}, {_relaying(serving)}")
        else:
            self._display.plain("    no gateway serves this name yet")

    def serving(self, serving: JsonObject) -> None:
        """Tell when the name leads elsewhere, or when a gateway begins or stops to relay under it."""
        now = _serves(serving)
        if now != self._served:
            self._display.line(f"⇄ {text_at(serving, 'name')} now leads to {now}", "magenta")
            self._served = now

    def tell(self, deployment: JsonObject) -> None:
        """Tell what is new in a deployment."""
        self._plan(deployment)
        for gate in objects_at(deployment, "gates"):
            self._gate(gate)
        for id in _texts(at(deployment, "resources", "made")):
            self._once(f"made {id}", f"+ made {short(id)}")
        for id in _texts(at(deployment, "resources", "deleted")):
            self._once(f"deleted {id}", f"- removed {short(id)}", "red")
        for step in objects_at(deployment, "steps"):
            name, outcome = text_at(step, "name"), text_at(step, "outcome")
            if outcome == "done":
                self._once(f"{name} done", f"✔ {name}", "green")
            elif outcome == "failed":
                self._once(f"{name} failed", f"✘ {name}", "red")
        if left := _grace_left(deployment):
            self._once("grace", f"the grace period begins: for {left} more everything of the old gateway stays", "cyan")
        if problem := text_at(deployment, "problem", "title"):
            self._once("problem", f"✘ {problem}: {text_at(deployment, 'problem', 'detail')}", "red")
            for finding in objects_at(deployment, "problem", "findings"):
                self._finding(finding)
        self._moving(deployment)

    def _gate(self, gate: JsonObject) -> None:
        name = text_at(gate, "name")
        if at(gate, "asked_at") and not at(gate, "opened_at"):
            self._once(f"{name} asked", f"… gate {name} waits. {text_at(gate, 'what_to_do')}", "yellow")
        if at(gate, "opened_at"):
            by = text_at(gate, "opened_by")
            who = "the app, which sees" if by == "observation" else by
            self._once(f"{name} open", f"→ gate {name} opened by {who}: {text_at(gate, 'reason')}")

    def _plan(self, deployment: JsonObject) -> None:
        names = at(deployment, "names")
        if names is None or "plan" in self._told:
            return
        self._told.add("plan")
        self._display.line(f"the plan: {text_at(names, 'service_name')} on {text_at(names, 'deployment_name')}")
        for id in _texts(at(deployment, "resources", "to_delete")):
            self._display.line(f"will be removed in the end: {short(id)}", indent=4)
        for finding in objects_at(deployment, "findings"):
            self._finding(finding)

    def _finding(self, finding: JsonObject) -> None:
        """A finding, once, whether plan or refusal shows it."""
        seen = text_at(finding, "seen")
        key = f"finding {text_at(finding, 'code')} {seen}"
        if key not in self._told:
            self._told.add(key)
            severity = SEVERITIES[text_at(finding, "severity")]
            self._display.line(f"{severity}: {seen} {text_at(finding, 'cure')}", indent=4)

    def _moving(self, deployment: JsonObject) -> None:
        left = _grace_left(deployment)
        reason = f"grace period, {left} left" if left else text_at(deployment, "waits_for", "reason")
        self._display.moving(f"{text_at(deployment, 'step')} ({text_at(deployment, 'status')}) {reason}")

    def _once(self, key: str, text: str, style: str = "") -> None:
        if key not in self._told:
            self._told.add(key)
            self._display.line(text, style)


def short(resource_id: str) -> str:
    """A resource ID for the eye: its types and names, and its group."""
    _, _, within = resource_id.partition("/resourceGroups/")
    group, _, resource = within.partition("/providers/")
    return f"{resource.partition('/')[2]} in {group}" if resource else resource_id


def _grace_left(deployment: JsonObject) -> str:
    """How long the grace period still runs, empty where none does."""
    ends = text_at(deployment, "grace", "ends_at")
    left = (datetime.fromisoformat(ends) - datetime.now(UTC)).total_seconds() if ends else 0.0
    return f"{left:.0f} s" if left > 0 else ""


def _serves(serving: JsonObject) -> str:
    chain = " → ".join(str(link["value"]) for link in objects_at(serving, "chain")) or "nowhere"
    return f"{chain} ({_relaying(serving)})"


def _relaying(serving: JsonObject) -> str:
    return "relays" if at(serving, "relays") is True else "does not relay"


def _texts(found: Json) -> list[str]:
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []

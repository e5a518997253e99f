"""Tells a watching person what changes from one look at the deployment to the next."""

from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at
from local.demo.display import Display


class Story:
    """Remembers what was told, so that each thing is told once."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._told: set[str] = set()
        self._served = ""

    def world(self, serving: JsonObject) -> None:
        """Who serves clients before anything happens."""
        self._served = _serves(serving)
        self._display.plain(f"  {text_at(serving, 'name')}")
        for link in objects_at(serving, "chain"):
            self._display.plain(f"    {link['owner']}  {link['type']} {link['value']}  (TTL {link['ttl']} s)")
        if at(serving, "gateway"):
            self._display.plain(f"    served by {text_at(serving, 'gateway')}")
            self._display.plain(f"    certificate {text_at(serving, 'certificate', 'subject')}, {_relaying(serving)}")
        else:
            self._display.plain("    no gateway serves this name yet")

    def serving(self, serving: JsonObject) -> None:
        """Tell when the name leads elsewhere, or when a gateway begins or stops to relay under it."""
        now = _serves(serving)
        if now != self._served:
            self._display.line(f"⇄ {text_at(serving, 'name')}: {now}", "magenta")
            self._served = now

    def tell(self, deployment: JsonObject) -> None:
        """Tell what is new in a deployment."""
        self._plan(deployment)
        for step in objects_at(deployment, "steps"):
            name, outcome = text_at(step, "name"), text_at(step, "outcome")
            if outcome == "done":
                self._once(f"{name} done", f"✔ {name}", "green")
            elif outcome == "failed":
                self._once(f"{name} failed", f"✘ {name}", "red")
        for gate in objects_at(deployment, "gates"):
            name = text_at(gate, "name")
            if at(gate, "asked_at") and not at(gate, "opened_at"):
                self._once(f"{name} asked", f"… gate {name} waits. {text_at(gate, 'what_to_do')}", "yellow")
            if at(gate, "opened_at"):
                self._once(
                    f"{name} open", f"→ gate {name} opened by {text_at(gate, 'opened_by')}: {text_at(gate, 'reason')}"
                )
        for id in _texts(at(deployment, "resources", "made")):
            self._once(f"made {id}", f"+ made {id}")
        for id in _texts(at(deployment, "resources", "deleted")):
            self._once(f"deleted {id}", f"- removed {id}", "red")
        if ends := text_at(deployment, "grace", "ends_at"):
            self._once("grace", f"the grace period lasts until {ends}; until then everything of the old gateway stays")
        if problem := text_at(deployment, "problem", "title"):
            self._once("problem", f"✘ {problem}: {text_at(deployment, 'problem', 'detail')}", "red")
            for finding in objects_at(deployment, "problem", "findings"):
                self._display.line(
                    f"    {text_at(finding, 'severity')}: {text_at(finding, 'seen')} {text_at(finding, 'cure')}"
                )
        reason = text_at(deployment, "waits_for", "reason")
        self._display.moving(f"{text_at(deployment, 'step')} ({text_at(deployment, 'status')}) {reason}")

    def _plan(self, deployment: JsonObject) -> None:
        names = at(deployment, "names")
        if names is None or "plan" in self._told:
            return
        self._told.add("plan")
        self._display.line(f"the plan: {text_at(names, 'service_name')} on {text_at(names, 'deployment_name')}")
        for id in _texts(at(deployment, "resources", "to_delete")):
            self._display.line(f"    will be removed in the end: {id}")
        for finding in objects_at(deployment, "findings"):
            self._display.line(
                f"    {text_at(finding, 'severity')}: {text_at(finding, 'seen')} {text_at(finding, 'cure')}"
            )

    def _once(self, key: str, text: str, style: str = "") -> None:
        if key not in self._told:
            self._told.add(key)
            self._display.line(text, style)


def _serves(serving: JsonObject) -> str:
    chain = " → ".join(str(link["value"]) for link in objects_at(serving, "chain")) or "leads nowhere"
    return f"{chain} ({_relaying(serving)})"


def _relaying(serving: JsonObject) -> str:
    return "relays" if at(serving, "relays") is True else "does not relay"


def _texts(found: Json) -> list[str]:
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []

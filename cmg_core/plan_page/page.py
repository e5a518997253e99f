"""The page: what, why, in which order, how long, what it costs, and how to go back.

It is written from the plan as it stands: findings, gates, steps and further parts that a plan gains show by themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cmg_core import __version__
from cmg_core.domain.cases import Case
from cmg_core.domain.durations import in_words
from cmg_core.domain.kinds import kind_of_resource
from cmg_core.domain.other_subscriptions import other_subscriptions
from cmg_core.domain.plans import OldGateway, Plan
from cmg_core.domain.problems import Finding, Severity, section_of
from cmg_core.domain.record_sets import low_ttl
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.values import Json, ResourceId
from cmg_core.domain.way_back import way_back
from cmg_core.plan_page.figures import cost_section, time_section
from cmg_core.plan_page.markdown import code, table, text
from cmg_core.plan_page.words import CASES, HAVE_THEIR_PLACE, MADE_BY, OPENERS, STEPS, TAKING_OVER, WEIGHTS
from cmg_core.steps.cut_over import NEW_RECORD_TTL


@dataclass(frozen=True)
class PlanPage:
    """What the page is written from."""

    request: Request
    plan: Plan
    made_at: datetime
    findings_at: str = "cmg_core/description/findings.md#"
    """What stands before a finding's code in its link: the app's own address where the page leaves this machine."""


def plan_page(page: PlanPage) -> str:
    """The page in Markdown."""
    request, plan = page.request, page.plan
    sections = (
        _title(page),
        _verdict(page),
        _about(page),
        _findings(page),
        _resources(page),
        _steps(page),
        _gates(plan),
        _gap(page),
        _dns(page),
        _firewall(plan),
        time_section(request, plan),
        cost_section(request, plan),
        _back(plan),
        _further(plan),
        _looks(plan),
        _limits(request),
    )
    written = [lines for section in sections if (lines := list(section))]
    return "\n\n".join("\n".join(lines).rstrip() for lines in written) + "\n"


def _title(page: PlanPage) -> Iterator[str]:
    request, plan = page.request, page.plan
    migration = request if isinstance(request, ReplacementRequest) else None
    if plan.names is not None:
        name = plan.names.service_name
    else:
        name = (
            migration.old_gateway.service_name
            if migration
            else f"certificate {request.certificate.name if request.certificate else request.resource_group}"
        )
    new = plan.names.deployment_name if plan.names else "a new gateway (name not fixed yet)"
    if migration is None:
        yield f"# Change plan for {text(name)}: new gateway {text(new)}"
        return
    old = plan.old_gateway.deployment_name if plan.old_gateway else ""
    yield f"# Change plan for {text(name)}: {text(old or migration.old_gateway.service_name)} → {text(new)}"


def _verdict(page: PlanPage) -> Iterator[str]:
    plan = page.plan
    yield "## Verdict"
    yield ""
    against = plan.blocked_by
    if against:
        codes = ", ".join(_finding_link(page, code) for code in dict.fromkeys(finding.code for finding in against))
        yield f"**This plan cannot be carried out as it is.** {_counted(len(against), 'finding')} against it: {codes}."
        return
    warnings = [finding for finding in plan.findings if finding.severity is Severity.WARNS]
    yield "**This plan can be carried out.** Nothing that was looked at stands against it."
    if warnings:
        yield f"A person should look at {_counted(len(warnings), 'finding')} before."


def _about(page: PlanPage) -> Iterator[str]:
    request, plan = page.request, page.plan
    yield "## What and why"
    yield ""
    yield f"- Reason: {text(request.reason) if request.reason else 'none was given'}"
    yield f"- External reference: {text(request.external_reference) if request.external_reference else 'none'}"
    yield f"- Plan made on {_moment(page.made_at)} by version {__version__}; the world may have changed since."
    yield f"- New gateway made by {MADE_BY[request.provisioned_by]}"
    if plan.case is not None:
        yield f"- Case: {CASES[plan.case]}"
    if plan.standing is not None:
        size = f"{_counted(plan.standing.instances, 'instance')} of {code(plan.standing.scale_set.id)}"
    else:
        size = f"{_counted(request.instances, 'instance')} of {code(request.size)}"
    yield f"- New gateway: {size} in {code(request.region)}, resource group {code(request.resource_group)}"
    yield f"- Subscription {code(request.subscription_id)} of tenant {code(request.tenant_id)}"
    for other in other_subscriptions(request):
        yield f"- In subscription {code(other.id)} of the same tenant: {text(other.spoken)}"
    if isinstance(request, ReplacementRequest):
        yield f"- Old gateway: {code(request.old_gateway.resource_id)}{_model(plan.old_gateway)}"
    if plan.certificate is not None:
        found = plan.certificate
        version = f"version {code(found.version)}, " if found.version else ""
        marks = f"{version}thumbprint {code(found.thumbprint)}"
        yield f"- Certificate: {text(found.subject)}, valid until {_moment(found.not_after)}, {marks}"
    if request.configmgr_release is not None:
        yield f"- Release of the site: {code(request.configmgr_release)}"


def _findings(page: PlanPage) -> Iterator[str]:
    plan = page.plan
    if not plan.findings:
        return
    yield "## Findings"
    for severity, heading in WEIGHTS.items():
        told = [finding for finding in plan.findings if finding.severity is severity]
        if told:
            yield ""
            yield f"### {heading} ({len(told)})"
            yield ""
        for finding in told:
            yield from _finding(page, finding)


def _finding(page: PlanPage, finding: Finding) -> Iterator[str]:
    yield f"- {_finding_link(page, finding.code)}: {text(finding.seen)}"
    if finding.resource:
        yield f"  - Where: {code(finding.resource)}"
    if finding.pointer:
        yield f"  - In the request: {code(finding.pointer)}"
    yield f"  - What to do: {text(finding.cure)}"
    if finding.link != section_of(finding.code):
        yield f"  - More: {code(finding.link)}"


def _finding_link(page: PlanPage, found: str) -> str:
    plain = "".join(c for c in found if c.isascii() and (c.isalnum() or c == "-"))
    return f"[{text(found)}]({page.findings_at}{plain})"


def _model(old: OldGateway | None) -> str:
    if old is None:
        return ""
    return f" ({old.model}, gone)" if old.gone else f" ({old.model}, in {code(old.region)})"


def _why_nothing_is_made(page: PlanPage) -> str:
    match page.request.provisioned_by:
        case "existing":
            return "Nothing: the new gateway stands already."
        case "site":
            return "Nothing by this app: the site makes the new gateway."
        case _:
            return "Nothing is named yet."


def _resources(page: PlanPage) -> Iterator[str]:
    plan = page.plan
    yield "## What is made, kept and deleted"
    yield ""
    yield "Made, in this order:"
    yield ""
    yield from _ids(plan.make.ids if plan.make else (), _why_nothing_is_made(page))
    if plan.make and plan.make.zones:
        yield ""
        yield f"The instances spread over the zones {text(', '.join(plan.make.zones))}."
    yield ""
    yield "Deleted at the end, in this order, each only while it is the very resource of this plan:"
    yield ""
    yield from _ids([part.id for part in plan.delete], "Nothing.")
    yield ""
    yield "Kept:"
    yield ""
    yield from _ids(plan.keep, "Nothing else was found in the old gateway's resource group.")
    if plan.parked:
        yield ""
        yield f"Stays alone, so that nobody else can claim its name: {_id(plan.parked.id)}"


def _ids(ids: Sequence[str], none: str) -> Iterator[str]:
    yield from (f"{number}. {_id(id)}" for number, id in enumerate(ids, 1))
    if not ids:
        yield f"- {none}"


def _id(id: str) -> str:
    try:
        kind = kind_of_resource(ResourceId.parse(id))
    except ValueError:
        kind = "resource"
    return f"{text(kind)}: {code(id)}"


def _steps(page: PlanPage) -> Iterator[str]:
    plan, maker = page.plan, page.request.provisioned_by
    words = dict(STEPS)
    if maker in TAKING_OVER:
        words["provision-scale-set"] = TAKING_OVER[maker]
    if plan.case is Case.RETIREMENT:
        words["cut-over"] = "See the new gateway relay under its public name; then the grace period starts."
    if not plan.steps:
        return
    yield "## Steps, in order"
    yield ""
    for number, step in enumerate(plan.steps, 1):
        about = words.get(step)
        yield f"{number}. {code(step)}{f': {about}' if about else ''}"


def _gates(plan: Plan) -> Iterator[str]:
    if not plan.gates:
        return
    yield "## Gates: where it waits, and who opens them"
    yield ""
    for number, gate in enumerate(plan.gates, 1):
        yield f"{number}. **{text(gate.name)}**, opened by {OPENERS[gate.opener]}: {text(gate.what_to_do)}"
        if gate.early:
            yield "   It may be opened before the deployment waits at it."


def _gap(page: PlanPage) -> Iterator[str]:
    plan = page.plan
    yield "## Time without a gateway that relays"
    yield ""
    if plan.foretold_gap:
        yield (
            f"**Usually up to {in_words(plan.usual_gap)}, {in_words(plan.foretold_gap)} at the longest**: so long "
            "clients may find no gateway that relays. It is longer than usual where nobody has been asked yet to let "
            "the inside view follow: see the warning «gap-foretold»."
        )
    elif not isinstance(page.request, ReplacementRequest):
        yield "None: nobody is served by the new name before, so nobody is cut off."
    elif not plan.gates:
        yield "Not known: the plan does not come so far."
    else:
        yield f"**None.** {_why_no_gap(plan)}"


def _why_no_gap(plan: Plan) -> str:
    match plan.case:
        case Case.GAP_CLOSED:
            return (
                "The new gateway must relay before the record changes, and both gateways relay until the old answer "
                "has run out everywhere."
            )
        case Case.SAME_NAME_ALONE:
            return "Clients find no gateway by this name now: there is nothing that could be cut off."
        case Case.RETIREMENT:
            return "The new gateway serves already, and must relay at every step of the removal."
        case _:
            return "The old gateway goes on relaying until the new one relays and clients know it."


def _dns(page: PlanPage) -> Iterator[str]:
    request, plan = page.request, page.plan
    yield "## DNS record"
    yield ""
    if plan.names is None:
        yield "The names are not fixed: see the findings."
        return
    if not plan.names.has_own_domain:
        yield "None: the service name is Azure's own name of the address."
        return
    if plan.case is Case.RETIREMENT:
        yield f"Stays as it is: {code(plan.names.service_name)} leads to {code(plan.names.deployment_name)} already."
        return
    name, target = plan.names.service_name, plan.names.deployment_name
    rows: list[tuple[str, str, timedelta | None]] = []
    if plan.record is not None:
        yield f"The app changes it, conditionally, in {code(plan.record.id)}."
        ttl, low = plan.record.ttl, low_ttl(plan.record.ttl)
        rows = [("now", plan.record.target, ttl), ("ahead of the change", plan.record.target, low)]
        rows += [("after the change", target, low), ("at the end", target, ttl)]
    elif request.dns is not None:
        yield f"The app makes it in {code(request.dns.zone_id)}."
        rows = [("after the change", target, NEW_RECORD_TTL)]
    else:
        ahead = ", and lowers its TTL ahead" if plan.case is not None and plan.case.moves_the_name else ""
        yield f"Whoever holds the zone changes it when the deployment waits for it{ahead}."
        if plan.public_ttl:
            yield f"Servers let its present answer be held for {in_words(plan.public_ttl)}."
        rows = [("after the change", target, None)]
    yield ""
    head = ("When", "Name", "Type", "Target", "TTL")
    kept = "the holder's choice"
    told = [(when, code(name), "CNAME", code(to), _seconds(ttl) if ttl else kept) for when, to, ttl in rows]
    yield from table(head, told)


def _firewall(plan: Plan) -> Iterator[str]:
    if not plan.firewall:
        return
    yield "## Openings in firewalls"
    yield ""
    head = ("Becomes", "From", "To", "Ports", "Protocol", "Why")
    rows = [
        (each.change, text(each.source), code(each.target), each.ports, each.protocol, text(each.why))
        for each in plan.firewall
    ]
    yield from table(head, rows)


def _looks(plan: Plan) -> Iterator[str]:
    if not plan.looks:
        return
    slowest = max(plan.looks, key=lambda look: look.seconds)
    missed = [look.name for look in plan.looks if not look.answered]
    yield "## What was looked at"
    yield ""
    how_long = f"the slowest, {text(slowest.name)}, took {slowest.seconds:.1f} s"
    yield f"- {_counted(len(plan.looks), 'look')}, side by side; {how_long}."
    yield f"- Without an answer: {text(', '.join(missed)) if missed else 'none'}."


def _back(plan: Plan) -> Iterator[str]:
    back = way_back(plan)
    yield "## How to go back, and until when"
    yield ""
    if back.possible_until:
        yield f"**Possible until {text(back.possible_until)}.** {text(back.why_not)}"
        yield ""
        yield from (f"{number}. {text(part)}" for number, part in enumerate(back.how, 1))
        yield ""
        yield "Ask for it with POST /api/deployments/{id}/rollback. Before anything is made, …/cancel leaves nothing."
    else:
        yield f"**There is no way back.** {text(back.why_not)}"


def _further(plan: Plan) -> Iterator[str]:
    """What the plan holds besides."""
    dumped = plan.model_dump(mode="json")
    for key in sorted(dumped.keys() - HAVE_THEIR_PLACE):
        if dumped[key]:
            yield f"## {text(key.replace('_', ' ').capitalize())}"
            yield ""
            yield from _outline(dumped[key], "")
            yield ""


def _outline(value: Json, indent: str) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                if isinstance(inner, dict | list):
                    yield f"{indent}- **{text(key)}**:"
                    yield from _outline(inner, f"{indent}  ")
                else:
                    yield f"{indent}- **{text(key)}**: {text(str(inner))}"
        case list():
            for number, inner in enumerate(value, 1):
                yield f"{indent}- No. {number}" + ("" if isinstance(inner, dict | list) else f": {text(str(inner))}")
                if isinstance(inner, dict | list):
                    yield from _outline(inner, f"{indent}  ")
        case _:
            yield f"{indent}- Value: {text(str(value))}"


def _limits(request: Request) -> Iterator[str]:
    yield "## Limits and assumptions"
    yield ""
    if request.provisioned_by == "automation":
        yield "- Microsoft supports only gateways that the site makes: this one is not supported by Microsoft."
    again = "The deployment makes its own at its first step, and looks at everything again before each deletion."
    yield f"- The plan is what was seen when it was made. {again}"
    yield "- What the site, the clients and the inside DNS do, the app does not see: people confirm it at the gates."
    yield "- Records in zones that the app cannot read may still lead to the old name: look for them before the end."
    if isinstance(request, ReplacementRequest):
        longer = "those that are off longer may need more than the grace period. It can be extended while it runs."
        yield f"- Clients ask where gateways are once in 24 hours; {longer}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")

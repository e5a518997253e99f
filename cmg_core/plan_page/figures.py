"""The page's figures: how long the plan takes, and what the days with two gateways cost."""

from collections.abc import Iterator

from cmg_core.domain.durations import Kind, Line, Timetable, in_words, timetable
from cmg_core.domain.plans import Plan
from cmg_core.domain.prices import ASSUMED_AT_A_GATE, ParallelCost, Price, parallel_cost
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.plan_page.markdown import code, table, text

_UNTIMED = {Kind.PEOPLE: "up to people", Kind.CALLS: "seconds", Kind.NOT_MEASURED: "not measured"}


def time_section(request: Request, plan: Plan) -> Iterator[str]:
    """How long it all takes, step by step and together."""
    if not plan.steps:
        return
    times = timetable(request, plan)
    yield "## How long it takes"
    yield ""
    yield from table(("Step", "What", "Usual", "Longest seen"), [_time_row(line) for line in times.lines])
    yield ""
    yield from _sums(times)


def _time_row(line: Line) -> tuple[str, str, str, str]:
    told = _UNTIMED.get(line.kind, "")
    usual = in_words(line.usual) if line.usual is not None else told
    highest = in_words(line.highest) if line.highest is not None else told
    return code(line.step) if line.step else "", text(line.what), usual, highest


def _sums(times: Timetable) -> Iterator[str]:
    works, waits = times.of(Kind.AZURE), times.of(Kind.WAIT)
    yield f"- Azure works for about {in_words(works.usual)}; the longest that was seen is {in_words(works.highest)}."
    yield f"- Waits that the plan knows: {in_words(waits.usual)}."
    yield f"- Together: **{in_words(times.usual)}**, {in_words(times.highest)} with the longest that was seen."
    on_top = "; ".join(dict.fromkeys(line.what for line in times.on_top)) or "Nothing"
    yield f"- On top comes what nobody can foretell. {text(on_top)}."
    yield f"- Azure's times: {times.source}. A step that takes much longer calls a person and removes nothing."


def cost_section(request: Request, plan: Plan) -> Iterator[str]:
    """What the parallel days cost, with formula and sources."""
    yield "## What the parallel days cost"
    yield ""
    if not isinstance(request, ReplacementRequest):
        yield "There are none: the new gateway takes nobody's place."
        return
    cost = parallel_cost(request, plan.gates)
    if cost is None:
        yield "Nothing more than now: both gateways stand already, until the old one is removed."
        return
    yield f"**About {cost.usd} USD** for {cost.hours} h on which both gateways stand, beside what the old one costs."
    yield ""
    rows = [
        (text(line.price.what), str(line.count), _price(line.price), line.price.seen, f"{line.usd} USD")
        for line in cost.lines
    ]
    by_gb = cost.by_the_gb
    rows.append((text(by_gb.what), "each GB", _price(by_gb), by_gb.seen, "by use"))
    yield from table(("What", "Count", "List price", "Seen", f"For {cost.hours} h"), rows)
    yield ""
    yield from _formula(cost)


def _formula(cost: ParallelCost) -> Iterator[str]:
    gates = f"{len(cost.gates)} x {in_words(ASSUMED_AT_A_GATE)} at the gates that people open"
    yield f"- Hours: {cost.grace_hours} h of grace period + {gates}, which is an assumption."
    yield "- Sum: count x list price x hours; a month has 730 hours; each line is rounded for itself."
    yield f"- Each further day costs {cost.each_further_day} USD. What Azure asks for outgoing traffic comes on top."
    dated = f"Pay-as-you-go list prices of {cost.region} in US dollars, collected in {cost.collected}"
    yield f"- {dated}. **Yours differ by region and agreement**: {code(cost.price_list)}."
    for price in (*(line.price for line in cost.lines), cost.by_the_gb):
        yield f"- Source of «{text(price.what)}»: {text(price.source)}"


def _price(price: Price) -> str:
    return f"{price.usd} USD / {price.per}"

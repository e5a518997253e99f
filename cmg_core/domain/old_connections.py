"""How many connections the old gateway still gets, as its load balancer counted them: evidence for people during the
grace period, and never what opens a gate (docs/procedures.md, "Are the clients over?").

Sources: "Azure Load Balancer monitoring data reference" (Microsoft.Network/loadBalancers, metric ``SYNCount``: count,
aggregated as a total, sampled each minute) and "Load Balancer SKUs" (metrics with the Standard SKU only); Metrics -
List (api-version 2018-01-01: ``timespan``, ``interval``, ``metricnames``, ``aggregation``; of the answer
``value[].timeseries[].data[]`` with ``total``). Whoever knows the address is counted, scanners of the internet too: it
hardly ever comes to nought.
"""

from datetime import datetime, timedelta

from cmg_core.domain.cases import Case
from cmg_core.domain.old_gateway import LOAD_BALANCER, type_of
from cmg_core.domain.plans import OldGateway, Plan
from cmg_core.domain.record import ConnectionCount, State
from cmg_core.domain.values import JsonObject, at, objects_at

METRIC = "SYNCount"
LOOK_EVERY = timedelta(hours=6)
BEFORE = timedelta(days=1)
"""What the first look counts: the time before, to compare with."""
KEPT = 28
"""How many counts a deployment keeps, the first one among them: a week of them."""
FINEST_UP_TO = timedelta(hours=2)


def why_not_counted(plan: Plan) -> str:
    """Why nothing can be counted, or why a count would say nothing; empty where it can."""
    old = plan.old_gateway
    if old is None or old.gone:
        return "The old gateway is gone."
    if plan.case is not Case.GAP_CLOSED and plan.case is not Case.GAP_ACCEPTED:
        return "Clients choose at random between two names: what the old gateway gets says nothing of who has moved."
    if old.model == "classic":
        return "A classic cloud service has no load balancer that Azure Monitor counts connections of."
    if not balancer_of(old):
        return "No load balancer was found that is the old gateway's alone."
    if old.load_balancer_sku.lower() != "standard":
        return f"Azure Monitor counts connections of the Standard SKU only; it is «{old.load_balancer_sku or 'Basic'}»."
    return ""


def balancer_of(old: OldGateway) -> str:
    """The full ID of the load balancer that is the old gateway's alone; empty where there is none."""
    return next((part.id for part in old.parts if type_of(part.id) == LOAD_BALANCER), "")


def is_due(state: State, now: datetime) -> bool:
    """Whether to look now: at the beginning of the grace period, rarely while it lasts, and once when it is over."""
    if not state.connections:
        return True
    last, ends = state.connections[-1].ends, state.grace_ends_at
    return now - last >= LOOK_EVERY or (ends is not None and last < ends <= now)


def span_of(state: State, now: datetime) -> tuple[datetime, datetime]:
    """What to count next: from the last count on; the first time, the day before."""
    return (state.connections[-1].ends if state.connections else now - BEFORE), now


def interval_of(begins: datetime, ends: datetime) -> timedelta:
    """The grain to ask for, so that no answer is long."""
    return timedelta(minutes=1) if ends - begins <= FINEST_UP_TO else timedelta(hours=1)


def count_in(answer: JsonObject) -> int | None:
    """The sum of what the metric's series hold; None where they hold nothing."""
    totals = [
        at(point, "total")
        for metric in objects_at(answer, "value")
        for series in objects_at(metric, "timeseries")
        for point in objects_at(series, "data")
    ]
    known = [total for total in totals if isinstance(total, int | float)]
    return round(sum(known)) if known else None


def with_count(kept: tuple[ConnectionCount, ...], new: ConnectionCount) -> tuple[ConnectionCount, ...]:
    """The counts with a new one; the first stays, to compare with."""
    return (*kept[:1], *(*kept[1:], new)[-(KEPT - 1) :])

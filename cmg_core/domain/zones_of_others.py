"""The service name where somebody else changes its record: what the app can see of it, and what they have to know."""

from collections.abc import Collection, Iterator, Sequence

from cmg_core.domain.findings import tells, warns
from cmg_core.domain.plans import Names
from cmg_core.domain.problems import Finding
from cmg_core.domain.public_views import View, answered, judge_addresses, said


def judge_foreign_zone(
    names: Names, views: Sequence[View], old_name: str | None, old_addresses: Collection[str] = ()
) -> Iterator[Finding]:
    """What to know where somebody else changes the record.

    ``old_name`` is as in ``find_record``; ``old_addresses`` are those behind it, where the service name shows no alias.
    """
    name = names.service_name
    yield tells(
        "zone-not-ours",
        f"The request names no zone: the app watches «{name}» and does not change it.",
        "Find out who holds the zone. They lower the record's TTL ahead and point it at "
        f"«{names.deployment_name}» when the deployment waits for it.",
    )
    if old_name is None:
        yield from _judge_new_name(names, views)
    elif old_name:
        yield from _judge_old_name(names, views, old_name)
        yield from judge_addresses(names, views, old_addresses)


def _judge_new_name(names: Names, views: Sequence[View]) -> Iterator[Finding]:
    target = names.deployment_name.lower()
    if any((view.targets or view.addresses) and target not in view.targets for view in answered(views)):
        yield warns(
            "service-name-in-use",
            f"«{names.service_name}» already leads somewhere: {said(views)}.",
            "Where a gateway serves there, ask for a migration (POST /api/migrations) instead.",
        )


def _judge_old_name(names: Names, views: Sequence[View], old_name: str) -> Iterator[Finding]:
    name, old = names.service_name, old_name.lower()
    aliased = [view for view in views if view.targets]
    known = [view for view in aliased if old in view.targets or names.deployment_name.lower() in view.targets]
    if aliased and not known:
        yield warns(
            "record-points-elsewhere",
            f"No server says that «{name}» leads to the old gateway's «{old_name}»: {said(views)}.",
            "Check `old_gateway.resource_id`: clients may be served by another gateway than this one.",
            pointer="/old_gateway/resource_id",
        )
    if between := [view.targets[0] for view in aliased if old in view.targets[1:]]:
        yield warns(
            "record-indirect",
            f"«{name}» leads to the old gateway by way of «{between[0]}».",
            f"Whoever holds «{name}» points it straight at the new gateway; a change of «{between[0]}» would lead over "
            "whatever else uses that name. Each link has a TTL of its own: the app counts the longest.",
        )
    if not any(view.targets or view.addresses for view in views):
        yield warns(
            "record-missing",
            f"No public server knows «{name}», which clients are said to dial.",
            "Check `old_gateway.service_name`. A name that is known inside the company only leads no client from "
            "outside.",
            pointer="/old_gateway/service_name",
        )

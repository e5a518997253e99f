"""Which records lead to a name, as far as the app can see: in the zone, and at the public servers."""

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.record_sets import RecordSet
from cmg_core.domain.values import text_at
from cmg_core.steps.context import StepContext
from cmg_core.steps.planned import names_of


async def records_leading_to(context: StepContext, name: str) -> list[str]:
    """The records of the request's zone that lead to ``name``; none where the request names no zone."""
    dns = context.state.request.dns
    records = await context.azure.records(dns.zone_id) if dns else []
    return [text_at(body, "name") for body in records if RecordSet.of(body).points_at(name)]


async def views_leading_to(context: StepContext, name: str) -> list[str]:
    """The service name, once for each public server that leads it to ``name``. Raises TryAgain where none answers."""
    service_name = names_of(context.state).service_name
    views = await context.services.dns.views(service_name)
    if all(view.failure for view in views):
        raise TryAgain(f"no public DNS server answers for {service_name}")
    return [f"{service_name} ({view.server})" for view in views if name.lower() in view.targets]

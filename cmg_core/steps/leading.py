"""Which names lead to a gateway, as far as the app can see: in the zone, and at the public servers."""

from collections.abc import Sequence

from cmg_core.domain.errors import TryAgain
from cmg_core.domain.plans import OldGateway
from cmg_core.domain.record_sets import RecordSet
from cmg_core.domain.values import text_at
from cmg_core.services import NameView
from cmg_core.steps.context import StepContext
from cmg_core.steps.planned import names_of


def both_names(context: StepContext, old: OldGateway) -> tuple[str, ...]:
    """The names that clients dial, each once."""
    return tuple(dict.fromkeys((names_of(context.state).service_name.lower(), old.service_name.lower())))


async def led_to(context: StepContext, old: OldGateway, dialed: Sequence[str], *, by_records: bool = True) -> list[str]:
    """What still leads to the old gateway's name: records of the request's zone (unless they do not matter), and the
    names that are dialed, each at each public server. Raises TryAgain where no server answers for a name."""
    records = await _records_leading_to(context, old.deployment_name) if by_records else []
    return [*records, *[lead for name in dialed for lead in await _views_leading_to(context, name, old)]]


async def _records_leading_to(context: StepContext, name: str) -> list[str]:
    """None where the request names no zone."""
    dns = context.state.request.dns
    records = await context.azure_of(dns.zone_id).records(dns.zone_id) if dns else []
    return [text_at(body, "name") for body in records if RecordSet.of(body).points_at(name)]


async def _views_leading_to(context: StepContext, service_name: str, old: OldGateway) -> list[str]:
    views = await context.services.dns.views(service_name)
    if all(view.failure for view in views):
        raise TryAgain(f"no public DNS server answers for {service_name}")
    by_address = await _addresses_of_old(context, service_name, old, views)
    return [
        f"{service_name} ({view.server})"
        for view in views
        if old.deployment_name.lower() in view.targets or not by_address.isdisjoint(view.addresses)
    ]


async def _addresses_of_old(
    context: StepContext, service_name: str, old: OldGateway, views: Sequence[NameView]
) -> frozenset[str]:
    """The addresses behind the old gateway's name, where a server shows some for the service name and not by way of the
    new one's: an address record, or an alias by another name, may lead there. Azure's own name of it always does."""
    new, old_name = names_of(context.state).deployment_name.lower(), old.deployment_name.lower()
    if service_name.lower() == old_name or not any(view.addresses and new not in view.targets for view in views):
        return frozenset()
    found = await context.services.dns.views(old_name)
    if all(view.failure for view in found):
        raise TryAgain(f"no public DNS server answers for {old_name}")
    return frozenset(address for view in found for address in view.addresses)

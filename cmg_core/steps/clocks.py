"""What must not end early hangs on two clocks: this host's, which may be wrong or jump, and Azure's own.

A period begins by Azure's clock and is over only when both say so: a wrong host can make it longer, never shorter, and
only as long as no other host looks.
"""

from datetime import datetime, timedelta

from cmg_core.domain.errors import TryAgain
from cmg_core.steps.context import StepContext

DATE_UNIT = timedelta(seconds=1)
"""A Date header tells whole seconds (RFC 9110, 5.6.7)."""


async def azure_time(context: StepContext) -> datetime:
    """Azure's present time; asks Azure where it has not answered this process yet. Raises TryAgain, AzureRefused."""
    known = context.azure.time()
    if known is None:
        await context.azure.subscription()
        known = context.azure.time()
    if known is None:
        raise TryAgain("Azure's answers carry no time of their own (a proxy that drops the Date header?)")
    return known


async def beginning(context: StepContext) -> datetime:
    """From when a period that begins now counts: by Azure's clock, but never earlier for its cut-off parts of a second.
    Raises TryAgain, AzureRefused."""
    now, earliest = context.services.clock.now(), await azure_time(context)
    latest = earliest + DATE_UNIT
    return now if earliest <= now <= latest else latest


async def left_until(context: StepContext, moment: datetime) -> timedelta:
    """How long until both clocks have reached a moment; nothing when it has passed. Raises TryAgain, AzureRefused."""
    now = context.services.clock.now()
    if now >= moment:
        now = min(now, await azure_time(context))
    return max(moment - now, timedelta())

"""The timer: ``wake-due``, each minute."""

import logging
import secrets
from collections.abc import Awaitable, Callable

import azure.functions as func

from cmg_core.domain.errors import TryAgain
from cmg_core.services import Services
from cmg_core.wake import wake_due

log = logging.getLogger("cmg.timers")

EACH_MINUTE = "0 * * * * *"


class TimerFailed(Exception):
    """A timer's run ended by an error that the product does not know. The log has it, this text has nothing of it."""


def waking(services: Callable[[], Services]) -> Callable[[func.TimerRequest], Awaitable[None]]:
    """The function that the Functions host calls each minute."""

    async def wake(timer: func.TimerRequest) -> None:
        await run_wake_due(services)

    return wake


async def run_wake_due(services: Callable[[], Services]) -> None:
    """Send what is due; where storage does not answer, in a minute. Raises TimerFailed for unknown errors."""
    correlation_id = secrets.token_hex(16)
    told = {"correlation_id": correlation_id}
    try:
        tally = await wake_due(services())
    except TryAgain as reason:
        log.warning("wake-due looks again in a minute: %s", reason, extra=told)
    except Exception:
        log.exception("wake-due met an unknown error, correlation %s", correlation_id, extra=told)
        raise TimerFailed(f"wake-due met an unknown error: see the log, correlation {correlation_id}") from None
    else:
        if str(tally):
            log.info("wake-due: %s", tally, extra=told)

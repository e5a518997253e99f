"""Queue-triggered functions: one a step. Returning deletes the message, raising leaves it to the host's next try."""

import logging
from collections.abc import Awaitable, Callable

import azure.functions as func
from pydantic import ValidationError

from cmg_core.correlation import correlated
from cmg_core.domain.errors import ClaimRunsOut, NewerSchema, TryAgain, UnreadableMessage, UnreadableRow
from cmg_core.domain.record import MESSAGE
from cmg_core.engine import Engine
from cmg_core.services import Services
from cmg_core.triggers.poison import tell_last_try, tell_poison

log = logging.getLogger("cmg.queues")


class RunFailed(Exception):
    """A step's run ended by an error that the product does not know. The log has it, this text has nothing of it."""


def running(
    step: str, services: Callable[[], Services]
) -> Callable[[func.QueueMessage, func.Context], Awaitable[None]]:
    """The function that the Functions host calls for each message in the step's queue."""

    async def run(message: func.QueueMessage, context: func.Context) -> None:
        await run_step(services, step, message, context.invocation_id, context.trace_context.trace_parent or "")

    return run


async def run_step(
    services: Callable[[], Services], step: str, message: func.QueueMessage, invocation_id: str, host: str = ""
) -> None:
    """Run one step for one message. ``host`` is the `traceparent` of the host's own span of the invocation.

    Raises UnreadableMessage for what is no message of this product and NewerSchema for a newer release's (the host
    moves them to the poison queue), TryAgain and ClaimRunsOut as the engine does, RunFailed for anything else. What is
    given up is told to the log.
    """
    body = ""
    try:
        body = _text_of(message, step)
        with correlated(invocation_id, host):
            await Engine(services()).handle(step, body, message.id or "", invocation_id)
    except (UnreadableMessage, UnreadableRow, NewerSchema) as reason:
        tell_poison(log, step, reason, _told(body, invocation_id))
        raise
    except (TryAgain, ClaimRunsOut) as reason:
        told = _told(body, invocation_id)
        log.warning("step %s of deployment %s is tried again: %s", step, told["deployment_id"], reason, extra=told)
        tell_last_try(log, step, message, reason, told)
        raise
    except Exception:
        told = _told(body, invocation_id)
        deployment_id = told["deployment_id"]
        log.exception(
            "step %s of deployment %s met an unknown error, correlation %s",
            step,
            deployment_id,
            invocation_id,
            extra=told,
        )
        tell_last_try(log, step, message, f"see the error, correlation {invocation_id}", told)
        raise RunFailed(
            f"step {step} of deployment {deployment_id} met an unknown error: see the log, correlation {invocation_id}"
        ) from None


def _text_of(message: func.QueueMessage, step: str) -> str:
    try:
        return message.get_body().decode()
    except UnicodeDecodeError:
        raise UnreadableMessage(f"queue cmg-{step} holds a message that is no text in UTF-8") from None


def _told(body: str, invocation_id: str) -> dict[str, str]:
    """By what a line of the log is found again."""
    try:
        deployment_id = MESSAGE.validate_json(body).deployment_id
    except ValidationError:
        deployment_id = "unknown"
    return {"deployment_id": deployment_id, "correlation_id": invocation_id}

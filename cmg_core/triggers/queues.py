"""Queue-triggered functions: one a step. Returning deletes the message, raising leaves it to the host's next try."""

import logging
from collections.abc import Awaitable, Callable

import azure.functions as func
from pydantic import ValidationError

from cmg_core.domain.errors import ClaimRunsOut, TryAgain, UnreadableMessage
from cmg_core.domain.record import MESSAGE
from cmg_core.engine import Engine
from cmg_core.services import Services

log = logging.getLogger("cmg.queues")


class RunFailed(Exception):
    """A step's run ended by an error that the product does not know. The log has it, this text has nothing of it."""


def running(
    step: str, services: Callable[[], Services]
) -> Callable[[func.QueueMessage, func.Context], Awaitable[None]]:
    """The function that the Functions host calls for each message in the step's queue."""

    async def run(message: func.QueueMessage, context: func.Context) -> None:
        await run_step(services, step, message, context.invocation_id)

    return run


async def run_step(services: Callable[[], Services], step: str, message: func.QueueMessage, invocation_id: str) -> None:
    """Run one step for one message.

    Raises UnreadableMessage for what is no message of this product (the host moves it to the poison queue), TryAgain
    and ClaimRunsOut as the engine does, RunFailed for anything else.
    """
    try:
        body = message.get_body().decode()
    except UnicodeDecodeError:
        raise UnreadableMessage(f"queue cmg-{step} holds a message that is no text in UTF-8") from None
    try:
        await Engine(services()).handle(step, body, message.id or "", invocation_id)
    except UnreadableMessage:
        raise
    except (TryAgain, ClaimRunsOut) as reason:
        deployment_id = _deployment_id(body)
        log.warning(
            "step %s of deployment %s is tried again: %s",
            step,
            deployment_id,
            reason,
            extra={"deployment_id": deployment_id, "correlation_id": invocation_id},
        )
        raise
    except Exception:
        deployment_id = _deployment_id(body)
        log.exception(
            "step %s of deployment %s met an unknown error, correlation %s",
            step,
            deployment_id,
            invocation_id,
            extra={"deployment_id": deployment_id, "correlation_id": invocation_id},
        )
        raise RunFailed(
            f"step {step} of deployment {deployment_id} met an unknown error: see the log, correlation {invocation_id}"
        ) from None


def _deployment_id(body: str) -> str:
    try:
        return MESSAGE.validate_json(body).deployment_id
    except ValidationError:
        return "unknown"

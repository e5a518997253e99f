"""Messages that are given up: the host moves each into its queue's poison queue, and alerts find one line for it."""

import logging

import azure.functions as func

MOST_TRIES = 5
"""``maxDequeueCount`` of host.json: the try of this number is a message's last one (learn.microsoft.com, "Azure Queue
storage trigger for Azure Functions", "Poison messages")."""


def tell_poison(log: logging.Logger, step: str, reason: object, told: dict[str, str]) -> None:
    """Say that a message is lost to its step, and why. ``infra/queries/poison-messages.kql`` looks for these words."""
    log.error("step %s leaves a message to the poison queue: %s", step, reason, extra=told)


def tell_last_try(
    log: logging.Logger, step: str, message: func.QueueMessage, reason: object, told: dict[str, str]
) -> None:
    """The same for a message that has failed, where the host tries it no more."""
    if (message.dequeue_count or 0) >= MOST_TRIES:
        deployment_id = told["deployment_id"]
        tell_poison(log, step, f"deployment {deployment_id}, after {MOST_TRIES} tries: {reason}", told)

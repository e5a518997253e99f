"""The HTTP surface, call by call. What a call means lies in ``calls`` and ``listing``."""

import azure.functions as func

from cmg_core.triggers import asking, callbacks, describing, looking, starting
from cmg_core.triggers.answering import Route

DESCRIPTION = describing.Description(lambda: ROUTES)

ROUTES: tuple[Route, ...] = (
    Route("make-plan", "POST", "plans", starting.make_plan),
    Route("start-migration", "POST", "migrations", starting.start_migration),
    Route("start-deployment", "POST", "deployments", starting.start_deployment),
    Route("start-retirement", "POST", "retirements", starting.start_retirement),
    Route("show-operation", "GET", "operations/{id}", looking.show_operation),
    Route("list-deployments", "GET", "deployments", looking.list_deployments),
    Route("show-deployment", "GET", "deployments/{id}", looking.show_deployment),
    Route("show-events", "GET", "deployments/{id}/events", looking.show_events),
    Route("open-gate", "POST", "deployments/{id}/gates/{gate}", asking.open_gate),
    Route("cancel-deployment", "POST", "deployments/{id}/cancel", asking.cancel),
    Route("roll-back-deployment", "POST", "deployments/{id}/rollback", asking.roll_back),
    Route("resume-deployment", "POST", "deployments/{id}/resume", asking.resume),
    Route("extend-grace", "POST", "deployments/{id}/extend", asking.extend),
    Route("check-deployment", "POST", "deployments/{id}/check", asking.check),
    Route("release-parked-name", "POST", "deployments/{id}/release-name", asking.release_name),
    Route("subscribe", "POST", "deployments/{id}/subscriptions", callbacks.subscribe),
    Route("list-subscriptions", "GET", "deployments/{id}/subscriptions", callbacks.list_subscriptions),
    Route("unsubscribe", "DELETE", "deployments/{id}/subscriptions/{subscription}", callbacks.unsubscribe),
    Route("unsubscribe-address", "DELETE", "deployments/{id}/subscriptions", callbacks.unsubscribe_address),
    Route("redeliver", "POST", "deployments/{id}/subscriptions/{subscription}/redeliver", callbacks.redeliver),
    Route("show-health", "GET", "health", looking.show_health, func.AuthLevel.ANONYMOUS),
    Route("show-description", "GET", "openapi.json", DESCRIPTION.show, func.AuthLevel.ANONYMOUS),
    Route("show-docs", "GET", "docs", DESCRIPTION.show_page, func.AuthLevel.ANONYMOUS),
    Route("show-problem", "GET", "problems/{code}", describing.show_problem, func.AuthLevel.ANONYMOUS),
    Route("show-finding", "GET", "findings/{code}", describing.show_finding, func.AuthLevel.ANONYMOUS),
)

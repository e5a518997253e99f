"""Calls that only look: at one deployment, at lists of them, at the app's health."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Literal

import azure.functions as func

from cmg_core import __version__, calls, listing, views
from cmg_core.answers import DeploymentsAnswer, HealthAnswer
from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.problems import Finding, brief
from cmg_core.domain.record import Status
from cmg_core.domain.roles import KEYS_MAY, CallerRules, in_words
from cmg_core.domain.validation import InvalidRequest, repeated
from cmg_core.domain.values import GUID
from cmg_core.settings import SettingsError
from cmg_core.ticket_comment import history_text, ticket_comment
from cmg_core.triggers.answering import Call, accepted, answer
from cmg_core.triggers.negotiation import JSON, TEXT, chosen_type
from cmg_core.triggers.problems import findings_of

_KEY_PARAMETERS = ("code", "clientId")
"""How a function key comes in an address ("Work with access keys in Azure Functions")."""
_VARIES = {"Vary": "Accept"}


async def show_operation(call: Call) -> func.HttpResponse:
    """An operation as pollers see it: 202 until its end, then 200."""
    services = call.services()
    record = (await calls.find(services, call.deployment_id)).record
    if views.operation_has_ended(record):
        return answer(views.operation_view(record))
    return accepted(call.request, services, record)


async def show_deployment(call: Call) -> func.HttpResponse:
    """Where a deployment is, as JSON or as a ticket's comment."""
    kind = chosen_type(call.request.headers.get("Accept", ""), (JSON, TEXT))
    record = (await calls.find(call.services(), call.deployment_id)).record
    if kind == TEXT:
        return _text(ticket_comment(record))
    return answer(views.status_view(record), headers=_VARIES)


async def show_events(call: Call) -> func.HttpResponse:
    """A deployment's history, as JSON or as text."""
    kind = chosen_type(call.request.headers.get("Accept", ""), (JSON, TEXT))
    events = tuple(await calls.history(call.services(), call.deployment_id))
    if kind == TEXT:
        return _text(history_text(events))
    return answer(views.events_view(events), headers=_VARIES)


def _text(text: str) -> func.HttpResponse:
    return func.HttpResponse(text, headers=_VARIES, mimetype=TEXT, charset="utf-8")


async def list_deployments(call: Call) -> func.HttpResponse:
    """A page of deployments."""
    given = {name: value for name, value in call.request.params.items() if name not in _KEY_PARAMETERS}
    filters = _filters(given)
    page = await listing.page(call.services(), filters, given.get("continuation", ""))
    rows = tuple(views.row_view(row) for row in page.rows)
    return answer(DeploymentsAnswer(deployments=rows, continuation=page.continuation or None))


_LIST_PARAMETERS = ("status", "gateway", "subscription", "external_reference", "continuation")


def _filters(given: Mapping[str, str]) -> listing.Filters:
    """The filters of a list. Raises InvalidRequest with a finding for each parameter that cannot be."""
    findings: list[Finding] = []
    known = ", ".join(f"`{name}`" for name in _LIST_PARAMETERS)
    for name in [name for name in given if name not in _LIST_PARAMETERS][:20]:
        seen = f"`{repeated(name)}` is not a parameter of this list."
        findings.append(blocks("unknown-parameter", seen, f"Leave it out. Known here: {known}."))
    status, subscription = given.get("status"), given.get("subscription")
    if status is not None and status not in [*Status]:
        cure = f"Give one of {', '.join(Status)}."
        findings.append(blocks("bad-parameter", "`status` is none that a deployment has.", cure))
    if subscription is not None and not GUID.fullmatch(subscription.lower()):
        findings.append(blocks("bad-parameter", "`subscription` is no GUID.", "Give the subscription's ID."))
    if findings:
        raise InvalidRequest(findings)
    return listing.Filters(
        Status(status) if status is not None else None,
        given.get("gateway", ""),
        (subscription or "").lower(),
        given.get("external_reference", ""),
    )


async def show_health(call: Call) -> func.HttpResponse:
    """Whether the app can work, as far as it knows without asking anybody."""
    try:
        limits = call.services().limits
    except SettingsError as error:
        return answer(_health("unhealthy", None, findings_of(error)), 503)
    findings = [*(() if limits.gateway_software else (_NO_SOFTWARE,)), *_of_keys(limits.callers)]
    return answer(_health("healthy", limits.minimum_grace, findings))


_NO_SOFTWARE = warns(
    "no-gateway-software",
    "The setting CMG_GATEWAY_SOFTWARE is not set: this app cannot make gateways (`provisioned_by: automation`).",
    "Give the VM extension that makes a gateway of an instance, as JSON.",
    resource="CMG_GATEWAY_SOFTWARE",
)


def _of_keys(rules: CallerRules) -> Iterator[Finding]:
    if more := rules.key_roles - KEYS_MAY:
        yield warns(
            "keys-may-more",
            f"Whoever holds a function key is {in_words(more, ' and ')}, too: a key does not say who calls, and goes "
            "from hand to hand.",
            "Leave CMG_KEY_ROLES out, or at reader and requester, and give people and machines app roles in Microsoft "
            "Entra ID.",
            resource="CMG_KEY_ROLES",
        )


def _health(
    status: Literal["healthy", "unhealthy"], minimum_grace: timedelta | None, findings: Sequence[Finding]
) -> HealthAnswer:
    return HealthAnswer(
        status=status,
        version=__version__,
        minimum_grace=minimum_grace,
        problems=tuple(brief(finding) for finding in findings),
    )

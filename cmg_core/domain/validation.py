"""Bodies of requests: from JSON to a request, or to findings that name each mistake with its place and cure.

Nothing of a value that could be a secret, and never more than 100 characters of any, is repeated.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from cmg_core.domain.findings import blocks
from cmg_core.domain.names import first_label_of, is_below
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import (
    LONGEST_SPAN,
    NO_TIME,
    DeploymentRequest,
    Duration,
    MigrationRequest,
    Request,
    RetirementRequest,
)
from cmg_core.domain.values import Json, JsonObject, ResourceId, at, text_at, written_out

LONGEST_ECHO = 100
MOST_FINDINGS = 50
SECRET_LOOKING = re.compile(
    r"(sig|key|token|secret|password|pwd|code)\s*[=:]|-----BEGIN|(?-i:\beyJ[\w-]{5,}\.)", re.IGNORECASE
)

type Kind = Literal["deployment", "migration", "retirement"]

_MODELS: dict[Kind, type[DeploymentRequest] | type[MigrationRequest] | type[RetirementRequest]] = {
    "deployment": DeploymentRequest,
    "migration": MigrationRequest,
    "retirement": RetirementRequest,
}

WANTED = {
    "/provisioned_by": "who makes the new gateway: «automation» (this app), «site» (Configuration Manager) or "
    "«existing» (it stands already)",
    "/deployment_model": "«scale-set», or leave it out",
    "/kind": "nothing here: the address that is called says what is wanted",
    "/subscription_id": "the subscription's ID, a GUID",
    "/tenant_id": "the ID of the subscription's tenant, a GUID",
    "/access": "«own», «delegated» or «app», or nothing where the settings decide",
    "/resource_group": "the name of the new gateway's resource group, up to 90 letters, digits and "
    "«-_().», no dot at the end",
    "/region": "an Azure region by its short name, such as «eastus»",
    "/certificate": "an object with `vault` and `name` (it may be left out where the gateway stands already)",
    "/certificate/vault": "the vault's own address, such as «https://kv-cmg.vault.azure.net»",
    "/certificate/name": "the certificate's name in the vault: letters, digits and «-»",
    "/certificate/trusted_roots": "a list of at most 3 certificates as PEM (BEGIN CERTIFICATE), without any key",
    "/service_name": "one of the certificate's DNS names, such as «cmg.contoso.com»",
    "/first_label": "3 to 24 letters and digits, a letter first: what stands for a wildcard certificate's asterisk",
    "/size": "«Standard_B2s», «Standard_A2_v2» or «Standard_A4_v2»",
    "/instances": "a whole number from 1 to 16",
    "/configmgr_release": 'the site\'s release as four digits in quotes, such as «"2503"»',
    "/site": "an object with what is known of the site",
    "/site/code": "the site's code, three letters or digits",
    "/site/hierarchy": "«standalone-primary» or «cas»",
    "/site/spare_site_system": "true or false",
    "/site/connection_point_firewall_open": "true or false",
    "/site/other_gateways": "a list of at most 16 service names, such as «cmg2.contoso.com»",
    "/dns": "an object with `zone_id`, or nothing where the zone is not the app's to change",
    "/dns/zone_id": "the full resource ID of a public DNS zone (Microsoft.Network/dnsZones)",
    "/new_gateway": "an object with `resource_id`, where `provisioned_by` is «existing»",
    "/new_gateway/resource_id": "the full resource ID of the scale set of the gateway that stands already",
    "/old_gateway": "an object with `resource_id` and `service_name`; where there is no old gateway "
    "call POST /api/deployments",
    "/old_gateway/resource_id": "the full resource ID of the old gateway's classic cloud service "
    "(Microsoft.ClassicCompute/domainNames) or scale set (Microsoft.Compute/virtualMachineScaleSets)",
    "/old_gateway/service_name": "the name that clients dial today, such as «cmg.contoso.com»",
    "/old_gateway/gone": "true where Azure holds the old gateway no more, or leave it out",
    "/old_gateway/serves_content": "true where clients get content from it or boundary groups refer to it",
    "/old_gateway/inside_ttl": "an ISO 8601 duration of at most P365D, such as «PT5M»",
    "/old_gateway/also_delete": "a list of at most 16 full resource IDs",
    "/old_gateway/confirmed_parts": "a list of at most 16 full resource IDs, exactly those that the plan lists",
    "/grace_period": "an ISO 8601 duration from P1D to P365D, such as «P2D»",
    "/accept_gap": "an ISO 8601 duration of at most P365D, such as «PT30M», or leave it out where no gap is accepted",
    "/gates": "an object that names the gates that are wanted",
    "/gates/ready-to-cut-over": "true or false",
    "/gates/approval": "true or false",
    "/gates/connection-point-connected": "true or false",
    "/gates/clients-moved": "an object with `share`, and `active_days` and `deadline` where wanted",
    "/gates/clients-moved/share": "a number above 0 and up to 1, such as 0.98",
    "/gates/clients-moved/active_days": "a whole number from 1 to 365",
    "/gates/clients-moved/minimum_sample": "a whole number from 1 on",
    "/gates/clients-moved/deadline": "an ISO 8601 duration of at most P365D, such as «P14D»",
    "/cut_over_not_before": "a moment with its offset, such as «2026-12-01T20:00:00+01:00»",
    "/park_old_name": "true or false",
    "/reason": "a text of at most 1000 characters",
    "/external_reference": "a text of at most 100 characters, such as a ticket's number",
    "/operation_ends": "«end» or «cut-over»",
}
"""What each place of a request takes, by JSON pointer."""
_ONE_RESOURCE = "the full resource ID of one resource (/subscriptions/…/resourceGroups/…/providers/…)"
ENTRIES = {
    "/certificate/trusted_roots": "one or more certificates as PEM (BEGIN CERTIFICATE), without any key",
    "/site/other_gateways": "one service name, such as «cmg2.contoso.com»",
    "/old_gateway/also_delete": _ONE_RESOURCE,
    "/old_gateway/confirmed_parts": _ONE_RESOURCE,
}
"""What each entry of a list takes, by the list's JSON pointer."""
SPANS = ("/grace_period", "/accept_gap", "/old_gateway/inside_ttl", "/gates/clients-moved/deadline")
"""Where a request holds spans of time."""
_SPAN = TypeAdapter(Duration)


class InvalidRequest(Exception):
    """A request with mistakes, all of them told at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(f"{len(findings)} mistakes in the request")
        self.findings = tuple(findings)


def kind_of_request(body: Json) -> Kind:
    """What a plan is asked for, as the body says, or as follows from whether it names an old gateway."""
    if not isinstance(body, dict):
        return "deployment"
    said = body.get("kind")
    if said == "retirement":
        return "retirement"
    return "migration" if "old_gateway" in body or said == "migration" else "deployment"


def read_request(body: Json, kind: Kind) -> Request:
    """The request that a JSON body makes. Raises InvalidRequest with a finding for each mistake."""
    findings: list[Finding] = []
    request: Request | None = None
    if not isinstance(body, dict):
        raise InvalidRequest([blocks("not-an-object", f"The body is {_shown(body)}.", "Send a JSON object.")])
    try:
        request = _MODELS[kind].model_validate(body)
    except ValidationError as error:
        findings += [_finding(kind, detail) for detail in error.errors(include_url=False, include_context=False)]
    pointers = {finding.pointer for finding in findings}
    not_wanted = tuple(f"{finding.pointer}/" for finding in findings if finding.code == "unknown-key")
    findings += [
        finding
        for finding in _cross_checks(body)
        if finding.pointer not in pointers and not finding.pointer.startswith(not_wanted)
    ]
    if request is None or findings:
        raise InvalidRequest(_capped(findings))
    return request


def _finding(kind: Kind, detail: ErrorDetails) -> Finding:
    place, value = detail["loc"], detail["input"]
    pointer = _pointer(place)
    told = WANTED.get(pointer, "")
    if detail["type"] == "extra_forbidden":
        return blocks(
            "unknown-key",
            f"`{repeated(str(place[-1]))}` is not a key of a request.",
            _nearest(kind, place),
            pointer=pointer,
        )
    if detail["type"] == "missing":
        return blocks("missing-key", f"`{place[-1]}` is missing.", f"Give {told}.", pointer=pointer)
    seen = f"The value is {_shown(value)}."
    match place:
        case (*_, str(name), int(position)):
            told = ENTRIES[_pointer(place[:-1])]
            seen = f"Entry {position + 1} of `{name}` is {_shown(value)}."
        case _ if detail["type"] == NO_TIME:
            seen = f"The value is {_shown(value)}, which is no time at all."
    return blocks("bad-value", seen, f"Give {told}.", pointer=pointer)


def _pointer(place: Iterable[str | int]) -> str:
    """RFC 6901, section 3."""
    return "".join(f"/{repeated(str(part)).replace('~', '~0').replace('/', '~1')}" for part in place)


def _nearest(kind: Kind, place: tuple[str | int, ...]) -> str:
    model = _MODELS[kind]
    if place[0] in MigrationRequest.model_fields and place[0] not in model.model_fields:
        if kind == "deployment":
            return "Leave it out, or call POST /api/migrations where a gateway takes an older one's place."
        return "Leave it out: nobody is led over when an old gateway is only retired."
    known = _known_keys(model, place[:-1])
    near = get_close_matches(str(place[-1])[:LONGEST_ECHO].lower(), known, n=1)
    return f"Did you mean `{near[0]}`?" if near else f"Leave it out. Known here: {', '.join(f'`{k}`' for k in known)}."


def _known_keys(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    for part in place:
        annotation = model.model_fields[_field(model, str(part))].annotation
        options = [annotation, *get_args(annotation)]
        model = next(option for option in options if isinstance(option, type) and issubclass(option, BaseModel))
    return [field.alias or name for name, field in model.model_fields.items() if name != "kind"]


def _field(model: type[BaseModel], key: str) -> str:
    return next(name for name, field in model.model_fields.items() if key in (name, field.alias))


def _shown(value: object) -> str:
    """What a person may see of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repeated(str(value) if abs(value) < 1e20 else "a very large number")
        case str() if SECRET_LOOKING.search(value):
            return "a text that looks like a secret, which is not repeated here"
        case str():
            return f"«{repeated(value)}»"
        case list():
            return "a list"
        case dict():
            return "an object"
    return "of another type"


def repeated(text: str) -> str:
    """What of a caller's text may be told back: at most 100 characters, each of them printable (no half of a surrogate
    pair, no line's end, nothing that steers a terminal), and nothing of a secret."""
    if SECRET_LOOKING.search(text):
        return "(a text that looks like a secret)"
    short = text if len(text) <= LONGEST_ECHO else f"{text[: LONGEST_ECHO - 1]}…"
    return "".join(character if character.isprintable() else "?" for character in short)


def _cross_checks(body: JsonObject) -> list[Finding]:
    """What one key says against another. Works on JSON that is wrong elsewhere: every mistake is told at once."""
    return [finding for check in _CROSS_CHECKS for finding in check(body)]


def _check_guids(body: JsonObject) -> Iterable[Finding]:
    if (tenant := text_at(body, "tenant_id")) and tenant.lower() == text_at(body, "subscription_id").lower():
        yield blocks(
            "tenant-is-subscription",
            "`tenant_id` and `subscription_id` are the same.",
            f"Give {WANTED['/tenant_id']}.",
            pointer="/tenant_id",
        )


def _check_maker(body: JsonObject) -> Iterable[Finding]:
    maker = text_at(body, "provisioned_by")
    if maker == "existing" and body.get("new_gateway") is None:
        yield _missing("new_gateway")
    if maker in ("automation", "site"):
        if body.get("certificate") is None:
            yield _missing("certificate")
        if body.get("new_gateway") is not None:
            yield blocks(
                "new-gateway-not-existing",
                f"`new_gateway` names a gateway that stands already, but `provisioned_by` is «{maker}».",
                "Leave it out, or say `provisioned_by` «existing».",
                pointer="/new_gateway",
            )


def _missing(key: str) -> Finding:
    return blocks("missing-key", f"`{key}` is missing.", f"Give {WANTED[f'/{key}']}.", pointer=f"/{key}")


def _check_zone(body: JsonObject) -> Iterable[Finding]:
    try:
        zone = ResourceId.parse(text_at(body, "dns", "zone_id")).name
    except ValueError:
        return
    name = text_at(body, "service_name")
    if name and not is_below(name, zone):
        yield blocks(
            "service-name-outside-zone",
            f"«{repeated(name)}» does not lie in the zone «{repeated(zone)}».",
            "Give the zone that holds the service name's record, or leave `dns` out where the app does not change it.",
            pointer="/dns/zone_id",
        )


def _check_first_label(body: JsonObject) -> Iterable[Finding]:
    name, label = text_at(body, "service_name"), text_at(body, "first_label")
    if name and label and first_label_of(name) != label.lower():
        yield blocks(
            "first-label-contradicts",
            f"`first_label` «{repeated(label)}» is not the first label of `service_name` «{repeated(name)}».",
            "Give one of the two.",
            pointer="/first_label",
        )


def _check_deletions(body: JsonObject) -> Iterable[Finding]:
    named = at(body, "old_gateway", "also_delete")
    own = text_at(body, "old_gateway", "resource_id").strip("/").lower()
    seen = {own}
    for position, id in enumerate(named if isinstance(named, list) else []):
        if isinstance(id, str) and (plain := id.strip("/").lower()):
            if plain in seen:
                what = "is named already" if plain != own else "is the old gateway itself"
                yield blocks(
                    "also-delete-twice",
                    f"Entry {position + 1} of `also_delete`, {_shown(id)}, {what}.",
                    "Leave it out.",
                    pointer=f"/old_gateway/also_delete/{position}",
                )
            seen.add(plain)


def _check_spans(body: JsonObject) -> Iterable[Finding]:
    """Looked at here and not by the request itself: what earlier releases accepted goes on."""
    for pointer in SPANS:
        given = text_at(body, *pointer.split("/")[1:])
        try:
            span = _SPAN.validate_python(given)
        except ValidationError:
            continue
        if span > LONGEST_SPAN:
            yield blocks(
                "duration-too-long",
                f"The value is {_shown(given)}: more than {LONGEST_SPAN.days} days are taken for a typing mistake.",
                f"Give {WANTED[pointer]}.",
                pointer=pointer,
            )


def _check_moment(body: JsonObject) -> Iterable[Finding]:
    """Looked at here for the same reason: a bare number was once taken."""
    pointer, given = "/cut_over_not_before", body.get("cut_over_not_before")
    try:
        written_out(given)
    except ValueError:
        if given is not None:
            yield blocks("bad-value", f"The value is {_shown(given)}.", f"Give {WANTED[pointer]}.", pointer=pointer)


_CROSS_CHECKS = (
    _check_guids,
    _check_maker,
    _check_zone,
    _check_first_label,
    _check_deletions,
    _check_spans,
    _check_moment,
)


def _capped(findings: Sequence[Finding]) -> Sequence[Finding]:
    if len(findings) <= MOST_FINDINGS:
        return findings
    rest = len(findings) - MOST_FINDINGS
    more = blocks("more-mistakes", f"There are {rest} more mistakes.", "Cure these first and send the request again.")
    return [*findings[:MOST_FINDINGS], more]

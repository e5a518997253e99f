"""The procedure that a request follows: its gates with what each asks of whom (docs/procedures.md)."""

from cmg_core.domain.cases import Case, case_of
from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.gateway_resources import FIRST_CONNECTION_POINT_PORT, HTTPS
from cmg_core.domain.names import NameKind, kind_of
from cmg_core.domain.plans import Names
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import ClientsMoved, MigrationRequest, ReplacementRequest, Request


def judge_case(request: Request, service_name: str) -> tuple[Finding, ...]:
    """What the case of docs/procedures.md that request and service name make means, and whether it can be carried
    out."""
    if not isinstance(request, ReplacementRequest):
        return ()
    case, old = case_of(request, service_name), request.old_gateway.service_name
    found: list[Finding] = []
    if case is None:
        found.append(
            blocks(
                "case-same-region-name",
                f"«{service_name}» is Azure's own name of an address in {request.region}: two gateways cannot "
                "hold it at once.",
                "Either use a certificate for another service name, best one in a domain of your own. Or, with another "
                "gateway that serves the clients meanwhile, delete the old one first and ask with "
                "`old_gateway.gone`.",
                pointer="/old_gateway/service_name",
            )
        )
    if case is Case.NEW_NAME:
        found += _tell_new_name(request, service_name)
    elif service_name.lower() == old.lower() and service_name != old:
        found.append(
            tells(
                "service-name-letter-case",
                f"The certificate writes «{service_name}», the old gateway's service name is «{old}».",
                "The same name to DNS and clients. The site compares letter case when a certificate is renewed.",
                pointer="/old_gateway/service_name",
            )
        )
    if isinstance(request, MigrationRequest) and request.accept_gap is not None and case is not Case.GAP_ACCEPTED:
        found.append(
            tells(
                "accept-gap-not-needed",
                "This migration has no gap that anybody would have to accept.",
                "Leave `accept_gap` out.",
                pointer="/accept_gap",
            )
        )
    return tuple(found)


def _tell_new_name(request: ReplacementRequest, service_name: str) -> list[Finding]:
    old = request.old_gateway.service_name
    found = [
        tells(
            "case-new-service-name",
            f"The old gateway's service name is «{old}», the new one's will be «{service_name}»: clients learn the new "
            "name from the site, each at its next location request (every 24 hours), and choose at random "
            "while both serve.",
            "Leave the grace period long enough for clients that are switched off, or ask for the gate "
            "`clients-moved`.",
        )
    ]
    if kind_of(service_name, request.region) is NameKind.REGION:
        found.append(
            tells(
                "own-domain-advised",
                f"«{service_name}» is a name of Azure's: no public CA issues a certificate for it, and the next "
                "move to another region needs another name again.",
                "Better take a certificate for a name in a domain of your own.",
                pointer="/certificate/name",
            )
        )
    return found


def gates_of(request: Request, names: Names, ports: str) -> tuple[Gate, ...]:
    """The gates of a plan in the order in which they stand in the way. ``ports`` says where connection points dial."""
    case, chosen = case_of(request, names.service_name), request.gates
    if case is None:
        return ()
    found = [_approval()] if chosen.approval else []
    if request.provisioned_by == "site":
        found.append(_gateway_created(request, names))
    record = [_cname(request, names, case)] if names.has_own_domain else []
    if not isinstance(request, ReplacementRequest):
        first = [_first_connection_point(names, ports)] if chosen.connection_point_connected else []
        return (*found, *record, *first)
    ready = [_ready_to_cut_over()] if chosen.ready_to_cut_over else []
    content = [_content()] if request.old_gateway.serves_content else []
    match case:
        case Case.GAP_CLOSED:
            found += [_second_connection_point(names, ports), *content, *ready, *record, _inside_dns(names)]
        case Case.GAP_ACCEPTED | Case.SAME_NAME_ALONE:
            follows = _following_inside_dns(names) if case is Case.GAP_ACCEPTED else _inside_dns(names)
            inside = [follows] if names.has_own_domain else []
            found += [*content, *ready, *record, *inside, _following_connection_point(names, ports)]
        case Case.NEW_NAME:
            found += [*record, _linked_connection_point(names, ports), *content, *ready]
        case Case.RETIREMENT:
            found += [_serving_connection_point(names), *content, *ready]
    if chosen.clients_moved:
        found.append(_clients_moved(chosen.clients_moved))
    found.append(_site_record_removed(request, names, case))
    if case in (Case.GAP_CLOSED, Case.NEW_NAME, Case.RETIREMENT):
        found.append(_connection_point_removed(names))
    return tuple(found)


def _approval() -> Gate:
    return Gate(
        GateName.APPROVAL,
        Opener.PERSON,
        "Somebody who may approve this change reads the plan and opens this gate. Nothing is written in Azure before.",
        early=True,
    )


_ATTEST = (
    "Where it answers strangers itself, so that the app cannot tell, whoever has seen it relay in the console's "
    "connection analyzer opens this gate and says so in the reason."
)


def _second_connection_point(names: Names, ports: str) -> Gate:
    return Gate(
        GateName.CONNECTION_POINT_CONNECTED,
        Opener.APP_OR_PERSON,
        "The site's administrator adds a second connection point on another site system and lets that server "
        "alone resolve "
        f"{names.service_name} to the new gateway's address ({names.deployment_name}; a hosts entry does), "
        f"{ports}. The "
        "first connection point stays as it is, and its server keeps the old address. Opens when the new "
        f"gateway relays. {_ATTEST}",
    )


def _linked_connection_point(names: Names, ports: str) -> Gate:
    return Gate(
        GateName.CONNECTION_POINT_CONNECTED,
        Opener.APP_OR_PERSON,
        "The site's administrator adds a second connection point on another site system and links it to the "
        f"new gateway ({names.service_name}), {ports}. The first connection point stays as it is: the old gateway "
        f"needs it, and so does a rollback. Opens when the new gateway relays. {_ATTEST}",
    )


def _following_connection_point(names: Names, ports: str) -> Gate:
    return Gate(
        GateName.CONNECTION_POINT_CONNECTED,
        Opener.APP_OR_PERSON,
        f"A connection point follows {names.service_name} to the new gateway's address ({names.deployment_name}), "
        f"{ports}: by itself, once its server's view of the name leads there. Opens when the new gateway relays. "
        f"{_ATTEST}",
    )


def _serving_connection_point(names: Names) -> Gate:
    return Gate(
        GateName.CONNECTION_POINT_CONNECTED,
        Opener.APP_OR_PERSON,
        f"The gateway of {names.service_name} relays by a connection point of its own. Opens when it relays. {_ATTEST}",
    )


def _gateway_created(request: Request, names: Names) -> Gate:
    return Gate(
        GateName.GATEWAY_CREATED,
        Opener.PERSON,
        f"The site's administrator makes the gateway {names.service_name} in the console (or by "
        "New-CMCloudManagementGateway): virtual machine scale set, subscription "
        f"{request.subscription_id}, resource group {request.resource_group}, region {request.region}, "
        f"{request.instances} x {request.size}. When the site says Ready, they open this gate with the scale set's "
        'full ID as payload: {"resource_id": "…"}.',
    )


def _content() -> Gate:
    return Gate(
        GateName.CONTENT_READY,
        Opener.PERSON,
        "The site's administrator distributes the old gateway's content to the new one (new storage, new "
        "distribution point), adds the new one to the same boundary groups, and confirms that both are done.",
        early=True,
    )


def _first_connection_point(names: Names, ports: str) -> Gate:
    return Gate(
        GateName.CONNECTION_POINT_CONNECTED,
        Opener.APP_OR_PERSON,
        f"The site's administrator adds a connection point whose server resolves {names.service_name} to the "
        "new gateway's "
        f"address ({names.deployment_name}), {ports}. Opens when the new gateway relays. {_ATTEST}",
    )


def _ready_to_cut_over() -> Gate:
    return Gate(
        GateName.READY_TO_CUT_OVER,
        Opener.PERSON,
        "The gateway's owner says that clients may move to the new gateway now.",
        early=True,
    )


def _cname(request: Request, names: Names, case: Case) -> Gate:
    if request.dns is not None:
        who = "The app points the CNAME"
    elif case.moves_the_name:
        who = "Whoever holds the public zone lowers the TTL and, once that has run out, points the CNAME"
    else:
        who = "Whoever holds the public zone points the CNAME"
    return Gate(
        GateName.CNAME,
        Opener.APP,
        f"{who} of {names.service_name} at {names.deployment_name}. Opens when the zone's own servers and the public "
        "resolvers show it and the TTL of the old answer has run out.",
    )


def _inside_dns(names: Names) -> Gate:
    return Gate(
        GateName.INSIDE_DNS,
        Opener.PERSON,
        f"Whoever holds the inside DNS lets {names.service_name} lead to the new gateway, last on the first connection "
        "point's server, and confirms it when the old TTL has run out there.",
    )


def _following_inside_dns(names: Names) -> Gate:
    return Gate(
        GateName.INSIDE_DNS,
        Opener.PERSON,
        f"Whoever holds the inside DNS lets {names.service_name} lead to the new gateway as soon as its public record "
        "does, whether or not this deployment has asked by then: clients may find no gateway until the connection "
        "point has followed. They confirm it when the old TTL has run out there.",
    )


def _clients_moved(wanted: ClientsMoved) -> Gate:
    return Gate(
        GateName.CLIENTS_MOVED,
        Opener.PERSON,
        f"The site's administrator counts that at least {wanted.share:.0%} of the internet clients of the last "
        f"{wanted.active_days} days know or use the new gateway, and opens this gate with the "
        'figures as payload: {"active": 9000, "moved": 8870, "silent_since": "…"}. Figures that do not suffice are '
        "kept and shown; after the deadline a person may go on without figures.",
    )


def _site_record_removed(request: ReplacementRequest, names: Names, case: Case) -> Gate:
    old, then = request.old_gateway.service_name, ""
    if not case.moves_the_name and old.lower() != names.service_name.lower():
        then = f" Then nobody is led to {old} any more: whoever holds its public record, if there is one, takes it out."
    linked = (
        "" if case in (Case.GAP_CLOSED, Case.NEW_NAME) else " and has a connection point linked to it that is connected"
    )
    return Gate(
        GateName.SITE_RECORD_REMOVED,
        Opener.PERSON,
        f"The site's administrator makes sure that the site knows the new gateway{linked}, removes the site's record "
        f"of the old gateway of {old}, and confirms it.{then}",
    )


def _connection_point_removed(names: Names) -> Gate:
    return Gate(
        GateName.CONNECTION_POINT_REMOVED,
        Opener.PERSON,
        "The site's administrator removes the original connection point, never the last one that serves the "
        "new gateway "
        f"({names.deployment_name}), and confirms it.",
    )


def connection_ports(instances: int) -> str:
    """Where a connection point dials a gateway on a scale set: 443 for one instance, one port an instance from 10124 on
    otherwise (data-flow)."""
    if instances == 1:
        return f"dialing port {HTTPS}"
    last = FIRST_CONNECTION_POINT_PORT + instances - 1
    return f"dialing ports {FIRST_CONNECTION_POINT_PORT} to {last} (open them in the firewall between)"

"""The procedure that a request follows: its steps, and its gates with what each asks of whom (docs/procedures.md)."""

from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.gateway_resources import FIRST_CONNECTION_POINT_PORT, HTTPS
from cmg_core.domain.names import NameKind, kind_of
from cmg_core.domain.plans import Names
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import MigrationRequest, Request


def judge_case(request: Request, service_name: str) -> tuple[Finding, ...]:
    """Whether this release can carry out the case of docs/procedures.md that request and service name make."""
    if not isinstance(request, MigrationRequest):
        return ()
    old = request.old_gateway.service_name
    if service_name.lower() != old.lower():
        return (
            blocks(
                "case-new-service-name",
                f"The old gateway's service name is «{old}», the new one's would be «{service_name}». A "
                "migration to another "
                "service name comes with a later release.",
                "Use a certificate that covers the old name (and `service_name` or `first_label` where it "
                "holds more), or "
                "deploy the new gateway with POST /api/deployments beside the old one.",
                pointer="/old_gateway/service_name",
            ),
        )
    if kind_of(service_name, request.region) is NameKind.REGION:
        return (
            blocks(
                "case-same-region-name",
                f"«{service_name}» is Azure's own name of an address in {request.region}: two gateways cannot "
                "hold it at once.",
                "Either use a certificate for another service name, best one in a domain of your own. Or, with another "
                "gateway that serves the clients meanwhile, delete the old one first and deploy anew.",
                pointer="/old_gateway/service_name",
            ),
        )
    if service_name != old:
        return (
            tells(
                "service-name-letter-case",
                f"The certificate writes «{service_name}», the old gateway's service name is «{old}».",
                "The same name to DNS and clients. The site compares letter case when a certificate is renewed.",
                pointer="/old_gateway/service_name",
            ),
        )
    return ()


def gates_of(request: Request, names: Names, ports: str) -> tuple[Gate, ...]:
    """The gates of a plan in the order in which they stand in the way. ``ports`` says where connection points dial."""
    chosen = request.gates
    found = [_approval()] if chosen.approval else []
    if isinstance(request, MigrationRequest):
        found += [
            _second_connection_point(names, ports),
            *([_ready_to_cut_over()] if chosen.ready_to_cut_over else []),
            _cname(request, names),
            _inside_dns(names),
            *([_clients_moved(request)] if chosen.clients_moved else []),
            _site_record_removed(names),
            _connection_point_removed(names),
        ]
        return tuple(found)
    if chosen.connection_point_connected:
        found.append(_first_connection_point(names, ports))
    if names.has_own_domain:
        found.append(_cname(request, names))
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


def _cname(request: Request, names: Names) -> Gate:
    who = (
        "The app points the CNAME"
        if request.dns is not None
        else "Whoever holds the public zone lowers the TTL and, once that has run out, points the CNAME"
    )
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


def _clients_moved(request: Request) -> Gate:
    wanted = request.gates.clients_moved
    figures = (
        f" at least {wanted.share:.0%} of the internet clients of the last {wanted.active_days} days" if wanted else ""
    )
    return Gate(
        GateName.CLIENTS_MOVED,
        Opener.PERSON,
        f"The site's administrator confirms from the site's figures that{figures} use the new gateway.",
    )


def _site_record_removed(names: Names) -> Gate:
    return Gate(
        GateName.SITE_RECORD_REMOVED,
        Opener.PERSON,
        "The site's administrator makes sure that the site knows the new gateway, removes the site's record "
        "of the old "
        f"gateway of {names.service_name}, and confirms it.",
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

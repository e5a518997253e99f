"""What a request asks for against what this release, its settings and the field's rules allow."""

from datetime import timedelta

from cmg_core.domain.clouds import DOMAINS, CloudName, cloud_of
from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.old_gateway import CLASSIC, type_of
from cmg_core.domain.problems import Finding
from cmg_core.domain.procedure import connection_ports
from cmg_core.domain.releases import CLASSIC_RETIRED, tell_retirements
from cmg_core.domain.requests import SHORTEST_GRACE, MigrationRequest, ReplacementRequest, Request, RetirementRequest
from cmg_core.domain.values import iso_duration, subscription_of


def judge_request(
    request: Request, minimum_grace: timedelta, *, has_software: bool, cloud: CloudName
) -> tuple[Finding, ...]:
    """Everything that follows from the request and the settings alone. ``cloud`` is the one that the app works in."""
    found = [
        *_judge_maker(request, has_software=has_software),
        *_judge_model(request),
        *_judge_cloud(request, cloud),
        *_judge_subscription(request),
    ]
    from_classic = False
    if isinstance(request, ReplacementRequest):
        from_classic = type_of(request.old_gateway.resource_id) == CLASSIC
        found += _judge_grace(request, minimum_grace)
    if isinstance(request, MigrationRequest):
        found += _judge_wishes(request)
    if request.instances > 1 and request.provisioned_by != "existing":
        found.append(
            tells(
                "connection-point-ports",
                f"Connection points reach a gateway of {request.instances} instances "
                f"{connection_ports(request.instances)}, "
                "over HTTPS only; ports 10140 to 10155 are not used.",
                "Open these ports from the connection points to the new address.",
            )
        )
    return (*found, *tell_retirements(from_classic=from_classic))


def _judge_maker(request: Request, *, has_software: bool) -> list[Finding]:
    if isinstance(request, RetirementRequest) and request.provisioned_by != "existing":
        return [
            blocks(
                "retirement-makes-nothing",
                f"`provisioned_by` is «{request.provisioned_by}», but a retirement makes no gateway: another one "
                "serves already.",
                "Say «existing», and name the gateway that serves as `new_gateway`. Where none serves yet, ask for a "
                "migration.",
                pointer="/provisioned_by",
            )
        ]
    if request.provisioned_by == "site":
        return [
            tells(
                "site-makes-the-gateway",
                "The site makes the new gateway: the deployment waits until somebody has done that in the console.",
                "See the gate `gateway-created` for what to enter there.",
                pointer="/provisioned_by",
            )
        ]
    if request.provisioned_by == "existing":
        return []
    found = [
        tells(
            "not-supported-by-microsoft",
            "The app makes the gateway resource by resource. Microsoft supports only gateways that the site makes.",
            "Go on only if that is what you want.",
            pointer="/provisioned_by",
        )
    ]
    if not has_software:
        found.append(
            blocks(
                "gateway-software-missing",
                "No software is set that turns an instance into a gateway.",
                "Set CMG_GATEWAY_SOFTWARE to the virtual machine extension that installs it, as JSON.",
            )
        )
    return found


def _judge_model(request: Request) -> list[Finding]:
    """Rule S2. Sources: Azure/EOL service list; "Removed and deprecated features for Configuration Manager"."""
    if request.deployment_model == "scale-set":
        return []
    return [
        blocks(
            "classic-target-retired",
            f"Azure retired classic cloud services on {CLASSIC_RETIRED:%d %B %Y}: none can be made any more.",
            "Leave `deployment_model` out, or give «scale-set»: that is what replaces them.",
            pointer="/deployment_model",
        )
    ]


def _judge_cloud(request: Request, cloud: CloudName) -> list[Finding]:
    """Whether region and vault lie in the cloud that the app works in."""
    suffix = f".{DOMAINS[cloud].vaults}"
    vault = request.certificate.vault if request.certificate else suffix
    places = (
        ("/region", f"The region «{request.region}»", cloud_of(request.region) is cloud),
        ("/certificate/vault", f"The vault {vault}", vault.endswith(suffix)),
    )
    return [
        blocks(
            "other-cloud",
            f"{what} lies in another cloud than {cloud.spoken}, where this app works (setting CMG_CLOUD).",
            f"Use a region and a vault of {cloud.spoken}, or ask an app that works in the other cloud.",
            pointer=pointer,
        )
        for pointer, what, is_here in places
        if not is_here
    ]


def _judge_subscription(request: Request) -> list[Finding]:
    """Where the new gateway stands. Zone and old gateway may lie in other subscriptions of the tenant."""
    if request.new_gateway is None or subscription_of(request.new_gateway.resource_id) == request.subscription_id:
        return []
    return [
        blocks(
            "new-gateway-in-other-subscription",
            f"The scale set lies in subscription {subscription_of(request.new_gateway.resource_id)}, the request says "
            f"{request.subscription_id}.",
            "Give the subscription in which the gateway stands.",
            resource=request.new_gateway.resource_id,
            pointer="/subscription_id",
        )
    ]


def _judge_grace(request: ReplacementRequest, minimum_grace: timedelta) -> list[Finding]:
    found: list[Finding] = []
    if request.grace_period < minimum_grace:
        found.append(
            blocks(
                "grace-period-too-short",
                f"The grace period is {iso_duration(request.grace_period)}; at least {iso_duration(minimum_grace)} is "
                "needed, so that clients learn of the new gateway before the old one goes.",
                f"Give a `grace_period` of at least {iso_duration(minimum_grace)}.",
                pointer="/grace_period",
            )
        )
    if minimum_grace < SHORTEST_GRACE:
        found.append(
            tells(
                "minimum-grace-shortened",
                f"CMG_MINIMUM_GRACE allows grace periods from {iso_duration(minimum_grace)} on; the rule is at least "
                f"{iso_duration(SHORTEST_GRACE)}.",
                "For demonstrations and tests only.",
            )
        )
    return found


def _judge_wishes(request: MigrationRequest) -> list[Finding]:
    found: list[Finding] = []
    if not request.gates.connection_point_connected:
        found.append(
            tells(
                "connection-point-gate-stays",
                "A migration needs the gate `connection-point-connected`: it stays in the plan.",
                "Nothing to do.",
                pointer="/gates/connection-point-connected",
            )
        )
    return found

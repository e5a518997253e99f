"""What a request asks for against what this release, its settings and the field's rules allow."""

from datetime import timedelta

from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.names import GOVERNMENT_REGIONS
from cmg_core.domain.old_gateway import CLASSIC, type_of
from cmg_core.domain.problems import Finding
from cmg_core.domain.procedure import connection_ports
from cmg_core.domain.releases import judge_release, tell_retirements
from cmg_core.domain.requests import SHORTEST_GRACE, MigrationRequest, ReplacementRequest, Request
from cmg_core.domain.values import ResourceId, iso_duration


def judge_request(request: Request, minimum_grace: timedelta, *, has_software: bool) -> tuple[Finding, ...]:
    """Everything that follows from the request and the settings alone."""
    found = [*_judge_maker(request, has_software=has_software), *_judge_place(request)]
    from_classic = False
    if isinstance(request, ReplacementRequest):
        from_classic = type_of(request.old_gateway.resource_id) == CLASSIC
        found += _judge_grace(request, minimum_grace)
    if isinstance(request, MigrationRequest):
        found += _judge_wishes(request)
    found += [*judge_release(request.configmgr_release, from_classic=from_classic)]
    if isinstance(request, MigrationRequest) and not from_classic and request.reason is None:
        found.append(
            tells(
                "no-reason-to-move",
                "The old gateway is on a scale set already, and the request gives no reason. A deployment by "
                "Resource Manager "
                "need not be redeployed.",
                "Without a reason, leave it as it is. The site changes the size in place.",
                pointer="/reason",
            )
        )
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


def _judge_place(request: Request) -> list[Finding]:
    found: list[Finding] = []
    if request.region.startswith(GOVERNMENT_REGIONS) or "usgovcloudapi" in _vault(request):
        found.append(
            blocks(
                "government-later",
                "Azure US Government comes with a later release.",
                "Use a region and a vault of Azure's public cloud.",
                pointer="/region",
            )
        )
    elsewhere = [("/dns/zone_id", request.dns.zone_id)] if request.dns else []
    if request.new_gateway is not None:
        elsewhere.append(("/new_gateway/resource_id", request.new_gateway.resource_id))
    if isinstance(request, ReplacementRequest):
        elsewhere.append(("/old_gateway/resource_id", request.old_gateway.resource_id))
    found += [
        blocks(
            "other-subscription-later",
            "It lies in another subscription than the new gateway. That comes with a later release.",
            "Deploy into that subscription."
            + (" Or leave `dns` out: then somebody else changes the record." if pointer == "/dns/zone_id" else ""),
            resource=id,
            pointer=pointer,
        )
        for pointer, id in elsewhere
        if ResourceId.parse(id).subscription_id.lower() != request.subscription_id
    ]
    return found


def _vault(request: Request) -> str:
    return request.certificate.vault if request.certificate else ""


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

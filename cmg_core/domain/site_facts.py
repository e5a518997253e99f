"""What a request tells of the site, which nobody can see in Azure, and what follows from it (docs/procedures.md)."""

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.names import NameKind, kind_of
from cmg_core.domain.problems import Finding
from cmg_core.domain.requests import MigrationRequest, Request, SiteFacts


def judge_site(request: Request, service_name: str) -> tuple[Finding, ...]:
    """What the site lacks for the procedure that request and service name make."""
    told = request.site or SiteFacts()
    found = [*_judge_firewall(told)]
    if isinstance(request, MigrationRequest):
        found += [*_judge_second(request, told), *_judge_others(request, told, service_name)]
    return tuple(found)


def _judge_firewall(told: SiteFacts) -> list[Finding]:
    if told.connection_point_firewall_open is not False:
        return []
    return [
        warns(
            "connection-point-firewall-closed",
            "The firewall does not let the connection points reach the new gateway's address yet.",
            "Open what the plan lists under `firewall`: the gate `connection-point-connected` stays shut before.",
            pointer="/site/connection_point_firewall_open",
        )
    ]


def _judge_second(request: MigrationRequest, told: SiteFacts) -> list[Finding]:
    """A connection point serves one gateway, so that two gateways need two site systems."""
    untold = [
        f"`site.{key}`"
        for key, value in (
            ("spare_site_system", told.spare_site_system),
            ("connection_point_firewall_open", told.connection_point_firewall_open),
        )
        if value is None
    ]
    if untold:
        return [
            tells(
                "site-not-told",
                f"The request does not say {' and '.join(untold)}.",
                "See that a second site system can take a connection point, and that its firewall lets it reach the "
                "new gateway.",
                pointer="/site",
            ),
            *_judge_spare(request, told),
        ]
    return _judge_spare(request, told)


def _judge_spare(request: MigrationRequest, told: SiteFacts) -> list[Finding]:
    if told.spare_site_system is not False:
        return []
    say = warns if request.accept_gap is not None else blocks
    return [
        say(
            "no-spare-site-system",
            "No other site system can take a second connection point, and one connection point serves one gateway.",
            "Add a site system server first. Re-pointing the first connection point would cut clients off and leave "
            "no way back.",
            pointer="/site/spare_site_system",
        )
    ]


def _judge_others(request: MigrationRequest, told: SiteFacts, service_name: str) -> list[Finding]:
    """Whether another gateway serves meanwhile, where the old one cannot all the time."""
    old = request.old_gateway.service_name
    same = service_name.lower() == old.lower()
    cannot_overlap = same and kind_of(service_name, request.region) is NameKind.REGION
    if (request.accept_gap is None and not cannot_overlap) or told.other_gateways is None:
        return []
    others = [name for name in told.other_gateways if name.lower() not in (old.lower(), service_name.lower())]
    if others:
        listed = ", ".join(f"«{name}»" for name in others)
        cure = "See that clients know it (they ask once in 24 hours), and that it can carry them all."
        return [tells("other-gateways", f"Meanwhile {listed} can serve.", cure, pointer="/site/other_gateways")]
    return [
        warns(
            "no-other-gateway",
            "No other gateway would serve while neither the old nor the new one does.",
            "Make another gateway first, or choose a time at which no client needs one.",
            pointer="/site/other_gateways",
        )
    ]

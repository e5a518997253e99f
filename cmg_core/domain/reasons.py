"""When to move and when not (rule S6): what a migration changes that only a new deployment can change.

Sources: "Modify a CMG" (a new deployment is needed for another subscription, service name, region or resource group;
conversion in place; a size changed in place); the announcement of scale sets (a Resource Manager deployment need not be
redeployed).
"""

from cmg_core.domain.clouds import domains_of
from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.names import is_below
from cmg_core.domain.plans import OldGateway
from cmg_core.domain.problems import Finding
from cmg_core.domain.releases import FIRST_WITH_SCALE_SETS_FOR_ALL, FIRST_WITHOUT_CLASSIC
from cmg_core.domain.requests import MigrationRequest
from cmg_core.domain.values import ResourceId


def judge_reasons(request: MigrationRequest, service_name: str, old: OldGateway) -> tuple[Finding, ...]:
    """Whether there is a reason to move, and the smaller change where one would do."""
    changes = changes_of(request, service_name, old)
    smaller = _smaller_changes(request, service_name, old, changes)
    if old.model == "classic":
        changes = ("the deployment model, because classic cloud services are retired", *changes)
    if changes:
        seen = f"What the site cannot change in place: {'; '.join(changes)}."
        return (tells("reasons-to-move", seen, "Nothing to do: these are reasons for a new deployment."), *smaller)
    seen = (
        "The old gateway is on a scale set already, and service name, region, subscription and resource group stay as "
        "they are. A deployment by Resource Manager need not be redeployed."
    )
    if request.reason is None:
        cure = "Leave the gateway as it is. Where there is a reason that Azure does not show, give it as `reason`."
        return (blocks("no-reason-to-move", seen, cure, pointer="/reason"), *smaller)
    cure = "Go on only if the reason that the request gives needs a new deployment."
    return (tells("no-reason-to-move", seen, cure, pointer="/reason"), *smaller)


def changes_of(request: MigrationRequest, service_name: str, old: OldGateway) -> tuple[str, ...]:
    """What changes that needs a new deployment, each from what to what. A subscription belongs to one tenant, so that
    another tenant shows as another subscription."""
    place = ResourceId.parse(old.resource_id)
    changes = (
        ("the service name", old.service_name, service_name),
        ("the region", old.region.replace(" ", ""), request.region),
        ("the subscription", place.subscription_id, request.subscription_id),
        ("the resource group", place.resource_group, request.resource_group),
    )
    return tuple(f"{what} («{was}» to «{will}»)" for what, was, will in changes if was.lower() != will.lower())


def _smaller_changes(
    request: MigrationRequest, service_name: str, old: OldGateway, changes: tuple[str, ...]
) -> tuple[Finding, ...]:
    if changes:
        return ()
    if old.model == "classic":
        return _tell_conversion(request, service_name)
    differs = [
        f"{what} («{was}» to «{will}»)"
        for what, was, will in (
            ("the size", old.size, request.size),
            ("the number of instances", str(old.instances or ""), str(request.instances)),
        )
        if was and was.lower() != will.lower()
    ]
    if not differs:
        return ()
    return (
        tells(
            "change-in-place",
            f"Of the machines changes: {' and '.join(differs)}.",
            "The site changes that in place: console, properties of the gateway. It needs no migration.",
            pointer="/size",
        ),
    )


def _tell_conversion(request: MigrationRequest, service_name: str) -> tuple[Finding, ...]:
    """Conversion keeps environment, subscription, Entra app, region and group; no name of classic services can come."""
    release = request.configmgr_release
    can_convert = release is None or FIRST_WITH_SCALE_SETS_FOR_ALL <= release < FIRST_WITHOUT_CLASSIC
    if not can_convert or is_below(service_name, domains_of(request.region).classic):
        return ()
    return (
        tells(
            "convert-in-place",
            f"Region, subscription, resource group and service name stay. From release {FIRST_WITH_SCALE_SETS_FOR_ALL} "
            "on the console can convert a classic gateway in place, where it is ready: a smaller change, without "
            "rollback.",
            "Convert it in the console (optional feature «Cloud management gateway with Azure virtual machine scale "
            "set») and change the CNAME, or go on here for a way back.",
        ),
    )
